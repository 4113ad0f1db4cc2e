//! Pages: one HTML file each, which opens without any network.
//!
//! [`Page`] is the frame of any page, and [`Waterfall`] a part of one. Opens nothing, and computes no metric.

mod page;
mod waterfall;

pub use page::{Page, Part};
pub use waterfall::{FirstWait, MOST_SEGMENTS, Waterfall};
