//! From the flags of prompts and generation to what is sent.

use crestline_core::request::{ChatLength, Generation};
use crestline_load::client::endpoint::Endpoint;
use crestline_workload::plan::{Dataset, Lengths, PromptForm, RandomLengths, WorkloadPlan};
use serde_json::{Map, Value};

use super::super::args::{DatasetName, RequestArgs, ServeArgs};
use super::address::Address;
use crate::problem::Problem;
use crate::values;

pub(super) fn workload(args: &ServeArgs, address: &Address) -> Result<WorkloadPlan, Problem> {
    let set = &args.dataset;
    if set.dataset_name != DatasetName::Random {
        return Err(Problem::usage(
            "only --dataset-name random is supported yet",
        ));
    }
    if let Some(path) = &set.dataset_path {
        return Err(Problem::usage(format!(
            "--dataset-path {path} has no meaning with --dataset-name random"
        ))
        .hint("leave it out, or name the data set that is in the file"));
    }
    let input_len = args.request.input_len.unwrap_or(set.random_input_len);
    let output_len = args.request.output_len.unwrap_or(set.random_output_len);
    let (input_ratio, output_ratio) = ratios(&set.random_range_ratio)?;
    let (least, most) = range(input_len, input_ratio);
    let (answer_least, answer_most) = range(output_len, output_ratio);
    if least + set.random_prefix_len < 1 {
        return Err(Problem::usage("prompts of no token cannot be sent")
            .hint("raise --random-input-len or lower --random-range-ratio"));
    }
    let tokenizer = args
        .connection
        .tokenizer
        .clone()
        .or_else(|| args.connection.model.clone());
    Ok(WorkloadPlan {
        dataset: Dataset::Random(RandomLengths {
            output: Some(Lengths::Uniform {
                min: answer_least.max(1),
                max: answer_most.max(1),
            }),
            ..RandomLengths::default()
        }),
        tokenizer,
        form: form(args, address),
        min_prompt_length: least.max(1),
        max_prompt_length: most.max(1),
        prefix_length: set.random_prefix_len,
        max_tokens: None,
        offset: 0,
        seed: args.load.seed,
    })
}

fn form(args: &ServeArgs, address: &Address) -> PromptForm {
    match address.endpoint {
        Endpoint::OpenAiChat => PromptForm::Chat,
        _ if args.request.prompt_token_ids => PromptForm::TokenIds { chat: false },
        _ => PromptForm::Text,
    }
}

/// Whole numbers around a length by a share of it to both sides, ends included.
fn range(length: u32, share: f64) -> (u32, u32) {
    let length = f64::from(length);
    (
        (length * (1.0 - share)).floor() as u32,
        (length * (1.0 + share)).ceil() as u32,
    )
}

/// The shares of input and output.
fn ratios(text: &str) -> Result<(f64, f64), Problem> {
    let flag = "--random-range-ratio";
    let wrong = || {
        Problem::usage(format!("{flag} cannot be {text}"))
            .cause("a share is at least 0 and below 1")
            .hint(format!(
                "write a number, or {flag} '{{\"input\": 0.2, \"output\": 0.5}}'"
            ))
    };
    let (input, output) = if let Ok(share) = text.trim().parse::<f64>() {
        (share, share)
    } else {
        let object = values::object(flag, text)?;
        let part = |name: &str| object.get(name).and_then(Value::as_f64);
        if object
            .keys()
            .any(|name| name != "input" && name != "output")
        {
            return Err(wrong());
        }
        part("input").zip(part("output")).ok_or_else(wrong)?
    };
    let is_share = |share: &f64| (0.0..1.0).contains(share);
    if [input, output].iter().all(is_share) {
        Ok((input, output))
    } else {
        Err(wrong())
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
    // Random prompts mean nothing to a model, so that it may end at once.
    if typed.ignore_eos || (args.dataset.dataset_name == DatasetName::Random && is_openai(endpoint))
    {
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
