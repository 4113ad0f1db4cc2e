//! From host, port and endpoint to the service, and from the backend to how it is spoken to.

use crestline_core::nearest::nearest;
use crestline_load::client::endpoint::Endpoint;

use super::super::args::ConnectionArgs;
use crate::problem::Problem;

/// Where the load goes, and in which form.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Address {
    pub(super) place: Place,
    pub(super) endpoint: Endpoint,
}

/// A live service or the simulated engine.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    Live(String),
    Virtual(String),
}

/// Forms of requests: how vLLM names them, and what is spoken.
const BACKENDS: [(&str, Endpoint); 20] = [
    ("vllm", Endpoint::OpenAiCompletions),
    ("openai", Endpoint::OpenAiCompletions),
    ("openai-chat", Endpoint::OpenAiChat),
    ("openai-responses", Endpoint::OpenAiResponses),
    ("openai-audio", Endpoint::OpenAiTranscription),
    ("openai-embeddings", Endpoint::OpenAiEmbeddings),
    ("openai-embeddings-chat", Endpoint::ChatEmbeddings),
    ("openai-embeddings-clip", Endpoint::ClipEmbeddings),
    ("openai-embeddings-vlm2vec", Endpoint::Vlm2VecEmbeddings),
    ("vllm-pooling", Endpoint::Pooling),
    ("vllm-rerank", Endpoint::Rerank),
    ("infinity-embeddings", Endpoint::InfinityEmbeddings),
    ("infinity-embeddings-clip", Endpoint::InfinityClipEmbeddings),
    ("tgi", Endpoint::TgiGenerate),
    ("tensorrt-llm", Endpoint::TensorRtGenerate),
    ("deepspeed-mii", Endpoint::DeepSpeedMii),
    ("lmdeploy", Endpoint::OpenAiCompletions),
    ("sglang", Endpoint::OpenAiCompletions),
    ("scalellm", Endpoint::OpenAiCompletions),
    ("llama.cpp", Endpoint::OpenAiCompletions),
];

pub(super) fn resolve(args: &ConnectionArgs) -> Result<Address, Problem> {
    let endpoint = endpoint(&args.backend)?;
    if let Some(profile) = args
        .base_url
        .as_deref()
        .and_then(|url| url.strip_prefix("sim:"))
    {
        return Ok(Address {
            place: Place::Virtual(profile.to_owned()),
            endpoint,
        });
    }
    let begin = match &args.base_url {
        Some(url) if url.contains("://") => url.clone(),
        Some(url) => {
            return Err(
                Problem::usage(format!("--base-url {url} has no scheme")).hint(format!(
                    "write --base-url http://{url}, or sim:NAME for the simulated engine"
                )),
            );
        }
        None if args.host.contains(':') && !args.host.starts_with('[') => {
            format!("http://[{}]:{}", args.host, args.port)
        }
        None => format!("http://{}:{}", args.host, args.port),
    };
    check_path(args, endpoint)?;
    Ok(Address {
        place: Place::Live(format!("{begin}{}", args.endpoint)),
        endpoint,
    })
}

/// What stands before a service's own paths: the path of `--base-url`, without the version of an API.
pub(crate) fn path_prefix(args: &ConnectionArgs) -> &str {
    let url = args.base_url.as_deref().unwrap_or_default();
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.find('/').map_or("", |begin| &rest[begin..]);
    let path = path.split('?').next().unwrap_or_default();
    let path = path.trim_end_matches('/');
    path.strip_suffix("/v1").unwrap_or(path)
}

/// The service is reached by TLS.
pub(super) fn is_encrypted(args: &ConnectionArgs) -> bool {
    let url = args.base_url.as_deref().unwrap_or_default();
    url.to_ascii_lowercase().starts_with("https://")
}

fn check_path(args: &ConnectionArgs, endpoint: Endpoint) -> Result<(), Problem> {
    let (path, wanted) = (&args.endpoint, endpoint.path());
    // `chat/completions` ends in `completions` too.
    let chat = Endpoint::OpenAiChat;
    let fits = match endpoint {
        Endpoint::OpenAiCompletions => path.ends_with(wanted) && !path.ends_with(chat.path()),
        Endpoint::OpenAiTranscription => path.ends_with(wanted) || path.ends_with("translations"),
        // A server of its own, whose path says nothing.
        Endpoint::DeepSpeedMii => true,
        _ => path.ends_with(wanted),
    };
    if fits {
        return Ok(());
    }
    let example = match endpoint {
        Endpoint::OpenAiTranscription => "/v1/audio/transcriptions".to_owned(),
        Endpoint::Pooling | Endpoint::TgiGenerate => format!("/{wanted}"),
        Endpoint::TensorRtGenerate => format!("/v2/models/ensemble/{wanted}"),
        _ => format!("/v1/{wanted}"),
    };
    Err(Problem::usage(format!(
        "--endpoint {path} does not fit --backend {}",
        args.backend
    ))
    .cause(format!("its path ends in {wanted}"))
    .hint(format!("add --endpoint {example}")))
}

fn endpoint(backend: &str) -> Result<Endpoint, Problem> {
    if let Some((_, endpoint)) = BACKENDS.iter().find(|(name, _)| *name == backend) {
        return Ok(*endpoint);
    }
    let names = BACKENDS.map(|(name, _)| name);
    let problem = Problem::usage(format!("--backend {backend} is not known"));
    Err(match nearest(backend, names) {
        Some(name) => problem.hint(format!("did you mean {name}?")),
        None => problem.hint(format!("one of {}", names.join(", "))),
    })
}
