//! What runs come to, in a line each and in a table of all combinations.
//!
//! Every figure is read from results; means over the runs of a combination are the only thing that is computed.

use crestline_report::table::{Align, Style, Table};
use serde_json::Value;

/// The runs of one combination.
#[derive(Debug, Clone)]
pub(crate) struct CellRuns {
    /// Of the server's parameters.
    pub(crate) serve: String,
    /// Of the benchmark's.
    pub(crate) bench: String,
    /// At least one.
    pub(crate) runs: Vec<Value>,
}

/// A column of the table that is there where the results have its key.
struct Column {
    head: &'static str,
    key: &'static str,
    unit: &'static str,
}

const COLUMNS: [Column; 7] = [
    Column {
        head: "req/s",
        key: "request_throughput",
        unit: "req/s",
    },
    Column {
        head: "output tok/s",
        key: "output_throughput",
        unit: "output tok/s",
    },
    Column {
        head: "mean TTFT ms",
        key: "mean_ttft_ms",
        unit: "ms mean TTFT",
    },
    Column {
        head: "p99 TTFT ms",
        key: "p99_ttft_ms",
        unit: "ms p99 TTFT",
    },
    Column {
        head: "mean TPOT ms",
        key: "mean_tpot_ms",
        unit: "ms mean TPOT",
    },
    Column {
        head: "p99 TPOT ms",
        key: "p99_tpot_ms",
        unit: "ms p99 TPOT",
    },
    Column {
        head: "p99 E2EL ms",
        key: "p99_e2el_ms",
        unit: "ms p99 E2EL",
    },
];

/// A run in one line.
pub(crate) fn line(run: &Value) -> String {
    let count = |key: &str| run[key].as_u64().unwrap_or_default();
    let (completed, failed) = (count("completed"), count("failed"));
    let mut parts = vec![format!(
        "{completed} of {} requests succeeded",
        completed + failed
    )];
    for column in &COLUMNS {
        if let Some(value) = figure(run, column.key) {
            parts.push(format!("{value:.2} {}", column.unit));
        }
    }
    let mut line = parts.join(", ");
    if let Some(why) = void(run) {
        line += "; VOID, the client was the bottleneck: ";
        line += &why;
    }
    line
}

/// All combinations, means over their runs.
pub(crate) fn table(cells: &[CellRuns]) -> String {
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| {
            cells
                .iter()
                .any(|cell| mean(&cell.runs, column.key).is_some())
        })
        .collect();
    let mut table = Table::new(Style::Compact)
        .column("Server", Align::Left)
        .column("Benchmark", Align::Left)
        .column("Runs", Align::Right)
        .column("Failed", Align::Right);
    for column in &columns {
        table = table.column(column.head, Align::Decimal);
    }
    for cell in cells {
        let failed = cell
            .runs
            .iter()
            .filter_map(|run| run["failed"].as_u64())
            .sum::<u64>();
        let voids = cell.runs.iter().filter(|run| void(run).is_some()).count();
        let runs = match voids {
            0 => cell.runs.len().to_string(),
            voids => format!("{} ({voids} void)", cell.runs.len()),
        };
        let own = [
            cell.serve.clone(),
            cell.bench.clone(),
            runs,
            failed.to_string(),
        ];
        let figures = columns.iter().map(|column| {
            mean(&cell.runs, column.key).map_or_else(String::new, |value| format!("{value:.2}"))
        });
        table.row(own.into_iter().chain(figures));
    }
    let table = table.render();
    format!(
        "Means over the runs of each combination:\n{}",
        table.trim_end()
    )
}

/// A metric that nothing was measured of is 0 in results.
fn figure(run: &Value, key: &str) -> Option<f64> {
    run[key].as_f64().filter(|value| *value != 0.0)
}

fn mean(runs: &[Value], key: &str) -> Option<f64> {
    let values: Vec<f64> = runs.iter().filter_map(|run| figure(run, key)).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Why a run says nothing of the service.
fn void(run: &Value) -> Option<String> {
    let client = &run["crestline_client"];
    if client["void"] != Value::Bool(true) {
        return None;
    }
    let reasons = client["reasons"].as_array().into_iter().flatten();
    Some(
        reasons
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join("; "),
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    /// The reason makes it void.
    fn run(rate: f64, why: Option<&str>) -> Value {
        json!({
            "completed": 9, "failed": 1, "request_throughput": rate, "p99_ttft_ms": 12.5, "mean_tpot_ms": 0.0,
            "crestline_client": {"void": why.is_some(), "reasons": why.into_iter().collect::<Vec<_>>()}
        })
    }

    #[test]
    fn a_line_says_what_was_measured_and_whether_it_counts() {
        expect!["9 of 10 requests succeeded, 2.00 req/s, 12.50 ms p99 TTFT"]
            .assert_eq(&line(&run(2.0, None)));
        expect!["9 of 10 requests succeeded, 2.00 req/s, 12.50 ms p99 TTFT; VOID, the client was the bottleneck: it lagged"]
            .assert_eq(&line(&run(2.0, Some("it lagged"))));
    }

    #[test]
    fn the_table_has_means_and_only_columns_that_were_measured() {
        let cell = |serve: &str, runs| CellRuns {
            serve: serve.to_owned(),
            bench: "b=1".to_owned(),
            runs,
        };
        let cells = [
            cell("a=1", vec![run(2.0, None), run(4.0, Some("it lagged"))]),
            cell("a=16", vec![run(10.5, None)]),
        ];
        expect![[r"
            Means over the runs of each combination:
            +--------+-----------+------------+--------+-------+-------------+
            | Server | Benchmark |       Runs | Failed | req/s | p99 TTFT ms |
            +--------+-----------+------------+--------+-------+-------------+
            | a=1    | b=1       | 2 (1 void) |      2 |  3.00 |       12.50 |
            | a=16   | b=1       |          1 |      1 | 10.50 |       12.50 |
            +--------+-----------+------------+--------+-------+-------------+"]]
        .assert_eq(&table(&cells));
    }
}
