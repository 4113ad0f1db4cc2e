//! The help text, and the flag table in `docs/dialects/perf.md`, are those of the flags.

use std::path::Path;

use clap::{Arg, CommandFactory};
use expect_test::expect_file;

use crate::command::Cli;

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
    const BEGIN: &str = "<!-- flags: begin -->\n";
    const END: &str = "<!-- flags: end -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dialects/perf.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page
        .split_once(BEGIN)
        .expect("a mark where the table begins");
    let (_, after) = rest.split_once(END).expect("a mark where the table ends");
    let current = format!("{before}{BEGIN}{}{END}{after}", table(&perf()));
    expect_file![path].assert_eq(&current);
}

/// One table for each heading of the help text.
fn table(command: &clap::Command) -> String {
    let mut out = String::new();
    let mut heading = None;
    for arg in command
        .get_arguments()
        .filter(|arg| arg.get_help_heading().is_some())
    {
        if heading != arg.get_help_heading() {
            heading = arg.get_help_heading();
            out.push_str("\n### ");
            out.push_str(heading.unwrap_or_default());
            out.push_str("\n\n| flag | default | meaning |\n| --- | --- | --- |\n");
        }
        out += &row(arg);
    }
    out + "\n"
}

fn row(arg: &Arg) -> String {
    let mut flag = format!("--{}", arg.get_long().unwrap_or_default());
    if let Some(short) = arg.get_short() {
        flag = format!("-{short}, {flag}");
    }
    if arg.get_action().takes_values() {
        let names: Vec<&str> = arg
            .get_value_names()
            .unwrap_or_default()
            .iter()
            .map(clap::builder::Str::as_str)
            .collect();
        let several = arg
            .get_num_args()
            .is_some_and(|count| count.max_values() > 1);
        flag = format!(
            "{flag} {}{}",
            names.join(" "),
            if several { " …" } else { "" }
        );
    }
    let default: Vec<String> = arg
        .get_default_values()
        .iter()
        .filter(|_| arg.get_action().takes_values())
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    let help = arg
        .get_long_help()
        .or(arg.get_help())
        .map(ToString::to_string)
        .unwrap_or_default();
    let choices: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|_| arg.get_action().takes_values())
        .map(|choice| format!("`{}`", choice.get_name()))
        .collect();
    let choices = if choices.is_empty() {
        String::new()
    } else {
        format!(" One of {}.", choices.join(", "))
    };
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let stop = if help.ends_with('.') || help.ends_with(']') {
        ""
    } else {
        "."
    };
    format!(
        "| `{}` | {} | {}{stop}{choices} |\n",
        cell(&flag),
        default.join(" "),
        cell(&help)
    )
}
