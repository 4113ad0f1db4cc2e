//! Drives the virtual service as a closed-loop load test does: so many users, each sends the next request when one is answered.
//!
//! Computes only the figures that published tables have.

use std::collections::HashMap;

use crestline_core::units::Nanos;
use crestline_sim::model::EngineRequest;
use crestline_sim::profile::Profile;
use crestline_sim::virtual_time::{EventKind, VirtualService};

/// A closed-loop load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) users: u64,
    pub(crate) requests: u64,
    pub(crate) prompt_tokens: u32,
    pub(crate) output_tokens: u32,
}

struct Open {
    sent: Nanos,
    first: Nanos,
}

/// Runs a load to its end: output tokens/s, requests/s, then seconds: mean latency, TPOT, TTFT, p99 TTFT.
pub(crate) fn run(profile: &Profile, seed: u64, load: Load) -> [f64; 6] {
    drive(&mut VirtualService::new(profile, seed), load)
}

/// As [`run`], on a service that the caller can look at afterwards.
pub(crate) fn drive(service: &mut VirtualService, load: Load) -> [f64; 6] {
    let mut open = HashMap::new();
    let mut next = 0;
    let mut submit = |service: &mut VirtualService, open: &mut HashMap<u64, Open>, at| {
        if next < load.requests {
            let request = EngineRequest {
                prompt_tokens: load.prompt_tokens,
                output_tokens: load.output_tokens,
                hashes: None,
            };
            service.submit(at, next, request);
            let first = Nanos::ZERO;
            open.insert(next, Open { sent: at, first });
            next += 1;
        }
    };
    for _ in 0..load.users {
        submit(service, &mut open, Nanos::ZERO);
    }
    let (mut ttfts, mut tpot, mut latency, mut end) = (Vec::new(), 0.0, 0.0, Nanos::ZERO);
    while let Some(event) = service.next_event() {
        match event.kind {
            EventKind::Tokens(_) => {
                let request = open.get_mut(&event.id).unwrap();
                if request.first == Nanos::ZERO {
                    request.first = event.at;
                }
            }
            EventKind::Finished { .. } => {
                let request = open.remove(&event.id).unwrap();
                ttfts.push((request.first - request.sent).as_secs_f64());
                let decoding = (event.at - request.first).as_secs_f64();
                tpot += decoding / f64::from(load.output_tokens - 1);
                latency += (event.at - request.sent).as_secs_f64();
                end = event.at;
                submit(service, &mut open, event.at);
            }
            EventKind::Rejected(_) | EventKind::Quiet => {}
        }
    }
    ttfts.sort_by(f64::total_cmp);
    let count = ttfts.len() as f64;
    assert_eq!(ttfts.len() as u64, load.requests);
    [
        count * f64::from(load.output_tokens) / end.as_secs_f64(),
        count / end.as_secs_f64(),
        latency / count,
        tpot / count,
        ttfts.iter().sum::<f64>() / count,
        ttfts[(0.99 * count) as usize],
    ]
}
