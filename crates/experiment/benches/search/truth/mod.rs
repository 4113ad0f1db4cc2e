//! What a search should find, from runs far longer than any search's, and the table in which it is kept.
//!
//! `truths.csv` beside this file is written by `just bench-search-truth`; a row whose scenario has changed since is refused.

mod make;
mod solve;
mod steady;
mod table;

pub(crate) use make::{inspect, make};
pub(crate) use solve::{Best, Crossing, Solver, Truth};
pub(crate) use table::{Row, TruthTable};
