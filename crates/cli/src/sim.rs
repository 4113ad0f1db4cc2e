//! `crestline sim`: the simulated engine behind HTTP, until it is interrupted.

mod life;

use std::fs::File;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::mpsc;

use clap::Args;
use crestline_load::files::make_room_for;
use crestline_sim::fault::Fault;
use crestline_sim::profile::{Overrides, Profile, ProfileError};
use crestline_sim::server::{self, AcceptModel, Options, ServeError};
use tokio::sync::oneshot;

use self::life::{LifeArgs, Started};
use crate::exit::Exit;
use crate::problem::Problem;
use crate::{console, signals};

/// Serves a simulated inference engine over HTTP: an OpenAI-compatible stand-in for a real server.
///
/// Prints one line with its address when it listens, and stops on Ctrl-C or SIGTERM.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub(crate) struct SimArgs {
    /// Speeds of the engine: the name of a built-in profile, or a TOML file.
    #[arg(long, value_name = "NAME|FILE", default_value = "gpu-small")]
    profile: String,
    /// Show the built-in profiles and end.
    #[arg(long)]
    list: bool,
    /// Address to listen at.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Port to listen at; 0 takes a free one.
    #[arg(long, default_value = "8801")]
    port: u16,
    /// Seed of everything that is drawn.
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// Name that /v1/models lists.
    #[arg(long, value_name = "NAME", default_value = "crestline-sim")]
    model: String,
    /// Answer 404 to requests for another model.
    #[arg(long)]
    check_model: bool,
    /// Names of adapters that are served beside it; requests for another model get 404.
    #[arg(long, value_name = "NAME", num_args = 1.., action = clap::ArgAction::Set)]
    lora_modules: Vec<String>,
    /// Key that requests under /v1 must carry.
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// Tokenizer: a folder, a file, a hub name or `builtin`.
    #[arg(long, value_name = "PATH|NAME", default_value = "builtin")]
    tokenizer_path: String,
    /// What goes wrong, and with what share of requests, as in `stall=0.05:2`; may be given several times or as a list.
    #[arg(long, value_name = "KIND=RATE[:PARAMETER]", num_args = 1.., action = clap::ArgAction::Append)]
    fault: Vec<Fault>,
    /// Write when each request arrived and was answered to a CSV file.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Write when each chunk was sent to a CSV file.
    #[arg(long, value_name = "FILE")]
    truth_chunks: Option<PathBuf>,
    #[command(flatten, next_help_heading = "In place of the profile's")]
    engine: EngineArgs,
    #[command(flatten, next_help_heading = "Start and end")]
    life: LifeArgs,
}

/// Parameters in place of the profile's.
#[derive(Debug, Clone, Args)]
struct EngineArgs {
    /// Most sequences in one batch.
    #[arg(long, value_name = "N")]
    max_num_seqs: Option<u32>,
    /// Most tokens computed in one iteration.
    #[arg(long, value_name = "N")]
    max_num_batched_tokens: Option<u32>,
    /// Longest prompt and answer together.
    #[arg(long, value_name = "N")]
    max_model_len: Option<u32>,
    /// Requests that may wait; one more is refused with 429.
    #[arg(long, value_name = "N")]
    queue_limit: Option<u32>,
    /// Capacity of the key-value cache in tokens.
    #[arg(long, value_name = "N")]
    kv_cache_tokens: Option<u64>,
    /// Keep blocks of earlier prompts.
    #[arg(long, overrides_with = "no_enable_prefix_caching")]
    enable_prefix_caching: bool,
    /// Keep none.
    #[arg(long, overrides_with = "enable_prefix_caching")]
    no_enable_prefix_caching: bool,
    /// Devices that share each layer.
    #[arg(long, alias = "tp", value_name = "N")]
    tensor_parallel_size: Option<u32>,
    /// Groups of devices with layers of their own.
    #[arg(long, alias = "pp", value_name = "N")]
    pipeline_parallel_size: Option<u32>,
    /// Engines behind the one address; --max-num-seqs and --max-num-batched-tokens are those of each.
    #[arg(long, alias = "dp", value_name = "N")]
    data_parallel_size: Option<u32>,
    /// Share of the devices' memory that weights and cache may take together.
    #[arg(long, value_name = "SHARE")]
    gpu_memory_utilization: Option<f64>,
}

impl EngineArgs {
    fn overrides(&self) -> Overrides {
        let caching = (self.enable_prefix_caching, self.no_enable_prefix_caching);
        Overrides {
            max_num_seqs: self.max_num_seqs,
            max_num_batched_tokens: self.max_num_batched_tokens,
            max_model_len: self.max_model_len,
            queue_limit: self.queue_limit,
            kv_cache_tokens: self.kv_cache_tokens,
            prefix_caching: match caching {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            },
            tensor_parallel_size: self.tensor_parallel_size,
            pipeline_parallel_size: self.pipeline_parallel_size,
            data_parallel_size: self.data_parallel_size,
            gpu_memory_utilization: self.gpu_memory_utilization,
        }
    }
}

impl SimArgs {
    /// The engine that is served: the profile with all that is given in place of its own.
    pub(crate) fn profile(&self) -> Result<Profile, Problem> {
        Profile::load(&self.profile)
            .and_then(|profile| profile.with(&self.engine.overrides()))
            .map_err(|error| profile_problem(&error))
    }
}

/// Serves until it is interrupted.
pub(crate) fn run(args: SimArgs) -> Result<Exit, Problem> {
    if args.list {
        return list();
    }
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, asked) = mpsc::channel();
    let mut stop = Some(stop);
    let heeded = if args.life.ignore_sigterm {
        signals::Heeded::CtrlC
    } else {
        signals::Heeded::All
    };
    signals::on(heeded, move || {
        // Where nobody waits any more, the server does.
        let _ = tell.send(());
        drop(stop.take());
    })
    .map_err(|error| Problem::failed("cannot wait for signals").because(&error))?;
    make_room_for(1)
        .map_err(|error| Problem::failed("connections cannot be taken").because(&error))?;
    let address = address(&args.host, args.port)?;
    let crashed = Exit::Simulated(args.life.exit_code);
    let (start, life) = args.life.plan(&args.profile()?)?;
    let options = Options {
        life,
        ..options(args)?
    };
    let name = options.model.clone();
    make_truth_files(&options)?;
    let taken = |error: std::io::Error| {
        Problem::usage(format!("cannot listen at {address}"))
            .because(&error)
            .hint("choose another --port (0 takes a free one), or stop the program that has it")
    };
    let port = server::reserve(address).map_err(taken)?;
    match start.pass(&asked)? {
        Started::Ready => {}
        Started::Stopped => return Ok(Exit::Done),
        Started::Crashed => {
            console::tell("the simulated server ends at its start, as it was asked to");
            return Ok(crashed);
        }
    }
    let listener = port.listen().map_err(taken)?;
    let address = listener
        .local_addr()
        .map_err(|error| Problem::failed("cannot listen").because(&error))?;
    console::say(&format!(
        "listening at http://{address}/v1/chat/completions (model {name}); Ctrl-C stops"
    ));
    let shutdown = async move { drop(stopped.await) };
    match server::serve(listener, options, shutdown) {
        Ok(()) => Ok(Exit::Done),
        Err(error @ ServeError::Crashed) => {
            console::tell(&error.to_string());
            Ok(crashed)
        }
        Err(error) => Err(serve_problem(&error)),
    }
}

fn make_truth_files(options: &Options) -> Result<(), Problem> {
    for file in options.truth.iter().chain(&options.truth_chunks) {
        File::create(file).map_err(|error| {
            Problem::usage(format!("cannot write the truth file {}", file.display()))
                .because(&error)
                .hint("name a file in a folder that is there")
        })?;
    }
    Ok(())
}

/// The engine alone, as virtual time has it: nothing listens.
#[derive(Debug)]
pub(crate) struct Engine {
    /// Its speeds, with what the flags put in place of them.
    pub(crate) profile: Profile,
    /// Flags that were given and that only a server has a use for.
    pub(crate) idle: Vec<&'static str>,
}

/// What the flags say of the engine. Refuses what only a server can do and what would change the measurement.
pub(crate) fn engine(args: &SimArgs) -> Result<Engine, Problem> {
    let refused = [
        ("--list", args.list),
        ("--fault", !args.fault.is_empty()),
        ("--truth", args.truth.is_some()),
        ("--truth-chunks", args.truth_chunks.is_some()),
    ];
    for (flag, is_given) in refused.into_iter().chain(args.life.faults()) {
        if is_given {
            return Err(
                Problem::usage(format!("{flag} is not possible in virtual time")).hint(
                    "only a server that really listens has it: leave it out, or --virtual-time",
                ),
            );
        }
    }
    let idle = [
        ("--seed", args.seed != 0),
        ("--check-model", args.check_model),
        ("--lora-modules", !args.lora_modules.is_empty()),
        ("--api-key", args.api_key.is_some()),
        ("--tokenizer-path", args.tokenizer_path != "builtin"),
    ];
    let idle = idle.into_iter().chain(args.life.start());
    let idle = idle.filter(|(_, is_given)| *is_given);
    let idle = idle.map(|(flag, _)| flag).collect();
    let profile = args.profile()?;
    Ok(Engine { profile, idle })
}

fn list() -> Result<Exit, Problem> {
    let width = Profile::names().map(str::len).max().unwrap_or_default();
    for name in Profile::names() {
        let profile = Profile::load(name).map_err(|error| profile_problem(&error))?;
        console::say(&format!("{name:width$}  {}", profile.summary));
    }
    Ok(Exit::Done)
}

fn address(host: &str, port: u16) -> Result<SocketAddr, Problem> {
    let wrong = || {
        Problem::usage(format!("--host {host} is no address of this machine"))
            .hint("write 127.0.0.1 or 0.0.0.0")
    };
    (host, port)
        .to_socket_addrs()
        .map_err(|error| wrong().because(&error))?
        .next()
        .ok_or_else(wrong)
}

fn options(args: SimArgs) -> Result<Options, Problem> {
    let profile = args.profile()?;
    Ok(Options {
        seed: args.seed,
        faults: args.fault,
        truth: args.truth,
        truth_chunks: args.truth_chunks,
        model: args.model,
        accept_model: if args.check_model || !args.lora_modules.is_empty() {
            AcceptModel::Served
        } else {
            AcceptModel::Any
        },
        adapters: args.lora_modules,
        tokenizer: Some(args.tokenizer_path),
        api_key: args.api_key,
        ..Options::new(profile)
    })
}

fn profile_problem(error: &ProfileError) -> Problem {
    Problem::usage("the simulated engine cannot be used")
        .because(error)
        .hint("`crestline sim --list` shows the built-in profiles")
}

fn serve_problem(error: &ServeError) -> Problem {
    match error {
        ServeError::Profile(error) => profile_problem(error),
        ServeError::Fault(_) | ServeError::Tokens(_) | ServeError::Truth(_) => {
            Problem::usage("the simulated engine cannot be served").because(error)
        }
        ServeError::System(_) | ServeError::Crashed => {
            Problem::failed("the simulated engine cannot be served").because(error)
        }
    }
}
