//! What is said over links: another version is refused, what is no frame is an end and never a panic, clocks are compared, and
//! secrets reach the workers.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crestline_core::request::{Item, Prompt};
use crestline_core::units::Nanos;
use crestline_experiment::distributed::wire::{
    Frame, Heard, Hello, Order, PROTOCOL, Report, WirePlan,
};
use crestline_experiment::distributed::{Link, WorkError, serve};
use crestline_experiment::plan::SubjectPlan;
use crestline_experiment::run::{run, run_over};
use crestline_load::engine::Stop;
use crestline_load::target::{Header, Secret};
use crestline_workload::own::{ItemSource, OwnSource};
use crestline_workload::plan::Dataset;
use proptest::prelude::*;

use super::setting::{Sim, Workers, closed, plan};

fn hello(protocol: u32, version: &str) -> Vec<u8> {
    Frame::of(&Report::Hello(Hello {
        protocol,
        version: version.to_owned(),
        processors: 1,
        connections: 1000,
    }))
}

/// What the coordinator makes of a worker whose first frame is this.
fn greeted_by(first: Vec<u8>) -> String {
    let sim = Sim::start("full-speed");
    let place = tempfile::tempdir().unwrap();
    let (link, carrier) = Link::carried("odd");
    carrier.incoming.send(Ok(first)).unwrap();
    let plan = sim.plan(place.path(), vec![closed(1, 1, 0)]);
    let error = run_over(&plan, vec![link], &Stop::default(), &mut |_| {}).unwrap_err();
    drop(carrier);
    error.to_string()
}

#[test]
fn a_worker_of_another_version_is_refused_with_both_versions() {
    let ours = env!("CARGO_PKG_VERSION");
    assert_eq!(
        greeted_by(hello(PROTOCOL + 1, ours)),
        format!(
            "worker 1 (odd) runs crestline {ours} (protocol {}), this is {ours} (protocol {PROTOCOL})",
            PROTOCOL + 1
        )
    );
    let other = greeted_by(hello(PROTOCOL, "9.9.9"));
    assert!(
        other.starts_with("worker 1 (odd) runs crestline 9.9.9"),
        "{other}"
    );
}

#[test]
fn a_worker_that_sends_no_frames_is_refused() {
    for (bytes, told) in [
        (&b"\0garbage"[..], "it sent a frame of an unknown kind"),
        (b"", "it sent a frame of an unknown kind"),
        (b"m{\"Hello\":", "it sent a message that is not understood"),
        (b"r\xff\xff", "it sent a frame of records that is damaged"),
    ] {
        let error = greeted_by(bytes.to_vec());
        assert!(
            error.starts_with(&format!("worker 1 (odd): {told}")),
            "{error}"
        );
    }
}

#[test]
fn a_worker_ends_with_an_error_where_orders_make_no_sense() {
    let (near, far) = Link::joined("node");
    let worker = thread::spawn(move || serve(far));
    let first = near.from.recv().unwrap().unwrap();
    assert!(matches!(
        Frame::read(&first),
        Ok(Heard::Report(Report::Hello(_)))
    ));
    // Orders that mean nothing yet are no harm.
    near.to
        .send(Frame::of(&Order::Begin { at: Nanos::ZERO }))
        .unwrap();
    near.to.send(b"nothing".to_vec()).unwrap();
    assert!(matches!(
        worker.join().unwrap(),
        Err(WorkError::Unreadable(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_a_frame_or_none(bytes: Vec<u8>, kind in prop::sample::select(vec![b'm', b'r', b'f', b'x'])) {
        let frame = [vec![kind], bytes].concat();
        drop(Frame::read(&frame));
        drop(Frame::read_order(&frame));
    }
}

#[test]
fn requests_in_flight_come_back_as_they_were() {
    let flight = |index, first: Option<u64>| crestline_core::record::InFlight {
        index,
        due: Nanos(900 - index),
        sent: Nanos(1000 + index),
        first_token: first.map(Nanos),
        output_tokens: 7,
        expected_tokens: first.map(|_| 9),
    };
    let flights = vec![flight(3, Some(4000)), flight(900, None), flight(7, Some(1))];
    let frame = Frame::of_sight(5, &flights);
    let Ok(Heard::Sight { turn, in_flight }) = Frame::read(&frame) else {
        panic!("a frame of its own making");
    };
    assert_eq!((turn, in_flight), (5, flights));
    for cut in 0..frame.len() {
        assert!(Frame::read(&frame[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn a_plan_reaches_a_worker_with_its_secrets_and_a_file_without() {
    let sim = Sim::start("full-speed");
    let place = tempfile::tempdir().unwrap();
    let mut plan = sim.plan(place.path(), vec![closed(3, 9, 1)]);
    plan.server_metrics.url = Some("http://me:pw-four@h/metrics".to_owned());
    let SubjectPlan::Live(target) = &mut plan.subject else {
        unreachable!("the plan is for a service");
    };
    target.url = "http://h/v1?api_key=pw-one".to_owned();
    target.api_key = Some(Secret::new("pw-two"));
    target.headers = ["X-Token", "X-Team"]
        .map(|name| Header {
            name: name.to_owned(),
            value: Secret::new("pw-three"),
        })
        .to_vec();
    let wire = serde_json::to_vec(&WirePlan::of(&plan)).unwrap();
    let there: WirePlan = serde_json::from_slice(&wire).unwrap();
    assert_eq!(there.restore(), plan);
    let shown = format!("{:?}", WirePlan::of(&plan));
    let file = serde_json::to_string(&plan).unwrap();
    for secret in ["pw-two", "pw-three", "pw-four"] {
        assert!(!file.contains(secret), "{secret} is in a file");
    }
    assert!(!shown.contains("pw-two"), "{shown}");
}

#[test]
fn a_virtual_service_has_no_machines() {
    let place = tempfile::tempdir().unwrap();
    let subject = SubjectPlan::Virtual("full-speed".to_owned());
    let plan = plan(subject, place.path(), vec![closed(1, 1, 0)]);
    let (workers, links) = Workers::start(1);
    let error = run_over(&plan, links, &Stop::default(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("virtual time"), "{error}");
    drop(workers.ended());
    // A part of it would be a smaller engine's load on a whole engine.
    let part = plan.shard(0, NonZeroUsize::new(2).unwrap());
    let error = run(&part, &Stop::default(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("virtual time"), "{error}");
}

/// Prompts that are made in this process.
#[derive(Debug)]
struct Here;

impl ItemSource for Here {
    fn item(&self, index: u64) -> Result<Item, String> {
        Ok(Item::new(index, Prompt::Text("Hi".to_owned())))
    }

    fn number(&self) -> Option<u64> {
        None
    }
}

#[test]
fn code_of_this_process_is_not_on_other_machines() {
    let place = tempfile::tempdir().unwrap();
    let sim = Sim::start("full-speed");
    let mut plan = sim.plan(place.path(), vec![closed(1, 1, 0)]);
    plan.workload.dataset = Dataset::Own(OwnSource::new("my_prompts", Arc::new(Here)));
    let (workers, links) = Workers::start(1);
    let error = run_over(&plan, links, &Stop::default(), &mut |_| {}).unwrap_err();
    assert!(
        error.to_string().starts_with("`my_prompts` is code"),
        "{error}"
    );
    drop(workers.ended());
}

/// What the worker's clock shows more than this machine's.
const AHEAD: u64 = 3_600_000_000_000;

/// A link to a worker with another clock, over which frames take a while there and longer back.
fn to_another_clock() -> (Link, Link) {
    let (near, there) = Link::carried("ahead");
    let (far, back) = Link::carried("coordinator");
    thread::spawn(move || {
        while let Ok(frame) = there.outgoing.recv() {
            crestline_load::clock::sleep(Duration::from_millis(1));
            let frame = match Frame::read_order(&frame) {
                // The worker's own clock is this machine's: what is said to it is moved.
                Ok(Order::Apply {
                    point,
                    first_item,
                    shift_ns,
                }) => Frame::of(&Order::Apply {
                    point,
                    first_item,
                    shift_ns: shift_ns + AHEAD.cast_signed(),
                }),
                _ => frame,
            };
            if back.incoming.send(Ok(frame)).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        while let Ok(frame) = back.outgoing.recv() {
            crestline_load::clock::sleep(Duration::from_millis(4));
            let frame = match Frame::read(&frame) {
                Ok(Heard::Report(Report::Pong { number, at })) => Frame::of(&Report::Pong {
                    number,
                    at: at + Nanos(AHEAD),
                }),
                _ => frame,
            };
            if there.incoming.send(Ok(frame)).is_err() {
                return;
            }
        }
    });
    (near, far)
}

#[test]
fn a_clock_that_is_an_hour_ahead_is_found_out_and_its_records_are_on_the_coordinator_s() {
    let sim = Sim::start("full-speed");
    let place = tempfile::tempdir().unwrap();
    let plan = sim.plan(place.path(), vec![closed(2, 20, 0)]);
    let (same, same_end) = Link::joined("same");
    let (ahead, ahead_end) = to_another_clock();
    let workers = Workers::serve(vec![same_end, ahead_end]);
    let began = AtomicU64::new(crestline_load::clock::monotonic().0);
    let outcome = run_over(&plan, vec![same, ahead], &Stop::default(), &mut |_| {}).unwrap();
    let took = crestline_load::clock::monotonic().0 - began.load(Ordering::Relaxed);
    drop(workers.ended());
    let nodes = &outcome.points[0].health.nodes;
    let clock = nodes[1].clock;
    // Five milliseconds there and back at least, and the middle is not where the clock was read.
    assert!(clock.bound >= Nanos::from_micros(2500), "{clock:?}");
    assert!(
        clock.offset_ns.abs_diff(AHEAD.cast_signed()) <= clock.bound.0,
        "{clock:?}"
    );
    assert!(nodes[0].clock.offset_ns.unsigned_abs() <= nodes[0].clock.bound.0);
    let records = super::setting::stored(place.path());
    assert_eq!(records.len(), 20);
    for record in records.values() {
        assert!(record.end.0 < took, "{record:?}");
    }
}
