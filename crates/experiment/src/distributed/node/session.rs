//! A worker's part of a load that is changed in place.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use crestline_core::record::InFlight;
use crestline_core::request::Load;
use crestline_core::search::Abort;
use crestline_core::units::Nanos;
use crestline_load::clock;
use crestline_load::engine::{EngineError, Happening, Session, SessionPlan, Stop};
use crestline_load::files::make_room_for;

use super::load::shift_of;
use super::outgoing::Records;
use super::{Node, Post};
use crate::distributed::wire::{Beside, Frame, Order, Report};
use crate::error::RunError;

/// How long to wait for an order before records are handed over without one.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Another load, and when.
struct Change {
    at: Nanos,
    load: Load,
    join_over: Nanos,
    abort: Abort,
}

impl Node {
    /// Holds a session; `what` is its highest load and the index of its first item.
    pub(super) fn hold_session(
        &self,
        post: &Post,
        what: (Load, u64),
        shift_ns: i64,
        stop: &Stop,
    ) -> Result<(), RunError> {
        let (most, first_item) = what;
        let plan = SessionPlan { most, first_item };
        let session = post.engine.open_session(plan)?;
        self.out.say(&Report::InSession);
        let shift_ns = shift_of(&post.engine, shift_ns);
        let held = Held {
            node: self,
            session,
            records: Records::new(&self.out, post, shift_ns),
            shift_ns,
            parts: post.parts,
            stop,
        };
        held.hold()
    }
}

/// A session that is held.
struct Held<'a> {
    node: &'a Node,
    session: Session,
    records: Records<'a>,
    shift_ns: i64,
    parts: u64,
    stop: &'a Stop,
}

impl Held<'_> {
    /// Until it is closed, or the coordinator is gone.
    fn hold(mut self) -> Result<(), RunError> {
        loop {
            match self.node.inbox.recv_timeout(LOOK_EVERY) {
                Ok(given) => match given.order {
                    Order::Change {
                        at,
                        load,
                        join_over,
                        abort,
                    } => self.change(&Change {
                        at,
                        load,
                        join_over,
                        abort,
                    })?,
                    Order::Look { turn, with } => self.look(turn, with)?,
                    Order::CloseSession { grace } => return self.close(grace),
                    _ => {}
                },
                Err(RecvTimeoutError::Timeout) => {
                    let records = &mut self.records;
                    self.session
                        .take_ended(&mut |happening| take(records, happening))?;
                }
                // The session is dropped, and gives up what is in flight.
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.records.tick();
        }
    }

    fn change(&mut self, change: &Change) -> Result<(), RunError> {
        let users = change
            .load
            .concurrency
            .map_or(0, |users| users.get().into());
        make_room_for(u64::div_ceil(users, self.parts))?;
        let at = change.at.moved(-self.shift_ns);
        clock::sleep(at.saturating_sub(self.session.now()).to_duration());
        self.session
            .change_at(at, change.load, change.join_over, change.abort)?;
        Ok(())
    }

    fn look(&mut self, turn: u64, with: Beside) -> Result<(), RunError> {
        let now = self.session.now();
        let records = &mut self.records;
        self.session
            .advance(now, self.stop, &mut |happening| take(records, happening))?;
        self.records.send();
        if with == Beside::Health {
            let health = self.session.take_health()?.moved(self.shift_ns);
            self.node.out.say(&Report::Kept(Box::new(health)));
        }
        let moved = |flight: &InFlight| flight.moved(self.shift_ns);
        let in_flight: Vec<InFlight> = self.session.in_flight().iter().map(moved).collect();
        self.node.out.send(Frame::of_sight(turn, &in_flight));
        Ok(())
    }

    fn close(mut self, grace: Nanos) -> Result<(), RunError> {
        let records = &mut self.records;
        let each = &mut |happening| {
            take(records, happening);
            records.tick();
        };
        let health: Result<_, EngineError> = self.session.close(grace, self.stop, each);
        let health = health?.moved(self.shift_ns);
        self.records.send();
        self.node.out.say(&Report::Done {
            health: Box::new(health),
            receipt: self.records.receipt,
        });
        Ok(())
    }
}

fn take(records: &mut Records<'_>, happening: Happening) {
    if let Happening::Record(record) = happening {
        records.add(*record);
    }
}
