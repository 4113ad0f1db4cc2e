//! Run, search, sweep: what the user asked for, start to end.

pub mod plan;
pub mod virtual_subject;
