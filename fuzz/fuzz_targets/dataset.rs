//! Data sets: any file is either refused or gives items that are the same each time.
//!
//! The first byte of an input chooses the kind of data set, the rest is its file.

#![no_main]

use std::fs;

use crestline_fuzz::plan;
use crestline_workload::Workload;
use crestline_workload::plan::{Dataset, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((kind, file)) = input.split_first() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("data");
    fs::write(&path, file).expect("a file can be written");
    let source = Source {
        path: Some(path),
        fit: None,
    };
    let dataset = match kind % 6 {
        0 => Dataset::OpenQa(source),
        1 => Dataset::LongAlpaca(source),
        2 => Dataset::LineByLine(source),
        3 => Dataset::Custom(source),
        4 => Dataset::ShareGptZh(source),
        _ => Dataset::ShareGptEn(source),
    };
    let Ok(workload) = Workload::open(&plan(dataset)) else {
        return;
    };
    let length = workload.len().expect("a file ends");
    assert!(length > 0, "an empty data set is refused");
    for index in 0..length.min(20) {
        assert_eq!(workload.item(index), workload.item(index), "item {index}");
    }
});
