//! `benchmark.log`: what the console shows, each message with the time at which it was shown.
//!
//! Holds no line that is redrawn. It may tell the time of day, also of a run in virtual time: it is no result.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::WriteError;

/// The name of the file in the output folder.
const NAME: &str = "benchmark.log";

/// Messages, kept until there is a folder and written at once from then on.
#[derive(Debug, Default)]
pub(crate) struct Log {
    waiting: Vec<u8>,
    file: Option<(PathBuf, File)>,
    failed: Option<WriteError>,
}

impl Log {
    /// Begins to write into that folder, behind what an earlier command left there.
    pub(crate) fn open(&mut self, folder: &Path) {
        let path = folder.join(NAME);
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        match opened {
            Ok(file) => {
                self.file = Some((path, file));
                self.flush();
            }
            Err(source) => self.failed = Some(WriteError { path, source }),
        }
    }

    /// A message that was shown at `stamp`.
    pub(crate) fn add(&mut self, stamp: &str, text: &str) {
        let text = text.trim_matches('\n');
        if text.is_empty() || self.failed.is_some() {
            return;
        }
        // Writing into memory cannot fail.
        drop(writeln!(self.waiting, "{stamp} {text}"));
        self.flush();
    }

    /// The first message that could not be written, once.
    pub(crate) fn take_failure(&mut self) -> Option<WriteError> {
        self.failed.take()
    }

    fn flush(&mut self) {
        let Some((path, file)) = &mut self.file else {
            return;
        };
        let written: io::Result<()> = file.write_all(&self.waiting);
        self.waiting.clear();
        if let Err(source) = written {
            let path = path.clone();
            self.failed = Some(WriteError { path, source });
            self.file = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn messages_wait_for_the_folder_and_follow_an_earlier_run() {
        let folder = tempfile::tempdir().unwrap();
        let read = || std::fs::read_to_string(folder.path().join(NAME)).unwrap();
        let mut log = Log::default();
        log.add("10:00", "note: one");
        log.open(folder.path());
        log.add("10:01", "\nCONCURRENCY\n a table\n");
        log.add("10:02", "");
        expect![[r"
            10:00 note: one
            10:01 CONCURRENCY
             a table
        "]]
        .assert_eq(&read());
        let mut second = Log::default();
        second.open(folder.path());
        second.add("11:00", "again");
        assert!(read().ends_with(" a table\n11:00 again\n"), "{}", read());
        assert!(second.take_failure().is_none());
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_once() {
        let mut log = Log::default();
        log.open(Path::new("/no/such/folder"));
        log.add("10:00", "lost");
        let failure = log.take_failure().unwrap();
        assert!(failure.to_string().contains("benchmark.log"), "{failure}");
        assert!(log.take_failure().is_none());
    }
}
