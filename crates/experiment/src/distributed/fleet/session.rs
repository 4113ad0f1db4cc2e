//! A load by all workers that is changed in place: one session, as a search drives it.

use crestline_core::health::{ClientHealth, Loss};
use crestline_core::record::{InFlight, RequestRecord};
use crestline_core::request::Load;
use crestline_core::search::Abort;
use crestline_core::units::Nanos;
use crestline_load::engine::Stop;

use super::listener::Word;
use super::{Fleet, FleetError, LOOK_EVERY};
use crate::distributed::wire::{Beside, Heard, Order, Report};

/// Between two looks at the workers' health.
const HEALTH_EVERY: Nanos = Nanos::from_millis(500);

/// A session of all workers. One that is lost ends it: nothing more is sent, and [`Fleet::lost`] tells why.
pub(crate) struct FleetSession {
    fleet: Fleet,
    began: Nanos,
    turn: u64,
    parts: Vec<PartView>,
    in_flight: Vec<InFlight>,
    /// Since it was last taken.
    health: Vec<ClientHealth>,
    health_at: Nanos,
    /// The latest time that any record has: the session's time is never before it.
    latest: Nanos,
    /// How often workers were told to stop.
    stops: u8,
}

/// What is known of one worker.
#[derive(Default)]
struct PartView {
    /// The look that it has answered.
    turn: u64,
    in_flight: Vec<InFlight>,
    /// Of the answer to the present look.
    kept: Option<ClientHealth>,
    /// Handed over since the health was last taken.
    records: u64,
    done: bool,
    lost: Option<Loss>,
}

/// Who is handed what ends.
type Each<'a> = dyn FnMut(RequestRecord) + 'a;

impl FleetSession {
    /// Without a load at first; `most` is the highest that may come.
    pub(crate) fn open(mut fleet: Fleet, most: Load, first_item: u64) -> Result<Self, FleetError> {
        fleet.fit_clocks()?;
        for number in 0..fleet.nodes.len() {
            let shift_ns = fleet.shift_of(number);
            let order = Order::OpenSession {
                most,
                first_item,
                shift_ns,
            };
            fleet.tell(number, &order);
        }
        fleet.gather(Nanos::MAX, |word| match word {
            Word::Heard(Heard::Report(Report::InSession)) => Some(()),
            _ => None,
        })?;
        let now = fleet.now();
        let parts = fleet.nodes.iter().map(|_| PartView::default());
        Ok(Self {
            parts: parts.collect(),
            health: fleet
                .nodes
                .iter()
                .map(|_| ClientHealth::default())
                .collect(),
            fleet,
            began: now,
            turn: 0,
            in_flight: Vec::new(),
            health_at: now,
            latest: now,
            stops: 0,
        })
    }

    /// The session's time. A worker's clock may be ahead by as much as is not known of it.
    pub(crate) fn now(&self) -> Nanos {
        self.fleet.now().max(self.latest)
    }

    /// What is known of the workers' clocks, for the user.
    pub(crate) fn clocks_in_words(&self) -> String {
        self.fleet.clocks_in_words()
    }

    /// The worker that was lost, once one was.
    pub(crate) fn lost(&self) -> Option<&FleetError> {
        self.fleet.lost()
    }

    /// Applies another load, from a moment on that is near and the same for all workers.
    pub(crate) fn change(&mut self, load: Load, join_over: Nanos, abort: Abort) {
        let at = self.fleet.now().saturating_add(self.fleet.lead());
        self.fleet.tell_all(&Order::Change {
            at,
            load,
            join_over,
            abort,
        });
    }

    /// Lets time pass up to `until`, to a stop that is asked for or to a loss, and hands over what ends.
    pub(crate) fn advance(&mut self, until: Nanos, stop: &Stop, each: &mut Each<'_>) {
        while self.now() < until && !stop.is_asked() && self.fleet.lost.is_none() {
            let left = until.saturating_sub(self.now()).to_duration();
            if let Some((number, word)) = self.fleet.next(left.min(LOOK_EVERY)) {
                self.take(number, word, each);
            }
        }
        self.look(each);
    }

    /// Requests in flight of all workers at the last look, by index.
    pub(crate) fn in_flight(&self) -> &[InFlight] {
        &self.in_flight
    }

    /// How well all workers kept up since the last call, once that is known of each.
    pub(crate) fn take_health(&mut self) -> Option<ClientHealth> {
        let kept: Option<Vec<_>> = self.parts.iter_mut().map(|part| part.kept.take()).collect();
        let kept = kept?;
        Some(self.merged(kept))
    }

    /// Sends nothing more, and waits for what is in flight: for `grace` at most, or until the stop is urgent. Gives the
    /// workers' health since it was last taken, and the number of requests that will never be heard of.
    pub(crate) fn close(
        mut self,
        grace: Nanos,
        stop: &Stop,
        each: &mut Each<'_>,
    ) -> (ClientHealth, usize) {
        self.fleet.tell_all(&Order::CloseSession { grace });
        while !self.parts.iter().all(PartView::is_over) {
            if stop.is_urgent() && self.stops < 2 {
                self.stops += 1;
                self.fleet.tell_all(&Order::Stop);
            }
            if let Some((number, word)) = self.fleet.next(LOOK_EVERY) {
                self.take(number, word, each);
            }
        }
        if !stop.is_urgent() {
            self.fleet.see_drift();
        }
        let gone = self.parts.iter().filter(|part| part.lost.is_some());
        let unended = gone.map(|part| part.in_flight.len()).sum();
        let last = std::mem::take(&mut self.health);
        (self.merged(last), unended)
    }

    fn merged(&mut self, health: Vec<ClientHealth>) -> ClientHealth {
        let parts = health.into_iter().zip(&mut self.parts);
        let parts = parts.map(|(health, part)| {
            let records = std::mem::take(&mut part.records);
            (health, records, part.lost.clone())
        });
        self.fleet.merged(parts.collect())
    }

    /// Asks all workers what has ended and what is in flight.
    fn look(&mut self, each: &mut Each<'_>) {
        self.turn += 1;
        let now = self.fleet.now();
        let with = if now.saturating_sub(self.health_at) >= HEALTH_EVERY {
            self.health_at = now;
            Beside::Health
        } else {
            Beside::Nothing
        };
        let turn = self.turn;
        self.fleet.tell_all(&Order::Look { turn, with });
        while self.fleet.lost.is_none() && self.parts.iter().any(|part| part.turn < turn) {
            if let Some((number, word)) = self.fleet.next(LOOK_EVERY) {
                self.take(number, word, each);
            }
        }
        self.in_flight.clear();
        for part in self.parts.iter().filter(|part| part.lost.is_none()) {
            self.in_flight.extend_from_slice(&part.in_flight);
        }
        self.in_flight.sort_unstable_by_key(|flight| flight.index);
        let sent = self.in_flight.iter().map(|flight| flight.sent).max();
        self.latest = self.latest.max(sent.unwrap_or_default());
    }

    fn take(&mut self, number: usize, word: Word, each: &mut Each<'_>) {
        let part = &mut self.parts[number];
        match word {
            Word::Heard(Heard::Records(records)) => {
                part.records += records.len() as u64;
                for record in records {
                    self.latest = self.latest.max(record.end);
                    each(record);
                }
            }
            Word::Heard(Heard::Sight { turn, in_flight }) => {
                part.turn = turn;
                part.in_flight = in_flight;
            }
            Word::Heard(Heard::Report(report)) => match report {
                Report::Kept(health) => part.kept = Some(*health),
                Report::Done { health, .. } => {
                    part.done = true;
                    self.health[number] = *health;
                }
                Report::Failed { why } => self.lose(number, why),
                _ => {}
            },
            Word::Gone(why) => self.lose(number, why),
            Word::Pong { .. } => {}
        }
    }

    fn lose(&mut self, number: usize, why: String) {
        let after = self.fleet.now().saturating_sub(self.began);
        self.parts[number].lost = Some(Loss {
            after,
            why: why.clone(),
        });
        self.fleet.lose(number, after, why);
    }
}

impl PartView {
    fn is_over(&self) -> bool {
        self.done || self.lost.is_some()
    }
}
