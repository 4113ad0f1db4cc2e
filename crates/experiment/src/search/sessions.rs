//! The live service and the simulated engine as sessions that a search is driven on.
//!
//! Times count from the begin of the first command of a search; a command that goes on is moved behind the earlier ones.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crestline_core::health::ClientHealth;
use crestline_core::record::{InFlight, RequestRecord};
use crestline_core::request::{Generation, Load};
use crestline_core::search::Abort;
use crestline_core::units::Nanos;
use crestline_load::engine::{Happening, Session, Stop};
use crestline_load::files::make_room_for;
use crestline_load::own::{Api, read_answer};
use crestline_load::target::Target;
use crestline_workload::tokenizer::Tokenizer;

use super::client_watch::absorb;
use super::drive::LoadSession;
use crate::distributed::FleetSession;
use crate::error::RunError;
use crate::recorder::count_missing;
use crate::subject::redacted;
use crate::virtual_subject::{Until, VirtualSession};

/// Between two looks at the client's health.
const HEALTH_EVERY: Nanos = Nanos::from_millis(500);

/// What a session shows beside its records.
#[derive(Debug, Default)]
pub(super) struct Dials {
    /// Requests in flight at the last look.
    pub(super) in_flight: Cell<u64>,
    /// How well the client kept up since it was last taken.
    pub(super) health: RefCell<ClientHealth>,
    /// The machine that was lost, where several send and one was.
    pub(super) lost: RefCell<Option<String>>,
}

/// A session in virtual time.
pub(super) struct VirtualLoad {
    pub(super) session: Box<VirtualSession>,
    pub(super) dials: Rc<Dials>,
    /// What giving up the queue comes to.
    pub(super) queue: Abort,
}

/// What giving up the queue comes to. An answer that comes in one piece has no first token, so that its request looks as
/// if it waited until the very end: none is given up then.
pub(super) fn queue_abort(generation: &Generation) -> Abort {
    if generation.stream {
        Abort::Queue
    } else {
        Abort::Nothing
    }
}

/// What a change gives up where giving up the queue comes to `queue`.
fn given_up(abort: Abort, queue: Abort) -> Abort {
    match abort {
        Abort::Queue => queue,
        other => other,
    }
}

impl VirtualLoad {
    /// Sends nothing more, and lets what is in flight end, for `grace` at most.
    pub(super) fn close(&mut self, grace: Nanos, each: &mut dyn FnMut(RequestRecord)) {
        self.session.hold();
        let until = self.session.now().saturating_add(grace);
        let ended = self.session.run_until(Until::Time(until));
        ended.into_iter().for_each(each);
    }
}

impl LoadSession for VirtualLoad {
    type Error = RunError;

    fn now(&self) -> Nanos {
        self.session.now()
    }

    fn change(&mut self, load: Load, join_over: Nanos, abort: Abort) -> Result<(), RunError> {
        let abort = given_up(abort, self.queue);
        self.session.change(load, join_over, abort);
        Ok(())
    }

    fn advance(
        &mut self,
        until: Nanos,
        each: &mut dyn FnMut(RequestRecord),
    ) -> Result<(), RunError> {
        let ended = self.session.run_until(Until::Time(until));
        ended.into_iter().for_each(each);
        Ok(())
    }

    fn list_in_flight(&self, list: &mut Vec<InFlight>) {
        self.session.list_in_flight(list);
        self.dials.in_flight.set(list.len() as u64);
    }
}

/// A session with a live service.
pub(super) struct LiveLoad<'a> {
    pub(super) session: Session,
    /// What the session's times are moved by.
    pub(super) offset: Nanos,
    pub(super) stop: &'a Stop,
    pub(super) target: &'a Target,
    pub(super) tokenizer: Option<Arc<Tokenizer>>,
    /// The user's own parser.
    pub(super) reader: Option<Arc<dyn Api>>,
    pub(super) dials: Rc<Dials>,
    pub(super) looked: Nanos,
    /// What giving up the queue comes to.
    pub(super) queue: Abort,
}

impl LiveLoad<'_> {
    /// Ends the session; what is in flight after `grace` is given up.
    pub(super) fn close(
        self,
        grace: Nanos,
        each: &mut dyn FnMut(RequestRecord),
    ) -> Result<(), RunError> {
        let tidy = Tidy {
            offset: self.offset,
            target: self.target,
            tokenizer: self.tokenizer.as_deref(),
            reader: self.reader.as_deref(),
        };
        let health = self.session.close(grace, self.stop, &mut |happening| {
            if let Happening::Record(record) = happening {
                each(tidy.record(*record));
            }
        })?;
        absorb(&mut self.dials.health.borrow_mut(), health);
        Ok(())
    }
}

impl LoadSession for LiveLoad<'_> {
    type Error = RunError;

    fn now(&self) -> Nanos {
        self.session.now() + self.offset
    }

    fn change(&mut self, load: Load, join_over: Nanos, abort: Abort) -> Result<(), RunError> {
        make_room_for(load.concurrency.map_or(0, |limit| u64::from(limit.get())))?;
        let abort = given_up(abort, self.queue);
        self.session.change(load, join_over, abort)?;
        Ok(())
    }

    fn advance(
        &mut self,
        until: Nanos,
        each: &mut dyn FnMut(RequestRecord),
    ) -> Result<(), RunError> {
        let tidy = Tidy {
            offset: self.offset,
            target: self.target,
            tokenizer: self.tokenizer.as_deref(),
            reader: self.reader.as_deref(),
        };
        let until = until.saturating_sub(self.offset);
        self.session.advance(until, self.stop, &mut |happening| {
            if let Happening::Record(record) = happening {
                each(tidy.record(*record));
            }
        })?;
        if self.session.now().saturating_sub(self.looked) >= HEALTH_EVERY {
            self.looked = self.session.now();
            let health = self.session.take_health()?;
            absorb(&mut self.dials.health.borrow_mut(), health);
        }
        Ok(())
    }

    fn list_in_flight(&self, list: &mut Vec<InFlight>) {
        list.clear();
        let moved = |flight: &InFlight| flight.moved(self.offset.0.cast_signed());
        list.extend(self.session.in_flight().iter().map(moved));
        self.dials.in_flight.set(list.len() as u64);
    }
}

/// A session with a live service by several machines, whose records come finished and on the session's time.
pub(super) struct RemoteLoad<'a> {
    pub(super) session: FleetSession,
    pub(super) stop: &'a Stop,
    pub(super) dials: Rc<Dials>,
    /// What giving up the queue comes to.
    pub(super) queue: Abort,
}

impl RemoteLoad<'_> {
    /// Ends the session; what is in flight after `grace` is given up. Gives the number of requests that were in flight on a
    /// machine that was lost.
    pub(super) fn close(self, grace: Nanos, each: &mut dyn FnMut(RequestRecord)) -> usize {
        let (health, unheard) = self.session.close(grace, self.stop, each);
        absorb(&mut self.dials.health.borrow_mut(), health);
        unheard
    }
}

impl LoadSession for RemoteLoad<'_> {
    type Error = RunError;

    fn now(&self) -> Nanos {
        self.session.now()
    }

    fn change(&mut self, load: Load, join_over: Nanos, abort: Abort) -> Result<(), RunError> {
        let abort = given_up(abort, self.queue);
        self.session.change(load, join_over, abort);
        Ok(())
    }

    fn advance(
        &mut self,
        until: Nanos,
        each: &mut dyn FnMut(RequestRecord),
    ) -> Result<(), RunError> {
        self.session.advance(until, self.stop, each);
        if let Some(health) = self.session.take_health() {
            absorb(&mut self.dials.health.borrow_mut(), health);
        }
        let lost = self.session.lost().map(ToString::to_string);
        *self.dials.lost.borrow_mut() = lost;
        Ok(())
    }

    fn list_in_flight(&self, list: &mut Vec<InFlight>) {
        list.clear();
        list.extend_from_slice(self.session.in_flight());
        self.dials.in_flight.set(list.len() as u64);
    }
}

/// Makes a record as a search takes it: no secrets, tokens counted, times moved.
struct Tidy<'a> {
    offset: Nanos,
    target: &'a Target,
    tokenizer: Option<&'a Tokenizer>,
    reader: Option<&'a dyn Api>,
}

impl Tidy<'_> {
    fn record(&self, mut record: RequestRecord) -> RequestRecord {
        record.failure = record.failure.map(|failure| redacted(failure, self.target));
        if let Some(reader) = self.reader {
            read_answer(reader, &mut record);
        }
        count_missing(&mut record, self.tokenizer);
        record.moved(self.offset.0.cast_signed())
    }
}
