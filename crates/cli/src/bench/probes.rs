//! What came of the small requests beside a load: fields of the document, and lines of the table.

use crestline_core::record::RequestRecord;
use crestline_core::serving::Spread;
use serde_json::{Value, json};

use super::args::Compat;
use super::run_figures::row;

/// Small requests of a run.
#[derive(Debug)]
pub(super) struct Probes {
    /// Answered.
    pub(super) completed: u64,
    pub(super) failed: u64,
    /// From the write of a request to its token, of those that were answered.
    pub(super) latency: Spread,
}

impl Probes {
    /// By the same clock as the requests of the load.
    pub(super) fn of(records: &[RequestRecord], compat: Compat) -> Self {
        let answered = records.iter().filter(|record| record.succeeded());
        let latencies: Vec<f64> = answered
            .map(|record| row(record, compat).latency_s)
            .collect();
        Self {
            completed: latencies.len() as u64,
            failed: (records.len() - latencies.len()) as u64,
            latency: Spread::of_seconds(&latencies, &[99.0]),
        }
    }

    pub(super) fn p99_ms(&self) -> f64 {
        let last = self.latency.percentiles_ms.last();
        last.map_or(0.0, |(_, value)| *value)
    }

    /// In the order of the document; a latency is null where nothing was answered.
    pub(super) fn fields(&self) -> Vec<(String, Value)> {
        let known = |value: f64| json!((self.completed > 0).then_some(value));
        [
            ("completed", json!(self.completed)),
            ("failed", json!(self.failed)),
            ("median_e2el_ms", known(self.latency.median_ms)),
            ("p99_e2el_ms", known(self.p99_ms())),
            ("max_e2el_ms", known(self.latency.max_ms)),
        ]
        .map(|(name, value)| (format!("probe_{name}"), value))
        .into()
    }
}

#[cfg(test)]
mod tests {
    use crestline_core::record::{Failure, FailureKind, Phase};
    use crestline_core::units::Nanos;

    use super::*;

    fn probe(due_ms: u64, sent_ms: u64, end_ms: u64) -> RequestRecord {
        RequestRecord {
            due: Nanos::from_millis(due_ms),
            sent: Nanos::from_millis(sent_ms),
            connect: Some(Nanos::from_millis(5)),
            end: Nanos::from_millis(end_ms),
            ..RequestRecord::new(0, Phase::Measured)
        }
    }

    #[test]
    fn failed_ones_are_counted_and_have_no_latency() {
        let records = [
            probe(0, 10, 20),
            probe(100, 110, 140),
            RequestRecord {
                failure: Some(Failure {
                    kind: FailureKind::Cancelled,
                    text: String::new(),
                }),
                ..probe(200, 210, 9000)
            },
        ];
        let probes = Probes::of(&records, Compat::None);
        assert_eq!((probes.completed, probes.failed), (2, 1));
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found}");
        near(probes.latency.median_ms, 20.0);
        near(probes.p99_ms(), 29.8);
        near(probes.latency.max_ms, 30.0);
        let compat = Probes::of(&records, Compat::Vllm);
        near(compat.latency.max_ms, 35.0);
    }

    #[test]
    fn without_an_answer_no_latency_is_known() {
        let fields = Probes::of(&[], Compat::None).fields();
        let values: Vec<&Value> = fields.iter().map(|(_, value)| value).collect();
        let none = Value::Null;
        assert_eq!(values, [&json!(0), &json!(0), &none, &none, &none]);
    }
}
