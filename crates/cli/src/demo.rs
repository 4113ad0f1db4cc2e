//! `crestline demo`: the whole product in under a minute, with nothing but the binary.
//!
//! A simulated engine is served on a free loopback port by a thread of this process, and an ordinary `perf` command
//! measures it in real time.

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

/// Shows a load test: serves a simulated engine on this machine and measures it at four loads, in under a minute.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// Folder of results.
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    outputs_dir: String,
}

/// The built-in profile that is served.
const PROFILE: &str = "demo";

/// The measurement, without the URL and the folder. About 17 seconds.
const PERF: &str = "--model crestline-sim --dataset random --tokenizer-path builtin --min-prompt-length 128 \
    --max-prompt-length 128 --max-tokens 64 --parallel 1 8 32 96 --number 15 100 250 400 --sleep-interval 0.5 \
    --seed 1 --name demo";

/// Serves, measures, and stops.
pub(crate) fn run(args: &DemoArgs) -> Result<Exit, Problem> {
    let stop = Stop::default();
    let asked = stop.clone();
    signals::on_interrupt(move || asked.ask())
        .map_err(|error| Problem::failed("cannot wait for signals").because(&error))?;
    let engine = Engine::start()?;
    introduce(args);
    let exit = match parse(command_line(&engine.url(), &args.outputs_dir))? {
        Parsed::Command(Sub::Perf(perf)) => perf::measure(&perf, &stop),
        Parsed::Command(_) | Parsed::Text(_) => {
            Err(Problem::failed("the demo's own command is not understood"))
        }
    };
    engine.stop()?;
    exit
}

fn introduce(args: &DemoArgs) {
    console::say(
        "This serves a simulated engine and measures it at four loads. The same by hand, in two terminals:\n",
    );
    console::say(&format!("  crestline sim --profile {PROFILE} --port 8801"));
    let line = command_line(
        "http://127.0.0.1:8801/v1/chat/completions",
        &args.outputs_dir,
    );
    let words: Vec<_> = line.iter().map(|word| word.to_string_lossy()).collect();
    console::say(&format!("  {}\n", words.join(" ")));
}

fn command_line(url: &str, outputs_dir: &str) -> Vec<OsString> {
    ["crestline", "perf", "--url", url]
        .into_iter()
        .chain(PERF.split_whitespace())
        .chain(["--outputs-dir", outputs_dir])
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
