//! The flags of a sub-command as Python values, and the name that is meant by an unknown one.

use crestline_cli::{Flag, Kind, Values};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// The flags of a sub-command (`["bench", "serve"]`) in the order of its help, a dictionary each; none of a sub-command that
/// is not there.
#[pyfunction]
#[expect(
    clippy::needless_pass_by_value,
    reason = "what Python hands over is made for the call"
)]
pub(crate) fn flags(python: Python<'_>, path: Vec<String>) -> PyResult<Bound<'_, PyList>> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let flags = crestline_cli::flags(&path).unwrap_or_default();
    let listed = flags.into_iter().map(|flag| listed(python, flag));
    PyList::new(python, listed.collect::<PyResult<Vec<_>>>()?)
}

/// The name that is meant by one that is not among `names`, where one of them is near.
#[pyfunction]
#[expect(
    clippy::needless_pass_by_value,
    reason = "what Python hands over is made for the call"
)]
pub(crate) fn meant(unknown: &str, names: Vec<String>) -> Option<String> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    crestline_cli::meant(unknown, &names).map(str::to_owned)
}

fn listed(python: Python<'_>, flag: Flag) -> PyResult<Bound<'_, PyDict>> {
    let (kind, choices) = match flag.kind {
        Kind::Whole => ("whole", Vec::new()),
        Kind::Number => ("number", Vec::new()),
        Kind::Truth => ("truth", Vec::new()),
        Kind::Text => ("text", Vec::new()),
        Kind::Choice(choices) => ("choice", choices),
    };
    let values = match flag.values {
        Values::Switch => "switch",
        Values::One => "one",
        Values::Optional => "optional",
        Values::Many => "many",
        Values::Repeated => "repeated",
    };
    let listed = PyDict::new(python);
    listed.set_item("name", flag.name)?;
    listed.set_item("aliases", flag.aliases)?;
    listed.set_item("values", values)?;
    listed.set_item("kind", kind)?;
    listed.set_item("choices", choices)?;
    listed.set_item("shown", flag.shown)?;
    listed.set_item("default", flag.default)?;
    listed.set_item("help", flag.help)?;
    Ok(listed)
}
