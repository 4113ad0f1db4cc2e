//! What a worker is told while it sends: another load, and to show what is in flight or how it keeps up.
//!
//! Only a session tells anything; a worker of an ordinary load has no ear for it.

use std::rc::Rc;
use std::sync::mpsc::SyncSender;

use crestline_core::health::ClientHealth;
use crestline_core::record::{InFlight, RequestRecord};
use crestline_core::search::Abort;
use crestline_core::units::Nanos;
use tokio::sync::mpsc::UnboundedReceiver;

use super::Worker;
use crate::engine::setup::Share;

/// What a worker is told. Answers go to channels with room for all workers.
#[derive(Debug)]
pub(crate) enum Command {
    /// Another load.
    Change(Box<ShareChange>),
    /// Show what has ended and what is in flight.
    Show(SyncSender<Sight>),
    /// Tell how you kept up since you were last asked.
    Health(SyncSender<ClientHealth>),
}

/// One worker's part of a change of load.
#[derive(Debug)]
pub(crate) struct ShareChange {
    pub(crate) share: Share,
    /// When the new load begins.
    pub(crate) at: Nanos,
    /// When further users join.
    pub(crate) joins: Vec<Nanos>,
    pub(crate) abort: Abort,
}

/// One worker's requests at one moment: each that it has sent is in one of these lists, or was delivered before.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) ended: Vec<RequestRecord>,
    pub(crate) in_flight: Vec<InFlight>,
}

/// Where commands come from, if any come.
#[derive(Debug)]
pub(crate) struct Commands(pub(crate) Option<UnboundedReceiver<Command>>);

impl Commands {
    /// The next command that is there.
    fn try_next(&mut self) -> Option<Command> {
        self.0.as_mut()?.try_recv().ok()
    }

    /// Waits for the next command; forever where none comes any more.
    pub(crate) async fn next(&mut self) -> Command {
        if let Some(inbox) = &mut self.0
            && let Some(command) = inbox.recv().await
        {
            return command;
        }
        std::future::pending().await
    }
}

impl Worker {
    /// Does all that it was told so far.
    pub(super) fn obey_all(self: &Rc<Self>, commands: &mut Commands) {
        while let Some(command) = commands.try_next() {
            self.obey(command);
        }
    }

    /// Does what it is told.
    pub(super) fn obey(self: &Rc<Self>, command: Command) {
        // Whoever asked may have gone; nobody waits for the answer then.
        match command {
            Command::Change(change) => self.change(*change),
            Command::Show(to) => drop(to.try_send(self.sight())),
            Command::Health(to) => drop(to.try_send(self.take_window())),
        }
    }

    fn change(&self, change: ShareChange) {
        let ShareChange {
            share,
            at,
            joins,
            abort,
        } = change;
        let given_up = self.with_current(|current| {
            current.share = share;
            let arrivals = share.arrivals(&self.setup.due_times);
            current
                .schedule
                .change(at, share.next_load(arrivals, at, joins, abort));
            let roster = current.roster.as_ref()?;
            Some(match abort {
                Abort::Nothing => Vec::new(),
                Abort::Surplus | Abort::All => roster.spread(current.schedule.surplus()),
                Abort::Queue => {
                    current.schedule.drop_waiting();
                    roster.queue()
                }
            })
        });
        for task in given_up.flatten().unwrap_or_default() {
            task.abort();
        }
    }

    fn sight(&self) -> Sight {
        let in_flight =
            self.with_current(|current| current.roster.as_ref().map(super::Roster::list));
        Sight {
            ended: self.outbox.borrow_mut().take(),
            in_flight: in_flight.flatten().unwrap_or_default(),
        }
    }
}
