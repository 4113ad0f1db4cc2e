//! Faults as they are written on the command line: what is accepted is a share of requests and can be drawn.

#![no_main]

use crestline_sim::fault::{Fault, Faults};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let faults: Vec<Fault> = text.lines().filter_map(|line| line.parse().ok()).collect();
    for fault in &faults {
        assert!((0.0..=1.0).contains(&fault.rate), "{fault:?}");
        assert!(fault.parameter().is_none_or(f64::is_finite), "{fault:?}");
    }
    let none_can_happen = faults.iter().all(|fault| fault.rate == 0.0);
    if let Ok(mut faults) = Faults::new(faults, 1) {
        for _ in 0..20 {
            assert!(!(none_can_happen && faults.draw().is_some()));
        }
    }
});
