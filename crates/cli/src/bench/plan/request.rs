//! From the flags of prompts and generation to what is sent.

use crestline_core::request::{Adapters, Assignment, ChatLength, Generation, LoadPoint, Prompt};
use crestline_load::client::endpoint::{Endpoint, Misfit};
use crestline_workload::plan::{
    Dataset, PlainTemplate, PromptForm, SampleOrder, SampleSource, Sampling, WorkloadPlan,
};
use serde_json::{Map, json};

use super::super::args::{ConnectionArgs, DatasetName, LoraAssignment, RequestArgs, ServeArgs};
use super::address::Address;
use super::{dataset, load};
use crate::problem::Problem;
use crate::values;

pub(super) fn workload(
    args: &ServeArgs,
    address: &Address,
    point: &LoadPoint,
) -> Result<WorkloadPlan, Problem> {
    let set = &args.dataset;
    let source = dataset::source(args)?;
    check_backend(args, address, &source)?;
    let copies = if load::warms_up_with_copies(args) {
        point.warmup
    } else {
        0
    };
    let template = match &set.chat_template_kwargs {
        // Without a tokenizer there is no template.
        _ if set.skip_chat_template || args.connection.skip_tokenizer_init => {
            PlainTemplate::Skipped
        }
        Some(text) => PlainTemplate::Applied(values::object("--chat-template-kwargs", text)?),
        None => PlainTemplate::Applied(Map::new()),
    };
    let order = if set.disable_shuffle {
        SampleOrder::Stored
    } else {
        SampleOrder::Shuffled
    };
    Ok(WorkloadPlan {
        dataset: Dataset::Sampled(Box::new(Sampling {
            source,
            requests: point.requests + point.warmup - copies,
            copies,
            order,
            longest: set.max_model_len,
            template,
        })),
        tokenizer: tokenizer(&args.connection),
        form: form(args, address),
        min_prompt_length: 0,
        max_prompt_length: u32::MAX,
        prefix_length: 0,
        max_tokens: None,
        offset: 0,
        seed: args.load.seed,
    })
}

/// That of the model, unless another is named or none is wanted.
fn tokenizer(args: &ConnectionArgs) -> Option<String> {
    if args.skip_tokenizer_init {
        return None;
    }
    args.tokenizer.clone().or_else(|| args.model.clone())
}

/// Which adapter each request asks for. Their names stand in the body's `model`.
pub(super) fn adapters(args: &ServeArgs, address: &Address) -> Result<Option<Adapters>, Problem> {
    let typed = &args.connection;
    let assignment = match typed.lora_assignment {
        LoraAssignment::Random => Assignment::Random,
        LoraAssignment::RoundRobin => Assignment::RoundRobin,
    };
    let adapters = Adapters::new(typed.lora_modules.clone(), assignment, args.load.seed);
    if adapters.is_some() && !address.endpoint.names_model() {
        return Err(Problem::usage(format!(
            "--lora-modules has no meaning with --backend {}",
            typed.backend
        ))
        .cause("its requests name no model")
        .hint("leave it out, and start the server with the adapter"));
    }
    Ok(adapters)
}

/// Where prompts can go that have no place in other requests.
pub(crate) fn backends_for(misfit: Misfit) -> &'static str {
    match misfit {
        Misfit::Picture => {
            "use --backend openai-chat --endpoint /v1/chat/completions, or openai-responses; openai-embeddings-chat, \
             openai-embeddings-clip, openai-embeddings-vlm2vec and infinity-embeddings-clip embed pictures"
        }
        Misfit::Film => {
            "use --backend openai-chat --endpoint /v1/chat/completions; openai-embeddings-chat, openai-embeddings-clip, \
             openai-embeddings-vlm2vec and infinity-embeddings-clip embed films"
        }
        Misfit::Sound => "use --backend openai-chat --endpoint /v1/chat/completions",
        Misfit::Several => {
            "use --random-mm-base-items-per-request 1, or --backend openai-embeddings-clip --endpoint /v1/embeddings"
        }
        Misfit::Recording => {
            "use --backend openai-audio --endpoint /v1/audio/transcriptions; custom_audio with --enable-multimodal-chat is for \
             --backend openai-chat"
        }
        Misfit::NoRecording => {
            "use --dataset-name custom_audio, or a data set of recordings with --dataset-name hf"
        }
        Misfit::NoDocuments => "use --dataset-name random-rerank",
    }
}

/// Finds data sets of one kind of prompts that a backend does not take; the others are known when they are read.
fn check_backend(
    args: &ServeArgs,
    address: &Address,
    source: &SampleSource,
) -> Result<(), Problem> {
    let endpoint = address.endpoint;
    let set = &args.dataset;
    let refused = |what: &str, hint: &str| {
        let backend = &args.connection.backend;
        Problem::usage(format!("{what} cannot be sent to --backend {backend}")).hint(hint)
    };
    let is_speech = endpoint == Endpoint::OpenAiTranscription;
    let misfit = match set.dataset_name {
        DatasetName::RandomRerank if endpoint != Endpoint::Rerank => {
            return Err(refused(
                "queries with documents",
                "use --backend vllm-rerank --endpoint /v1/rerank",
            ));
        }
        DatasetName::TimedTrace if endpoint != Endpoint::OpenAiCompletions => {
            return Err(refused("a trace's token ids", "use --backend vllm"));
        }
        DatasetName::RandomMm | DatasetName::CustomImage => with_media(source)
            .iter()
            .find_map(|prompt| endpoint.misfit(prompt)),
        DatasetName::CustomAudio if is_speech && set.enable_multimodal_chat => {
            return Err(refused(
                "recordings in messages",
                "leave out --enable-multimodal-chat",
            ));
        }
        DatasetName::CustomAudio if is_speech => None,
        DatasetName::CustomAudio if !set.enable_multimodal_chat => Some(Misfit::Recording),
        DatasetName::CustomAudio | DatasetName::Hf | DatasetName::RandomRerank => None,
        DatasetName::Random if set.random_batch_size > 1 => {
            endpoint.misfit(&Prompt::Texts(vec![String::new(); 2]))
        }
        _ => endpoint.misfit(&Prompt::Text(String::new())),
    };
    match misfit {
        Some(misfit) => Err(refused(&misfit.to_string(), backends_for(misfit))),
        None => Ok(()),
    }
}

/// Texts with each kind that a source may put beside them, twice where there may be several: a picture, where it does not
/// say.
fn with_media(source: &SampleSource) -> Vec<Prompt> {
    let prompt = |is_film: bool, several: bool| {
        let kind = if is_film { "video_url" } else { "image_url" };
        Prompt::Media {
            text: "a".to_owned(),
            parts: vec![json!({"type": kind}); 1 + usize::from(several)],
        }
    };
    let SampleSource::RandomMedia(media) = source else {
        return vec![prompt(false, false)];
    };
    let several = f64::from(media.items) * (1.0 + media.spread) > 1.0;
    let drawn = media.sizes.iter().filter(|size| size.weight > 0.0);
    drawn.map(|size| prompt(size.frames > 1, several)).collect()
}

fn form(args: &ServeArgs, address: &Address) -> PromptForm {
    let wants_ids =
        args.request.prompt_token_ids || args.dataset.dataset_name == DatasetName::TimedTrace;
    match address.endpoint {
        Endpoint::OpenAiChat | Endpoint::OpenAiResponses => PromptForm::Chat,
        _ if wants_ids => PromptForm::TokenIds { chat: false },
        _ => PromptForm::Text,
    }
}

pub(super) fn generation(args: &ServeArgs, address: &Address) -> Result<Generation, Problem> {
    let typed = &args.request;
    let endpoint = address.endpoint;
    let mut settings = sampling(typed)?;
    if !endpoint.generates() {
        settings = Generation::default();
    }
    if endpoint.generates() && !is_openai(endpoint) && settings != Generation::default() {
        return Err(Problem::usage(format!(
            "--backend {} takes no sampling flags",
            args.connection.backend
        ))
        .cause("--top-p, --top-k, --min-p, --temperature and penalties are for OpenAI's APIs")
        .hint("leave them out, or put the service's own names into --extra-body"));
    }
    if ignores_end(args, endpoint) {
        settings.extra.insert("ignore_eos".to_owned(), true.into());
    }
    if let Some(text) = &typed.extra_body {
        settings.extra.extend(values::object("--extra-body", text)?);
    }
    let is_completion = endpoint == Endpoint::OpenAiCompletions;
    Ok(Generation {
        stream: endpoint.generates() && endpoint != Endpoint::DeepSpeedMii,
        top_logprobs: typed.logprobs.filter(|_| is_completion),
        chat_length: ChatLength::MaxCompletionTokens,
        ..settings
    })
}

/// Random prompts mean nothing to a model, so that it may end at once; the lengths of a trace are a part of it.
fn ignores_end(args: &ServeArgs, endpoint: Endpoint) -> bool {
    let is_forced = match args.dataset.dataset_name {
        DatasetName::Random | DatasetName::RandomMm => is_openai(endpoint),
        DatasetName::TimedTrace => true,
        _ => false,
    };
    endpoint.generates() && (args.request.ignore_eos || is_forced)
}

/// The APIs that take the sampling flags.
pub(in crate::bench) fn is_openai(endpoint: Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::OpenAiCompletions | Endpoint::OpenAiChat | Endpoint::OpenAiResponses
    )
}

fn sampling(typed: &RequestArgs) -> Result<Generation, Problem> {
    let finite =
        |flag, value: Option<f64>| value.map(|value| values::finite(flag, value)).transpose();
    let mut extra = Map::new();
    for (name, value) in [
        ("min_p", finite("--min-p", typed.min_p)?),
        (
            "presence_penalty",
            finite("--presence-penalty", typed.presence_penalty)?,
        ),
    ] {
        if let Some(value) = value {
            extra.insert(name.to_owned(), value.into());
        }
    }
    Ok(Generation {
        frequency_penalty: finite("--frequency-penalty", typed.frequency_penalty)?,
        repetition_penalty: finite("--repetition-penalty", typed.repetition_penalty)?,
        temperature: finite("--temperature", typed.temperature)?,
        top_p: finite("--top-p", typed.top_p)?,
        top_k: typed.top_k,
        extra,
        ..Generation::default()
    })
}
