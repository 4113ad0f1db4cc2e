//! The limits of client health, and what is said when one is passed.
//!
//! Judges the client only: how the server did is no reason here.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ClientHealth, Loss, OwnPart};
use crate::metrics::Metric;
use crate::summary::RunSummary;
use crate::units::Nanos;

/// Least share of the asked rate that the client must keep.
pub const PACE_SHARE: f64 = 0.98;
/// Sends from which the rate is judged: a single late one moves the rate of fewer too much.
pub const PACE_SENDS: u64 = 100;
/// Send lag that is never too much.
pub const SEND_LAG_FLOOR: Nanos = Nanos::from_millis(10);
/// Highest p99 of the send lag, as a share of the median TTFT (of the median latency in a closed loop, or where there is
/// no TTFT).
pub const SEND_LAG_SHARE: f64 = 0.1;
/// Read lag that is never too much.
pub const READ_LAG_FLOOR: Nanos = Nanos::from_millis(5);
/// Highest p99 of the read lag, as a share of the median latency; where reads are not stamped by the system, of the median
/// gap (of the median TTFT, where there are no gaps).
pub const READ_LAG_SHARE: f64 = 0.1;
/// Loop lag that is never too much.
pub const LOOP_LAG_FLOOR: Nanos = Nanos::from_millis(10);
/// Highest p99 of the loop lag, as a share of the median latency; where reads are not stamped by the system, of the median
/// TTFT.
pub const LOOP_LAG_SHARE: f64 = 0.1;
/// Highest share of the time that a worker may be running.
pub const BUSY_SHARE: f64 = 0.9;
/// Run length from which processor use is judged.
pub const BUSY_WALL: Nanos = Nanos::from_secs(1);
/// Highest share of sends that may wait for their preparation.
pub const STARVED_SHARE: f64 = 0.01;
/// Mean wait of those sends that is never too much.
pub const STARVED_WAIT: Nanos = Nanos::from_millis(1);

/// Whether the figures of a run are the server's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthVerdict {
    /// The client kept up.
    Sound,
    /// The client was the bottleneck: the run neither passes nor fails anything.
    Void(Vec<VoidReason>),
}

/// Why a run is void.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidReason {
    /// The client fell behind the asked rate.
    Pace {
        /// Share of the asked rate that it kept.
        kept: f64,
        /// Sends a second, asked.
        asked: f64,
    },
    /// Requests were sent late.
    SendLag {
        /// p99 of the lag.
        p99: Nanos,
        /// Highest that is allowed.
        limit: Nanos,
    },
    /// Bytes were handled late.
    ReadLag {
        /// p99 of the lag.
        p99: Nanos,
        /// Highest that is allowed.
        limit: Nanos,
    },
    /// What had arrived waited for its turn.
    LoopLag {
        /// p99 of the lag.
        p99: Nanos,
        /// Highest that is allowed.
        limit: Nanos,
    },
    /// A worker had hardly any time left.
    Busy {
        /// Running share of the time of the busiest worker.
        share: f64,
        /// Workers beyond the limit.
        workers: usize,
    },
    /// Requests were not ready when they were due.
    Starved {
        /// Share of the sends.
        share: f64,
        /// Their mean wait.
        wait: Nanos,
        /// What of the user's own was slowest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        own: Option<Slow>,
    },
    /// The user's own parser read fewer answers than came.
    Unread(Slow),
    /// One of several machines that applied the load was the bottleneck.
    Node {
        /// What it is called.
        name: String,
        /// Why it was.
        reason: Box<VoidReason>,
    },
    /// One of several machines did not do its part of the load.
    Lost {
        /// What it is called.
        name: String,
        /// When it was lost, and what is known of it.
        loss: Loss,
    },
}

/// Something of the user's own that gave less than was due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slow {
    /// What it does.
    pub part: OwnPart,
    /// What the user calls it.
    pub name: String,
    /// How many a second it had time for.
    pub gave: f64,
    /// How many a second were due; `None` in a closed loop.
    pub due: Option<f64>,
}

impl HealthVerdict {
    /// The client kept up.
    pub fn is_sound(&self) -> bool {
        matches!(self, Self::Sound)
    }
}

impl ClientHealth {
    /// Judges the client against what it measured. A client that observed nothing (virtual time) is sound. Of several
    /// machines each is judged alone: where all are sound, so is the whole.
    pub fn verdict(&self, summary: &RunSummary) -> HealthVerdict {
        let reasons = if self.nodes.is_empty() {
            self.own_reasons(summary).collect()
        } else {
            self.nodes_reasons(summary)
        };
        if reasons.is_empty() {
            HealthVerdict::Sound
        } else {
            HealthVerdict::Void(reasons)
        }
    }

    fn own_reasons(&self, summary: &RunSummary) -> impl Iterator<Item = VoidReason> {
        [
            self.lost_pace(summary),
            self.late_sends(summary),
            self.late_reads(summary),
            self.late_loops(summary),
            self.busy_workers(),
            self.starved_sends(),
            self.slow_parser(),
        ]
        .into_iter()
        .flatten()
    }

    /// Lost machines first: the others may have suffered from what was lost.
    fn nodes_reasons(&self, summary: &RunSummary) -> Vec<VoidReason> {
        let lost = self.nodes.iter().filter_map(|node| {
            let name = node.name.clone();
            let loss = node.lost.clone()?;
            Some(VoidReason::Lost { name, loss })
        });
        let slow = self.nodes.iter().flat_map(|node| {
            let reasons = node.health.own_reasons(summary);
            reasons.map(|reason| VoidReason::Node {
                name: node.name.clone(),
                reason: reason.into(),
            })
        });
        lost.chain(slow).collect()
    }

    fn lost_pace(&self, summary: &RunSummary) -> Option<VoidReason> {
        summary.point().load.rate()?;
        let (kept, asked) = (self.pace.kept()?, self.pace.asked()?);
        (self.pace.sends >= PACE_SENDS && kept < PACE_SHARE)
            .then_some(VoidReason::Pace { kept, asked })
    }

    fn late_sends(&self, summary: &RunSummary) -> Option<VoidReason> {
        // Without arrivals a late request only delays its own user's next one: it counts beside the whole latency.
        let beside = match summary.point().load.rate() {
            Some(_) => [Metric::Ttft, Metric::Latency],
            None => [Metric::Latency, Metric::Latency],
        };
        let share = of_median(SEND_LAG_SHARE, summary, beside);
        let limit = SEND_LAG_FLOOR.max(share);
        let p99 = Nanos(self.send_lag.quantile(tail(self.send_lag.len())?)? as u64);
        (p99 > limit).then_some(VoidReason::SendLag { p99, limit })
    }

    fn late_reads(&self, summary: &RunSummary) -> Option<VoidReason> {
        let beside = self.beside([Metric::Itl, Metric::Ttft]);
        let share = of_median(READ_LAG_SHARE, summary, beside);
        let limit = READ_LAG_FLOOR.max(share);
        let p99 = Nanos(self.read_lag.quantile(tail(self.read_lag.count())?)? as u64);
        (p99 > limit).then_some(VoidReason::ReadLag { p99, limit })
    }

    fn late_loops(&self, summary: &RunSummary) -> Option<VoidReason> {
        let beside = self.beside([Metric::Ttft, Metric::Latency]);
        let share = of_median(LOOP_LAG_SHARE, summary, beside);
        let limit = LOOP_LAG_FLOOR.max(share);
        let p99 = Nanos(self.loop_lag.quantile(tail(self.loop_lag.count())?)? as u64);
        (p99 > limit).then_some(VoidReason::LoopLag { p99, limit })
    }

    /// What lateness of reading counts beside: with stamps it is in no time, and only delays a user's next request, as much
    /// of a latency as it is long; without them it is in the times that are given.
    fn beside(&self, times: [Metric; 2]) -> [Metric; 2] {
        if self.unstamped == 0 {
            [Metric::Latency, Metric::Latency]
        } else {
            times
        }
    }

    fn busy_workers(&self) -> Option<VoidReason> {
        let busy =
            |worker: &&super::WorkerUse| worker.wall > BUSY_WALL && worker.share() > BUSY_SHARE;
        let shares = self
            .workers
            .iter()
            .filter(busy)
            .map(super::WorkerUse::share);
        let workers = shares.clone().count();
        let share = shares.max_by(f64::total_cmp)?;
        Some(VoidReason::Busy { share, workers })
    }

    fn starved_sends(&self) -> Option<VoidReason> {
        let sends = self.starved.sends;
        let share = sends as f64 / self.pace.sends.max(1) as f64;
        if sends == 0 || share <= STARVED_SHARE {
            return None;
        }
        let wait = self.starved.wait / sends;
        let own = self.slowest();
        (wait > STARVED_WAIT).then_some(VoidReason::Starved { share, wait, own })
    }

    /// A parser that falls behind takes processor time from the rest for as long as it is behind.
    fn slow_parser(&self) -> Option<VoidReason> {
        let parser = self.own.iter().find(|own| own.part == OwnPart::Answers)?;
        let (gave, came) = (parser.per_s()?, self.pace.achieved()?);
        (self.pace.sends >= PACE_SENDS && gave < came).then(|| {
            VoidReason::Unread(Slow {
                part: parser.part,
                name: parser.name.clone(),
                gave,
                due: Some(came),
            })
        })
    }

    /// What of the user's own gave least.
    fn slowest(&self) -> Option<Slow> {
        let due = self.pace.asked();
        let makers = self.own.iter().filter(|own| own.part != OwnPart::Answers);
        let paces = makers.filter_map(|own| {
            Some(Slow {
                part: own.part,
                name: own.name.clone(),
                gave: own.per_s()?,
                due,
            })
        });
        paces.min_by(|one, other| one.gave.total_cmp(&other.gave))
    }
}

/// The quantile that is judged: p99, or with 100 values or fewer the second largest, so that one hiccup of the machine
/// does not void a short run. `None` with fewer than two values.
fn tail(count: u64) -> Option<f64> {
    let steps = count.checked_sub(1).filter(|&steps| steps > 0)?;
    Some((1.0 - 1.0 / steps as f64).min(0.99))
}

/// That share of the median of the first metric that was measured; zero where neither was.
fn of_median(share: f64, summary: &RunSummary, metrics: [Metric; 2]) -> Nanos {
    let median = metrics
        .into_iter()
        .find_map(|metric| summary.quantile(metric, 0.5));
    Nanos::from_secs_f64(share * median.unwrap_or_default())
}

impl VoidReason {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Pace { .. } => {
                "lower the rate, give the client more worker threads, or send from more machines"
            }
            Self::SendLag { .. } | Self::ReadLag { .. } | Self::LoopLag { .. } => {
                "give the client processors of its own, more worker threads, or another machine than the server's"
            }
            Self::Busy { .. } => "give the client more worker threads, or send from more machines",
            Self::Starved { own: Some(_), .. } | Self::Unread(_) => {
                "make it faster (work done before the load costs nothing), or lower the load; give the preparation of requests \
                 more threads where it waits"
            }
            Self::Starved { .. } => {
                "give the preparation of requests more threads, or a data set that needs less of it"
            }
            Self::Node { reason, .. } => reason.hint(),
            Self::Lost { .. } => {
                "look into that machine's own log, and run the load again; what had arrived is in the database"
            }
        }
    }
}

impl fmt::Display for VoidReason {
    /// The figure and its limit.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pace { kept, asked } => write!(
                out,
                "the client kept {:.1} % of the asked {asked:.4} req/s (limit {:.0} %)",
                percent(*kept),
                percent(PACE_SHARE)
            ),
            Self::SendLag { p99, limit } => lag(out, "requests were sent late", *p99, *limit),
            Self::ReadLag { p99, limit } => lag(out, "responses were read late", *p99, *limit),
            Self::LoopLag { p99, limit } => {
                lag(out, "the client's event loop was late", *p99, *limit)
            }
            Self::Busy { share, workers } => write!(
                out,
                "{workers} of the client's workers had no time left: processor use {:.0} % (limit {:.0} %)",
                percent(*share),
                percent(BUSY_SHARE)
            ),
            Self::Starved { share, wait, own } => {
                write!(
                    out,
                    "requests were not prepared in time: {:.1} % of the sends waited (limit {:.0} %), {:.1} ms on average",
                    percent(*share),
                    percent(STARVED_SHARE),
                    wait.as_millis_f64()
                )?;
                own.as_ref().map_or(Ok(()), |own| write!(out, "; {own}"))
            }
            Self::Unread(slow) => write!(out, "answers were not read in time: {slow}"),
            Self::Node { name, reason } => write!(out, "{name}: {reason}"),
            Self::Lost { name, loss } => write!(
                out,
                "{name} was lost at {:.1} s: {}",
                loss.after.as_secs_f64(),
                loss.why
            ),
        }
    }
}

impl fmt::Display for Slow {
    /// What it gave, and what was due.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, things) = match self.part {
            OwnPart::Items => ("data set", "items"),
            OwnPart::Bodies => ("request builder", "bodies"),
            OwnPart::Answers => ("response parser", "answers"),
        };
        write!(
            out,
            "the {what} `{}` gave {:.0} {things}/s",
            self.name, self.gave
        )?;
        self.due
            .map_or(Ok(()), |due| write!(out, ", {due:.0}/s were due"))
    }
}

fn lag(out: &mut fmt::Formatter<'_>, what: &str, p99: Nanos, limit: Nanos) -> fmt::Result {
    let (p99, limit) = (p99.as_millis_f64(), limit.as_millis_f64());
    write!(
        out,
        "{what}: p99 of the lag {p99:.1} ms (limit {limit:.1} ms)"
    )
}

fn percent(share: f64) -> f64 {
    share * 100.0
}
