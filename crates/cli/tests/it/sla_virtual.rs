//! SLA searches in virtual time: the documented commands, the files that are left, and going on from what is on disk.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::harness::{Place, Ran, rows};

/// The documented commands up to what they differ in, with the simulated engine in the place of a service.
const DOCUMENTED: &str = "perf --model Qwen2.5-0.5B-Instruct --tokenizer-path builtin --url sim:a100-qwen2.5-0.5b \
    --api openai --dataset random --prefix-length 0 --sla-auto-tune --no-timestamp";

const DOCUMENTED_FOLDER: &str = "outputs/Qwen2.5-0.5B-Instruct";

/// A quick search: eight requests run at a time, so that the limit binds at about 14 users.
const QUICK: &str = "perf --model m --tokenizer-path builtin --url sim:eight.toml --dataset random \
    --min-prompt-length 16 --max-prompt-length 16 --max-tokens 32 --no-timestamp --sla-auto-tune --sla-upper-bound 64 \
    --sla-tolerance 0.2 --parallel 1";

/// A group of one criterion, as it is typed.
const LIMIT: &str = r#"--sla-params [{"p99_ttft":"<=100ms"}]"#;

pub(crate) const FOLDER: &str = "outputs/m";

/// An engine that runs eight requests at a time: with more users than that, waiting decides the time to first token.
pub(crate) const EIGHT: &str = r#"
summary = "eight requests at a time"
max_num_seqs = 8
max_num_batched_tokens = 1024
request_overhead_ms = 0.5

[iteration]
base_ms = 3.0
prefill_us_per_token = 1.0
decode_us_per_sequence = 10.0
kv_ns_per_token = 0.0
noise = 0.05

[kv_cache]
tokens = 65_536
"#;

/// A folder with the profile of [`EIGHT`].
pub(crate) fn place() -> Place {
    let place = Place::new();
    fs::write(place.path("eight.toml"), EIGHT).unwrap();
    place
}

/// All indices in a search's database. None is there twice.
pub(crate) fn indices(place: &Place) -> BTreeSet<i64> {
    let database =
        rusqlite::Connection::open(place.path(FOLDER).join("benchmark_data.db")).unwrap();
    let mut select = database
        .prepare("SELECT request_index FROM result")
        .unwrap();
    let found: Vec<i64> = select
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let different: BTreeSet<i64> = found.iter().copied().collect();
    assert_eq!(found.len(), different.len(), "an item was sent twice");
    different
}

fn quick(place: &Place, more: &str) -> Ran {
    place.run(&format!("{QUICK} {more}"))
}

fn selection(place: &Place, group: usize) -> Value {
    place.json(&format!("{FOLDER}/sla_summary.json"))["selections"][group].clone()
}

fn check_tables(ran: &Ran, more: &[&str]) {
    let tables = [
        "Detailed Performance Metrics",
        "Gen. toks/s",
        "Best Performance Configuration",
        "Highest RPS",
        "Lowest Latency",
        "Performance Recommendations:",
        "SLA Auto-tune Summary:",
        "Max Satisfied",
    ];
    for text in tables.iter().chain(more) {
        assert!(ran.out.contains(text), "no `{text}` in {}", ran.out);
    }
}

#[test]
fn the_first_documented_search_says_that_one_user_is_too_slow_already() {
    let place = Place::new();
    let ran = place.run(&format!(
        "{DOCUMENTED} --max-tokens 1024 --min-prompt-length 1024 --max-prompt-length 1024 --sla-variable parallel \
         --sla-params [{{\"p99_latency\":\"<=2\"}}] --parallel 2 --sla-upper-bound 64"
    ));
    // An answer of 1024 tokens takes 2.7 s there, even alone.
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    check_tables(&ran, &["Failed at lower bound (1)", "p99_latency <= 2"]);
    let found = place.json(&format!("{DOCUMENTED_FOLDER}/sla_summary.json"));
    assert_eq!(found["selections"][0]["status"], "infeasible");
    assert!(found["selections"][0]["max_satisfied"].is_null());
}

#[test]
fn the_second_documented_search_reaches_the_highest_throughput() {
    let place = Place::new();
    let ran = place.run(&format!(
        "{DOCUMENTED} --max-tokens 1024 --min-prompt-length 1024 --max-prompt-length 1024 --sla-variable parallel \
         --sla-params [{{\"tps\":\"max\"}}] --parallel 4"
    ));
    check_tables(&ran, &["tps -> max"]);
    let (_, best) = ran.out.split_once("Highest RPS").unwrap();
    let (_, best) = best.split_once('(').unwrap();
    let (requests_per_s, _) = best.split_once(" req/sec").unwrap();
    let tokens_per_s = requests_per_s.parse::<f64>().unwrap() * 1024.0;
    // What a run of fixed 256 users comes to, as many as the engine runs at a time.
    assert!(
        (tokens_per_s / 8045.0 - 1.0).abs() < 0.03,
        "{tokens_per_s} tok/s\n{}",
        ran.out
    );
}

#[test]
fn the_third_documented_search_answers_both_groups() {
    let place = Place::new();
    let ran = place.run(&format!(
        "{DOCUMENTED} --max-tokens 512 --min-prompt-length 512 --max-prompt-length 512 --sla-variable rate \
         --sla-params [{{\"p99_ttft\":\"<0.05\"}},{{\"p99_ttft\":\"<0.01\"}}] --rate 2 --sla-num-runs 1 \
         --sla-lower-bound 10 --sla-upper-bound 40"
    ));
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    check_tables(
        &ran,
        &[
            "p99_ttft < 0.05",
            "p99_ttft < 0.01",
            "Failed at lower bound (10)",
        ],
    );
    let found = place.json(&format!("{DOCUMENTED_FOLDER}/sla_summary.json"));
    let selections = found["selections"].as_array().unwrap();
    assert_eq!(selections.len(), 2);
    assert_eq!(selections[1]["status"], "infeasible");
    for probe in found["probes"].as_array().unwrap() {
        let load = probe["load"].as_f64().unwrap();
        let is_warm_up = probe["stage"] == "warm-up";
        assert!(is_warm_up || (10.0..=40.0).contains(&load), "{probe}");
    }
}

#[test]
fn a_search_answers_and_leaves_its_evidence() {
    let place = place();
    let ran = quick(&place, LIMIT).done();
    check_tables(&ran, &["Satisfied", "sure: at least"]);
    assert_eq!(
        place.list(FOLDER),
        [
            "benchmark.log",
            "benchmark_data.db",
            "perf_report.html",
            "performance_summary.txt",
            "sla_journal.jsonl",
            "sla_search.svg",
            "sla_summary.json"
        ]
    );
    let found = place.json(&format!("{FOLDER}/sla_summary.json"));
    let answer = &found["selections"][0];
    assert_eq!(answer["status"], "value", "{answer}");
    let number = |value: &Value| value.as_f64().unwrap();
    let users = number(&answer["max_satisfied"]);
    assert!((13.0..=15.0).contains(&users), "{answer}");
    assert!(number(&answer["interval"]["low"]) <= number(&answer["estimate"]));
    assert!(number(&answer["interval"]["high"]) >= number(&answer["estimate"]));

    let totals = &found["totals"];
    let told = totals["requests"].as_i64().unwrap() + totals["given_up"].as_i64().unwrap();
    assert_eq!(
        rows(&place.path(FOLDER).join("benchmark_data.db")),
        told,
        "every request that ended is on file"
    );
    assert_eq!(indices(&place).len(), usize::try_from(told).unwrap());
    check_probes(&found);
}

/// Dwells follow each other, and their requests are those of the loads.
fn check_probes(found: &Value) {
    let probes = found["probes"].as_array().unwrap();
    let mut end = 0.0;
    for (number, probe) in (1..).zip(probes) {
        assert_eq!(probe["number"], number);
        let start = probe["start_s"].as_f64().unwrap();
        assert!((start - end).abs() < 1e-6, "{probe} begins after {end}");
        end = start + probe["duration_s"].as_f64().unwrap();
    }
    assert!((found["totals"]["time_s"].as_f64().unwrap() - end).abs() < 1e-6);
    let sum = |list: &Value| -> i64 {
        let rows = list.as_array().unwrap().iter();
        rows.map(|row| row["requests"].as_i64().unwrap()).sum()
    };
    assert_eq!(sum(&found["probes"]), sum(&found["loads"]));
    assert!(sum(&found["loads"]) <= found["totals"]["requests"].as_i64().unwrap());
}

#[test]
fn the_same_seed_gives_the_same_search_and_another_seed_another() {
    let bytes = |seed: u32| {
        let place = place();
        quick(&place, &format!("{LIMIT} --seed {seed}")).done();
        fs::read(place.path(FOLDER).join("sla_summary.json")).unwrap()
    };
    let first = bytes(1);
    assert_eq!(first, bytes(1));
    assert_ne!(first, bytes(2));
}

#[test]
fn a_limit_that_is_never_passed_is_not_reached_and_one_that_is_never_met_infeasible() {
    let place = place();
    let both = r#"--sla-params [{"p99_latency":"<=20s"},{"p99_latency":"<=10ms"}]"#;
    let ran = quick(&place, both);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    check_tables(&ran, &["Failed at lower bound (1)"]);
    let (first, second) = (selection(&place, 0), selection(&place, 1));
    assert_eq!(first["status"], "not_reached", "{first}");
    assert_eq!(first["max_satisfied"], 64.0);
    assert_eq!(second["status"], "infeasible", "{second}");
    assert!(second["max_satisfied"].is_null());
}

#[test]
fn a_budget_ends_a_search_which_then_says_what_is_missing() {
    let place = place();
    let ran = quick(&place, &format!("{LIMIT} --sla-budget 120req"));
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let answer = selection(&place, 0);
    assert_eq!(answer["status"], "inconclusive", "{answer}");
    assert!(ran.out.contains("Inconclusive"), "{}", ran.out);
    let totals = &place.json(&format!("{FOLDER}/sla_summary.json"))["totals"];
    let spent = totals["requests"].as_i64().unwrap();
    // Looked at several times a second: at most those of one look more.
    assert!((60..=160).contains(&spent), "{totals}");
}

/// Cuts the journal to so many lines, and the database to what had ended by the last of them.
fn cut(place: &Place, lines: usize) {
    let journal = place.path(FOLDER).join("sla_journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let kept: Vec<&str> = text.lines().take(lines).collect();
    let last: Value = serde_json::from_str(kept[lines - 1]).unwrap();
    let at = [
        &last["at"],
        &last["span"]["ended"],
        &last["span"]["applied"],
    ]
    .into_iter()
    .find_map(Value::as_i64)
    .unwrap();
    // The next line was cut off in its middle.
    fs::write(&journal, format!("{}\n{{\"entry\":\"dw", kept.join("\n"))).unwrap();
    let path = place.path(FOLDER).join("benchmark_data.db");
    rusqlite::Connection::open(path)
        .unwrap()
        .execute("DELETE FROM result WHERE end_ns > ?", [at])
        .unwrap();
}

#[test]
fn a_search_that_was_cut_off_anywhere_goes_on_from_its_evidence() {
    let whole = place();
    quick(&whole, LIMIT).done();
    let uninterrupted = selection(&whole, 0);
    let journal = fs::read_to_string(whole.path(FOLDER).join("sla_journal.jsonl")).unwrap();
    let lines = journal.lines().count();
    for kept in [2, lines / 3, lines / 2, lines - 3] {
        let place = place();
        quick(&place, LIMIT).done();
        cut(&place, kept);
        let before = indices(&place);
        let ran = quick(&place, &format!("{LIMIT} --resume {FOLDER}")).done();
        check_tables(&ran, &["Satisfied"]);
        let answer = selection(&place, 0);
        assert_eq!(answer["status"], "value", "{kept} lines: {answer}");
        let users = answer["max_satisfied"].as_f64().unwrap();
        let low = uninterrupted["interval"]["low"].as_f64().unwrap();
        let high = uninterrupted["interval"]["high"].as_f64().unwrap();
        assert!(
            users >= low - 1.0 && users <= high + 1.0,
            "{kept} lines: {answer} is far from {uninterrupted}"
        );
        let after = indices(&place);
        assert!(
            after.is_superset(&before),
            "what was on file is still there"
        );
        assert!(after.len() > before.len(), "and more is added");
        check_probes_follow(&place);
    }
}

/// Times go on behind those of the earlier command.
fn check_probes_follow(place: &Place) {
    let found = place.json(&format!("{FOLDER}/sla_summary.json"));
    let starts: Vec<f64> = found["probes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|probe| probe["start_s"].as_f64().unwrap())
        .collect();
    assert!(starts.is_sorted(), "{starts:?}");
}

#[test]
fn a_finished_search_that_goes_on_has_its_answer_at_little_cost() {
    let place = place();
    quick(&place, LIMIT).done();
    let (first, before) = (selection(&place, 0), indices(&place).len());
    quick(&place, &format!("{LIMIT} --resume {FOLDER}")).done();
    let again = selection(&place, 0);
    assert_eq!(again["status"], "value", "{again}");
    let users = |answer: &Value| answer["max_satisfied"].as_f64().unwrap();
    assert!((users(&again) - users(&first)).abs() <= 1.0, "{again}");
    let added = indices(&place).len() - before;
    assert!(added < before, "{added} requests more than {before}");
}

#[test]
fn a_search_of_something_else_is_not_gone_on_with() {
    let place = place();
    quick(&place, LIMIT).done();
    let before = indices(&place);
    let another = r#"--sla-params [{"p99_ttft":"<=90ms"}]"#;
    for (more, differing) in [
        (another.to_owned(), "the SLA"),
        (format!("{LIMIT} --model other"), "the model"),
        (format!("{LIMIT} --url sim:gpu-small"), "the URL"),
        (format!("{LIMIT} --seed 7"), "the workload"),
    ] {
        let ran = quick(&place, &format!("{more} --resume {FOLDER}"));
        assert!(
            ran.code.is_some_and(|code| code == 1 || code == 2),
            "{ran:#?}"
        );
        assert!(
            ran.err.contains(differing) && ran.err.contains("which differs in"),
            "no `{differing}` in {}",
            ran.err
        );
    }
    let anew = quick(&place, LIMIT);
    assert_ne!(anew.code, Some(0), "{anew:#?}");
    assert!(anew.err.contains("--resume"), "{}", anew.err);
    let nowhere = quick(&place, &format!("{LIMIT} --resume outputs/nowhere"));
    assert_ne!(nowhere.code, Some(0), "{nowhere:#?}");
    assert_eq!(indices(&place), before, "nothing was sent");
}
