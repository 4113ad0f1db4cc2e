//! Folders as users have them, and what is read of them.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use crestline_core::metrics::Metric;
use crestline_core::record::{Exchange, Phase, RequestRecord, TokenCount, TokenSource};
use crestline_core::units::Nanos;
use crestline_report::facts::{Client, LoadFacts};
use crestline_store::runs::{RunHeader, RunWriter, WriteOptions};
use serde_json::{Value, json};

use super::*;
use crate::exit::Exit;

/// A request of 10 tokens that takes a second.
fn request(index: u64) -> RequestRecord {
    let at = |seconds| Nanos::from_secs(index + seconds);
    let tokens = |count| {
        let source = TokenSource::Usage;
        Some(TokenCount { count, source })
    };
    RequestRecord {
        due: at(0),
        sent: at(0),
        first_token: Some(at(0) + Nanos::from_millis(250)),
        last_token: Some(at(1)),
        end: at(1),
        streamed: true,
        prompt_tokens: tokens(5),
        output_tokens: tokens(10),
        exchange: Some(Box::new(Exchange {
            request: "asked".to_owned(),
            answer: "answered".to_owned(),
            ..Exchange::default()
        })),
        ..RequestRecord::new(index, Phase::Measured)
    }
}

/// Writes the database of a run of so many requests.
fn database(path: &Path, requests: u64, plan: &Value) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let header = RunHeader {
        tool_version: "1.2.3".to_owned(),
        start: Nanos::from_secs(1_700_000_000),
        plan: plan.clone(),
    };
    let options = WriteOptions {
        commit_rows: NonZeroUsize::MIN,
        keep_text: true,
    };
    let writer = RunWriter::create(path, options, &header).unwrap();
    for index in 0..requests {
        writer.write(request(index));
    }
    writer.finish().unwrap();
}

/// Files with texts in a folder of their own.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn facts(paths: &[&Path]) -> Facts {
    let paths: Vec<PathBuf> = paths.iter().map(|path| (*path).to_owned()).collect();
    read(&paths, &Wanted::default()).unwrap()
}

fn users(facts: &Facts) -> Vec<Option<f64>> {
    facts
        .loads
        .iter()
        .map(|load| load.applied.concurrency)
        .collect()
}

fn summary(users: u32, requests: u32) -> String {
    json!({
        "Test Duration (s)": 2.0, "Concurrency": users, "Request Rate (req/s)": -1.0, "Total Requests": requests,
        "Success Requests": requests, "Failed Requests": 0, "Req Throughput (req/s)": 4.0, "Avg TTFT (ms)": 50.0,
    })
    .to_string()
}

fn result(model: &str, users: u32) -> Value {
    json!({
        "model_id": model, "request_rate": "inf", "max_concurrency": users, "duration": 2.0, "completed": 4, "failed": 0,
        "total_input_tokens": 4, "total_output_tokens": 8, "request_throughput": 2.0, "output_throughput": 4.0,
        "mean_ttft_ms": 20.0, "p99_ttft_ms": 30.0,
    })
}

#[test]
fn a_database_says_what_its_requests_came_to() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("x/benchmark_data.db");
    database(&path, 4, &Value::Null);
    for path in [&path, path.parent().unwrap(), place.path()] {
        let facts = facts(&[path]);
        let [load] = &facts.loads[..] else {
            panic!("{facts:?}")
        };
        assert_eq!((load.figures.requests, load.figures.failed), (4, 0));
        assert_eq!(
            load.figures.totals.get(&Metric::RequestThroughput),
            Some(&1.0)
        );
        let ttft = &load.figures.spreads[&Metric::Ttft];
        assert_eq!((ttft.mean, ttft.ends), (Some(0.25), Some([0.25, 0.25])));
        assert!(ttft.quantiles.contains(&(0.99, 0.25)));
        let shares: Vec<f64> = ttft.quantiles.iter().map(|(share, _)| *share).collect();
        assert!(shares.is_sorted_by(|one, other| one < other), "{shares:?}");
        assert_eq!(load.origin.tool, "crestline 1.2.3");
        assert_eq!(load.origin.began_s, Some(1_700_000_000.0));
        let detail = load.detail.as_ref().unwrap();
        assert_eq!(detail.digest.requests.total(), 4);
        assert!(detail.texts.is_empty() && load.origin.is_complete);
        assert!(facts.left_out.is_empty(), "{facts:?}");
    }
}

#[test]
fn prompts_and_answers_are_read_only_where_they_are_wanted() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("benchmark_data.db");
    database(&path, 1, &Value::Null);
    let wanted = Wanted {
        texts: Texts::Included,
        ..Wanted::default()
    };
    let facts = read(&[path], &wanted).unwrap();
    let texts = &facts.loads[0].detail.as_ref().unwrap().texts[&0];
    assert_eq!((&*texts.request, &*texts.answer), ("asked", "answered"));
}

#[test]
fn loads_of_a_folder_come_in_rising_order_and_share_what_files_and_records_say() {
    let place = folder(&[
        (
            "out/1/m/parallel_16_number_3/benchmark_summary.json",
            &summary(16, 3),
        ),
        (
            "out/1/m/parallel_2_number_9/benchmark_summary.json",
            &summary(2, 9),
        ),
        (
            "out/1/m/parallel_2_number_9/benchmark_args.json",
            r#"{"model": "m", "seed": 5}"#,
        ),
        ("out/1/m/benchmark.log", "x"),
        ("out/1/m/README.md", "x"),
    ]);
    let own = place
        .path()
        .join("out/1/m/parallel_2_number_9/benchmark_data.db");
    database(&own, 4, &Value::Null);
    let facts = facts(&[&place.path().join("out")]);
    assert_eq!(users(&facts), [Some(2.0), Some(16.0)]);
    let [both, files] = &facts.loads[..] else {
        panic!("{facts:?}")
    };
    assert_eq!(both.figures.requests, 4, "records come first");
    assert_eq!((both.origin.seed, both.origin.files.len()), (Some(5), 3));
    assert_eq!(files.figures.requests, 3);
    assert!(files.detail.is_none() && both.detail.is_some());
    assert!(
        facts.parameters.is_empty() && facts.left_out.is_empty(),
        "{facts:?}"
    );
}

#[test]
fn runs_that_look_the_same_are_told_apart_by_their_folders() {
    let place = folder(&[
        ("a/m/parallel_2/benchmark_summary.json", &summary(2, 9)),
        (
            "a/m/parallel_2_again/benchmark_summary.json",
            &summary(2, 8),
        ),
        ("b/m/parallel_2/benchmark_summary.json", &summary(2, 7)),
    ]);
    let [a, b] = ["a", "b"].map(|name| place.path().join(name));
    let both = facts(&[&a, &b]);
    assert_eq!(both.parameters, ["run"]);
    let shown = |load: &LoadFacts| {
        (
            load.parameters["run"].clone(),
            load.repeat,
            load.figures.requests,
        )
    };
    let all: Vec<_> = both.loads.iter().map(shown).collect();
    let expected = [("a", 0, 9), ("a", 1, 8), ("b", 0, 7)];
    assert_eq!(
        all,
        expected.map(|(run, repeat, requests)| (run.to_owned(), repeat, requests))
    );
    let one = facts(&[&a]);
    assert!(one.parameters.is_empty());
    assert_eq!(one.loads[1].repeat, 1);
}

#[test]
fn results_are_read_from_files_lists_and_lines() {
    let lines = format!("{}\n{}\n", result("m", 4), result("m", 8));
    let list = json!([result("m", 16)]).to_string();
    let place = folder(&[
        ("one.json", &result("m", 2).to_string()),
        ("lines.json", &lines),
        ("list.json", &list),
    ]);
    let facts = facts(&[place.path()]);
    assert_eq!(users(&facts), [2.0, 4.0, 8.0, 16.0].map(Some));
    assert_eq!((&*facts.title, facts.parameters.len()), ("m", 0));
    assert!(facts.left_out.is_empty(), "{facts:?}");
}

#[test]
fn results_of_several_models_are_told_apart_by_the_model() {
    let place = folder(&[
        ("a.json", &result("x", 2).to_string()),
        ("b.json", &result("y", 2).to_string()),
    ]);
    let facts = facts(&[place.path()]);
    assert_eq!(facts.parameters, ["model"]);
    assert_eq!(facts.loads[1].parameters["model"], "y");
}

#[test]
fn a_result_is_read_with_the_database_that_it_names() {
    let mut document = result("m", 2);
    document["crestline_records"] = "crestline-1/parallel_2_number_3/benchmark_data.db".into();
    document["crestline_client"] = json!({"void": true, "reasons": ["late"]});
    let place = folder(&[("r.json", &document.to_string())]);
    let records = place
        .path()
        .join("crestline-1/parallel_2_number_3/benchmark_data.db");
    database(&records, 3, &Value::Null);
    for path in [place.path().to_owned(), place.path().join("r.json")] {
        let facts = facts(&[&path]);
        let [load] = &facts.loads[..] else {
            panic!("{facts:?}")
        };
        assert_eq!(
            (load.figures.requests, load.applied.concurrency),
            (3, Some(2.0))
        );
        assert_eq!(
            load.client,
            Client::Void(vec!["late".to_owned()], Vec::new())
        );
        assert_eq!(load.origin.files.len(), 2);
    }
    fs::remove_dir_all(place.path().join("crestline-1")).unwrap();
    let load = &facts(&[place.path()]).loads[0];
    assert_eq!(load.figures.requests, 4, "figures are enough");
}

#[test]
fn requests_that_a_result_lists_are_kept() {
    let mut document = result("m", 2);
    document["start_times"] = json!([1.0, 2.0]);
    document["ttfts"] = json!([0.5, 0.25]);
    document["itls"] = json!([[0.1], []]);
    document["output_lens"] = json!([2, 1]);
    let place = folder(&[("r.json", &document.to_string())]);
    let facts = facts(&[place.path()]);
    let detail = facts.loads[0].detail.as_ref().unwrap();
    assert_eq!(detail.digest.requests.total(), 2);
}

#[test]
fn what_is_no_run_is_named_and_the_rest_is_drawn() {
    let place = folder(&[
        ("good.json", &result("m", 2).to_string()),
        ("broken.json", r#"{"duration": 1"#),
        ("empty.json", ""),
        ("foreign.json", r#"{"name": "x"}"#),
        ("list.json", "[]"),
        ("number.json", "7"),
        ("bytes.json", "\u{0}\u{1}"),
        ("half.db", "SQLite format 3\u{0}and no more"),
        ("text.db", "no database"),
        ("x/benchmark_summary.json", "{}"),
        ("y/benchmark_data.db", ""),
        ("notes.txt", "x"),
        ("data.jsonl", "x"),
    ]);
    let mut half = result("m", 4).to_string();
    half.push_str("\n{\"duration\":");
    fs::write(place.path().join("half.json"), half).unwrap();
    let facts = facts(&[place.path()]);
    assert_eq!(users(&facts), [Some(2.0), Some(4.0)]);
    let named = [
        "broken.json",
        "empty.json",
        "foreign.json",
        "list.json",
        "number.json",
        "bytes.json",
        "half.db",
        "text.db",
        "x/benchmark_summary.json",
        "y/benchmark_data.db",
        "half.json",
    ];
    for name in named {
        let named = facts
            .left_out
            .iter()
            .filter(|line| line.contains(&format!("/{name}: ")));
        assert_eq!(named.count(), 1, "{name}: {:#?}", facts.left_out);
    }
    assert_eq!(facts.left_out.len(), named.len(), "{:#?}", facts.left_out);
}

#[test]
fn nothing_to_draw_is_wrong_use_and_says_why() {
    let check = |path: &Path, expected: &str| {
        let problem = read(&[path.to_owned()], &Wanted::default()).unwrap_err();
        assert_eq!(problem.exit(), Exit::Usage);
        assert!(problem.to_string().contains(expected), "{problem}");
    };
    let place = folder(&[("a/notes.txt", "x"), ("b/broken.json", "{")]);
    check(&place.path().join("a"), "no file in it is of a run");
    check(&place.path().join("b"), "broken.json: it is no JSON");
    check(&place.path().join("b/broken.json"), "it is no JSON");
    check(&place.path().join("c"), "does not exist");
    check(&place.path().join("a/notes.txt"), "it is no JSON");
}

#[test]
fn requests_of_a_database_of_evalscope_are_read_with_its_files() {
    let arguments = json!({"model": "m", "url": "http://h", "parallel": 2});
    let place = folder(&[
        (
            "m/parallel_2_number_2/benchmark_summary.json",
            &summary(2, 2),
        ),
        (
            "m/parallel_2_number_2/benchmark_args.json",
            &arguments.to_string(),
        ),
    ]);
    let path = place.path().join("m/parallel_2_number_2/benchmark_data.db");
    let connection = rusqlite::Connection::open(path).unwrap();
    let rows = "CREATE TABLE result (request TEXT, start_time REAL, inter_token_latencies TEXT, success INTEGER,
            latency REAL, first_chunk_latency REAL, prompt_tokens INTEGER, completion_tokens INTEGER, is_stream INTEGER);
        INSERT INTO result VALUES ('asked', 7.0, '[0.5]', 1, 1.0, 0.5, 5, 2, 1);
        INSERT INTO result VALUES ('asked', 8.0, '[]', 0, NULL, NULL, NULL, NULL, 1);";
    connection.execute_batch(rows).unwrap();
    drop(connection);
    let wanted = Wanted {
        texts: Texts::Included,
        ..Wanted::default()
    };
    let facts = read(&[place.path().to_owned()], &wanted).unwrap();
    let [load] = &facts.loads[..] else {
        panic!("{facts:?}")
    };
    assert_eq!((load.figures.requests, load.figures.failed), (2, 1));
    assert_eq!(load.figures.spreads[&Metric::Ttft].mean, Some(0.5));
    assert_eq!(load.figures.failures["unknown"], 1);
    let origin = &load.origin;
    assert_eq!(
        (&*origin.tool, origin.model.as_deref()),
        ("evalscope perf", Some("m"))
    );
    assert_eq!(load.applied.concurrency, Some(2.0));
    assert_eq!(load.detail.as_ref().unwrap().texts[&0].request, "asked");
    assert!(facts.left_out.is_empty(), "{facts:?}");
}

mod broken {
    use proptest::prelude::*;

    use super::*;

    /// Files of each kind by their names.
    fn files() -> Vec<(&'static str, String)> {
        let search = json!({
            "format": "crestline_sla_summary", "question": {"variable": "parallel"},
            "selections": [{"criteria": "p99_ttft <= 0.2", "status": "value", "max_satisfied": 8.0}],
            "loads": [{"load": 8.0, "requests": 5, "figures": {"tps": 70.0}}],
        });
        let metrics: Value = serde_json::from_str(&summary(2, 9)).unwrap();
        let other = json!({"parallel_2": {"metrics": metrics, "percentiles": {}}});
        let sweep = json!([result("m", 2), result("m", 4)]);
        vec![
            ("r.json", result("m", 2).to_string()),
            ("x/benchmark_summary.json", summary(2, 9)),
            ("s/sla_summary.json", search.to_string()),
            ("o/sla_summary.json", other.to_string()),
            ("SERVE-a/run=0.json", result("m", 2).to_string()),
            ("SERVE-a/summary.json", sweep.to_string()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// A file that is cut anywhere is named; a whole one is read.
        #[test]
        fn a_file_that_is_cut_is_named(which in 0..6_usize, share in 0.0..1.0_f64) {
            let (name, text) = files().swap_remove(which);
            let cut = (share * text.len() as f64) as usize;
            let place = folder(&[(name, &text[..cut])]);
            let problem = read(&[place.path().to_owned()], &Wanted::default()).unwrap_err();
            prop_assert_eq!(problem.exit(), Exit::Usage);
            prop_assert!(problem.to_string().contains(name), "{}", problem);
            fs::write(place.path().join(name), &text).unwrap();
            let facts = read(&[place.path().to_owned()], &Wanted::default()).unwrap();
            prop_assert!(facts.left_out.is_empty(), "{:?}", facts.left_out);
        }

        /// Whatever a file holds, it is drawn or named.
        #[test]
        fn any_text_is_drawn_or_named(which in 0..6_usize, text in "[\\[\\]{}\":,0-9a-z_ ]{0,60}") {
            let (name, _) = files().swap_remove(which);
            let place = folder(&[(name, &text)]);
            let problem = read(&[place.path().to_owned()], &Wanted::default()).unwrap_err();
            prop_assert!(problem.to_string().contains(name), "{}", problem);
        }

        /// Whatever stands in place of a value, nothing breaks.
        #[test]
        fn values_of_any_kind_are_read_without_a_panic(which in 0..6_usize, place in 0..40_usize, kind in 0..6_usize) {
            let (name, text) = files().swap_remove(which);
            let other = ["null", "-1", "1e300", "\"x\"", "[1]", "{\"a\":1}"][kind];
            let colons: Vec<usize> = text.match_indices(':').map(|(at, _)| at).collect();
            let at = colons[place % colons.len()] + 1;
            let end = text[at..].find([',', '}']).map_or(text.len(), |end| at + end);
            let text = format!("{}{other}{}", &text[..at], &text[end..]);
            let place = folder(&[(name, &text)]);
            drop(read(&[place.path().to_owned()], &Wanted::default()));
        }
    }
}

/// Of two servers, one with an answer and two runs at a load, one with a run that failed.
fn experiment() -> tempfile::TempDir {
    let run = |users: u32, number: i64, seqs: u32| {
        let mut run = result("m", users);
        run["run_number"] = number.into();
        run["max_num_seqs"] = seqs.into();
        run.to_string()
    };
    let answer = json!({
        "serve": "max_num_seqs=2", "criteria": "c", "status": "value", "load": 4.0, "limited_by": "b",
        "interval": {"low": 3.0, "high": 5.0, "probability": 0.9},
    });
    let sla = json!({"variable": "max_concurrency", "slas": [{"bench": "", "ranking": [answer]}]});
    let cell = "e/SERVE--max_num_seqs=2";
    folder(&[
        (
            &format!("{cell}/max_concurrency=4/run=0.json"),
            &run(4, 0, 2),
        ),
        (
            &format!("{cell}/max_concurrency=4/run=1.json"),
            &run(4, 1, 2),
        ),
        (
            &format!("{cell}/max_concurrency=1/run=0.json"),
            &run(1, 0, 2),
        ),
        (&format!("{cell}/SLA--c.json"), "[]"),
        (
            "e/SERVE--max_num_seqs=8/max_concurrency=4/summary.json",
            &format!("[{}]", run(4, 0, 8)),
        ),
        (
            "e/SERVE--max_num_seqs=8/max_concurrency=4/run=1.failure.json",
            r#"{"error": "error: gone"}"#,
        ),
        ("e/crestline/sla.json", &sla.to_string()),
        ("e/crestline/runs/x/made_by.json", "{"),
    ])
}

#[test]
fn an_experiment_has_runs_parameters_and_answers() {
    let place = experiment();
    let facts = facts(&[place.path()]);
    assert_eq!(facts.parameters, ["max_num_seqs"]);
    let shown = |load: &LoadFacts| {
        (
            load.parameters["max_num_seqs"].clone(),
            load.applied.concurrency,
            load.repeat,
        )
    };
    let all: Vec<_> = facts.loads.iter().map(shown).collect();
    let row = |seqs: &str, users, repeat| (seqs.to_owned(), Some(users), repeat);
    assert_eq!(
        all,
        [
            row("2", 1.0, 0),
            row("2", 4.0, 0),
            row("2", 4.0, 1),
            row("8", 4.0, 0)
        ]
    );
    let search = &facts.searches[0];
    assert_eq!(search.parameters["max_num_seqs"], "2");
    assert_eq!(
        (search.answers[0].load, &*search.unit),
        (Some(4.0), "users")
    );
    assert_eq!(search.answers[0].binding.as_deref(), Some("b"));
    let tried: Vec<f64> = search.tried.iter().map(|tried| tried.load).collect();
    assert_eq!(tried, [1.0, 4.0]);
    assert_eq!(facts.left_out.len(), 1, "{:?}", facts.left_out);
    assert!(facts.left_out[0].ends_with("run=1.failure.json: the run failed: gone"));
}

#[test]
fn starts_are_a_table() {
    let starts = |times: &str, seqs: u32| {
        format!(
            r#"{{"avg_cold_startup_time": 2.0, "cold_startup_times": {times}, "run_number": 0, "max_num_seqs": {seqs}}}"#
        )
    };
    let place = folder(&[
        ("e/SERVE--a/run=0.json", &starts("[3.0, 1.0, 2.0]", 1)),
        ("e/SERVE--b/run=0.json", &starts("[4.0]", 2)),
    ]);
    let facts = facts(&[place.path()]);
    let [table] = &facts.tables[..] else {
        panic!("{facts:?}")
    };
    assert_eq!(table.columns[..3], ["max_num_seqs", "run", "start"]);
    let row = [
        json!("1"),
        json!(0),
        json!("cold startup"),
        json!(3),
        json!(2.0),
        json!(1.0),
        json!(2.0),
        json!(3.0),
    ];
    assert_eq!(table.rows[0], row);
    assert_eq!(table.rows.len(), 2);
}

#[test]
fn a_search_of_evalscope_is_judged_by_the_criteria_of_its_runs() {
    let metrics = |ttft: f64| {
        let mut metrics: Value = serde_json::from_str(&summary(2, 9)).unwrap();
        metrics["Avg TTFT (ms)"] = ttft.into();
        json!({"metrics": metrics, "percentiles": {}})
    };
    let search = json!({"parallel_2": metrics(50.0), "parallel_4": metrics(90.0), "parallel_8": metrics(120.0)});
    let arguments = json!({"model": "m", "sla_params": [{"avg_ttft": "<=0.1"}]});
    let place = folder(&[
        ("sla_summary.json", &search.to_string()),
        (
            "sla_tuning/sla_parallel_2_run_0/benchmark_summary.json",
            &summary(2, 9),
        ),
        (
            "sla_tuning/sla_parallel_2_run_0/benchmark_args.json",
            &arguments.to_string(),
        ),
    ]);
    let facts = facts(&[place.path()]);
    let [search] = &facts.searches[..] else {
        panic!("{facts:?}")
    };
    assert_eq!((search.tried.len(), facts.loads.len()), (3, 1));
    let [answer] = &search.answers[..] else {
        panic!("{search:?}")
    };
    assert_eq!((answer.load, answer.outcome), (Some(4.0), None));
    assert_eq!(answer.criteria, "avg_ttft <= 0.1");
}
