//! From the prompt flags to what is sent.

use std::path::Path;

use crestline_workload::plan::{Dataset, WorkloadPlan};
use serde_json::Map;

use super::{Address, generation};
use crate::own;
use crate::perf::args::{DataSource, PerfArgs};
use crate::problem::Problem;
use crate::values;

/// Seed of everything that is drawn, where `--seed` is not given.
const DEFAULT_SEED: i64 = 0;

pub(super) fn plan(args: &PerfArgs, address: &Address) -> Result<WorkloadPlan, Problem> {
    let prompt = &args.prompt;
    let tokenizer = args.model.tokenizer_path.clone();
    if prompt.tokenize_prompt && tokenizer.is_none() {
        return Err(needs_tokenizer("--tokenize-prompt"));
    }
    let dataset = dataset(args)?;
    if matches!(dataset, Dataset::Random(_)) && tokenizer.is_none() {
        return Err(needs_tokenizer("--dataset random"));
    }
    let min = values::count("--min-prompt-length", prompt.min_prompt_length)?;
    let max = values::count("--max-prompt-length", prompt.max_prompt_length)?;
    if min > max {
        return Err(Problem::usage(format!(
            "--min-prompt-length {min} is above --max-prompt-length {max}"
        ))
        .hint("lower the first or raise the second"));
    }
    let offset = values::count("--dataset-offset", prompt.dataset_offset)?;
    Ok(WorkloadPlan {
        dataset,
        tokenizer,
        form: address.form,
        min_prompt_length: min,
        max_prompt_length: max,
        prefix_length: prefix_length(args)?,
        max_tokens: generation::longest(args)?,
        offset: u64::from(offset),
        seed: args.generation.seed.unwrap_or(DEFAULT_SEED).cast_unsigned(),
    })
}

fn prefix_length(args: &PerfArgs) -> Result<u32, Problem> {
    let length = values::count("--prefix-length", args.prompt.prefix_length)?;
    let random = args.prompt.prompt.is_none() && args.prompt.dataset == "random";
    if length > 0 && !random {
        return Err(Problem::usage(format!("--prefix-length {length} needs --dataset random"))
            .hint("for other data sets use --dataset-args '{\"target_input_len\": N, \"prefix_file\": \"FILE\"}'"));
    }
    Ok(length)
}

fn dataset(args: &PerfArgs) -> Result<Dataset, Problem> {
    let prompt = &args.prompt;
    if let Some(text) = &prompt.prompt {
        return values::text_or_file("--prompt", text).map(Dataset::Fixed);
    }
    if prompt.data_source == Some(DataSource::Local) && prompt.dataset_path.is_none() {
        return Err(Problem::usage("--data-source local needs --dataset-path")
            .hint("give the file or folder of the data set"));
    }
    if let Some(own) = own::dataset(&prompt.dataset) {
        if prompt.dataset_path.is_some() || prompt.dataset_args.is_some() {
            return Err(Problem::usage(format!(
                "--dataset {} takes neither --dataset-path nor --dataset-args",
                own.name()
            ))
            .hint("it is code: give it what it needs there"));
        }
        return Ok(Dataset::Own(own));
    }
    let options = match &prompt.dataset_args {
        Some(text) => values::object("--dataset-args", text)?,
        None => Map::new(),
    };
    let path = prompt.dataset_path.as_deref().map(Path::new);
    Dataset::from_name(&prompt.dataset, path, &options).map_err(|error| {
        let hint = error.hint();
        Problem::usage("the data set cannot be used")
            .because(&error)
            .maybe_hint(hint)
    })
}

fn needs_tokenizer(what: &str) -> Problem {
    Problem::usage(format!("{what} needs --tokenizer-path"))
        .hint("give the model's folder or its hub name; `--tokenizer-path builtin` needs no files but is no model's own")
}
