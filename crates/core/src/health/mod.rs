//! Was the client itself the bottleneck? What it observed of itself during a run, and what that means for the run.
//!
//! Plain data that the load engine fills in; measures nothing itself. Limits are constants here and explained in
//! `docs/metrics.md`.

mod node;
mod verdict;

use serde::{Deserialize, Serialize};

use crate::record::{FailureKind, Phase, RequestRecord};
use crate::stats::{Histogram, Sample};
use crate::units::Nanos;

pub use node::{ClockFit, Loss, NodeHealth};
pub use verdict::{
    BUSY_SHARE, BUSY_WALL, HealthVerdict, LOOP_LAG_FLOOR, LOOP_LAG_SHARE, PACE_SENDS, PACE_SHARE,
    READ_LAG_FLOOR, READ_LAG_SHARE, SEND_LAG_FLOOR, SEND_LAG_SHARE, STARVED_SHARE, STARVED_WAIT,
    Slow, VoidReason,
};

/// Send lags kept exactly; more are counted in a histogram.
const EXACT_LAGS: usize = 100_000;

/// How well the client did its own work. Parts of a run merge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientHealth {
    /// How late requests were sent by the client's own fault, in ns: [`RequestRecord::send_lag`].
    pub send_lag: Sample,
    /// From when bytes reached this machine to the end of their handling, in ns; where the system does not stamp them, from
    /// the socket read that brought them.
    pub read_lag: Histogram,
    /// Socket reads whose bytes the system had not stamped: their times are those of the reads.
    #[serde(default)]
    pub unstamped: u64,
    /// How late the event loops came back to their timers, in ns.
    pub loop_lag: Histogram,
    /// Socket reads that brought something.
    pub reads: u64,
    /// Server-sent events in these.
    pub events: u64,
    /// Processor use of each worker thread.
    pub workers: Vec<WorkerUse>,
    /// Due times and sends of an open loop.
    pub pace: Pace,
    /// Sends that had to wait for the preparation of their request.
    pub starved: Starved,
    /// How fast what is the user's own made requests and read answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<OwnPace>,
    /// The parts of machines that applied the load together; what stands above is of all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeHealth>,
}

/// Processor time of one worker thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WorkerUse {
    /// Time it was running.
    pub cpu: Nanos,
    /// Time that passed.
    pub wall: Nanos,
}

impl WorkerUse {
    /// Running share of the time, 0..=1; zero where no time passed.
    pub fn share(&self) -> f64 {
        if self.wall == Nanos::ZERO {
            return 0.0;
        }
        (self.cpu.as_secs_f64() / self.wall.as_secs_f64()).min(1.0)
    }
}

/// Requests whose content was not ready when they were due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Starved {
    /// How many.
    pub sends: u64,
    /// How long they waited in all.
    pub wait: Nanos,
}

/// What something of the user's own does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnPart {
    /// A data set makes items.
    Items,
    /// A request builder makes bodies.
    Bodies,
    /// A response parser reads answers, when they have ended.
    Answers,
}

/// How fast something of the user's own was: a data set, a request builder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnPace {
    /// What it does.
    pub part: OwnPart,
    /// What the user calls it.
    pub name: String,
    /// How often it was called.
    pub calls: u64,
    /// How long all calls took together.
    pub busy: Nanos,
    /// Threads that called it, together.
    pub threads: u64,
}

impl OwnPace {
    /// Calls a second that it had time for: `threads * calls / busy`; `None` where they took no time.
    pub fn per_s(&self) -> Option<f64> {
        let busy = self.busy.as_secs_f64();
        (busy > 0.0).then(|| self.threads as f64 * self.calls as f64 / busy)
    }
}

/// The first and last of the times that a schedule asks for and that came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pace {
    /// Counted requests that were sent.
    pub sends: u64,
    /// Times at which they were due.
    pub due: Option<Span>,
    /// Times at which they would have been sent but for the client: due and the client's own lag, without the wait for
    /// the concurrency limit and for a connection.
    pub ready: Option<Span>,
    /// Times at which they were sent.
    pub sent: Option<Span>,
}

/// The earliest and the latest of some times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Earliest.
    pub first: Nanos,
    /// Latest.
    pub last: Nanos,
}

impl Default for ClientHealth {
    fn default() -> Self {
        Self {
            send_lag: Sample::new(EXACT_LAGS),
            read_lag: Histogram::default(),
            unstamped: 0,
            loop_lag: Histogram::default(),
            reads: 0,
            events: 0,
            workers: Vec::new(),
            pace: Pace::default(),
            starved: Starved::default(),
            own: Vec::new(),
            nodes: Vec::new(),
        }
    }
}

impl ClientHealth {
    /// Takes send lag and pace from a request that has ended. Ignores the warm-up, and requests that never had a
    /// connection or were called off. One that was sent again on a new connection has a pace, but no lag: its `sent` is
    /// not the moment the client chose.
    pub fn add(&mut self, record: &RequestRecord) {
        if record.phase == Phase::Warmup || never_sent(record) {
            return;
        }
        if record.reconnects > 0 {
            self.pace.add(record.due, record.due, record.sent);
            return;
        }
        self.send_lag.add(record.send_lag().0);
        let ready = record.due.saturating_add(record.send_lag());
        self.pace.add(record.due, ready, record.sent);
    }

    /// Takes over what another part of the client observed of itself.
    pub fn merge(&mut self, other: Self) {
        self.send_lag.merge(other.send_lag);
        self.read_lag.merge(&other.read_lag);
        self.unstamped += other.unstamped;
        self.loop_lag.merge(&other.loop_lag);
        self.reads += other.reads;
        self.events += other.events;
        self.workers.extend(other.workers);
        self.pace.merge(&other.pace);
        self.starved.sends += other.starved.sends;
        self.starved.wait += other.starved.wait;
        other.own.into_iter().for_each(|own| self.add_own(own));
        self.nodes.extend(other.nodes);
    }

    fn add_own(&mut self, other: OwnPace) {
        match self
            .own
            .iter_mut()
            .find(|own| (own.part, &own.name) == (other.part, &other.name))
        {
            Some(own) => {
                own.calls += other.calls;
                own.busy += other.busy;
                own.threads = own.threads.max(other.threads);
            }
            None => self.own.push(other),
        }
    }

    /// Takes over the part of one machine of several, and keeps it beside the whole.
    pub fn merge_node(&mut self, node: NodeHealth) {
        self.merge(node.health.clone());
        self.nodes.push(node);
    }

    /// The same on a clock that shows `by_ns` nanoseconds more.
    pub fn moved(mut self, by_ns: i64) -> Self {
        let pace = &mut self.pace;
        for span in [&mut pace.due, &mut pace.ready, &mut pace.sent] {
            *span = span.map(|span| Span {
                first: span.first.moved(by_ns),
                last: span.last.moved(by_ns),
            });
        }
        self
    }

    /// Server-sent events a socket read brought, on average. Well above 1, tokens came several at a time, or the client
    /// read late.
    pub fn events_per_read(&self) -> Option<f64> {
        (self.reads > 0).then(|| self.events as f64 / self.reads as f64)
    }

    /// The worker that was busiest.
    pub fn busiest(&self) -> Option<WorkerUse> {
        self.workers
            .iter()
            .copied()
            .max_by(|one, other| one.share().total_cmp(&other.share()))
    }
}

impl Pace {
    fn add(&mut self, due: Nanos, ready: Nanos, sent: Nanos) {
        self.merge(&Self {
            sends: 1,
            due: Some(Span::at(due)),
            ready: Some(Span::at(ready)),
            sent: Some(Span::at(sent)),
        });
    }

    fn merge(&mut self, other: &Self) {
        self.sends += other.sends;
        self.due = Span::around(self.due, other.due);
        self.ready = Span::around(self.ready, other.ready);
        self.sent = Span::around(self.sent, other.sent);
    }

    /// Sends a second that the schedule asked for, as it was drawn: between the first and the last due time.
    pub fn asked(&self) -> Option<f64> {
        self.rate(self.due)
    }

    /// Sends a second that came of it.
    pub fn achieved(&self) -> Option<f64> {
        self.rate(self.sent)
    }

    /// The rate that the client alone would have kept, with free slots and connections at hand, as a share of the asked
    /// one. It compares with the times as drawn, so that the chance in a Poisson process does not count.
    pub fn kept(&self) -> Option<f64> {
        Some(self.rate(self.ready)? / self.asked()?)
    }

    fn rate(&self, span: Option<Span>) -> Option<f64> {
        let span = span?;
        let seconds = span.last.saturating_sub(span.first).as_secs_f64();
        (self.sends > 1 && seconds > 0.0).then(|| (self.sends - 1) as f64 / seconds)
    }
}

impl Span {
    fn at(time: Nanos) -> Self {
        Self {
            first: time,
            last: time,
        }
    }

    fn around(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let (Some(a), Some(b)) = (one, other) else {
            return one.or(other);
        };
        Some(Self {
            first: a.first.min(b.first),
            last: a.last.max(b.last),
        })
    }
}

/// Had no connection, or was called off.
pub(crate) fn never_sent(record: &RequestRecord) -> bool {
    record.failure.as_ref().is_some_and(|failure| {
        matches!(
            failure.kind,
            FailureKind::Dns
                | FailureKind::ConnectRefused
                | FailureKind::ConnectTimeout
                | FailureKind::Connect
                | FailureKind::Tls
                | FailureKind::Cancelled
                | FailureKind::NotMade
        )
    })
}

#[cfg(test)]
mod tests;
