//! Hands finished records to the collector without ever waiting for it.

use std::sync::mpsc::{SyncSender, TrySendError};

use crestline_core::health::ClientHealth;
use crestline_core::record::RequestRecord;
use crestline_core::units::Nanos;

/// Time between two deliveries. Each wakes the collector, which may take the worker's own processor from it.
const DELIVER_EVERY: Nanos = Nanos::from_millis(50);

/// The worker's end of the bounded channel to the collector. Records that do not fit wait here, in memory, until the
/// next delivery: losing them or stopping the clock would both be worse.
#[derive(Debug)]
pub(crate) struct Outbox {
    channel: SyncSender<Delivery>,
    records: Vec<RequestRecord>,
    deliver_at: Nanos,
}

/// What a worker tells the collector.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// Requests have ended, in this order.
    Records(Vec<RequestRecord>),
    /// A worker has ended its phase.
    Report(Box<ClientHealth>),
}

impl Outbox {
    pub(crate) fn new(channel: SyncSender<Delivery>) -> Self {
        Self {
            channel,
            records: Vec::new(),
            deliver_at: Nanos::ZERO,
        }
    }

    pub(crate) fn add(&mut self, record: RequestRecord) {
        self.records.push(record);
    }

    /// What is there, for whoever asks before the next delivery.
    pub(crate) fn take(&mut self) -> Vec<RequestRecord> {
        std::mem::take(&mut self.records)
    }

    /// Delivers what is there, where it is time for that.
    pub(crate) fn deliver(&mut self, now: Nanos) {
        if self.records.is_empty() || now < self.deliver_at {
            return;
        }
        self.deliver_at = now.saturating_add(DELIVER_EVERY);
        let records = std::mem::take(&mut self.records);
        if let Err(TrySendError::Full(Delivery::Records(records))) =
            self.channel.try_send(Delivery::Records(records))
        {
            self.records = records;
        }
    }

    /// Delivers everything, however long it takes: only between phases.
    pub(crate) fn close_phase(&mut self, report: ClientHealth) {
        let records = std::mem::take(&mut self.records);
        for delivery in [
            Delivery::Records(records),
            Delivery::Report(Box::new(report)),
        ] {
            if self.channel.send(delivery).is_err() {
                break;
            }
        }
    }
}
