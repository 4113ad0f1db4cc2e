//! The pictures of `crestline bench serve`: what is drawn is what was measured, and each is written on its own.

use std::fs;

use serde_json::Value;

use crate::harness::{Place, Sim};

const RUN: &str = "bench serve --backend vllm --model m --tokenizer builtin --random-input-len 16 --random-output-len 8";
const VIRTUAL: &str = "--base-url sim:gpu-small --num-prompts 12 --max-concurrency 3";
const BOTH: &str = "--plot-timeline --plot-dataset-stats --result-filename r.json";

/// The data that a page draws.
fn drawn(place: &Place, page: &str) -> Value {
    let html = fs::read_to_string(place.path(page)).unwrap();
    let (_, rest) = html
        .split_once("<script type=\"application/json\">")
        .unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// Width, height and pixels an inch, as a PNG file says.
fn size(place: &Place, picture: &str) -> (u32, u32, f64) {
    let file = fs::read(place.path(picture)).unwrap();
    assert!(file.starts_with(b"\x89PNG\r\n\x1a\n"));
    let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
    let dims = file.windows(4).position(|it| it == b"pHYs").unwrap() + 4;
    (number(16), number(20), f64::from(number(dims)) * 0.0254)
}

fn numbers(values: &Value) -> Vec<f64> {
    let values = values.as_array().unwrap();
    values.iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn the_timeline_has_the_times_of_every_request() {
    let place = Place::new();
    place
        .run(&format!(
            "{RUN} {VIRTUAL} {BOTH} --save-result --save-detailed --compat vllm"
        ))
        .done();
    let (json, page) = (place.json("r.json"), drawn(&place, "r.timeline.html"));
    let rows = page["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 12);
    let (starts, ttfts) = (numbers(&json["start_times"]), numbers(&json["ttfts"]));
    let queues = numbers(&json["queue_times"]);
    let origin = starts.iter().copied().fold(f64::INFINITY, f64::min);
    for (place, row) in rows.iter().enumerate() {
        let near = |at: usize, seconds: f64| {
            let us = row[at].as_f64().unwrap();
            assert!(
                (us - seconds * 1e6).abs() <= 1.5,
                "{at} of {row}: {seconds}"
            );
        };
        near(2, starts[place] - origin);
        near(1, row[0].as_f64().unwrap() / 1e6 + queues[place]);
        assert_eq!(
            (&row[4], &row[5]),
            (&json["input_lens"][place], &json["output_lens"][place])
        );
        assert_eq!(row[6], 0);
        let spans = numbers(&row[7]);
        let itls = numbers(&json["itls"][place]);
        assert_eq!(spans.len(), itls.len() + 1);
        for (us, seconds) in spans.iter().zip([ttfts[place]].iter().chain(&itls)) {
            assert!((us - seconds * 1e6).abs() <= 1.5, "{us} µs for {seconds} s");
        }
    }
    // All are due at the beginning, so that those beyond the limit wait for a slot.
    assert!(queues[3..].iter().all(|wait| *wait > 0.0), "{queues:?}");
}

#[test]
fn pictures_need_no_other_file() {
    let place = Place::new();
    place.run(&format!("{RUN} {VIRTUAL} {BOTH}")).done();
    let files = ["r.dataset_stats.png", "r.report.html", "r.timeline.html"];
    assert_eq!(place.list(""), files);
    let (width, height, dpi) = size(&place, "r.dataset_stats.png");
    assert_eq!((width, height, dpi.round()), (2100, 1500, 150.0));
    let named = Place::new();
    named
        .run(&format!(
            "{RUN} {VIRTUAL} --plot-timeline --no-html --result-dir out"
        ))
        .done();
    let [file] = &named.list("out")[..] else {
        panic!("not one file: {:?}", named.list("out"));
    };
    assert!(
        file.starts_with("vllm-infqps-concurrency3-m-") && file.ends_with(".timeline.html"),
        "{file}"
    );
}

#[test]
fn thresholds_class_the_waits() {
    let place = Place::new();
    let line = format!(
        "{RUN} --base-url sim:constant-20ms --num-prompts 3 --plot-timeline --result-filename r.json"
    );
    let page = |more: &str| {
        place.run(&format!("{line} {more}")).done();
        fs::read_to_string(place.path("r.timeline.html")).unwrap()
    };
    // Three answers of eight tokens, 20 ms apart.
    assert!(page("").contains("below 25 ms (21)"));
    let shifted = page("--timeline-itl-thresholds 5,15");
    assert!(shifted.contains("below 5 ms (0)") && shifted.contains("15 ms and more (21)"));
    assert_eq!(
        drawn(&place, "r.timeline.html")["thresholds_ms"],
        serde_json::json!([5, 15])
    );
}

#[test]
fn tokens_of_one_event_share_its_wait_unless_events_are_counted() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms --fault merged-chunks=1:4");
    let waits = |more: &str| -> Vec<Value> {
        let line = format!(
            "{RUN} --base-url {} --num-prompts 2 --plot-timeline --result-filename r.json {more}",
            sim.root()
        );
        place.run(&line).done();
        let page = drawn(&place, "r.timeline.html");
        page["rows"][0][7].as_array().unwrap().clone()
    };
    let together = |waits: &[Value]| -> u64 {
        let later = &waits[1..];
        later
            .iter()
            .map(|wait| wait.get(1).map_or(1, |tokens| tokens.as_u64().unwrap()))
            .sum()
    };
    let by_token = waits("");
    assert!(by_token.len() < 8, "{by_token:?}");
    assert!(by_token.iter().any(Value::is_array), "{by_token:?}");
    let by_event = waits("--compat vllm");
    assert_eq!(by_event.len(), by_token.len());
    assert!(by_event.iter().all(Value::is_number), "{by_event:?}");
    assert!(together(&by_token) > together(&by_event));
}

#[test]
fn failed_requests_are_shown_with_their_reason() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms --fault http-500=0.5");
    let line = format!(
        "{RUN} --base-url {} --num-prompts 16 --save-result {BOTH}",
        sim.root()
    );
    place.run(&line).done();
    let page = drawn(&place, "r.timeline.html");
    let rows = page["rows"].as_array().unwrap();
    let reasons = rows.iter().filter_map(|row| row[6].as_str());
    let reasons: Vec<&str> = reasons.collect();
    assert_eq!(
        reasons.len() as u64,
        place.json("r.json")["failed"].as_u64().unwrap()
    );
    assert!(!reasons.is_empty() && reasons.len() < 16);
    assert!(
        reasons
            .iter()
            .all(|reason| reason.starts_with("server_error: HTTP 500"))
    );
}

#[test]
fn what_cannot_be_written_keeps_nothing_else_from_being_so() {
    let place = Place::new();
    fs::create_dir(place.path("r.timeline.html")).unwrap();
    let ran = place.run(&format!("{RUN} {VIRTUAL} {BOTH} --save-result"));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.err.contains("the pictures cannot be written") && ran.err.contains("r.timeline.html: "),
        "{}",
        ran.err
    );
    assert_eq!(place.json("r.json")["completed"], 12);
    assert_eq!(size(&place, "r.dataset_stats.png").0, 2100);

    let place = Place::new();
    fs::create_dir(place.path("r.json")).unwrap();
    let ran = place.run(&format!("{RUN} {VIRTUAL} {BOTH} --save-result"));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.err.contains("the results cannot be written"),
        "{}",
        ran.err
    );
    assert_eq!(
        drawn(&place, "r.timeline.html")["rows"]
            .as_array()
            .unwrap()
            .len(),
        12
    );
    assert_eq!(size(&place, "r.dataset_stats.png").0, 2100);
}

#[test]
fn lengths_that_nobody_counted_are_told_and_not_drawn() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms --fault missing-usage=1");
    let dataset = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/datasets/prompts.jsonl"
    );
    let line = format!(
        "bench serve --backend openai-embeddings --endpoint /v1/embeddings --base-url {} --model m --skip-tokenizer-init --num-prompts 4 \
         --dataset-name custom --dataset-path {dataset} {BOTH}",
        sim.root()
    );
    let ran = place.run(&line).done();
    assert!(
        ran.err
            .contains("warning: there is no picture of the lengths: the service does not say"),
        "{}",
        ran.err
    );
    assert_eq!(place.list(""), ["r.report.html", "r.timeline.html"]);
    assert_eq!(drawn(&place, "r.timeline.html")["first"], "Answer");
}

#[test]
fn each_of_several_runs_has_pictures_of_its_own() {
    let place = Place::new();
    let line = format!("{RUN} {VIRTUAL} {BOTH} --num-runs 2");
    let dry = place.run(&format!("{line} --dry-run")).done();
    assert!(
        dry.out
            .contains("Pictures: r-run1.timeline.html to r-run2.timeline.html\n"),
        "{}",
        dry.out
    );
    // What is appended to one file has pictures for each run too.
    for more in ["", "--append-result"] {
        place.run(&format!("{line} {more}")).done();
        let drawn_files = [
            "r-run1.dataset_stats.png",
            "r-run1.timeline.html",
            "r-run2.dataset_stats.png",
            "r-run2.timeline.html",
        ];
        for file in drawn_files {
            fs::remove_file(place.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
    }
}

#[test]
fn a_dry_run_names_the_pictures() {
    let place = Place::new();
    let ran = place
        .run(&format!(
            "{RUN} {VIRTUAL} {BOTH} --result-dir out --dry-run"
        ))
        .done();
    for text in [
        "Results: none\n",
        "Picture: out/r.timeline.html\n",
        "Picture: out/r.dataset_stats.png\n",
    ] {
        assert!(ran.out.contains(text), "no `{text}` in {}", ran.out);
    }
    assert_eq!(place.list(""), Vec::<String>::new());
}
