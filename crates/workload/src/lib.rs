//! What to send: data sets, tokenizers, chat templates.
//!
//! Reads local files only; never the network, never a clock.

pub mod hub;
pub mod plan;
pub mod template;
pub mod tokenizer;
