//! The flags of `crestline perf` as they are typed: the names of `evalscope perf`, and a few of crestline's own.
//!
//! Says nothing of what they mean together: that is [`super::plan`]. Every flag that evalscope knows is here, also those
//! that are refused, so that the refusal can name it.

mod machines;
mod sla;

use clap::{ArgAction, Args, ValueEnum};

use crate::report::PageArgs;
use crate::server_metrics::MetricsArgs;
use crate::telemetry::TelemetryArgs;
use crate::track::args::TrackArgs;

pub(crate) use machines::MachinesArgs;
pub(crate) use sla::{SearchMethod, SlaArgs, Variable};

/// Load-tests an LLM service and prints what it delivers at each load.
///
/// The flags are those of `evalscope perf`. Names may be shortened to a unique beginning and may have underscores.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub(crate) struct PerfArgs {
    /// The command as it was typed, without its secrets.
    #[arg(skip)]
    pub(crate) command: Option<String>,
    #[command(flatten, next_help_heading = "Model and API")]
    pub(crate) model: ModelArgs,
    #[command(flatten, next_help_heading = "Connection")]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten, next_help_heading = "Load")]
    pub(crate) load: LoadArgs,
    #[command(flatten, next_help_heading = "SLA search")]
    pub(crate) sla: SlaArgs,
    #[command(flatten, next_help_heading = "Prompts and data")]
    pub(crate) prompt: PromptArgs,
    #[command(flatten, next_help_heading = "Generation")]
    pub(crate) generation: GenerationArgs,
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) output: OutputArgs,
    #[command(flatten, next_help_heading = "Server")]
    pub(crate) metrics: MetricsArgs,
    #[command(flatten, next_help_heading = "Several machines")]
    pub(crate) machines: MachinesArgs,
    #[command(flatten, next_help_heading = "Trackers")]
    pub(crate) track: TrackArgs,
    #[command(flatten, next_help_heading = "Monitoring")]
    pub(crate) telemetry: TelemetryArgs,
    #[command(flatten, next_help_heading = "Client tuning")]
    pub(crate) tuning: TuningArgs,
    #[command(flatten, next_help_heading = "Not supported yet")]
    pub(crate) unsupported: UnsupportedArgs,
}

/// Which model, over which protocol.
#[derive(Debug, Clone, Args)]
pub(crate) struct ModelArgs {
    /// Name sent as `model`; its last path component names the output folder.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Protocol of the service: `openai` (chat/completions and completions).
    #[arg(long, value_name = "NAME", default_value = "openai")]
    pub(crate) api: String,
    /// Tokenizer: a folder or `tokenizer.json`, a tiktoken file, a name in the local Hugging Face or ModelScope
    /// cache, or `builtin`. Needed by `--dataset random` and by `--tokenize-prompt`.
    #[arg(long, value_name = "PATH|NAME")]
    pub(crate) tokenizer_path: Option<String>,
}

/// Where the service is, and how long to wait for it.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConnectionArgs {
    /// URL of the service; the endpoint's path is added where it is missing. `sim:NAME` or `sim:FILE.toml` measures
    /// the simulated engine in virtual time instead.
    #[arg(long, default_value = "http://127.0.0.1:8877/v1/chat/completions")]
    pub(crate) url: String,
    /// Headers sent with each request.
    #[arg(long, value_name = "NAME=VALUE", num_args = 1.., action = ArgAction::Set)]
    pub(crate) headers: Vec<String>,
    /// Sent as `Authorization: Bearer KEY`; without it the environment variable `OPENAI_API_KEY` is used where it is
    /// set. Never written to files.
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// Longest time for name look-up, TCP and TLS.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) connect_timeout: Option<f64>,
    /// Longest silence inside a response.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) read_timeout: Option<f64>,
    /// Longest time for one request in all [default: 21600].
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) total_timeout: Option<f64>,
    /// Do not send one request before each load to see whether the service answers.
    #[arg(long)]
    pub(crate) no_test_connection: bool,
}

/// How much load, and for how long.
#[derive(Debug, Clone, Args)]
pub(crate) struct LoadArgs {
    /// Requests of each load; a list is paired with `--parallel`, or with `--rate` under `--open-loop` [default: 1000]
    #[arg(short = 'n', long, value_name = "N", num_args = 1.., action = ArgAction::Set, allow_negative_numbers = true)]
    pub(crate) number: Vec<i64>,
    /// Highest number of requests in flight; a list is a sweep [default: 1].
    #[arg(long, value_name = "N", num_args = 1.., action = ArgAction::Set, allow_negative_numbers = true)]
    pub(crate) parallel: Vec<i64>,
    /// Requests a second, arriving at random times; -1 is as fast as `--parallel` allows. May be below 1 [default: -1].
    #[arg(long, value_name = "PER_SECOND", num_args = 1.., action = ArgAction::Set, allow_negative_numbers = true)]
    pub(crate) rate: Vec<f64>,
    /// Send at `--rate` whatever is in flight: no `--parallel`, and `--rate` may be a list.
    #[arg(long)]
    pub(crate) open_loop: bool,
    /// Shape of the arrivals at a given `--rate`.
    #[arg(long, value_enum, default_value = "poisson")]
    pub(crate) arrival: Arrival,
    /// Requests sent before and not counted: a number, or below 1 a share of `--number`.
    #[arg(
        long,
        value_name = "N|SHARE",
        default_value = "0",
        allow_negative_numbers = true
    )]
    pub(crate) warmup_num: f64,
    /// Stop sending after so long; requests in flight are awaited and counted.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) duration: Option<f64>,
    /// Pause between two loads of a sweep.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "5",
        allow_negative_numbers = true
    )]
    pub(crate) sleep_interval: f64,
    /// After Ctrl-C: how long requests in flight may take to end.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "10",
        allow_negative_numbers = true
    )]
    pub(crate) grace: f64,
}

/// When requests arrive at a given rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arrival {
    /// At random, independent times: the gaps are exponential.
    Poisson,
    /// Evenly spaced.
    Constant,
}

/// What is sent.
#[derive(Debug, Clone, Args)]
pub(crate) struct PromptArgs {
    /// Data set: `random`, `openqa`, `longalpaca`, `line_by_line`, `custom`, `share_gpt_zh`, `share_gpt_en`,
    /// `speed_benchmark`, `speed_benchmark_long`.
    #[arg(long, value_name = "NAME", default_value = "openqa")]
    pub(crate) dataset: String,
    /// File or folder of the data set; without it the local hub caches are searched.
    #[arg(long, value_name = "PATH")]
    pub(crate) dataset_path: Option<String>,
    /// Hub the data set comes from. Nothing is downloaded: both local caches are searched in any case.
    #[arg(long, value_enum)]
    pub(crate) data_source: Option<DataSource>,
    /// First item to send; later loads of a sweep start where the one before ended.
    #[arg(
        long,
        value_name = "N",
        default_value = "0",
        allow_negative_numbers = true
    )]
    pub(crate) dataset_offset: i64,
    /// Options of the data set, as a JSON object: `{"target_input_len": N}` fits real prompts to a length; for `random`,
    /// `{"input": 512, "output": {"distribution": "log_normal", "median": 200, "sigma": 0.8, "min": 1, "max": 2000}}`.
    #[arg(long, value_name = "JSON")]
    pub(crate) dataset_args: Option<String>,
    /// Longest prompt, inclusive: tokens where a tokenizer is set, else characters.
    #[arg(
        long,
        value_name = "N",
        default_value = "131072",
        allow_negative_numbers = true
    )]
    pub(crate) max_prompt_length: i64,
    /// Shortest prompt, inclusive.
    #[arg(
        long,
        value_name = "N",
        default_value = "0",
        allow_negative_numbers = true
    )]
    pub(crate) min_prompt_length: i64,
    /// Random tokens that all prompts of a run share, before their own (`random` only).
    #[arg(
        long,
        value_name = "N",
        default_value = "0",
        allow_negative_numbers = true
    )]
    pub(crate) prefix_length: i64,
    /// One text for all requests, in place of a data set; `@FILE` reads it from a file.
    #[arg(long, value_name = "TEXT|@FILE")]
    pub(crate) prompt: Option<String>,
    /// Request body to start from, as JSON; its messages are replaced by the prompt, and flags that are given win.
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) query_template: Option<String>,
    /// Send prompts as messages, and count lengths after the chat template [default: where the URL ends in
    /// `chat/completions`].
    #[arg(long, overrides_with = "no_apply_chat_template")]
    pub(crate) apply_chat_template: bool,
    /// Send prompts as plain text.
    #[arg(long)]
    pub(crate) no_apply_chat_template: bool,
    /// Send token ids in place of text, to `/v1/completions`.
    #[arg(long)]
    pub(crate) tokenize_prompt: bool,
}

/// Where a data set was downloaded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DataSource {
    /// ModelScope's cache.
    Modelscope,
    /// Hugging Face's cache.
    Huggingface,
    /// `--dataset-path`.
    Local,
}

/// What is asked of the model.
#[derive(Debug, Clone, Args)]
pub(crate) struct GenerationArgs {
    /// Longest answer in tokens; two values are the range from which each request draws its own [default: 2048].
    #[arg(long, value_name = "N", num_args = 1.., action = ArgAction::Set, allow_negative_numbers = true)]
    pub(crate) max_tokens: Option<Vec<i64>>,
    /// Shortest answer in tokens.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) min_tokens: Option<i64>,
    /// `frequency_penalty` of the request.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) frequency_penalty: Option<f64>,
    /// `repetition_penalty` of the request.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) repetition_penalty: Option<f64>,
    /// Ask for log-probabilities.
    #[arg(long)]
    pub(crate) logprobs: bool,
    /// Answers a request (`n`).
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) n_choices: Option<i64>,
    /// `seed` of the request, and of everything that crestline draws [default: none is sent, crestline draws from 0].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) seed: Option<i64>,
    /// Texts that end an answer.
    #[arg(long, value_name = "TEXT", num_args = 0.., action = ArgAction::Set)]
    pub(crate) stop: Option<Vec<String>>,
    /// Token ids that end an answer.
    #[arg(long, value_name = "ID", num_args = 0.., action = ArgAction::Set, allow_negative_numbers = true)]
    pub(crate) stop_token_ids: Option<Vec<i64>>,
    /// Ask for the answer token by token; the default.
    #[arg(long, overrides_with = "no_stream")]
    pub(crate) stream: bool,
    /// Ask for the answer in one piece.
    #[arg(long)]
    pub(crate) no_stream: bool,
    /// `temperature` of the request [default: 0].
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) temperature: Option<f64>,
    /// `top_p` of the request.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) top_p: Option<f64>,
    /// `top_k` of the request.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) top_k: Option<i64>,
    /// Merged into the request body last, as a JSON object; a `null` removes a field.
    #[arg(long, value_name = "JSON")]
    pub(crate) extra_args: Option<String>,
}

/// What is written, and where.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct OutputArgs {
    /// Folder of results: `DIR/TIMESTAMP/NAME/`, with one folder for each load in it.
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    pub(crate) outputs_dir: String,
    /// Leave the timestamp out of the folder.
    #[arg(long)]
    pub(crate) no_timestamp: bool,
    /// Name of the run and of its folder [default: the model's].
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Name of the run in titles only.
    #[arg(long)]
    pub(crate) alias: Option<String>,
    /// Keep prompts and answers out of the database.
    #[arg(long)]
    pub(crate) no_text: bool,
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// Write `progress.json` while running.
    #[arg(long)]
    pub(crate) enable_progress_tracker: bool,
    /// Print each failed request.
    #[arg(long)]
    pub(crate) debug: bool,
}

/// The client's own settings.
#[derive(Debug, Clone, Args)]
pub(crate) struct TuningArgs {
    /// Threads that send and receive [default: chosen by the load].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) threads: Option<i64>,
    /// Threads that prepare prompts ahead; 0 chooses.
    #[arg(
        long,
        value_name = "N",
        default_value = "0",
        allow_negative_numbers = true
    )]
    pub(crate) num_workers: i64,
    /// Rows of the database committed together; a commit also happens each second.
    #[arg(
        long,
        value_name = "N",
        default_value = "1000",
        allow_negative_numbers = true
    )]
    pub(crate) db_commit_interval: i64,
    /// No effect: crestline has no queue of this kind.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) queue_size_multiplier: Option<i64>,
    /// No effect: crestline does not schedule tasks ahead.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) in_flight_task_multiplier: Option<i64>,
    /// No effect: progress is shown by time, not by requests.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) log_every_n_query: Option<i64>,
}

/// Flags of evalscope that are refused by name.
#[derive(Debug, Clone, Args)]
pub(crate) struct UnsupportedArgs {
    /// Conversations of several turns.
    #[arg(long)]
    pub(crate) multi_turn: bool,
    /// Least turns of a conversation.
    #[arg(long, value_name = "N")]
    pub(crate) min_turns: Option<String>,
    /// Most turns of a conversation.
    #[arg(long, value_name = "N")]
    pub(crate) max_turns: Option<String>,
    /// Options of conversations, as JSON (deprecated by evalscope in favour of `--dataset-args`).
    #[arg(long, value_name = "JSON")]
    pub(crate) multi_turn_args: Option<String>,
    /// A scenario of another tool.
    #[arg(long, value_name = "NAME|JSON")]
    pub(crate) scenario: Option<String>,
    /// Metrics of the hand-over between prefill and decode servers.
    #[arg(long)]
    pub(crate) enable_pd_metrics: bool,
    /// Number of different shared prefixes.
    #[arg(long, value_name = "N")]
    pub(crate) prefix_count: Option<String>,
    /// Width of random images.
    #[arg(long, value_name = "PIXELS")]
    pub(crate) image_width: Option<String>,
    /// Height of random images.
    #[arg(long, value_name = "PIXELS")]
    pub(crate) image_height: Option<String>,
    /// Colour format of random images.
    #[arg(long, value_name = "NAME")]
    pub(crate) image_format: Option<String>,
    /// Images of one request.
    #[arg(long, value_name = "N")]
    pub(crate) image_num: Option<String>,
    /// Patch size for counting an image's tokens.
    #[arg(long, value_name = "PIXELS")]
    pub(crate) image_patch_size: Option<String>,
    /// Attention implementation of evalscope's own server.
    #[arg(long, value_name = "NAME")]
    pub(crate) attn_implementation: Option<String>,
    /// Port of evalscope's own server.
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<String>,
}

#[cfg(test)]
mod tests;
