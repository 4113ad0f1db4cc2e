//! What OpenTelemetry collectors are sent: `ExportMetricsServiceRequest` as OTLP's JSON encoding has it.
//!
//! Values in, JSON out. Where OpenTelemetry's conventions for generative AI have a name, it is theirs; the others begin with
//! `crestline.`. All sums and histograms are cumulative since the command began, so that a message that is lost costs
//! nothing but its moment.

use crestline_core::search::Variable;
use crestline_core::tally::{Buckets, TOKENS, Timing};
use crestline_core::units::Nanos;
use serde_json::{Value, json};

use super::observed::{Counts, Labels, Observed, Series};

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u32 = 2;

/// The times that a message speaks of, in Unix time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// When counting began.
    pub(super) since: Nanos,
    /// Now.
    pub(super) now: Nanos,
}

type Attributes = Vec<(String, String)>;

/// A whole message. `resource` says who sends it.
pub(super) fn message(observed: &Observed, moment: Moment, resource: &[(String, String)]) -> Value {
    let writer = Writer { observed, moment };
    json!({
        "resourceMetrics": [{
            "resource": {"attributes": attributes(resource.iter().cloned())},
            "scopeMetrics": [{
                "scope": {"name": "crestline", "version": env!("CARGO_PKG_VERSION")},
                "metrics": writer.metrics(),
            }],
        }],
    })
}

struct Writer<'a> {
    observed: &'a Observed,
    moment: Moment,
}

impl Writer<'_> {
    fn metrics(&self) -> Vec<Value> {
        let series = &self.observed.series;
        let all: Vec<(&Series, Counts)> = series
            .iter()
            .map(|series| (series, series.total()))
            .collect();
        let mut metrics: Vec<Value> = Timing::ALL
            .iter()
            .map(|timing| self.histogram(*timing, &all))
            .collect();
        metrics.extend([
            self.tokens(&all),
            self.sent(&all),
            self.ended(&all),
            self.sound(&all),
        ]);
        metrics.extend(self.present());
        // A metric without a point says nothing.
        metrics.retain(|metric| {
            let kinds = ["histogram", "sum", "gauge"];
            let points = kinds.iter().find_map(|kind| metric.get(kind));
            points.is_some_and(|points| points["dataPoints"] != json!([]))
        });
        metrics
    }

    fn histogram(&self, timing: Timing, all: &[(&Series, Counts)]) -> Value {
        let (name, description) = words(timing);
        let bounds: Vec<f64> = timing
            .bounds_us()
            .iter()
            .map(|us| *us as f64 / 1e6)
            .collect();
        let points = all.iter().map(|(series, counts)| {
            let values = counts.tally.of(timing);
            let mut point = self.bucketed(self.of_requests(series.labels), &bounds, values);
            point["sum"] = values.sum_s().into();
            point
        });
        histogram(name, description, "s", &points.collect::<Vec<_>>())
    }

    /// A histogram's values at a load, but for their sum.
    fn bucketed(&self, of: Attributes, bounds: &[f64], values: &Buckets) -> Value {
        let counts = values.counts().iter();
        json!({
            "attributes": attributes(of),
            "startTimeUnixNano": self.moment.since.0.to_string(),
            "timeUnixNano": self.moment.now.0.to_string(),
            "count": values.count().to_string(),
            "explicitBounds": bounds,
            "bucketCounts": counts.map(u64::to_string).collect::<Vec<_>>(),
        })
    }

    fn tokens(&self, all: &[(&Series, Counts)]) -> Value {
        let bounds = TOKENS.map(|tokens| tokens as f64);
        let points = all.iter().flat_map(|(series, counts)| {
            let of = |kind: &str, lengths: &Buckets| {
                let mut attributes = self.of_requests(series.labels);
                attributes.push(("gen_ai.token.type".to_owned(), kind.to_owned()));
                let mut point = self.bucketed(attributes, &bounds, lengths);
                point["sum"] = (lengths.sum() as f64).into();
                point
            };
            [
                of("input", &counts.tally.prompt_tokens),
                of("output", &counts.tally.output_tokens),
            ]
        });
        histogram(
            "gen_ai.client.token.usage",
            "Tokens of requests that ended well, one value a request.",
            "{token}",
            &points.collect::<Vec<_>>(),
        )
    }

    fn sent(&self, all: &[(&Series, Counts)]) -> Value {
        let points = all
            .iter()
            .map(|(series, counts)| self.counted(self.of_requests(series.labels), counts.sent));
        sum(
            "crestline.requests.sent",
            "Requests sent, those of the warm-up included.",
            "{request}",
            &points.collect::<Vec<_>>(),
        )
    }

    /// Successes without `error.type`, failures with their kind in it.
    fn ended(&self, all: &[(&Series, Counts)]) -> Value {
        let points = all.iter().flat_map(|(series, counts)| {
            let failures = counts.tally.failures.iter().map(|(kind, count)| {
                let mut attributes = self.of_requests(series.labels);
                attributes.push(("error.type".to_owned(), kind.name().to_owned()));
                self.counted(attributes, *count)
            });
            let succeeded = counts.tally.succeeded;
            [self.counted(self.of_requests(series.labels), succeeded)]
                .into_iter()
                .chain(failures)
                .collect::<Vec<_>>()
        });
        sum(
            "crestline.requests.ended",
            "Counted requests that ended; those that failed have an error.type.",
            "{request}",
            &points.collect::<Vec<_>>(),
        )
    }

    fn sound(&self, all: &[(&Series, Counts)]) -> Value {
        let points = all.iter().filter_map(|(series, _)| {
            let value = f64::from(u8::from(series.is_sound?));
            Some(self.measured(self.of_requests(series.labels), value))
        });
        gauge(
            "crestline.client.sound",
            "1 if the client kept up in the last load that ended, 0 if it was the bottleneck.",
            "1",
            &points.collect::<Vec<_>>(),
        )
    }

    fn present(&self) -> Vec<Value> {
        let now = &self.observed.present;
        let one = |name, description, unit, value| {
            gauge(
                name,
                description,
                unit,
                &[self.measured(Attributes::new(), value)],
            )
        };
        let mut gauges = vec![
            one(
                "crestline.requests.in_flight",
                "Requests sent that have not ended.",
                "{request}",
                now.in_flight as f64,
            ),
            one(
                "crestline.requests.completed_rate",
                "Requests ended a second.",
                "{request}/s",
                now.completed_per_s,
            ),
            one(
                "crestline.chunks.received_rate",
                "Events with content received a second.",
                "{chunk}/s",
                now.chunks_per_s,
            ),
        ];
        let searched = self.observed.search.as_ref();
        let of_search = |variable| {
            searched
                .filter(|search| search.variable == variable)
                .map(|search| search.load)
        };
        let parallel = now.labels.parallel.map(|limit| f64::from(limit.get()));
        if let Some(parallel) = of_search(Variable::Users).or(parallel) {
            gauges.push(one(
                "crestline.load.parallel",
                "Most requests in flight at the load that is applied.",
                "{request}",
                parallel,
            ));
        }
        if let Some(rate) = of_search(Variable::Rate).or(now.labels.rate_per_s) {
            gauges.push(one(
                "crestline.load.rate",
                "Requests due a second at the load that is applied.",
                "{request}/s",
                rate,
            ));
        }
        gauges
    }

    /// What requests are told apart by.
    fn of_requests(&self, labels: Labels) -> Attributes {
        let about = &self.observed.about;
        let mut of: Attributes = vec![
            (
                "gen_ai.operation.name".to_owned(),
                about.operation.to_owned(),
            ),
            ("gen_ai.request.model".to_owned(), about.model.clone()),
        ];
        if let Some(provider) = about.provider {
            of.push(("gen_ai.provider.name".to_owned(), provider.to_owned()));
        }
        if let Some((host, port)) = &about.server {
            of.push(("server.address".to_owned(), host.clone()));
            of.push(("server.port".to_owned(), port.to_string()));
        }
        let labels = labels.pairs().into_iter();
        of.extend(labels.map(|(name, value)| (format!("crestline.load.{name}"), value)));
        of
    }

    fn counted(&self, of: Attributes, count: u64) -> Value {
        json!({
            "attributes": attributes(of),
            "startTimeUnixNano": self.moment.since.0.to_string(),
            "timeUnixNano": self.moment.now.0.to_string(),
            "asInt": count.to_string(),
        })
    }

    fn measured(&self, of: Attributes, value: f64) -> Value {
        json!({
            "attributes": attributes(of),
            "timeUnixNano": self.moment.now.0.to_string(),
            "asDouble": value,
        })
    }
}

fn sum(name: &str, description: &str, unit: &str, points: &[Value]) -> Value {
    json!({
        "name": name,
        "description": description,
        "unit": unit,
        "sum": {
            "aggregationTemporality": CUMULATIVE,
            "isMonotonic": true,
            "dataPoints": points,
        },
    })
}

fn histogram(name: &str, description: &str, unit: &str, points: &[Value]) -> Value {
    json!({
        "name": name,
        "description": description,
        "unit": unit,
        "histogram": {
            "aggregationTemporality": CUMULATIVE,
            "dataPoints": points,
        },
    })
}

fn gauge(name: &str, description: &str, unit: &str, points: &[Value]) -> Value {
    json!({
        "name": name,
        "description": description,
        "unit": unit,
        "gauge": {"dataPoints": points},
    })
}

/// Names and values as OTLP has them. A port is a whole number, as its convention asks.
fn attributes(pairs: impl IntoIterator<Item = (String, String)>) -> Vec<Value> {
    let attribute = |(key, value): (String, String)| {
        let value = if key == "server.port" {
            json!({"intValue": value})
        } else {
            json!({"stringValue": value})
        };
        json!({"key": key, "value": value})
    };
    pairs.into_iter().map(attribute).collect()
}

fn words(timing: Timing) -> (&'static str, &'static str) {
    match timing {
        Timing::Latency => (
            "gen_ai.client.operation.duration",
            "From the request written to the whole answer received, of successes.",
        ),
        Timing::LatencyFromDue => (
            "crestline.request.duration_from_due",
            "From when the request was due to the whole answer received, of successes.",
        ),
        Timing::Ttft => (
            "gen_ai.client.operation.time_to_first_chunk",
            "From the request written to the first event with content, of streamed successes.",
        ),
        Timing::TtftFromDue => (
            "crestline.request.time_to_first_chunk_from_due",
            "From when the request was due to the first event with content, of streamed successes.",
        ),
        Timing::Tpot => (
            "crestline.request.time_per_output_token",
            "Time per output token after the first, one value a request, of streamed successes.",
        ),
        Timing::Itl => (
            "gen_ai.client.operation.time_per_output_chunk",
            "Gaps between the events of an answer, of streamed successes.",
        ),
        Timing::SendLag => (
            "crestline.client.send_lag",
            "How late requests were sent by the client's own fault.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::observed::tests::{about, observed};
    use super::*;

    fn sent() -> Value {
        let moment = Moment {
            since: Nanos::from_secs(1_700_000_000),
            now: Nanos::from_secs(1_700_000_005),
        };
        let resource = [("service.name".to_owned(), "crestline".to_owned())];
        message(&observed(), moment, &resource)
    }

    fn metric(name: &str) -> Value {
        let message = sent();
        let metrics = &message["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
        let found = metrics.as_array().unwrap().iter();
        let found: Vec<_> = found.filter(|metric| metric["name"] == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].clone()
    }

    #[test]
    fn histograms_have_one_count_more_than_bounds_and_add_up() {
        for timing in Timing::ALL {
            let metric = metric(words(timing).0);
            assert_eq!(metric["unit"], "s");
            let points = metric["histogram"]["dataPoints"].as_array().unwrap();
            assert_eq!(points.len(), 2, "one for each load");
            for point in points {
                let bounds = point["explicitBounds"].as_array().unwrap();
                let counts = point["bucketCounts"].as_array().unwrap();
                assert_eq!(counts.len(), bounds.len() + 1);
                let counts = counts.iter().map(|count| count.as_str().unwrap());
                let all: u64 = counts.map(|count| count.parse::<u64>().unwrap()).sum();
                assert_eq!(point["count"], all.to_string());
                assert_eq!(point["startTimeUnixNano"], "1700000000000000000");
                assert_eq!(point["timeUnixNano"], "1700000005000000000");
            }
        }
    }

    #[test]
    fn failures_are_told_apart_by_their_kind_and_loads_by_theirs() {
        let metric = metric("crestline.requests.ended");
        let points = metric["sum"]["dataPoints"].as_array().unwrap();
        let of = |point: &Value, key: &str| {
            let attributes = point["attributes"].as_array().unwrap();
            let found = attributes.iter().find(|one| one["key"] == key);
            found.map(|found| found["value"]["stringValue"].as_str().unwrap().to_owned())
        };
        let found: Vec<_> = points
            .iter()
            .map(|point| {
                let count = point["asInt"].as_str().unwrap().to_owned();
                (
                    of(point, "crestline.load.parallel"),
                    of(point, "error.type"),
                    count,
                )
            })
            .collect();
        let expected = [
            ("1", None, "9"),
            ("1", Some("rate_limited"), "1"),
            ("8", None, "18"),
            ("8", Some("rate_limited"), "2"),
        ]
        .map(|(load, kind, count)| {
            (
                Some(load.to_owned()),
                kind.map(str::to_owned),
                count.to_owned(),
            )
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn before_anything_is_sent_there_are_only_gauges() {
        let empty = Observed::new(about());
        let moment = Moment {
            since: Nanos::ZERO,
            now: Nanos::ZERO,
        };
        let message = message(&empty, moment, &[]);
        let metrics = &message["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
        let kinds = metrics.as_array().unwrap().iter();
        assert!(kinds.clone().count() > 0);
        assert!(
            kinds
                .into_iter()
                .all(|metric| metric.get("gauge").is_some()),
            "{metrics}"
        );
    }

    #[test]
    fn a_port_is_a_whole_number() {
        let metric = metric("crestline.requests.sent");
        let attributes = &metric["sum"]["dataPoints"][0]["attributes"];
        let port = attributes.as_array().unwrap().iter();
        let port = port
            .clone()
            .find(|one| one["key"] == "server.port")
            .unwrap();
        assert_eq!(port["value"]["intValue"], "8000");
    }
}
