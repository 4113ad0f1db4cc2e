//! Fixed loads: several machines send what one would send, and what comes of it is whole.

use std::num::NonZeroUsize;
use std::path::Path;

use crestline_core::health::HealthVerdict;
use crestline_core::request::LoadPoint;
use crestline_core::summary::RunSummary;
use crestline_core::units::Nanos;
use crestline_experiment::event::{Event, PointResult};
use crestline_experiment::plan::Plan;
use crestline_experiment::run::{run, run_over};
use crestline_load::engine::Stop;

use super::setting::{Sim, Workers, closed, open, stored};

/// By so many workers; what came of the only load.
fn by_workers(plan: &Plan, count: usize) -> PointResult {
    let (workers, links) = Workers::start(count);
    let outcome = run_over(plan, links, &Stop::default(), &mut |_| {}).unwrap();
    for ended in workers.ended() {
        ended.unwrap();
    }
    assert!(!outcome.interrupted);
    outcome.points.into_iter().next().unwrap()
}

/// What every way to send a load has in common: requests, their order, their texts and their distance from the start.
fn sent(folder: &Path) -> Vec<(u64, String, String)> {
    let text = |record: crestline_core::record::RequestRecord| {
        (
            record.index,
            record.request_id,
            record.exchange.unwrap().request,
        )
    };
    stored(folder).into_values().map(text).collect()
}

#[test]
fn several_machines_send_what_one_sends() {
    let sim = Sim::start("full-speed");
    for (name, point) in [("closed", closed(7, 40, 5)), ("open", open(400.0, 60))] {
        let place = tempfile::tempdir().unwrap();
        let [alone, together, parts] =
            ["alone", "together", "parts"].map(|folder| place.path().join(folder));
        run(
            &sim.plan(&alone, vec![point]),
            &Stop::default(),
            &mut |_| {},
        )
        .unwrap();
        by_workers(&sim.plan(&together, vec![point]), 3);
        assert_eq!(sent(&alone), sent(&together), "{name}");
        let of = NonZeroUsize::new(3).unwrap();
        let mut shards = Vec::new();
        for number in 0..3 {
            let folder = parts.join(number.to_string());
            let plan = sim.plan(&folder, vec![point]).shard(number, of);
            run(&plan, &Stop::default(), &mut |_| {}).unwrap();
            shards.extend(sent(&folder));
        }
        shards.sort();
        assert_eq!(sent(&alone), shards, "{name}");
    }
}

#[test]
fn requests_of_an_open_loop_are_due_when_they_would_be_from_one_machine() {
    let sim = Sim::start("full-speed");
    let place = tempfile::tempdir().unwrap();
    let due = |folder: &Path| -> Vec<Nanos> {
        let records = stored(folder);
        let first = records.values().map(|record| record.due).min().unwrap();
        records
            .into_values()
            .map(|record| record.due.saturating_sub(first))
            .collect()
    };
    let [alone, together] = ["alone", "together"].map(|folder| place.path().join(folder));
    let point = open(300.0, 150);
    run(
        &sim.plan(&alone, vec![point]),
        &Stop::default(),
        &mut |_| {},
    )
    .unwrap();
    by_workers(&sim.plan(&together, vec![point]), 3);
    // To the nanosecond: a start is agreed, and every machine knows when each request is due after it.
    assert_eq!(due(&alone), due(&together));
}

fn summary_of(folder: &Path, point: LoadPoint) -> RunSummary {
    let mut summary = RunSummary::new(point);
    for record in stored(folder).values() {
        summary.add(record);
    }
    summary.sort();
    summary
}

#[test]
fn what_is_told_is_what_was_stored_and_each_machine_has_its_part() {
    let sim = Sim::start("full-speed");
    let place = tempfile::tempdir().unwrap();
    let point = closed(8, 80, 0);
    let result = by_workers(&sim.plan(place.path(), vec![point]), 4);
    assert_eq!(result.summary, summary_of(place.path(), point));
    assert_eq!(result.summary.total(), 80);
    let names: Vec<&str> = result.health.nodes.iter().map(|node| &*node.name).collect();
    let expected = [
        "worker 1 (node-0)",
        "worker 2 (node-1)",
        "worker 3 (node-2)",
        "worker 4 (node-3)",
    ];
    assert_eq!(names, expected);
    for node in &result.health.nodes {
        // Two users of eight each.
        assert_eq!(node.requests, 20, "{}", node.name);
        assert_eq!(node.health.pace.sends, 20, "{}", node.name);
        // The same clock: what is measured of it is how long a word takes between threads.
        assert!(
            node.clock.offset_ns.unsigned_abs() <= node.clock.bound.0,
            "{:?}",
            node.clock
        );
        assert!(node.lost.is_none());
    }
    assert_eq!(result.health.send_lag.len(), 80);
    assert_eq!(result.health.workers.len(), 8);
}

#[test]
fn progress_is_of_all_machines_together() {
    let sim = Sim::start("constant-20ms");
    let place = tempfile::tempdir().unwrap();
    let plan = sim.plan(place.path(), vec![closed(6, 60, 6)]);
    let (workers, links) = Workers::start(3);
    let mut counting = 0;
    let mut sent = Vec::new();
    let outcome = run_over(&plan, links, &Stop::default(), &mut |event| match event {
        Event::Counting => counting += 1,
        Event::Progress(progress) => sent.push((progress.sent, progress.total)),
        _ => {}
    });
    drop(workers.ended());
    let result = outcome.unwrap().points.pop().unwrap();
    assert_eq!(counting, 1);
    assert!(
        sent.iter().all(|(sent, total)| *sent <= 66 && *total == 66),
        "{sent:?}"
    );
    assert!(sent.last().unwrap().0 > 6, "{sent:?}");
    assert_eq!(result.summary.total(), 60);
}

#[test]
fn more_machines_than_users_are_no_harm() {
    let sim = Sim::start("full-speed");
    let place = tempfile::tempdir().unwrap();
    let result = by_workers(&sim.plan(place.path(), vec![closed(2, 9, 0)]), 5);
    assert_eq!(result.summary.total(), 9);
    let requests: Vec<u64> = result
        .health
        .nodes
        .iter()
        .map(|node| node.requests)
        .collect();
    assert_eq!(requests[2..], [0, 0, 0]);
    assert_eq!(requests.iter().sum::<u64>(), 9);
}

#[test]
fn a_stop_ends_all_and_what_had_ended_is_kept() {
    let sim = Sim::start("constant-20ms");
    let place = tempfile::tempdir().unwrap();
    let plan = sim.plan(place.path(), vec![closed(4, 1_000_000, 0)]);
    let (workers, links) = Workers::start(2);
    let stop = Stop::default();
    let outcome = run_over(&plan, links, &stop, &mut |event| {
        if matches!(&event, Event::Progress(progress) if progress.ended > 0) {
            stop.ask();
        }
    });
    for ended in workers.ended() {
        ended.unwrap();
    }
    let outcome = outcome.unwrap();
    assert!(outcome.interrupted);
    let total = outcome.points[0].summary.total();
    assert!(total > 0);
    assert_eq!(total, stored(place.path()).len() as u64);
}

#[test]
fn several_loads_are_applied_one_after_the_other() {
    let sim = Sim::start("full-speed");
    let place = tempfile::tempdir().unwrap();
    let plan = sim.plan(
        place.path(),
        vec![closed(1, 5, 0), closed(4, 12, 2), open(200.0, 10)],
    );
    let (workers, links) = Workers::start(2);
    let outcome = run_over(&plan, links, &Stop::default(), &mut |_| {}).unwrap();
    drop(workers.ended());
    let totals: Vec<u64> = outcome
        .points
        .iter()
        .map(|point| point.summary.total())
        .collect();
    assert_eq!(totals, [5, 12, 10]);
    for point in &outcome.points {
        assert_eq!(point.health.verdict(&point.summary), HealthVerdict::Sound);
    }
}
