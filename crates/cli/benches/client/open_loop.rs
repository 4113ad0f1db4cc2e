//! Does an open loop send when it should? Rates, the shape of the gaps between sends, and how late sends are.
//!
//! Arrivals are a Poisson process as it is drawn, so the rate that can be achieved is that of the drawn due times, which
//! differs from the asked one by chance (1 ÷ √n). Both are shown; the target is against what was drawn.

use crate::client::{Place, length_flags, perf};
use crate::records::{self, Departure};
use crate::service::{Service, Witness};
use crate::table::{Table, mean, quantile, verdict};

/// A rate and what is asked of it.
struct Case {
    per_s: u32,
    seconds: u32,
    /// The shape of the gaps is judged.
    shape: Judged,
    /// Limit of the p99 of the lag, in ms.
    lag_ms: Option<f64>,
}

/// Whether there is a target.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judged {
    Yes,
    No,
}

const fn case(per_s: u32, seconds: u32, shape: Judged, lag_ms: Option<f64>) -> Case {
    Case {
        per_s,
        seconds,
        shape,
        lag_ms,
    }
}

const CASES: [Case; 4] = [
    case(100, 20, Judged::No, None),
    case(1000, 20, Judged::Yes, Some(1.0)),
    case(2000, 10, Judged::No, None),
    case(5000, 10, Judged::No, Some(2.0)),
];

/// Runs all rates and prints their table.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut table = Table::new(
        "Open loop",
        &[
            "asked /s",
            "drawn /s",
            "sent /s",
            "sent ÷ drawn",
            "target",
            "gap cv",
            "target",
            "KS distance",
            "target",
            "lag p50 ms",
            "p99",
            "max",
            "target",
            "client",
        ],
    );
    for case in &CASES {
        let service = Service::start("full-speed", Witness::Silent)?;
        let mut flags = vec!["--open-loop".to_owned()];
        flags.extend(["--rate".to_owned(), case.per_s.to_string()]);
        flags.extend([
            "--number".to_owned(),
            (case.per_s * case.seconds).to_string(),
        ]);
        flags.extend(length_flags(32, 4));
        let finished = perf(&service, Place::OneCore, &flags)?;
        let departures = records::departures(&finished)?;
        table.row(row(case, &departures, records::health(&finished)?));
    }
    table.print();
    Ok(())
}

fn row(case: &Case, departures: &[Departure], health: String) -> [String; 14] {
    let asked = f64::from(case.per_s);
    let times = |of: fn(&Departure) -> f64| {
        let mut times: Vec<f64> = departures.iter().map(of).collect();
        times.sort_by(f64::total_cmp);
        times
    };
    let (due, sent) = (
        times(|departure| departure.due),
        times(|departure| departure.sent),
    );
    let gaps: Vec<f64> = sent.windows(2).map(|two| two[1] - two[0]).collect();
    let achieved = rate(&sent) / rate(&due);
    let cv = deviation(&gaps) / mean(&gaps);
    let distance = distance_from_exponential(&gaps, asked);
    let lags: Vec<f64> = departures
        .iter()
        .map(|departure| departure.lag() * 1e3)
        .collect();
    let p99 = quantile(&lags, 0.99);
    let shape = |met: bool, target: &str| match case.shape {
        Judged::Yes => verdict(met.into(), target),
        Judged::No => String::new(),
    };
    let lag_target = case
        .lag_ms
        .map(|limit| verdict((p99 < limit).into(), format!("p99 < {limit} ms")));
    [
        format!("{asked}"),
        format!("{:.2}", rate(&due)),
        format!("{:.2}", rate(&sent)),
        format!("{achieved:.4}"),
        verdict(((achieved - 1.0).abs() <= 0.005).into(), "± 0.5 %"),
        format!("{cv:.3}"),
        shape((cv - 1.0).abs() <= 0.05, "1 ± 0.05"),
        format!("{distance:.4}"),
        shape(distance < 0.05, "< 0.05"),
        format!("{:.3}", quantile(&lags, 0.5)),
        format!("{p99:.3}"),
        format!("{:.3}", quantile(&lags, 1.0)),
        lag_target.unwrap_or_default(),
        health,
    ]
}

/// Events a second between the first and the last of ascending times.
fn rate(times: &[f64]) -> f64 {
    (times.len() - 1) as f64 / (times[times.len() - 1] - times[0])
}

fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / values.len() as f64).sqrt()
}

/// Largest distance between the distribution of values and the exponential one of the given rate (Kolmogorov–Smirnov).
fn distance_from_exponential(values: &[f64], rate: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let distance = |(index, value): (usize, &f64)| {
        let expected = 1.0 - (-rate * value).exp();
        let (below, above) = (index as f64 / count, (index + 1) as f64 / count);
        (expected - below).abs().max((above - expected).abs())
    };
    sorted.iter().enumerate().map(distance).fold(0.0, f64::max)
}
