//! How many requests of a load are over a limit.
//!
//! Judges nothing: whether so many are too many is for [`super::Verdict`] and [`crate::search`].

use super::{Criterion, Measure, Relation, Statistic, Timed};
use crate::summary::RunSummary;

/// Requests that violate a criterion on single requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Violations {
    /// Over the limit, or failed.
    pub violating: u64,
    /// Of which it is known.
    pub counted: u64,
    /// Share of them that may violate it, in 0..=1: 0.01 for a p99.
    pub allowed: f64,
}

impl Criterion {
    /// Counts over runs of one load; failures violate. `None` for a mean, a throughput and goodput, for gaps, of which a
    /// request has many, and for a time that has to be long.
    pub fn violations(&self, runs: &[RunSummary]) -> Option<Violations> {
        let failed: u64 = runs.iter().map(RunSummary::failed).sum();
        match self.measure {
            Measure::SuccessRate => Some(Violations {
                violating: failed,
                counted: runs.iter().map(RunSummary::total).sum(),
                allowed: 1.0 - self.threshold,
            }),
            Measure::Time(Statistic::Quantile(quantile), timed) if timed != Timed::Itl => {
                let metric = timed.metric();
                let limit = self.limit(metric.unit().ticks())?;
                let samples = || runs.iter().map(|run| run.sample(metric));
                let over: u64 = samples().map(|sample| sample.count_above(limit)).sum();
                let known: u64 = samples().map(crate::stats::Sample::len).sum();
                Some(Violations {
                    violating: over + failed,
                    counted: known + failed,
                    allowed: 1.0 - quantile,
                })
            }
            Measure::Time(..) | Measure::Throughput(_) | Measure::Goodput => None,
        }
    }

    /// The largest value in whole ticks that still meets it.
    fn limit(&self, ticks: f64) -> Option<u64> {
        // A limit such as 0.2 s is not exact as a binary fraction.
        let exact = self.threshold * ticks;
        let nearest = exact.round();
        let is_whole = (exact - nearest).abs() < 1e-3;
        let most = if is_whole { nearest } else { exact.floor() } as u64;
        match self.relation {
            Relation::Below if is_whole => Some(most.saturating_sub(1)),
            Relation::AtMost | Relation::Below => Some(most),
            Relation::AtLeast | Relation::Above => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::record::{Failure, FailureKind, Phase, RequestRecord};
    use crate::request::{Load, LoadPoint};
    use crate::sla::parse_groups;
    use crate::units::Nanos;

    /// Of requests with these times to first token in milliseconds, and of failures.
    fn run(ttfts_ms: &[u64], failed: u64) -> RunSummary {
        let mut run = RunSummary::new(LoadPoint {
            load: Load::closed(NonZeroU32::MIN),
            requests: 0,
            warmup: 0,
            duration: None,
        });
        for (index, ttft) in (0..).zip(ttfts_ms) {
            run.add(&RequestRecord {
                first_token: Some(Nanos::from_millis(*ttft)),
                end: Nanos::from_secs(1),
                ..RequestRecord::new(index, Phase::Measured)
            });
        }
        for index in 0..failed {
            run.add(&RequestRecord {
                failure: Some(Failure {
                    kind: FailureKind::ServerError,
                    text: String::new(),
                }),
                ..RequestRecord::new(1000 + index, Phase::Measured)
            });
        }
        run
    }

    fn counts(criterion: &str, runs: &[RunSummary]) -> Option<(u64, u64)> {
        let groups = parse_groups(criterion, None).unwrap();
        let found = groups[0].criteria[0].violations(runs)?;
        Some((found.violating, found.counted))
    }

    #[test]
    fn requests_over_the_limit_and_failures_violate() {
        let runs = [run(&[100, 200, 201, 300], 1), run(&[50], 0)];
        let at_most = r#"{"p99_ttft": "<=200ms"}"#;
        assert_eq!(counts(at_most, &runs), Some((3, 6)));
        assert_eq!(counts(r#"{"p99_ttft": "<200ms"}"#, &runs), Some((4, 6)));
        assert_eq!(counts(r#"{"success_rate": ">=99%"}"#, &runs), Some((1, 6)));
        let criterion = parse_groups(at_most, None).unwrap()[0].criteria[0];
        let allowed = criterion.violations(&runs).unwrap().allowed;
        assert!((allowed - 0.01).abs() < 1e-12);
    }

    #[test]
    fn single_requests_do_not_violate_means_and_throughputs() {
        for criterion in [
            r#"{"avg_ttft": "<=1s"}"#,
            r#"{"rps": ">=1"}"#,
            r#"{"p99_itl": "<=1s"}"#,
        ] {
            assert_eq!(counts(criterion, &[run(&[1], 0)]), None, "{criterion}");
        }
    }

    #[test]
    fn a_request_without_the_time_says_nothing() {
        let runs = [run(&[1, 2], 0)];
        assert_eq!(counts(r#"{"p99_tpot": "<=1s"}"#, &runs), Some((0, 0)));
    }
}
