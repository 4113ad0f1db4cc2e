//! Reads a page of metrics each second until it is told to stop, on a thread of its own with a connection of its own.
//!
//! The load neither waits for it nor shares anything with it. A page that does not come, comes late or is too long is a
//! missed sample, and no page is asked for while another is still being read.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};

use crestline_core::server_series::PageRead;
use crestline_core::units::Nanos;

use super::source::MetricsSource;
use crate::background::step_back;
use crate::clock::Clock;

/// Between the beginnings of two reads.
const EVERY: Nanos = Nanos::from_secs(1);

/// The times of what is read.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The clock of the load.
    pub clock: Clock,
    /// What its times are moved by.
    pub offset: Nanos,
}

/// How reading went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sampled {
    /// Pages that were read.
    pub read: u64,
    /// Pages that were not.
    pub missed: u64,
    /// Why the first of these was not, in words.
    pub first_problem: Option<String>,
}

/// A page that is read each second.
#[derive(Debug)]
pub struct Sampler {
    /// Dropped to end the thread.
    goes_on: Option<Sender<()>>,
    thread: Option<JoinHandle<Sampled>>,
}

impl Sampler {
    /// Reads the page now and each second from now on, and hands over what came of it.
    pub fn start(
        source: MetricsSource,
        timing: Timing,
        to: impl FnMut(PageRead) + Send + 'static,
    ) -> io::Result<Self> {
        let (goes_on, ended) = channel();
        let sampling = Sampling {
            source,
            timing,
            to,
            sampled: Sampled::default(),
        };
        let thread = thread::Builder::new()
            .name("server-metrics".to_owned())
            .spawn(move || sampling.run(&ended))?;
        Ok(Self {
            goes_on: Some(goes_on),
            thread: Some(thread),
        })
    }

    /// Reads the page once more, where the last read went well, and ends. Takes as long as one page may, at most.
    pub fn end(mut self) -> Sampled {
        self.stop()
    }

    fn stop(&mut self) -> Sampled {
        drop(self.goes_on.take());
        let thread = self.thread.take();
        // A panic there is told by its own message, and what was read before it was handed over.
        thread
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What the thread has.
struct Sampling<F> {
    source: MetricsSource,
    timing: Timing,
    to: F,
    sampled: Sampled,
}

impl<F: FnMut(PageRead)> Sampling<F> {
    fn run(mut self, ended: &Receiver<()>) -> Sampled {
        step_back();
        let clock = self.timing.clock;
        let began = clock.now();
        loop {
            let went_well = self.read();
            let since = clock.now().saturating_sub(began);
            let pause = Nanos(EVERY.0 - since.0 % EVERY.0);
            match ended.recv_timeout(pause.to_duration()) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                    if went_well {
                        self.read();
                    }
                    return self.sampled;
                }
            }
        }
    }

    /// Reads once; false where that was in vain.
    fn read(&mut self) -> bool {
        let content = self.source.read().map_err(|error| error.to_string());
        match &content {
            Ok(_) => self.sampled.read += 1,
            Err(why) => {
                self.sampled.missed += 1;
                self.sampled
                    .first_problem
                    .get_or_insert_with(|| why.clone());
            }
        }
        let went_well = content.is_ok();
        let at = self.timing.clock.now().saturating_add(self.timing.offset);
        (self.to)(PageRead { at, content });
        went_well
    }
}
