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
const BACKENDS: [(&str, Endpoint); 7] = [
    ("vllm", Endpoint::OpenAiCompletions),
    ("openai", Endpoint::OpenAiCompletions),
    ("openai-chat", Endpoint::OpenAiChat),
    ("lmdeploy", Endpoint::OpenAiCompletions),
    ("sglang", Endpoint::OpenAiCompletions),
    ("scalellm", Endpoint::OpenAiCompletions),
    ("llama.cpp", Endpoint::OpenAiCompletions),
];

/// Those that are known and cannot be spoken yet.
const LATER: [&str; 14] = [
    "openai-responses",
    "openai-audio",
    "openai-embeddings",
    "openai-embeddings-chat",
    "openai-embeddings-clip",
    "openai-embeddings-vlm2vec",
    "infinity-embeddings",
    "infinity-embeddings-clip",
    "vllm-pooling",
    "vllm-rerank",
    "tgi",
    "tensorrt-llm",
    "deepspeed-mii",
    "dashscope",
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
    let wanted = endpoint.path();
    if !args.endpoint.ends_with(wanted) || is_chat_in_disguise(&args.endpoint, endpoint) {
        return Err(Problem::usage(format!(
            "--endpoint {} does not fit --backend {}",
            args.endpoint, args.backend
        ))
        .cause(format!("its path ends in {wanted}"))
        .hint(format!("add --endpoint /v1/{wanted}")));
    }
    Ok(Address {
        place: Place::Live(format!("{begin}{}", args.endpoint)),
        endpoint,
    })
}

/// `chat/completions` ends in `completions` too.
fn is_chat_in_disguise(path: &str, endpoint: Endpoint) -> bool {
    endpoint == Endpoint::OpenAiCompletions && path.ends_with(Endpoint::OpenAiChat.path())
}

fn endpoint(backend: &str) -> Result<Endpoint, Problem> {
    if let Some((_, endpoint)) = BACKENDS.iter().find(|(name, _)| *name == backend) {
        return Ok(*endpoint);
    }
    let names = BACKENDS.map(|(name, _)| name);
    if LATER.contains(&backend) {
        return Err(
            Problem::usage(format!("--backend {backend} is not supported yet"))
                .hint(format!("one of {}", names.join(", "))),
        );
    }
    let problem = Problem::usage(format!("--backend {backend} is not known"));
    Err(match nearest(backend, names.into_iter().chain(LATER)) {
        Some(name) => problem.hint(format!("did you mean {name}?")),
        None => problem.hint(format!("one of {}", names.join(", "))),
    })
}
