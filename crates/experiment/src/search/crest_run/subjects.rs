//! A search on each kind of subject: its session is opened, driven and closed.

use std::rc::Rc;
use std::sync::Arc;

use crestline_core::record::{FailureKind, RequestRecord};
use crestline_core::search::Search;
use crestline_core::units::Nanos;
use crestline_load::engine::{Engine, SessionPlan};
use crestline_load::server_metrics::{MetricsSource, Timing};
use crestline_load::target::Target;
use crestline_workload::Workload;

use super::{Desk, Run};
use crate::distributed::{Fleet, FleetSession};
use crate::error::RunError;
use crate::event::Event;
use crate::run::reader;
use crate::search::outcome::SearchOutcome;
use crate::search::sessions::{LiveLoad, RemoteLoad, VirtualLoad, queue_abort};
use crate::server_metrics::Reading;
use crate::subject::Subject;
use crate::virtual_subject::{Until, VirtualSession};

/// A live service that this process sends to.
struct Near<'a> {
    engine: &'a Engine,
    target: &'a Target,
    workload: &'a Arc<Workload>,
}

impl Run<'_> {
    /// Drives the search on a subject, and ends it.
    pub(super) fn on(
        &self,
        subject: Subject,
        mut search: Search,
        mut desk: Desk<'_, '_>,
    ) -> Result<SearchOutcome, RunError> {
        match subject {
            Subject::Virtual { session, workload } => {
                self.on_virtual(session, &mut search, &mut desk)?;
                if let Some(why) = workload.fault() {
                    return Err(RunError::OwnItem {
                        why: why.to_owned(),
                    });
                }
            }
            Subject::Live {
                engine,
                target,
                workload,
                metrics,
                ..
            } => {
                let near = Near {
                    engine: &engine,
                    target: &target,
                    workload: &workload,
                };
                let reading = self.read(metrics.as_deref(), engine.clock(), &desk);
                self.on_live(&near, &mut search, &mut desk)?;
                tell_reading(reading, &mut desk);
            }
            Subject::Remote { fleet, metrics, .. } => {
                let reading = self.read(metrics.as_deref(), fleet.clock(), &desk);
                self.on_remote(*fleet, &mut search, &mut desk)?;
                tell_reading(reading, &mut desk);
            }
        }
        Ok(desk.close(&search))
    }

    fn on_virtual(
        &self,
        mut session: Box<VirtualSession>,
        search: &mut Search,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), RunError> {
        drop(session.run_until(Until::Time(self.from)));
        let mut load = VirtualLoad {
            session,
            dials: Rc::clone(&desk.dials),
            queue: queue_abort(&self.plan.generation),
        };
        self.drive(search, &mut load, desk)?;
        load.close(self.patience(desk), &mut |record| desk.record(record));
        desk.unended = load.session.in_flight().len();
        // Of these, no record will say what arrived.
        for flight in load.session.in_flight() {
            if let Some(first) = flight.first_token {
                desk.ledger
                    .arrived(flight.output_tokens, first, load.session.now());
            }
        }
        Ok(())
    }

    fn on_live(
        &self,
        near: &Near<'_>,
        search: &mut Search,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), RunError> {
        let session = near.engine.open_session(SessionPlan {
            most: self.shape.load(desk.question.bounds.highest),
            first_item: self.first_item,
        })?;
        let mut load = LiveLoad {
            offset: self.from,
            looked: session.now(),
            session,
            stop: desk.stop,
            target: near.target,
            tokenizer: near.workload.tokenizer().cloned(),
            reader: reader(self.plan)?,
            dials: Rc::clone(&desk.dials),
            queue: queue_abort(&self.plan.generation),
        };
        self.drive(search, &mut load, desk)?;
        let patience = self.patience(desk);
        load.close(patience, &mut |record| last(desk, record))
    }

    fn on_remote(
        &self,
        mut fleet: Fleet,
        search: &mut Search,
        desk: &mut Desk<'_, '_>,
    ) -> Result<(), RunError> {
        fleet.start_from(self.from);
        let most = self.shape.load(desk.question.bounds.highest);
        let session = FleetSession::open(fleet, most, self.first_item)?;
        (desk.each)(Event::Note(session.clocks_in_words()));
        let mut load = RemoteLoad {
            session,
            stop: desk.stop,
            dials: Rc::clone(&desk.dials),
            queue: queue_abort(&self.plan.generation),
        };
        self.drive(search, &mut load, desk)?;
        let patience = self.patience(desk);
        let unheard = load.close(patience, &mut |record| last(desk, record));
        desk.unended += unheard;
        Ok(())
    }

    fn read(
        &self,
        metrics: Option<&MetricsSource>,
        clock: crestline_load::clock::Clock,
        desk: &Desk<'_, '_>,
    ) -> Reading {
        let timing = Timing {
            clock,
            offset: self.from,
        };
        Reading::begin(metrics, timing, desk.writer.pages())
    }

    /// How long requests in flight may take when the search is over: as long as any took, since without the slow ones the
    /// last load would look faster than it is.
    fn patience(&self, desk: &Desk<'_, '_>) -> Nanos {
        let grace = self.plan.client.grace;
        if desk.stop.is_asked() {
            grace
        } else {
            grace.max(desk.ledger.longest())
        }
    }
}

/// A record that comes when the search is over.
fn last(desk: &mut Desk<'_, '_>, record: RequestRecord) {
    let failure = record.failure.as_ref().map(|failure| failure.kind);
    desk.unended += usize::from(failure == Some(FailureKind::Cancelled));
    desk.record(record);
}

fn tell_reading(reading: Reading, desk: &mut Desk<'_, '_>) {
    if let Some(note) = reading.end() {
        (desk.each)(Event::Note(note));
    }
}
