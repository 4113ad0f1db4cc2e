//! `crestline demo`: the whole product in under a minute, with nothing but the binary.
//!
//! A simulated engine is served on a free loopback port by a thread of this process, and ordinary `perf` commands
//! measure it in real time: a sweep over four loads, then a search for the load within an SLA.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

use clap::Args;
use crestline_load::engine::Stop;
use crestline_sim::profile::Profile;
use crestline_sim::server::{self, Options, ServeError};
use tokio::sync::oneshot;

use crate::command::{Parsed, Sub, parse};
use crate::exit::Exit;
use crate::perf;
use crate::problem::Problem;
use crate::{console, signals};

/// Shows a load test: serves a simulated engine on this machine, measures it at four loads and searches for the load that keeps
/// to an SLA, in under a minute.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// Folder of results.
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    outputs_dir: String,
}

/// The built-in profile that is served.
const PROFILE: &str = "demo";

/// What is sent, in both measurements.
const REQUESTS: &str = "--model crestline-sim --dataset random --tokenizer-path builtin --min-prompt-length 128 \
    --max-prompt-length 128 --seed 1";

/// The sweep. About 17 seconds.
const SWEEP: &str =
    "--max-tokens 64 --parallel 1 8 32 96 --number 15 100 250 400 --sleep-interval 0.5 --name demo";

/// The search, with shorter answers so that it is over sooner. About 15 seconds; the budget is for machines that are busy.
const SEARCH: &str = "--max-tokens 16 48 --sla-auto-tune --parallel 8 --sla-upper-bound 128 --sla-tolerance 10% \
    --sla-budget 20s --name demo-sla";

/// The SLA of the search.
const SLA: &str = r#"[{"p99_ttft":"<=100ms"}]"#;

/// Serves, measures, and stops.
pub(crate) fn run(args: &DemoArgs) -> Result<Exit, Problem> {
    let stop = Stop::default();
    let asked = stop.clone();
    signals::on_interrupt(move || asked.ask())
        .map_err(|error| Problem::failed("cannot wait for signals").because(&error))?;
    let engine = Engine::start()?;
    introduce(args);
    let exit = measure_both(&engine.url(), args, &stop);
    engine.stop()?;
    exit
}

/// The sweep, and if that was done, the search. Nothing is asked of the engine, so that any answer of the search will do.
fn measure_both(url: &str, args: &DemoArgs, stop: &Stop) -> Result<Exit, Problem> {
    let sweep = measure(sweep(url, &args.outputs_dir), stop)?;
    if sweep != Exit::Done {
        return Ok(sweep);
    }
    console::say("\nNow the highest load that keeps to an SLA:");
    Ok(match measure(search(url, &args.outputs_dir), stop)? {
        Exit::SlaNotMet => Exit::Done,
        exit => exit,
    })
}

fn measure(line: Vec<OsString>, stop: &Stop) -> Result<Exit, Problem> {
    match parse(line)? {
        Parsed::Command(Sub::Perf(perf)) => perf::measure(&perf, stop, None),
        Parsed::Command(_) | Parsed::Text(_) => {
            Err(Problem::failed("the demo's own command is not understood"))
        }
    }
}

fn introduce(args: &DemoArgs) {
    console::say(
        "This serves a simulated engine, measures it at four loads, and searches for the load that keeps to an SLA. The \
         same by hand, in two terminals:\n",
    );
    console::say(&format!("  crestline sim --profile {PROFILE} --port 8801"));
    let url = "http://127.0.0.1:8801/v1/chat/completions";
    for line in [
        sweep(url, &args.outputs_dir),
        search(url, &args.outputs_dir),
    ] {
        let words: Vec<_> = line
            .iter()
            .map(|word| as_typed(&word.to_string_lossy()))
            .collect();
        console::say(&format!("  {}", words.join(" ")));
    }
    console::say("");
}

/// A word as a shell takes it.
fn as_typed(word: &str) -> String {
    if word.contains(['"', ' ', '<']) {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}

fn sweep(url: &str, outputs_dir: &str) -> Vec<OsString> {
    command_line(url, outputs_dir, SWEEP, &[])
}

fn search(url: &str, outputs_dir: &str) -> Vec<OsString> {
    command_line(url, outputs_dir, SEARCH, &["--sla-params", SLA])
}

fn command_line(url: &str, outputs_dir: &str, loads: &str, more: &[&str]) -> Vec<OsString> {
    ["crestline", "perf", "--url", url]
        .into_iter()
        .chain(REQUESTS.split_whitespace())
        .chain(loads.split_whitespace())
        .chain(["--outputs-dir", outputs_dir])
        .chain(more.iter().copied())
        .map(OsString::from)
        .collect()
}

/// The simulated engine on a thread of its own.
struct Engine {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), ServeError>>,
}

impl Engine {
    fn start() -> Result<Self, Problem> {
        let cannot = |error: &dyn std::error::Error| {
            Problem::failed("the simulated engine cannot be served").because(error)
        };
        let listen = || -> std::io::Result<(TcpListener, SocketAddr)> {
            let listener = server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = listen().map_err(|error| cannot(&error))?;
        let options = Options::new(Profile::load(PROFILE).map_err(|error| cannot(&error))?);
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || server::serve(listener, options, async move { drop(stopped.await) }))
            .map_err(|error| cannot(&error))?;
        Ok(Self {
            address,
            stop,
            thread,
        })
    }

    fn url(&self) -> String {
        format!("http://{}/v1/chat/completions", self.address)
    }

    fn stop(self) -> Result<(), Problem> {
        drop(self.stop);
        match self.thread.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                Err(Problem::failed("the simulated engine ended early").because(&error))
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
