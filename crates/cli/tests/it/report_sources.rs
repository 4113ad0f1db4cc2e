//! What `crestline report` is given: runs, searches and sweeps as crestline leaves them, whole, killed and broken.

use std::fs;

use serde_json::Value;

use crate::harness::{Place, Ran};

const PERF: &str = "perf --url sim:gpu-small --model m --tokenizer-path builtin --dataset random --min-prompt-length 20 \
    --max-prompt-length 20 --max-tokens 4 --no-timestamp --no-html";

fn report(place: &Place, paths: &str) -> Ran {
    place.run(&format!("report {paths} -o page.html"))
}

fn search(place: &Place, more: &str) {
    let mut command = place.command(&format!(
        "{PERF} --sla-auto-tune --sla-upper-bound 40 {more}"
    ));
    command.args(["--sla-params", r#"[{"p99_ttft":"<=0.2"}]"#]);
    let ran: Ran = command.output().unwrap().into();
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
}

#[test]
fn a_search_that_was_killed_is_shown_as_far_as_it_came() {
    let place = Place::new();
    search(&place, "");
    let summary = place.json("outputs/m/sla_summary.json");
    let loads = summary["loads"].as_array().unwrap();
    for load in loads {
        let found = &load["violations"][0];
        assert_eq!(found["criterion"], "p99_ttft <= 0.2");
        let count = |key: &str| found[key].as_u64().unwrap();
        assert_eq!(count("counted"), load["requests"].as_u64().unwrap());
        assert!(count("violating") <= count("counted"));
        assert!(load["figures"]["tps"].as_f64().unwrap() > 0.0);
    }
    let whole = report(&place, "outputs").done();
    assert!(
        whole.out.contains("The report of 1 search is in page.html"),
        "{}",
        whole.out
    );
    // As a kill leaves it: without the end of the journal, and without a summary.
    fs::remove_file(place.path("outputs/m/sla_summary.json")).unwrap();
    let journal = place.path("outputs/m/sla_journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, &text[..text.len() - 30]).unwrap();
    let killed = report(&place, "outputs").done();
    assert!(
        killed.out.contains("The report of 1 search"),
        "{}",
        killed.out
    );
    assert!(!killed.err.contains("warning"), "{}", killed.err);
    let html = fs::read_to_string(place.path("page.html")).unwrap();
    assert!(html.contains("p99_ttft &lt;= 0.2"), "what was asked");
}

#[test]
fn a_bisection_is_shown_with_its_runs() {
    let place = Place::new();
    search(&place, "--sla-search bisect --sla-num-runs 1");
    let tried = place.json("outputs/m/sla_summary.json")["loads"]
        .as_array()
        .unwrap()
        .len();
    let ran = report(&place, "outputs/m").done();
    let expected = format!("The report of {tried} runs and 1 search");
    assert!(ran.out.contains(&expected), "{expected} in {}", ran.out);
}

#[test]
fn a_sweep_is_shown_with_its_parameters_whatever_is_broken_in_it() {
    let place = Place::new();
    fs::write(
        place.path("serve.json"),
        r#"[{"max_num_seqs": 2}, {"max_num_seqs": 8}]"#,
    )
    .unwrap();
    fs::write(
        place.path("bench.json"),
        r#"[{"max_concurrency": 1}, {"max_concurrency": 4}]"#,
    )
    .unwrap();
    let mut command = place.command(
        "bench sweep serve --virtual-time --serve-params serve.json --bench-params bench.json --num-runs 2 -o r -e e --no-html",
    );
    command.args([
        "--serve-cmd",
        "crestline sim --profile gpu-small --port 18000",
    ]);
    command.args([
        "--bench-cmd",
        "crestline bench serve --model m --tokenizer builtin --random-input-len 8 --random-output-len 4 --num-prompts 12 \
         --port 18000",
    ]);
    Ran::from(command.output().unwrap()).done();
    let ran = report(&place, "r/e").done();
    assert!(ran.out.contains("The report of 8 runs is"), "{}", ran.out);
    let html = fs::read_to_string(place.path("page.html")).unwrap();
    assert!(
        html.contains("max_num_seqs=8"),
        "the parameter that differs"
    );
    let cell = "r/e/SERVE--max_num_seqs=2-BENCH--max_concurrency=1";
    let text = fs::read_to_string(place.path(&format!("{cell}/run=0.json"))).unwrap();
    fs::write(
        place.path(&format!("{cell}/run=0.json")),
        &text[..text.len() / 2],
    )
    .unwrap();
    fs::write(place.path(&format!("{cell}/summary.json")), "").unwrap();
    fs::write(place.path("r/e/package.json"), r#"{"name": "x"}"#).unwrap();
    let ran = report(&place, "r/e").done();
    assert!(ran.out.contains("The report of 7 runs is"), "{}", ran.out);
    for (name, why) in [
        ("run=0.json", "it is no JSON"),
        ("summary.json", "it is empty"),
        ("package.json", "it is no run of a benchmark"),
    ] {
        let mut lines = ran.err.lines();
        let is_named = lines.any(|line| line.contains(name) && line.contains(why));
        assert!(is_named, "{name}: {why} in {}", ran.err);
    }
}

#[test]
fn nothing_to_draw_is_wrong_use_with_the_reason() {
    let place = Place::new();
    fs::create_dir(place.path("x")).unwrap();
    let refused = |words: &str| {
        let ran = report(&place, "x");
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(words), "{words} in {}", ran.err);
        assert!(!place.path("page.html").exists(), "no page is written");
    };
    refused("no file in it is of a run");
    fs::write(place.path("x/run=0.json"), r#"{"completed": 1, "#).unwrap();
    refused("it is no JSON");
    fs::write(place.path("x/run=0.json"), Value::Null.to_string()).unwrap();
    refused("it is no run of a benchmark");
}
