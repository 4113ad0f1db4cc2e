//! The help text, and the flag table in `docs/dialects/bench.md`, are those of the flags; each flag has a test.

use std::fs;
use std::path::Path;

use clap::{Arg, CommandFactory};
use expect_test::expect_file;

use crate::command::Cli;
use crate::flag_tables;

fn serve() -> clap::Command {
    let mut root = Cli::command().term_width(100);
    root.build();
    let bench = root.find_subcommand("bench").expect("a sub-command");
    bench.find_subcommand("serve").expect("its own one").clone()
}

#[test]
fn the_help_text_is_as_reviewed() {
    expect_file!["serve_help.txt"].assert_eq(&serve().render_long_help().to_string());
}

#[test]
fn the_table_of_the_dialect_page_is_current() {
    flag_tables::check("bench.md", &serve());
}

/// The flags of `vllm bench serve`, release 0.32, and those of `sonnet`, which older ones have.
const VLLM: &str = "\
    backend base-url host port endpoint header insecure model served-model-name tokenizer tokenizer-mode \
    trust-remote-code skip-tokenizer-init request-id-prefix label num-prompts request-rate burstiness \
    max-concurrency ramp-up-strategy ramp-up-start-rps ramp-up-end-rps num-warmups ready-check-timeout-sec \
    probe-request-rate self-timed no-self-timed profile lora-modules lora-assignment disable-tqdm seed input-len \
    output-len ignore-eos logprobs use-beam-search extra-body chat-template-kwargs top-p min-p temperature \
    frequency-penalty presence-penalty repetition-penalty top-k percentile-metrics metric-percentiles goodput \
    save-result save-detailed append-result metadata result-dir result-filename plot-timeline \
    timeline-itl-thresholds plot-dataset-stats dataset-name dataset-path no-stream no-oversample skip-chat-template \
    enable-multimodal-chat disable-shuffle random-input-len random-output-len random-range-ratio random-prefix-len \
    random-batch-size no-reranker random-mm-base-items-per-request random-mm-num-mm-items-range-ratio \
    random-mm-limit-mm-per-prompt random-mm-bucket-config sharegpt-output-len custom-output-len \
    custom-ensure-client-side-data spec-bench-output-len spec-bench-category speed-bench-dataset-subset \
    speed-bench-output-len speed-bench-category prefix-repetition-prefix-len prefix-repetition-suffix-len \
    prefix-repetition-num-prefixes prefix-repetition-output-len hf-subset hf-split hf-name hf-output-len \
    bfcl-categories blazedit-min-distance blazedit-max-distance asr-min-audio-len-sec asr-max-audio-len-sec \
    timed-trace-chunk-hash-size timed-trace-sec-multiplier timed-trace-label-timestamp \
    timed-trace-label-input-length timed-trace-label-output-length timed-trace-label-hash-ids sonnet-input-len \
    sonnet-output-len sonnet-prefix-len";

#[test]
fn every_flag_of_vllm_is_known() {
    let serve = serve();
    let known: Vec<&str> = serve.get_arguments().filter_map(Arg::get_long).collect();
    for flag in VLLM.split_whitespace() {
        assert!(known.contains(&flag), "--{flag}");
    }
}

/// The text of all tests of the command.
fn tests() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    for (folder, begin) in [("src/bench/plan/tests", ""), ("tests/it", "bench_")] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_file()
                && name.starts_with(begin)
                && path.extension().is_some_and(|end| end == "rs")
            {
                text += &fs::read_to_string(path).unwrap().replace('_', "-");
            }
        }
    }
    text
}

#[test]
fn every_flag_is_in_a_test() {
    let tests = tests();
    let is_tried = |flag: &str| {
        let flag = format!("--{flag}");
        tests.match_indices(&flag).any(|(at, _)| {
            !tests[at + flag.len()..]
                .starts_with(|next: char| next == '-' || next.is_ascii_alphanumeric())
        })
    };
    let serve = serve();
    let missing: Vec<&str> = serve
        .get_arguments()
        .filter_map(Arg::get_long)
        .filter(|flag| *flag != "help" && !is_tried(flag))
        .collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
}
