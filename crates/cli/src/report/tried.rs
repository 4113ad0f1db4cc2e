//! A run as a load that a search tried, with the names of criteria.
//!
//! Reads nothing.

use crestline_core::metrics::Metric;
use crestline_report::facts::{LoadFacts, TriedFacts};

const TOTALS: [(&str, Metric); 4] = [
    ("rps", Metric::RequestThroughput),
    ("tps", Metric::OutputThroughput),
    ("total_tps", Metric::TotalThroughput),
    ("success_rate", Metric::SuccessRate),
];
/// What counts of each is from when a request was due; where that is not known, from when it was sent.
const TIMES: [(&str, Metric, Metric); 4] = [
    ("latency", Metric::LatencyFromDue, Metric::Latency),
    ("ttft", Metric::TtftFromDue, Metric::Ttft),
    ("tpot", Metric::Tpot, Metric::Tpot),
    ("itl", Metric::Itl, Metric::Itl),
];

/// The figures of a run at a load.
pub(crate) fn tried(load: f64, run: &LoadFacts) -> TriedFacts {
    let figures = &run.figures;
    let totals = TOTALS.iter().filter_map(|(name, metric)| {
        let value = *figures.totals.get(metric)?;
        Some(((*name).to_owned(), Some(value)))
    });
    let times = TIMES.iter().flat_map(|(name, due, sent)| {
        let spread = figures
            .spreads
            .get(due)
            .or_else(|| figures.spreads.get(sent));
        let at = |share: f64| {
            let mut quantiles = spread?.quantiles.iter();
            Some(quantiles.find(|(of, _)| (of - share).abs() < 1e-9)?.1)
        };
        let mean = spread.and_then(|spread| spread.mean);
        let named = [("avg", mean), ("p50", at(0.5)), ("p99", at(0.99))];
        named.map(|(statistic, value)| (format!("{statistic}_{name}"), value))
    });
    TriedFacts {
        load,
        requests: [figures.requests, figures.failed],
        figures: totals
            .chain(times.filter(|(_, value)| value.is_some()))
            .collect(),
        violations: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use crestline_report::facts::Spread;

    use super::*;

    #[test]
    fn times_count_from_due_where_that_is_known() {
        let spread = |mean: f64| Spread {
            mean: Some(mean),
            quantiles: vec![(0.99, 2.0 * mean)],
            ..Spread::default()
        };
        let mut run = LoadFacts::default();
        run.figures.requests = 7;
        run.figures.totals.insert(Metric::OutputThroughput, 50.0);
        for (metric, mean) in [
            (Metric::Ttft, 1.0),
            (Metric::TtftFromDue, 3.0),
            (Metric::Latency, 5.0),
        ] {
            run.figures.spreads.insert(metric, spread(mean));
        }
        let expected = [
            ("tps", 50.0),
            ("avg_latency", 5.0),
            ("p99_latency", 10.0),
            ("avg_ttft", 3.0),
            ("p99_ttft", 6.0),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), Some(value)));
        let found = tried(4.0, &run);
        assert_eq!(found.figures, expected);
        assert_eq!((found.requests, found.violations.len()), ([7, 0], 0));
    }
}
