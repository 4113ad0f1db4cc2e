//! What goes on beside a run: small requests, a profile of the service, and what the service counts of itself.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use super::RUN;
use super::script::{Say, Script, event};
use crate::harness::{Place, Sim, rows};

/// A service whose three canvases of 8 places become final in 15 steps, between the first look at its counters and the next.
fn canvases() -> Script {
    Script::start(|asked, before| match asked.path.as_str() {
        "/metrics" => Some(vec![Say::Text(
            [
                ("denoising_steps", 100, 15),
                ("canvas_positions", 800, 120),
                ("committed_tokens", 160, 24),
            ]
            .map(|(name, first, more)| {
                let total = first + if before > 0 { more } else { 0 };
                format!("vllm:diffusion_num_{name}_total{{engine=\"0\"}} {total}\n")
            })
            .concat(),
        )]),
        "/v1/completions" => Some(vec![
            event(
                r#"{"choices":[{"index":0,"text":"a b c","finish_reason":"length"}],"usage":{"prompt_tokens":16,"completion_tokens":3}}"#,
            ),
            event("[DONE]"),
        ]),
        _ => None,
    })
}

#[test]
fn figures_of_decoding_by_diffusion_are_what_the_service_counted_meanwhile() {
    let place = Place::new();
    let script = canvases();
    let line = format!(
        "{RUN} --base-url {} --num-prompts 2 --save-result --result-filename r.json --server-metrics off",
        script.root()
    );
    let ran = place.run(&line).done();
    let shown: Vec<&str> = ran
        .out
        .lines()
        .skip_while(|line| !line.contains("Diffusion Decoding"))
        .skip(2)
        .map(str::trim_end)
        .collect();
    assert_eq!(
        shown[..5],
        [
            "Denoising steps per canvas:              4.00",
            "Committed per denoising step:            2.00",
            "Committed tokens:                        24",
            "Denoising steps:                         12",
            "Canvas positions evaluated:              120",
        ]
    );
    let json = place.json("r.json");
    let names: Vec<&str> = json
        .as_object()
        .unwrap()
        .keys()
        .filter_map(|key| key.strip_prefix("diffusion_"))
        .collect();
    assert_eq!(
        names,
        [
            "committed_throughput",
            "steps_per_canvas",
            "committed_per_step",
            "committed_tokens",
            "denoising_steps",
            "canvas_positions"
        ]
    );
    let throughput = json["diffusion_committed_throughput"].as_f64().unwrap();
    let expected = 24.0 / json["duration"].as_f64().unwrap();
    assert!((throughput - expected).abs() < 1e-9);
    assert_eq!(json["diffusion_denoising_steps"], 12);
}

#[test]
fn probes_go_on_beside_the_load_at_their_own_rate() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let line = format!(
        "{RUN} --random-output-len 40 --base-url {} --num-prompts 4 --max-concurrency 2 --probe-request-rate 20 --save-result \
         --save-detailed --result-filename r.json",
        sim.root()
    );
    let ran = place.run(&line).done();
    for label in ["Probe requests completed:", "P99 probe E2EL (ms):"] {
        assert!(ran.out.contains(label), "{}", ran.out);
    }
    let json = place.json("r.json");
    let number = |key: &str| json[key].as_f64().unwrap();
    // Due each 50 ms; a busy machine may begin late.
    let due = number("duration") * 20.0;
    assert!(number("probe_completed") >= due / 2.0, "{json}");
    assert_eq!(json["probe_failed"], 0);
    assert!(number("probe_median_e2el_ms") >= 20.0, "{json}");
    assert!(number("probe_median_e2el_ms") <= number("probe_max_e2el_ms"));
    assert_eq!(json["completed"], 4, "probes are not among the requests");
    let names = place.list("");
    let folder = names.iter().find(|name| name.starts_with("crestline-"));
    let database = format!("{}/parallel_2_number_4/benchmark_data.db", folder.unwrap());
    assert_eq!(rows(&place.path(&database)), 4, "nor in the database");
    let keys: Vec<&str> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let place_of = |key: &str| keys.iter().position(|other| *other == key).unwrap();
    assert_eq!(place_of("probe_completed"), place_of("rtfx") + 1);
    assert!(place_of("probe_max_e2el_ms") < place_of("mean_ttft_ms"));
}

#[test]
fn a_probe_asks_for_one_token_of_a_short_text_whatever_the_load_asks_for() {
    let place = Place::new();
    let script = Script::start(|asked, _| {
        let is_probe = asked.body.contains(r#""Hi""#);
        (asked.path == "/v1/completions").then(|| {
            let answer = event(r#"{"choices":[{"index":0,"text":"a","finish_reason":"length"}]}"#);
            vec![
                Say::Wait(if is_probe { 0 } else { 300 }),
                answer,
                event("[DONE]"),
            ]
        })
    });
    let line = format!(
        r#"{RUN} --base-url {} --num-prompts 2 --max-concurrency 1 --probe-request-rate 10 --extra-body {{"max_tokens":99,"min_tokens":7,"user":"u"}}"#,
        script.root()
    );
    place.run(&line).done();
    let probes: Vec<Value> = script
        .bodies("/v1/completions")
        .iter()
        .filter(|body| body.contains(r#""Hi""#))
        .map(|body| serde_json::from_str(body).unwrap())
        .collect();
    // Due each tenth of a second; the limit of one request in flight is the load's.
    assert!(probes.len() >= 3, "{probes:?}");
    for probe in probes {
        assert_eq!(
            (&probe["prompt"], &probe["max_tokens"], &probe["user"]),
            (&"Hi".into(), &1.into(), &"u".into())
        );
        assert!(probe.get("min_tokens").is_none());
    }
}

/// How often the simulated profiler was switched on and off.
fn switched(sim: &Sim) -> [u64; 2] {
    let host = sim.root().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    ["starts", "stops"].map(|name| {
        let name = format!("crestline_sim:profiler_{name}_total");
        let samples = page.lines().filter(|line| line.starts_with(&name));
        let value = samples.map(|line| line.rsplit(' ').next().unwrap());
        value.map(|value| value.parse::<u64>().unwrap()).sum()
    })
}

#[test]
fn a_full_batch_is_profiled_once_and_a_batch_that_is_never_full_is_told() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let line = |threshold: u32| {
        format!(
            "{RUN} --random-output-len 60 --base-url {} --num-prompts 12 --max-concurrency 4 --profile --profile-batch-threshold {threshold} \
             --profile-duration 0.2",
            sim.root()
        )
    };
    let ran = place.run(&line(4)).done();
    assert!(
        ran.err
            .contains("the profile was begun with 4 requests running"),
        "{}",
        ran.err
    );
    assert_eq!(switched(&sim), [1, 1], "begun and ended once");
    let ran = place.run(&line(5)).done();
    assert!(
        ran.err
            .contains("at most 4 requests were running, and 5 are waited for"),
        "{}",
        ran.err
    );
    assert_eq!(switched(&sim), [1, 1], "not begun");
}

#[test]
fn a_service_without_the_gauge_is_told_before_the_load() {
    let place = Place::new();
    let script = Script::start(|asked, _| {
        (asked.path == "/metrics").then(|| vec![Say::Text("up 1\n".to_owned())])
    });
    let line = format!(
        "{RUN} --base-url {} --num-prompts 2 --profile --profile-batch-threshold 1",
        script.root()
    );
    let ran = place.run(&line);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.err.contains("vllm:num_requests_running"), "{}", ran.err);
    assert!(script.bodies("/v1/completions").is_empty());
}
