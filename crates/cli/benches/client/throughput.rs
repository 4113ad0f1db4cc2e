//! CPU time per million chunks and chunks per second, beside the raw reader's on the same service.
//!
//! Both clients take turns, so that a change of the machine's speed meets both. CPU time is given in all (start-up of the
//! tokenizer and the database included) and as the cost of one more chunk: the difference to a run of one short answer
//! per stream.

use crate::client::{Cost, Load, run_perf, run_raw};
use crate::service::{Service, Witness};
use crate::table::{Table, at_most, median};

/// Turns of each client.
const TURNS: usize = 3;
/// Largest ratio of CPU time to the raw reader's.
const LIMIT: f64 = 1.5;

struct Case {
    name: &'static str,
    profile: &'static str,
    load: Load,
}

const CASES: [Case; 3] = [
    Case {
        name: "full speed, 64 streams",
        profile: "full-speed",
        load: Load {
            streams: 64,
            requests: 64,
            tokens: 512,
            prompt_tokens: 32,
        },
    },
    Case {
        name: "256 streams, 10 ms apart",
        profile: "constant-10ms",
        load: Load {
            streams: 256,
            requests: 4,
            tokens: 500,
            prompt_tokens: 32,
        },
    },
    Case {
        name: "1024 streams, 20 ms apart",
        profile: "constant-20ms",
        load: Load {
            streams: 1024,
            requests: 2,
            tokens: 256,
            prompt_tokens: 32,
        },
    },
];

/// What one client needed over all its turns; medians.
struct Summary {
    chunks_per_s: f64,
    events_per_read: f64,
    /// CPU seconds per million chunks, start-up included.
    total: f64,
    /// CPU seconds per million further chunks.
    marginal: f64,
    /// CPU seconds of the short run.
    start_s: f64,
}

/// Runs all cases and prints their table.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut table = Table::new(
        "CPU seconds per million chunks",
        &[
            "load",
            "client",
            "chunks/s",
            "events/read",
            "short run, CPU s",
            "in all",
            "ratio",
            "target",
            "one more",
            "ratio",
            "target",
        ],
    );
    for case in &CASES {
        let (raw, perf) = measure(case)?;
        table.row(row(case, "raw reader", &raw, None));
        table.row(row(case, "crestline perf", &perf, Some(&raw)));
    }
    table.print();
    Ok(())
}

/// A row of the table, with ratios to another client's figures where one is given.
fn row(case: &Case, client: &str, summary: &Summary, other: Option<&Summary>) -> [String; 11] {
    let judge = |of: fn(&Summary) -> f64| {
        let ratio = other.map(|other| of(summary) / of(other));
        let text = ratio.map(|ratio| format!("{ratio:.2}"));
        let verdict = ratio.map(|ratio| at_most(ratio, LIMIT, ""));
        (text.unwrap_or_default(), verdict.unwrap_or_default())
    };
    let (total, total_verdict) = judge(|summary| summary.total);
    let (marginal, marginal_verdict) = judge(|summary| summary.marginal);
    [
        case.name.to_owned(),
        client.to_owned(),
        format!("{:.0}", summary.chunks_per_s),
        format!("{:.2}", summary.events_per_read),
        format!("{:.3}", summary.start_s),
        format!("{:.2}", summary.total),
        total,
        total_verdict,
        format!("{:.2}", summary.marginal),
        marginal,
        marginal_verdict,
    ]
}

fn measure(case: &Case) -> anyhow::Result<(Summary, Summary)> {
    let service = Service::start(case.profile, Witness::Silent)?;
    let short = Load {
        requests: 1,
        tokens: 2,
        ..case.load
    };
    let mut raw = (Vec::new(), Vec::new());
    let mut perf = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        raw.0.push(run_raw(&service, &short)?);
        raw.1.push(run_raw(&service, &case.load)?);
        perf.0.push(run_perf(&service, &short)?);
        perf.1.push(run_perf(&service, &case.load)?);
    }
    drop(service.stop()?);
    Ok((summary(&raw.0, &raw.1), summary(&perf.0, &perf.1)))
}

fn summary(short: &[Cost], long: &[Cost]) -> Summary {
    let middle =
        |costs: &[Cost], of: fn(&Cost) -> f64| median(&costs.iter().map(of).collect::<Vec<_>>());
    let cpu = |cost: &Cost| cost.cpu_s;
    let start_s = middle(short, cpu);
    let further = (long[0].chunks - short[0].chunks) as f64 / 1e6;
    Summary {
        chunks_per_s: middle(long, |cost| cost.chunks as f64 / cost.seconds),
        events_per_read: middle(long, |cost| cost.events_per_read),
        total: middle(long, |cost| cost.cpu_s / (cost.chunks as f64 / 1e6)),
        marginal: (middle(long, cpu) - start_s) / further,
        start_s,
    }
}
