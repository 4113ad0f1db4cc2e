//! Flags of the metrics and files, and those that are refused by name.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueEnum};

/// What is computed, shown and written.
#[derive(Debug, Clone, Args)]
pub(crate) struct ResultArgs {
    /// Metrics to print and save, with commas: `ttft`, `tpot`, `itl`, `e2el`, `client_queue_time`,
    /// `e2el_including_client_queue` [default: ttft,tpot,itl].
    #[arg(long, value_name = "NAMES")]
    pub(crate) percentile_metrics: Option<String>,
    /// Percentiles of them, with commas.
    #[arg(long, value_name = "NUMBERS", default_value = "99")]
    pub(crate) metric_percentiles: String,
    /// Limits of a good request in milliseconds: `ttft:500 tpot:50 e2el:2000`.
    #[arg(long, value_name = "NAME:MS", num_args = 1.., action = ArgAction::Set)]
    pub(crate) goodput: Vec<String>,
    /// How figures are counted where vLLM's way is known to mislead.
    #[arg(long, value_enum, default_value = "none")]
    pub(crate) compat: Compat,
    /// Write the results as JSON.
    #[arg(long)]
    pub(crate) save_result: bool,
    /// Keep the figures of each request in it.
    #[arg(long)]
    pub(crate) save_detailed: bool,
    /// Write them behind what is in the file.
    #[arg(long)]
    pub(crate) append_result: bool,
    /// Further fields of the JSON.
    #[arg(long, value_name = "NAME=VALUE", num_args = 1.., action = ArgAction::Set)]
    pub(crate) metadata: Vec<String>,
    /// Folder of the file.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) result_dir: Option<String>,
    /// Name of the file, in place of one made of backend, rate, model and time.
    #[arg(long, value_name = "NAME")]
    pub(crate) result_filename: Option<String>,
    /// Beginning of that name, in place of the backend.
    #[arg(long, value_name = "NAME")]
    pub(crate) label: Option<String>,
}

/// Ways to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compat {
    /// Spans by token, peaks as they were, time from the write of a request.
    None,
    /// As vLLM does: spans by event, peaks by seconds touched.
    Vllm,
}

/// Flags that are known and refused by name, with what to do instead.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnsupportedArgs {
    /// Those that were given.
    pub(crate) given: Vec<&'static Refused>,
}

/// One such flag.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) name: &'static str,
    pub(crate) hint: &'static str,
    /// A value that asks for nothing, which scripts may give.
    pub(crate) idle: &'static str,
}

const fn refused(name: &'static str, idle: &'static str, hint: &'static str) -> Refused {
    Refused { name, hint, idle }
}

const MEDIA: &str = "send texts, for now";
const DATASET: &str = "its data set cannot be sent yet: use random, sharegpt or custom";
const PICTURES: &str = "the JSON of --save-detailed has the figures of each request";
const SERVER: &str = "ask the service by hand before and after the run";

/// All of them.
const REFUSED: &[Refused] = &[
    refused(
        "insecure",
        "",
        "add the certificate's issuer to those that this machine trusts",
    ),
    refused("profile", "", SERVER),
    refused("lora-modules", "", "give one name with --model"),
    refused("lora-assignment", "random", "give one name with --model"),
    refused(
        "probe-request-rate",
        "0.0",
        "start a second crestline with a small --request-rate",
    ),
    refused("self-timed", "", "give --request-rate"),
    refused("no-self-timed", "", "leave it out"),
    refused(
        "chat-template-kwargs",
        "",
        "the service applies its template: use openai-chat",
    ),
    refused("skip-chat-template", "", "no template is applied here"),
    refused("enable-multimodal-chat", "", MEDIA),
    refused("plot-timeline", "", PICTURES),
    refused("timeline-itl-thresholds", "25,50", PICTURES),
    refused("plot-dataset-stats", "", PICTURES),
    refused("reset-prefix-cache", "", SERVER),
    refused("max-model-len", "", "choose lengths that fit"),
    refused("random-cache-hit-fraction", "0", "use --random-prefix-len"),
    refused("random-cache-ratio", "0", "use --random-prefix-len"),
    refused("random-batch-size", "1", "send single prompts"),
    refused("no-reranker", "", DATASET),
    refused("random-mm-base-items-per-request", "1", MEDIA),
    refused("random-mm-num-mm-items-range-ratio", "0.0", MEDIA),
    refused("random-mm-limit-mm-per-prompt", "", MEDIA),
    refused("random-mm-bucket-config", "", MEDIA),
    refused("sharegpt-output-len", "", DATASET),
    refused("custom-output-len", "256", DATASET),
    refused("custom-ensure-client-side-data", "", MEDIA),
    refused("spec-bench-output-len", "256", DATASET),
    refused("spec-bench-category", "", DATASET),
    refused("speed-bench-dataset-subset", "qualitative", DATASET),
    refused("speed-bench-output-len", "4096", DATASET),
    refused("speed-bench-category", "", DATASET),
    refused("prefix-repetition-prefix-len", "256", DATASET),
    refused("prefix-repetition-suffix-len", "256", DATASET),
    refused("prefix-repetition-num-prefixes", "10", DATASET),
    refused("prefix-repetition-output-len", "128", DATASET),
    refused("no-stream", "", DATASET),
    refused("hf-subset", "", DATASET),
    refused("hf-split", "", DATASET),
    refused("hf-name", "", DATASET),
    refused("hf-output-len", "", DATASET),
    refused("bfcl-categories", "", DATASET),
    refused("blazedit-min-distance", "0.0", DATASET),
    refused("blazedit-max-distance", "1.0", DATASET),
    refused("asr-min-audio-len-sec", "0", DATASET),
    refused("asr-max-audio-len-sec", "inf", DATASET),
    refused("timed-trace-chunk-hash-size", "16", DATASET),
    refused("timed-trace-sec-multiplier", "1", DATASET),
    refused("timed-trace-label-timestamp", "timestamp", DATASET),
    refused("timed-trace-label-input-length", "input_length", DATASET),
    refused("timed-trace-label-output-length", "output_length", DATASET),
    refused("timed-trace-label-hash-ids", "hash_ids", DATASET),
    refused("sonnet-input-len", "550", DATASET),
    refused("sonnet-output-len", "150", DATASET),
    refused("sonnet-prefix-len", "200", DATASET),
];

impl FromArgMatches for UnsupportedArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_given = |flag: &&Refused| {
            let values = matches.get_many::<String>(flag.name);
            values.is_some_and(|mut values| {
                !values.len().eq(&1) || values.any(|value| value != flag.idle)
            })
        };
        Ok(Self {
            given: REFUSED.iter().filter(is_given).collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for UnsupportedArgs {
    fn augment_args(command: Command) -> Command {
        command.args(REFUSED.iter().map(|flag| {
            Arg::new(flag.name)
                .long(flag.name)
                .num_args(0..)
                .action(ArgAction::Set)
                .hide(true)
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
