use std::num::NonZeroU32;

use crestline_core::record::{Failure, FailureKind, Phase, RequestRecord, TokenCount, TokenSource};
use crestline_core::request::{Load, LoadPoint};
use crestline_core::search::{Answer, Bounds, Budget, Interval, Knee, Outcome, Question, Variable};
use crestline_core::sla::{Slo, parse_groups};
use crestline_core::summary::RunSummary;
use crestline_core::units::{Nanos, Rate};
use expect_test::{Expect, expect};

use super::*;

fn question(params: &str) -> Question {
    Question {
        variable: Variable::Users,
        bounds: Bounds {
            lowest: 1.0,
            highest: 64.0,
        },
        first: 2.0,
        groups: parse_groups(params, None).unwrap(),
        slo: Slo::default(),
        confidence: 0.9,
        tolerance: 0.05,
        budget: Budget::default(),
    }
}

fn rates(params: &str) -> Question {
    Question {
        variable: Variable::Rate,
        bounds: Bounds {
            lowest: 0.5,
            highest: 40.0,
        },
        ..question(params)
    }
}

fn answer(outcome: Outcome) -> Answer {
    Answer {
        outcome,
        load: None,
        estimate: None,
        interval: None,
        best: None,
        binding: None,
        knee: None,
        requests: 0,
        requests_needed: None,
        reason: String::new(),
    }
}

/// An answer as a search gives it.
fn found(question: &Question, load: f64) -> Answer {
    Answer {
        load: Some(load),
        estimate: Some(load * 1.06),
        interval: Some(Interval {
            low: load * 0.98,
            high: load * 1.12,
        }),
        binding: question.groups[0].criteria.first().copied(),
        knee: Some(Knee { beta: 31.0 }),
        requests: 4210,
        ..answer(Outcome::Value)
    }
}

fn lines(question: &Question, answers: &[Answer], expected: &Expect) {
    let text = format!(
        "{}{}{}",
        summary_table(question, answers),
        evidence(question, answers),
        recommendations(question, answers, &[])
    );
    expected.assert_eq(&text);
}

/// A load of requests that each took so long and brought 10 tokens; the last so many failed.
fn run(load: Load, count: u64, millis: u64, failed: u64) -> RunSummary {
    let mut run = RunSummary::new(LoadPoint {
        load,
        requests: count,
        warmup: 0,
        duration: None,
    });
    for index in 0..count {
        let due = Nanos::from_millis(100 * index);
        let end = due + Nanos::from_millis(millis);
        run.add(&RequestRecord {
            due,
            sent: due,
            first_token: Some(due + Nanos::from_millis(10)),
            last_token: Some(end),
            end,
            streamed: true,
            output_tokens: Some(TokenCount {
                count: 10,
                source: TokenSource::Usage,
            }),
            failure: (index >= count - failed).then(|| Failure {
                kind: FailureKind::ServerError,
                text: String::new(),
            }),
            ..RequestRecord::new(index, Phase::Measured)
        });
    }
    run
}

fn users(count: u32) -> Load {
    Load::closed(NonZeroU32::new(count).unwrap())
}

fn row(load: Load, millis: u64, failed: u64) -> TriedRow {
    TriedRow::average(&[run(load, 50, millis, failed)]).unwrap()
}
