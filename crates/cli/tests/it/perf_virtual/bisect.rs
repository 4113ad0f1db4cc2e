//! `--sla-search bisect`: separate runs as evalscope makes them, and going on from those that are whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::harness::{Place, Ran};
use crate::sla_virtual::{FOLDER, place};

/// With eight requests at a time, waiting decides the time to first token from nine users on.
const SEARCH: &str = "perf --model m --tokenizer-path builtin --url sim:eight.toml --dataset random \
    --min-prompt-length 16 --max-prompt-length 16 --max-tokens 32 --no-timestamp --sleep-interval 0 --sla-auto-tune \
    --sla-search bisect --sla-upper-bound 64 --sla-num-runs 2 --parallel 1";

const LIMIT: &str = r#"--sla-params [{"p99_ttft":"<=100ms"}]"#;

fn search(place: &Place, more: &str) -> Ran {
    place.run(&format!("{SEARCH} {more}"))
}

fn summary(place: &Place) -> Value {
    place.json(&format!("{FOLDER}/sla_summary.json"))
}

/// Runs of each load, and whether each of them alone meets the first group.
fn probes(found: &Value) -> BTreeMap<u64, Vec<bool>> {
    let mut probes: BTreeMap<u64, Vec<bool>> = BTreeMap::new();
    for probe in found["probes"].as_array().unwrap() {
        let load = probe["load"].as_f64().unwrap() as u64;
        assert_eq!(probe["requests"].as_u64().unwrap(), 2 * load, "{probe}");
        let met = probe["groups"][0]["met"].as_bool().unwrap();
        probes.entry(load).or_default().push(met);
    }
    probes
}

/// The bodies of all requests of all runs, none of which is there twice.
fn bodies(place: &Place) -> BTreeSet<String> {
    let mut bodies = BTreeSet::new();
    for run in place.list(&format!("{FOLDER}/sla_tuning")) {
        let path = place.path(&format!("{FOLDER}/sla_tuning/{run}/benchmark_data.db"));
        let database = rusqlite::Connection::open(path).unwrap();
        let mut select = database.prepare("SELECT request FROM result").unwrap();
        for body in select.query_map([], |row| row.get::<_, String>(0)).unwrap() {
            assert!(
                bodies.insert(body.unwrap()),
                "a prompt of {run} was sent before"
            );
        }
    }
    bodies
}

#[test]
fn a_bisection_ends_between_neighbours_and_probes_each_load_once() {
    let place = place();
    let ran = search(&place, LIMIT).done();
    for text in [
        "Benchmarking summary:",
        "SLA Auto-tune Summary:",
        "| p99_ttft <= 0.1 | parallel |",
        "Satisfied",
        "each comparison as final",
    ] {
        assert!(ran.out.contains(text), "no `{text}` in {}", ran.out);
    }
    let found = summary(&place);
    assert_eq!(found["question"]["search"], "bisect");
    let selection = &found["selections"][0];
    assert_eq!(selection["status"], "value");
    assert!(selection["confidence"].is_null() && selection["interval"].is_null());
    let load = selection["max_satisfied"].as_f64().unwrap() as u64;
    let probes = probes(&found);
    assert!(probes.values().all(|runs| runs.len() == 2), "{probes:?}");
    assert!(probes.contains_key(&(load + 1)), "{probes:?}");
    assert!((8..64).contains(&load), "{load}");
    let runs = place.list(&format!("{FOLDER}/sla_tuning"));
    assert_eq!(runs.len(), 2 * probes.len());
    assert!(
        runs.contains(&format!("sla_parallel_{load}_run_1")),
        "{runs:?}"
    );
    let sent: u64 = probes.keys().map(|load| 2 * 2 * load).sum();
    assert_eq!(bodies(&place).len() as u64, sent);
    assert_eq!(found["totals"]["requests"], sent);
}

#[test]
fn groups_share_the_runs_and_the_worst_decides_the_exit_code() {
    let place = place();
    let params = r#"--sla-params [{"p99_ttft":"<=100ms"},{"p99_ttft":"<=1us"},{"rps":"max"}]"#;
    let ran = search(&place, params);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    for text in ["Failed at lower bound (1)", "rps -> max", "Best rps: "] {
        assert!(ran.out.contains(text), "no `{text}` in {}", ran.out);
    }
    let found = summary(&place);
    let statuses: Vec<&str> = (0..3)
        .map(|group| found["selections"][group]["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses[..2], ["value", "infeasible"]);
    assert!(probes(&found).values().all(|runs| runs.len() == 2));
}

#[test]
fn a_rate_has_so_many_requests_in_flight_at_most() {
    let place = place();
    let more = format!(
        "{LIMIT} --sla-variable rate --rate 4 --sla-lower-bound 4 --sla-upper-bound 8 --sla-fixed-parallel 3"
    );
    let ran = search(&place, &more);
    let found = summary(&place);
    assert_eq!(found["selections"][0]["variable"], "rate");
    assert_eq!(
        found["selections"][0]["status"], "not_reached",
        "{}",
        ran.out
    );
    assert!(ran.out.contains("Rate 8, concurrency 3"), "{}", ran.out);
    let args = place.json(&format!(
        "{FOLDER}/sla_tuning/sla_rate_8_run_0/benchmark_args.json"
    ));
    assert_eq!((&args["rate"], &args["parallel"]), (&8.0.into(), &3.into()));
    assert_eq!(args["sla_auto_tune"], true);
}

#[test]
fn a_bisection_that_was_cut_off_goes_on_with_the_runs_that_are_whole() {
    let place = place();
    search(&place, LIMIT).done();
    let whole = summary(&place);
    let journal = place.path(FOLDER).join("sla_journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    // The first line, five whole runs, the begin of the sixth and a part of a line.
    let kept: Vec<&str> = text.lines().take(1 + 2 * 5 + 1).collect();
    fs::write(&journal, kept.join("\n") + "\n{\"entry\":\"ru").unwrap();
    // Of the runs doubled up to four users, so many had begun.
    let begun: Vec<String> = [1, 2, 4]
        .iter()
        .flat_map(|load| (0..2).map(move |run| format!("sla_parallel_{load}_run_{run}")))
        .collect();
    let tuning = format!("{FOLDER}/sla_tuning");
    for run in place.list(&tuning) {
        if !begun.contains(&run) {
            fs::remove_dir_all(place.path(&format!("{tuning}/{run}"))).unwrap();
        }
    }

    search(&place, &format!("{LIMIT} --resume {FOLDER}")).done();
    let found = summary(&place);
    for probe in 0..5 {
        assert_eq!(found["probes"][probe], whole["probes"][probe]);
    }
    assert!(probes(&found).values().all(|runs| runs.len() == 2));
    let after = place.list(&tuning);
    assert!(begun.iter().all(|run| after.contains(run)), "{after:?}");
    assert!(
        after.contains(&"sla_parallel_4_run_1_2".to_owned()),
        "the run that was cut off is made again beside it: {after:?}"
    );
    bodies(&place);
}
