//! Hands finished records to the collector without ever waiting for it.

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, TrySendError};

use crestline_core::health::ClientHealth;
use crestline_core::record::RequestRecord;

/// The worker's end of the bounded channel to the collector. Records that do not fit wait here, in memory, until the
/// next one is sent: losing them or stopping the clock would both be worse.
#[derive(Debug)]
pub(crate) struct Outbox {
    channel: SyncSender<Delivery>,
    backlog: VecDeque<Delivery>,
}

/// What a worker tells the collector.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// A request has ended.
    Record(Box<RequestRecord>),
    /// A worker has ended its phase.
    Report(Box<ClientHealth>),
}

impl Outbox {
    pub(crate) fn new(channel: SyncSender<Delivery>) -> Self {
        Self {
            channel,
            backlog: VecDeque::new(),
        }
    }

    pub(crate) fn send(&mut self, record: RequestRecord) {
        self.backlog.push_back(Delivery::Record(Box::new(record)));
        while let Some(next) = self.backlog.pop_front() {
            if let Err(TrySendError::Full(next)) = self.channel.try_send(next) {
                self.backlog.push_front(next);
                break;
            }
        }
    }

    /// Delivers everything, however long it takes: only between phases.
    pub(crate) fn close_phase(&mut self, report: ClientHealth) {
        self.backlog.push_back(Delivery::Report(Box::new(report)));
        for next in self.backlog.drain(..) {
            if self.channel.send(next).is_err() {
                break;
            }
        }
    }
}
