//! The parts of `sla_summary.json`, as other programs read them.

use std::num::NonZeroU32;

use crestline_core::search::{Bounds, Budget, Interval, Knee};
use crestline_core::sla::{parse_groups, parse_slo};
use expect_test::expect;

use super::*;
use crate::plan::{BisectPlan, Spacing};

fn question() -> Question {
    let slo = parse_slo(&["ttft:500ms".to_owned()]).unwrap();
    Question {
        variable: Variable::Users,
        bounds: Bounds {
            lowest: 1.0,
            highest: 64.0,
        },
        first: 2.0,
        groups: parse_groups(r#"[{"p99_ttft": "<=50ms"}]"#, Some(&slo)).unwrap(),
        slo,
        confidence: 0.9,
        tolerance: 0.05,
        budget: Budget {
            time: Some(Nanos::from_secs(600)),
            ..Budget::default()
        },
    }
}

fn answer() -> Answer {
    Answer {
        outcome: Outcome::Value,
        load: Some(35.0),
        estimate: Some(37.5),
        interval: Some(Interval::likely(34.0, 39.0)),
        best: None,
        binding: question().groups[0].criteria.first().copied(),
        knee: Some(Knee { beta: 31.5 }),
        requests: 4210,
        requests_needed: None,
        reason: "confirmed".to_owned(),
    }
}

fn text(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

#[test]
fn a_selection_has_its_evidence() {
    let question = question();
    expect![[r#"
        {
          "criteria": "p99_ttft <= 0.05",
          "variable": "parallel",
          "status": "value",
          "max_satisfied": 35.0,
          "confidence": 0.9,
          "estimate": 37.5,
          "interval": {
            "low": 34.0,
            "high": 39.0,
            "probability": 0.9
          },
          "best": null,
          "binding": "p99_ttft <= 0.05",
          "knee_beta": 31.5,
          "requests": 4210,
          "requests_needed": null,
          "reason": "confirmed"
        }"#]]
    .assert_eq(&text(&selection(&question, &question.groups[0], &answer())));
}

#[test]
fn a_selection_without_a_belief_has_no_confidence() {
    let question = question();
    let plain = Answer {
        estimate: None,
        ..answer()
    };
    assert!(selection(&question, &question.groups[0], &plain)["confidence"].is_null());
}

#[test]
fn a_probe_has_its_times_counts_and_figures() {
    let probe_of = Probe {
        total: 100,
        succeeded: 98,
        figures: vec![crestline_core::sla::Figure {
            measure: question().groups[0].criteria[0].measure,
            value: Some(f64::INFINITY),
        }],
    };
    let dwell = Dwell {
        number: 3,
        load: 8.0,
        stage: "ramp".to_owned(),
        start: Nanos::from_secs(2),
        counted_from: None,
        end: Nanos::from_secs(5),
        ending: "ended".to_owned(),
        is_void: false,
        probe: probe_of,
    };
    expect![[r#"
        {
          "number": 3,
          "load": 8.0,
          "stage": "ramp",
          "start_s": 2.0,
          "counted_from_s": null,
          "duration_s": 3.0,
          "ending": "ended",
          "requests": 100,
          "failed": 2,
          "measured": {
            "p99_ttft": null
          },
          "groups": [
            {
              "met": false,
              "unmet": [
                "p99_ttft = infinite (failed requests), asked <= 0.05 s (50 ms)",
                "success_rate = 98 %, asked >= 100 %"
              ]
            }
          ]
        }"#]]
    .assert_eq(&text(&probe(&question(), &dwell)));
}

#[test]
fn the_question_is_told_as_it_was_read() {
    expect![[r#"
        {
          "search": "crest",
          "bisect": null,
          "variable": "parallel",
          "lower_bound": 1.0,
          "upper_bound": 64.0,
          "first": 2.0,
          "confidence": 0.9,
          "tolerance": 0.05,
          "budget": {
            "time_s": 600.0,
            "requests": null,
            "output_tokens": null
          },
          "goodput": {
            "ttft": 0.5
          },
          "groups": [
            {
              "criteria": "p99_ttft <= 0.05",
              "reading": "p99_ttft <= 0.05 s (50 ms)"
            }
          ]
        }"#]]
    .assert_eq(&text(&asked(&question(), Method::Crest)));
    let bisect = Method::Bisect(BisectPlan {
        runs: NonZeroU32::new(3).unwrap(),
        multiplier: 2.0,
        warmup: 0.0,
        duration: None,
        arrivals: Spacing::Random,
    });
    assert_eq!(asked(&question(), bisect)["bisect"]["num_runs"], 3);
}
