//! From the flags of the data sets to where prompts come from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::ValueEnum as _;
use crestline_workload::plan::{
    AroundLength, BurstSamples, HubSamples, MediaSize, Pairing, PictureFiles, PictureSamples,
    PoemSamples, PrefixRepetition, PromptSamples, QuestionSamples, QuestionShape, RandomMedia,
    RandomSamples, RecordingForm, RecordingSamples, RerankSamples, SampleSource, ShareGptSamples,
    TraceFields, TraceSamples, TraceTimes, WarmPrompts,
};
use serde_json::Value;

use super::super::args::{DatasetArgs, DatasetName, ServeArgs};
use super::{buckets, conversations};
use crate::problem::Problem;
use crate::values;

/// Where the samples come from.
pub(super) fn source(args: &ServeArgs) -> Result<SampleSource, Problem> {
    let set = &args.dataset;
    check_trace_flags(set)?;
    if args.conversations.multi_turn {
        return conversations::source(args).map(SampleSource::Conversations);
    }
    Ok(match set.dataset_name {
        DatasetName::Random => SampleSource::Random(random(args)?),
        DatasetName::RandomMm => SampleSource::RandomMedia(random_media(args)?),
        DatasetName::RandomRerank => SampleSource::Rerank(rerank(args)?),
        DatasetName::PrefixRepetition => SampleSource::PrefixRepetition(repetition(args)?),
        DatasetName::Sharegpt => SampleSource::ShareGpt(ShareGptSamples {
            path: path(set)?,
            output_length: args.request.output_len.or(set.file.sharegpt_output_len),
        }),
        DatasetName::Custom => SampleSource::Prompts(PromptSamples {
            path: path(set)?,
            output_length: custom_length(args)?,
        }),
        DatasetName::CustomImage => SampleSource::Pictures(PictureSamples {
            path: path(set)?,
            output_length: custom_length(args)?,
            files: if set.file.custom_ensure_client_side_data {
                PictureFiles::Inlined
            } else {
                PictureFiles::Named
            },
        }),
        DatasetName::CustomAudio => SampleSource::Recordings(RecordingSamples {
            path: path(set)?,
            output_length: custom_length(args)?,
            sent: if set.enable_multimodal_chat {
                RecordingForm::Part
            } else {
                RecordingForm::File
            },
        }),
        DatasetName::Sonnet => SampleSource::Poem(poem(args)?),
        DatasetName::Burstgpt => SampleSource::Burst(BurstSamples {
            path: path(set)?,
            times: if set.file.burstgpt_timestamps {
                TraceTimes::Kept
            } else {
                TraceTimes::Ignored
            },
        }),
        DatasetName::TimedTrace => SampleSource::Trace(trace(set)?),
        DatasetName::SpecBench | DatasetName::SpeedBench => {
            SampleSource::Questions(questions(args)?)
        }
        DatasetName::Hf => SampleSource::Hub(hub(args)?),
    })
}

/// As it is typed.
pub(super) fn name(name: DatasetName) -> String {
    let value = name.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

/// Requests are due when the data set says.
pub(super) fn has_times(args: &ServeArgs) -> bool {
    let set = &args.dataset;
    match set.dataset_name {
        DatasetName::TimedTrace => !set.trace.no_self_timed,
        DatasetName::Burstgpt => set.file.burstgpt_timestamps,
        _ => false,
    }
}

fn check_trace_flags(set: &DatasetArgs) -> Result<(), Problem> {
    let is_trace = set.dataset_name == DatasetName::TimedTrace;
    if (set.trace.self_timed || set.trace.no_self_timed) && !is_trace {
        return Err(
            Problem::usage("--self-timed needs --dataset-name timed_trace")
                .hint("leave it out; burstgpt has --burstgpt-timestamps"),
        );
    }
    Ok(())
}

pub(super) fn path(set: &DatasetArgs) -> Result<PathBuf, Problem> {
    set.dataset_path.as_ref().map(PathBuf::from).ok_or_else(|| {
        Problem::usage("this data set needs --dataset-path").hint("give its file, or its folder")
    })
}

pub(super) fn without_path(set: &DatasetArgs) -> Result<(), Problem> {
    match &set.dataset_path {
        None => Ok(()),
        Some(path) => Err(Problem::usage(format!(
            "--dataset-path {path} has no meaning with a data set that is made"
        ))
        .hint("leave it out, or name the data set that is in the file")),
    }
}

/// Lengths of random prompts and answers, and how far they vary.
pub(super) fn around(args: &ServeArgs) -> Result<(AroundLength, AroundLength), Problem> {
    let set = &args.dataset;
    let (input, output) = ratios(&set.random_range_ratio)?;
    Ok((
        AroundLength {
            tokens: args.request.input_len.unwrap_or(set.random_input_len),
            spread: input,
        },
        AroundLength {
            tokens: args.request.output_len.unwrap_or(set.random_output_len),
            spread: output,
        },
    ))
}

fn random(args: &ServeArgs) -> Result<RandomSamples, Problem> {
    let set = &args.dataset;
    without_path(set)?;
    let (input, output) = around(args)?;
    let warm = match (set.random_cache_hit_fraction, set.random_cache_ratio) {
        (None, None) => None,
        (Some(requests), Some(tokens)) => Some(WarmPrompts {
            requests: share("--random-cache-hit-fraction", requests)?,
            tokens: share("--random-cache-ratio", tokens)?,
            prefixes: 1,
        }),
        _ => {
            return Err(Problem::usage(
                "--random-cache-hit-fraction and --random-cache-ratio need each other",
            )
            .hint("give both: how many requests are warm, and how much of each"));
        }
    };
    Ok(RandomSamples {
        input,
        output,
        prefix_length: set.random_prefix_len,
        texts: at_least_one("--random-batch-size", set.random_batch_size)?,
        warm,
    })
}

fn random_media(args: &ServeArgs) -> Result<RandomMedia, Problem> {
    let media = &args.dataset.media;
    let flag = "--random-mm-limit-mm-per-prompt";
    let limits = values::object(flag, &media.limits)?
        .into_iter()
        .map(|(kind, most)| {
            let most = most.as_u64().and_then(|most| u32::try_from(most).ok());
            most.map(|most| (kind, most))
        })
        .collect::<Option<BTreeMap<String, u32>>>()
        .ok_or_else(|| {
            Problem::usage(format!("{flag} has a limit that is no whole number"))
                .hint(format!("write {flag} '{{\"image\": 3}}'"))
        })?;
    let sizes: Vec<MediaSize> = buckets::read(&media.buckets)?;
    Ok(RandomMedia {
        text: random(args)?,
        items: media.base_items,
        spread: share(
            "--random-mm-num-mm-items-range-ratio",
            media.items_range_ratio,
        )?,
        limits,
        sizes,
    })
}

fn rerank(args: &ServeArgs) -> Result<RerankSamples, Problem> {
    let set = &args.dataset;
    without_path(set)?;
    Ok(RerankSamples {
        input: around(args)?.0,
        texts: at_least_one("--random-batch-size", set.random_batch_size)?,
        pairing: if set.no_reranker {
            Pairing::Separate
        } else {
            Pairing::Joined
        },
    })
}

fn repetition(args: &ServeArgs) -> Result<PrefixRepetition, Problem> {
    let set = &args.dataset;
    without_path(set)?;
    Ok(PrefixRepetition {
        prefix_length: set.file.prefix_repetition_prefix_len,
        suffix_length: set.file.prefix_repetition_suffix_len,
        prefixes: at_least_one(
            "--prefix-repetition-num-prefixes",
            set.file.prefix_repetition_num_prefixes,
        )?,
        output_length: args
            .request
            .output_len
            .unwrap_or(set.file.prefix_repetition_output_len),
    })
}

pub(super) fn custom_length(args: &ServeArgs) -> Result<Option<u32>, Problem> {
    if let Some(tokens) = args.request.output_len {
        return Ok(Some(tokens));
    }
    match args.dataset.file.custom_output_len {
        -1 => Ok(None),
        tokens => values::positive("--custom-output-len", tokens)
            .map(|tokens| Some(tokens.get()))
            .map_err(|problem| problem.hint("-1 takes output_tokens of each line")),
    }
}

fn poem(args: &ServeArgs) -> Result<PoemSamples, Problem> {
    let file = &args.dataset.file;
    Ok(PoemSamples {
        path: path(&args.dataset)?,
        input_length: args.request.input_len.unwrap_or(file.sonnet_input_len),
        output_length: args.request.output_len.unwrap_or(file.sonnet_output_len),
        prefix_length: file.sonnet_prefix_len,
    })
}

fn trace(set: &DatasetArgs) -> Result<TraceSamples, Problem> {
    let trace = &set.trace;
    Ok(TraceSamples {
        path: path(set)?,
        block_length: at_least_one(
            "--timed-trace-chunk-hash-size",
            trace.timed_trace_chunk_hash_size,
        )?,
        seconds: values::finite(
            "--timed-trace-sec-multiplier",
            trace.timed_trace_sec_multiplier,
        )?,
        fields: TraceFields {
            time: trace.timed_trace_label_timestamp.clone(),
            input: trace.timed_trace_label_input_length.clone(),
            output: trace.timed_trace_label_output_length.clone(),
            hashes: trace.timed_trace_label_hash_ids.clone(),
        },
    })
}

fn questions(args: &ServeArgs) -> Result<QuestionSamples, Problem> {
    let (set, file) = (&args.dataset, &args.dataset.file);
    Ok(if set.dataset_name == DatasetName::SpecBench {
        QuestionSamples {
            path: path(set)?,
            shape: QuestionShape::Turns,
            category: file.spec_bench_category.clone(),
            output_length: args
                .request
                .output_len
                .unwrap_or(file.spec_bench_output_len),
        }
    } else {
        let subset = format!("{}.jsonl", file.speed_bench_dataset_subset);
        QuestionSamples {
            path: path(set)?.join(subset),
            shape: QuestionShape::Messages,
            category: file.speed_bench_category.clone(),
            output_length: file.speed_bench_output_len,
        }
    })
}

/// The name on the hub of what is read.
pub(super) fn hub_name(args: &ServeArgs) -> Option<&str> {
    let set = &args.dataset;
    let name = set.hub.hf_name.as_ref().or(set.dataset_path.as_ref())?;
    Some(name)
}

fn hub(args: &ServeArgs) -> Result<HubSamples, Problem> {
    let (set, hub) = (&args.dataset, &args.dataset.hub);
    let name = hub_name(args).ok_or_else(|| {
        Problem::usage("--dataset-name hf needs --dataset-path")
            .hint("give the name on the hub, or a local file or folder and --hf-name")
    })?;
    // A path that names the data set is none.
    let path = hub.hf_name.as_ref().and(set.dataset_path.as_ref());
    Ok(HubSamples {
        name: name.to_owned(),
        path: path.map(PathBuf::from),
        subset: hub.hf_subset.clone(),
        split: hub.hf_split.clone(),
        output_length: args.request.output_len.or(hub.hf_output_len),
        categories: hub
            .bfcl_categories
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect(),
        distance: (hub.blazedit_min_distance, hub.blazedit_max_distance),
        seconds: (
            hub.asr_min_audio_len_sec,
            Some(hub.asr_max_audio_len_sec).filter(|most| most.is_finite()),
        ),
    })
}

fn at_least_one(flag: &str, value: u32) -> Result<u32, Problem> {
    values::positive(flag, i64::from(value)).map(std::num::NonZeroU32::get)
}

fn share(flag: &str, value: f64) -> Result<f64, Problem> {
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(Problem::usage(format!(
            "{flag} must be a share from 0 to 1, not {value}"
        )))
    }
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
