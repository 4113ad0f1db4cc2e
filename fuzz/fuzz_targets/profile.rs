//! Profiles: one that is accepted makes an engine that answers each request once, in order of time.

#![no_main]

use crestline_core::units::Nanos;
use crestline_sim::model::EngineRequest;
use crestline_sim::profile::Profile;
use crestline_sim::virtual_time::{EventKind, VirtualService};
use libfuzzer_sys::fuzz_target;

const REQUESTS: u64 = 3;
/// More iterations than the requests can need: one token of prompt or answer each, twice.
const EVENTS: usize = 2_000;

fuzz_target!(|text: &str| {
    let Ok(profile) = Profile::from_toml("fuzz", text) else {
        return;
    };
    let mut service = VirtualService::new(&profile, 1);
    for id in 0..REQUESTS {
        let request = EngineRequest {
            prompt_tokens: 40,
            output_tokens: 10,
            hashes: Some([1, 2 + id].into()),
        };
        service.submit(Nanos(id), id, request);
    }
    let (mut ends, mut last) = ([0; REQUESTS as usize], Nanos::ZERO);
    for event in std::iter::from_fn(|| service.next_event()).take(EVENTS) {
        assert!(event.at >= last, "time goes back");
        last = event.at;
        if matches!(
            event.kind,
            EventKind::Finished { .. } | EventKind::Rejected(_)
        ) {
            ends[event.id as usize] += 1;
        }
    }
    assert_eq!(ends, [1; REQUESTS as usize], "each request ends once");
});
