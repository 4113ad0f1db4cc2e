//! Checks of the crate against what is written about it.

mod metrics_page;
