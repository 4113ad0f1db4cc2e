//! `crestline report`: one page of one or many runs.

pub(crate) mod sources;
