//! Who is in flight: what a session may look at and give up while requests run.
//!
//! Only sessions keep one. A flight writes its progress to cells of its own; nothing is looked up for it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crestline_core::record::InFlight;
use crestline_core::schedule::evenly;
use crestline_core::units::Nanos;
use tokio::task::AbortHandle;

/// The requests in flight of one worker, by index.
#[derive(Debug, Default)]
pub(crate) struct Roster(BTreeMap<u64, Entry>);

#[derive(Debug)]
struct Entry {
    track: Rc<Track>,
    task: AbortHandle,
}

/// What can be seen of one request in flight.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) index: u64,
    pub(crate) due: Nanos,
    /// When it was written; before that, when it was taken up.
    pub(crate) sent: Cell<Nanos>,
    pub(crate) expected_tokens: Option<u32>,
    progress: Cell<(u32, Option<Nanos>)>,
}

impl Track {
    /// A request that is about to be written at `now`.
    pub(crate) fn new(
        index: u64,
        due: Nanos,
        now: Nanos,
        expected_tokens: Option<u32>,
    ) -> Rc<Self> {
        Rc::new(Self {
            index,
            due,
            sent: Cell::new(now),
            expected_tokens,
            progress: Cell::default(),
        })
    }

    /// It was written at `at`, for the first time or again.
    pub(crate) fn send(&self, at: Nanos) {
        self.sent.set(at);
        self.progress.take();
    }

    /// Events with content so far, and when the first one came.
    pub(crate) fn see(&self, progress: (u32, Option<Nanos>)) {
        self.progress.set(progress);
    }

    fn view(&self) -> InFlight {
        let (output_tokens, first_token) = self.progress.get();
        InFlight {
            index: self.index,
            due: self.due,
            sent: self.sent.get(),
            first_token,
            output_tokens,
            expected_tokens: self.expected_tokens,
        }
    }
}

impl Roster {
    pub(crate) fn add(&mut self, track: Rc<Track>, task: AbortHandle) {
        self.0.insert(track.index, Entry { track, task });
    }

    pub(crate) fn remove(&mut self, index: u64) {
        self.0.remove(&index);
    }

    /// All, by index.
    pub(crate) fn list(&self) -> Vec<InFlight> {
        self.0.values().map(|entry| entry.track.view()).collect()
    }

    /// So many of them, evenly over age.
    pub(crate) fn spread(&self, pick: usize) -> Vec<AbortHandle> {
        let mut picked = evenly(self.0.len(), pick).peekable();
        self.0
            .values()
            .enumerate()
            .filter(|(at, _)| picked.next_if_eq(at).is_some())
            .map(|(_, entry)| entry.task.clone())
            .collect()
    }

    /// Those without a first token.
    pub(crate) fn queue(&self) -> Vec<AbortHandle> {
        self.0
            .values()
            .filter(|entry| entry.track.progress.get().1.is_none())
            .map(|entry| entry.task.clone())
            .collect()
    }
}
