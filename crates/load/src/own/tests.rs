//! Bodies and answers of the user's own, and what is told of how fast they were.

use crestline_core::record::{Exchange, Phase};
use crestline_core::request::Prompt;
use serde_json::json;

use super::*;

/// Builds `{"said": ITEM}`, and counts an answer's pieces; refuses what says `no`.
#[derive(Debug)]
struct Sample;

impl Api for Sample {
    fn builds(&self) -> bool {
        true
    }

    fn reads(&self) -> bool {
        true
    }

    fn body(&self, item: &Item, asked: &Asked<'_>) -> Result<Map<String, Value>, String> {
        match &item.prompt {
            Prompt::Text(text) if text == "no" => Err("not this one".to_owned()),
            Prompt::Text(text) => Ok(Map::from_iter([(
                "said".to_owned(),
                json!([asked.model, text]),
            )])),
            other => Err(format!("{other:?}")),
        }
    }

    fn read(&self, pieces: &[String], request: &str) -> Result<Reading, String> {
        if pieces.iter().any(|piece| piece == "no") {
            return Err("not this one".to_owned());
        }
        Ok(Reading {
            input_tokens: Some(request.len() as u32),
            output_tokens: Some(pieces.len() as u32),
            text: Some(pieces.concat()),
        })
    }
}

fn own() -> Own {
    Own::with(Some(OwnApi::new("mine", Arc::new(Sample))))
}

fn body(text: &str) -> Result<Body, Failure> {
    let generation = Generation::default();
    let asked = Asked {
        model: "m",
        generation: &generation,
    };
    let item = Item::new(0, Prompt::Text(text.to_owned()));
    own().body(Endpoint::OpenAiCompletions, item, &asked, Clock::start())
}

#[test]
fn a_builder_takes_the_endpoints_place_and_may_fail() {
    assert_eq!(body("hi").unwrap().fields["said"], json!(["m", "hi"]));
    let failure = body("no").unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotMade);
    assert_eq!(failure.text, "the request builder: not this one");
}

fn answered(pieces: &[&str]) -> RequestRecord {
    let mut record = RequestRecord::new(0, Phase::Measured);
    record.exchange = Some(Box::new(Exchange {
        request: "{}".to_owned(),
        pieces: pieces.iter().map(|piece| (*piece).to_owned()).collect(),
        ..Exchange::default()
    }));
    read_answer(&Sample, &mut record);
    record
}

#[test]
fn an_answer_is_what_the_parser_says() {
    let record = answered(&["a", "b"]);
    assert_eq!(record.prompt_tokens.map(|tokens| tokens.count), Some(2));
    assert_eq!(record.output_tokens.map(|tokens| tokens.count), Some(2));
    let exchange = record.exchange.unwrap();
    assert_eq!((exchange.answer.as_str(), exchange.pieces.len()), ("ab", 0));
}

#[test]
fn an_answer_that_cannot_be_read_is_a_failed_request() {
    let failure = answered(&["a", "no"]).failure.unwrap();
    assert_eq!(failure.kind, FailureKind::NotRead);
    assert_eq!(failure.text, "the response parser: not this one");
}

#[test]
fn calls_are_counted_until_someone_takes_the_count() {
    let gauge = Gauge::default();
    assert_eq!(gauge.take(), None);
    let clock = Clock::start();
    for _ in 0..3 {
        gauge.time(clock, || {
            crate::clock::sleep(std::time::Duration::from_millis(2));
        });
    }
    let (calls, busy) = gauge.take().unwrap();
    assert_eq!(calls, 3);
    assert!(busy >= Nanos::from_millis(6));
    assert_eq!(gauge.take(), None);
}

#[test]
fn a_plan_holds_the_name_alone() {
    let own: OwnApi = serde_json::from_value(json!("mine")).unwrap();
    assert_eq!((own.name(), own.api().is_none()), ("mine", true));
    assert_eq!(serde_json::to_value(own).unwrap(), json!("mine"));
}
