//! The flags of `crestline bench startup` as they are typed: those of `vllm bench startup` that make sense for any server, and
//! how a server is started.

use std::path::PathBuf;

use clap::Args;

/// Starts a server several times and tells how long it takes until it is healthy and until it gives its first token.
///
/// A cold start has a new cache folder, a warm one the folder of the starts before. The server is told its folder by the
/// environment (--cache-env) and wherever `{cache_dir}` stands in its command.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub(crate) struct StartupArgs {
    /// Command that starts the server, as typed in a shell; no shell runs it.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) serve_cmd: String,
    #[command(flatten, next_help_heading = "Starts")]
    pub(crate) starts: StartArgs,
    #[command(flatten, next_help_heading = "First token")]
    pub(crate) request: FirstTokenArgs,
    #[command(flatten, next_help_heading = "Server")]
    pub(crate) server: StartServerArgs,
    /// File for the result.
    #[arg(long, value_name = "FILE")]
    pub(crate) output_json: Option<PathBuf>,
}

/// How often it is started.
#[derive(Debug, Clone, Args)]
pub(crate) struct StartArgs {
    /// Cold starts.
    #[arg(
        long = "num-iters-cold",
        value_name = "N",
        default_value_t = 3,
        allow_negative_numbers = true
    )]
    pub(crate) cold: i64,
    /// Starts that fill the cache for the warm ones and are not counted.
    #[arg(
        long = "num-iters-warmup",
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    pub(crate) warmup: i64,
    /// Warm starts.
    #[arg(
        long = "num-iters-warm",
        value_name = "N",
        default_value_t = 3,
        allow_negative_numbers = true
    )]
    pub(crate) warm: i64,
    /// Variables that tell the server its cache folder.
    #[arg(long, value_name = "NAME", num_args = 1.., default_value = "VLLM_CACHE_ROOT")]
    pub(crate) cache_env: Vec<String>,
    /// Cache folder of the warm starts, which is kept [default: a new one, which is removed].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) cache_dir: Option<PathBuf>,
}

/// What is asked for the first token.
#[derive(Debug, Clone, Args)]
pub(crate) struct FirstTokenArgs {
    /// Model that is asked [default: the first that the server lists].
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Path that is asked for one token: completions or chat completions.
    #[arg(long, value_name = "PATH", default_value = "/v1/completions")]
    pub(crate) endpoint: String,
    /// Longest time for that answer.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 300.0,
        allow_negative_numbers = true
    )]
    pub(crate) first_token_timeout: f64,
}

/// How it is waited for and stopped.
#[derive(Debug, Clone, Args)]
pub(crate) struct StartServerArgs {
    /// Where the server listens, where its command does not say so.
    #[arg(long = "server-address", value_name = "HOST:PORT")]
    pub(crate) address: Option<String>,
    /// Longest time until the server is ready.
    #[arg(
        long = "server-ready-timeout",
        value_name = "SECONDS",
        default_value_t = 600.0,
        allow_negative_numbers = true
    )]
    pub(crate) ready_timeout: f64,
    /// The page that answers 200 when it is.
    #[arg(
        long = "server-health-path",
        value_name = "PATH",
        default_value = "/health"
    )]
    pub(crate) health_path: String,
    /// Time between the request to end and the end by force.
    #[arg(
        long = "server-stop-timeout",
        value_name = "SECONDS",
        default_value_t = 30.0,
        allow_negative_numbers = true
    )]
    pub(crate) stop_timeout: f64,
    /// File that all the server prints is appended to [default: none is kept].
    #[arg(long = "server-log", value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Show what the server prints.
    #[arg(long)]
    pub(crate) show_stdout: bool,
}
