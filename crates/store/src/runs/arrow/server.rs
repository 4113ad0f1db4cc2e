//! What a server said of itself as one batch: a row for each change of a series.
//!
//! Says nothing of what the names mean.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use crestline_core::server_series::{Point, Series, ServerSeries};

/// Each change of each series: `series`, its `labels` as a JSON object, its `kind` (`counter`, `gauge`, `unknown`), `at` in
/// seconds from the run's epoch, and the `value` from then on, null where the series was gone.
pub fn server_changes(server: &ServerSeries) -> RecordBatch {
    let rows: Vec<(&Series, &Point)> = server
        .series
        .iter()
        .flat_map(|series| series.changes.iter().map(move |change| (series, change)))
        .collect();
    let texts = |of: &dyn Fn(&Series) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|(series, _)| of(series)),
        ))
    };
    let at = rows.iter().map(|(_, change)| Some(change.at.as_secs_f64()));
    let value = rows.iter().map(|(_, change)| change.value);
    RecordBatch::try_from_iter_with_nullable([
        ("series", texts(&|series| series.name.clone()), false),
        ("labels", texts(&labels), false),
        (
            "kind",
            texts(&|series| series.kind.name().to_owned()),
            false,
        ),
        ("at", Arc::new(at.collect::<Float64Array>()), false),
        ("value", Arc::new(value.collect::<Float64Array>()), true),
    ])
    .expect("the columns are of the same length")
}

fn labels(series: &Series) -> String {
    let labels = series.labels.iter();
    let pairs = labels.map(|(name, value)| (name.clone(), value.clone().into()));
    serde_json::Value::Object(pairs.collect()).to_string()
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::Float64Type;
    use crestline_core::server_series::SeriesKind;
    use crestline_core::units::Nanos;

    use super::*;

    #[test]
    fn each_change_of_a_series_is_a_row() {
        let change = |millis, value| Point {
            at: Nanos::from_millis(millis),
            value,
        };
        let series = |name: &str, labels: &[(&str, &str)], changes| Series {
            name: name.to_owned(),
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            kind: SeriesKind::Gauge,
            changes,
        };
        let server = ServerSeries {
            series: vec![
                series(
                    "running",
                    &[("model", "m\"")],
                    vec![change(500, Some(3.0)), change(1500, None)],
                ),
                series("waiting", &[], vec![change(0, Some(0.0))]),
            ],
            ..ServerSeries::default()
        };
        let batch = server_changes(&server);
        let text = |name: &str| {
            let column = batch.column_by_name(name).unwrap().as_string::<i32>();
            column
                .iter()
                .map(|it| it.unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let number = |name: &str| {
            let column = batch
                .column_by_name(name)
                .unwrap()
                .as_primitive::<Float64Type>();
            column.iter().collect::<Vec<_>>()
        };
        assert_eq!(text("series"), ["running", "running", "waiting"]);
        assert_eq!(
            text("labels"),
            [r#"{"model":"m\""}"#, r#"{"model":"m\""}"#, "{}"]
        );
        assert_eq!(text("kind"), ["gauge"; 3]);
        assert_eq!(number("at"), [Some(0.5), Some(1.5), Some(0.0)]);
        assert_eq!(number("value"), [Some(3.0), None, Some(0.0)]);
    }
}
