//! Tables, figures and pages of results: values in, files out.
//!
//! Prints nothing, opens nothing, and computes no metric: figures come from `crestline_core::summary`.

pub mod facts;
pub mod figures;
pub mod html;
pub mod load_tables;
pub mod number;
pub mod search_tables;
pub mod table;
