//! Metrics of a command while it goes on, for monitoring systems: a page that Prometheus scrapes, and messages to an
//! OpenTelemetry collector.
//!
//! Both show the same counts, which events of the run bring up to date under a lock that is held for microseconds and never
//! by a thread that measures. Neither can slow or end a measurement.

mod exporter;
mod observed;
mod otlp;
mod otlp_message;
mod page;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Args;
use crestline_core::units::Nanos;
use crestline_experiment::event::Event;
use crestline_experiment::plan::{Plan, Tallies};
use crestline_load::clock::{self, Clock};
use crestline_load::engine::Stop;

use crate::console;
use crate::problem::Problem;
use crate::values;
use exporter::Exporter;
use observed::{About, Observed};
use otlp::{Choice, Pushing, Settings};

/// How often is looked whether a page is still to be shown.
const LOOK: Duration = Duration::from_millis(50);

/// The flags as typed.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TelemetryArgs {
    /// Show metrics of the load at `http://HOST:PORT/metrics` while the command runs, for Prometheus; 0 is a free port.
    #[arg(long, value_name = "PORT")]
    prometheus_port: Option<u16>,
    /// Where that page is shown [default: 0.0.0.0, every address of this machine].
    #[arg(long, value_name = "HOST", requires = "prometheus_port")]
    prometheus_host: Option<String>,
    /// Keep that page up so many seconds after the end, so that its last state is scraped; Ctrl-C ends it earlier.
    #[arg(long, value_name = "SECONDS", requires = "prometheus_port")]
    prometheus_linger: Option<f64>,
    /// Send metrics of the load to an OpenTelemetry collector, each 5 s by OTLP over HTTP with JSON, such as at
    /// `http://127.0.0.1:4318` [env: `OTEL_EXPORTER_OTLP_ENDPOINT` and its kin].
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<String>,
}

/// What is observed, shared by those who look at it.
#[derive(Debug, Clone)]
struct Board {
    observed: Arc<Mutex<Observed>>,
}

impl Board {
    fn new(observed: Observed) -> Self {
        Self {
            observed: Arc::new(Mutex::new(observed)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Observed> {
        // A thread that panicked left at worst an older state.
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> Observed {
        self.lock().clone()
    }
}

/// Metrics that are shown and sent until [`Telemetry::end`].
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    board: Option<Board>,
    exporter: Option<Exporter>,
    pushing: Option<Pushing>,
    linger: Nanos,
}

impl Telemetry {
    /// Opens the page and sends the first message, where that is asked for. What cannot be done is told before any load.
    pub(crate) fn start(args: &TelemetryArgs, plan: &Plan) -> Result<Self, Problem> {
        let linger = args.prometheus_linger.unwrap_or_default();
        let linger = values::pause("--prometheus-linger", linger)?;
        let choice = Settings::choose(args.otlp_endpoint.as_deref(), |name| {
            std::env::var(name).ok()
        })?;
        if let Choice::Unspoken(why) = &choice {
            console::tell(&format!("note: {why}"));
        }
        if args.prometheus_port.is_none() && !matches!(choice, Choice::On(_)) {
            return Ok(Self::default());
        }
        let board = Board::new(Observed::new(About::of(plan)));
        let exporter = args
            .prometheus_port
            .map(|port| exporter(args, port, &board))
            .transpose()?;
        let pushing = match choice {
            Choice::On(settings) => {
                console::tell(&format!("metrics are sent to {}", settings.shown()));
                Some(Pushing::begin(*settings, board.clone())?)
            }
            Choice::Off | Choice::Unspoken(_) => None,
        };
        Ok(Self {
            board: Some(board),
            exporter,
            pushing,
            linger,
        })
    }

    /// Whether a run has to tell counts.
    pub(crate) fn tallies(&self) -> Tallies {
        match self.board {
            Some(_) => Tallies::Told,
            None => Tallies::Untold,
        }
    }

    /// Takes over what an event says.
    pub(crate) fn see(&self, event: &Event) {
        if let Some(board) = &self.board {
            board.lock().see(event);
        }
    }

    /// Sends the last message and closes the page, after the time for which it is to be kept up.
    pub(crate) fn end(self, stop: &Stop) {
        if let Some(board) = &self.board {
            board.lock().quiet();
        }
        if let Some(lost) = self.pushing.and_then(Pushing::end) {
            console::tell(&format!("warning: {lost}"));
        }
        let Some(exporter) = self.exporter else {
            return;
        };
        if self.linger > Nanos::ZERO && !stop.is_asked() {
            console::tell(&format!(
                "metrics stay at http://{}/metrics for {}",
                exporter.address(),
                self.linger
            ));
            let clock = Clock::start();
            while clock.now() < self.linger && !stop.is_asked() {
                clock::sleep(LOOK);
            }
        }
        drop(exporter);
    }
}

fn exporter(args: &TelemetryArgs, port: u16, board: &Board) -> Result<Exporter, Problem> {
    let host = args.prometheus_host.as_deref().unwrap_or("0.0.0.0");
    let board = board.clone();
    let source = Arc::new(move || page::page(&board.look()));
    let exporter = Exporter::start(host, port, source).map_err(|error| {
        Problem::usage(format!("metrics cannot be shown at {host}:{port}"))
            .because(&error)
            .hint("give --prometheus-port another port, or 0 for a free one, and --prometheus-host an address of this machine")
    })?;
    console::tell(&format!(
        "metrics are at http://{}/metrics",
        exporter.address()
    ));
    Ok(exporter)
}
