//! What stands below the tables of a load, a line each: things a reader must know to read them.
//!
//! A line is only there where there is something to say.

use crestline_core::health::{BUSY_WALL, ClientHealth, HealthVerdict, NodeHealth, VoidReason};
use crestline_core::metrics::Metric;
use crestline_core::record::TokenSource;
use crestline_core::stats::{Histogram, RELATIVE_ERROR, Sample};
use crestline_core::summary::{RunSummary, TokenTotal};

use super::{by_load, load_name};
use crate::number::{fixed, significant, trimmed};

/// All lines of a run: failures, latency from due, reconnects, token counts, percentiles from a histogram.
pub fn run_lines(run: &RunSummary) -> Vec<String> {
    [
        failures_line(run),
        due_line(run),
        reconnects_line(run),
        prefix_cache_line(run),
    ]
    .into_iter()
    .flatten()
    .chain(token_lines(run))
    .chain(histogram_line(run))
    .collect()
}

/// Failed requests by kind, the most frequent first.
pub fn failures_line(run: &RunSummary) -> Option<String> {
    if run.failed() == 0 {
        return None;
    }
    Some(format!(
        "Failed requests: {} of {} ({})",
        run.failed(),
        run.total(),
        failure_kinds(run)
    ))
}

/// `rate_limited 2, read_timeout 1`.
pub(super) fn failure_kinds(run: &RunSummary) -> String {
    let mut kinds: Vec<_> = run.failures().iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let texts: Vec<_> = kinds
        .into_iter()
        .map(|(kind, count)| format!("{} {count}", kind.name()))
        .collect();
    texts.join(", ")
}

/// Latency and TTFT from when requests were due, beside the service times; only for loads with arrivals.
pub fn due_line(run: &RunSummary) -> Option<String> {
    run.point().load.rate()?;
    let mean = |metric: Metric| fixed(run.mean(metric), 4);
    let p99 = |metric: Metric| fixed(run.quantile(metric, 0.99), 4);
    run.mean(Metric::LatencyFromDue)?;
    Some(format!(
        "From when requests were due: latency {} s (p99 {}), TTFT {} s (p99 {}); \
         from when they were sent: latency {} s (p99 {}), TTFT {} s (p99 {})",
        mean(Metric::LatencyFromDue),
        p99(Metric::LatencyFromDue),
        mean(Metric::TtftFromDue),
        p99(Metric::TtftFromDue),
        mean(Metric::Latency),
        p99(Metric::Latency),
        mean(Metric::Ttft),
        p99(Metric::Ttft),
    ))
}

/// Requests that were sent again.
pub fn reconnects_line(run: &RunSummary) -> Option<String> {
    let count = run.reconnects();
    (count > 0).then(|| {
        format!("Reconnects: {count} (the kept-alive connection was found closed, the request was sent again on a new one)")
    })
}

fn prefix_cache_line(run: &RunSummary) -> Option<String> {
    let share = run.cached().share()? * 100.0;
    Some(format!(
        "Prefix cache: the server had {share:.1} % of the prompt tokens cached (reported for {} requests)",
        run.cached().requests
    ))
}

/// Warnings on how tokens were counted; none where all counts are the server's.
pub fn token_lines(run: &RunSummary) -> Vec<String> {
    let of = |total: &TokenTotal, name: &str| {
        [
            warn_of_chunks(total, name, run.succeeded()),
            note_on_tokenizer(total, name, run.succeeded()),
            warn_of_unknown(total, name, run.succeeded()),
        ]
    };
    of(run.output(), "output")
        .into_iter()
        .chain(of(run.input(), "input"))
        .flatten()
        .collect()
}

fn warn_of_chunks(total: &TokenTotal, name: &str, of: u64) -> Option<String> {
    let count = total.counted_by(TokenSource::Chunks);
    (count > 0).then(|| {
        format!(
            "Warning: {name} tokens of {count} of {of} requests are numbers of chunks, for want of the server's usage and of a \
             tokenizer; too low where a chunk holds several tokens"
        )
    })
}

fn note_on_tokenizer(total: &TokenTotal, name: &str, of: u64) -> Option<String> {
    let count = total.counted_by(TokenSource::Tokenizer);
    (count > 0).then(|| {
        format!("Note: {name} tokens of {count} of {of} requests were counted by the client's tokenizer, for want of the server's usage")
    })
}

fn warn_of_unknown(total: &TokenTotal, name: &str, of: u64) -> Option<String> {
    let count = total.unknown;
    (count > 0).then(|| {
        format!("Warning: {name} tokens of {count} of {of} requests are not known; token figures leave them out")
    })
}

fn histogram_line(run: &RunSummary) -> Option<String> {
    let counted = |metric: &Metric| !run.sample(*metric).is_exact();
    let of_requests = Metric::sampled().any(|metric| metric != Metric::Itl && counted(&metric));
    let what = match (of_requests, counted(&Metric::Itl)) {
        (false, false) => return None,
        (false, true) => "percentiles of gaps",
        (true, false) => "percentiles, but for those of gaps,",
        (true, true) => "percentiles",
    };
    Some(format!(
        "Note: {what} are from histograms, within {} %",
        trimmed(Some(RELATIVE_ERROR * 100.0), 3)
    ))
}

/// Which of a table's rows are void; `None` where none is.
pub fn void_line(void: &[RunSummary]) -> Option<String> {
    let names: Vec<_> = by_load(void)
        .iter()
        .map(|run| load_name(&run.point().load))
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "VOID: {}: the client was the bottleneck there, so these rows do not show what the service can do",
            names.join("; ")
        )
    })
}

/// One line on the client; where it was the bottleneck, further lines with the reasons and what to do; where several machines
/// sent, a line on each. Rates of sending are shown where the load has a rate.
pub fn health_line(run: &RunSummary, health: &ClientHealth, verdict: &HealthVerdict) -> String {
    let facts = observed(run, health);
    let mut text = match verdict {
        HealthVerdict::Sound => format!("Client: sound ({facts})"),
        HealthVerdict::Void(reasons) => {
            let what = match reasons.first() {
                Some(VoidReason::Lost { .. }) => "a worker was lost",
                _ => "the client was the bottleneck",
            };
            reasons
                .iter()
                .fold(format!("Client: VOID, {what} ({facts})"), |text, reason| {
                    format!("{text}\n  {reason}\n    hint: {}", reason.hint())
                })
        }
    };
    for node in &health.nodes {
        text.push_str(&node_line(run, node));
    }
    text
}

fn node_line(run: &RunSummary, node: &NodeHealth) -> String {
    let facts = observed(run, &node.health);
    let clock = significant(node.clock.bound.as_millis_f64(), 2);
    let lost = if node.lost.is_some() { ", lost" } else { "" };
    let (name, requests) = (&node.name, node.requests);
    format!("\n  {name}{lost}: {requests} requests; {facts}; clock known to {clock} ms")
}

/// Figures of the client, in one line.
fn observed(run: &RunSummary, health: &ClientHealth) -> String {
    let facts: Vec<_> = [
        lag_of_sample("send lag", &health.send_lag),
        lag_of_histogram("read lag", &health.read_lag),
        lag_of_histogram("loop lag", &health.loop_lag),
        health
            .events_per_read()
            .map(|events| format!("{events:.2} events a read")),
        health
            .busiest()
            .filter(|worker| worker.wall > BUSY_WALL)
            .map(|worker| format!("busiest worker {:.0} % CPU", worker.share() * 100.0)),
        health
            .pace
            .achieved()
            .zip(health.pace.asked())
            .filter(|_| run.point().load.rate().is_some())
            .map(|(achieved, asked)| format!("{achieved:.2} req/s sent, {asked:.2} due")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if facts.is_empty() {
        "nothing observed".to_owned()
    } else {
        facts.join("; ")
    }
}

fn lag_of_sample(name: &str, lag: &Sample) -> Option<String> {
    let quantiles = [lag.quantile(0.5)?, lag.quantile(0.99)?];
    Some(lag_text(name, quantiles, lag.max()?))
}

fn lag_of_histogram(name: &str, lag: &Histogram) -> Option<String> {
    let quantiles = [lag.quantile(0.5)?, lag.quantile(0.99)?];
    Some(lag_text(name, quantiles, lag.max()?))
}

/// Nanoseconds in, milliseconds out.
fn lag_text(name: &str, quantiles: [f64; 2], max: u64) -> String {
    let [p50, p99] = quantiles.map(|lag| trimmed(Some(lag / 1e6), 3));
    let max = trimmed(Some(max as f64 / 1e6), 3);
    format!("{name} p50 {p50} ms, p99 {p99} ms, max {max} ms")
}
