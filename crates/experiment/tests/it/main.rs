//! What holds for every search, whatever is asked, however little may be spent, and whenever it is cut off; and loads from several
//! machines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod any_search;
mod comparisons;
mod distributed;
#[path = "../../benches/compare/pairs.rs"]
mod pairs;
#[path = "../../benches/distributed/ready.rs"]
mod ready;
