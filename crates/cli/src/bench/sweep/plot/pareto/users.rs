//! How many users a run had at a time.
//!
//! vLLM divides by the request rate where there is no limit on requests in flight, which gives tokens a request and not tokens a
//! second and user, and by infinity at the rate `inf`. Here the number in flight is taken instead.

use super::Sourced;
use crate::bench::sweep::plot::records::Record;

/// Where no key is named.
const DEFAULT: &str = "max_concurrency";

/// A key as it is written, and with dashes and underscores exchanged.
pub(super) fn spellings(key: &str) -> Vec<String> {
    let mut all = vec![key.to_owned(), key.replace('-', "_"), key.replace('_', "-")];
    all.dedup();
    all
}

/// The value of the named key; where it is missing, 0 or infinite, the mean number of requests in flight; where that is
/// unknown too, the greatest.
pub(super) fn of(record: &Record, named: Option<&str>) -> Option<Sourced> {
    let usable = |value: Option<f64>| value.filter(|value| *value > 0.0 && value.is_finite());
    let key = named.unwrap_or(DEFAULT);
    let sourced = |value: f64, source: &str| Sourced {
        value,
        source: source.to_owned(),
    };
    let own = || {
        let mut found = spellings(key).into_iter();
        found.find_map(|key| usable(record.number(&key)).map(|value| sourced(value, &key)))
    };
    // Little's law: in flight = arrivals a second · seconds each stays.
    let in_flight = || {
        let rate = usable(record.number("request_throughput"))?;
        let stay_ms = usable(record.number("mean_e2el_ms"))?;
        Some(sourced(
            rate * stay_ms / 1e3,
            "request_throughput * mean_e2el_ms",
        ))
    };
    let greatest = || {
        let value = usable(record.number("max_concurrent_requests"))?;
        Some(sourced(value, "max_concurrent_requests"))
    };
    own().or_else(in_flight).or_else(greatest)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::{Value, json};

    use super::*;

    fn users(fields: &Value, named: Option<&str>) -> Option<(f64, String)> {
        let record = Record {
            file: PathBuf::new(),
            fields: fields.as_object().unwrap().clone(),
        };
        of(&record, named).map(|found| (found.value.round(), found.source))
    }

    #[test]
    fn users_are_those_of_the_named_key_else_those_in_flight() {
        let law = "request_throughput * mean_e2el_ms";
        let check = |fields: &Value, named, expected: Option<(f64, &str)>| {
            let expected = expected.map(|(value, source)| (value, source.to_owned()));
            assert_eq!(users(fields, named), expected, "{fields}");
        };
        check(
            &json!({"max_concurrency": 8, "request_rate": 2}),
            None,
            Some((8.0, "max_concurrency")),
        );
        check(
            &json!({"max-concurrency": 8}),
            None,
            Some((8.0, "max-concurrency")),
        );
        check(
            &json!({"users": 3, "max_concurrency": 8}),
            Some("users"),
            Some((3.0, "users")),
        );
        let open = json!({"max_concurrency": null, "request_rate": 5.0, "request_throughput": 4.0, "mean_e2el_ms": 2500.0, "max_concurrent_requests": 17});
        check(&open, None, Some((10.0, law)));
        check(
            &json!({"max_concurrency": 0, "max_concurrent_requests": 17}),
            None,
            Some((17.0, "max_concurrent_requests")),
        );
        check(
            &json!({"max_concurrency": "inf", "request_rate": "inf"}),
            None,
            None,
        );
    }
}
