//! What earlier commands of a search left on disk, as far as it can be used.

use std::fs;
use std::path::Path;

use crestline_core::record::RequestRecord;
use crestline_core::search::{Search, Span};
use crestline_core::units::Nanos;
use crestline_store::runs::{RunReader, StoreError};

use super::journal::{Answered, Dwelt, Entry, Resumed};
use super::ledger::Ledger;
use crate::error::RunError;

/// Items left out behind the last one on file: requests that had not ended are not on file, and none is sent again.
const SKIPPED_ITEMS: u64 = 10_000;

/// Between the end of what is on file and the first moment of what follows.
const BREAK: Nanos = Nanos::from_millis(1);

/// Earlier dwells, and the requests that were sent in them.
pub(super) struct Past {
    dwells: Vec<Dwelt>,
    records: Vec<RequestRecord>,
    /// Groups that had their answers.
    pub(super) answers: Vec<Answered>,
    /// The first item to send.
    pub(super) first_item: u64,
    /// Later than everything on file.
    pub(super) from: Nanos,
    /// What the search believes to be applied.
    pub(super) back_to: Option<BackTo>,
}

/// A load that a service is brought back to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BackTo {
    /// Users, or requests a second.
    pub(super) load: f64,
    /// How long that takes: users join over the longest latency that counts, and as long again they mix.
    pub(super) settle: Nanos,
}

impl Past {
    /// Reads the database that belongs to a journal's entries.
    pub(super) fn read(entries: Vec<Entry>, database: &Path) -> Result<Self, RunError> {
        let records = records(&entries, database)?;
        let mut dwells: Vec<Dwelt> = Vec::new();
        let mut first_item = 0;
        let mut answers = Vec::new();
        let is_drained = matches!(entries.last(), Some(Entry::End { drained: true, .. }));
        for entry in entries {
            match entry {
                Entry::Dwell(dwelt) => {
                    dwells.retain(|known| known.number != dwelt.number);
                    dwells.push(dwelt);
                }
                Entry::Resume(resumed) => {
                    first_item = first_item.max(resumed.first_item);
                    dwells.truncate(resumed.dwells as usize);
                }
                Entry::Answer(answered) => answers.push(*answered),
                _ => {}
            }
        }
        let known = records.iter().map(|record| record.index + 1).max();
        let ends = records.iter().map(|record| record.end);
        let last = ends.clone().max().unwrap_or_default();
        let spans = dwells.iter().map(|dwelt| dwelt.span);
        let from = spans
            .map(|span| span.ended.unwrap_or(span.applied))
            .chain([last])
            .max()
            .unwrap_or_default();
        if !is_drained {
            // Requests that were sent before had all ended when the last was stored. Of those sent later the quick ones are
            // on file and the slow ones are not, so they are no evidence.
            cut(&mut dwells, last.saturating_sub(longest(records.iter())));
        }
        let slowest = longest(records.iter());
        // A session that ended by itself is gone on with from an idle service; one that was cut off from where it was.
        let back_to = dwells.last().filter(|_| !is_drained).map(|dwelt| BackTo {
            load: dwelt.span.load,
            settle: slowest * 2,
        });
        Ok(Self {
            first_item: known.unwrap_or_default().max(first_item) + SKIPPED_ITEMS,
            records,
            from: from + BREAK,
            back_to,
            answers,
            dwells,
        })
    }

    /// What all of it comes to, for a question with these groups.
    pub(super) fn tell_ledger(&self, ledger: &mut Ledger<'_>) {
        for dwelt in &self.dwells {
            ledger.restore(dwelt);
        }
        for record in &self.records {
            ledger.record(record);
        }
    }

    /// The lines with which a journal goes on.
    pub(super) fn lines(&self) -> Vec<Entry> {
        let resumed = Entry::Resume(Resumed {
            at: self.from,
            first_item: self.first_item,
            dwells: self.dwells.len() as u32,
        });
        let last = self.dwells.last().cloned().map(Entry::Dwell);
        std::iter::once(resumed).chain(last).collect()
    }

    /// Tells a search and its ledger all of it.
    pub(super) fn tell(mut self, search: &mut Search, ledger: &mut Ledger<'_>) {
        for dwelt in &mut self.dwells {
            if dwelt.void.is_some() {
                // The client may keep up today: the load can be tried again.
                dwelt.span.counts_from = Nanos::MAX;
            }
            ledger.restore(dwelt);
            search.restore(dwelt.span);
        }
        for record in &self.records {
            search.ended(record);
            ledger.record(record);
        }
        for answered in self.answers {
            search.restore_answer(answered.group as usize, answered.answer);
        }
    }
}

/// All requests on file. A kill may come between the journal and the database, or while that is made: nothing was sent by
/// then, and the unfinished file is removed.
fn records(entries: &[Entry], database: &Path) -> Result<Vec<RequestRecord>, RunError> {
    if !database.exists() {
        return Ok(Vec::new());
    }
    let nothing_begun = entries
        .iter()
        .all(|entry| matches!(entry, Entry::Resume(_)));
    match RunReader::open(database) {
        Err(StoreError::NotARun { .. }) if nothing_begun => {
            fs::remove_file(database).map_err(|source| RunError::Folder {
                path: database.to_owned(),
                source,
            })?;
            Ok(Vec::new())
        }
        reader => Ok(reader?.records().collect::<Result<Vec<_>, _>>()?),
    }
}

/// The longest time that one of these requests took.
fn longest<'a>(records: impl Iterator<Item = &'a RequestRecord>) -> Nanos {
    records
        .map(RequestRecord::latency)
        .max()
        .unwrap_or_default()
}

/// Ends what goes on after a moment, and leaves out what begins after it.
fn cut(dwells: &mut Vec<Dwelt>, at: Nanos) {
    dwells.retain(|dwelt| dwelt.span.applied < at);
    for dwelt in dwells {
        let span = &mut dwelt.span;
        *span = Span {
            ended: Some(span.ended.map_or(at, |ended| ended.min(at))),
            ..*span
        };
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use crestline_core::record::Phase;
    use crestline_store::runs::{RunHeader, RunWriter, WriteOptions};

    use super::*;

    fn dwelt(number: u32, applied: u64, ended: Option<u64>) -> Entry {
        Entry::Dwell(Dwelt {
            number,
            stage: "ramp".to_owned(),
            span: Span {
                load: f64::from(number),
                applied: Nanos::from_secs(applied),
                counts_from: Nanos::from_secs(applied + 1),
                ended: ended.map(Nanos::from_secs),
                cut: false,
            },
            void: None,
        })
    }

    /// Requests of so many seconds each, one after the other, as a kill leaves them.
    fn past(entries: Vec<Entry>, seconds: u64, count: u64) -> Past {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run.db");
        let header = RunHeader {
            tool_version: String::new(),
            start: Nanos::ZERO,
            plan: serde_json::Value::Null,
        };
        let options = WriteOptions {
            commit_rows: NonZeroUsize::MIN,
            keep_text: false,
        };
        let writer = RunWriter::create(&path, options, &header).unwrap();
        for index in 0..count {
            writer.write(RequestRecord {
                sent: Nanos::from_secs(index * seconds),
                end: Nanos::from_secs((index + 1) * seconds),
                ..RequestRecord::new(index, Phase::Measured)
            });
        }
        drop(writer);
        Past::read(entries, &path).unwrap()
    }

    #[test]
    fn what_may_lack_its_slow_requests_is_no_evidence() {
        let entries = vec![
            dwelt(1, 0, None),
            dwelt(1, 0, Some(8)),
            dwelt(2, 8, None),
            dwelt(2, 8, Some(19)),
            dwelt(3, 19, None),
        ];
        let past = past(entries, 3, 7);
        let ends: Vec<Option<Nanos>> = past.dwells.iter().map(|dwelt| dwelt.span.ended).collect();
        let expected = [8, 18].map(|second| Some(Nanos::from_secs(second)));
        assert_eq!(
            ends, expected,
            "the last end is at 21 s, the longest took 3 s"
        );
        let back_to = BackTo {
            load: 2.0,
            settle: Nanos::from_secs(6),
        };
        assert_eq!(past.back_to, Some(back_to));
    }

    #[test]
    fn a_session_that_ended_by_itself_loses_nothing_and_begins_on_an_idle_service() {
        let end = Entry::End {
            at: Nanos::from_secs(20),
            drained: true,
        };
        let entries = vec![
            dwelt(1, 0, Some(8)),
            dwelt(2, 8, Some(17)),
            dwelt(3, 17, Some(20)),
            end,
        ];
        let past = past(entries, 3, 7);
        let ends: Vec<Option<Nanos>> = past.dwells.iter().map(|dwelt| dwelt.span.ended).collect();
        let expected = [8, 17, 20].map(|second| Some(Nanos::from_secs(second)));
        assert_eq!(ends, expected);
        assert_eq!(past.back_to, None);
    }

    #[test]
    fn what_follows_is_later_and_sends_other_items() {
        let past_one = past(vec![dwelt(1, 0, Some(30))], 2, 4);
        assert!(past_one.from > Nanos::from_secs(30));
        assert!(past_one.first_item > 4);
        let earlier = Entry::Resume(Resumed {
            at: Nanos::ZERO,
            first_item: 50_000,
            dwells: 0,
        });
        assert!(past(vec![earlier], 2, 4).first_item > 50_000);
    }

    #[test]
    fn what_one_command_left_out_is_left_out_by_the_next() {
        let mut entries = vec![
            dwelt(1, 0, Some(8)),
            dwelt(2, 8, Some(19)),
            dwelt(3, 19, None),
        ];
        let first = past(entries.clone(), 3, 7);
        assert_eq!(
            first.dwells.len(),
            2,
            "the third may lack its slow requests"
        );
        entries.extend(first.lines());
        entries.push(dwelt(3, 30, None));
        let second = past(entries, 3, 20);
        let spans: Vec<(u32, Nanos, Option<Nanos>)> = second
            .dwells
            .iter()
            .map(|dwelt| (dwelt.number, dwelt.span.applied, dwelt.span.ended))
            .collect();
        let s = Nanos::from_secs;
        let expected = [
            (1, s(0), Some(s(8))),
            (2, s(8), Some(s(18))),
            (3, s(30), Some(s(57))),
        ];
        assert_eq!(spans, expected);
    }

    #[test]
    fn a_database_that_was_never_made_is_made_anew_and_one_of_something_else_is_left() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run.db");
        fs::write(&path, "").unwrap();
        assert!(Past::read(vec![dwelt(1, 0, None)], &path).is_err());
        assert!(path.exists());
        assert!(Past::read(Vec::new(), &path).unwrap().records.is_empty());
        assert!(!path.exists());
        assert!(Past::read(Vec::new(), &path).unwrap().records.is_empty());
    }

    #[test]
    fn nothing_on_file_is_a_search_from_the_beginning() {
        let past = past(Vec::new(), 1, 0);
        assert!(past.dwells.is_empty());
        assert_eq!(past.back_to, None);
    }
}
