//! Shows what a process writes to its log while it does.
//!
//! The process writes to the file alone, so that it does not depend on this program; here the file is read as it grows.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crestline_load::clock;

use crate::console;
use crate::front_end::FrontEnd;

/// Between two looks at the file.
const LOOK: Duration = Duration::from_millis(100);

/// Shows a log until it is dropped; then also its last line, if it has no end.
#[derive(Debug)]
pub(crate) struct Follower {
    is_done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Of what is written behind `from`. `redacted` is what may be shown of a line.
    pub(crate) fn start(
        log: PathBuf,
        from: u64,
        redacted: impl Fn(&str) -> String + Send + 'static,
    ) -> Self {
        let is_done = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_done);
        let front = FrontEnd::current();
        let thread = thread::spawn(move || {
            FrontEnd::inherit(front);
            let mut lines = Lines {
                log,
                from,
                open: Vec::new(),
            };
            loop {
                // Looked at first, so that what was written before the end is shown.
                let is_last = seen.load(Ordering::Acquire);
                for line in lines.next() {
                    console::say(&redacted(&line));
                }
                if is_last {
                    break;
                }
                clock::sleep(LOOK);
            }
            if let Some(line) = lines.rest() {
                console::say(&redacted(&line));
            }
        });
        Self {
            is_done,
            thread: Some(thread),
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.is_done.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A file that grows, line by line.
struct Lines {
    log: PathBuf,
    from: u64,
    /// Of a line whose end is not there yet.
    open: Vec<u8>,
}

impl Lines {
    fn next(&mut self) -> Vec<String> {
        let mut bytes = Vec::new();
        let read = File::open(&self.log).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.from))?;
            file.read_to_end(&mut bytes)
        });
        self.from += read.map_or(0, |length| length as u64);
        self.open.extend_from_slice(&bytes);
        let Some(end) = self.open.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let whole: Vec<u8> = self.open.drain(..=end).collect();
        let text = String::from_utf8_lossy(&whole);
        text.lines().map(str::to_owned).collect()
    }

    fn rest(self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.open).into_owned();
        Some(text).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_are_shown_once_they_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut lines = Lines {
            log: log.clone(),
            from: 4,
            open: Vec::new(),
        };
        assert!(lines.next().is_empty(), "there is no file yet");
        let mut file = File::create(&log).unwrap();
        file.write_all(b"old\none\ntw").unwrap();
        assert_eq!(lines.next(), ["one"]);
        file.write_all(b"o\nend").unwrap();
        assert_eq!(lines.next(), ["two"]);
        assert!(lines.next().is_empty());
        assert_eq!(lines.rest().as_deref(), Some("end"));
    }
}
