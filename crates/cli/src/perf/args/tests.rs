//! The help text, and the flag table in `docs/dialects/perf.md`, are those of the flags.

use clap::{Arg, CommandFactory};
use expect_test::expect_file;

use crate::command::Cli;
use crate::flag_tables;

fn perf() -> clap::Command {
    let mut root = Cli::command().term_width(100);
    root.build();
    root.find_subcommand("perf")
        .expect("perf is a sub-command")
        .clone()
}

#[test]
fn the_help_text_is_as_reviewed() {
    expect_file!["perf_help.txt"].assert_eq(&perf().render_long_help().to_string());
}

/// The flags of `evalscope perf`, release 1.14.1.
const EVALSCOPE: &str = "\
    model attn-implementation api tokenizer-path url port headers api-key connect-timeout read-timeout \
    total-timeout no-test-connection scenario number parallel rate warmup-num enable-pd-metrics open-loop \
    sleep-interval duration sla-auto-tune sla-variable sla-params sla-num-runs sla-upper-bound \
    sla-lower-bound sla-fixed-parallel sla-number-multiplier db-commit-interval queue-size-multiplier \
    in-flight-task-multiplier num-workers log-every-n-query debug visualizer wandb-api-key swanlab-api-key \
    swanlab-host name alias enable-progress-tracker max-prompt-length min-prompt-length prefix-length \
    prefix-count prompt query-template apply-chat-template no-apply-chat-template image-width image-height \
    image-format image-num image-patch-size outputs-dir no-timestamp dataset dataset-path data-source \
    dataset-offset dataset-args frequency-penalty repetition-penalty logprobs max-tokens min-tokens \
    n-choices seed stop stop-token-ids stream no-stream temperature top-p top-k extra-args tokenize-prompt \
    multi-turn min-turns max-turns multi-turn-args";

#[test]
fn every_flag_of_evalscope_is_known() {
    let perf = perf();
    let known: Vec<&str> = perf.get_arguments().filter_map(Arg::get_long).collect();
    for flag in EVALSCOPE.split_whitespace() {
        assert!(known.contains(&flag), "--{flag}");
    }
}

#[test]
fn the_table_of_the_dialect_page_is_current() {
    flag_tables::check("perf.md", &perf());
}
