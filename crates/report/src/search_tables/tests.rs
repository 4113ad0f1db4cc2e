//! What a search prints, answer by answer.

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
    Answer::bare(outcome, "")
}

/// An answer as a search gives it.
fn found(question: &Question, load: f64) -> Answer {
    Answer {
        load: Some(load),
        estimate: Some(load * 1.06),
        interval: Some(Interval::likely(load * 0.98, load * 1.12)),
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

#[test]
fn an_answer_says_how_sure_it_is() {
    let question = question(r#"[{"p99_ttft": "<=1s"}]"#);
    lines(
        &question,
        &[found(&question, 35.0)],
        &expect![[r"
            SLA Auto-tune Summary:
            +-----------------+----------+---------------+-----------+
            | Criteria        | Variable | Max Satisfied | Note      |
            +=================+==========+===============+===========+
            | p99_ttft <= 1.0 | parallel | 35            | Satisfied |
            +-----------------+----------+---------------+-----------+
            37 users (90 % sure: at least 35; between 34 and 40 with 90 %); p99_ttft binds; 4,210 requests near it; the knee is sharp
            Performance Recommendations:
            • Offer at most 35 users to keep p99_ttft <= 1.0: p99_ttft is what limits it
        "]],
    );
}

#[test]
fn groups_are_answered_one_by_one() {
    let question =
        question(r#"[{"p99_ttft": "<0.05"}, {"p99_ttft": "<0.01", "avg_tpot": "<=20ms"}]"#);
    let infeasible = Answer {
        binding: question.groups[1].criteria.first().copied(),
        requests: 10,
        ..answer(Outcome::Infeasible)
    };
    lines(
        &question,
        &[found(&question, 1.0), infeasible],
        &expect![[r"
            SLA Auto-tune Summary:
            +-----------------------------------+----------+---------------+---------------------------+
            | Criteria                          | Variable | Max Satisfied | Note                      |
            +===================================+==========+===============+===========================+
            | p99_ttft < 0.05                   | parallel | 1             | Satisfied                 |
            +-----------------------------------+----------+---------------+---------------------------+
            | p99_ttft < 0.01, avg_tpot <= 0.02 | parallel | None          | Failed at lower bound (1) |
            +-----------------------------------+----------+---------------+---------------------------+
            p99_ttft < 0.05: 1 user (90 % sure: at least 1; between 1 and 2 with 90 %); p99_ttft binds; 4,210 requests near it; the knee is sharp
            p99_ttft < 0.01, avg_tpot <= 0.02: not met at 1 user, the lower bound; p99_ttft binds; 10 requests near it
            Performance Recommendations:
            • Offer at most 1 user to keep p99_ttft < 0.05: p99_ttft is what limits it
            • p99_ttft < 0.01, avg_tpot <= 0.02 is not met at 1 user already: relax the limit, or give the service less to do a request
        "]],
    );
}

#[test]
fn what_fails_at_a_rate_may_hold_below_it() {
    let question = rates(r#"[{"p99_ttft": "<=1s"}]"#);
    lines(
        &question,
        &[answer(Outcome::Infeasible)],
        &expect![[r"
        SLA Auto-tune Summary:
        +-----------------+----------+---------------+-----------------------------+
        | Criteria        | Variable | Max Satisfied | Note                        |
        +=================+==========+===============+=============================+
        | p99_ttft <= 1.0 | rate     | None          | Failed at lower bound (0.5) |
        +-----------------+----------+---------------+-----------------------------+
        not met at 0.5 req/s, the lower bound
        Performance Recommendations:
        • p99_ttft <= 1.0 is not met at 0.5 req/s already: look below it, relax the limit, or give the service less to do a request
    "]],
    );
}

#[test]
fn the_best_load_comes_with_its_figure() {
    let question = question(r#"[{"tps": "max"}]"#);
    let best = Answer {
        load: Some(384.0),
        interval: Some(Interval::tried(360.0, 384.0)),
        best: Some(8_057.143_78),
        requests: 12_000,
        ..answer(Outcome::Value)
    };
    lines(
        &question,
        std::slice::from_ref(&best),
        &expect![[r"
        SLA Auto-tune Summary:
        +------------+----------+---------------+---------------------+
        | Criteria   | Variable | Max Satisfied | Note                |
        +============+==========+===============+=====================+
        | tps -> max | parallel | 384           | Best tps: 8057.1438 |
        +------------+----------+---------------+---------------------+
        384 users (between 360 and 384); 12,000 requests near it
        Performance Recommendations:
        • Offer 384 users for tps -> max: more load gives no more
    "]],
    );
    let open = Answer {
        load: Some(64.0),
        outcome: Outcome::NotReached,
        ..best
    };
    lines(
        &question,
        &[open],
        &expect![[r"
            SLA Auto-tune Summary:
            +------------+----------+---------------+-----------------------------------------------------------+
            | Criteria   | Variable | Max Satisfied | Note                                                      |
            +============+==========+===============+===========================================================+
            | tps -> max | parallel | 64            | Best tps: 8057.1438; still better at the upper bound (64) |
            +------------+----------+---------------+-----------------------------------------------------------+
            best at 64 users, the upper bound: more load may give more; 12,000 requests near it
            Performance Recommendations:
            • tps -> max is best at the highest load, 64 users: raise the upper bound to see whether more gives more
        "]],
    );
}

#[test]
fn rates_have_four_digits() {
    let question = rates(r#"[{"p99_ttft": "<=1s"}]"#);
    lines(
        &question,
        &[found(&question, 2.123_456)],
        &expect![[r"
        SLA Auto-tune Summary:
        +-----------------+----------+---------------+-----------+
        | Criteria        | Variable | Max Satisfied | Note      |
        +=================+==========+===============+===========+
        | p99_ttft <= 1.0 | rate     | 2.123         | Satisfied |
        +-----------------+----------+---------------+-----------+
        2.251 req/s (90 % sure: at least 2.123; between 2.081 and 2.378 with 90 %); p99_ttft binds; 4,210 requests near it; the knee is sharp
        Performance Recommendations:
        • Offer at most 2.123 req/s to keep p99_ttft <= 1.0: p99_ttft is what limits it
    "]],
    );
}

#[test]
fn what_is_not_decided_says_what_it_would_take() {
    let question = question(r#"[{"p99_ttft": "<=1s"}]"#);
    let open = Answer {
        interval: Some(Interval::likely(31.2, 43.4)),
        requests: 800,
        requests_needed: Some(3000),
        ..answer(Outcome::Inconclusive)
    };
    lines(
        &question,
        &[open],
        &expect![[r"
            SLA Auto-tune Summary:
            +-----------------+----------+---------------+------------------------------------------------------------+
            | Criteria        | Variable | Max Satisfied | Note                                                       |
            +=================+==========+===============+============================================================+
            | p99_ttft <= 1.0 | parallel | None          | Inconclusive: between 31 and 44; about 3,000 more requests |
            +-----------------+----------+---------------+------------------------------------------------------------+
            not decided (between 31 and 44 with 90 %); 800 requests near it
            Performance Recommendations:
            • p99_ttft <= 1.0 is not decided: about 3,000 more requests would do; let the search go on, with a larger budget where that ended it
        "]],
    );
    let untouched = Answer {
        reason: "interrupted".to_owned(),
        ..answer(Outcome::Inconclusive)
    };
    lines(
        &question,
        &[untouched],
        &expect![[r"
        SLA Auto-tune Summary:
        +-----------------+----------+---------------+---------------------------+
        | Criteria        | Variable | Max Satisfied | Note                      |
        +=================+==========+===============+===========================+
        | p99_ttft <= 1.0 | parallel | None          | Inconclusive: interrupted |
        +-----------------+----------+---------------+---------------------------+
        not decided; interrupted
        Performance Recommendations:
        • p99_ttft <= 1.0 is not decided: let the search go on, with a larger budget where that ended it
    "]],
    );
}

#[test]
fn a_bound_that_is_met_is_told() {
    let question = question(r#"[{"p99_ttft": "<=1s"}]"#);
    let open = Answer {
        load: Some(64.0),
        requests: 800,
        ..answer(Outcome::NotReached)
    };
    lines(
        &question,
        &[open],
        &expect![[r"
        SLA Auto-tune Summary:
        +-----------------+----------+---------------+-------------------------------------------------------+
        | Criteria        | Variable | Max Satisfied | Note                                                  |
        +=================+==========+===============+=======================================================+
        | p99_ttft <= 1.0 | parallel | 64            | Not reached: meets the SLA up to the upper bound (64) |
        +-----------------+----------+---------------+-------------------------------------------------------+
        met up to 64 users, the upper bound: the limit lies above; 800 requests near it
        Performance Recommendations:
        • p99_ttft <= 1.0 is still met at 64 users: raise the upper bound to find the limit
    "]],
    );
}

#[test]
fn a_client_that_was_the_bottleneck_answers_nothing() {
    let question = question(r#"[{"p99_ttft": "<=1s"}]"#);
    let void = Answer {
        reason: "1.2 % of the requests were sent late".to_owned(),
        ..answer(Outcome::Void)
    };
    lines(
        &question,
        &[void],
        &expect![[r"
        SLA Auto-tune Summary:
        +-----------------+----------+---------------+--------------------------------------------+
        | Criteria        | Variable | Max Satisfied | Note                                       |
        +=================+==========+===============+============================================+
        | p99_ttft <= 1.0 | parallel | None          | Void: 1.2 % of the requests were sent late |
        +-----------------+----------+---------------+--------------------------------------------+
        void: the client was the bottleneck; 1.2 % of the requests were sent late
        Performance Recommendations:
        • p99_ttft <= 1.0 has no answer: give the client more processors, or run it on another machine
    "]],
    );
}

#[test]
fn a_load_that_hardly_matters_is_told() {
    let question = question(r#"[{"p99_ttft": "<=1s"}]"#);
    let with = |beta: f64| {
        let found = Answer {
            knee: Some(Knee { beta }),
            ..found(&question, 20.0)
        };
        evidence(&question, std::slice::from_ref(&found))
            + &recommendations(&question, &[found], &[])
    };
    expect![[r"
        21 users (90 % sure: at least 20; between 19 and 23 with 90 %); p99_ttft binds; 4,210 requests near it; the load hardly matters for it (beta 3.2), so the answer says little
        Performance Recommendations:
        • Offer at most 20 users to keep p99_ttft <= 1.0: p99_ttft is what limits it
        • p99_ttft <= 1.0: the load hardly matters for p99_ttft; rare slow requests decide it at any load; limit a lower percentile, or find their cause
    "]].assert_eq(&with(3.21));
    expect![[r"
        21 users (90 % sure: at least 20; between 19 and 23 with 90 %); p99_ttft binds; 4,210 requests near it; the knee is flat (beta 7): violations grow slowly with the load
        Performance Recommendations:
        • Offer at most 20 users to keep p99_ttft <= 1.0: p99_ttft is what limits it
    "]].assert_eq(&with(7.0));
    assert!(with(10.0).contains("ordinary"));
    assert!(with(25.0).contains("sharp"));
}

#[test]
fn loads_that_were_tried_are_shown_in_increasing_load() {
    let question = question(r#"[{"p99_ttft": "<=1s"}]"#);
    let rows = [
        row(users(8), 400, 0).at_pace(20.0, 200.0),
        row(users(2), 200, 3),
        row(users(4), 300, 0),
    ];
    let text = format!(
        "{}{}{}",
        detailed_performance(&rows),
        best_configuration(&rows),
        recommendations(&question, &[found(&question, 4.0)], &rows)
    );
    expect![[r"
                                                             Detailed Performance Metrics
        ┏━━━━━━┳━━━━━━┳━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━┓
        ┃Conc. ┃ Rate ┃   RPS ┃ Avg Lat.(s) ┃ P99 Lat.(s) ┃ Avg TTFT(s) ┃ P99 TTFT(s) ┃ Avg TPOT(s) ┃ P99 TPOT(s) ┃ Gen. toks/s ┃ Success Rate┃
        ┡━━━━━━╇━━━━━━╇━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━┩
        │    2 │    - │  9.22 │       0.200 │       0.200 │       0.010 │       0.010 │      0.0211 │      0.0211 │       92.16 │          94%│
        │    4 │    - │  9.62 │       0.300 │       0.300 │       0.010 │       0.010 │      0.0322 │      0.0322 │       96.15 │         100%│
        │    8 │    - │ 20.00 │       0.400 │       0.400 │       0.010 │       0.010 │      0.0433 │      0.0433 │      200.00 │         100%│
        └──────┴──────┴───────┴─────────────┴─────────────┴─────────────┴─────────────┴─────────────┴─────────────┴─────────────┴─────────────┘
        Best Performance Configuration
         Highest RPS         Concurrency 8 (20.00 req/sec)
         Lowest Latency      Concurrency 2 (0.200 seconds)
        Performance Recommendations:
        • Offer at most 4 users to keep p99_ttft <= 1.0: p99_ttft is what limits it
        • Throughput still grows at Concurrency 8, the highest load tried
        • Requests failed: 3 of 50 at Concurrency 2; find the cause first
    "]].assert_eq(&text);
}

#[test]
fn runs_of_one_load_are_averaged_and_their_counts_added() {
    let runs = [run(users(4), 50, 200, 0), run(users(4), 50, 400, 1)];
    let row = TriedRow::average(&runs).unwrap();
    assert_eq!((row.total, row.failed), (100, 1));
    assert!((row.latency[0].unwrap() - 0.3).abs() < 1e-9);
    assert!(TriedRow::average(&[]).is_none());
}

#[test]
fn times_of_a_rate_count_from_when_requests_were_due() {
    let load = Load::open(Rate::per_second(2.0).unwrap());
    let mut run = RunSummary::new(LoadPoint {
        load,
        requests: 1,
        warmup: 0,
        duration: None,
    });
    run.add(&RequestRecord {
        sent: Nanos::from_secs(3),
        end: Nanos::from_secs(4),
        ..RequestRecord::new(0, Phase::Measured)
    });
    let row = TriedRow::average(&[run]).unwrap();
    assert_eq!(row.latency, [Some(4.0); 2]);
}

#[test]
fn where_requests_fail_at_the_lower_bound_no_limit_is_blamed() {
    let question = question(r#"[{"p99_ttft": "<=1s"}]"#);
    let rows = [row(users(4), 300, 0), row(users(1), 200, 3)];
    let text = recommendations(&question, &[answer(Outcome::Infeasible)], &rows);
    assert!(
        text.contains("• p99_ttft <= 1.0 is not met at 1 user already: requests fail there\n"),
        "{text}"
    );
}

#[test]
fn without_loads_there_is_no_table_of_them() {
    assert_eq!(detailed_performance(&[]), "");
}

#[test]
fn success_is_evidence_with_a_bound() {
    assert_eq!(failures_line(0, 0), None);
    assert_eq!(
        failures_line(0, 3000).unwrap(),
        "0 failures in 3,000 requests (below 0.1 % at 95 %)"
    );
    assert_eq!(
        failures_line(0, 2).unwrap(),
        "0 failures in 2 requests (below 100 % at 95 %)"
    );
    assert_eq!(
        failures_line(5, 1000).unwrap(),
        "5 failures in 1,000 requests (0.5 %)"
    );
}
