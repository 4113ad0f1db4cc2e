//! Long runs at one load, and how far they are from each limit.
//!
//! A limit's *distance* is a function of the load that is nearly a straight line over the logarithm of the load and zero
//! where the limit is just met: log-odds of the share over the limit less those of the share allowed, or the logarithm of
//! mean over limit.

use crestline_core::record::RequestRecord;
use crestline_core::search::{Abort, Variable};
use crestline_core::sla::{Criterion, Measure, Slo, Statistic, Timed};
use crestline_core::units::Nanos;
use crestline_experiment::virtual_subject::Until;
use crestline_sim::profile::Profile;

use crate::plant::{load_of, session};
use crate::scenario::Scenario;

/// Parts of a run whose scatter tells its error.
const PARTS: usize = 40;

/// Requests awaited at a time.
const CHUNK: usize = 500;

/// What is kept of a request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    ttft: Option<f64>,
    tpot: Option<f64>,
    latency: Option<f64>,
    failed: bool,
}

/// A run at one load, warm-up discarded.
#[derive(Debug)]
pub(crate) struct Steady {
    /// In the order in which they were sent.
    pub(crate) samples: Vec<Sample>,
    /// Tokens of answers a second.
    pub(crate) tokens_per_s: f64,
    /// Successful requests a second.
    pub(crate) requests_per_s: f64,
    /// Of the successful ones.
    pub(crate) mean_latency: Nanos,
}

/// How far a run is from a limit: negative where it is met.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Distance {
    /// See the module.
    pub(crate) value: f64,
    /// Its standard error.
    pub(crate) error: f64,
}

/// How long and how a run goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length {
    /// Requests that count; a tenth of that, and four waves of users, go before.
    pub(crate) requests: usize,
    /// Users join evenly over this time.
    pub(crate) join_over: Nanos,
    /// Of everything random.
    pub(crate) seed: u64,
}

impl Steady {
    /// Runs the engine at one load.
    pub(crate) fn run(scenario: &Scenario, profile: &Profile, load: f64, length: Length) -> Self {
        let mut session = session(scenario, profile, length.seed);
        let waves = match scenario.variable {
            Variable::Users => load as usize * 4,
            Variable::Rate => 0,
        };
        let skipped = length.requests / 10 + waves;
        let load = load_of(scenario.variable, load);
        session.change(load, length.join_over, Abort::Nothing);
        let mut run = Window::new(skipped as u64, length.requests);
        while run.missing > 0 {
            for record in session.run_until(Until::Ended(CHUNK)) {
                run.take(&record);
            }
        }
        run.close()
    }

    /// How far it is from a limit.
    pub(crate) fn distance(&self, criterion: &Criterion, slo: &Slo) -> Distance {
        match criterion.measure {
            Measure::Time(Statistic::Mean, time) => self.mean_distance(time, criterion.threshold),
            Measure::Time(Statistic::Quantile(q), time) => self.share_distance(1.0 - q, |sample| {
                sample
                    .failed
                    .then_some(true)
                    .or(sample.time(time).map(|secs| secs > criterion.threshold))
            }),
            Measure::Goodput => self.share_distance(1.0 - criterion.threshold, |sample| {
                let kept = |&(time, limit): &(Timed, f64)| {
                    sample.time(time).is_none_or(|secs| secs <= limit)
                };
                Some(sample.failed || !slo.limits.iter().all(kept))
            }),
            Measure::Throughput(_) | Measure::SuccessRate => {
                unreachable!("no scenario limits throughput or success")
            }
        }
    }

    /// Whether any request failed.
    pub(crate) fn has_failures(&self) -> bool {
        self.samples.iter().any(|sample| sample.failed)
    }

    /// The quantile of a time in seconds: for choosing limits.
    pub(crate) fn quantile(&self, quantile: f64, time: Timed) -> f64 {
        let mut values: Vec<f64> = self.times(time).collect();
        values.sort_unstable_by(f64::total_cmp);
        let index = (quantile * values.len() as f64) as usize;
        values[index.min(values.len() - 1)]
    }

    /// The mean of a time in seconds.
    pub(crate) fn mean(&self, time: Timed) -> f64 {
        mean(&self.times(time).collect::<Vec<_>>())
    }

    fn times(&self, time: Timed) -> impl Iterator<Item = f64> {
        self.samples
            .iter()
            .filter_map(move |sample| sample.time(time))
    }

    fn mean_distance(&self, time: Timed, limit: f64) -> Distance {
        let values: Vec<f64> = self.times(time).collect();
        let centre = mean(&values);
        Distance {
            value: (centre / limit).ln(),
            error: error_of_mean(&values) / centre,
        }
    }

    /// `over` says whether a request counts as a violation; `None` where it does not count at all.
    fn share_distance(&self, allowed: f64, over: impl Fn(&Sample) -> Option<bool>) -> Distance {
        let flags: Vec<f64> = self
            .samples
            .iter()
            .filter_map(|sample| over(sample).map(|over| f64::from(u8::from(over))))
            .collect();
        let count = flags.len() as f64;
        // Half a request each way keeps the logarithm finite.
        let share = (flags.iter().sum::<f64>() + 0.5) / (count + 1.0);
        let error = error_of_mean(&flags).max((share / count).sqrt() * 0.5);
        Distance {
            value: log_odds(share) - log_odds(allowed),
            error: error / (share * (1.0 - share)),
        }
    }
}

impl Sample {
    fn of(record: &RequestRecord) -> Self {
        if !record.succeeded() {
            return Self {
                failed: true,
                ..Self::default()
            };
        }
        Self {
            ttft: record.ttft_from_due().map(Nanos::as_secs_f64),
            tpot: record.tpot().map(Nanos::as_secs_f64),
            latency: Some(record.latency_from_due().as_secs_f64()),
            failed: false,
        }
    }

    fn time(&self, time: Timed) -> Option<f64> {
        match time {
            Timed::Latency => self.latency,
            Timed::Ttft => self.ttft,
            Timed::Tpot => self.tpot,
            Timed::Itl => unreachable!("no scenario limits gaps"),
        }
    }
}

/// The requests that count, as they end.
struct Window {
    first: u64,
    samples: Vec<Sample>,
    missing: usize,
    opened: Option<Nanos>,
    closed: Nanos,
    tokens: u64,
    succeeded: u64,
}

impl Window {
    fn new(first: u64, count: usize) -> Self {
        Self {
            first,
            samples: vec![Sample::default(); count],
            missing: count,
            opened: None,
            closed: Nanos::ZERO,
            tokens: 0,
            succeeded: 0,
        }
    }

    fn take(&mut self, record: &RequestRecord) {
        if record.index < self.first || self.missing == 0 {
            return;
        }
        if self.opened.is_none() {
            self.opened = Some(record.end);
        } else {
            self.closed = record.end;
            self.tokens += u64::from(record.output_tokens.map_or(0, |tokens| tokens.count));
            self.succeeded += u64::from(record.succeeded());
        }
        let position = (record.index - self.first) as usize;
        if let Some(sample) = self.samples.get_mut(position) {
            *sample = Sample::of(record);
            self.missing -= 1;
        }
    }

    fn close(self) -> Steady {
        let opened = self.opened.unwrap_or_default();
        let span = self.closed.saturating_sub(opened).as_secs_f64().max(1e-9);
        let latencies: Vec<f64> = self.samples.iter().filter_map(|s| s.latency).collect();
        Steady {
            tokens_per_s: self.tokens as f64 / span,
            requests_per_s: self.succeeded as f64 / span,
            mean_latency: Nanos::from_secs_f64(mean(&latencies)),
            samples: self.samples,
        }
    }
}

/// `ln(p / (1 - p))`.
pub(crate) fn log_odds(share: f64) -> f64 {
    (share / (1.0 - share)).ln()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / (values.len() as f64).max(1.0)
}

/// From the scatter of the means of consecutive parts.
fn error_of_mean(values: &[f64]) -> f64 {
    let size = (values.len() / PARTS).max(1);
    let means: Vec<f64> = values.chunks_exact(size).map(mean).collect();
    let centre = mean(&means);
    let squares: f64 = means.iter().map(|value| (value - centre).powi(2)).sum();
    let count = means.len() as f64;
    (squares / (count * (count - 1.0)).max(1.0)).sqrt()
}
