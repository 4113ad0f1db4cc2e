//! Flags of the data sets.

use clap::{Args, ValueEnum};

/// Where prompts come from.
#[derive(Debug, Clone, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub(crate) struct DatasetArgs {
    /// Data set.
    #[arg(long, value_enum, default_value = "random")]
    pub(crate) dataset_name: DatasetName,
    /// Its file or folder.
    #[arg(long, value_name = "PATH")]
    pub(crate) dataset_path: Option<String>,
    /// Do not use prompts again where there are fewer than `--num-prompts`.
    #[arg(long)]
    pub(crate) no_oversample: bool,
    /// Keep the order of the file.
    #[arg(long)]
    pub(crate) disable_shuffle: bool,
    /// Tokens of a random prompt.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub(crate) random_input_len: u32,
    /// Tokens of an answer to a random prompt.
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(crate) random_output_len: u32,
    /// Lengths vary by this share to both sides: a number, or JSON such as `{"input": 0.2, "output": 0.5}`.
    #[arg(long, value_name = "SHARE|JSON", default_value = "0.0")]
    pub(crate) random_range_ratio: String,
    /// Tokens shared by all random prompts, in addition to their own.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) random_prefix_len: u32,
    /// Random texts in a request; more than one is for embeddings and ranking.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) random_batch_size: u32,
    /// The ranking model reads each text by itself, not in pairs.
    #[arg(long)]
    pub(crate) no_reranker: bool,
    /// Share of the random requests that begin with a prefix which the service has seen.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(crate) random_cache_hit_fraction: Option<f64>,
    /// Share of such a prompt that is that prefix.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(crate) random_cache_ratio: Option<f64>,
    /// Leave out samples whose input and output together are longer.
    #[arg(long, value_name = "N")]
    pub(crate) max_model_len: Option<u32>,
    /// Send plain prompts as they are, without the model's chat template.
    #[arg(long)]
    pub(crate) skip_chat_template: bool,
    /// Variables of the chat template.
    #[arg(long, value_name = "JSON")]
    pub(crate) chat_template_kwargs: Option<String>,
    /// Send recordings as parts of a message.
    #[arg(long)]
    pub(crate) enable_multimodal_chat: bool,
    #[command(flatten)]
    pub(crate) media: MediaArgs,
    #[command(flatten)]
    pub(crate) file: FileArgs,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
    #[command(flatten)]
    pub(crate) trace: TraceArgs,
}

/// Random pictures and films.
#[derive(Debug, Clone, Args)]
pub(crate) struct MediaArgs {
    /// Pictures and films of a request of `random-mm`.
    #[arg(
        long = "random-mm-base-items-per-request",
        value_name = "N",
        default_value_t = 1
    )]
    pub(crate) base_items: u32,
    /// Their number varies by this share to both sides.
    #[arg(
        long = "random-mm-num-mm-items-range-ratio",
        value_name = "SHARE",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    pub(crate) items_range_ratio: f64,
    /// Most items of each kind in a request.
    #[arg(
        long = "random-mm-limit-mm-per-prompt",
        value_name = "JSON",
        default_value = r#"{"image": 255, "video": 1}"#
    )]
    pub(crate) limits: String,
    /// Sizes and their shares: `{(HEIGHT, WIDTH, FRAMES): SHARE, ...}`; more than one frame is a film.
    #[arg(
        long = "random-mm-bucket-config",
        value_name = "DICT",
        default_value = "{(256, 256, 1): 0.5, (720, 1280, 1): 0.5, (720, 1280, 16): 0.0}"
    )]
    pub(crate) buckets: String,
}

/// Data sets in files of the user's.
#[derive(Debug, Clone, Args)]
pub(crate) struct FileArgs {
    /// Tokens of an answer to `sharegpt`, in place of the stored answer's length.
    #[arg(long, value_name = "N")]
    pub(crate) sharegpt_output_len: Option<u32>,
    /// Tokens of an answer to the `custom` sets; -1 takes `output_tokens` of each line.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 256,
        allow_negative_numbers = true
    )]
    pub(crate) custom_output_len: i64,
    /// Send the pictures themselves, not their places.
    #[arg(long)]
    pub(crate) custom_ensure_client_side_data: bool,
    /// Tokens of an answer to `spec_bench`.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) spec_bench_output_len: u32,
    /// Only this category of `spec_bench`.
    #[arg(long, value_name = "NAME")]
    pub(crate) spec_bench_category: Option<String>,
    /// Part of `speed_bench`: the file of this name in the folder.
    #[arg(long, value_name = "NAME", default_value = "qualitative")]
    pub(crate) speed_bench_dataset_subset: String,
    /// Tokens of an answer to `speed_bench`.
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub(crate) speed_bench_output_len: u32,
    /// Only this category of `speed_bench`.
    #[arg(long, value_name = "NAME")]
    pub(crate) speed_bench_category: Option<String>,
    /// Tokens of a shared prefix of `prefix_repetition`.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) prefix_repetition_prefix_len: u32,
    /// Tokens behind it.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) prefix_repetition_suffix_len: u32,
    /// Number of prefixes.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) prefix_repetition_num_prefixes: u32,
    /// Tokens of an answer to `prefix_repetition`.
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(crate) prefix_repetition_output_len: u32,
    /// Tokens of a prompt of `sonnet`.
    #[arg(long, value_name = "N", default_value_t = 550)]
    pub(crate) sonnet_input_len: u32,
    /// Tokens of an answer to `sonnet`.
    #[arg(long, value_name = "N", default_value_t = 150)]
    pub(crate) sonnet_output_len: u32,
    /// Tokens that all prompts of `sonnet` begin with.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) sonnet_prefix_len: u32,
    /// Send `burstgpt` when its file says, not at `--request-rate`.
    #[arg(long)]
    pub(crate) burstgpt_timestamps: bool,
}

/// Data sets of the hub.
#[derive(Debug, Clone, Args)]
pub(crate) struct HubArgs {
    /// Part of the data set.
    #[arg(long, value_name = "NAME")]
    pub(crate) hf_subset: Option<String>,
    /// `train`, `test` and so on.
    #[arg(long, value_name = "NAME")]
    pub(crate) hf_split: Option<String>,
    /// Name on the hub of the files in `--dataset-path`.
    #[arg(long, value_name = "NAME")]
    pub(crate) hf_name: Option<String>,
    /// Tokens of an answer, in place of the data set's own.
    #[arg(long, value_name = "N")]
    pub(crate) hf_output_len: Option<u32>,
    /// Accepted for the sake of scripts: data sets are read from local files.
    #[arg(long)]
    pub(crate) no_stream: bool,
    /// Categories of function calls, with commas.
    #[arg(
        long,
        value_name = "NAMES",
        default_value = "simple,live_simple,multiple"
    )]
    pub(crate) bfcl_categories: String,
    /// Least distance between a text and its edit.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) blazedit_min_distance: f64,
    /// Most distance between a text and its edit.
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    pub(crate) blazedit_max_distance: f64,
    /// Shortest recording.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    pub(crate) asr_min_audio_len_sec: f64,
    /// Longest recording.
    #[arg(long, value_name = "SECONDS", default_value_t = f64::INFINITY)]
    pub(crate) asr_max_audio_len_sec: f64,
}

/// Traces.
#[derive(Debug, Clone, Args)]
pub(crate) struct TraceArgs {
    /// Send when the trace says (the default of `timed_trace`).
    #[arg(long, overrides_with = "no_self_timed")]
    pub(crate) self_timed: bool,
    /// Send at `--request-rate` instead.
    #[arg(long)]
    pub(crate) no_self_timed: bool,
    /// Tokens that one hash of a trace stands for.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) timed_trace_chunk_hash_size: u32,
    /// From the trace's unit of time to seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    pub(crate) timed_trace_sec_multiplier: f64,
    /// Name of the field of the time.
    #[arg(long, value_name = "NAME", default_value = "timestamp")]
    pub(crate) timed_trace_label_timestamp: String,
    /// Name of the field of the input's length.
    #[arg(long, value_name = "NAME", default_value = "input_length")]
    pub(crate) timed_trace_label_input_length: String,
    /// Name of the field of the output's length.
    #[arg(long, value_name = "NAME", default_value = "output_length")]
    pub(crate) timed_trace_label_output_length: String,
    /// Name of the field of the hashes.
    #[arg(long, value_name = "NAME", default_value = "hash_ids")]
    pub(crate) timed_trace_label_hash_ids: String,
}

/// The data sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum DatasetName {
    Random,
    #[value(name = "random-mm")]
    RandomMm,
    #[value(name = "random-rerank")]
    RandomRerank,
    Sharegpt,
    Burstgpt,
    Sonnet,
    Hf,
    Custom,
    CustomImage,
    CustomAudio,
    PrefixRepetition,
    SpecBench,
    SpeedBench,
    TimedTrace,
}
