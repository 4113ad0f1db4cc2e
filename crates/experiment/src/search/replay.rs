//! A session that is put together from whole runs: each is made by somebody else, from an empty service to an empty one, and
//! played back request by request as if the service had been kept at that load.
//!
//! Two parts of a run are not the load and are not played: the beginning, in which the service fills, and the end, in which
//! it only empties. What a longer run would have shown it cannot know: in an open loop near saturation a queue needs time to
//! build. Makes no run itself.

use std::collections::VecDeque;

use crestline_core::record::{Failure, FailureKind, InFlight, RequestRecord};
use crestline_core::request::Load;
use crestline_core::search::Abort;
use crestline_core::units::Nanos;

use super::drive::LoadSession;

/// Latencies of the first request after which an open loop counts as filled.
const FILLING: u64 = 2;
/// Share of a run that filling takes at most.
const MOST_FILLING: u64 = 5;

/// Makes whole runs.
pub trait WholeRuns {
    /// What can go wrong with one.
    type Error: From<NothingToPlay>;

    /// Makes one more run at a load, and gives its requests, whose times count from anywhere.
    fn run(&mut self, load: Load) -> Result<Vec<RequestRecord>, Self::Error>;
}

/// A run was over before the service was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run of {requests} requests is too short: it was over before all users had an answer")]
pub struct NothingToPlay {
    /// That it had.
    pub requests: usize,
}

/// The session.
#[derive(Debug)]
pub struct Replay<R> {
    runs: R,
    now: Nanos,
    load: Option<Load>,
    /// Requests of the present run that are not sent yet, in order.
    ahead: VecDeque<RequestRecord>,
    /// Requests that are sent and have not ended.
    in_flight: Vec<RequestRecord>,
    /// When the present run is played out; nothing is played before the first.
    played_out: Nanos,
    /// Requests of all runs so far.
    next_index: u64,
}

impl<R: WholeRuns> Replay<R> {
    /// Before the first run.
    pub fn new(runs: R) -> Self {
        Self {
            runs,
            now: Nanos::ZERO,
            load: None,
            ahead: VecDeque::new(),
            in_flight: Vec::new(),
            played_out: Nanos::ZERO,
            next_index: 0,
        }
    }

    /// Whoever makes the runs.
    pub fn into_runs(self) -> R {
        self.runs
    }

    /// Makes a run and lays it behind what was played.
    fn begin(&mut self, load: Load) -> Result<(), R::Error> {
        let mut records = self.runs.run(load)?;
        records.sort_by_key(|record| (record.sent, record.index));
        let (Some(full), Some(last)) = (filled(&records, load), records.last()) else {
            return Err(NothingToPlay { requests: 0 }.into());
        };
        if last.sent <= full {
            let requests = records.len();
            return Err(NothingToPlay { requests }.into());
        }
        let (begin, end) = (self.now, last.sent);
        self.played_out = begin + end.saturating_sub(full);
        let is_load = |record: &RequestRecord| (full..end).contains(&record.sent);
        let counted = records.into_iter().filter(is_load);
        for record in counted {
            let index = self.next_index;
            self.next_index += 1;
            self.ahead.push_back(RequestRecord {
                index,
                ..moved(record, full, begin)
            });
        }
        Ok(())
    }

    /// Lets time pass within what is laid out.
    fn play(&mut self, until: Nanos, each: &mut dyn FnMut(RequestRecord)) {
        while let Some(next) = self.ahead.front() {
            if next.sent > until {
                break;
            }
            self.in_flight.extend(self.ahead.pop_front());
        }
        self.now = until;
        let (mut ended, still) = std::mem::take(&mut self.in_flight)
            .into_iter()
            .partition::<Vec<_>, _>(|record| record.end <= until);
        self.in_flight = still;
        ended.sort_by_key(|record| (record.end, record.index));
        ended.into_iter().for_each(each);
    }
}

impl<R: WholeRuns> LoadSession for Replay<R> {
    type Error = R::Error;

    fn now(&self) -> Nanos {
        self.now
    }

    fn change(&mut self, load: Load, _join_over: Nanos, abort: Abort) -> Result<(), R::Error> {
        self.load = Some(load);
        self.ahead.clear();
        self.played_out = self.now;
        if abort != Abort::Nothing {
            // The next run begins with an empty service: all of them are gone.
            for record in &mut self.in_flight {
                record.end = self.now;
                record.failure = Some(Failure {
                    kind: FailureKind::Cancelled,
                    text: String::new(),
                });
            }
        }
        Ok(())
    }

    fn advance(
        &mut self,
        until: Nanos,
        each: &mut dyn FnMut(RequestRecord),
    ) -> Result<(), R::Error> {
        while self.now < until {
            if let Some(load) = self.load
                && self.played_out <= self.now
            {
                self.begin(load)?;
            }
            let end = if self.load.is_some() {
                until.min(self.played_out)
            } else {
                until
            };
            self.play(end, each);
        }
        self.play(until, each);
        Ok(())
    }

    fn list_in_flight(&self, list: &mut Vec<InFlight>) {
        list.clear();
        list.extend(self.in_flight.iter().map(|record| seen(record, self.now)));
    }
}

/// When the service is full: in a closed loop when as many requests have ended as there are users, so that all have sent
/// their second; in an open one after a few latencies.
fn filled(records: &[RequestRecord], load: Load) -> Option<Nanos> {
    let (first, last) = (records.first()?, records.last()?);
    if load.rate().is_some() {
        let few = first.latency().0 * FILLING;
        let most = last.sent.saturating_sub(first.sent).0 / MOST_FILLING;
        return Some(first.sent + Nanos(few.min(most)));
    }
    let users = load.concurrency?.get() as usize;
    let mut ends: Vec<Nanos> = records.iter().map(|record| record.end).collect();
    ends.sort_unstable();
    ends.get(users.min(ends.len()) - 1).copied()
}

/// The same request at another time.
fn moved(record: RequestRecord, from: Nanos, to: Nanos) -> RequestRecord {
    let moved = |at: Nanos| Nanos((at.0 + to.0).saturating_sub(from.0));
    RequestRecord {
        due: moved(record.due),
        sent: moved(record.sent),
        first_byte: record.first_byte.map(moved),
        first_token: record.first_token.map(moved),
        first_reasoning: record.first_reasoning.map(moved),
        first_answer: record.first_answer.map(moved),
        last_token: record.last_token.map(moved),
        end: moved(record.end),
        ..record
    }
}

/// What had been seen of a request by now: tokens are taken to have come evenly.
fn seen(record: &RequestRecord, now: Nanos) -> InFlight {
    let first_token = record.first_token.filter(|first| *first <= now);
    let tokens = record.output_tokens.map_or(0, |tokens| tokens.count);
    let span = |from: Nanos, to: Nanos| to.saturating_sub(from).as_secs_f64();
    let part = match (first_token, record.last_token) {
        (Some(first), Some(last)) if last > first => span(first, now) / span(first, last),
        (Some(_), _) => 1.0,
        _ => 0.0,
    };
    InFlight {
        index: record.index,
        due: record.due,
        sent: record.sent,
        first_token,
        output_tokens: (part.min(1.0) * f64::from(tokens)) as u32,
        expected_tokens: None,
    }
}

#[cfg(test)]
mod tests;
