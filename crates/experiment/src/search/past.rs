//! What earlier commands of a search left on disk, as far as it can be used.

use std::path::Path;

use crestline_core::record::RequestRecord;
use crestline_core::search::{Search, Span};
use crestline_core::units::Nanos;
use crestline_store::runs::RunReader;

use super::journal::{Dwelt, Entry};
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
    /// How long that takes: users join over one of the longest latency, and as long again they mix.
    pub(super) settle: Nanos,
}

impl Past {
    /// Reads the database that belongs to a journal's entries.
    pub(super) fn read(entries: Vec<Entry>, database: &Path) -> Result<Self, RunError> {
        let reader = RunReader::open(database)?;
        let records = reader.records().collect::<Result<Vec<_>, _>>()?;
        let mut dwells: Vec<Dwelt> = Vec::new();
        let mut first_item = 0;
        for entry in entries {
            match entry {
                Entry::Dwell(dwelt) => {
                    dwells.retain(|known| known.number != dwelt.number);
                    dwells.push(dwelt);
                }
                Entry::Resume(resumed) => first_item = first_item.max(resumed.first_item),
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
        let longest = longest(&records);
        // Requests that were sent before had all ended when the last was stored. Of those sent later the quick ones are on
        // file and the slow ones are not, so they are no evidence.
        cut(&mut dwells, last.saturating_sub(longest));
        Ok(Self {
            first_item: known.unwrap_or_default().max(first_item) + SKIPPED_ITEMS,
            records,
            from: from + BREAK,
            back_to: dwells.last().map(|dwelt| BackTo {
                load: dwelt.span.load,
                settle: longest * 2,
            }),
            dwells,
        })
    }

    /// Tells a search and its ledger all of it.
    pub(super) fn tell(self, search: &mut Search, ledger: &mut Ledger<'_>) {
        for dwelt in &self.dwells {
            ledger.restore(dwelt);
            search.restore(dwelt.span);
        }
        for record in &self.records {
            search.ended(record);
            ledger.record(record);
        }
    }
}

/// The longest time that a request took.
fn longest(records: &[RequestRecord]) -> Nanos {
    let latencies = records.iter().map(RequestRecord::latency);
    latencies.max().unwrap_or_default()
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
