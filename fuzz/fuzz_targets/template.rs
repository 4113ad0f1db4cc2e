//! Chat templates: any text is either refused or becomes a template.
//!
//! Templates are not rendered: a model's own template may loop for as long as it likes.

#![no_main]

use crestline_workload::template::ChatTemplate;
use crestline_workload::tokenizer::builtin;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    if let Err(error) = ChatTemplate::new(source, &builtin()) {
        assert!(!error.to_string().is_empty());
    }
});
