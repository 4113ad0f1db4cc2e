//! `benchmark_args.json`: all arguments of one load as they were read, secrets masked.

use std::path::Path;

use clap::ValueEnum;
use crestline_core::request::LoadPoint;
use crestline_core::units::Rate;
use crestline_load::target::{MASK, is_sensitive, masked_url};
use serde_json::{Map, Value, json};

use crate::console;

use crate::perf::args::{Arrival, PerfArgs, Variable};
use crate::perf::plan::{Address, DEFAULT_TOTAL_TIMEOUT_S, Translation, model_id};
use crate::track::args::{LOCAL, TrackerPlan};

type Arguments = Map<String, Value>;

/// The object of one load: evalscope's keys in evalscope's order, then crestline's own.
pub(crate) fn arguments(
    args: &PerfArgs,
    translation: &Translation,
    point: &LoadPoint,
    run: &Run<'_>,
) -> Arguments {
    let mut out = Map::new();
    out.append(&mut connection(args, translation));
    out.append(&mut load(args, point));
    out.append(&mut sla(args));
    out.append(&mut tuning(args, translation));
    out.append(&mut prompt(args, &translation.address, run));
    out.append(&mut generation(args, translation));
    out.append(&mut own(args));
    out
}

/// What differs between the loads of a sweep.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    /// Folder of the load.
    pub(crate) folder: &'a Path,
    /// Index of its first item.
    pub(crate) offset: u64,
}

/// Letters of a text that a tracker is told; the file has it whole.
const LETTERS_TOLD: usize = 1000;

/// The arguments of a whole command, for trackers: those of its first load, and a list of what differs between loads.
pub(crate) fn of_command(args: &PerfArgs, translation: &Translation) -> Arguments {
    let plan = &translation.plan;
    let run = Run {
        folder: &plan.output.folder,
        offset: plan.workload.offset,
    };
    let points = &plan.points;
    let mut out = match points.first() {
        Some(point) => arguments(args, translation, point, &run),
        None => without_load(args, translation, &run),
    };
    let lists = [
        (
            "number",
            points.iter().map(|point| json!(point.requests)).collect(),
        ),
        (
            "parallel",
            points.iter().map(|point| json!(parallel(point))).collect(),
        ),
        (
            "rate",
            points.iter().map(|point| json!(rate(point))).collect(),
        ),
    ];
    for (key, values) in lists {
        let values: Vec<Value> = values;
        if values.iter().any(|value| *value != values[0]) {
            out.insert(key.to_owned(), values.into());
        }
    }
    out.insert("framework".to_owned(), json!("crestline"));
    out.insert("crestline_command".to_owned(), json!(args.command));
    for value in out.values_mut() {
        let text = value.as_str().filter(|text| text.len() > LETTERS_TOLD);
        if let Some(text) = text {
            *value = json!(console::brief(text, LETTERS_TOLD));
        }
    }
    out
}

/// The arguments of a search, whose loads are not known before.
fn without_load(args: &PerfArgs, translation: &Translation, run: &Run<'_>) -> Arguments {
    let mut out = connection(args, translation);
    out.append(&mut sla(args));
    out.append(&mut tuning(args, translation));
    out.append(&mut prompt(args, &translation.address, run));
    out.append(&mut generation(args, translation));
    out.append(&mut own(args));
    out
}

fn connection(args: &PerfArgs, translation: &Translation) -> Arguments {
    let model = &translation.plan.model;
    fields(json!({
        "model": model,
        "model_id": model_id(model),
        "attn_implementation": null,
        "api": args.model.api,
        "tokenizer_path": args.model.tokenizer_path,
        "port": 8877,
        "url": translation.address.shown(),
        "headers": headers(&args.connection.headers),
        "connect_timeout": args.connection.connect_timeout,
        "read_timeout": args.connection.read_timeout,
        "total_timeout": args.connection.total_timeout.unwrap_or(DEFAULT_TOTAL_TIMEOUT_S),
        "api_key": args.connection.api_key.as_ref().map(|_| MASK),
        "no_test_connection": args.connection.no_test_connection,
        "scenario": null,
    }))
}

fn headers(typed: &[String]) -> Arguments {
    typed
        .iter()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| {
            let name = name.trim();
            let shown = if is_sensitive(name) {
                MASK
            } else {
                value.trim()
            };
            (name.to_owned(), json!(shown))
        })
        .collect()
}

fn load(args: &PerfArgs, point: &LoadPoint) -> Arguments {
    fields(json!({
        "number": point.requests,
        "parallel": parallel(point),
        "rate": rate(point),
        "warmup_num": args.load.warmup_num,
        "enable_pd_metrics": false,
        "open_loop": args.load.open_loop,
        "sleep_interval": args.load.sleep_interval,
        "duration": args.load.duration,
    }))
}

/// Requests in flight; -1 for no limit.
fn parallel(point: &LoadPoint) -> i64 {
    let limit = point.load.concurrency;
    limit.map_or(-1, |limit| i64::from(limit.get()))
}

/// Requests a second; -1 where `parallel` decides.
fn rate(point: &LoadPoint) -> f64 {
    point.load.rate().map_or(-1.0, Rate::value)
}

fn sla(args: &PerfArgs) -> Arguments {
    let sla = &args.sla;
    fields(json!({
        "sla_auto_tune": sla.sla_auto_tune,
        "sla_variable": match sla.sla_variable {
            None | Some(Variable::Parallel) => "parallel",
            Some(Variable::Rate) => "rate",
        },
        "sla_params": sla.sla_params.as_deref().map(parsed),
        "sla_num_runs": sla.sla_num_runs.unwrap_or(3),
        "sla_upper_bound": whole(sla.sla_upper_bound.unwrap_or(65536.0)),
        "sla_lower_bound": whole(sla.sla_lower_bound.unwrap_or(1.0)),
        "sla_fixed_parallel": sla.sla_fixed_parallel,
        "sla_number_multiplier": sla.sla_number_multiplier,
    }))
}

/// A number without a fraction as evalscope writes it.
fn whole(value: f64) -> Value {
    if value.fract() == 0.0 {
        json!(value as i64)
    } else {
        json!(value)
    }
}

fn tuning(args: &PerfArgs, translation: &Translation) -> Arguments {
    let tuning = &args.tuning;
    fields(json!({
        "db_commit_interval": tuning.db_commit_interval,
        "queue_size_multiplier": tuning.queue_size_multiplier.unwrap_or(5),
        "in_flight_task_multiplier": tuning.in_flight_task_multiplier.unwrap_or(2),
        "num_workers": tuning.num_workers,
        "log_every_n_query": tuning.log_every_n_query.unwrap_or(100),
        "debug": args.output.debug,
        "enable_progress_tracker": args.output.enable_progress_tracker,
        "visualizer": visualizer(translation),
        "wandb_api_key": args.track.wandb_api_key.as_ref().map(|_| MASK),
        "swanlab_api_key": args.track.swanlab_api_key.as_deref().map(|key| if key == LOCAL { LOCAL } else { MASK }),
        "swanlab_host": args.track.swanlab_host.as_deref().map(masked_url),
        "name": args.output.name,
        "alias": args.output.alias,
    }))
}

/// The name of the tracker, as a list where there are several.
fn visualizer(translation: &Translation) -> Value {
    let all = translation.track.trackers.iter();
    let names: Vec<&str> = all.map(TrackerPlan::name).collect();
    match names.as_slice() {
        [] => Value::Null,
        [one] => json!(one),
        several => json!(several),
    }
}

fn prompt(args: &PerfArgs, address: &Address, run: &Run<'_>) -> Arguments {
    let prompt = &args.prompt;
    fields(json!({
        "outputs_dir": run.folder,
        "no_timestamp": args.output.no_timestamp,
        "max_prompt_length": prompt.max_prompt_length,
        "min_prompt_length": prompt.min_prompt_length,
        "prefix_length": prompt.prefix_length,
        "prefix_count": 1,
        "prompt": prompt.prompt,
        "query_template": prompt.query_template,
        "apply_chat_template": address.is_chat(),
        "image_width": 224,
        "image_height": 224,
        "image_format": "RGB",
        "image_num": 1,
        "image_patch_size": 28,
        "dataset": prompt.dataset,
        "dataset_path": prompt.dataset_path,
        "data_source": prompt.data_source.and_then(|source| Some(source.to_possible_value()?.get_name().to_owned())),
        "dataset_offset": run.offset,
        "dataset_args": prompt.dataset_args.as_deref().map(parsed),
    }))
}

fn generation(args: &PerfArgs, translation: &Translation) -> Arguments {
    let typed = &args.generation;
    fields(json!({
        "frequency_penalty": typed.frequency_penalty,
        "repetition_penalty": typed.repetition_penalty,
        "logprobs": typed.logprobs.then_some(true),
        "max_tokens": match translation.plan.workload.max_tokens {
            Some((min, max)) if min == max => json!(max),
            range => json!(range),
        },
        "min_tokens": typed.min_tokens,
        "n_choices": typed.n_choices,
        "seed": typed.seed,
        "stop": typed.stop,
        "stop_token_ids": typed.stop_token_ids,
        "stream": translation.plan.generation.stream,
        "temperature": translation.plan.generation.temperature,
        "top_p": typed.top_p,
        "top_k": typed.top_k,
        "extra_args": typed.extra_args.as_deref().map_or(json!({}), parsed),
        "tokenize_prompt": args.prompt.tokenize_prompt,
        "multi_turn": false,
        "min_turns": 1,
        "max_turns": null,
        "multi_turn_args": null,
    }))
}

fn own(args: &PerfArgs) -> Arguments {
    fields(json!({
        "crestline_version": env!("CARGO_PKG_VERSION"),
        "crestline_arrival": match args.load.arrival {
            Arrival::Poisson => "poisson",
            Arrival::Constant => "constant",
        },
        "crestline_grace": args.load.grace,
        "crestline_threads": args.tuning.threads,
        "crestline_ray": args.machines.ray,
        "crestline_workers": args.machines.workers,
        "crestline_no_text": args.output.no_text,
    }))
}

/// JSON that a flag held; the plan has refused what is not JSON.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

fn fields(value: Value) -> Arguments {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
