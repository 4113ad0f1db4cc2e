//! The figures that are compared: their names as typed, and what they are called and written like in tables.
//!
//! Computes none.

use crestline_core::metrics::{Metric, Over, Unit};
use crestline_core::nearest::nearest;
use crestline_core::segments::Statistic;
use crestline_report::number::significant;

use crate::problem::Problem;

/// Times that are compared, each by its mean and two quantiles.
const TIMES: [Metric; 6] = [
    Metric::Ttft,
    Metric::Tpot,
    Metric::Itl,
    Metric::Latency,
    Metric::TtftFromDue,
    Metric::LatencyFromDue,
];
/// Figures of whole runs.
const TOTALS: [Metric; 4] = [
    Metric::RequestThroughput,
    Metric::OutputThroughput,
    Metric::TotalThroughput,
    Metric::SuccessRate,
];
/// The figures of a list such as `ttft,p90_itl`, each once.
pub(super) fn listed(list: &str) -> Result<Vec<Statistic>, Problem> {
    let mut out = Vec::new();
    let names = list.split(',').map(str::trim);
    for name in names.filter(|name| !name.is_empty()) {
        for statistic in named(name)? {
            if !out.contains(&statistic) {
                out.push(statistic);
            }
        }
    }
    if out.is_empty() {
        return Err(Problem::usage("--metrics names no figure")
            .hint("such as --metrics ttft,p99_tpot,output_throughput"));
    }
    Ok(out)
}

fn of_metric(metric: Metric) -> Vec<Statistic> {
    let mut out = vec![Statistic::Mean(metric)];
    if metric.over() != Over::Run {
        out.extend([0.5, 0.99].map(|q| Statistic::Quantile(metric, q)));
    }
    out
}

fn named(text: &str) -> Result<Vec<Statistic>, Problem> {
    let name = text.to_lowercase();
    let metric = |name: &str| {
        let all = TIMES.into_iter().chain(TOTALS);
        all.into_iter().find(|metric| metric.name() == name)
    };
    if let Some(metric) = metric(&name) {
        return Ok(of_metric(metric));
    }
    let one = name.split_once('_').and_then(|(which, rest)| {
        let metric = metric(rest).filter(|metric| metric.over() != Over::Run)?;
        match which {
            "mean" | "avg" => Some(Statistic::Mean(metric)),
            "median" => Some(Statistic::Quantile(metric, 0.5)),
            _ => {
                let percent: f64 = which.strip_prefix('p')?.parse().ok()?;
                let is_inside = percent > 0.0 && percent < 100.0;
                is_inside.then_some(Statistic::Quantile(metric, percent / 100.0))
            }
        }
    });
    one.map(|one| vec![one]).ok_or_else(|| unknown(text, &name))
}

fn unknown(text: &str, name: &str) -> Problem {
    let metrics = || {
        let all = TIMES.into_iter().chain(TOTALS);
        all.map(Metric::name)
    };
    let times = TIMES.map(Metric::name);
    let of_times = times
        .iter()
        .flat_map(|time| ["mean", "p50", "p99"].map(|which| format!("{which}_{time}")));
    let known: Vec<String> = metrics().map(str::to_owned).chain(of_times).collect();
    let hint = nearest(name, known.iter().map(String::as_str)).map_or_else(
        || {
            let all: Vec<&str> = metrics().collect();
            format!(
                "one of {}; of times also mean_ttft, p50_ttft, p99.9_ttft and the like",
                all.join(", ")
            )
        },
        |near| format!("did you mean {near}?"),
    );
    Problem::usage(format!("--metrics does not know {text}")).hint(hint)
}

/// The name that a figure is written with in files: `p99_ttft`, `output_throughput`.
pub(super) fn name(statistic: Statistic) -> String {
    let metric = statistic.metric();
    match statistic {
        Statistic::Mean(_) if metric.over() == Over::Run => metric.name().to_owned(),
        Statistic::Mean(_) => format!("mean_{}", metric.name()),
        Statistic::Quantile(_, q) => format!("{}_{}", percentile(q), metric.name()),
    }
}

/// The name that it has in tables, with its unit: `TTFT p99 (ms)`.
pub(super) fn title(statistic: Statistic) -> String {
    let metric = statistic.metric();
    let base = match metric {
        Metric::Ttft => "TTFT",
        Metric::Tpot => "TPOT",
        Metric::Itl => "ITL",
        Metric::TtftFromDue => "TTFT from due",
        other => other.title(),
    };
    let which = match statistic {
        Statistic::Mean(_) if metric.over() == Over::Run => String::new(),
        Statistic::Mean(_) => " mean".to_owned(),
        Statistic::Quantile(_, q) => format!(" {}", percentile(q)),
    };
    let unit = match metric.unit() {
        Unit::Seconds => " (ms)".to_owned(),
        Unit::Fraction => " (%)".to_owned(),
        unit => format!(" ({})", unit.symbol()),
    };
    format!("{base}{which}{unit}")
}

fn percentile(q: f64) -> String {
    format!("p{}", crestline_report::number::trimmed(Some(q * 100.0), 4))
}

/// A value in the unit of [`title`], with four digits.
pub(super) fn value(statistic: Statistic, value: f64) -> String {
    let shown = match statistic.metric().unit() {
        Unit::Seconds => value * 1e3,
        Unit::Fraction => value * 100.0,
        _ => value,
    };
    significant(shown, 4)
}

/// What a change of a figure is counted in.
pub(super) fn change_unit(statistic: Statistic) -> &'static str {
    match statistic.metric().unit() {
        Unit::Fraction => "points",
        _ => "%",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_by_their_names_and_each_is_there_once() {
        let names = |list: &str| -> Vec<String> {
            let found = listed(list).unwrap();
            found.into_iter().map(name).collect()
        };
        assert_eq!(
            names("ttft, p99_ttft,p99.9_ITL,output_throughput,avg_tpot,"),
            [
                "mean_ttft",
                "p50_ttft",
                "p99_ttft",
                "p99.9_itl",
                "output_throughput",
                "mean_tpot"
            ]
        );
        for statistic in crestline_core::compare::usual() {
            assert_eq!(listed(&name(statistic)).unwrap(), [statistic]);
        }
    }

    #[test]
    fn an_unknown_figure_is_answered_with_the_nearest() {
        let told = |list: &str| listed(list).unwrap_err().to_string();
        assert!(told("p99_tftt").contains("did you mean p99_ttft?"));
        assert!(told("p100_ttft").contains("p100_ttft"));
        assert!(told("p99_success_rate").contains("--metrics does not know"));
        assert!(told("zzzzzzzz").contains("request_throughput"));
        assert!(told(" ,").contains("names no figure"));
    }

    #[test]
    fn values_have_the_unit_of_their_title() {
        let p99 = Statistic::Quantile(Metric::Ttft, 0.99);
        assert_eq!(
            (title(p99).as_str(), value(p99, 0.123_456).as_str()),
            ("TTFT p99 (ms)", "123.5")
        );
        let rate = Statistic::Mean(Metric::SuccessRate);
        assert_eq!(
            (title(rate).as_str(), value(rate, 0.995).as_str()),
            ("Success rate (%)", "99.5")
        );
        let tokens = Statistic::Mean(Metric::OutputThroughput);
        assert_eq!(title(tokens), "Output token throughput (tok/s)");
        assert_eq!((change_unit(rate), change_unit(tokens)), ("points", "%"));
    }
}
