//! The requests of a search, parted by the loads that they were sent at: what each load would be as a run of its own.
//!
//! Reads a finished session's database. Computes nothing of the requests, and judges nothing.

use std::path::Path;

use crestline_core::record::{FailureKind, RequestRecord};
use crestline_core::units::Nanos;
use crestline_store::runs::{RunReader, StoreError};

use super::outcome::{Dwell, SearchOutcome, WorkRate};
use crate::run::DATABASE;

/// What was sent at one load, all of its dwells together.
#[derive(Debug, Clone)]
pub struct LoadRecords {
    /// Users, or requests a second.
    pub load: f64,
    /// Those that count, in the order in which they ended; none that the search itself gave up.
    pub records: Vec<RequestRecord>,
    /// How long requests counted.
    pub counted: Nanos,
    /// Work done a second meanwhile, where that is known.
    pub pace: Option<WorkRate>,
}

/// All requests of a session, and when its times begin.
#[derive(Debug)]
pub struct SessionRecords {
    /// One for each load that was tried, in increasing load.
    pub loads: Vec<LoadRecords>,
    /// When the records' times begin, since 1970.
    pub epoch: Nanos,
}

/// Reads the requests of a session from the folder of its search.
pub fn read(outcome: &SearchOutcome, folder: &Path) -> Result<SessionRecords, StoreError> {
    let mut loads: Vec<LoadRecords> = outcome
        .tried
        .iter()
        .map(|tried| LoadRecords {
            load: tried.load,
            records: Vec::new(),
            counted: counted(outcome, tried.load),
            pace: tried.pace,
        })
        .collect();
    let reader = RunReader::open(&folder.join(DATABASE))?;
    for record in reader.records() {
        let record = record?;
        let at = record.sent.saturating_sub(outcome.began);
        let dwell = outcome.dwells.iter().find(|dwell| counts(dwell, at));
        let place = dwell.and_then(|dwell| loads.iter_mut().find(|one| is_of(dwell, one.load)));
        if let (Some(place), false) = (place, was_given_up(&record)) {
            place.records.push(record);
        }
    }
    Ok(SessionRecords {
        loads,
        epoch: reader.meta().header.start,
    })
}

/// Time at a load in which requests count.
fn counted(outcome: &SearchOutcome, load: f64) -> Nanos {
    let dwells = outcome.dwells.iter();
    let spans = dwells
        .filter(|dwell| is_of(dwell, load) && !dwell.is_void)
        .filter_map(|dwell| Some(dwell.end.saturating_sub(dwell.counted_from?)));
    spans.fold(Nanos::ZERO, |sum, span| sum + span)
}

fn is_of(dwell: &Dwell, load: f64) -> bool {
    dwell.load.total_cmp(&load).is_eq()
}

fn counts(dwell: &Dwell, at: Nanos) -> bool {
    !dwell.is_void && dwell.counted_from.is_some_and(|from| at >= from) && at < dwell.end
}

fn was_given_up(record: &RequestRecord) -> bool {
    let failure = record.failure.as_ref();
    failure.is_some_and(|failure| failure.kind == FailureKind::Cancelled)
}
