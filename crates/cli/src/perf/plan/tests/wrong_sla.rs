//! Searches that cannot be run: what the user reads.

use super::*;

const SEARCH: &str = r#"--sla-auto-tune --sla-params '[{"p99_ttft": "<=1s"}]'"#;

fn refuses_search(flags: &str, expected: &Expect) {
    refuses_more(&format!("{SEARCH} {flags}"), expected);
}

#[test]
fn a_search_for_nothing() {
    refuses_more(
        "--sla-auto-tune",
        &expect![[r#"
        error: --sla-auto-tune needs --sla-params
          hint: say what must hold, as in --sla-params '[{"p99_ttft": "<=500ms"}]'; a maximum is '[{"tps": "max"}]'"#]],
    );
    refuses_more(
        "--sla-auto-tune --sla-params",
        &expect![[r"
        error: --sla-params needs a value
          hint: write --sla-params <JSON>"]],
    );
    refuses_more(
        "--sla-auto-tune --sla-params '[]'",
        &expect![[r#"
        error: --sla-params cannot be searched for
          cause: the list of criteria is empty
          hint: name at least one metric in each group, such as {"p99_ttft": "<=2s"}"#]],
    );
    refuses_more(
        "--sla-auto-tune --sla-params '[{'",
        &expect![[r#"
        error: --sla-params cannot be searched for
          cause: the criteria are not JSON: EOF while parsing an object at line 1, column 2, after `[{`
          hint: write a list of groups such as [{"p99_ttft": "<=2s"}], in a shell between single quotes"#]],
    );
}

#[test]
fn flags_of_a_search_without_one() {
    refuses_more(
        r#"--sla-params '[{"p99_ttft": "<=1s"}]'"#,
        &expect![[r"
        error: --sla-params needs --sla-auto-tune
          hint: add --sla-auto-tune to search, or leave out --sla-params to measure the given loads"]],
    );
    for flag in [
        "--sla-variable rate",
        "--goodput ttft:1s",
        "--sla-search bisect",
        "--sla-lower-bound 1",
        "--sla-upper-bound 9",
        "--sla-confidence 0.9",
        "--sla-tolerance 0.1",
        "--sla-budget 10m",
        "--sla-num-runs 1",
        "--sla-number-multiplier 2",
        "--sla-fixed-parallel 4",
        "--resume",
    ] {
        let typed: Vec<&str> = BASE.iter().copied().chain(flag.split(' ')).collect();
        let problem = translate(&read(&typed).unwrap(), &surroundings()).unwrap_err();
        let name = flag.split(' ').next().unwrap();
        assert!(
            problem
                .to_string()
                .starts_with(&format!("error: {name} needs --sla-auto-tune")),
            "{problem}"
        );
    }
}

#[test]
fn unknown_metrics() {
    refuses_more(
        r#"--sla-auto-tune --sla-params '{"p99_tftt": "<=1s"}'"#,
        &expect![[r"
            error: --sla-params cannot be searched for
              cause: unknown metric `p99_tftt` in group 1
              hint: did you mean `p99_ttft`? Metrics: avg_, p50_, p90_, p95_, p99_ or p99.9_ before latency, ttft, tpot or itl; rps, tps, total_tps, success_rate, goodput"]],
    );
}

#[test]
fn goodput_without_limits_and_limits_without_goodput() {
    refuses_more(
        r#"--sla-auto-tune --sla-params '{"goodput": ">=99%"}'"#,
        &expect![[r"
            error: --sla-params cannot be searched for
              cause: `goodput` in group 1: there are no limits that a good request keeps to
              hint: add --goodput with what a good request keeps to, as in --goodput ttft:500ms tpot:50ms"]],
    );
    refuses_search(
        "--goodput ttft:500ms",
        &expect![[r#"
        error: --goodput is given, but no group asks for goodput
          hint: add it to --sla-params, as in {"goodput": ">=99%"}, or leave out --goodput"#]],
    );
    refuses_search(
        "--goodput ttft",
        &expect![[r"
        error: --goodput cannot be understood
          cause: the limit `ttft` has no colon
          hint: write a time, a colon and a limit, such as ttft:500ms tpot:50ms"]],
    );
}

#[test]
fn times_between_tokens_of_answers_in_one_piece() {
    refuses_more(
        r#"--sla-auto-tune --sla-params '{"avg_tpot": "<=50ms"}' --no-stream"#,
        &expect![[r"
            error: avg_tpot cannot be measured with --no-stream
              cause: an answer in one piece has no time between its tokens
              hint: leave out --no-stream, or limit the latency"]],
    );
}

#[test]
fn unknown_variables_and_methods() {
    refuses_search(
        "--sla-variable users",
        &expect![[r"
        error: --sla-variable does not know the value users
          hint: one of parallel, rate"]],
    );
    refuses_search(
        "--sla-search golden",
        &expect![[r"
        error: --sla-search does not know the value golden
          hint: one of crest, bisect"]],
    );
}

#[test]
fn bounds_that_cannot_be() {
    refuses_search(
        "--sla-lower-bound 0",
        &expect!["error: --sla-lower-bound must be above 0 and at most 4294967295, not 0"],
    );
    refuses_search(
        "--sla-upper-bound -5",
        &expect!["error: --sla-upper-bound must be above 0 and at most 4294967295, not -5"],
    );
    refuses_search(
        "--sla-upper-bound nan",
        &expect!["error: --sla-upper-bound must be above 0 and at most 4294967295, not NaN"],
    );
    refuses_search(
        "--sla-upper-bound 1e12",
        &expect![
            "error: --sla-upper-bound must be above 0 and at most 4294967295, not 1000000000000"
        ],
    );
    refuses_search(
        "--sla-lower-bound 9 --sla-upper-bound 8",
        &expect![[r"
        error: --sla-lower-bound 9 is above --sla-upper-bound 8
          hint: give the lowest load that is of interest, and the highest"]],
    );
    refuses_search(
        "--sla-upper-bound 8.5",
        &expect![[r"
        error: --sla-upper-bound must be a whole number, not 8.5
          cause: users come whole"]],
    );
    refuses_search(
        "--sla-search bisect --sla-variable rate --sla-lower-bound 0.5",
        &expect![[r"
            error: --sla-lower-bound must be a whole number, not 0.5
              cause: --sla-search bisect knows whole rates only"]],
    );
}

#[test]
fn first_loads_that_cannot_be() {
    refuses_search(
        "--parallel 0",
        &expect![[r"
        error: --parallel must be above 0, not 0
          hint: it is the load that the search tries first"]],
    );
    refuses_search(
        "--sla-variable rate --rate 0",
        &expect![[r"
        error: --rate must be above 0, not 0
          hint: it is the load that the search tries first"]],
    );
}

#[test]
fn confidence_and_tolerance_out_of_range() {
    refuses_search(
        "--sla-confidence 90",
        &expect![[r"
        error: --sla-confidence must be from 0.5 to below 1, not 90
          hint: write 0.9 or 90%"]],
    );
    refuses_search(
        "--sla-confidence 0.4",
        &expect![[r"
        error: --sla-confidence must be from 0.5 to below 1, not 0.4
          hint: write 0.9 or 90%"]],
    );
    refuses_search(
        "--sla-tolerance 0",
        &expect![[r"
        error: --sla-tolerance must be above 0 and at most 0.5, not 0
          hint: write 0.05 or 5%"]],
    );
    refuses_search(
        "--sla-tolerance x",
        &expect![[r"
        error: --sla-tolerance must be above 0 and at most 0.5, not x
          hint: write 0.05 or 5%"]],
    );
}

#[test]
fn budgets_that_cannot_be() {
    refuses_search(
        "--sla-budget 10",
        &expect![[r"
        error: --sla-budget cannot be 10
          hint: write a time (90s, 10m, 1h), requests (20000req, 20kreq) or tokens of answers (5Mtok), above 0"]],
    );
    refuses_search(
        "--sla-budget 10m,20m",
        &expect![[r"
        error: --sla-budget has two values of one kind: 10m 20m
          hint: give at most one time, one number of requests and one number of tokens"]],
    );
    refuses_search(
        "--sla-budget 0req",
        &expect![[r"
        error: --sla-budget cannot be 0req
          hint: write a time (90s, 10m, 1h), requests (20000req, 20kreq) or tokens of answers (5Mtok), above 0"]],
    );
}

#[test]
fn precision_of_a_bisection() {
    refuses_search(
        "--sla-search bisect --sla-budget 10m",
        &expect![[r"
        error: --sla-budget has no meaning in --sla-search bisect
          cause: a bisection takes each comparison as final and ends at neighbouring loads
          hint: leave out --sla-budget, or leave out --sla-search"]],
    );
    refuses_search(
        "--sla-search bisect --sla-confidence 0.9",
        &expect![[r"
        error: --sla-confidence has no meaning in --sla-search bisect
          cause: a bisection takes each comparison as final and ends at neighbouring loads
          hint: leave out --sla-confidence, or leave out --sla-search"]],
    );
    refuses_search(
        "--sla-search bisect --sla-tolerance 5%",
        &expect![[r"
        error: --sla-tolerance has no meaning in --sla-search bisect
          cause: a bisection takes each comparison as final and ends at neighbouring loads
          hint: leave out --sla-tolerance, or leave out --sla-search"]],
    );
}

#[test]
fn runs_of_a_bisection_that_cannot_be() {
    refuses_search(
        "--sla-search bisect --sla-num-runs 0",
        &expect!["error: --sla-num-runs must be a number from 1 to 4294967295, not 0"],
    );
    refuses_search(
        "--sla-search bisect --sla-number-multiplier 0",
        &expect!["error: --sla-number-multiplier must be above 0, not 0"],
    );
    refuses_search(
        "--sla-search bisect --sla-variable rate --sla-fixed-parallel 0",
        &expect!["error: --sla-fixed-parallel must be a number from 1 to 4294967295, not 0"],
    );
    refuses_search(
        "--sla-search bisect --duration 0",
        &expect!["error: --duration must be above 0 seconds, not 0"],
    );
    refuses_search(
        "--sla-search bisect --warmup-num -1",
        &expect![[r"
        error: --warmup-num must be 0 or more, not -1
          hint: give a number of requests, or a share of --number below 1"]],
    );
}

#[test]
fn closed_loops_with_arrivals() {
    refuses_search(
        "--open-loop",
        &expect![[r"
        error: --open-loop contradicts --sla-variable parallel
          cause: users who wait for their answers are a closed loop
          hint: choose --sla-variable rate, or leave out --open-loop"]],
    );
    refuses_search(
        "--arrival constant",
        &expect![[r"
        error: --arrival constant needs --sla-variable rate
          hint: users send when their last answer is there; leave out --arrival"]],
    );
    refuses_search(
        "--sla-variable rate --arrival constant",
        &expect![[r"
        error: --arrival constant needs --sla-search bisect
          cause: crest offers rates at random times, as independent users do
          hint: leave out --arrival"]],
    );
}
