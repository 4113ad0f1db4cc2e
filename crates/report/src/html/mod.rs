//! Pages: one HTML file each, which opens without any network.
//!
//! [`Document`] is a page of blocks in tabs; [`Page`] is the frame of any page, and [`Waterfall`] a part of one. Opens nothing,
//! and computes no metric.

mod document;
mod page;
mod report;
mod waterfall;

pub use document::{
    Block, Callout, Cell, Choice, ChoicePage, Code, Column, Details, Document, Download, Figure,
    Kind, Property, Tab, Table, Text, Tile, Tone,
};
pub use page::{Page, Part};
pub use report::report;
pub use waterfall::{FirstWait, MOST_SEGMENTS, Waterfall};
