//! Items that a Python callable makes.

use crestline_core::request::Item;
use crestline_workload::own::{ItemSource, item_of};
use pyo3::prelude::*;

use super::told;

/// Calls `item(index)`, which gives JSON.
#[derive(Debug)]
pub(super) struct PythonSource {
    item: Py<PyAny>,
    number: Option<u64>,
}

impl PythonSource {
    pub(super) fn new(item: Py<PyAny>, number: Option<u64>) -> Self {
        Self { item, number }
    }
}

impl ItemSource for PythonSource {
    fn item(&self, index: u64) -> Result<Item, String> {
        let text: String = Python::attach(|python| {
            let made = self.item.call1(python, (index,));
            made.and_then(|made| made.extract(python))
                .map_err(|error| told(python, &error))
        })?;
        let value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        item_of(index, value)
    }

    fn number(&self) -> Option<u64> {
        self.number
    }
}
