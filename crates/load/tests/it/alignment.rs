//! Random texts compared with what a server counts in them.

use std::sync::atomic::Ordering;

use crestline_core::units::Nanos;
use crestline_load::alignment::{Alignment, Counted, Counter, Text, align};
use crestline_load::aside::{Aside, AsideError};
use crestline_load::engine::Stop;

use crate::script::{Script, Step, setup};
use crate::sim::Sim;

const COUNTER: Counter<'_> = Counter {
    model: "m",
    prefix: "",
};

fn aside(url: &str) -> Aside {
    Aside::new(&setup(url).target, Nanos::from_secs(20), &[], |_| None).unwrap()
}

/// Compares texts of three words each, of which the client believes that they have so many tokens.
fn compare(url: &str, believed: &[u32], stop: &Stop) -> Result<Alignment, AsideError> {
    let text = |index: u64| {
        Some(Text {
            text: " the the the".to_owned(),
            tokens: believed[index as usize],
        })
    };
    let texts = believed.len() as u64;
    align(&mut aside(url), COUNTER, texts, &text, stop)
}

#[test]
fn where_the_first_text_is_counted_alike_the_others_are_not_looked_at() {
    let sim = Sim::start("full-speed");
    let url = sim.url("/v1/completions");
    let alike = compare(&url, &[3, 1, 1, 9], &Stop::default()).unwrap();
    assert_eq!(alike, Alignment::Same);
}

#[test]
fn longer_texts_are_cut_and_shorter_ones_stay() {
    let sim = Sim::start("full-speed");
    let url = sim.url("/v1/completions");
    let mut believed = vec![2, 3, 5, 1];
    believed.extend([3; 200]);
    let compared = compare(&url, &believed, &Stop::default()).unwrap();
    let Alignment::Counted(counted) = compared else {
        panic!("{compared:?}");
    };
    let cut = [(0, " the the".to_owned()), (3, " the".to_owned())];
    assert_eq!(counted.cut.into_iter().collect::<Vec<_>>(), cut);
    assert_eq!(
        (counted.texts, counted.longest_by, counted.shorter),
        (204, 2, 1)
    );
}

#[test]
fn texts_that_are_sent_otherwise_are_not_compared() {
    // Nobody is asked: there is no server.
    let mut aside = aside("http://127.0.0.1:9/v1/completions");
    let none = |_| None;
    let compared = align(&mut aside, COUNTER, 5, &none, &Stop::default()).unwrap();
    assert_eq!(compared, Alignment::Nothing);
    let text = |_| -> Option<Text> { panic!("there is no text") };
    let compared = align(&mut aside, COUNTER, 0, &text, &Stop::default()).unwrap();
    assert_eq!(compared, Alignment::Nothing);
}

#[test]
fn a_stop_ends_the_comparison() {
    let sim = Sim::start("full-speed");
    let stop = Stop::default();
    stop.ask();
    let compared = compare(&sim.url("/v1/completions"), &[1; 50], &stop).unwrap();
    assert_eq!(compared, Alignment::Counted(Counted::default()));
}

#[test]
fn a_server_that_does_not_count_is_an_error() {
    let reply = |status: &str, body: &str| {
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Script::serve(move |_, _| Step::Send(vec![answer.clone()]))
    };
    let none = reply("404 Not Found", "");
    let error = compare(&none.url, &[1, 1], &Stop::default()).unwrap_err();
    assert!(error.is_unknown_path(), "{error}");
    assert_eq!(none.requests.load(Ordering::SeqCst), 1);
    // As llama.cpp answers, which has another field for the text.
    let other = reply("200 OK", r#"{"tokens":[]}"#);
    let error = compare(&other.url, &[1, 1], &Stop::default()).unwrap_err();
    assert!(error.to_string().contains("count"), "{error}");
}

#[test]
fn a_server_that_stops_to_answer_is_an_error() {
    let body = r#"{"count":2,"tokens":[1,2],"prompt":"x"}"#;
    let first = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let script = Script::serve(move |_, request| match request {
        0..5 => Step::Send(vec![first.clone()]),
        _ => Step::Send(vec![
            "HTTP/1.1 500 Broken\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ]),
    });
    let error = compare(&script.url, &[1; 300], &Stop::default()).unwrap_err();
    assert!(error.to_string().contains("HTTP 500"), "{error}");
    // The others end with their next answer.
    let asked = script.requests.load(Ordering::SeqCst);
    assert!(asked < 300, "{asked}");
}
