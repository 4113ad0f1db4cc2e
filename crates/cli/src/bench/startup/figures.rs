//! What starts come to: the table that is shown, and the document with the names that `vllm bench startup` uses.
//!
//! Times are in seconds from the start of the server's process. Starts nothing.

use crestline_report::table::{Align, Style, Table};
use serde_json::{Map, Value, json};

/// As vLLM has them.
const PERCENTILES: [u32; 6] = [10, 25, 50, 75, 90, 99];

/// One start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Start {
    /// Until its health page answered.
    pub(super) healthy: f64,
    /// Until the first token was there.
    pub(super) first_token: f64,
}

/// All starts that count.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Starts {
    /// With an empty cache.
    pub(super) cold: Vec<Start>,
    /// With a full one.
    pub(super) warm: Vec<Start>,
}

/// One kind of starts and one time of it: what it is called, and its values.
struct Series {
    kind: &'static str,
    /// `startup` is vLLM's name; the other one is crestline's own.
    key: &'static str,
    title: &'static str,
    times: Vec<f64>,
}

impl Starts {
    fn series(&self) -> Vec<Series> {
        let kinds = [("cold", &self.cold), ("warm", &self.warm)];
        let kinds = kinds.into_iter().filter(|(_, starts)| !starts.is_empty());
        let both = kinds.flat_map(|(kind, starts)| {
            let series = |key, title, time: fn(&Start) -> f64| Series {
                kind,
                key,
                title,
                times: starts.iter().map(time).collect(),
            };
            [
                series("startup", "healthy", |start| start.healthy),
                series("first_token", "first token", |start| start.first_token),
            ]
        });
        both.collect()
    }

    /// Means, times and percentiles of each kind; what did not happen is not there.
    pub(super) fn document(&self) -> Value {
        let mut fields = Map::new();
        let all = self.series();
        for Series {
            kind, key, times, ..
        } in &all
        {
            fields.insert(format!("avg_{kind}_{key}_time"), json!(mean(times)));
            fields.insert(format!("{kind}_{key}_times"), json!(times));
        }
        for Series {
            kind, key, times, ..
        } in &all
        {
            let percentiles: Map<String, Value> = PERCENTILES
                .iter()
                .map(|percent| (percent.to_string(), json!(percentile(times, *percent))))
                .collect();
            fields.insert(format!("{kind}_{key}_percentiles"), percentiles.into());
        }
        Value::Object(fields)
    }

    /// A row for each kind and time.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new(Style::Compact)
            .column("Start", Align::Left)
            .column("Until", Align::Left)
            .column("Starts", Align::Right);
        for head in ["mean s", "min s", "median s", "max s"] {
            table = table.column(head, Align::Decimal);
        }
        for series in self.series() {
            let times = &series.times;
            let figures = [
                mean(times),
                percentile(times, 0),
                percentile(times, 50),
                percentile(times, 100),
            ];
            let own = [
                series.kind.to_owned(),
                series.title.to_owned(),
                times.len().to_string(),
            ];
            let figures = figures.map(|figure| format!("{figure:.2}"));
            table.row(own.into_iter().chain(figures));
        }
        table.render()
    }
}

fn mean(times: &[f64]) -> f64 {
    times.iter().sum::<f64>() / times.len() as f64
}

/// Between the two nearest values in proportion, as `NumPy` has it. `times` has a value at least.
fn percentile(times: &[f64], percent: u32) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = f64::from(percent) / 100.0 * (sorted.len() - 1) as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * place.fract()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn starts(times: &[(f64, f64)]) -> Vec<Start> {
        let start = |&(healthy, first_token): &(f64, f64)| Start {
            healthy,
            first_token,
        };
        times.iter().map(start).collect()
    }

    #[test]
    fn the_document_has_vllm_s_names_and_those_of_the_first_token() {
        let document = Starts {
            cold: starts(&[(4.0, 4.5), (2.0, 2.5)]),
            warm: Vec::new(),
        }
        .document();
        assert_eq!(
            document,
            json!({
                "avg_cold_startup_time": 3.0,
                "cold_startup_times": [4.0, 2.0],
                "avg_cold_first_token_time": 3.5,
                "cold_first_token_times": [4.5, 2.5],
                "cold_startup_percentiles": {"10": 2.2, "25": 2.5, "50": 3.0, "75": 3.5, "90": 3.8, "99": 3.98},
                "cold_first_token_percentiles": {"10": 2.7, "25": 3.0, "50": 3.5, "75": 4.0, "90": 4.3, "99": 4.48},
            })
        );
    }

    #[test]
    fn the_table_has_a_row_for_each_kind_and_time() {
        let table = Starts {
            cold: starts(&[(4.0, 4.5), (2.0, 2.5)]),
            warm: starts(&[(1.0, 1.25)]),
        }
        .table();
        expect![[r"
            +-------+-------------+--------+--------+-------+----------+-------+
            | Start | Until       | Starts | mean s | min s | median s | max s |
            +-------+-------------+--------+--------+-------+----------+-------+
            | cold  | healthy     |      2 |   3.00 |  2.00 |     3.00 |  4.00 |
            | cold  | first token |      2 |   3.50 |  2.50 |     3.50 |  4.50 |
            | warm  | healthy     |      1 |   1.00 |  1.00 |     1.00 |  1.00 |
            | warm  | first token |      1 |   1.25 |  1.25 |     1.25 |  1.25 |
            +-------+-------------+--------+--------+-------+----------+-------+
        "]]
        .assert_eq(&table);
    }
}
