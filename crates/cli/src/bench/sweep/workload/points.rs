//! Loads between the lightest and the heaviest that a server was seen under.
//!
//! Plain arithmetic: what a run came to goes in, values of the varied flag come out.

use clap::ValueEnum;
use serde_json::{Number, Value};

/// The flag of the benchmark that is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Variable {
    /// Requests a second.
    #[value(name = "request_rate", alias = "request-rate")]
    RequestRate,
    /// Requests in flight.
    #[value(name = "max_concurrency", alias = "max-concurrency")]
    MaxConcurrency,
}

/// Where the loads in between lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spacing {
    /// Close to each other where service gets worse: near the highest rate, and in equal ratios for requests in flight.
    Knee,
    /// At equal distances and whole, as vLLM has them.
    Linear,
    /// In equal ratios.
    Geometric,
}

/// The rate nearest to the highest one keeps this share of it away.
const NEAREST: f64 = 0.05;

/// What one request at a time and all at once came to, in the unit of the flag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ends {
    pub(super) serial: f64,
    pub(super) batch: f64,
}

impl Variable {
    /// As it stands in parameters.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::RequestRate => "request_rate",
            Self::MaxConcurrency => "max_concurrency",
        }
    }

    /// The load that runs came to: the mean of their throughputs, or of the requests in flight, which are throughput times
    /// latency (Little's law). `None` where no run has figures.
    pub(super) fn load(self, runs: &[Value]) -> Option<f64> {
        let loads: Vec<f64> = runs.iter().filter_map(|run| self.load_of(run)).collect();
        let count = loads.len();
        (count > 0).then(|| loads.into_iter().sum::<f64>() / count as f64)
    }

    fn load_of(self, run: &Value) -> Option<f64> {
        let number = |key: &str| run[key].as_f64().filter(|value| value.is_finite());
        let rate = number("request_throughput").filter(|rate| *rate > 0.0)?;
        Some(match self {
            Self::RequestRate => rate,
            Self::MaxConcurrency => rate * number("mean_e2el_ms")? / 1000.0,
        })
    }
}

/// A value as parameters have it: whole where it is.
pub(super) fn value(load: f64) -> Value {
    if load.fract() == 0.0 && load.abs() < 1e15 {
        return (load as i64).into();
    }
    Number::from_f64(load).map_or(Value::Null, Value::Number)
}

/// The values between, ascending, at most two fewer than `count`. Fewer where there are no more whole ones, and none where
/// all at once came to no more than one at a time.
pub(super) fn between(variable: Variable, spacing: Spacing, ends: Ends, count: u32) -> Vec<f64> {
    match variable {
        Variable::RequestRate => rates(spacing, ends, count),
        Variable::MaxConcurrency => concurrencies(spacing, ends, count),
    }
}

fn rates(spacing: Spacing, ends: Ends, count: u32) -> Vec<f64> {
    let Ends { serial, batch } = ends;
    if serial >= batch {
        return Vec::new();
    }
    match spacing {
        Spacing::Linear => {
            let whole =
                distinct(linear(serial.ceil(), batch.floor(), count).map(f64::round_ties_even));
            // A server that answers less than a few requests a second has no whole rates to choose from.
            if whole.len() + 2 >= count as usize && whole.iter().all(|rate| *rate > 0.0) {
                return whole;
            }
            distinct(linear(serial, batch, count).map(short))
        }
        Spacing::Geometric => distinct(geometric(serial, batch, count).map(short)),
        Spacing::Knee => {
            let (widest, nearest) = (batch - serial, NEAREST * batch);
            if widest <= 2.0 * nearest || count < 3 {
                return distinct(linear(serial, batch, count).map(short));
            }
            // What is left to the highest rate shrinks in equal ratios.
            let steps = f64::from(count - 2);
            let ratio = (nearest / widest).powf(1.0 / steps);
            let left = inner(count).map(|step| widest * ratio.powf(step));
            distinct(left.map(|left| short(batch - left)))
        }
    }
}

/// One request at a time was measured already.
fn concurrencies(spacing: Spacing, ends: Ends, count: u32) -> Vec<f64> {
    let (low, high) = (ends.serial.ceil().max(1.0), ends.batch.floor());
    if low >= high {
        return Vec::new();
    }
    let values = match spacing {
        Spacing::Linear => distinct(linear(low, high, count).map(f64::round_ties_even)),
        Spacing::Knee | Spacing::Geometric => {
            let mut last = low;
            let values = geometric(low, high, count).map(|value| {
                last = value.round().max(last + 1.0);
                last
            });
            distinct(values)
        }
    };
    let is_between = |value: &f64| *value > 1.0 && *value <= high;
    values.into_iter().filter(is_between).collect()
}

/// Numbers of the steps between the ends.
fn inner(count: u32) -> impl Iterator<Item = f64> {
    (1..count.saturating_sub(1)).map(f64::from)
}

fn linear(from: f64, to: f64, count: u32) -> impl Iterator<Item = f64> {
    let step = (to - from) / f64::from(count.max(2) - 1);
    inner(count).map(move |number| from + step * number)
}

fn geometric(from: f64, to: f64, count: u32) -> impl Iterator<Item = f64> {
    let ratio = (to / from).powf(1.0 / f64::from(count.max(2) - 1));
    inner(count).map(move |number| from * ratio.powf(number))
}

/// Three digits: more would be an accuracy that no rate has.
fn short(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

fn distinct(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use Spacing::{Geometric, Knee, Linear};
    use Variable::{MaxConcurrency, RequestRate};

    fn check(variable: Variable, spacing: Spacing, ends: (f64, f64), expected: &[f64]) {
        let (serial, batch) = ends;
        let found = between(variable, spacing, Ends { serial, batch }, 6);
        assert_eq!(found, expected, "{variable:?} {spacing:?} {ends:?}");
    }

    #[test]
    fn whole_values_at_equal_distances_are_those_of_vllm() {
        // Five steps from 1 to 12: 3.2, 5.4, 7.6, 9.8.
        check(RequestRate, Linear, (0.97, 12.9), &[3.0, 5.0, 8.0, 10.0]);
        check(MaxConcurrency, Linear, (0.99, 12.9), &[3.0, 5.0, 8.0, 10.0]);
        // 1 to 11: 3, 5, 7, 9; half goes to even: 1 to 6 has 2, 3, 4, 5.
        check(RequestRate, Linear, (1.0, 6.0), &[2.0, 3.0, 4.0, 5.0]);
    }

    #[test]
    fn a_slow_server_gets_rates_with_fractions_and_never_none() {
        check(RequestRate, Linear, (0.2, 0.9), &[0.34, 0.48, 0.62, 0.76]);
        check(RequestRate, Linear, (1.2, 3.0), &[1.56, 1.92, 2.28, 2.64]);
    }

    #[test]
    fn rates_are_dense_near_the_highest_and_numbers_in_flight_near_the_lowest() {
        check(RequestRate, Knee, (1.0, 50.0), &[26.7, 38.9, 44.7, 47.5]);
        check(
            MaxConcurrency,
            Knee,
            (1.0, 1000.0),
            &[4.0, 16.0, 63.0, 251.0],
        );
        check(
            RequestRate,
            Geometric,
            (1.0, 1000.0),
            &[3.98, 15.8, 63.1, 251.0],
        );
        check(MaxConcurrency, Knee, (1.0, 8.0), &[2.0, 3.0, 4.0, 5.0]);
    }

    #[test]
    fn where_there_is_nothing_between_nothing_is_run() {
        for spacing in [Knee, Linear, Geometric] {
            check(RequestRate, spacing, (5.0, 4.0), &[]);
            check(MaxConcurrency, spacing, (1.0, 1.4), &[]);
            check(MaxConcurrency, spacing, (0.98, 2.5), &[2.0]);
        }
    }

    #[test]
    fn a_load_is_a_mean_over_the_runs_that_have_figures() {
        let run =
            |rate: f64, latency: f64| json!({"request_throughput": rate, "mean_e2el_ms": latency});
        let runs = [run(2.0, 1500.0), run(4.0, 500.0), run(0.0, 0.0), json!({})];
        assert_eq!(RequestRate.load(&runs), Some(3.0));
        assert_eq!(MaxConcurrency.load(&runs), Some(2.5));
        assert_eq!(RequestRate.load(&runs[2..]), None);
    }

    #[test]
    fn whole_values_are_written_without_a_fraction() {
        assert_eq!(value(3.0), json!(3));
        assert_eq!(value(0.34), json!(0.34));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn values_ascend_between_the_ends(serial in 0.001_f64..100.0, factor in 1.0_f64..1000.0, count in 2_u32..40) {
            let ends = Ends { serial, batch: serial * factor };
            for spacing in [Knee, Linear, Geometric] {
                for variable in [RequestRate, MaxConcurrency] {
                    let values = between(variable, spacing, ends, count);
                    prop_assert!(values.len() + 2 <= count as usize);
                    prop_assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "{values:?}");
                    // Three digits may round to a little beyond.
                    let (low, high) = (ends.serial.min(1.0) * 0.99, ends.batch * 1.01);
                    prop_assert!(values.iter().all(|value| *value > 0.0 && *value >= low && *value <= high), "{values:?}");
                }
            }
        }
    }
}
