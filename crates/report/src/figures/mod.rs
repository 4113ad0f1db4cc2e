//! Figures: values in, SVG text out.
//!
//! Each is one self-contained file without scripts and fonts of its own, legible on light and dark screens. Opens nothing,
//! and computes no metric.

mod scale;
mod search_course;
mod svg;
mod theme;

pub use search_course::{SearchCourse, Stretch, search_course};
