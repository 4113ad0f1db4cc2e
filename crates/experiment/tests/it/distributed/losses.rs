//! Workers that are lost: the load ends for all, what had arrived is kept, and it is told who was lost.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crestline_core::health::{HealthVerdict, VoidReason};
use crestline_core::record::{Phase, RequestRecord};
use crestline_core::units::Nanos;
use crestline_experiment::distributed::wire::{Frame, Order, Report};
use crestline_experiment::distributed::{Carrier, FleetError, Gone, Link};
use crestline_experiment::error::RunError;
use crestline_experiment::event::{Event, PointResult};
use crestline_experiment::run::run_over;
use crestline_load::clock;
use crestline_load::engine::Stop;
use crestline_workload::plan::{Dataset, Source};

use crate::ready;

use super::setting::{Sim, Workers, closed, stored};

/// A link that is cut, for the coordinator with a reason, once that is asked for.
pub(super) fn breakable(name: &str, is_cut: &Arc<AtomicBool>) -> (Link, Link) {
    let (near, there) = Link::carried(name);
    let (far, back) = Link::carried("coordinator");
    let Carrier { outgoing, incoming } = there;
    let cut = Arc::clone(is_cut);
    thread::spawn(move || {
        while let Ok(frame) = back.outgoing.recv() {
            if cut.load(Ordering::Relaxed) || incoming.send(Ok(frame)).is_err() {
                break;
            }
        }
        if cut.load(Ordering::Relaxed) {
            let why = "its machine was switched off".to_owned();
            drop(incoming.send(Err(Gone(why))));
        }
    });
    let cut = Arc::clone(is_cut);
    thread::spawn(move || {
        while let Ok(frame) = outgoing.recv() {
            if cut.load(Ordering::Relaxed) || back.incoming.send(Ok(frame)).is_err() {
                return;
            }
        }
    });
    (near, far)
}

#[test]
fn a_load_that_loses_a_worker_is_void_and_what_had_arrived_is_kept() {
    let sim = Sim::start("constant-20ms");
    let place = tempfile::tempdir().unwrap();
    let plan = sim.plan(place.path(), vec![closed(4, 1_000_000, 0), closed(1, 5, 0)]);
    let is_cut = Arc::new(AtomicBool::new(false));
    let (good, good_end) = Link::joined("good");
    let (bad, bad_end) = breakable("bad", &is_cut);
    let workers = Workers::serve(vec![good_end, bad_end]);
    let mut results: Vec<PointResult> = Vec::new();
    let mut notes = Vec::new();
    let error = run_over(
        &plan,
        vec![good, bad],
        &Stop::default(),
        &mut |event| match event {
            Event::Progress(progress) if progress.ended > 8 => {
                is_cut.store(true, Ordering::Relaxed);
            }
            Event::PointDone(result) => results.push(*result),
            Event::Note(note) => notes.push(note),
            _ => {}
        },
    )
    .unwrap_err();
    let ends = workers.ended();
    assert!(ends[0].is_ok(), "the others are let go in order");
    assert!(ends[1].is_err(), "one whose coordinator is gone says so");

    let RunError::Fleet(FleetError::Lost { node, why, .. }) = &error else {
        panic!("{error}");
    };
    assert_eq!(
        (&**node, &**why),
        ("worker 2 (bad)", "its machine was switched off")
    );
    assert_eq!(results.len(), 1, "no further load is begun");
    let result = &results[0];
    assert!(result.interrupted);
    assert!(result.summary.total() > 8);
    assert_eq!(result.summary.total(), stored(place.path()).len() as u64);
    let HealthVerdict::Void(reasons) = result.health.verdict(&result.summary) else {
        panic!("a part of the load is missing");
    };
    assert!(
        matches!(&reasons[0], VoidReason::Lost { name, .. } if name == "worker 2 (bad)"),
        "{reasons:?}"
    );
    let told = notes
        .iter()
        .filter(|note| note.contains("worker 2 (bad) was lost"))
        .count();
    assert_eq!(told, 1, "{notes:?}");
}

#[test]
fn a_worker_that_is_gone_before_a_load_is_an_error_with_its_name() {
    let sim = Sim::start("full-speed");
    let place = tempfile::tempdir().unwrap();
    let plan = sim.plan(place.path(), vec![closed(2, 4, 0)]);
    let (good, good_end) = Link::joined("good");
    let (bad, carrier) = Link::carried("bad");
    drop(carrier);
    let workers = Workers::serve(vec![good_end]);
    let error = run_over(&plan, vec![good, bad], &Stop::default(), &mut |_| {}).unwrap_err();
    drop(workers.ended());
    assert_eq!(error.to_string(), "worker 2 (bad): the link has ended");
}

#[test]
fn a_file_that_a_machine_does_not_have_is_told_before_any_load() {
    let sim = Sim::start("full-speed");
    let place = tempfile::tempdir().unwrap();
    let prompts = place.path().join("prompts.txt");
    fs::write(&prompts, "one\ntwo\nthree\n").unwrap();
    let mut plan = sim.plan(&place.path().join("out"), vec![closed(2, 4, 0)]);
    plan.workload.min_prompt_length = 0;
    plan.workload.dataset = Dataset::LineByLine(Source {
        path: Some(prompts.clone()),
        fit: None,
    });
    let (near, there) = Link::carried("bare");
    let (far, back) = Link::carried("coordinator");
    thread::spawn(move || {
        while let Ok(frame) = there.outgoing.recv() {
            // The coordinator has read the file by now; the worker will not find it.
            if matches!(Frame::read_order(&frame), Ok(Order::Open(_))) {
                fs::remove_file(&prompts).unwrap();
            }
            if back.incoming.send(Ok(frame)).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        while let Ok(frame) = back.outgoing.recv() {
            if there.incoming.send(Ok(frame)).is_err() {
                return;
            }
        }
    });
    let workers = Workers::serve(vec![far]);
    let mut begun = 0;
    let error = run_over(&plan, vec![near], &Stop::default(), &mut |event| {
        begun += usize::from(matches!(event, Event::PointStarted { .. }));
    })
    .unwrap_err();
    drop(workers.ended());
    let told = error.to_string();
    assert!(told.starts_with("worker 1 (bare): "), "{told}");
    assert!(told.contains("prompts.txt"), "{told}");
    assert_eq!(begun, 0);
    assert!(!place.path().join("out").exists(), "nothing is on disk");
}

#[test]
fn a_service_that_machines_do_not_reach_is_told_with_the_name_of_one() {
    let place = tempfile::tempdir().unwrap();
    let plan = {
        let sim = Sim::start("full-speed");
        sim.plan(place.path(), vec![closed(2, 4, 0)])
    };
    let (workers, links) = Workers::start(2);
    let error = run_over(&plan, links, &Stop::default(), &mut |_| {}).unwrap_err();
    drop(workers.ended());
    let RunError::Refused { text, .. } = &error else {
        panic!("{error}");
    };
    assert!(text.starts_with("worker "), "{text}");
}

#[test]
fn records_that_are_missing_or_told_twice_make_a_load_void() {
    let records: Vec<_> = (0..50)
        .map(|index| RequestRecord::new(index, Phase::Measured))
        .collect();
    let frames = ready::frames(&records);
    for (told, is_whole) in [(50, true), (51, false), (49, false)] {
        let place = tempfile::tempdir().unwrap();
        let plan = ready::plan(place.path(), 50, 0);
        let (near, far) = Link::joined("node");
        let frames = frames.clone();
        let worker = thread::spawn(move || ready::serve(&far, frames, told).unwrap());
        let mut result = None;
        let outcome = run_over(&plan, vec![near], &Stop::default(), &mut |event| {
            if let Event::PointDone(done) = event {
                result = Some(done);
            }
        });
        let result = result.unwrap();
        assert_eq!(result.summary.total(), 50);
        assert_eq!(outcome.is_ok(), is_whole, "{outcome:?}");
        if let Err(error) = outcome {
            let why = format!("it handed over {told} records, of which 50 came whole");
            assert!(error.to_string().ends_with(&why), "{error}");
            assert!(!result.health.verdict(&result.summary).is_sound());
        }
        worker.join().unwrap();
    }
}

#[test]
fn a_worker_that_says_nothing_any_more_is_lost_though_its_link_stands() {
    let place = tempfile::tempdir().unwrap();
    let plan = ready::plan(place.path(), 50, 0);
    let (link, carrier) = Link::carried("frozen");
    carrier
        .incoming
        .send(Ok(Frame::of(&Report::Hello(ready::hello()))))
        .unwrap();
    let began = clock::monotonic();
    let error = run_over(&plan, vec![link], &Stop::default(), &mut |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "worker 1 (frozen): nothing was heard of it for 10 s"
    );
    assert!(clock::monotonic().saturating_sub(began) >= Nanos::from_secs(10));
    let orders: Vec<_> = carrier
        .outgoing
        .try_iter()
        .map(|frame| Frame::read_order(&frame).unwrap())
        .collect();
    let beats = orders
        .iter()
        .filter(|order| matches!(order, Order::Beat))
        .count();
    assert!(
        beats >= 5,
        "the coordinator shows each second that it is there: {beats}"
    );
    assert!(
        matches!(orders.last(), Some(Order::Leave)),
        "and lets the worker go at last"
    );
}
