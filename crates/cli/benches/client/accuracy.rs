//! Reported times against what the service really did, for the raw reader and for `crestline perf`.
//!
//! The truth is the service's own: arrival of the whole request, first and last send, and every send between. A client
//! can only be later than it, by the way through two sockets and by its own slowness; the raw reader shows how much of
//! that is the machine. Each client is judged by the truth of its own run. They take turns; every figure is the median
//! of its turns.

use std::collections::HashMap;

use anyhow::{Context as _, ensure};

use crate::client::{Load, Place, load_flags, perf, watch_raw};
use crate::raw::Seen;
use crate::records;
use crate::service::{Sent, Service, Truth, Witness};
use crate::table::{Table, mean, median, quantile, verdict};

/// Turns of each client.
const TURNS: usize = 3;
/// Largest error of the mean gap, as a share.
const GAP_MEAN_LIMIT: f64 = 0.01;
/// By how much the error of the gaps' p99 may exceed the raw reader's, in points of a hundred.
const GAP_P99_POINTS: f64 = 5.0;

struct Case {
    profile: &'static str,
    load: Load,
    /// By how much the error of the first token may exceed the raw reader's, in ms.
    first_token_ms: f64,
}

const fn case(profile: &'static str, streams: usize, requests: usize, tokens: u32) -> Case {
    Case {
        profile,
        load: Load {
            streams,
            requests,
            tokens,
            prompt_tokens: 32,
        },
        first_token_ms: if streams > 256 { 5.0 } else { 2.0 },
    }
}

const CASES: [Case; 4] = [
    case("constant-20ms", 1, 3, 50),
    case("constant-20ms", 64, 3, 50),
    case("constant-10ms", 256, 3, 100),
    case("constant-20ms", 1024, 2, 80),
];

/// Values of one kind over all requests, in ms.
struct Spread {
    mean: f64,
    p50: f64,
    p99: f64,
}

/// One kind of time as a client reported it and as it truly was.
struct Pair {
    reported: Spread,
    truth: Spread,
}

/// The three kinds of times of one run.
struct Judged {
    first_token: Pair,
    gap: Pair,
    latency: Pair,
    /// Whether the client itself calls the run sound.
    health: String,
}

/// Runs all cases and prints their table.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut table = Table::new(
        "Accuracy: reported and true times in ms",
        &[
            "streams", "time", "client", "mean", "true", "p50", "true", "p99", "true", "targets",
        ],
    );
    for case in &CASES {
        let (mut raw, mut own) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            raw.push(measure_raw(case)?);
            own.push(measure_perf(case)?);
        }
        add_rows(&mut table, case, &middle(&raw), &middle(&own));
    }
    table.print();
    Ok(())
}

fn measure_raw(case: &Case) -> anyhow::Result<Judged> {
    let service = Service::start(case.profile, Witness::Chunks)?;
    let seen = watch_raw(&service, &case.load)?;
    let ended = service.stop()?;
    judge(&seen, &ended.requests()?, &ended.chunks()?, String::new())
}

fn measure_perf(case: &Case) -> anyhow::Result<Judged> {
    let service = Service::start(case.profile, Witness::Chunks)?;
    let finished = perf(&service, Place::OneCore, &load_flags(&case.load))?;
    let ended = service.stop()?;
    let health = records::health(&finished)?;
    judge(
        &records::seen(&finished)?,
        &ended.requests()?,
        &ended.chunks()?,
        health,
    )
}

/// The median of each figure, and whether all turns were sound.
fn middle(turns: &[Judged]) -> Judged {
    let figure = |of: &dyn Fn(&Judged) -> f64| median(&turns.iter().map(of).collect::<Vec<_>>());
    let spread = |of: &dyn Fn(&Judged) -> &Spread| Spread {
        mean: figure(&|turn| of(turn).mean),
        p50: figure(&|turn| of(turn).p50),
        p99: figure(&|turn| of(turn).p99),
    };
    let pair = |of: fn(&Judged) -> &Pair| Pair {
        reported: spread(&|turn| &of(turn).reported),
        truth: spread(&|turn| &of(turn).truth),
    };
    let unsound = turns.iter().find(|turn| turn.health != records::SOUND);
    Judged {
        first_token: pair(|turn| &turn.first_token),
        gap: pair(|turn| &turn.gap),
        latency: pair(|turn| &turn.latency),
        health: unsound.unwrap_or(&turns[0]).health.clone(),
    }
}

/// Joins what a client saw with the truth, request by request.
fn judge(seen: &[Seen], truth: &[Truth], sends: &[Sent], health: String) -> anyhow::Result<Judged> {
    let truth: HashMap<&str, &Truth> = truth
        .iter()
        .map(|row| (row.request_id.as_str(), row))
        .collect();
    ensure!(
        truth.len() == seen.len(),
        "the client saw {} of {} requests",
        seen.len(),
        truth.len()
    );
    let mut first_token = (Vec::new(), Vec::new());
    let mut latency = (Vec::new(), Vec::new());
    let mut gaps = Vec::new();
    for request in seen {
        let row = truth
            .get(request.request_id.as_str())
            .context("an id that was never sent")?;
        ensure!(
            row.chunks == request.gaps.len() as u64 + 1,
            "{}: {} chunks were sent, {} seen",
            request.request_id,
            row.chunks,
            request.gaps.len() + 1
        );
        let first = row.first_token_ns.context("an answer without tokens")?;
        let last = row.last_ns.context("an answer without tokens")?;
        first_token.0.push(ms(request.first - request.sent));
        first_token.1.push(ms(first - row.arrival_ns));
        latency.0.push(ms(request.end - request.sent));
        latency.1.push(ms(last - row.arrival_ns));
        gaps.extend(request.gaps.iter().map(|gap| ms(u64::from(*gap))));
    }
    Ok(Judged {
        first_token: pair(&first_token.0, &first_token.1),
        gap: pair(&gaps, &true_gaps(sends)),
        latency: pair(&latency.0, &latency.1),
        health,
    })
}

fn true_gaps(sends: &[Sent]) -> Vec<f64> {
    sends
        .windows(2)
        .filter(|two| two[0].request_id == two[1].request_id)
        .map(|two| ms(two[1].sent_ns - two[0].sent_ns))
        .collect()
}

fn ms(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

fn pair(reported: &[f64], truth: &[f64]) -> Pair {
    Pair {
        reported: spread(reported),
        truth: spread(truth),
    }
}

fn spread(values: &[f64]) -> Spread {
    Spread {
        mean: mean(values),
        p50: quantile(values, 0.5),
        p99: quantile(values, 0.99),
    }
}

fn add_rows(table: &mut Table, case: &Case, raw: &Judged, own: &Judged) {
    let kinds = [
        ("TTFT", &raw.first_token, &own.first_token),
        ("ITL", &raw.gap, &own.gap),
        ("latency", &raw.latency, &own.latency),
    ];
    for (kind, raw_pair, own_pair) in kinds {
        let targets = match kind {
            "TTFT" => first_token_targets(case, raw_pair, own_pair),
            "ITL" => gap_targets(raw_pair, own_pair),
            _ => own.health.clone(),
        };
        for (client, pair, targets) in [
            ("raw reader", raw_pair, String::new()),
            ("crestline perf", own_pair, targets),
        ] {
            let value = |value: f64| format!("{value:.2}");
            table.row([
                case.load.streams.to_string(),
                kind.to_owned(),
                client.to_owned(),
                value(pair.reported.mean),
                value(pair.truth.mean),
                value(pair.reported.p50),
                value(pair.truth.p50),
                value(pair.reported.p99),
                value(pair.truth.p99),
                targets,
            ]);
        }
    }
}

/// The errors of mean, p50 and p99 must each be at most the raw reader's and a few ms.
fn first_token_targets(case: &Case, raw: &Pair, own: &Pair) -> String {
    let errors = |pair: &Pair| {
        [
            pair.reported.mean - pair.truth.mean,
            pair.reported.p50 - pair.truth.p50,
            pair.reported.p99 - pair.truth.p99,
        ]
    };
    let (own, raw) = (errors(own), errors(raw));
    let excess = own.iter().zip(raw).map(|(own, raw)| own.abs() - raw.abs());
    let worst = excess.fold(f64::NEG_INFINITY, f64::max);
    verdict(
        (worst <= case.first_token_ms).into(),
        format!("raw {worst:+.2} ms, limit +{}", case.first_token_ms),
    )
}

fn gap_targets(raw: &Pair, own: &Pair) -> String {
    let share = |reported: f64, truth: f64| (reported / truth - 1.0).abs();
    let error = share(own.reported.mean, own.truth.mean);
    let points =
        100.0 * (share(own.reported.p99, own.truth.p99) - share(raw.reported.p99, raw.truth.p99));
    format!(
        "mean {}, p99 {}",
        verdict(
            (error <= GAP_MEAN_LIMIT).into(),
            format!("{:.2} % ≤ 1 %", 100.0 * error)
        ),
        verdict(
            (points <= GAP_P99_POINTS).into(),
            format!("raw {points:+.1} points, limit +{GAP_P99_POINTS}"),
        ),
    )
}
