//! From the generation flags to the settings that go into each request body.

use crestline_core::request::{ChatLength, Generation};
use serde_json::{Map, Value};

use crate::perf::args::{GenerationArgs, PerfArgs};
use crate::problem::Problem;
use crate::values;

/// Fields that crestline sets in every body itself, whatever a template says.
const ALWAYS_SET: [&str; 4] = ["model", "messages", "prompt", "stream"];

/// Longest answer where neither a flag nor a template says.
const DEFAULT_MAX_TOKENS: i64 = 2048;
/// The same for the temperature.
const DEFAULT_TEMPERATURE: f64 = 0.0;

pub(super) fn settings(args: &PerfArgs) -> Result<Generation, Problem> {
    let typed = &args.generation;
    let extra = match &typed.extra_args {
        Some(text) => values::object("--extra-args", text)?,
        None => Map::new(),
    };
    let min_tokens = typed
        .min_tokens
        .map(|tokens| values::count("--min-tokens", tokens))
        .transpose()?;
    check_min(min_tokens, longest(args)?)?;
    let choices = typed
        .n_choices
        .map(|choices| values::positive("--n-choices", choices))
        .transpose()?;
    let finite =
        |flag, value: Option<f64>| value.map(|value| values::finite(flag, value)).transpose();
    let settings = Generation {
        min_tokens,
        frequency_penalty: finite("--frequency-penalty", typed.frequency_penalty)?,
        repetition_penalty: finite("--repetition-penalty", typed.repetition_penalty)?,
        logprobs: typed.logprobs.then_some(true),
        top_logprobs: None,
        chat_length: ChatLength::MaxTokens,
        choices: choices.map(std::num::NonZeroU32::get),
        seed: typed.seed,
        stop: typed.stop.clone(),
        stop_token_ids: stop_token_ids(typed)?,
        stream: !typed.no_stream,
        temperature: finite("--temperature", typed.temperature)?,
        top_p: finite("--top-p", typed.top_p)?,
        top_k: typed.top_k,
        extra,
    };
    let template = template(args)?;
    let stream = match template.get("stream") {
        Some(value) if !typed.stream && !typed.no_stream => value.as_bool().ok_or_else(|| {
            Problem::usage("--query-template: `stream` must be true or false")
                .cause(format!("it is {value}"))
        })?,
        _ => settings.stream,
    };
    let settings = Generation { stream, ..settings };
    Ok(under_template(settings, &template, typed))
}

/// Longest answers as a range, where it is not left to a template.
pub(super) fn longest(args: &PerfArgs) -> Result<Option<(u32, u32)>, Problem> {
    match &args.generation.max_tokens {
        Some(typed) => max_tokens(typed).map(Some),
        None if template(args)?.contains_key("max_tokens") => Ok(None),
        None => max_tokens(&[DEFAULT_MAX_TOKENS]).map(Some),
    }
}

/// One value is a range of itself.
fn max_tokens(typed: &[i64]) -> Result<(u32, u32), Problem> {
    let read = |value: &i64| {
        u32::try_from(*value)
            .map_err(|_| Problem::usage(format!("--max-tokens must be 0 or more, not {value}")))
    };
    match typed {
        [one] => Ok((read(one)?, read(one)?)),
        [min, max] => {
            let (min, max) = (read(min)?, read(max)?);
            if min > max {
                return Err(Problem::usage(format!("--max-tokens {min} {max} is not a range"))
                    .hint("the first value must not be above the second"));
            }
            Ok((min, max))
        }
        _ => Err(Problem::usage("--max-tokens takes 1 or 2 values")
            .cause(format!("it is {}", values::list(typed)))
            .hint("one value is the longest answer, two are the range from which each request draws its own")),
    }
}

fn check_min(min: Option<u32>, longest: Option<(u32, u32)>) -> Result<(), Problem> {
    match (min, longest) {
        (Some(min), Some((lowest, _))) if min > lowest => Err(Problem::usage(format!(
            "--min-tokens {min} is above --max-tokens {lowest}"
        ))
        .hint("lower --min-tokens or raise --max-tokens")),
        _ => Ok(()),
    }
}

fn stop_token_ids(typed: &GenerationArgs) -> Result<Option<Vec<u32>>, Problem> {
    let Some(ids) = &typed.stop_token_ids else {
        return Ok(None);
    };
    ids.iter()
        .map(|id| values::count("--stop-token-ids", *id))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// The fields of `--query-template`; none without it.
fn template(args: &PerfArgs) -> Result<Map<String, Value>, Problem> {
    const FLAG: &str = "--query-template";
    match &args.prompt.query_template {
        Some(text) => values::object(FLAG, &values::text_or_file(FLAG, text)?),
        None => Ok(Map::new()),
    }
}

/// A template is a body under all the flags: what a flag sets or a prompt fills is taken from there, and the rest of it
/// is sent as extra fields, under those of `--extra-args`. Defaults fill in what neither has.
fn under_template(
    mut settings: Generation,
    template: &Map<String, Value>,
    typed: &GenerationArgs,
) -> Generation {
    let set = set_by_flags(&settings, typed);
    let mut extra: Map<String, Value> = template
        .iter()
        .filter(|(field, _)| {
            !ALWAYS_SET.contains(&field.as_str()) && !set.contains(&field.as_str())
        })
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect();
    extra.append(&mut settings.extra);
    settings.extra = extra;
    if !template.contains_key("temperature") {
        settings.temperature.get_or_insert(DEFAULT_TEMPERATURE);
    }
    settings
}

fn set_by_flags(settings: &Generation, typed: &GenerationArgs) -> Vec<&'static str> {
    let fields = [
        ("max_tokens", typed.max_tokens.is_some()),
        ("temperature", settings.temperature.is_some()),
        ("min_tokens", settings.min_tokens.is_some()),
        ("frequency_penalty", settings.frequency_penalty.is_some()),
        ("repetition_penalty", settings.repetition_penalty.is_some()),
        ("logprobs", settings.logprobs.is_some()),
        ("n", settings.choices.is_some()),
        ("seed", settings.seed.is_some()),
        ("stop", settings.stop.is_some()),
        ("stop_token_ids", settings.stop_token_ids.is_some()),
        ("top_p", settings.top_p.is_some()),
        ("top_k", settings.top_k.is_some()),
    ];
    fields
        .into_iter()
        .filter(|(_, set)| *set)
        .map(|(field, _)| field)
        .collect()
}
