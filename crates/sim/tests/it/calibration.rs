//! The profile `a100-qwen2.5-0.5b` against the published figures that it was fitted to.
//!
//! The table below is the one in docs/guide/simulator.md, misses included.

use std::fmt::Write as _;

use crestline_sim::profile::Profile;

use crate::closed_loop::{Figures, Load, run};

/// Published: users, output tok/s, mean TTFT, p99 TTFT, mean TPOT, req/s, mean latency (seconds).
type Published = (u64, [f64; 6]);

/// Twice as many requests as users, all users start at once.
const SWEEP: [Published; 6] = [
    (32, [5813.67, 0.194, 0.294, 0.005, 5.68, 5.590]),
    (64, [5902.57, 0.220, 0.580, 0.011, 5.76, 11.040]),
    (128, [7124.25, 0.429, 1.379, 0.017, 6.96, 18.212]),
    (256, [8000.89, 1.567, 4.752, 0.030, 7.81, 32.062]),
    (384, [8057.14, 12.210, 32.809, 0.031, 7.87, 43.487]),
    (512, [7941.28, 25.967, 37.136, 0.031, 7.76, 57.843]),
];

/// The same model on an older server version.
const OLDER: Published = (200, [6501.6, 1.307, 3.896, 0.029, 6.349, 30.996]);

fn simulate(users: u64) -> Figures {
    let profile = Profile::load("a100-qwen2.5-0.5b").unwrap();
    let load = Load {
        users,
        requests: 2 * users,
        prompt_tokens: 1083,
        output_tokens: 1024,
    };
    run(&profile, 1, load)
}

#[test]
fn try_it() {
    for (users, p) in SWEEP.into_iter().chain([OLDER]) {
        let f = simulate(users);
        let s = [
            f.output_per_s,
            f.ttft,
            f.ttft_p99,
            f.tpot,
            f.requests_per_s,
            f.latency,
        ];
        let mut line = format!("{users:4}");
        for (p, s) in p.iter().zip(s) {
            write!(line, " | {p:8.3} {s:8.4} {:+6.1}%", (s / p - 1.0) * 100.0).unwrap();
        }
        eprintln!("{line}");
    }
}
