//! Names and numbers as a report says them.
//!
//! One place decides on units and digits, so that a figure reads the same in a sentence, a table and a picture.

use std::collections::BTreeMap;

use crestline_core::metrics::{Metric, Unit};

use crate::facts::{Applied, LoadFacts, Spread};
use crate::number::{significant, trimmed};

/// Times are told in milliseconds.
pub(super) const MS: f64 = 1e3;

/// A load: `8 users`, `2.5 req/s`, `2.5 req/s, at most 8 in flight`.
pub(super) fn applied(load: Applied) -> String {
    let users = |count: f64| match count {
        1.0 => "1 user".to_owned(),
        count => format!("{} users", trimmed(Some(count), 1)),
    };
    match (load.rate, load.concurrency) {
        (Some(rate), Some(limit)) => format!(
            "{} req/s, at most {} in flight",
            significant(rate, 4),
            trimmed(Some(limit), 1)
        ),
        (Some(rate), None) => format!("{} req/s", significant(rate, 4)),
        (None, Some(limit)) => users(limit),
        (None, None) => "all at once".to_owned(),
    }
}

/// Parameters: `tp=2, max_num_seqs=64`; empty where there are none.
pub(super) fn parameters(parameters: &BTreeMap<String, String>, order: &[String]) -> String {
    let named = order.iter().filter_map(|name| {
        let value = parameters.get(name)?;
        Some(format!("{name}={value}"))
    });
    named.collect::<Vec<_>>().join(", ")
}

/// A run beside others: its parameters, its load, and which repetition it is where there are several.
pub(super) fn run(load: &LoadFacts, order: &[String]) -> String {
    let configuration = parameters(&load.parameters, order);
    let gap = if configuration.is_empty() { "" } else { ": " };
    let repeat = match load.repeat {
        0 => String::new(),
        repeat => format!(" (run {})", repeat + 1),
    };
    format!("{configuration}{gap}{}{repeat}", applied(load.applied))
}

/// A short name of a metric, as people of the field say it.
pub(super) fn short(metric: Metric) -> &'static str {
    match metric {
        Metric::Ttft => "TTFT",
        Metric::Itl => "ITL",
        Metric::Tpot => "TPOT",
        Metric::Latency => "E2EL",
        Metric::TtftFromDue => "TTFT from due",
        Metric::LatencyFromDue => "E2EL from due",
        Metric::RequestThroughput => "requests a second",
        Metric::OutputThroughput => "output tokens a second",
        Metric::TotalThroughput => "all tokens a second",
        other => other.definition().title,
    }
}

/// How many of what is shown are in one base unit, and what that is called.
pub(super) fn shown_in(metric: Metric) -> (f64, &'static str) {
    match metric.unit() {
        Unit::Seconds => (MS, "ms"),
        unit => (1.0, unit.symbol()),
    }
}

/// A value with its unit, such as `34.2 ms`.
pub(super) fn with_unit(metric: Metric, value: f64) -> String {
    let (scale, unit) = shown_in(metric);
    let number = rounded(value * scale);
    match unit {
        "" => number,
        unit => format!("{number} {unit}"),
    }
}

/// Three digits, and all before the point in groups.
pub(super) fn rounded(value: f64) -> String {
    if value.is_finite() && value.abs() >= 1000.0 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!(
            "{sign}{}",
            crate::number::grouped(value.abs().round() as u64)
        );
    }
    significant(value, 3)
}

/// Digits after the point that a value of this size needs in a column of its like.
pub(super) fn digits(values: impl Iterator<Item = f64>) -> usize {
    let smallest = values
        .filter(|value| value.is_finite() && *value > 0.0)
        .fold(f64::INFINITY, f64::min);
    match smallest {
        value if value >= 100.0 => 1,
        value if value >= 1.0 => 2,
        value if value.is_finite() => 3,
        _ => 1,
    }
}

/// As at the beginning of a sentence.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

impl Spread {
    /// The value of a quantile that is there.
    pub fn at(&self, q: f64) -> Option<f64> {
        let mut all = self.quantiles.iter();
        let found = all.find(|(known, _)| (known - q).abs() < 1e-9);
        found.map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_are_told_in_the_words_of_the_field() {
        let load = |concurrency, rate| applied(Applied { concurrency, rate });
        let all = [
            load(Some(1.0), None),
            load(Some(8.0), None),
            load(None, Some(2.5)),
            load(Some(8.0), Some(2.5)),
            load(None, None),
        ];
        assert_eq!(
            all,
            [
                "1 user",
                "8 users",
                "2.5 req/s",
                "2.5 req/s, at most 8 in flight",
                "all at once"
            ]
        );
    }

    #[test]
    fn a_run_is_told_by_what_it_differs_in() {
        let mut load = LoadFacts {
            applied: Applied {
                concurrency: Some(4.0),
                rate: None,
            },
            ..LoadFacts::default()
        };
        assert_eq!(run(&load, &[]), "4 users");
        load.repeat = 1;
        load.parameters = [("tp", "2"), ("seqs", "64"), ("port", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let order = ["tp", "seqs"].map(str::to_owned);
        assert_eq!(run(&load, &order), "tp=2, seqs=64: 4 users (run 2)");
    }

    #[test]
    fn values_have_three_digits_and_their_unit() {
        assert_eq!(with_unit(Metric::Ttft, 0.034_21), "34.2 ms");
        assert_eq!(with_unit(Metric::Latency, 12.345_6), "12,346 ms");
        assert_eq!(with_unit(Metric::OutputThroughput, 2274.7), "2,275 tok/s");
    }
}
