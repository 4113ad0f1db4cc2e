//! One tracker: a bounded queue, and a thread that takes from it in its own time.
//!
//! Whoever offers never waits: live points that do not fit are dropped and counted, what is told once is kept in their
//! place. Knows no tracker by name and prints nothing.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::told::Told;

/// What waits for a tracker at most: more than two hours of live points.
const ROOM: usize = 8192;

/// Takes what a tracker is told, on the tracker's own thread: it may take its time.
pub(crate) trait Sink: Send {
    /// Takes all that waited, the oldest first. Behind an [`Told::End`] nothing comes: there it returns when everything is
    /// delivered.
    fn take(&mut self, batch: Vec<Told>) -> Result<(), SinkError>;

    /// What the user should know when everything is delivered, a line each.
    fn farewell(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// Something that was not delivered. Texts are fragments as in any error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SinkError {
    /// So many pieces are lost; what follows may well be delivered.
    #[error("{why}")]
    Lost {
        /// How many.
        pieces: u64,
        /// Why.
        why: String,
    },
    /// Nothing more is taken.
    #[error("{0}")]
    Over(String),
}

/// A tracker that is ready to be told.
pub(crate) struct Opened {
    /// What it is called in lines.
    pub(crate) name: &'static str,
    /// Where it all goes.
    pub(crate) sink: Box<dyn Sink>,
    /// Ends, without waiting, what the sink may hang in; called where the time to end is over.
    pub(crate) abandon: Box<dyn FnMut() + Send>,
    /// What the user should know, a line each: where the run is to be seen.
    pub(crate) notes: Vec<String>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Opened")
            .field("name", &self.name)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

/// A tracker that is told.
pub(crate) struct Tracker {
    name: &'static str,
    desk: Arc<Desk>,
    abandon: Box<dyn FnMut() + Send>,
    thread: JoinHandle<()>,
}

impl fmt::Debug for Tracker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tracker")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Tracker {
    /// Begins to take.
    pub(crate) fn start(opened: Opened) -> io::Result<Self> {
        Self::with_room(opened, ROOM)
    }

    fn with_room(opened: Opened, room: usize) -> io::Result<Self> {
        let desk = Arc::new(Desk {
            state: Mutex::default(),
            changed: Condvar::new(),
            room,
        });
        let (theirs, mut sink) = (Arc::clone(&desk), opened.sink);
        let thread = thread::Builder::new()
            .name(format!("track-{}", opened.name))
            .spawn(move || deliver(&theirs, sink.as_mut()))?;
        Ok(Self {
            name: opened.name,
            desk,
            abandon: opened.abandon,
            thread,
        })
    }

    /// What it is called in lines.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Puts something where the tracker will find it. Never waits for it.
    pub(crate) fn offer(&self, told: Told) {
        self.desk.offer(told);
    }

    /// All was delivered, or nothing more will be.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Why it takes nothing more; told once.
    pub(crate) fn failure(&self) -> Option<String> {
        let mut state = self.desk.state();
        if state.is_told {
            return None;
        }
        let failure = state.failure.clone()?;
        state.is_told = true;
        Some(failure)
    }

    /// Pieces that were not delivered, and why the last of them was not, where the tracker said so.
    pub(crate) fn lost(&self) -> (u64, Option<String>) {
        let state = self.desk.state();
        (
            state.lost + pieces(&state.waiting) + state.in_hand,
            state.why_lost.clone(),
        )
    }

    /// What it says at the end; told once.
    pub(crate) fn farewell(&self) -> Vec<String> {
        std::mem::take(&mut self.desk.state().farewell)
    }

    /// Gives it up: what it hangs in is ended, its thread is left to itself.
    pub(crate) fn leave(&mut self) {
        (self.abandon)();
    }
}

/// Where things lie until the tracker takes them.
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
    room: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Told>,
    /// Pieces that the sink is busy with.
    in_hand: u64,
    lost: u64,
    why_lost: Option<String>,
    failure: Option<String>,
    /// The failure was told.
    is_told: bool,
    farewell: Vec<String>,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offer(&self, told: Told) {
        let mut state = self.state();
        if state.failure.is_some() {
            state.lost += pieces([&told]);
            return;
        }
        if state.waiting.len() >= self.room {
            let is_live = |told: &Told| matches!(told, Told::Live(_));
            state.lost += 1;
            let instead = state.waiting.iter().position(is_live);
            match instead.filter(|_| !is_live(&told)) {
                Some(oldest) => drop(state.waiting.remove(oldest)),
                // The end must come through whatever waits before it.
                None if matches!(told, Told::End(_)) => drop(state.waiting.pop_back()),
                None => return,
            }
        }
        state.waiting.push_back(told);
        self.changed.notify_one();
    }

    /// Waits until something is there and takes all of it.
    fn take(&self) -> Vec<Told> {
        let mut state = self
            .changed
            .wait_while(self.state(), |state| state.waiting.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        state.in_hand = pieces(&state.waiting);
        state.waiting.drain(..).collect()
    }

    /// What was taken last is delivered, or is not; whether more is to come.
    fn put_down(&self, outcome: Result<(), SinkError>) -> Course {
        let mut state = self.state();
        let in_hand = std::mem::take(&mut state.in_hand);
        match outcome {
            Ok(()) => Course::GoesOn,
            Err(SinkError::Lost { pieces, why }) => {
                state.lost += pieces;
                state.why_lost = Some(why);
                Course::GoesOn
            }
            Err(SinkError::Over(why)) => {
                state.lost += in_hand + pieces(&state.waiting);
                state.waiting.clear();
                state.failure = Some(why);
                Course::Over
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Course {
    GoesOn,
    Over,
}

/// How many there are; the end is none.
fn pieces<'a>(told: impl IntoIterator<Item = &'a Told>) -> u64 {
    let counted = told
        .into_iter()
        .filter(|told| !matches!(told, Told::End(_)));
    counted.count() as u64
}

fn deliver(desk: &Desk, sink: &mut dyn Sink) {
    loop {
        let batch = desk.take();
        let is_last = matches!(batch.last(), Some(Told::End(_)));
        let course = desk.put_down(sink.take(batch));
        if is_last || course == Course::Over {
            desk.state().farewell = sink.farewell();
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::track::told::{End, Live, Status};

    fn live(step: u64) -> Told {
        Told::Live(Live {
            step,
            time_s: 0.0,
            elapsed_s: 0.0,
            load: String::new(),
            number: 1,
            values: Vec::new(),
        })
    }

    fn end() -> Told {
        Told::End(End {
            status: Status::Done,
            exit: 0,
        })
    }

    fn answer() -> Told {
        Told::Answer(crate::track::told::Answer { rows: Vec::new() })
    }

    /// Passes on what it takes, once it is let.
    struct Gate {
        open: Receiver<Result<(), SinkError>>,
        seen: Sender<Vec<Told>>,
    }

    impl Sink for Gate {
        fn take(&mut self, batch: Vec<Told>) -> Result<(), SinkError> {
            self.seen.send(batch).unwrap();
            self.open.recv().unwrap()
        }
    }

    struct Rig {
        tracker: Tracker,
        open: Sender<Result<(), SinkError>>,
        seen: Receiver<Vec<Told>>,
    }

    fn rig(room: usize) -> Rig {
        let (open, opened) = channel();
        let (sees, taken) = channel();
        let opened = Opened {
            name: "test",
            sink: Box::new(Gate {
                open: opened,
                seen: sees,
            }),
            abandon: Box::new(|| {}),
            notes: Vec::new(),
        };
        Rig {
            tracker: Tracker::with_room(opened, room).unwrap(),
            open,
            seen: taken,
        }
    }

    fn wait_for_the_end(tracker: &Tracker) {
        while !tracker.has_ended() {
            thread::yield_now();
        }
    }

    #[test]
    fn live_points_that_do_not_fit_are_dropped_and_counted() {
        let rig = rig(3);
        rig.tracker.offer(live(0));
        assert_eq!(rig.seen.recv().unwrap(), [live(0)], "it is taken at once");
        for step in 1..=10 {
            rig.tracker.offer(live(step));
        }
        rig.open.send(Ok(())).unwrap();
        assert_eq!(rig.seen.recv().unwrap(), [live(1), live(2), live(3)]);
        rig.open.send(Ok(())).unwrap();
        rig.tracker.offer(end());
        assert_eq!(rig.seen.recv().unwrap(), [end()]);
        rig.open.send(Ok(())).unwrap();
        wait_for_the_end(&rig.tracker);
        assert_eq!(rig.tracker.lost(), (7, None));
    }

    #[test]
    fn what_is_told_once_takes_the_place_of_the_oldest_live_point() {
        let rig = rig(3);
        rig.tracker.offer(live(0));
        rig.seen.recv().unwrap();
        for told in [live(1), live(2), live(3), answer(), end()] {
            rig.tracker.offer(told);
        }
        rig.open.send(Ok(())).unwrap();
        assert_eq!(rig.seen.recv().unwrap(), [live(3), answer(), end()]);
        rig.open.send(Ok(())).unwrap();
        wait_for_the_end(&rig.tracker);
        assert_eq!(rig.tracker.lost(), (2, None));
    }

    #[test]
    fn the_end_comes_through_whatever_waits_before_it() {
        let rig = rig(2);
        rig.tracker.offer(live(0));
        rig.seen.recv().unwrap();
        for told in [answer(), answer(), end()] {
            rig.tracker.offer(told);
        }
        rig.open.send(Ok(())).unwrap();
        assert_eq!(rig.seen.recv().unwrap(), [answer(), end()]);
        rig.open.send(Ok(())).unwrap();
        wait_for_the_end(&rig.tracker);
    }

    #[test]
    fn a_tracker_that_fails_is_told_once_and_is_told_nothing_more() {
        let rig = rig(8);
        rig.tracker.offer(live(0));
        rig.seen.recv().unwrap();
        rig.tracker.offer(live(1));
        rig.open
            .send(Err(SinkError::Over("it is gone".to_owned())))
            .unwrap();
        wait_for_the_end(&rig.tracker);
        assert_eq!(rig.tracker.failure().as_deref(), Some("it is gone"));
        assert_eq!(rig.tracker.failure(), None);
        rig.tracker.offer(live(2));
        rig.tracker.offer(end());
        assert_eq!(rig.tracker.lost().0, 3);
        assert!(rig.seen.try_recv().is_err());
    }

    #[test]
    fn what_is_lost_on_the_way_is_counted_and_the_rest_goes_on() {
        let rig = rig(8);
        rig.tracker.offer(live(0));
        rig.seen.recv().unwrap();
        let lost = SinkError::Lost {
            pieces: 1,
            why: "refused".to_owned(),
        };
        rig.open.send(Err(lost)).unwrap();
        rig.tracker.offer(end());
        rig.seen.recv().unwrap();
        rig.open.send(Ok(())).unwrap();
        wait_for_the_end(&rig.tracker);
        assert_eq!(rig.tracker.lost(), (1, Some("refused".to_owned())));
        assert_eq!(rig.tracker.failure(), None);
    }
}
