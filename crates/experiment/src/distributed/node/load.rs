//! A worker's part of a fixed load.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use crestline_core::request::LoadPoint;
use crestline_core::units::Nanos;
use crestline_load::engine::{Applying, Engine, Happening, Stop};
use crestline_load::files::make_room_for;

use super::outgoing::Records;
use super::reception::Given;
use super::{Node, Post};
use crate::distributed::wire::{Order, Report};
use crate::error::RunError;
use crate::run::most_in_flight;

/// How long to wait for a start before it is looked up whether it will come.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the coordinator's clock shows more than the engine's, by what it shows more than the machine's.
pub(super) fn shift_of(engine: &Engine, shift_ns: i64) -> i64 {
    shift_ns.saturating_add_unsigned(engine.clock().epoch().0)
}

impl Node {
    /// Applies a load; `what` is it and the index of its first item.
    pub(super) fn apply(
        &self,
        post: &Post,
        what: (&LoadPoint, u64),
        shift_ns: i64,
        stop: &Stop,
    ) -> Result<(), RunError> {
        let (point, first_item) = what;
        make_room_for(most_in_flight(point).div_ceil(post.parts))?;
        let shift_ns = shift_of(&post.engine, shift_ns);
        let mut records = Records::new(&self.out, post, shift_ns);
        let what = Applying {
            point,
            first_item,
            stop,
        };
        let gate = &mut |_| self.wait_for_start(shift_ns, stop);
        let applied = post
            .engine
            .apply_together(what, gate, &mut |happening| match happening {
                Happening::Counting => {}
                Happening::Record(record) => records.add(*record),
                Happening::Tick(live) => records.tick_with(live),
            })?;
        records.send();
        self.out.say(&Report::Done {
            health: Box::new(applied.health.moved(shift_ns)),
            receipt: records.receipt,
        });
        Ok(())
    }

    /// Says that this part is ready; gives the start on the engine's clock.
    fn wait_for_start(&self, shift_ns: i64, stop: &Stop) -> Option<Nanos> {
        self.out.say(&Report::Ready);
        loop {
            match self.inbox.recv_timeout(LOOK_EVERY) {
                Ok(Given {
                    order: Order::Begin { at },
                    ..
                }) => return Some(at.moved(-shift_ns)),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) if !stop.is_asked() => {}
                Err(_) => return None,
            }
        }
    }
}
