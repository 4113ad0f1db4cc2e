//! SLA searches in real time against the simulated engine in a process of its own: a whole search, and searches that are
//! ended by the user, by a kill, or by a service that goes away.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crestline_load::clock;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Place, Ran, Sim, rows, signal, wait_until};
use crate::sla_virtual::{FOLDER, indices, place};

/// A search of a few seconds, whose limit binds at about 14 users. Its budget bounds it on a busy machine.
const SEARCH: &str = r#"--model m --tokenizer-path builtin --dataset random --min-prompt-length 16 --max-prompt-length 16
    --max-tokens 32 --no-timestamp --sla-auto-tune --sla-params [{"p99_ttft":"<=100ms"}] --sla-upper-bound 64
    --sla-tolerance 0.2 --parallel 1 --sla-budget 60s"#;

/// Given after [`SEARCH`], this group holds in its place.
const NEVER_PASSED: &str = r#"--sla-params [{"p99_latency":"<=20s"}]"#;

fn eight(place: &Place, more: &str) -> Sim {
    Sim::start(place, &format!("--profile eight.toml {more}"))
}

fn search(place: &Place, sim: &Sim, more: &str) -> Ran {
    place.run(&line(sim, more))
}

fn line(sim: &Sim, more: &str) -> String {
    format!("perf --url {} {SEARCH} {more}", sim.chat())
}

fn start(place: &Place, sim: &Sim, more: &str) -> Child {
    place
        .command(&line(sim, more))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn summary(place: &Place) -> Value {
    place.json(&format!("{FOLDER}/sla_summary.json"))
}

fn stored(place: &Place) -> i64 {
    let database = place.path(FOLDER).join("benchmark_data.db");
    if database.exists() {
        rows(&database)
    } else {
        0
    }
}

/// Goes on where a busy machine made the client the bottleneck, which the search rightly tells and does not count.
fn until_sound(place: &Place, sim: &Sim, first: Ran) -> Ran {
    let mut ran = first;
    for _ in 0..3 {
        if summary(place)["selections"][0]["status"] != "void" {
            break;
        }
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        ran = search(place, sim, &format!("--resume {FOLDER}"));
    }
    ran
}

/// The search is over with an answer: a value, or as narrow a range as the budget and a busy machine allow.
fn check_answer(ran: &Ran, place: &Place) {
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:#?}");
    let found = summary(place);
    let answer = &found["selections"][0];
    assert!(
        answer["status"] == "value" || answer["status"] == "inconclusive",
        "{answer}"
    );
    let end = |end: &str| answer["interval"][end].as_f64().unwrap();
    // Eight run at a time and a full round takes 0.1 s: half of that many users never wait so long, three times do.
    assert!(end("low") <= 24.0 && end("high") >= 4.0, "{answer}");
    assert_eq!(found["interrupted"], false);
}

#[test]
fn a_search_in_real_time_answers_and_every_request_is_on_file() {
    let place = place();
    let sim = eight(&place, "--truth truth.csv");
    let ran = search(&place, &sim, "");
    let ran = until_sound(&place, &sim, ran);
    check_answer(&ran, &place);
    for text in ["SLA Auto-tune Summary:", "p99_ttft <= 0.1", "Client:"] {
        assert!(ran.out.contains(text), "no `{text}` in {}", ran.out);
    }
    let totals = &summary(&place)["totals"];
    let told = totals["requests"].as_i64().unwrap() + totals["given_up"].as_i64().unwrap();
    assert_eq!(stored(&place), told);
    assert_eq!(indices(&place).len(), usize::try_from(told).unwrap());
    assert_eq!(sim.stop(), Some(0));
    let truth = fs::read_to_string(place.path("truth.csv")).unwrap();
    let served: BTreeSet<&str> = truth
        .lines()
        .skip(1)
        .filter_map(|row| row.split(',').next())
        .filter(|id| !id.ends_with("-check"))
        .collect();
    // Those that were given up before they were written never came there.
    let served = i64::try_from(served.len()).unwrap();
    let given_up = totals["given_up"].as_i64().unwrap();
    assert!(
        (told - given_up..=told).contains(&served),
        "the server saw {served} of {told}"
    );
}

#[test]
fn an_interrupted_search_says_what_it_knows_and_goes_on_later() {
    let place = place();
    let sim = eight(&place, "");
    let child = start(&place, &sim, "");
    wait_until("requests on file", || stored(&place) > 60);
    signal(&child, Signal::SIGINT);
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    assert!(ran.err.contains("--resume"), "{}", ran.err);
    assert!(ran.out.contains("SLA Auto-tune Summary:"), "{}", ran.out);
    let partial = summary(&place);
    assert_eq!(partial["interrupted"], true);
    assert_eq!(partial["selections"][0]["status"], "inconclusive");
    let before = indices(&place);

    let ran = search(&place, &sim, &format!("--resume {FOLDER}"));
    let ran = until_sound(&place, &sim, ran);
    check_answer(&ran, &place);
    let after = indices(&place);
    assert!(after.is_superset(&before) && after.len() > before.len());
    let requests = |found: &Value| found["totals"]["requests"].as_i64().unwrap();
    assert!(requests(&summary(&place)) > requests(&partial));
}

#[test]
fn a_search_that_is_killed_again_and_again_has_an_answer_in_the_end() {
    let place = place();
    let sim = eight(&place, "");
    let journal = place.path(FOLDER).join("sla_journal.jsonl");
    let mut more = String::new();
    let mut before = 0;
    // Moments that lie anywhere in the course of a search, the first ones just after it has begun.
    for millis in [0, 700, 1300, 250] {
        let mut child = start(&place, &sim, &more);
        wait_until("rows after those before", || stored(&place) > before + 3);
        clock::sleep(Duration::from_millis(millis));
        drop(child.kill());
        assert_ne!(child.wait().unwrap().code(), Some(2));
        before = stored(&place);
        assert!(journal.exists());
        more = format!("--resume {FOLDER}");
    }
    let known = indices(&place);
    let ran = search(&place, &sim, &more);
    let ran = until_sound(&place, &sim, ran);
    check_answer(&ran, &place);
    assert!(indices(&place).is_superset(&known));
    let probes = summary(&place)["probes"].clone();
    let mut end = 0.0;
    for probe in probes.as_array().unwrap() {
        let start = probe["start_s"].as_f64().unwrap();
        assert!(start >= end - 1e-6, "{probe} begins before {end}");
        end = start + probe["duration_s"].as_f64().unwrap();
    }
}

#[test]
fn a_service_that_goes_away_ends_a_search_as_not_met() {
    let place = place();
    let sim = eight(&place, "");
    let child = start(&place, &sim, "");
    wait_until("requests on file", || stored(&place) > 60);
    drop(sim);
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_ne!(ran.code, Some(0), "{ran:#?}");
    let found = summary(&place);
    assert_ne!(found["selections"][0]["status"], "value", "{found}");
    assert!(found["totals"]["failed"].as_i64().unwrap() > 0);
}

#[test]
fn a_search_goes_no_higher_than_connections_reach() {
    let place = place();
    let sim = eight(&place, "");
    // A limit that is never passed, so that the search goes as high as it can.
    let command = place.command(&format!("{} {NEVER_PASSED}", line(&sim, "")));
    let mut limited = Command::new("sh");
    limited
        .args(["-c", r#"ulimit -n 80; exec "$0" "$@""#])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let ran: Ran = limited.output().unwrap().into();
    assert!(ran.err.contains("goes no higher than 16 users"), "{ran:#?}");
    let answer = &summary(&place)["selections"][0];
    assert_eq!(
        answer["status"], "void",
        "what lies above is not known: {answer}"
    );
    assert_eq!(ran.code, Some(1), "{ran:#?}");
}
