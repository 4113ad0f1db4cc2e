//! What each flag changes in the plan, and how each wrong use is told.

use expect_test::{Expect, expect};

use super::*;
use crate::command::{Parsed, Sub, parse};
use crate::plan_lines::{differences, words};

const BASE: [&str; 6] = [
    "--model",
    "org/some-model",
    "--dataset",
    "random",
    "--tokenizer-path",
    "builtin",
];

fn surroundings() -> Surroundings {
    Surroundings {
        api_key: None,
        timestamp: "20261122_101500".to_owned(),
    }
}

fn read(flags: &[&str]) -> Result<PerfArgs, Problem> {
    let args = ["crestline", "perf"].iter().chain(flags);
    match parse(args.map(Into::into).collect())? {
        Parsed::Command(Sub::Perf(args)) => Ok(PerfArgs {
            command: None,
            ..*args
        }),
        other => panic!("not a perf command: {other:?}"),
    }
}

fn translated(flags: &[&str]) -> Result<Translation, Problem> {
    let all: Vec<&str> = BASE.iter().chain(flags).copied().collect();
    translate(&read(&all)?, &surroundings())
}

/// Checks which lines of the plan the flags change, and which notes they give.
fn changes(flags: &str, expected: &Expect) {
    let base = translated(&[]).unwrap().plan;
    let text = match translated(&words(flags)) {
        Err(problem) => problem.to_string(),
        Ok(translation) => {
            let mut lines = differences(&base, &translation.plan);
            lines.extend(translation.notes.iter().map(|note| format!("note: {note}")));
            lines.join("\n")
        }
    };
    expected.assert_eq(&text);
}

/// Checks the problem that the flags, with nothing before them, are answered with.
fn refuses(flags: &str, expected: &Expect) {
    let problem = read(&words(flags))
        .and_then(|args| translate(&args, &surroundings()))
        .expect_err("these flags are wrong");
    assert_eq!(problem.exit(), crate::exit::Exit::Usage);
    expected.assert_eq(&problem.to_string());
}

/// The same after a usable set of flags.
fn refuses_more(flags: &str, expected: &Expect) {
    refuses(&format!("{} {flags}", BASE.join(" ")), expected);
}

mod loads;
mod machines;
mod prompts;
mod sla;
mod wrong_flags;
mod wrong_sla;
mod wrong_values;

mod any_arguments {
    //! Whatever is typed is either understood or refused in words.

    use proptest::prelude::*;

    use super::*;

    const FLAGS: [&str; 33] = [
        "--model",
        "--url",
        "--api",
        "--headers",
        "--number",
        "--parallel",
        "--rate",
        "--open-loop",
        "--warmup-num",
        "--duration",
        "--sleep-interval",
        "--dataset",
        "--dataset-args",
        "--max-prompt-length",
        "--prompt",
        "--query-template",
        "--tokenize-prompt",
        "--tokenizer-path",
        "--max-tokens",
        "--stop-token-ids",
        "--extra-args",
        "--seed",
        "--name",
        "--total-timeout",
        "--sla-auto-tune",
        "--sla-params",
        "--sla-variable",
        "--sla-search",
        "--sla-budget",
        "--sla-confidence",
        "--sla-upper-bound",
        "--goodput",
        "--resume",
    ];
    const VALUES: [&str; 30] = [
        "",
        "0",
        "-1",
        "1",
        "0.5",
        "1e400",
        "nan",
        "inf",
        "-0",
        "99999999999999999999",
        "{}",
        "[]",
        "{\"a\":1}",
        "null",
        "random",
        "openqa",
        "sim:cpu",
        "http://h",
        "http://[::1]:8/v1",
        "?",
        "=",
        "é",
        "..",
        "m",
        "rate",
        "bisect",
        "90%",
        "10m,5Mtok",
        "ttft:1s",
        "{\"p99_ttft\": \"<=1s\"}",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn are_understood_or_refused_without_a_panic(
            typed in proptest::collection::vec(
                (proptest::sample::select(&FLAGS[..]), proptest::collection::vec(proptest::sample::select(&VALUES[..]), 0..3)),
                0..8,
            )
        ) {
            let words: Vec<&str> = typed.iter().flat_map(|(flag, values)| std::iter::once(*flag).chain(values.iter().copied())).collect();
            match read(&words).and_then(|args| Ok((translate(&args, &surroundings())?, args))) {
                Ok((translation, args)) => {
                    prop_assert!(translation.plan.points.is_empty() == translation.plan.search.is_some());
                    let folder = &translation.plan.output.folder;
                    let chosen = args.sla.resume.as_ref().is_some_and(|folder| !folder.is_empty());
                    prop_assert!(chosen || folder.starts_with("outputs") && !folder.iter().any(|part| part == ".."));
                }
                Err(problem) => prop_assert!(problem.to_string().starts_with("error: ")),
            }
        }
    }
}
