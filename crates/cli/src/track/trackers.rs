//! All trackers of a command: each is told everything, none is waited for but at the end, and there not for ever.
//!
//! Gives lines for the user and prints none. Nothing that happens to a tracker changes what is measured or the exit code.

use std::io;
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_load::clock;
use crestline_load::engine::Stop;
use crestline_report::number::counted;

use super::told::{End, Told};
use super::tracker::{Opened, Tracker};

/// Between two looks at whether a tracker has ended.
const LOOK: Duration = Duration::from_millis(20);

/// The trackers of a command; there may be none.
#[derive(Debug, Default)]
pub(crate) struct Trackers {
    all: Vec<Tracker>,
}

impl Trackers {
    /// Begins to tell one more.
    pub(crate) fn add(&mut self, opened: Opened) -> io::Result<()> {
        self.all.push(Tracker::start(opened)?);
        Ok(())
    }

    /// Nobody is told anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Tells all of them. Never waits.
    pub(crate) fn tell(&self, told: &Told) {
        for tracker in &self.all {
            tracker.offer(told.clone());
        }
    }

    /// A line for each that has failed since the last time.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failed = self.all.iter().filter_map(|tracker| {
            let why = tracker.failure()?;
            Some(format!(
                "warning: tracker {}: {why}; the measurement goes on without it",
                tracker.name()
            ))
        });
        failed.collect()
    }

    /// Tells all that the command has ended and waits until they have delivered everything, for `patience` at most and not
    /// for one who asks twice to stop. Gives what they say then,
    /// and a line for each that did not take all.
    pub(crate) fn close(mut self, end: End, patience: Nanos, stop: &Stop) -> Vec<String> {
        self.tell(&Told::End(end));
        let began = clock::monotonic();
        let waited = || clock::monotonic().saturating_sub(began);
        let is_open = |tracker: &Tracker| !tracker.has_ended();
        while self.all.iter().any(is_open) && waited() < patience && !stop.is_urgent() {
            clock::sleep(LOOK);
        }
        let all = self.all.iter_mut();
        all.flat_map(|tracker| {
            let said = tracker.farewell().into_iter();
            let said = said.map(|line| format!("tracker {}: {line}", tracker.name()));
            let said: Vec<String> = said.collect();
            said.into_iter().chain(remark(tracker, patience, stop))
        })
        .collect()
    }
}

/// What is to be said of a tracker at the end.
fn remark(tracker: &mut Tracker, patience: Nanos, stop: &Stop) -> Option<String> {
    let (lost, why) = tracker.lost();
    let mut parts: Vec<String> = tracker.failure().into_iter().collect();
    if lost > 0 {
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        parts.push(format!("{} dropped{why}", counted(lost, "point")));
    }
    if !tracker.has_ended() {
        tracker.leave();
        parts.push(if stop.is_urgent() {
            "was not waited for".to_owned()
        } else {
            format!("did not end within {patience}")
        });
    }
    let line = parts.join(", ");
    (!line.is_empty()).then(|| format!("warning: tracker {}: {line}", tracker.name()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, channel};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::track::told::{Answer, Status};
    use crate::track::tracker::{Sink, SinkError};

    const DONE: End = End {
        status: Status::Done,
        exit: 0,
    };

    /// Puts down what it takes.
    #[derive(Clone, Default)]
    struct Notebook(Arc<Mutex<Vec<Told>>>);

    impl Sink for Notebook {
        fn take(&mut self, batch: Vec<Told>) -> Result<(), SinkError> {
            self.0.lock().unwrap().extend(batch);
            Ok(())
        }

        fn farewell(&mut self) -> Vec<String> {
            vec!["it is written".to_owned()]
        }
    }

    /// Hangs until its other end is gone.
    struct Hanging(Receiver<()>);

    impl Sink for Hanging {
        fn take(&mut self, _: Vec<Told>) -> Result<(), SinkError> {
            let _ = self.0.recv();
            Ok(())
        }
    }

    fn opened(name: &'static str, sink: impl Sink + 'static) -> Opened {
        Opened {
            name,
            sink: Box::new(sink),
            abandon: Box::new(|| {}),
            notes: Vec::new(),
        }
    }

    fn answer() -> Told {
        Told::Answer(Answer { rows: Vec::new() })
    }

    #[test]
    fn every_tracker_is_told_everything_in_order() {
        let notes = [Notebook::default(), Notebook::default()];
        let mut trackers = Trackers::default();
        for book in &notes {
            trackers.add(opened("book", book.clone())).unwrap();
        }
        trackers.tell(&answer());
        let said = trackers.close(DONE, Nanos::from_secs(10), &Stop::default());
        assert_eq!(said, ["tracker book: it is written"; 2]);
        for book in notes {
            assert_eq!(*book.0.lock().unwrap(), [answer(), Told::End(DONE)]);
        }
    }

    #[test]
    fn a_tracker_that_hangs_is_left_and_ended_while_another_gets_all() {
        let book = Notebook::default();
        let (hold, other_end) = channel();
        let is_left = Arc::new(AtomicBool::new(false));
        let left = Arc::clone(&is_left);
        let mut trackers = Trackers::default();
        let hanging = Opened {
            abandon: Box::new(move || left.store(true, Ordering::SeqCst)),
            ..opened("hanging", Hanging(other_end))
        };
        trackers.add(hanging).unwrap();
        trackers.add(opened("book", book.clone())).unwrap();
        trackers.tell(&answer());
        let said = trackers.close(DONE, Nanos::from_millis(300), &Stop::default());
        assert_eq!(
            said,
            [
                "warning: tracker hanging: 1 point dropped, did not end within 300ms",
                "tracker book: it is written"
            ]
        );
        assert!(is_left.load(Ordering::SeqCst));
        assert_eq!(book.0.lock().unwrap().len(), 2);
        drop(hold);
    }

    #[test]
    fn one_who_asks_twice_to_stop_does_not_wait() {
        let (hold, other_end) = channel();
        let mut trackers = Trackers::default();
        trackers.add(opened("hanging", Hanging(other_end))).unwrap();
        let stop = Stop::default();
        stop.ask();
        stop.ask();
        let said = trackers.close(DONE, Nanos::from_secs(3600), &stop);
        assert_eq!(said, ["warning: tracker hanging: was not waited for"]);
        drop(hold);
    }
}
