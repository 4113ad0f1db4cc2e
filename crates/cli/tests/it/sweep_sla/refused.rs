//! What cannot be searched is told before anything starts.

use std::fs;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::{Experiment, one_server, one_sla};

fn refused(slas: &Value, bench: &str, flags: &str, expected: &Expect) {
    let mut experiment = Experiment::in_virtual_time(&one_server(), slas);
    experiment.bench.push_str(bench);
    let varied = json!([{"max-concurrency": 5}]).to_string();
    fs::write(experiment.place.path("bench.json"), varied).unwrap();
    let ran = experiment.run(flags);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(!experiment.place.path("results").exists());
    expected.assert_eq(&ran.err);
}

#[test]
fn criteria_that_cannot_be_searched_are_refused_before_anything_starts() {
    refused(
        &json!([{"p99_tftt_ms": "<=100"}]),
        "",
        "",
        &expect![[r"
        error: --sla-params sla.json: no result has the key p99_tftt_ms
          hint: did you mean p99_ttft_ms?
    "]],
    );
    refused(
        &json!([{"p99_ttft_ms": ">=100"}]),
        "",
        "",
        &expect![[r"
        error: --sla-params sla.json: p99_ttft_ms>=100.00 gives no highest load
          hint: limit p99_ttft_ms with <=, or choose --sla-search pchip
    "]],
    );
    refused(
        &one_sla(),
        "",
        "--sla-variable max_concurrency --bench-params bench.json",
        &expect![[r"
            error: --bench-params sets max_concurrency, which --sla-variable searches for
              cause: the combination is max-concurrency=5
              hint: leave max_concurrency out of the file, or choose the other --sla-variable
        "]],
    );
}

#[test]
fn loads_that_cannot_be_searched_are_refused_before_anything_starts() {
    refused(
        &one_sla(),
        " --burstiness 0.5",
        "",
        &expect![[r"
        error: --burstiness in --bench-cmd does not fit --sla-search crest
          cause: it offers rates at random times, as independent users do
          hint: leave --burstiness out, or choose --sla-search pchip
    "]],
    );
    refused(
        &one_sla(),
        " --request-rate 5",
        "--sla-variable max_concurrency",
        &expect![[r"
            error: --request-rate in --bench-cmd does not fit --sla-search crest
              cause: with --sla-variable max_concurrency users send when their last answer is there
              hint: leave --request-rate out, or choose --sla-search pchip
        "]],
    );
}

#[test]
fn flags_that_contradict_the_search_are_refused_before_anything_starts() {
    refused(
        &one_sla(),
        "",
        "--sla-search pchip --sla-budget 5s",
        &expect![[r"
            error: --sla-budget has no meaning in --sla-search pchip
              cause: it takes each comparison as final and ends at neighbouring loads
              hint: leave out --sla-budget, or leave out --sla-search
        "]],
    );
    refused(
        &one_sla(),
        "",
        "--sla-search pchip --sla-lower-bound 0.5",
        &expect![[r"
            error: --sla-lower-bound must be a whole number, not 0.5
              cause: whole runs are searched over whole rates only
        "]],
    );
    refused(
        &one_sla(),
        "",
        "--sla-lower-bound 9 --sla-upper-bound 8",
        &expect![[r"
            error: --sla-lower-bound 9 is above --sla-upper-bound 8
              hint: give the lowest load that is of interest, and the highest
        "]],
    );
    refused(
        &one_sla(),
        " --max-concurrency 0",
        "",
        &expect![[r"
        error: --bench-cmd: --max-concurrency must be a number from 1 to 4294967295, not 0
    "]],
    );
}
