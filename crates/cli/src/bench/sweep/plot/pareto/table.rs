//! The points as CSV: what was drawn, and what each number was taken from.
//!
//! Computes nothing.

use super::Point;

/// One row a run, those of the frontier marked.
pub(super) fn text(points: &[Point<'_>], labels: &[&str]) -> String {
    let mut out = csv::WriterBuilder::new().from_writer(Vec::new());
    let own = [
        "run_number",
        "output_throughput",
        "user_count_estimate",
        "user_count_source",
        "gpu_count",
        "gpu_count_source",
        "tokens_per_user",
        "tokens_per_gpu",
        "is_on_frontier",
        "is_void",
    ];
    let more: Vec<&str> = labels
        .iter()
        .copied()
        .filter(|key| !own.contains(&key.replace('-', "_").as_str()))
        .collect();
    let header = ["file"].into_iter().chain(more.iter().copied()).chain(own);
    out.write_record(header).expect("memory can be written");
    for point in points {
        let file = point.record.file.display().to_string();
        let more = more.iter().map(|key| point.text(key).unwrap_or_default());
        let row = std::iter::once(file).chain(more).chain(own_cells(point));
        out.write_record(row).expect("memory can be written");
    }
    let bytes = out.into_inner().expect("memory can be written");
    String::from_utf8(bytes).expect("texts are UTF-8")
}

fn own_cells(point: &Point<'_>) -> [String; 10] {
    let users = point.users.as_ref();
    let known = |key: &str| point.record.text(key).unwrap_or_default();
    [
        known("run_number"),
        known("output_throughput"),
        users.map_or_else(String::new, |users| users.value.to_string()),
        users.map_or_else(String::new, |users| users.source.clone()),
        point.gpus.value.to_string(),
        point.gpus.source.clone(),
        point.per_user.to_string(),
        point.per_gpu.to_string(),
        point.is_on_frontier.to_string(),
        point.record.is_void().to_string(),
    ]
}
