//! `crestline report`: one page of one or many runs.

pub(crate) mod client;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the command that reads them is next to come")
)]
pub(crate) mod sources;
