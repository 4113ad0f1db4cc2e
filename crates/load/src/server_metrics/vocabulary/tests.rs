//! What small pages of each kind of server say.

use crestline_core::server_series::Point;
use crestline_core::units::Nanos;

use super::super::page::readings;
use super::*;

/// The series of a run in which this page was read once.
fn read(page: &str) -> ServerSeries {
    let series = readings(page).into_iter().map(|reading| Series {
        name: reading.name,
        labels: reading.labels,
        kind: reading.kind,
        changes: vec![Point {
            at: Nanos(1),
            value: Some(reading.value),
        }],
    });
    ServerSeries {
        read_at: vec![Nanos(1)],
        missed: vec![],
        series: series.collect(),
    }
}

fn check(page: &str, server: &str, expected: &[(Quantity, f64)]) {
    let all = read(page);
    let told = told(&all);
    assert_eq!(told.server, Some(server));
    let found: Vec<(Quantity, f64)> = told
        .courses
        .iter()
        .map(|course| (course.quantity, course.points[0].value.unwrap()))
        .collect();
    assert_eq!(found, expected);
}

const VLLM: &str = include_str!("../../../../../fixtures/metrics/vllm.txt");
const LLAMA: &str = include_str!("../../../../../fixtures/metrics/llama-cpp.txt");

#[test]
fn engines_of_vllm_are_summed_and_shares_averaged_and_the_new_spelling_wins() {
    check(
        VLLM,
        "vLLM",
        &[
            (Running, 5.0),
            (Waiting, 7.0),
            (CacheUse, 0.5),
            (PromptTokens, 150.0),
            (GeneratedTokens, 1500.0),
            (Preemptions, 4.0),
            (PrefixQueries, 80.0),
            (PrefixHits, 20.0),
        ],
    );
    let all = read(VLLM);
    let others: Vec<&str> = told(&all).others.iter().map(|one| &*one.name).collect();
    assert_eq!(
        others,
        [
            "vllm:gpu_cache_usage_perc",
            "vllm:gpu_cache_usage_perc",
            "vllm:iteration_tokens_total_sum",
            "process_resident_memory_bytes"
        ]
    );
}

#[test]
fn older_spellings_are_understood_and_so_are_those_without_total_or_colon() {
    let old = "vllm:gpu_cache_usage_perc 0.5\nvllm:gpu_prefix_cache_queries 8\nvllm:gpu_prefix_cache_hits 2\nvllm_prompt_tokens 3\nvllm:avg_generation_throughput_toks_per_s 7\n";
    check(
        old,
        "vLLM",
        &[
            (CacheUse, 0.5),
            (PromptTokens, 3.0),
            (PrefixQueries, 8.0),
            (PrefixHits, 2.0),
            (GeneratedTokensPerS, 7.0),
        ],
    );
}

#[test]
fn the_simulated_server_is_known_by_its_own_names() {
    let page = format!("{VLLM}crestline_sim:iterations_total 9\n");
    assert_eq!(told(&read(&page)).server, Some("crestline sim"));
}

#[test]
fn parts_of_one_engine_of_sglang_count_once() {
    check(
        include_str!("../../../../../fixtures/metrics/sglang.txt"),
        "SGLang",
        &[
            (Running, 10.0),
            (Waiting, 1.0),
            (CacheUse, 0.375),
            (PromptTokens, 1200.0),
            (GeneratedTokens, 800.0),
            (GeneratedTokensPerS, 300.0),
            (PrefixHitShare, 0.125),
        ],
    );
}

#[test]
fn text_generation_inference_counts_tokens_in_histograms() {
    check(
        include_str!("../../../../../fixtures/metrics/tgi.txt"),
        "Text Generation Inference",
        &[
            (Running, 8.0),
            (Waiting, 3.0),
            (PromptTokens, 640.0),
            (GeneratedTokens, 320.0),
        ],
    );
}

#[test]
fn llama_cpp_has_totals_and_rates() {
    check(
        LLAMA,
        "llama.cpp",
        &[
            (Running, 2.0),
            (Waiting, 5.0),
            (CacheUse, 0.5),
            (PromptTokens, 250.0),
            (GeneratedTokens, 90.0),
            (PromptTokensPerS, 510.5),
            (GeneratedTokensPerS, 33.25),
        ],
    );
}

#[test]
fn what_nobody_knows_keeps_its_name() {
    let all = read("http_requests_total{code=\"200\"} 5\n");
    let told = told(&all);
    assert_eq!((told.server, told.courses.len()), (None, 0));
    assert_eq!(told.others, [&all.series[0]]);
}
