//! MLflow with a scripted server in its place: what a run tells it, and what its failures cost. A real server is asked by the
//! tests of the Python package.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Place, Ran};
use crate::scripted::{Manner, Request, Scripted};

/// A run of two loads, 20 and 40 seconds of virtual time.
const RUN: &str = "perf --url sim:constant-20ms --model m --tokenizer-path builtin --dataset random --max-tokens 100 --min-tokens 100 \
    --min-prompt-length 16 --max-prompt-length 16 --parallel 1 2 --number 10 40 --no-timestamp --outputs-dir out --visualizer mlflow \
    --name trial";
/// Requests until the run has begun: the experiment, the run, its parameters.
const TO_BEGIN: usize = 3;

/// What a server that works says.
fn works(request: &Request) -> Manner {
    let call = request.path.split('?').next().unwrap();
    let answer = match call.rsplit('/').next().unwrap() {
        "get-by-name" => json!({"experiment": {"experiment_id": "7", "lifecycle_stage": "active"}}),
        "create" => {
            let name = request.json()["run_name"].clone();
            let id = if name == "trial" { "r0" } else { "r1" };
            json!({"run": {"info": {
                "run_id": id,
                "artifact_uri": format!("mlflow-artifacts:/7/{id}/artifacts"),
            }}})
        }
        _ => json!({}),
    };
    Manner::Answer(200, answer.to_string())
}

fn run(place: &Place, server: &Scripted, more: &str) -> Ran {
    let mut command = place.command(&format!("{RUN} {more}"));
    command
        .env("MLFLOW_TRACKING_URI", &server.url)
        .env("MLFLOW_TRACKING_TOKEN", "t0ken-of-mine")
        .env("MLFLOW_HTTP_REQUEST_TIMEOUT", "1");
    command.output().unwrap().into()
}

fn calls<'a>(requests: &'a [Request], end: &str) -> Vec<&'a Request> {
    let is_asked = |request: &&Request| request.path.ends_with(end);
    requests.iter().filter(is_asked).collect()
}

/// Last values of the metrics of a run.
fn metrics(requests: &[Request], run: &str) -> BTreeMap<String, (u64, f64)> {
    let mut found = BTreeMap::new();
    for request in calls(requests, "runs/log-batch") {
        let body = request.json();
        let metrics = body["metrics"].as_array().cloned().unwrap_or_default();
        assert!(metrics.len() <= 1000, "{}", metrics.len());
        for metric in metrics.iter().filter(|_| body["run_id"] == run) {
            let key = metric["key"].as_str().unwrap().to_owned();
            let value = metric["value"].as_f64().unwrap();
            found.insert(key, (metric["step"].as_u64().unwrap(), value));
        }
    }
    found
}

fn summary(place: &Place, load: &str) -> Value {
    place.json(&format!("out/trial/{load}/benchmark_summary.json"))
}

fn assert_measured(place: &Place) {
    for (load, requests) in [("parallel_1_number_10", 10), ("parallel_2_number_40", 40)] {
        assert_eq!(summary(place, load)["Success Requests"], requests);
    }
}

#[test]
fn a_server_is_told_final_values_files_and_the_end_in_the_keys_of_the_files() {
    let place = Place::new();
    let server = Scripted::start(|_, request| works(request));
    let ran = run(&place, &server, "").done();
    let said = format!(
        "tracker mlflow: the run is at {}/#/experiments/7/runs/r0",
        server.url
    );
    assert!(ran.err.contains(&said), "{}", ran.err);
    assert!(!ran.err.contains("warning"), "{}", ran.err);
    let requests = server.requests();
    for request in &requests {
        let authorization = "Authorization: Bearer t0ken-of-mine\r\n";
        assert!(request.head.contains(authorization), "{}", request.head);
    }
    let begun = calls(&requests, "runs/create")[0].json();
    let tags = begun["tags"].as_array().unwrap();
    assert!(
        tags.contains(&json!({"key": "crestline.model", "value": "m"})),
        "{tags:?}"
    );
    let found = metrics(&requests, "r0");
    let last = summary(&place, "parallel_2_number_40");
    for (name, key) in [
        ("final/avg_ttft_ms", "Avg TTFT (ms)"),
        ("final/req_throughput_req_per_s", "Req Throughput (req/s)"),
        ("final/success_requests", "Success Requests"),
    ] {
        let (step, value) = found[name];
        assert_eq!(step, 2, "{name}: the number of the load");
        assert!((value - last[key].as_f64().unwrap()).abs() < 1e-9, "{name}");
    }
    let loads = calls(&requests, "runs/create").len() - 1;
    assert_eq!(loads, 2, "a run of its own for each load");
    let ends: Vec<_> = calls(&requests, "runs/update")
        .iter()
        .map(|request| {
            (
                request.json()["run_id"].clone(),
                request.json()["status"].clone(),
            )
        })
        .collect();
    assert_eq!(ends.last().unwrap(), &(json!("r0"), json!("FINISHED")));
    let page = std::fs::read(place.path("out/trial/perf_report.html")).unwrap();
    let sent = calls(&requests, "/7/r0/artifacts/perf_report.html");
    assert_eq!((sent.len(), sent[0].method.as_str()), (1, "PUT"));
    assert_eq!(sent[0].body, page);
}

#[test]
fn a_key_of_the_service_is_in_nothing_that_is_told() {
    let place = Place::new();
    let server = Scripted::start(|_, request| works(request));
    run(
        &place,
        &server,
        "--api-key s3rvice-key --headers X-Token=t0p-secret",
    )
    .done();
    for request in server.requests() {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        for secret in ["s3rvice-key", "t0p-secret", "t0ken-of-mine"] {
            assert!(!body.contains(secret), "{}: {body}", request.path);
        }
    }
}

#[test]
fn what_is_wrong_with_a_server_is_told_before_any_load() {
    let refusals: [(Manner, &str); 4] = [
        (
            Manner::Answer(401, "who are you?".to_owned()),
            "HTTP 401: who are you?\n  hint: set MLFLOW_TRACKING_TOKEN",
        ),
        (
            Manner::Hang,
            "no whole answer within 1s\n  hint: is a server running there?",
        ),
        (Manner::Cut, "closed before the answer was whole"),
        (
            Manner::Answer(200, "<html>".to_owned()),
            "is not what was asked for",
        ),
    ];
    for (manner, expected) in refusals {
        let place = Place::new();
        let server = Scripted::start(move |_, _| manner.clone());
        let ran = run(&place, &server, "");
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        let title = format!(
            "error: --visualizer mlflow: the MLflow server at {} takes no run",
            server.url
        );
        assert!(ran.err.contains(&title), "{}", ran.err);
        assert!(ran.err.contains(expected), "{}", ran.err);
        assert!(!ran.err.contains("t0ken-of-mine"), "{}", ran.err);
        assert!(!place.path("out/trial").exists());
    }
}

#[test]
fn an_experiment_in_the_trash_is_told_with_what_to_do() {
    let place = Place::new();
    let server = Scripted::start(|_, _| {
        let gone = json!({"experiment": {"experiment_id": "7", "lifecycle_stage": "deleted"}});
        Manner::Answer(200, gone.to_string())
    });
    let ran = run(&place, &server, "");
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    let expected = "the experiment `perf_benchmark` was deleted\n  hint: restore it";
    assert!(ran.err.contains(expected), "{}", ran.err);
}

#[test]
fn a_server_that_hangs_in_the_middle_is_left_and_costs_nothing_but_its_points() {
    let place = Place::new();
    let server = Scripted::start(|number, request| match number {
        0..TO_BEGIN => works(request),
        _ => Manner::Hang,
    });
    let ran = run(&place, &server, "--tracker-patience 0.5").done();
    assert!(ran.err.contains("warning: tracker mlflow: "), "{}", ran.err);
    assert!(
        ran.err.contains(" dropped, did not end within "),
        "{}",
        ran.err
    );
    assert_measured(&place);
}

#[test]
fn a_server_that_refuses_or_goes_away_in_the_middle_costs_its_points_and_says_why() {
    let failures: [(Manner, &str); 3] = [
        (Manner::Answer(500, "full".to_owned()), "HTTP 500: full"),
        (Manner::Answer(403, "no".to_owned()), "HTTP 403: no"),
        (Manner::Cut, "closed before the answer was whole"),
    ];
    for (manner, why) in failures {
        let place = Place::new();
        let server = Scripted::start(move |number, request| match number {
            0..TO_BEGIN => works(request),
            _ => manner.clone(),
        });
        let ran = run(&place, &server, "").done();
        assert!(ran.err.contains("warning: tracker mlflow: "), "{}", ran.err);
        assert!(ran.err.contains(" dropped ("), "{}", ran.err);
        assert!(ran.err.contains(why), "{}", ran.err);
        assert_measured(&place);
    }
}

#[test]
fn what_a_busy_server_refuses_once_is_sent_again() {
    let place = Place::new();
    let mut is_first = true;
    let server = Scripted::start(move |_, request| {
        if request.path.ends_with("runs/update") && std::mem::take(&mut is_first) {
            return Manner::Answer(503, String::new());
        }
        works(request)
    });
    let ran = run(&place, &server, "").done();
    assert!(!ran.err.contains("warning"), "{}", ran.err);
    assert_eq!(calls(&server.requests(), "runs/update").len(), 4);
}
