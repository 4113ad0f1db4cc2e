//! A page as readings. The parts of histograms by their bounds are left out, and when a series was made: both are many and
//! say little over time; sums and counts are kept.

use std::collections::BTreeMap;

use crestline_core::server_series::{Reading, SeriesKind};

use crate::exposition::{Sample, samples, types};

/// All readings of a page, in its order.
pub(super) fn readings(page: &str) -> Vec<Reading> {
    let types = types(page);
    samples(page)
        .filter(|sample| !is_left_out(sample, &types))
        .map(|sample| Reading {
            kind: kind(&sample.name, &types),
            name: sample.name,
            labels: sample.labels,
            value: sample.value,
        })
        .collect()
}

fn is_left_out(sample: &Sample, types: &BTreeMap<&str, &str>) -> bool {
    let is_bucket = sample.name.ends_with("_bucket") && sample.label("le").is_some();
    let is_moment = sample.name.ends_with("_created") && !is_counter(&sample.name, types);
    is_bucket || is_moment
}

fn is_counter(name: &str, types: &BTreeMap<&str, &str>) -> bool {
    types.get(name) == Some(&"counter")
}

/// As the page says; sums and counts of histograms and summaries are totals. A counter's line may name it without its
/// `_total`.
fn kind(name: &str, types: &BTreeMap<&str, &str>) -> SeriesKind {
    let part_of = |suffix: &str| name.strip_suffix(suffix).and_then(|base| types.get(base));
    match types.get(name) {
        Some(&"counter") => return SeriesKind::Counter,
        Some(&"gauge") => return SeriesKind::Gauge,
        _ => {}
    }
    if part_of("_total") == Some(&"counter") {
        return SeriesKind::Counter;
    }
    let parts = ["_sum", "_count"].into_iter().filter_map(part_of);
    let mut of_parts = parts.filter(|kind| matches!(**kind, "histogram" | "summary"));
    match of_parts.next() {
        Some(_) => SeriesKind::Counter,
        None => SeriesKind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"# HELP up Whether it is there.
# TYPE up gauge
up 1
# TYPE hits counter
hits_total{engine="0"} 4
hits_created{engine="0"} 1.7e9
# TYPE made_created counter
made_created 3
# TYPE wait histogram
wait_bucket{le="1"} 2
wait_bucket{le="+Inf"} 3
wait_sum 2.5
wait_count 3
# TYPE size summary
size{quantile="0.5"} 7
size_count 9
fire_bucket 5
odd_count 6
"#;

    #[test]
    fn a_page_is_read_without_the_bounds_of_its_histograms() {
        let read: Vec<(String, SeriesKind, f64)> = readings(PAGE)
            .into_iter()
            .map(|reading| (reading.name, reading.kind, reading.value))
            .collect();
        let expected = [
            ("up", SeriesKind::Gauge, 1.0),
            ("hits_total", SeriesKind::Counter, 4.0),
            ("made_created", SeriesKind::Counter, 3.0),
            ("wait_sum", SeriesKind::Counter, 2.5),
            ("wait_count", SeriesKind::Counter, 3.0),
            ("size", SeriesKind::Unknown, 7.0),
            ("size_count", SeriesKind::Counter, 9.0),
            ("fire_bucket", SeriesKind::Unknown, 5.0),
            ("odd_count", SeriesKind::Unknown, 6.0),
        ]
        .map(|(name, kind, value)| (name.to_owned(), kind, value));
        assert_eq!(read, expected);
        let labels = [("engine".to_owned(), "0".to_owned())];
        assert_eq!(readings(PAGE)[1].labels, labels);
    }
}
