//! The files of one load read back, whether crestline or evalscope wrote them: figures, the load, the arguments.
//!
//! Takes values; opens no file. -1 is evalscope's word for what is not known, and stays unknown.

use std::collections::BTreeMap;

use crestline_core::metrics::Metric;
use crestline_core::sla::{Group, parse_groups};
use crestline_report::facts::{Applied, Client, Figures, LoadFacts, Origin, SearchFacts, Spread};
use serde_json::Value;

use crate::client_health;
use crate::python_json::number;
use crate::report::tried::tried;

/// The folder of a search's separate runs.
pub(crate) const RUNS: &str = "sla_tuning";
/// What is varied, as the names of loads begin.
const VARIABLES: [(&str, &str); 2] = [("parallel_", "users"), ("rate_", "requests a second")];

/// Figures of the whole run.
pub(crate) const SUMMARY: &str = "benchmark_summary.json";
/// Rows of percentiles.
pub(crate) const PERCENTILES: &str = "benchmark_percentile.json";
/// What was asked for.
pub(crate) const ARGUMENTS: &str = "benchmark_args.json";

/// Means: key, what it is, and by what it is divided for the base unit.
const MEANS: [(&str, Metric, f64); 6] = [
    ("Avg Latency (s)", Metric::Latency, 1.0),
    ("Avg TTFT (ms)", Metric::Ttft, 1e3),
    ("Avg TPOT (ms)", Metric::Tpot, 1e3),
    ("Avg ITL (ms)", Metric::Itl, 1e3),
    ("Avg Input Tokens", Metric::InputTokens, 1.0),
    ("Avg Output Tokens", Metric::OutputTokens, 1.0),
];
/// Figures of the run.
const TOTALS: [(&str, Metric); 4] = [
    ("Test Duration (s)", Metric::Duration),
    ("Req Throughput (req/s)", Metric::RequestThroughput),
    ("Output Throughput (tok/s)", Metric::OutputThroughput),
    ("Total Throughput (tok/s)", Metric::TotalThroughput),
];
/// What crestline adds: objects of mean, p50, p99 and maximum.
const OWN: [(&str, Metric, f64); 6] = [
    ("crestline_latency_from_due_s", Metric::LatencyFromDue, 1.0),
    ("crestline_ttft_from_due_ms", Metric::TtftFromDue, 1e3),
    (
        "crestline_time_to_first_byte_ms",
        Metric::TimeToFirstByte,
        1e3,
    ),
    (
        "crestline_time_to_first_reasoning_ms",
        Metric::TimeToFirstReasoning,
        1e3,
    ),
    (
        "crestline_time_to_first_answer_ms",
        Metric::TimeToFirstAnswer,
        1e3,
    ),
    (
        "crestline_chunks_per_request",
        Metric::ChunksPerRequest,
        1.0,
    ),
];

/// Whether a value is what stands in [`SUMMARY`].
pub(crate) fn is_summary(value: &Value) -> bool {
    ["Total Requests", "Success Requests"]
        .iter()
        .all(|key| known(&value[*key]).is_some())
}

/// Everything that the files say of a load. `arguments` may be null.
pub(crate) fn load(summary: &Value, percentiles: &[Row], arguments: &Value) -> LoadFacts {
    let mut run = LoadFacts {
        applied: applied(summary),
        figures: figures(summary),
        client: client_health::read_back(&summary["crestline_client"]),
        origin: origin(arguments, summary),
        ..LoadFacts::default()
    };
    for row in percentiles {
        row.put_into(&mut run.figures.spreads);
    }
    for spread in run.figures.spreads.values_mut() {
        spread.ends = spread
            .ends
            .filter(|ends| ends.iter().all(|end| !end.is_nan()));
    }
    if run
        .origin
        .url
        .as_deref()
        .is_some_and(|url| url.starts_with("sim:"))
    {
        run.client = Client::Virtual;
    }
    run
}

/// What the arguments alone say of a load, and what a summary says of the tool.
pub(crate) fn origin(arguments: &Value, summary: &Value) -> Origin {
    let text = |key: &str| arguments[key].as_str().map(str::to_owned);
    let is_own = !summary["crestline_format"].is_null();
    let tool = match text("crestline_version") {
        Some(version) => format!("crestline {version}"),
        None if is_own => "crestline".to_owned(),
        None => "evalscope perf".to_owned(),
    };
    Origin {
        tool,
        model: text("model"),
        url: text("url"),
        seed: arguments["seed"].as_u64(),
        settings: arguments.is_object().then(|| arguments.clone()),
        is_complete: true,
        ..Origin::default()
    }
}

/// Whether a value is what evalscope writes of a search: loads by name, and what each came to.
pub(crate) fn is_search(value: &Value) -> bool {
    let entries = value.as_object();
    entries.is_some_and(|entries| {
        let is_load = |(name, value): (&String, &Value)| {
            named(name).is_some() && is_summary(&value["metrics"])
        };
        !entries.is_empty() && entries.iter().all(is_load)
    })
}

/// What a load is counted in, and how high it is.
fn named(name: &str) -> Option<(&'static str, f64)> {
    let mut variables = VARIABLES.iter();
    variables.find_map(|(begin, unit)| Some((*unit, name.strip_prefix(begin)?.parse().ok()?)))
}

/// The criteria of a search, from the arguments of one of its runs.
pub(crate) fn criteria(arguments: &Value) -> Option<Vec<Group>> {
    let text = match &arguments["sla_params"] {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    parse_groups(&text, None).ok()
}

/// The loads that were tried, rising, and what each came to. Which one was selected, and by which criteria, evalscope prints
/// and does not write.
pub(crate) fn search(value: &Value) -> (SearchFacts, Vec<LoadFacts>) {
    let mut all: Vec<(f64, LoadFacts)> = Vec::new();
    let mut unit = "";
    for (name, entry) in value.as_object().into_iter().flatten() {
        let Some((of, load)) = named(name) else {
            continue;
        };
        let rows = percentile_columns(&entry["percentiles"]);
        unit = of;
        all.push((load, self::load(&entry["metrics"], &rows, &Value::Null)));
    }
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    let tried = all.iter().map(|(load, run)| tried(*load, run));
    let search = SearchFacts {
        unit: unit.to_owned(),
        tried: tried.collect(),
        ..SearchFacts::default()
    };
    (search, all.into_iter().map(|(_, run)| run).collect())
}

fn applied(summary: &Value) -> Applied {
    let known = |key: &str| known(&summary[key]).filter(|value| *value > 0.0);
    Applied {
        concurrency: known("Concurrency"),
        rate: known("Request Rate (req/s)"),
    }
}

fn figures(summary: &Value) -> Figures {
    let of = |key: &str| known(&summary[key]);
    let requests = of("Total Requests").unwrap_or(0.0);
    let good = of("Success Requests").unwrap_or(0.0);
    let failed = of("Failed Requests").unwrap_or(requests - good).max(0.0);
    let mut out = Figures {
        duration_s: of("Test Duration (s)"),
        requests: requests as u64,
        failed: failed as u64,
        failures: failures(summary, failed as u64),
        ..Figures::default()
    };
    let totals = TOTALS
        .iter()
        .filter_map(|(key, metric)| Some((*metric, of(key)?)));
    out.totals.extend(totals);
    if requests > 0.0 {
        out.totals.insert(Metric::SuccessRate, good / requests);
    }
    if good > 0.0 {
        out.spreads = spreads(summary);
    }
    out
}

fn failures(summary: &Value, failed: u64) -> BTreeMap<String, u64> {
    match summary["crestline_failures"].as_object() {
        Some(kinds) => kinds
            .iter()
            .filter_map(|(kind, count)| Some((kind.clone(), count.as_u64()?)))
            .collect(),
        None if failed > 0 => BTreeMap::from([("unknown".to_owned(), failed)]),
        None => BTreeMap::new(),
    }
}

fn spreads(summary: &Value) -> BTreeMap<Metric, Spread> {
    let means = MEANS.iter().filter_map(|(key, metric, scale)| {
        let spread = Spread {
            mean: Some(known(&summary[*key])? / scale),
            ..Spread::default()
        };
        Some((*metric, spread))
    });
    let own = OWN.iter().filter_map(|(key, metric, scale)| {
        let at = |name: &str| Some(known(&summary[*key][name])? / scale);
        let quantiles = [(0.5, at("p50")), (0.99, at("p99")), (1.0, at("max"))];
        let quantiles = quantiles
            .into_iter()
            .filter_map(|(share, value)| Some((share, value?)));
        let spread = Spread {
            mean: Some(at("mean")?),
            quantiles: quantiles.collect(),
            ..Spread::default()
        };
        Some((*metric, spread))
    });
    means.chain(own).collect()
}

/// A percentile of several metrics.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// In 0..=1.
    share: f64,
    values: Vec<(Metric, f64)>,
}

impl Row {
    fn put_into(&self, spreads: &mut BTreeMap<Metric, Spread>) {
        for (metric, value) in &self.values {
            let spread = spreads.entry(*metric).or_default();
            spread
                .quantiles
                .retain(|(share, _)| share.total_cmp(&self.share).is_ne());
            spread.quantiles.push((self.share, *value));
            spread
                .quantiles
                .sort_by(|one, other| one.0.total_cmp(&other.0));
            let [least, most] = spread.ends.get_or_insert([f64::NAN; 2]);
            if self.share <= 0.0 {
                *least = *value;
            } else if self.share >= 1.0 {
                *most = *value;
            }
        }
    }
}

/// The rows of a value that stands in [`PERCENTILES`]; `None` where it is something else.
pub(crate) fn percentiles(value: &Value) -> Option<Vec<Row>> {
    value.as_array()?.iter().map(row).collect()
}

fn row(value: &Value) -> Option<Row> {
    let share = share(value["Percentiles"].as_str()?)?;
    let values = super::percentiles::COLUMNS
        .iter()
        .filter_map(|(key, metric, scale)| Some((*metric, known(&value[*key])? / scale)));
    Some(Row {
        share,
        values: values.collect(),
    })
}

/// The same of columns, as a search of evalscope writes them.
fn percentile_columns(value: &Value) -> Vec<Row> {
    let labels = value["Percentiles"].as_array().into_iter().flatten();
    let rows = labels.enumerate().filter_map(|(place, label)| {
        let values = super::percentiles::COLUMNS
            .iter()
            .filter_map(|(key, metric, scale)| {
                Some((*metric, known(&value[*key][place])? / scale))
            });
        Some(Row {
            share: share(label.as_str()?)?,
            values: values.collect(),
        })
    });
    rows.collect()
}

/// `min`, `99%` and `max` as shares.
fn share(label: &str) -> Option<f64> {
    match label {
        "min" => Some(0.0),
        "max" => Some(1.0),
        other => {
            let percent: f64 = other.strip_suffix('%')?.parse().ok()?;
            (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
        }
    }
}

/// A number that is known.
fn known(value: &Value) -> Option<f64> {
    number(value).filter(|value| value.is_finite() && *value > super::NOT_APPLICABLE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn summary() -> Value {
        json!({
            "Test Duration (s)": 4.0, "Concurrency": 2, "Request Rate (req/s)": -1.0, "Total Requests": 5,
            "Success Requests": 4, "Failed Requests": 1, "Req Throughput (req/s)": 1.0, "Avg Latency (s)": 0.5,
            "Output Throughput (tok/s)": 20.0, "Avg TTFT (ms)": 70.0, "Avg TPOT (ms)": -1, "Avg Input Tokens": 8.0,
        })
    }

    #[test]
    fn figures_are_in_base_units_and_minus_one_is_unknown() {
        let rows = json!([
            {"Percentiles": "min", "TTFT (ms)": 50.0, "Decode (tok/s)": 10.0},
            {"Percentiles": "99%", "TTFT (ms)": 90.0, "TPOT (ms)": -1.0},
            {"Percentiles": "max", "TTFT (ms)": 95.0},
        ]);
        let rows = percentiles(&rows).unwrap();
        let run = load(
            &summary(),
            &rows,
            &json!({"model": "m", "url": "http://h", "seed": 3}),
        );
        assert_eq!(
            run.applied,
            Applied {
                concurrency: Some(2.0),
                rate: None
            }
        );
        assert_eq!((run.figures.requests, run.figures.failed), (5, 1));
        assert_eq!(run.figures.totals.get(&Metric::SuccessRate), Some(&0.8));
        let ttft = &run.figures.spreads[&Metric::Ttft];
        assert_eq!(ttft.mean, Some(0.07));
        assert_eq!(ttft.ends, Some([0.05, 0.095]));
        assert_eq!(ttft.quantiles, [(0.0, 0.05), (0.99, 0.09), (1.0, 0.095)]);
        assert!(!run.figures.spreads.contains_key(&Metric::Tpot));
        assert_eq!(
            run.figures.spreads[&Metric::DecodeRate].quantiles,
            [(0.0, 10.0)]
        );
        assert_eq!(run.figures.failures["unknown"], 1);
        assert_eq!(run.origin.tool, "evalscope perf");
        assert_eq!(
            (run.origin.model.as_deref(), run.origin.seed),
            (Some("m"), Some(3))
        );
        assert_eq!(run.client, Client::Unknown);
    }

    #[test]
    fn columns_of_percentiles_say_the_same_as_rows() {
        let rows = json!([{"Percentiles": "50%", "TTFT (ms)": 5.0}, {"Percentiles": "max", "TTFT (ms)": 7.0}]);
        let columns = json!({"Percentiles": ["50%", "max"], "TTFT (ms)": [5.0, 7.0]});
        assert_eq!(percentile_columns(&columns), percentiles(&rows).unwrap());
        assert_eq!(percentiles(&json!([{"TTFT (ms)": 1}])), None);
        assert!(percentile_columns(&Value::Null).is_empty());
    }

    #[test]
    fn a_search_of_evalscope_is_what_its_loads_came_to() {
        let entry = json!({"metrics": summary(), "percentiles": {"Percentiles": ["99%"], "TTFT (ms)": [90.0]}});
        let value = json!({"rate_16": entry, "rate_2.5": entry});
        assert!(is_search(&value) && !is_search(&json!({})) && !is_search(&json!({"rate_1": {}})));
        let (search, loads) = search(&value);
        assert_eq!(search.unit, "requests a second");
        let tried: Vec<f64> = search.tried.iter().map(|tried| tried.load).collect();
        assert_eq!((tried, loads.len()), (vec![2.5, 16.0], 2));
        let p99 = ("p99_ttft".to_owned(), Some(0.09));
        assert!(search.tried[0].figures.contains(&p99), "{search:?}");
    }

    #[test]
    fn a_virtual_service_had_no_client() {
        let run = load(
            &summary(),
            &[],
            &json!({"url": "sim:x", "crestline_version": "1.2"}),
        );
        assert_eq!(run.client, Client::Virtual);
        assert_eq!(run.origin.tool, "crestline 1.2");
        assert!(is_summary(&summary()) && !is_summary(&json!({"Total Requests": 1})));
    }
}
