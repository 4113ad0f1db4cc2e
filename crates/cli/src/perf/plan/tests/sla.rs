//! What the flags of a search change.

use super::*;
use crate::plan_lines::lines_of;

const LATENCY: &str = r#"--sla-auto-tune --sla-params '[{"p99_latency": "<=2"}]'"#;

fn search(flags: &str, expected: &Expect) {
    changes(&format!("{LATENCY} {flags}"), expected);
}

/// The lines of the plan that more flags change in a search.
fn changes_search(flags: &str, expected: &Expect) {
    let lines = |flags: &str| {
        let translation = translated(&words(flags)).unwrap();
        (lines_of(&translation.plan), translation.notes)
    };
    let (base, _) = lines(LATENCY);
    let (changed, notes) = lines(&format!("{LATENCY} {flags}"));
    let mut text: Vec<String> = changed
        .iter()
        .filter(|(path, value)| base.get(*path) != Some(value))
        .map(|(path, value)| format!("{path} = {value}"))
        .collect();
    text.extend(
        notes
            .iter()
            .filter(|note| !note.contains("is read"))
            .map(|note| format!("note: {note}")),
    );
    expected.assert_eq(&text.join("\n"));
}

#[test]
fn the_first_documented_search() {
    search(
        "--sla-variable parallel --parallel 2 --sla-upper-bound 64",
        &expect![[r#"
            points = []
            search.fixed_parallel = null
            search.method = "crest"
            search.question.bounds.highest = 64.0
            search.question.bounds.lowest = 1.0
            search.question.budget.requests = null
            search.question.budget.time = null
            search.question.budget.tokens = null
            search.question.confidence = 0.9
            search.question.first = 2.0
            search.question.groups.0.aim = null
            search.question.groups.0.criteria.0.measure.time.0.quantile = 0.99
            search.question.groups.0.criteria.0.measure.time.1 = "latency"
            search.question.groups.0.criteria.0.relation = "at_most"
            search.question.groups.0.criteria.0.threshold = 2.0
            search.question.slo.limits = []
            search.question.tolerance = 0.05
            search.question.variable = "users"
            search.resume = "no"
            note: --sla-params is read as p99_latency <= 2 s"#]],
    );
}

#[test]
fn the_second_documented_search() {
    changes(
        r#"--sla-auto-tune --sla-variable parallel --sla-params '[{"tps": "max"}]' --parallel 4"#,
        &expect![[r#"
            points = []
            search.fixed_parallel = null
            search.method = "crest"
            search.question.bounds.highest = 65536.0
            search.question.bounds.lowest = 1.0
            search.question.budget.requests = null
            search.question.budget.time = null
            search.question.budget.tokens = null
            search.question.confidence = 0.9
            search.question.first = 4.0
            search.question.groups.0.aim.goal = "max"
            search.question.groups.0.aim.measure.throughput = "output_tokens"
            search.question.groups.0.criteria = []
            search.question.slo.limits = []
            search.question.tolerance = 0.05
            search.question.variable = "users"
            search.resume = "no"
            note: --sla-params is read as tps -> max (tok/s)"#]],
    );
}

#[test]
fn the_third_documented_search() {
    changes(
        r#"--sla-auto-tune --sla-variable rate --sla-params '[{"p99_ttft": "<0.05"}, {"p99_ttft": "<0.01"}]' --rate 2 --sla-num-runs 1 --sla-lower-bound 10 --sla-upper-bound 40"#,
        &expect![[r#"
            points = []
            search.fixed_parallel = null
            search.method = "crest"
            search.question.bounds.highest = 40.0
            search.question.bounds.lowest = 10.0
            search.question.budget.requests = null
            search.question.budget.time = null
            search.question.budget.tokens = null
            search.question.confidence = 0.9
            search.question.first = 10.0
            search.question.groups.0.aim = null
            search.question.groups.0.criteria.0.measure.time.0.quantile = 0.99
            search.question.groups.0.criteria.0.measure.time.1 = "ttft"
            search.question.groups.0.criteria.0.relation = "below"
            search.question.groups.0.criteria.0.threshold = 0.05
            search.question.groups.1.aim = null
            search.question.groups.1.criteria.0.measure.time.0.quantile = 0.99
            search.question.groups.1.criteria.0.measure.time.1 = "ttft"
            search.question.groups.1.criteria.0.relation = "below"
            search.question.groups.1.criteria.0.threshold = 0.01
            search.question.slo.limits = []
            search.question.tolerance = 0.05
            search.question.variable = "rate"
            search.resume = "no"
            note: group 1 of --sla-params is read as p99_ttft < 0.05 s (50 ms)
            note: group 2 of --sla-params is read as p99_ttft < 0.01 s (10 ms)
            note: --rate 2 is outside the bounds: the search begins at 10
            note: --sla-num-runs has no effect in this search: crest sends without a break and decides by what it has seen how long a load stays"#]],
    );
}

#[test]
fn a_rate_may_be_a_fraction() {
    changes_search(
        "--sla-variable rate --rate 0.5 --sla-lower-bound 0.25 --sla-upper-bound 8.5",
        &expect![[r#"
            search.question.bounds.highest = 8.5
            search.question.bounds.lowest = 0.25
            search.question.first = 0.5
            search.question.variable = "rate""#]],
    );
}

#[test]
fn a_search_without_a_first_load_begins_at_the_lower_bound() {
    changes_search(
        "--sla-lower-bound 3",
        &expect![[r"
        search.question.bounds.lowest = 3.0
        search.question.first = 3.0"]],
    );
    changes_search(
        "--sla-variable rate --rate -1",
        &expect![[r#"search.question.variable = "rate""#]],
    );
}

#[test]
fn of_several_first_loads_one_is_taken() {
    changes_search(
        "--parallel 4 8",
        &expect![[r"
        search.question.first = 4.0
        note: a search tries its own loads: of --parallel 4 8 it takes 4 to begin with"]],
    );
}

#[test]
fn precision_and_budget() {
    changes_search(
        "--sla-confidence 95% --sla-tolerance 0.1 --sla-budget 10m,20000req --sla-budget 5Mtok",
        &expect![[r"
            search.question.budget.requests = 20000
            search.question.budget.time = 600000000000
            search.question.budget.tokens = 5000000
            search.question.confidence = 0.95
            search.question.tolerance = 0.1"]],
    );
}

#[test]
fn goodput_has_limits() {
    changes(
        r#"--sla-auto-tune --sla-params '{"goodput": ">=99%"}' --goodput ttft:500ms tpot:50ms"#,
        &expect![[r#"
            points = []
            search.fixed_parallel = null
            search.method = "crest"
            search.question.bounds.highest = 65536.0
            search.question.bounds.lowest = 1.0
            search.question.budget.requests = null
            search.question.budget.time = null
            search.question.budget.tokens = null
            search.question.confidence = 0.9
            search.question.first = 1.0
            search.question.groups.0.aim = null
            search.question.groups.0.criteria.0.measure = "goodput"
            search.question.groups.0.criteria.0.relation = "at_least"
            search.question.groups.0.criteria.0.threshold = 0.99
            search.question.slo.limits = [["ttft",0.5],["tpot",0.05]]
            search.question.tolerance = 0.05
            search.question.variable = "users"
            search.resume = "no"
            note: --sla-params is read as goodput >= 99 %
            note: --goodput is read as ttft <= 0.5 s (500 ms), tpot <= 0.05 s (50 ms)"#]],
    );
}

#[test]
fn a_bisection_has_runs_of_its_own() {
    changes_search(
        "--sla-search bisect --sla-num-runs 2 --sla-number-multiplier 10 --warmup-num 0.1 --duration 60",
        &expect![[r#"
            search.method.bisect.arrivals = "random"
            search.method.bisect.duration = 60000000000
            search.method.bisect.multiplier = 10.0
            search.method.bisect.runs = 2
            search.method.bisect.warmup = 0.1"#]],
    );
}

#[test]
fn a_bisection_of_rates_limits_the_requests_in_flight() {
    changes_search(
        "--sla-search bisect --sla-variable rate --sla-fixed-parallel 32 --arrival constant",
        &expect![[r#"
            search.fixed_parallel = 32
            search.method.bisect.arrivals = "even"
            search.method.bisect.duration = null
            search.method.bisect.multiplier = 2.0
            search.method.bisect.runs = 3
            search.method.bisect.warmup = 0.0
            search.question.variable = "rate""#]],
    );
    changes_search(
        "--sla-search bisect --sla-variable rate --sla-upper-bound 64",
        &expect![[r#"
            search.fixed_parallel = 64
            search.method.bisect.arrivals = "random"
            search.method.bisect.duration = null
            search.method.bisect.multiplier = 2.0
            search.method.bisect.runs = 3
            search.method.bisect.warmup = 0.0
            search.question.bounds.highest = 64.0
            search.question.variable = "rate""#]],
    );
    changes_search(
        "--sla-search bisect --sla-variable rate --open-loop --sla-fixed-parallel 32",
        &expect![[r#"
            search.method.bisect.arrivals = "random"
            search.method.bisect.duration = null
            search.method.bisect.multiplier = 2.0
            search.method.bisect.runs = 3
            search.method.bisect.warmup = 0.0
            search.question.variable = "rate"
            note: --sla-fixed-parallel has no effect in this search: nothing limits the requests in flight here"#]],
    );
}

#[test]
fn flags_without_meaning_are_told() {
    changes_search(
        "--number 100 --rate 4 --sla-num-runs 1 --sla-number-multiplier 5 --sla-fixed-parallel 9 --duration 60 --warmup-num 5 --enable-progress-tracker",
        &expect![[r"
            note: --number has no effect in this search: the search chooses how many requests it sends
            note: --enable-progress-tracker has no effect in this search: a search does not know how many requests it will send
            note: --rate has no effect in this search: users send when their last answer is there
            note: --sla-fixed-parallel has no effect in this search: nothing limits the requests in flight here
            note: --sla-num-runs has no effect in this search: crest sends without a break and decides by what it has seen how long a load stays
            note: --sla-number-multiplier has no effect in this search: crest sends without a break and decides by what it has seen how long a load stays
            note: --duration has no effect in this search: --sla-budget limits the time of the whole search
            note: --warmup-num has no effect in this search: crest leaves out what it sends before a load has settled"]],
    );
    changes_search(
        "--sla-variable rate --parallel 8 --open-loop",
        &expect![[r#"
            search.question.variable = "rate"
            note: --parallel has no effect in this search: the rate is varied; --sla-fixed-parallel limits the requests in flight"#]],
    );
}

#[test]
fn a_search_goes_on_in_its_folder() {
    changes_search("--resume", &expect![[r#"search.resume = "yes""#]]);
    changes_search(
        "--resume some/folder",
        &expect![[r#"
        output.folder = "some/folder"
        search.resume = "yes""#]],
    );
}
