//! Searches: the load is changed in place on all machines, and the answer is that of one machine.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crestline_core::search::{Bounds, Budget, Outcome, Question, Variable};
use crestline_core::sla::{Slo, parse_groups};
use crestline_core::units::Nanos;
use crestline_experiment::distributed::Link;
use crestline_experiment::event::Event;
use crestline_experiment::plan::{BisectPlan, Method, Plan, Resume, SearchPlan, Spacing};
use crestline_experiment::run::DATABASE;
use crestline_experiment::search::outcome::SearchOutcome;
use crestline_experiment::search::{run_search, run_search_over};
use crestline_load::engine::Stop;

use super::losses::breakable;
use super::setting::{Sim, Workers, read};

/// Eight requests run at a time, each for 100 ms.
const EIGHT: &str = r#"
summary = "eight requests at a time"
max_num_seqs = 8
max_num_batched_tokens = 1024
request_overhead_ms = 0.5

[iteration]
base_ms = 3.0
prefill_us_per_token = 1.0
decode_us_per_sequence = 10.0
kv_ns_per_token = 0.0
noise = 0.05

[kv_cache]
tokens = 65_536
"#;

fn eight(place: &Path) -> Sim {
    let profile = place.join("eight.toml");
    std::fs::write(&profile, EIGHT).unwrap();
    Sim::start(profile.to_str().unwrap())
}

/// A search for the users at which the time to first token is as it should be: eight have it, three times eight do not.
fn plan(sim: &Sim, folder: &Path) -> Plan {
    let mut plan = sim.plan(folder, Vec::new());
    plan.workload.max_tokens = Some((32, 32));
    plan.workload.min_prompt_length = 16;
    plan.workload.max_prompt_length = 16;
    plan.client.workers = None;
    plan.output.keep_text = false;
    let bounds = Bounds {
        lowest: 1.0,
        highest: 64.0,
    };
    let budget = Budget {
        time: Some(Nanos::from_secs(8)),
        ..Budget::default()
    };
    plan.search = Some(SearchPlan {
        question: Question {
            variable: Variable::Users,
            bounds,
            first: 1.0,
            groups: parse_groups(r#"[{"p99_ttft":"<=100ms"}]"#, None).unwrap(),
            slo: Slo::default(),
            confidence: 0.9,
            tolerance: 0.2,
            budget,
        },
        method: Method::Crest,
        fixed_parallel: None,
        resume: Resume::No,
    });
    plan
}

/// By two machines.
fn search(plan: &Plan, each: &mut dyn FnMut(Event)) -> SearchOutcome {
    let (workers, links) = Workers::start(2);
    let outcome = run_search_over(plan, links, &Stop::default(), each).unwrap();
    for ended in workers.ended() {
        ended.unwrap();
    }
    outcome
}

/// The range of the answer; every request that was told of is on file, once.
fn range(folder: &Path, outcome: &SearchOutcome) -> (f64, f64) {
    let told = outcome.spent.requests + outcome.spent.given_up;
    assert_eq!(read(&folder.join(DATABASE)).len() as u64, told);
    assert!(outcome.loss.is_none() && !outcome.interrupted);
    let interval = outcome.answers[0].interval;
    interval.map_or((0.0, 64.0), |interval| (interval.low, interval.high))
}

#[test]
fn a_search_from_two_machines_finds_what_one_finds() {
    let place = tempfile::tempdir().unwrap();
    let sim = eight(place.path());
    let [alone, together] = ["alone", "together"].map(|folder| place.path().join(folder));
    let mut most = 0;
    let by_two = search(&plan(&sim, &together), &mut |event| {
        if let Event::Search(progress) = event {
            most = most.max(progress.in_flight);
        }
    });
    let by_one = run_search(&plan(&sim, &alone), &Stop::default(), &mut |_| {}).unwrap();
    let (one, two) = (range(&alone, &by_one), range(&together, &by_two));
    assert!(
        one.0 <= two.1 && two.0 <= one.1,
        "{one:?} and {two:?} have nothing in common"
    );
    // Half of them would be the mistake of machines that apply the whole load each, and twice as many that of halves.
    assert!(two.0 <= 24.0 && two.1 >= 8.0, "{:?}", by_two.answers);
    assert!(most > 8, "users of both machines are in flight together");
    let nodes = &by_two.health.nodes;
    assert_eq!(nodes.len(), 2);
    let counted: u64 = nodes.iter().map(|node| node.requests).sum();
    assert_eq!(counted, read(&together.join(DATABASE)).len() as u64);
    assert!(
        nodes.iter().all(|node| node.requests > counted / 4),
        "{nodes:?}"
    );
}

#[test]
fn a_bisection_from_two_machines_makes_its_runs_on_both() {
    let place = tempfile::tempdir().unwrap();
    let sim = eight(place.path());
    let mut plan = plan(&sim, &place.path().join("out"));
    let search_plan = plan.search.as_mut().unwrap();
    search_plan.method = Method::Bisect(BisectPlan {
        runs: NonZeroU32::MIN,
        multiplier: 4.0,
        warmup: 0.0,
        duration: None,
        arrivals: Spacing::Random,
    });
    search_plan.question.first = 2.0;
    let mut runs = 0;
    let outcome = search(&plan, &mut |event| {
        if let Event::PointDone(result) = event {
            runs += 1;
            assert_eq!(result.health.nodes.len(), 2);
            let users = result.summary.point().load.concurrency.unwrap().get();
            assert_eq!(result.summary.total(), u64::from(users) * 4);
        }
    });
    assert!(runs > 2, "{runs} runs");
    let load = outcome.answers[0].load.unwrap();
    assert!((4.0..=24.0).contains(&load), "{load}");
}

#[test]
fn a_search_that_loses_a_worker_ends_without_an_answer_and_keeps_what_it_had() {
    let place = tempfile::tempdir().unwrap();
    let sim = eight(place.path());
    let folder = place.path().join("out");
    let is_cut = Arc::new(AtomicBool::new(false));
    let (good, good_end) = Link::joined("good");
    let (bad, bad_end) = breakable("bad", &is_cut);
    let workers = Workers::serve(vec![good_end, bad_end]);
    let links = vec![good, bad];
    let outcome = run_search_over(
        &plan(&sim, &folder),
        links,
        &Stop::default(),
        &mut |event| {
            if matches!(&event, Event::Search(progress) if progress.ended > 4) {
                is_cut.store(true, Ordering::Relaxed);
            }
        },
    )
    .unwrap();
    drop(workers.ended());
    let answer = &outcome.answers[0];
    assert_eq!(answer.outcome, Outcome::Inconclusive, "{answer:?}");
    assert!(
        answer.reason.contains("worker 2 (bad) was lost"),
        "{answer:?}"
    );
    let loss = outcome.loss.unwrap();
    assert!(loss.contains("its machine was switched off"), "{loss}");
    assert!(!outcome.interrupted, "nobody asked for it");
    assert!(outcome.health.nodes[1].lost.is_some());
    assert!(read(&folder.join(DATABASE)).len() > 4);
}

#[test]
fn a_search_goes_on_from_two_machines_where_it_was_stopped() {
    let place = tempfile::tempdir().unwrap();
    let sim = eight(place.path());
    let folder = place.path().join("out");
    let mut plan = plan(&sim, &folder);
    let stop = Stop::default();
    let (workers, links) = Workers::start(2);
    let first = run_search_over(&plan, links, &stop, &mut |event| {
        if matches!(&event, Event::Search(progress) if progress.ended > 20) {
            stop.ask();
        }
    })
    .unwrap();
    drop(workers.ended());
    assert!(first.interrupted);
    let before = read(&folder.join(DATABASE));
    let ended = before.values().map(|record| record.end).max().unwrap();
    plan.search.as_mut().unwrap().resume = Resume::Yes;
    let second = search(&plan, &mut |_| {});
    let after = read(&folder.join(DATABASE));
    let told = second.spent.requests + second.spent.given_up;
    assert_eq!(after.len() as u64, told);
    let new = after
        .iter()
        .filter(|(index, _)| !before.contains_key(index));
    // Two commands of one search: its time goes on, and no item is sent again.
    let began = new.map(|(_, record)| record.due).min().unwrap();
    assert!(began >= ended, "{began:?} before {ended:?}");
}
