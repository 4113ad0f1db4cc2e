//! From the flags of prompts and generation to what is sent.

use crestline_core::request::{ChatLength, Generation, LoadPoint};
use crestline_load::client::endpoint::Endpoint;
use crestline_workload::plan::{
    Dataset, PlainTemplate, PromptForm, SampleOrder, Sampling, WorkloadPlan,
};
use serde_json::Map;

use super::super::args::{ConnectionArgs, DatasetName, RequestArgs, ServeArgs};
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
    check_backend(args, address)?;
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

/// Pictures and recordings need a backend that takes them.
fn check_backend(args: &ServeArgs, address: &Address) -> Result<(), Problem> {
    let needs = |what: &str, backends: &str| {
        Problem::usage(format!(
            "{what} cannot be sent to --backend {}",
            args.connection.backend
        ))
        .hint(format!("use --backend {backends}"))
    };
    let endpoint = address.endpoint;
    match args.dataset.dataset_name {
        DatasetName::RandomMm | DatasetName::CustomImage
            if !matches!(
                endpoint,
                Endpoint::OpenAiChat
                    | Endpoint::ChatEmbeddings
                    | Endpoint::ClipEmbeddings
                    | Endpoint::Vlm2VecEmbeddings
                    | Endpoint::InfinityEmbeddings
                    | Endpoint::InfinityClipEmbeddings
            ) =>
        {
            Err(needs(
                "pictures",
                "openai-chat --endpoint /v1/chat/completions",
            ))
        }
        DatasetName::RandomRerank if endpoint != Endpoint::Rerank => Err(needs(
            "queries with documents",
            "vllm-rerank --endpoint /v1/rerank",
        )),
        DatasetName::TimedTrace if endpoint != Endpoint::OpenAiCompletions => {
            Err(needs("a trace's token ids", "vllm"))
        }
        _ => Ok(()),
    }
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
    if endpoint.generates() && !is_openai(endpoint) && settings != Generation::default() {
        return Err(Problem::usage(format!(
            "--backend {} takes no sampling flags",
            args.connection.backend
        ))
        .cause("--top-p, --top-k, --min-p, --temperature and penalties are for OpenAI's APIs")
        .hint("leave them out, or put the service's own names into --extra-body"));
    }
    if typed.ignore_eos || (means_nothing(args.dataset.dataset_name) && is_openai(endpoint)) {
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

/// Random prompts mean nothing to a model, so that it may end at once.
fn means_nothing(name: DatasetName) -> bool {
    matches!(
        name,
        DatasetName::Random | DatasetName::RandomMm | DatasetName::TimedTrace
    )
}

/// The APIs that take the sampling flags.
fn is_openai(endpoint: Endpoint) -> bool {
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
