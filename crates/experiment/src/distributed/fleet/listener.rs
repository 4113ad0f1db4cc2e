//! Hears one worker, on a thread of its own: reads its frames, sees that no record is missing, and notices when it is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_load::clock::{Clock, monotonic};

use crate::distributed::link::{Gone, Link};
use crate::distributed::wire::{Frame, Heard, Order, Receipt, Report};

/// Between two signs of life of the coordinator.
const BEAT_EVERY: Nanos = Nanos::from_secs(1);
/// How long to wait at most before it is looked up whether all is over.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A worker that was not heard of for so long is gone. It says something each second.
const LOST_AFTER: Nanos = Nanos::from_secs(10);

/// What comes of a frame, or of none.
#[derive(Debug)]
pub(super) enum Word {
    /// The worker said something.
    Heard(Heard),
    /// The answer to a ping.
    Pong {
        number: u64,
        /// The worker's clock.
        at: Nanos,
        /// This machine's clock when it came.
        came: Nanos,
    },
    /// Nothing more will come; why.
    Gone(String),
}

/// Hears one worker.
pub(super) struct Listener {
    number: usize,
    link: Link,
    words: SyncSender<(usize, Word)>,
    over: Arc<AtomicBool>,
    clock: Clock,
    heard: Nanos,
    beat: Nanos,
    /// Of the load that goes on.
    receipt: Receipt,
}

impl Listener {
    pub(super) fn new(
        number: usize,
        link: Link,
        words: SyncSender<(usize, Word)>,
        over: Arc<AtomicBool>,
    ) -> Self {
        Self {
            number,
            link,
            words,
            over,
            clock: Clock::start(),
            heard: Nanos::ZERO,
            beat: Nanos::ZERO,
            receipt: Receipt::default(),
        }
    }

    pub(super) fn start(self) {
        let name = format!("listener-{}", self.number);
        thread::Builder::new()
            .name(name)
            .spawn(move || self.listen())
            .expect("the system can start a thread");
    }

    fn listen(mut self) {
        while !self.over.load(Ordering::Relaxed) {
            let word = self.next();
            let is_last = matches!(word, Some(Word::Gone(_)));
            let is_told = word.is_none_or(|word| self.words.send((self.number, word)).is_ok());
            if is_last || !is_told {
                return;
            }
            let now = self.clock.now();
            if now.saturating_sub(self.beat) >= BEAT_EVERY {
                self.beat = now;
                // Where it cannot be sent, other frames wait to be taken, or the link says soon that it is gone.
                drop(self.link.to.try_send(Frame::of(&Order::Beat)));
            }
        }
    }

    /// `None` where there is nothing to tell.
    fn next(&mut self) -> Option<Word> {
        let silence = self.clock.now().saturating_sub(self.heard);
        let frame = match self.link.from.recv_timeout(LOOK_EVERY) {
            Ok(Ok(frame)) => frame,
            Ok(Err(Gone(why))) => return Some(Word::Gone(why)),
            Err(RecvTimeoutError::Disconnected) => {
                return Some(Word::Gone("the link has ended".to_owned()));
            }
            Err(RecvTimeoutError::Timeout) if silence >= LOST_AFTER => {
                let seconds = LOST_AFTER.as_secs_f64();
                let why = format!("nothing was heard of it for {seconds} s");
                return Some(Word::Gone(why));
            }
            Err(RecvTimeoutError::Timeout) => return None,
        };
        let came = monotonic();
        self.heard = self.clock.now();
        match Frame::read(&frame) {
            Ok(heard) => self.word(heard, &frame, came),
            Err(error) => Some(Word::Gone(format!("it sent {error}"))),
        }
    }

    fn word(&mut self, heard: Heard, frame: &[u8], came: Nanos) -> Option<Word> {
        match heard {
            Heard::Report(Report::Beat) => None,
            Heard::Report(Report::Pong { number, at }) => Some(Word::Pong { number, at, came }),
            Heard::Report(Report::Done { receipt, .. }) if receipt != self.receipt => {
                let (sent, have) = (receipt.records, self.receipt.records);
                let why = format!("it handed over {sent} records, of which {have} came whole");
                Some(Word::Gone(why))
            }
            heard => {
                match &heard {
                    Heard::Records(records) => self.receipt.add(records.len() as u64, frame),
                    Heard::Report(Report::Done { .. }) => self.receipt = Receipt::default(),
                    _ => {}
                }
                Some(Word::Heard(heard))
            }
        }
    }
}
