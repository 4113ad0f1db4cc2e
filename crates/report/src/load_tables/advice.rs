//! What a sweep says about the service, in words that do not claim more than the runs can carry.
//!
//! Compares runs with an allowance for noise. Knows no SLA and no flags: it says what to try, not how to type it.

use crestline_core::metrics::Metric;
use crestline_core::record::FailureKind;
use crestline_core::summary::RunSummary;

use super::lines::failure_kinds;
use super::several_loads::user_latency;
use super::{by_load, load_name};

/// Throughputs that differ by less are never told apart, however small the noise seems: runs of the same load on the
/// same machine rarely agree better.
const LEAST_NOISE: f64 = 0.03;
/// Growth of the mean latency worth a remark.
const LATENCY_GROWTH: f64 = 3.0;
/// Successes below which a p99 is close to the slowest request.
const P99_REQUESTS: u64 = 100;
/// Requests a slot below which start and drain weigh heavily.
const REQUESTS_PER_SLOT: u64 = 5;

/// Loads that a line names; of more it says how many.
const NAMES_SHOWN: usize = 4;

/// `Performance Recommendations:` and a line each. Void runs are for the caller to leave out.
pub fn recommendations(runs: &[RunSummary]) -> String {
    let sorted = by_load(runs);
    let usable: Vec<_> = sorted
        .iter()
        .copied()
        .filter(|run| run.succeeded() > 0)
        .collect();
    let mut advice = vec![on_throughput(&usable)];
    advice.extend(on_latency(&usable));
    advice.extend(sorted.iter().filter_map(|run| on_failures(run)));
    advice.extend(on_short_runs(&usable));
    advice
        .iter()
        .fold("Performance Recommendations:\n".to_owned(), |text, line| {
            format!("{text}• {line}\n")
        })
}

fn on_throughput(usable: &[&RunSummary]) -> String {
    match usable {
        [] => "No request succeeded at any load: nothing can be said about the service".to_owned(),
        [one] => format!(
            "Only {} can be judged: measure several loads to see where throughput stops growing",
            name(one)
        ),
        _ if usable
            .iter()
            .all(|run| expected_rps(run, usable[0]).is_some()) =>
        {
            on_asked_rates(usable)
        }
        _ => on_growth(usable),
    }
}

/// For loads without a schedule: where more load no longer gives more throughput.
fn on_growth(usable: &[&RunSummary]) -> String {
    let (first, last) = (usable[0], usable[usable.len() - 1]);
    if first.point().load == last.point().load {
        return format!(
            "Only {} can be judged, {} times: measure several loads to see where throughput stops growing",
            name(first),
            usable.len()
        );
    }
    let best = usable
        .iter()
        .copied()
        .max_by(|one, other| one.rps().total_cmp(&other.rps()))
        .unwrap_or(last);
    let level = |run: &&&RunSummary| run.rps() >= best.rps() * (1.0 - noise(run, best));
    let enough = usable.iter().find(level).copied().unwrap_or(best);
    let margin = noise(enough, best) * 100.0;
    if std::ptr::eq(enough, last) {
        let before = usable[usable.len() - 2];
        return format!(
            "Throughput still grows at the highest load, {} ({:+.1} % over {}, noise about {margin:.0} %): \
             the limit is not reached, try higher loads",
            name(last),
            (last.rps() / before.rps() - 1.0) * 100.0,
            name(before),
        );
    }
    if std::ptr::eq(enough, first) {
        return format!(
            "Throughput at the lowest load, {}, is already within the noise (about {margin:.0} %) of the highest \
             ({:.2} req/s): more load only adds waiting, try lower loads",
            name(first),
            best.rps(),
        );
    }
    format!(
        "Throughput levels off around {} ({:.2} req/s): no higher load gives more than the noise of about {margin:.0} %",
        name(enough),
        enough.rps(),
    )
}

/// For loads with a schedule: up to where the service finished requests as fast as they came.
fn on_asked_rates(usable: &[&RunSummary]) -> String {
    let kept_up = |run: &&&RunSummary| {
        expected_rps(run, usable[0])
            .is_some_and(|expected| run.rps() >= expected * (1.0 - relative_noise(run)))
    };
    let behind = usable.iter().find(|run| !kept_up(run));
    let Some(behind) = behind else {
        return format!(
            "The service kept up with every rate, up to {}: the limit is not reached, try higher rates",
            name(usable[usable.len() - 1])
        );
    };
    let advice = match usable.iter().take_while(kept_up).last() {
        Some(highest) => format!("The service kept up with {}, but", name(highest)),
        None => "The service did not keep up with the lowest rate:".to_owned(),
    };
    format!(
        "{advice} at {} it finished only {:.2} req/s: requests queue and their latency depends on how long the run lasts",
        name(behind),
        behind.rps()
    )
}

/// Successes a second of a service that keeps up: all requests within the time that their arrivals take, and the mean
/// latency at the lowest load for the last of them.
fn expected_rps(run: &RunSummary, lowest: &RunSummary) -> Option<f64> {
    let arrivals = run.total() as f64 / run.point().load.rate()?.value();
    let duration = arrivals + lowest.mean(Metric::Latency)?;
    Some(run.succeeded() as f64 / duration)
}

fn on_latency(usable: &[&RunSummary]) -> Option<String> {
    let (first, last) = (usable.first()?, usable.last()?);
    let mean = |run: &RunSummary| run.mean(user_latency(run));
    let (low, high) = (mean(first)?, mean(last)?);
    (low > 0.0 && high / low > LATENCY_GROWTH).then(|| {
        format!(
            "Mean latency grows {:.1} times from {} ({low:.3} s) to {} ({high:.3} s)",
            high / low,
            name(first),
            name(last)
        )
    })
}

/// Requests that the user called off are no fault of the service.
fn on_failures(run: &RunSummary) -> Option<String> {
    let cancelled = run
        .failures()
        .get(&FailureKind::Cancelled)
        .copied()
        .unwrap_or_default();
    let what_holds = match (run.failed() - cancelled, run.succeeded()) {
        (0, _) => return None,
        (_, 0) => "nothing was measured, find the cause first",
        _ => "latencies are those of the rest, find the cause first",
    };
    Some(format!(
        "{} of {} requests failed at {} ({}): {what_holds}",
        run.failed(),
        run.total(),
        name(run),
        failure_kinds(run)
    ))
}

fn on_short_runs(usable: &[&RunSummary]) -> Vec<String> {
    let names = |short: &dyn Fn(&RunSummary) -> bool| {
        let names: Vec<_> = usable
            .iter()
            .filter(|run| short(run))
            .map(|run| name(run))
            .collect();
        (!names.is_empty()).then(|| some_of(names))
    };
    let few = names(&|run| run.succeeded() < P99_REQUESTS).map(|names| {
        format!("Fewer than {P99_REQUESTS} requests succeeded at {names}: their P99 is close to the slowest request")
    });
    let brief = names(&start_and_drain_weigh).map(|names| {
        format!(
            "Fewer than {REQUESTS_PER_SLOT} requests a slot at {names}: start and drain weigh heavily, \
             measure longer for the steady state"
        )
    });
    few.into_iter().chain(brief).collect()
}

/// The names, each once; of many the first few and how many more there are.
fn some_of(mut names: Vec<String>) -> String {
    names.dedup();
    let more = names.len().saturating_sub(NAMES_SHOWN);
    names.truncate(NAMES_SHOWN);
    let shown = names.join("; ");
    match more {
        0 => shown,
        _ => format!("{shown} and {more} more"),
    }
}

fn start_and_drain_weigh(run: &RunSummary) -> bool {
    let load = &run.point().load;
    load.rate().is_none()
        && load
            .concurrency
            .is_some_and(|limit| run.total() < REQUESTS_PER_SLOT * u64::from(limit.get()))
}

/// Relative allowance for the noise in the throughputs of two runs: twice the standard error of their ratio.
fn noise(one: &RunSummary, other: &RunSummary) -> f64 {
    let error = standard_error(one).hypot(standard_error(other));
    (2.0 * error).max(LEAST_NOISE)
}

fn relative_noise(run: &RunSummary) -> f64 {
    (2.0 * standard_error(run)).max(LEAST_NOISE)
}

/// Relative standard error of the throughput, roughly. With a schedule, chance is in the number of arrivals: one over the
/// root of the requests. In a closed loop, throughput is the concurrency over the mean latency: the coefficient of
/// variation over that root.
fn standard_error(run: &RunSummary) -> f64 {
    let root = (run.succeeded().max(1) as f64).sqrt();
    if run.point().load.rate().is_some() {
        return 1.0 / root;
    }
    let variation = run
        .deviation(Metric::Latency)
        .zip(run.mean(Metric::Latency).filter(|&mean| mean > 0.0))
        .map_or(0.0, |(deviation, mean)| deviation / mean);
    variation / root
}

fn name(run: &RunSummary) -> String {
    load_name(&run.point().load)
}
