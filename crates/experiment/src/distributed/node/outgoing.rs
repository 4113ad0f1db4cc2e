//! What a worker hands to its link: reports, and records in frames of some size.

use std::sync::mpsc::{SyncSender, TrySendError};

use crestline_core::record::RequestRecord;
use crestline_core::units::Nanos;
use crestline_load::clock::Clock;
use crestline_load::engine::Live;

use super::Post;
use crate::distributed::wire::{Frame, Receipt, RecordWriter, Report};
use crate::recorder::{count_missing, count_prompt};
use crate::subject::redacted;

/// Bytes of records from which a frame is sent at once.
const FRAME: usize = 32 * 1024;
/// Otherwise it is sent after this time.
const EVERY: Nanos = Nanos::from_millis(50);

/// The worker's end of the link. What cannot be sent because the link is gone is dropped: the reception will hear of it.
#[derive(Debug, Clone)]
pub(super) struct Outgoing(SyncSender<Vec<u8>>);

impl Outgoing {
    pub(super) fn new(to: SyncSender<Vec<u8>>) -> Self {
        Self(to)
    }

    pub(super) fn say(&self, report: &Report) {
        self.send(Frame::of(report));
    }

    pub(super) fn send(&self, frame: Vec<u8>) {
        drop(self.0.send(frame));
    }

    /// Says that the worker is there, unless other frames wait, which say so too.
    pub(super) fn beat(&self) {
        match self.0.try_send(Frame::of(&Report::Beat)) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

/// The records of one load on their way out: finished here, so that the coordinator has only to keep them.
pub(super) struct Records<'a> {
    out: &'a Outgoing,
    post: &'a Post,
    /// What the coordinator's clock shows more than the engine's, in ns.
    shift_ns: i64,
    writer: RecordWriter,
    pub(super) receipt: Receipt,
    clock: Clock,
    sent: Nanos,
}

impl<'a> Records<'a> {
    pub(super) fn new(out: &'a Outgoing, post: &'a Post, shift_ns: i64) -> Self {
        Self {
            out,
            post,
            shift_ns,
            writer: RecordWriter::default(),
            receipt: Receipt::default(),
            clock: Clock::start(),
            sent: Nanos::ZERO,
        }
    }

    /// A request has ended.
    pub(super) fn add(&mut self, mut record: RequestRecord) {
        let workload = &self.post.workload;
        record.failure = record
            .failure
            .map(|failure| redacted(failure, &self.post.target));
        count_missing(&mut record, workload.tokenizer().map(AsRef::as_ref));
        count_prompt(&mut record, workload);
        if !self.post.plan.output.keep_text {
            record.exchange = None;
        }
        self.writer.add(&record.moved(self.shift_ns));
        if self.writer.len() >= FRAME {
            self.send();
        }
    }

    /// Sends what is there, where it is time for that; then true.
    pub(super) fn tick(&mut self) -> bool {
        let is_time = self.clock.now().saturating_sub(self.sent) >= EVERY;
        if is_time {
            self.send();
        }
        is_time
    }

    /// The same with the counters.
    pub(super) fn tick_with(&mut self, live: Live) {
        if self.tick() {
            self.out.say(&Report::Counted(live));
        }
    }

    /// Sends what is there.
    pub(super) fn send(&mut self) {
        self.sent = self.clock.now();
        if !self.writer.is_empty() {
            let (records, count) = self.writer.take();
            let frame = Frame::of_records(&records);
            self.receipt.add(count, &frame);
            self.out.send(frame);
        }
    }
}
