//! What a report says, on facts made up for it.

use std::collections::BTreeMap;

use crestline_core::digest::{Digest, Limits, Window};
use crestline_core::metrics::Metric;
use crestline_core::record::{Failure, FailureKind, Phase, RequestRecord, TokenCount, TokenSource};
use crestline_core::search::Outcome;
use crestline_core::segments::Segments;
use crestline_core::units::Nanos;

use super::report;
use crate::facts::{
    AnswerFacts, Applied, Client, Detail, DwellFacts, Facts, Figures, LoadFacts, Origin,
    SearchFacts, Spread, Texts, TriedFacts, Violations,
};

fn spread(mean: f64) -> Spread {
    Spread {
        mean: Some(mean),
        deviation: Some(mean / 10.0),
        ends: Some([mean / 2.0, mean * 2.0]),
        quantiles: vec![(0.5, mean * 0.9), (0.99, mean * 1.8)],
    }
}

/// A run that serves twice its users a second.
fn load(users: f64) -> LoadFacts {
    LoadFacts {
        applied: Applied {
            concurrency: Some(users),
            rate: None,
        },
        figures: Figures {
            duration_s: Some(10.0),
            requests: 20,
            failed: 0,
            totals: [
                (Metric::RequestThroughput, users * 2.0),
                (Metric::OutputThroughput, users * 128.0),
            ]
            .into(),
            spreads: [(Metric::Ttft, spread(0.05)), (Metric::Latency, spread(0.5))].into(),
            failures: BTreeMap::new(),
        },
        origin: Origin {
            tool: "crestline 0.1.0".to_owned(),
            command: Some("crestline perf --model m".to_owned()),
            is_complete: true,
            ..Origin::default()
        },
        ..LoadFacts::default()
    }
}

fn facts(loads: Vec<LoadFacts>) -> Facts {
    Facts {
        title: "m".to_owned(),
        subject: "on http://127.0.0.1:1".to_owned(),
        loads,
        ..Facts::default()
    }
}

fn record(index: u64) -> RequestRecord {
    let at = |ms: u64| Nanos::from_millis(100 * index + ms);
    let failure = (index % 7 == 3).then(|| Failure {
        kind: FailureKind::ServerError,
        text: "out of <memory>".to_owned(),
    });
    RequestRecord {
        due: at(0),
        sent: at(1),
        first_token: Some(at(50)),
        last_token: Some(at(90)),
        end: at(91),
        gaps: [Nanos::from_millis(20), Nanos::from_millis(20)]
            .into_iter()
            .collect(),
        chunks: 3,
        streamed: true,
        output_tokens: Some(TokenCount {
            count: 3,
            source: TokenSource::Usage,
        }),
        failure,
        ..RequestRecord::new(index, Phase::Measured)
    }
}

fn detailed(texts: BTreeMap<u64, Texts>) -> LoadFacts {
    let window = Window::of(Nanos::ZERO, Nanos::from_secs(6), 60);
    let mut digest = Digest::new(window, Limits::default());
    let mut segments = Segments::default();
    for index in 0..60 {
        digest.add(&record(index));
        segments.add(&record(index));
    }
    LoadFacts {
        detail: Some(Box::new(Detail {
            digest,
            segments: Some(segments),
            server: Vec::new(),
            texts,
        })),
        ..load(1.0)
    }
}

fn page(facts: &Facts) -> String {
    report(facts).html()
}

#[test]
fn the_answer_of_one_run_is_what_it_came_to() {
    let html = page(&facts(vec![load(4.0)]));
    assert!(
        html.contains(
            "4 users: 8 requests and 512 output tokens a second; TTFT 50 ms on average, 90 ms at p99"
        ),
        "{html}"
    );
    assert!(html.contains("all 20 requests succeeded."));
}

#[test]
fn the_answer_of_several_runs_is_the_best_that_is_not_void() {
    let mut void = load(64.0);
    void.client = Client::Void(vec!["sends were late".to_owned()], Vec::new());
    let html = page(&facts(vec![load(1.0), load(8.0), void]));
    let best = "Most throughput of 3 runs: 1,024 output tokens a second with 8 users";
    assert!(html.contains(best), "{html}");
    assert!(html.contains("64 users: sends were late"), "{html}");
    for figure in [
        "throughput-against-load",
        "ttft-against-load",
        "latency-against-load",
    ] {
        assert!(
            html.contains(&format!("data-name=\"{figure}\"")),
            "{figure}"
        );
    }
}

#[test]
fn loads_with_and_without_a_rate_are_not_mixed_in_a_figure() {
    let mut paced = load(16.0);
    paced.applied.rate = Some(5.0);
    let mut faster = paced.clone();
    faster.applied.rate = Some(9.0);
    let with = |loads: &[&LoadFacts]| page(&facts(loads.iter().copied().cloned().collect()));
    let mixed = with(&[&load(1.0), &load(8.0), &paced, &faster]);
    assert!(mixed.contains("users in flight") && !mixed.contains("requests a second, asked"));
    let rates = with(&[&paced, &faster]);
    assert!(rates.contains("requests a second, asked"));
    let mut limited = paced.clone();
    limited.applied.concurrency = Some(32.0);
    assert!(with(&[&paced, &limited]).contains("requests in flight at most"));
    // One load is no curve.
    assert!(!with(&[&load(1.0), &paced]).contains("-against-load"));
}

#[test]
fn the_answer_says_where_to_look_next() {
    let of = |loads: Vec<LoadFacts>| page(&facts(loads));
    let limited = |users: f64, rps: f64| {
        let mut load = load(users);
        load.figures.totals.insert(Metric::RequestThroughput, rps);
        load
    };
    let grows = of(vec![load(1.0), load(4.0), load(8.0)]);
    assert!(grows.contains("still grows at the highest load, 8 users (+100.0 % over 4 users)"));
    let level = of(vec![load(1.0), limited(8.0, 10.0), limited(16.0, 10.1)]);
    assert!(level.contains("levels off around 8 users"));
    let waits = of(vec![limited(8.0, 10.0), limited(16.0, 10.1)]);
    assert!(waits.contains("try lower loads"));
    let at_rate = |rate: f64, rps: f64| {
        let mut load = limited(1.0, rps);
        load.applied = Applied {
            concurrency: None,
            rate: Some(rate),
        };
        load
    };
    let behind = of(vec![at_rate(2.0, 2.0), at_rate(8.0, 5.0)]);
    assert!(behind.contains("did not keep up with 8 req/s: 5 requests a second were answered"));
    assert!(of(vec![at_rate(2.0, 2.0), at_rate(8.0, 7.9)]).contains("kept up with every rate"));
}

#[test]
fn nothing_is_concluded_where_everything_failed_or_is_void() {
    let mut failed = load(1.0);
    failed.figures.failed = 20;
    let html = page(&facts(vec![failed.clone()]));
    assert!(html.contains("All 20 requests failed."), "{html}");
    let html = page(&facts(vec![failed.clone(), failed]));
    assert!(html.contains("None of 2 runs says anything of the service."));
    assert!(page(&facts(Vec::new())).contains("Nothing was measured."));
}

#[test]
fn a_run_has_its_requests_failures_and_percentiles() {
    let html = page(&facts(vec![detailed(BTreeMap::new())]));
    for words in [
        "out of &lt;memory&gt;",
        "server_error",
        "All 60 requests.",
        "class=\"waterfall\"",
        "data-name=\"times-over-run\"",
        "data-name=\"rates-over-run\"",
        "data-name=\"percentiles\"",
        "data-name=\"lengths\"",
        "crestline perf --model m",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(!html.contains("Prompts and answers of"));
}

#[test]
fn percentiles_of_a_file_are_a_curve_where_there_are_enough() {
    let drawn = |html: &str| html.contains("data-name=\"percentiles\" style");
    let mut few = load(1.0);
    assert!(!drawn(&page(&facts(vec![few.clone()]))), "two percentiles");
    let spread = few.figures.spreads.get_mut(&Metric::Ttft).unwrap();
    spread.quantiles = [0.25, 0.5, 0.9, 0.99].map(|q| (q, q)).into();
    assert!(drawn(&page(&facts(vec![few]))), "four");
}

#[test]
fn prompts_and_answers_are_there_only_where_they_are_wanted() {
    let texts = Texts {
        request: "{\"prompt\":\"tell me a <secret>\"}".to_owned(),
        answer: "never".to_owned(),
    };
    let html = page(&facts(vec![detailed([(4, texts)].into())]));
    assert!(html.contains("Prompts and answers of 1 request"));
    assert!(html.contains("tell me a &lt;secret&gt;"));
}

fn answer(outcome: Outcome, load: Option<f64>) -> AnswerFacts {
    AnswerFacts {
        criteria: "p99_ttft <= 0.2".to_owned(),
        outcome: Some(outcome),
        load,
        estimate: load.map(|load| load + 1.0),
        interval: load.map(|load| ([load - 1.0, load + 3.0], Some(0.9))),
        confidence: Some(0.9),
        binding: Some("p99_ttft <= 0.2".to_owned()),
        knee: Some(20.0),
        best: None,
        output_tps: Some(1000.0),
        requests: Some(500),
        reason: "the answer is as sure as was asked".to_owned(),
    }
}

fn search(outcome: Outcome, load: Option<f64>) -> SearchFacts {
    let tried = [(10.0, 1), (40.0, 9), (80.0, 200)];
    let tried = tried.map(|(load, violating)| TriedFacts {
        load,
        requests: [900, 0],
        figures: vec![("ttft_p99_ms".to_owned(), Some(load))],
        violations: vec![Violations {
            criterion: "p99_ttft <= 0.2".to_owned(),
            violating,
            counted: 900,
            allowed: 0.01,
        }],
    });
    let dwells = [(0.0, 10.0), (5.0, 40.0), (9.0, 80.0)];
    let dwells = dwells.map(|(start, load)| DwellFacts {
        span_s: [start, start + 4.0],
        counted_from_s: Some(start + 1.0),
        load,
        stage: "ramp".to_owned(),
        requests: [300, 0],
        measured: vec![("p99_ttft".to_owned(), Some(load / 300.0))],
        groups: vec![(load < 60.0, Vec::new())],
    });
    SearchFacts {
        unit: "users".to_owned(),
        answers: vec![answer(outcome, load)],
        tried: tried.into(),
        dwells: dwells.into(),
        ..SearchFacts::default()
    }
}

#[test]
fn the_answer_of_a_search_has_its_confidence_and_what_binds() {
    let it = Facts {
        searches: vec![search(Outcome::Value, Some(40.0))],
        ..facts(Vec::new())
    };
    let html = page(&it);
    let said = "40 users keep p99_ttft &lt;= 0.2 (90 % sure; the limit lies between 39 and 43 with 90 %; \
                p99_ttft &lt;= 0.2 binds).";
    assert!(html.contains(said), "{html}");
    for figure in ["search-course", "violations", "against-limits"] {
        assert!(
            html.contains(&format!("data-name=\"{figure}\"")),
            "{figure}"
        );
    }
}

#[test]
fn searches_without_an_answer_say_so() {
    let said = |outcome, load| {
        let it = Facts {
            searches: vec![search(outcome, load)],
            ..facts(Vec::new())
        };
        page(&it)
    };
    for (outcome, load, words) in [
        (
            Outcome::Infeasible,
            None,
            "is not even met at the lower bound",
        ),
        (Outcome::NotReached, None, "is met up to the upper bound"),
        (
            Outcome::Inconclusive,
            Some(7.0),
            "is not decided (at least 7 users",
        ),
        (
            Outcome::Void,
            None,
            "is void: the client was the bottleneck",
        ),
        (Outcome::Outpaced, None, "another configuration serves more"),
    ] {
        assert!(said(outcome, load).contains(words), "{words}");
    }
}

#[test]
fn searches_whose_files_have_no_answer_say_which_loads_were_tried() {
    for count in [1, 2] {
        let one = SearchFacts {
            answers: Vec::new(),
            ..search(Outcome::Value, None)
        };
        let it = Facts {
            searches: vec![one; count],
            ..facts(Vec::new())
        };
        let html = page(&it);
        assert!(html.contains("What the search answered is not in its files"));
        assert!(!html.contains("Highest load of each configuration"));
    }
}

#[test]
fn of_several_configurations_the_best_is_named_first() {
    let of = |name: &str, load| SearchFacts {
        parameters: [("tp".to_owned(), name.to_owned())].into(),
        ..search(Outcome::Value, Some(load))
    };
    let it = Facts {
        parameters: vec!["tp".to_owned()],
        searches: vec![of("1", 20.0), of("2", 55.0), of("4", 30.0)],
        ..facts(Vec::new())
    };
    let html = page(&it);
    assert!(
        html.contains("tp=2 serves most of 3: 55 users keep"),
        "{html}"
    );
}

#[test]
fn what_was_left_out_is_told() {
    let it = Facts {
        left_out: vec!["a/run=1.json: it is no JSON".to_owned()],
        ..facts(vec![load(1.0)])
    };
    assert!(page(&it).contains("a/run=1.json: it is no JSON"));
}
