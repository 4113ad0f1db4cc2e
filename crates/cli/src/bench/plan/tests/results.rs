//! What the flags of metrics and files change.

use super::*;

#[test]
fn metrics_and_percentiles_are_lists() {
    reports("--percentile-metrics e2el,ttft", &expect!["E2el,"]);
    reports(
        "--metric-percentiles 50,99.9",
        &expect![[r#"
        value: 50.0,
        text: "50",
        value: 99.9,
        text: "99.9","#]],
    );
    reports(
        "--goodput ttft:500 e2el:2000.5",
        &expect![[r"
        goodput: Some(
        Limits {
        ttft_ms: Some(
        500.0,
        ),
        tpot_ms: None,
        latency_ms: Some(
        2000.5,
        ),"]],
    );
    reports("--compat vllm", &expect!["compat: Vllm,"]);
}

#[test]
fn results_are_written_where_they_are_asked_for() {
    let file = |flags: &str| {
        let report = translated(&words(flags)).unwrap().report;
        report
            .file("20261122-101500")
            .map(|file| file.to_string_lossy().into_owned())
    };
    assert_eq!(file("--result-dir out"), None);
    for (flags, expected) in [
        (
            "--save-result",
            "openai-infqps-some-model-20261122-101500.json",
        ),
        (
            "--append-result --request-rate 5 --max-concurrency 3 --label a --result-dir out",
            "out/a-5.0qps-concurrency3-some-model-20261122-101500.json",
        ),
        (
            "--save-result --result-filename x.json --result-dir out",
            "out/x.json",
        ),
    ] {
        assert_eq!(file(flags).as_deref(), Some(expected), "{flags}");
    }
}
