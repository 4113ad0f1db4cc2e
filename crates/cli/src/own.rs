//! Data sets and APIs that another program in this process brings along, by the names that flags call them.
//!
//! Kept for the whole process, as the names of code are: the Python package puts in what its user has written. Calls nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crestline_load::own::{Api, OwnApi};
use crestline_workload::own::{ItemSource, OwnSource};

static KNOWN: Mutex<Known> = Mutex::new(Known {
    datasets: BTreeMap::new(),
    apis: BTreeMap::new(),
});

struct Known {
    datasets: BTreeMap<String, Arc<dyn ItemSource>>,
    apis: BTreeMap<String, Arc<dyn Api>>,
}

/// From now on `--dataset NAME` of `perf` is this one, also where another one had the name.
pub fn add_dataset(name: &str, source: Arc<dyn ItemSource>) {
    known().datasets.insert(name.to_owned(), source);
}

/// From now on `--api NAME` of `perf` is this one, also where another one had the name.
pub fn add_api(name: &str, api: Arc<dyn Api>) {
    known().apis.insert(name.to_owned(), api);
}

/// Forgets a data set; one that is in use is used to the end.
pub fn remove_dataset(name: &str) {
    known().datasets.remove(name);
}

/// Forgets an API; one that is in use is used to the end.
pub fn remove_api(name: &str) {
    known().apis.remove(name);
}

pub(crate) fn dataset(name: &str) -> Option<OwnSource> {
    let source = known().datasets.get(name).cloned()?;
    Some(OwnSource::new(name, source))
}

pub(crate) fn api(name: &str) -> Option<OwnApi> {
    let api = known().apis.get(name).cloned()?;
    Some(OwnApi::new(name, api))
}

fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}
