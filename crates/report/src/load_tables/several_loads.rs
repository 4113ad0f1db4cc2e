//! The tables over all loads of a sweep.
//!
//! Rows are sorted here, whatever the order of the runs. A run in which nothing succeeded is listed but wins nothing.

use crestline_core::metrics::Metric;
use crestline_core::request::Load;
use crestline_core::summary::RunSummary;

use super::{by_load, concurrency, load_name, rate};
use crate::number::{fixed, percent};
use crate::table::{Align, Style, Table};

/// `Detailed Performance Metrics`: a row each load, in increasing load.
pub fn detailed_performance(runs: &[RunSummary]) -> String {
    detailed_table(by_load(runs).into_iter().map(|run| {
        let mut cells = vec![
            concurrency(&run.point().load),
            rate(&run.point().load),
            fixed(run.mean(Metric::RequestThroughput), 2),
        ];
        for (metric, digits) in [(Metric::Latency, 3), (Metric::Ttft, 3), (Metric::Tpot, 4)] {
            cells.push(fixed(run.mean(metric), digits));
            cells.push(fixed(run.quantile(metric, 0.99), digits));
        }
        cells.push(fixed(run.mean(Metric::OutputThroughput), 2));
        cells.push(percent(run.success_rate()));
        cells
    }))
}

/// The table of these rows, with its title.
pub(crate) fn detailed_table(rows: impl Iterator<Item = Vec<String>>) -> String {
    let heads = [
        "Conc.",
        "Rate",
        "RPS",
        "Avg Lat.(s)",
        "P99 Lat.(s)",
        "Avg TTFT(s)",
        "P99 TTFT(s)",
        "Avg TPOT(s)",
        "P99 TPOT(s)",
        "Gen. toks/s",
        "Success Rate",
    ];
    let mut table = Table::new(Style::Heavy);
    for head in heads {
        table = table.column(head, Align::Right);
    }
    rows.for_each(|cells| table.row(cells));
    table.render_with_title("Detailed Performance Metrics")
}

/// `Best Performance Configuration`: the load with the most successes a second and the one with the lowest mean
/// latency. Of equal ones the lower load. Void runs are for the caller to leave out.
pub fn best_configuration(runs: &[RunSummary]) -> String {
    let usable: Vec<_> = by_load(runs)
        .into_iter()
        .filter(|run| run.succeeded() > 0)
        .collect();
    // `max_by` takes the last of equal ones, `min_by` the first.
    let fastest = usable
        .iter()
        .rev()
        .max_by(|one, other| one.rps().total_cmp(&other.rps()));
    let quickest = usable
        .iter()
        .filter_map(|run| Some((run, run.mean(user_latency(run))?)))
        .min_by(|(_, one), (_, other)| one.total_cmp(other));
    best_text(
        fastest.map(|run| (&run.point().load, run.rps())),
        quickest.map(|(run, latency)| (&run.point().load, latency)),
    )
}

/// The loads with the most requests a second and with the lowest mean latency, in words.
pub(crate) fn best_text(fastest: Option<(&Load, f64)>, quickest: Option<(&Load, f64)>) -> String {
    let (Some((fastest, rps)), Some((quickest, latency))) = (fastest, quickest) else {
        return "Best Performance Configuration\n No request succeeded at any load\n".to_owned();
    };
    let from_due = match quickest.rate() {
        Some(_) => " from due",
        None => "",
    };
    format!(
        "Best Performance Configuration\n Highest RPS         {} ({rps:.2} req/sec)\n Lowest Latency      {} ({latency:.3} seconds{from_due})\n",
        load_name(fastest),
        load_name(quickest),
    )
}

/// The latency that loads are compared by: with a schedule of arrivals it includes the wait from when a request was due,
/// so that a load that queues in the client does not look quick.
pub(super) fn user_latency(run: &RunSummary) -> Metric {
    if run.point().load.rate().is_some() {
        Metric::LatencyFromDue
    } else {
        Metric::Latency
    }
}
