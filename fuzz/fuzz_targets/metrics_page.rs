//! Pages of metrics: whatever is read of a page can be written, and is read again as the same.

#![no_main]

use crestline_load::counters::ServerCounters;
use crestline_load::exposition::{samples, types};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|page: &str| {
    for sample in samples(page) {
        let labels: Vec<String> = sample
            .labels
            .iter()
            .map(|(name, value)| {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                format!("{name}=\"{}\"", value.replace('\n', "\\n"))
            })
            .collect();
        let line = format!("{}{{{}}} {}", sample.name, labels.join(","), sample.value);
        let again: Vec<_> = samples(&line).collect();
        assert_eq!(again.len(), 1, "{line:?}");
        assert_eq!((&again[0].name, &again[0].labels), (&sample.name, &sample.labels));
        assert!(again[0].value == sample.value || sample.value.is_nan());
    }
    for (name, kind) in types(page) {
        assert!(!name.is_empty() && !kind.is_empty());
    }
    let counters = ServerCounters::read(page);
    assert_eq!(counters.since(&ServerCounters::default()), counters);
});
