//! `crestline bench serve` against what the engine really did.
//!
//! How near the figures are in real time is the bench's matter (docs/performance.md): a busy machine may delay any answer. Here
//! time is virtual, or only the order of events is asserted.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use crate::harness::{Place, Sim};

const RUN: &str = "bench serve --backend vllm --model m --tokenizer builtin --random-input-len 16 --random-output-len 8 \
                   --percentile-metrics ttft,tpot,itl,e2el --save-result --save-detailed --result-filename r.json";

#[test]
fn at_one_and_at_many_users_the_figures_are_the_engine_s_own() {
    for users in [1, 64, 512] {
        let place = Place::new();
        let requests = 4 * users;
        place
            .run(&format!(
                "{RUN} --base-url sim:constant-20ms --num-prompts {requests} --max-concurrency {users}"
            ))
            .done();
        let json = place.json("r.json");
        assert_eq!(json["completed"], requests);
        for (metric, truth) in [
            ("ttft", 20.0),
            ("tpot", 20.0),
            ("itl", 20.0),
            ("e2el", 160.0),
        ] {
            for statistic in ["mean", "median", "p99"] {
                let key = format!("{statistic}_{metric}_ms");
                let reported = json[&key].as_f64().unwrap();
                assert!(
                    (reported - truth).abs() < 1e-6,
                    "{users} users: {key} is {reported}"
                );
            }
        }
    }
}

/// Id, time to the first token and latency of each request, in seconds, from a truth file.
fn truth(path: &std::path::Path) -> Vec<(String, f64, f64)> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        let time = |column: usize| row[column].parse::<f64>().unwrap() / 1e9;
        (row[0].to_owned(), time(2) - time(1), time(3) - time(1))
    });
    rows.collect()
}

#[test]
fn no_reported_time_is_shorter_than_the_engine_took() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms --truth truth.csv");
    let line = format!(
        "{RUN} --base-url {} --num-prompts 192 --max-concurrency 64 --request-id-prefix r-",
        sim.root()
    );
    place.run(&line).done();
    assert_eq!(sim.stop(), Some(0));
    let json = place.json("r.json");
    let (ttfts, itls) = (&json["ttfts"], &json["itls"]);
    let rows = truth(&place.path("truth.csv"));
    assert_eq!(
        rows.len(),
        192,
        "{}",
        fs::read_to_string(place.path("truth.csv")).unwrap()
    );
    // The clocks of arrival and of sending are two, read one after the other.
    let slack = 1e-3;
    for (id, ttft, latency) in rows {
        let index: usize = id.strip_prefix("r-").unwrap().parse().unwrap();
        let reported = ttfts[index].as_f64().unwrap();
        assert!(
            reported > ttft - slack,
            "{id}: {reported} reported, {ttft} true"
        );
        let gaps = itls[index].as_array().unwrap().iter();
        let whole = reported + gaps.map(|gap| gap.as_f64().unwrap()).sum::<f64>();
        assert!(
            whole > latency - slack,
            "{id}: {whole} reported, {latency} true"
        );
    }
}

/// What a command shows on a terminal while it works.
fn shown(place: &Place, line: &str) -> String {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut child = place
        .command(line)
        .stdout(Stdio::null())
        .stderr(Stdio::from(terminal.slave))
        .spawn()
        .unwrap();
    let mut text = Vec::new();
    // Where no process has the other end any more, reading fails.
    drop(fs::File::from(terminal.master).read_to_end(&mut text));
    assert!(child.wait().unwrap().success());
    String::from_utf8(text).unwrap()
}

#[test]
fn progress_is_shown_on_a_terminal_unless_that_is_not_wanted() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let line = format!(
        "{RUN} --base-url {} --num-prompts 12 --max-concurrency 1",
        sim.root()
    );
    // The line is cleared once at the end, and before each time it is drawn.
    let clears = |text: &str| text.matches("\u{1b}[2K").count();
    let watched = shown(&place, &line);
    assert!(clears(&watched) > 1, "{watched:?}");
    let quiet = shown(&place, &format!("{line} --disable-tqdm"));
    assert_eq!(clears(&quiet), 1, "{quiet:?}");
}
