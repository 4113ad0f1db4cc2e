//! `crestline sim` as a command: starting, refusing, stopping.

use std::fs;
use std::net::TcpListener;

use crate::harness::{Place, Sim};

#[test]
fn it_stops_on_a_signal_and_writes_the_truth_to_its_end() {
    let place = Place::new();
    let sim = Sim::start(
        &place,
        "--profile full-speed --truth truth.csv --truth-chunks chunks.csv",
    );
    let line = "--model m --prompt hello --max-tokens 5 --extra-args {\"ignore_eos\":true} --number 3 --no-test-connection";
    place
        .run(&format!("perf --url {} {line}", sim.chat()))
        .done();
    assert_eq!(sim.stop(), Some(0));
    let truth = fs::read_to_string(place.path("truth.csv")).unwrap();
    assert_eq!(truth.lines().count(), 1 + 3, "{truth}");
    let chunks = fs::read_to_string(place.path("chunks.csv")).unwrap();
    assert!(chunks.lines().count() > 3 * 5, "{chunks}");
}

#[test]
fn a_truth_file_that_cannot_be_written_is_told_before_it_listens() {
    let ran = Place::new().run("sim --port 0 --truth no/such/folder/truth.csv");
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert_eq!(ran.out, "");
    for text in [
        "cannot write the truth file no/such/folder/truth.csv",
        "hint: ",
    ] {
        assert!(ran.err.contains(text), "{}", ran.err);
    }
}

#[test]
fn a_port_in_use_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let ran = Place::new().run(&format!("sim --port {port}"));
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(
        ran.err
            .contains(&format!("cannot listen at 127.0.0.1:{port}")),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("hint: choose another --port"),
        "{}",
        ran.err
    );
}

#[test]
fn the_profiles_are_listed() {
    let ran = Place::new().run("sim --list").done();
    for name in ["a100-qwen2.5-0.5b", "cpu", "demo", "kv-bound", "noisy"] {
        assert!(
            ran.out.lines().any(|line| line.starts_with(name)),
            "no {name} in {}",
            ran.out
        );
    }
}

#[test]
fn wrong_use_is_told() {
    let place = Place::new();
    for (line, texts) in [
        (
            "sim --profile gpu-smal",
            ["gpu-smal", "crestline sim --list"],
        ),
        ("sim --port 0 --fault explode=0.1", ["explode", "odd-cuts"]),
        (
            "sim --port 0 --fault reset=0.6 stall=0.6",
            ["add up", "error: "],
        ),
        ("sim --port 0 --max-num-seqs 0", ["max_num_seqs", "error: "]),
        (
            "sim --port 0 --tokenizer-path no/such",
            ["no/such", "error: "],
        ),
        (
            "sim --port 0 --truth no/such/folder.csv",
            ["truth file", "error: "],
        ),
        ("sim --host not.an.address.invalid", ["--host", "hint: "]),
        ("sim --prot 3", ["--prot", "did you mean --port?"]),
    ] {
        let ran = place.run(line);
        assert_eq!(ran.code, Some(2), "{line}: {ran:#?}");
        for text in texts {
            assert!(ran.err.contains(text), "{line}: no `{text}` in {}", ran.err);
        }
    }
}
