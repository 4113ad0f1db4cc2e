//! The flags of `crestline bench` as they are typed: the names of `vllm bench serve`, and a few of crestline's own.
//!
//! Says nothing of what they mean together: that is [`super::plan`]. Every flag that the tool knows is here, also those
//! that are refused, so that the refusal can name it.

mod conversations;
mod dataset;
mod pictures;
mod results;
mod startup;
mod typed;

use clap::{ArgAction, Args, Subcommand, ValueEnum};

pub(crate) use conversations::ConversationArgs;
pub(crate) use dataset::{DatasetArgs, DatasetName};
pub(crate) use pictures::{PictureArgs, TIMELINE_THRESHOLDS};
pub(crate) use results::{Compat, ResultArgs};
pub(crate) use startup::StartupArgs;
pub(crate) use typed::Typed;

pub(crate) use super::sweep::args::SweepArgs;
use crate::server_metrics::MetricsArgs;
use crate::telemetry::TelemetryArgs;

/// Benchmarks with the command lines of vLLM.
#[derive(Debug, Clone, Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(crate) command: BenchCommand,
}

/// What is benchmarked.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum BenchCommand {
    Serve(Box<ServeArgs>),
    Startup(Box<StartupArgs>),
    Sweep(Box<SweepArgs>),
}

/// Measures a service that is already running, and prints and writes what `vllm bench serve` does.
///
/// The flags are those of `vllm bench serve`. Names may be shortened to a unique beginning and may have underscores; parts
/// of a JSON value may be given one by one, as in `--extra-body.guided.choice a`. The last of several wins.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub(crate) struct ServeArgs {
    /// The command as it was typed, without its secrets.
    #[arg(skip)]
    pub(crate) command: Option<String>,
    // First, since each of the others takes what is its own out of what was typed.
    #[command(flatten)]
    pub(crate) typed: Typed,
    #[command(flatten, next_help_heading = "Connection, model, tokenizer")]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten, next_help_heading = "Load")]
    pub(crate) load: LoadArgs,
    #[command(flatten, next_help_heading = "Server")]
    pub(crate) server: ServerArgs,
    #[command(flatten, next_help_heading = "Requests")]
    pub(crate) request: RequestArgs,
    #[command(flatten, next_help_heading = "Data set")]
    pub(crate) dataset: DatasetArgs,
    #[command(flatten, next_help_heading = "Conversations of several turns")]
    pub(crate) conversations: ConversationArgs,
    #[command(flatten, next_help_heading = "Metrics and results")]
    pub(crate) results: ResultArgs,
    #[command(flatten, next_help_heading = "Monitoring")]
    pub(crate) telemetry: TelemetryArgs,
    #[command(flatten, next_help_heading = "Pictures")]
    pub(crate) pictures: PictureArgs,
}

/// Where the service is, and which model is asked.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConnectionArgs {
    /// Form of the requests.
    #[arg(long, value_name = "NAME", default_value = "openai")]
    pub(crate) backend: String,
    /// Beginning of the URL, in place of `--host` and `--port`. `sim:NAME` measures the simulated engine in virtual time.
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// Host of the service; an IPv6 address without brackets.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: String,
    /// Port of the service.
    #[arg(long, default_value_t = 8000)]
    pub(crate) port: u16,
    /// Path behind the beginning of the URL; it must fit `--backend`.
    #[arg(long, value_name = "PATH", default_value = "/v1/completions")]
    pub(crate) endpoint: String,
    /// Accept any certificate of an `https` service.
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Headers sent with each request.
    #[arg(long, value_name = "NAME=VALUE", num_args = 0.., action = ArgAction::Set)]
    pub(crate) header: Vec<String>,
    /// Model, and tokenizer where `--tokenizer` is not given. Without it, the first that the service lists.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Name that the service knows the model by, where that is another.
    #[arg(long, value_name = "NAME")]
    pub(crate) served_model_name: Option<String>,
    /// Tokenizer: a folder or `tokenizer.json`, a tiktoken file, a name in the local Hugging Face or ModelScope cache, or
    /// `builtin`.
    #[arg(long, value_name = "PATH|NAME")]
    pub(crate) tokenizer: Option<String>,
    /// Kind of the tokenizer; crestline finds it out by itself.
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) tokenizer_mode: TokenizerMode,
    /// Accepted for the sake of scripts: crestline runs no code of a model.
    #[arg(long)]
    pub(crate) trust_remote_code: bool,
    /// Work without a tokenizer.
    #[arg(long)]
    pub(crate) skip_tokenizer_init: bool,
    /// Names of adapters: each request asks for one of them in place of the model.
    #[arg(long, value_name = "NAME", num_args = 1.., action = ArgAction::Set)]
    pub(crate) lora_modules: Vec<String>,
    /// How requests are shared among them.
    #[arg(long, value_enum, default_value = "random")]
    pub(crate) lora_assignment: LoraAssignment,
    /// Ids of the requests are this and a number [default: bench-, eight hexadecimal digits, -].
    #[arg(long, value_name = "TEXT")]
    pub(crate) request_id_prefix: Option<String>,
}

/// Kinds of tokenizers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenizerMode {
    Auto,
    Hf,
    Slow,
    Mistral,
    #[value(name = "deepseek_v32")]
    DeepseekV32,
}

/// How adapters are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoraAssignment {
    Random,
    RoundRobin,
}

/// How much load, and when.
#[derive(Debug, Clone, Args)]
pub(crate) struct LoadArgs {
    /// Requests to send; with `--multi-turn`, conversations.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1000,
        allow_negative_numbers = true
    )]
    pub(crate) num_prompts: i64,
    /// Requests a second; `inf` sends all at the beginning.
    #[arg(long, value_name = "PER_SECOND", default_value_t = f64::INFINITY, allow_negative_numbers = true)]
    pub(crate) request_rate: f64,
    /// Shape of the gamma distribution of the gaps: 1 is a Poisson process, less is burstier, `inf` is even.
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    pub(crate) burstiness: f64,
    /// Highest number of requests in flight.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) max_concurrency: Option<i64>,
    /// Raise the rate from `--ramp-up-start-rps` to `--ramp-up-end-rps` over the requests.
    #[arg(long, value_enum)]
    pub(crate) ramp_up_strategy: Option<RampUp>,
    /// Rate at the first request.
    #[arg(long, value_name = "PER_SECOND", allow_negative_numbers = true)]
    pub(crate) ramp_up_start_rps: Option<i64>,
    /// Rate at the last request.
    #[arg(long, value_name = "PER_SECOND", allow_negative_numbers = true)]
    pub(crate) ramp_up_end_rps: Option<i64>,
    /// Requests sent before and not counted; each has a prompt of its own, or with `--warmup-copies` the first counted one's.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub(crate) num_warmups: i64,
    /// Make the requests of `--num-warmups` copies of the first counted one, as vLLM does; `--compat vllm` implies it.
    #[arg(long)]
    pub(crate) warmup_copies: bool,
    /// Wait at most so long for the first answer; 0 does not ask.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub(crate) ready_check_timeout_sec: i64,
    /// Ask for one token so many times a second while the load goes on, over connections of its own, and tell how long that
    /// took; 0 does not.
    #[arg(
        long,
        value_name = "PER_SECOND",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    pub(crate) probe_request_rate: f64,
    /// No bar of progress.
    #[arg(long)]
    pub(crate) disable_tqdm: bool,
    /// Seed of all that is drawn.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Whole runs, one after the other, each with prompts of its own; how their figures differ is printed after the last.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    pub(crate) num_runs: i64,
    /// Print what would be done, and send nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How the rate rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RampUp {
    Linear,
    Exponential,
}

/// What the service is asked for before, meanwhile and after.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// Have the service profile itself during the run: `/start_profile` and `/stop_profile`.
    #[arg(long)]
    pub(crate) profile: bool,
    /// Begin the profile when so many requests are running, as the service's `/metrics` say.
    #[arg(long, value_name = "REQUESTS", allow_negative_numbers = true)]
    pub(crate) profile_batch_threshold: Option<i64>,
    /// Length of such a profile [default: 5].
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) profile_duration: Option<f64>,
    /// Have it forget its prefix cache before the run: `/reset_prefix_cache`.
    #[arg(long)]
    pub(crate) reset_prefix_cache: bool,
    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,
}

/// What is in each request.
#[derive(Debug, Clone, Args)]
pub(crate) struct RequestArgs {
    /// Tokens of a prompt, for data sets that make prompts.
    #[arg(long, value_name = "N")]
    pub(crate) input_len: Option<u32>,
    /// Tokens of an answer, for all data sets.
    #[arg(long, value_name = "N")]
    pub(crate) output_len: Option<u32>,
    /// Ask the service not to end an answer early.
    #[arg(long)]
    pub(crate) ignore_eos: bool,
    /// Ask for log-probabilities of so many tokens.
    #[arg(long, value_name = "N")]
    pub(crate) logprobs: Option<u32>,
    /// Accepted for the sake of scripts: no service of today takes it.
    #[arg(long)]
    pub(crate) use_beam_search: bool,
    /// Merged into each body last.
    #[arg(long, value_name = "JSON")]
    pub(crate) extra_body: Option<String>,
    /// Nucleus sampling.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) top_p: Option<f64>,
    /// Top-k sampling.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) top_k: Option<i64>,
    /// Least probability, relative to the best token's.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) min_p: Option<f64>,
    /// Sampling temperature.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) temperature: Option<f64>,
    /// Penalty on frequent tokens.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) frequency_penalty: Option<f64>,
    /// Penalty on tokens that were there.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) presence_penalty: Option<f64>,
    /// Penalty on repeated tokens.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) repetition_penalty: Option<f64>,
    /// Send prompts as token ids.
    #[arg(long)]
    pub(crate) prompt_token_ids: bool,
}

#[cfg(test)]
mod tests;
