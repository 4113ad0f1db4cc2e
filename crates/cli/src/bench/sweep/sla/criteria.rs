//! The file of `--sla-params`: criteria by the keys that vLLM's results have, and what they are in crestline's own terms.
//!
//! Knows no load and no run. A key that no result has is refused here, before anything starts.

use std::path::Path;

use crestline_core::nearest::nearest;
use crestline_core::sla::{Criterion, Group, Measure, Relation, Statistic, Throughput, Timed};
use serde_json::Value;

use super::super::params::{self, Combination};
use super::super::python;
use crate::problem::Problem;

/// Longest first, so that `<=` is not read as `<`.
const RELATIONS: [(&str, Relation); 4] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("<", Relation::Below),
    (">", Relation::Above),
];

const TIMES: [(&str, Timed); 4] = [
    ("ttft", Timed::Ttft),
    ("tpot", Timed::Tpot),
    ("itl", Timed::Itl),
    ("e2el", Timed::Latency),
];

const THROUGHPUTS: [(&str, Throughput); 3] = [
    ("request_throughput", Throughput::Requests),
    ("output_throughput", Throughput::OutputTokens),
    ("total_token_throughput", Throughput::TotalTokens),
];

/// Numbers of a result that are compared as they are, and say nothing of single requests.
const OTHERS: [&str; 10] = [
    "duration",
    "completed",
    "failed",
    "total_input_tokens",
    "total_output_tokens",
    "request_goodput",
    "max_output_tokens_per_s",
    "max_concurrent_requests",
    "rtfx",
    "crestline_steady_request_throughput",
];

/// Times that only exist by their own keys.
const OTHER_TIMES: [&str; 2] = ["client_queue_time", "e2el_including_client_queue"];

/// One SLA: conditions that must all hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sla {
    /// As the file calls it, where it does.
    name: Option<String>,
    pub(crate) conditions: Vec<Condition>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    /// A key of the result.
    pub(crate) key: String,
    pub(crate) relation: Relation,
    /// In the key's own unit: milliseconds, or work a second.
    pub(crate) threshold: f64,
}

/// Which keys a search can hold a load against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Those that single requests, or the work done a second, say something of.
    Judged,
    /// All numbers that crestline's own results have.
    Known,
    /// Whatever a program writes.
    Any,
}

/// Reads the file.
pub(crate) fn read(path: &Path, keys: Keys) -> Result<Vec<Sla>, Problem> {
    let example = "[{\"p99_ttft_ms\": \"<=200\"}, {\"p99_e2el_ms\": \"<=2000\"}]";
    let all = params::read_like("--sla-params", Some(path), example)?;
    let of = |combination: &Combination| {
        Sla::of(combination, keys).map_err(|(why, hint)| {
            Problem::usage(format!("--sla-params {}: {why}", path.display())).hint(hint)
        })
    };
    let slas: Vec<Sla> = all.iter().map(of).collect::<Result<_, _>>()?;
    for (place, sla) in slas.iter().enumerate() {
        if slas[..place]
            .iter()
            .any(|other| other.label() == sla.label())
        {
            return Err(Problem::usage(format!(
                "--sla-params {}: {} stands there twice",
                path.display(),
                sla.label()
            ))
            .hint("each SLA has one answer and one file; leave one of them out"));
        }
    }
    Ok(slas)
}

type Refusal = (String, String);

impl Sla {
    fn of(combination: &Combination, keys: Keys) -> Result<Self, Refusal> {
        let conditions = combination
            .parameters()
            .map(|(key, value)| Condition::of(key, value, keys))
            .collect::<Result<Vec<_>, _>>()?;
        if conditions.is_empty() {
            return Err((
                "an SLA without criteria is met by any load".to_owned(),
                "write at least one, as in {\"p99_ttft_ms\": \"<=200\"}".to_owned(),
            ));
        }
        let named = combination.0.get(params::NAME).map(python::str);
        Ok(Self {
            name: named,
            conditions,
        })
    }

    /// As files are called: `p99_ttft_ms<=200.00-p99_tpot_ms<50.00`.
    pub(crate) fn label(&self) -> String {
        let parts = self.conditions.iter().map(Condition::label);
        parts.collect::<Vec<_>>().join("-")
    }

    /// As tables call it.
    pub(crate) fn shown(&self) -> String {
        let parts: Vec<_> = self.conditions.iter().map(Condition::label).collect();
        let criteria = parts.join(", ");
        match &self.name {
            Some(name) => format!("{name}: {criteria}"),
            None => criteria,
        }
    }

    /// The same for a search over requests.
    pub(crate) fn group(&self) -> Group {
        let criteria = self.conditions.iter().filter_map(Condition::criterion);
        Group {
            criteria: criteria.collect(),
            aim: None,
        }
    }
}

impl Condition {
    fn of(key: &str, value: &Value, keys: Keys) -> Result<Self, Refusal> {
        check_key(key, keys)?;
        let wrong = |why: &str| {
            let written = python::repr(value);
            (
                format!("{key}: {written} {why}"),
                format!("write a comparison and a number in a text, as in \"{key}\": \"<=200\""),
            )
        };
        let Value::String(text) = value else {
            return Err(wrong("is no text"));
        };
        let text = text.trim();
        let (relation, rest) = RELATIONS
            .iter()
            .find_map(|(symbol, relation)| Some((*relation, text.strip_prefix(symbol)?)))
            .ok_or_else(|| wrong("has none of <=, >=, < and >"))?;
        let threshold = rest.trim().parse::<f64>().ok();
        let threshold = threshold.filter(|number| number.is_finite());
        let condition = Self {
            key: key.to_owned(),
            relation,
            threshold: threshold.ok_or_else(|| wrong("has no number behind the comparison"))?,
        };
        if keys == Keys::Judged {
            condition.check_side()?;
        }
        Ok(condition)
    }

    /// A highest load follows from an upper limit of a time, and from a lower one of work.
    fn check_side(&self) -> Result<(), Refusal> {
        let Some(measure) = measure(&self.key) else {
            return Ok(());
        };
        let label = self.label();
        let is_time = matches!(measure, Measure::Time(..));
        if is_time != self.relation.is_upper() {
            let way = if is_time { "<=" } else { ">=" };
            return Err((
                format!("{label} gives no highest load"),
                format!(
                    "limit {} with {way}, or choose --sla-search pchip",
                    self.key
                ),
            ));
        }
        if self.threshold <= 0.0 {
            return Err((
                format!("{label} is met by no load"),
                "give a number above 0".to_owned(),
            ));
        }
        Ok(())
    }

    /// `p99_ttft_ms<=200.00`
    pub(crate) fn label(&self) -> String {
        format!(
            "{}{}{:.2}",
            self.key,
            self.relation.symbol(),
            self.threshold
        )
    }

    /// The percentile that its key names, where it names one.
    pub(crate) fn percentile(&self) -> Option<f64> {
        let (name, rest) = self.key.split_once('_')?;
        let is_time = rest.ends_with("_ms");
        let percentile = name.strip_prefix('p')?.parse().ok()?;
        is_time.then_some(percentile)
    }

    /// In crestline's own terms; `None` of a key that only whole results have.
    pub(crate) fn criterion(&self) -> Option<Criterion> {
        let measure = measure(&self.key)?;
        let unit = if matches!(measure, Measure::Time(..)) {
            1e-3
        } else {
            1.0
        };
        Some(Criterion {
            measure,
            relation: self.relation,
            threshold: self.threshold * unit,
        })
    }
}

/// What a key of a result stands for. TTFT and latency are counted from when a request was due, which is what users feel;
/// in a result they count from when it was sent.
pub(crate) fn measure(key: &str) -> Option<Measure> {
    if let Some((_, work)) = THROUGHPUTS.iter().find(|(name, _)| *name == key) {
        return Some(Measure::Throughput(*work));
    }
    let (statistic, rest) = key.split_once('_')?;
    let time = rest.strip_suffix("_ms")?;
    let (_, time) = TIMES.iter().find(|(name, _)| *name == time)?;
    let statistic = match statistic {
        "mean" => Statistic::Mean,
        "median" => Statistic::Quantile(0.5),
        other => Statistic::Quantile(quantile(other)?),
    };
    Some(Measure::Time(statistic, *time))
}

/// `p99.9`, as a share.
fn quantile(name: &str) -> Option<f64> {
    let percent: f64 = name.strip_prefix('p')?.parse().ok()?;
    (percent > 0.0 && percent < 100.0).then_some(percent / 100.0)
}

fn check_key(key: &str, keys: Keys) -> Result<(), Refusal> {
    if keys == Keys::Any || measure(key).is_some() {
        return Ok(());
    }
    if is_known(key) {
        return match keys {
            Keys::Judged => Err((
                format!("{key} cannot be told from single requests"),
                "choose --sla-search pchip, which compares any number of whole runs".to_owned(),
            )),
            Keys::Known | Keys::Any => Ok(()),
        };
    }
    let hint = "a key of the result, such as p99_ttft_ms, median_tpot_ms, mean_e2el_ms, p99.9_itl_ms, request_throughput or \
                output_throughput";
    let candidates = candidates();
    let short: String = key.chars().take(40).collect();
    let near = nearest(&short, candidates.iter().map(String::as_str));
    Err((
        format!("no result has the key {short}"),
        near.map_or_else(|| hint.to_owned(), |near| format!("did you mean {near}?")),
    ))
}

/// A number that crestline's results have, and that is no measure of its own.
fn is_known(key: &str) -> bool {
    if OTHERS.contains(&key) {
        return true;
    }
    let Some((statistic, time)) = key.split_once('_') else {
        return false;
    };
    let percentile = statistic.strip_prefix('p').map(str::parse::<f64>);
    let is_statistic = matches!(statistic, "mean" | "median" | "std")
        || percentile
            .is_some_and(|number| number.is_ok_and(|number| (0.0..=100.0).contains(&number)));
    let times = TIMES.iter().map(|(name, _)| *name).chain(OTHER_TIMES);
    is_statistic && times.into_iter().any(|name| time == format!("{name}_ms"))
}

/// Keys that may have been meant.
fn candidates() -> Vec<String> {
    let statistics = ["mean", "median", "std", "p50", "p90", "p95", "p99", "p99.9"];
    let times = TIMES
        .iter()
        .flat_map(|(time, _)| statistics.map(|statistic| format!("{statistic}_{time}_ms")));
    let throughputs = THROUGHPUTS.iter().map(|(name, _)| (*name).to_owned());
    times
        .chain(throughputs)
        .chain(OTHERS.map(str::to_owned))
        .collect()
}

/// An SLA as a file would have it.
#[cfg(test)]
pub(crate) fn of_test(value: &Value) -> Sla {
    let fields = value.as_object().expect("an object").clone();
    Sla::of(&Combination(fields), Keys::Judged).expect("a sound SLA")
}

#[cfg(test)]
mod tests;
