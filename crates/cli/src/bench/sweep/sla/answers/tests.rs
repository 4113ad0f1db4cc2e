//! The order of answers, and what a user reads of them.

use crestline_core::search::Interval;
use expect_test::expect;
use serde_json::json;

use super::super::criteria::of_test;
use super::*;

fn found(serve: &str, answer: Answer, tokens_per_s: f64, gpus: u64) -> Found {
    Found {
        serve: serve.to_owned(),
        bench: String::new(),
        sla: of_test(
            &json!({"_benchmark_name": "chat", "p99_ttft_ms": "<=200", "p99_tpot_ms": "<50"}),
        ),
        answer,
        tokens_per_s: Some(tokens_per_s),
        gpus,
    }
}

fn at(load: f64) -> Answer {
    Answer {
        load: Some(load),
        interval: Some(Interval::likely(load, load * 1.1)),
        ..Answer::bare(Outcome::Value, "the belief is as narrow as was asked")
    }
}

fn several() -> Vec<Found> {
    let limited = Answer {
        binding: found("", at(1.0), 0.0, 1)
            .sla
            .group()
            .criteria
            .get(1)
            .copied(),
        ..at(20.0)
    };
    vec![
        found(
            "too slow",
            Answer::bare(Outcome::Infeasible, "not met at the lower bound"),
            0.0,
            1,
        ),
        found("one GPU", limited, 900.0, 1),
        found(
            "unsure",
            Answer {
                load: Some(99.0),
                ..Answer::bare(Outcome::Inconclusive, "the time is used up")
            },
            5.0,
            1,
        ),
        found("four GPUs", at(50.0), 2000.0, 4),
        found("", at(8192.0), 1.0, 8),
    ]
}

#[test]
fn the_highest_load_comes_first_and_what_has_none_last() {
    let mut all = several();
    all[4].answer.outcome = Outcome::NotReached;
    all[4].answer.reason = "met up to the upper bound".to_owned();
    expect![[r"
        Best configurations for chat: p99_ttft_ms<=200.00, p99_tpot_ms<50.00:
        +---------------+--------------+--------------+--------------+-------------------+---------------+------+
        | Configuration | Highest load | Range        | Verdict      | Limited by        | tok/s per GPU | GPUs |
        +===============+==============+==============+==============+===================+===============+======+
        | default       |   8192 users | 8192 to 9012 | not reached  | -                 |         0.125 |    8 |
        +---------------+--------------+--------------+--------------+-------------------+---------------+------+
        | four GPUs     |     50 users | 50 to 56     | found        | -                 |           500 |    4 |
        +---------------+--------------+--------------+--------------+-------------------+---------------+------+
        | one GPU       |     20 users | 20 to 22     | found        | p99_tpot_ms<50.00 |           900 |    1 |
        +---------------+--------------+--------------+--------------+-------------------+---------------+------+
        | unsure        |     99 users | -            | inconclusive | -                 |             5 |    1 |
        +---------------+--------------+--------------+--------------+-------------------+---------------+------+
        | too slow      |            - | -            | infeasible   | -                 |             0 |    1 |
        +---------------+--------------+--------------+--------------+-------------------+---------------+------+
        default: met up to the upper bound; --sla-upper-bound says how far to go
        unsure: the time is used up
        too slow: not met at the lower bound
        Most tokens per GPU: one GPU (900 tok/s on each of 1 GPU)

    "]].assert_eq(&tables(&all, Variable::Users));
}

#[test]
fn only_answers_to_the_same_question_compete() {
    let mut all = several();
    all[1].bench = "random_input_len=128".to_owned();
    all[3].sla = of_test(&json!({"p99_ttft_ms": "<=100"}));
    let groups = ranked(&all);
    let names: Vec<Vec<&str>> = groups
        .iter()
        .map(|group| group.iter().map(|found| found.configuration()).collect())
        .collect();
    assert_eq!(
        names,
        [
            vec!["default", "unsure", "too slow"],
            vec!["one GPU"],
            vec!["four GPUs"]
        ]
    );
}
