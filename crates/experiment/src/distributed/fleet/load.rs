//! A fixed load by all workers: begun together, ended together, told as if one machine had applied it.

use crestline_core::health::{ClientHealth, Loss, NodeHealth};
use crestline_core::request::LoadPoint;
use crestline_core::units::Nanos;
use crestline_load::engine::{Live, Stop};

use super::listener::Word;
use super::{Fleet, FleetError, LOOK_EVERY};
use crate::distributed::wire::{Heard, Order, Report};
use crate::recorder::Recorder;
use crate::subject::Applied;

/// One worker's part of the load.
#[derive(Default)]
struct PartState {
    is_ready: bool,
    /// How it kept up, once it is done.
    done: Option<ClientHealth>,
    live: Live,
    records: u64,
    lost: Option<Loss>,
}

/// A load that goes on.
struct Course<'a> {
    fleet: &'a mut Fleet,
    parts: Vec<PartState>,
    /// Phases that are not begun; the last one counts.
    phases_left: u32,
    /// Something may have been sent.
    has_begun: bool,
    /// When the counted requests began.
    counted_from: Option<Nanos>,
    /// How often workers were told to stop.
    stops: u8,
}

impl Fleet {
    /// Applies a load. A worker that is lost ends it for all: what had arrived is handed over, and the verdict is void.
    pub(crate) fn apply(
        &mut self,
        point: &LoadPoint,
        first_item: u64,
        stop: &Stop,
        to: &mut Recorder<'_>,
    ) -> Result<Applied, FleetError> {
        self.fit_clocks()?;
        to.note(self.clocks_in_words());
        for number in 0..self.nodes.len() {
            let shift_ns = self.shift_of(number);
            let order = Order::Apply {
                point: *point,
                first_item,
                shift_ns,
            };
            self.tell(number, &order);
        }
        let parts = self.nodes.iter().map(|_| PartState::default());
        let mut course = Course {
            parts: parts.collect(),
            fleet: self,
            phases_left: u32::from(point.warmup > 0) + u32::from(point.requests > 0),
            has_begun: false,
            counted_from: None,
            stops: 0,
        };
        while !course.is_over() {
            course.follow(stop);
            if let Some((number, word)) = course.fleet.next(LOOK_EVERY) {
                course.take(number, word, to)?;
                course.begin_when_ready(to);
            }
            let live = course.parts.iter().map(|part| part.live);
            to.tick(course.fleet.now(), live.fold(Live::default(), Live::and));
        }
        Ok(course.close(stop))
    }

    /// What is known of all parts, for the verdict.
    pub(super) fn merged(&self, parts: Vec<(ClientHealth, u64, Option<Loss>)>) -> ClientHealth {
        let mut all = ClientHealth::default();
        for (node, (health, requests, lost)) in self.nodes.iter().zip(parts) {
            all.merge_node(NodeHealth {
                name: node.name.clone(),
                requests,
                health,
                clock: node.clock,
                lost,
            });
        }
        all
    }
}

impl Course<'_> {
    fn is_over(&self) -> bool {
        self.parts.iter().all(PartState::is_over)
    }

    fn take(&mut self, number: usize, word: Word, to: &mut Recorder<'_>) -> Result<(), FleetError> {
        let part = &mut self.parts[number];
        match word {
            Word::Heard(Heard::Records(records)) => {
                part.records += records.len() as u64;
                for record in records {
                    to.record(record);
                }
            }
            Word::Heard(Heard::Report(report)) => match report {
                Report::Ready => part.is_ready = true,
                Report::Counted(live) => part.live = live,
                Report::Done { health, .. } => part.done = Some(*health),
                Report::Failed { why } => return self.lose(number, why, to),
                _ => {}
            },
            Word::Gone(why) => return self.lose(number, why, to),
            Word::Heard(Heard::Sight { .. }) | Word::Pong { .. } => {}
        }
        Ok(())
    }

    /// Before anything was sent that is an error, and afterwards the end of the load.
    fn lose(
        &mut self,
        number: usize,
        why: String,
        to: &mut Recorder<'_>,
    ) -> Result<(), FleetError> {
        let now = self.fleet.now();
        let after = now.saturating_sub(self.counted_from.unwrap_or(now));
        if !self.has_begun {
            self.tell_stop();
            return Err(self.fleet.about(number, why));
        }
        let name = &self.fleet.nodes[number].name;
        to.note(format!("{name} was lost: {why}; the load is ended"));
        self.parts[number].lost = Some(Loss {
            after,
            why: why.clone(),
        });
        self.fleet.lose(number, after, why);
        if self.stops == 0 {
            self.tell_stop();
        }
        Ok(())
    }

    /// Begins a phase for which all are ready.
    fn begin_when_ready(&mut self, to: &mut Recorder<'_>) {
        let are_ready = self.parts.iter().all(|part| part.is_ready);
        if !are_ready || self.phases_left == 0 || self.stops > 0 {
            return;
        }
        for part in &mut self.parts {
            part.is_ready = false;
        }
        self.phases_left -= 1;
        self.has_begun = true;
        let at = self.fleet.now().saturating_add(self.fleet.lead());
        self.fleet.tell_all(&Order::Begin { at });
        if self.phases_left == 0 {
            self.counted_from = Some(at);
            to.begin_counting();
        }
    }

    /// Passes on that someone asked to stop.
    fn follow(&mut self, stop: &Stop) {
        if stop.is_asked() && self.stops == 0 {
            self.tell_stop();
        }
        if stop.is_urgent() && self.stops == 1 {
            self.tell_stop();
        }
    }

    fn tell_stop(&mut self) {
        self.stops += 1;
        self.fleet.tell_all(&Order::Stop);
    }

    fn close(self, stop: &Stop) -> Applied {
        let is_whole = self.parts.iter().all(|part| part.lost.is_none());
        if !stop.is_urgent() {
            self.fleet.see_drift();
        }
        let parts = self.parts.into_iter();
        let parts = parts.map(|part| (part.done.unwrap_or_default(), part.records, part.lost));
        Applied {
            health: self.fleet.merged(parts.collect()),
            interrupted: stop.is_asked() || !is_whole,
            probes: Vec::new(),
        }
    }
}

impl PartState {
    fn is_over(&self) -> bool {
        self.done.is_some() || self.lost.is_some()
    }
}
