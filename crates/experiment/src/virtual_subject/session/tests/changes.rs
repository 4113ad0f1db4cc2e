//! A load is changed in place: what is in flight stays, and every request is told once.

use super::*;

#[test]
fn a_load_is_changed_in_place() {
    let mut session = session("gpu-small");
    session.set_load(users(4));
    session.run_until(Until::Ended(20));
    let before: Vec<u64> = session
        .in_flight()
        .iter()
        .map(|flight| flight.index)
        .collect();
    session.set_load(users(10));
    session.run_until(Until::Time(session.now()));
    let after: Vec<u64> = session
        .in_flight()
        .iter()
        .map(|flight| flight.index)
        .collect();
    assert_eq!(after.len(), 10);
    assert!(
        before.iter().filter(|index| after.contains(index)).count() >= 3,
        "{before:?} {after:?}"
    );
    session.set_load(users(2));
    session.run_until(Until::Ended(8));
    assert_eq!(session.in_flight().len(), 2);
    session.run_until(Until::Ended(20));
    assert_eq!(session.in_flight().len(), 2);
    session.hold();
    assert_eq!(session.run_until(Until::Idle).len(), 2);
    assert_eq!(session.in_flight(), []);
}

#[test]
fn requests_that_wait_for_a_slot_go_on_waiting_under_the_next_load() {
    let mut session = session("gpu-small");
    session.set_load(capped(Arrivals::Constant(rate(100.0)), 2));
    let second = Nanos::from_secs(1);
    let mut records = session.run_until(Until::Time(second));
    session.set_load(capped(Arrivals::Constant(rate(1.0)), 50));
    records.extend(session.run_until(Until::Time(Nanos::from_secs(60))));
    records.iter().for_each(check_record);
    let early: Vec<_> = records
        .iter()
        .filter(|record| record.due < second)
        .collect();
    assert_eq!(
        early.len(),
        100,
        "all that were due in the first second were sent"
    );
    assert!(early.iter().any(|record| record.sent == second));
}

fn later(session: &VirtualSession, millis: u64) -> Until {
    Until::Time(session.now() + Nanos::from_millis(millis))
}

/// Records and requests in flight together are what was sent, each once.
fn check_all_told(session: &VirtualSession, records: &[RequestRecord]) {
    let in_flight = session.in_flight();
    let mut told: Vec<u64> = records.iter().map(|record| record.index).collect();
    told.extend(in_flight.iter().map(|flight| flight.index));
    told.sort_unstable();
    assert_eq!(told, (0..session.sent).collect::<Vec<_>>());
}

#[test]
fn further_users_join_evenly_and_those_in_flight_stay() {
    let mut session = session("gpu-small");
    session.change(users(2), Nanos::ZERO, Abort::Nothing);
    let mut records = session.run_until(Until::Time(Nanos(2_000_000_001)));
    let from = session.now();
    let second = Nanos::from_secs(1);
    session.change(users(12), second, Abort::Nothing);
    records.extend(session.run_until(later(&session, 950)));
    assert_eq!(session.in_flight().len(), 12);
    records.extend(session.run_until(later(&session, 4000)));
    check_all_told(&session, &records);
    let ends: Vec<Nanos> = records.iter().map(|record| record.end).collect();
    let mut joined: Vec<Nanos> = records
        .iter()
        .map(|record| record.due)
        .filter(|due| *due >= from && !ends.contains(due))
        .collect();
    joined.sort_unstable();
    let expected: Vec<Nanos> = (0..10).map(|user| from + second * user / 10).collect();
    assert_eq!(joined, expected);
    assert!(records.iter().all(|record| record.sent == record.due));
}

#[test]
fn users_that_join_anew_are_due_evenly_and_nothing_of_before_goes_on() {
    let mut session = session("gpu-small");
    session.change(users(40), Nanos::from_secs(1), Abort::Nothing);
    let mut records = session.run_until(Until::Ended(200));
    let from = session.now();
    let before: Vec<u64> = session
        .in_flight()
        .iter()
        .map(|flight| flight.index)
        .collect();
    let second = Nanos::from_secs(1);
    session.change(users(10), second, Abort::All);
    records.extend(session.run_until(later(&session, 4000)));
    check_all_told(&session, &records);
    let is_cancelled = |record: &&RequestRecord| {
        record
            .failure
            .as_ref()
            .is_some_and(|failure| failure.kind == FailureKind::Cancelled)
    };
    let mut given_up: Vec<u64> = records
        .iter()
        .filter(is_cancelled)
        .map(|record| record.index)
        .collect();
    given_up.sort_unstable();
    assert_eq!(given_up, before);
    let mut due: Vec<Nanos> = records
        .iter()
        .map(|record| record.due)
        .filter(|due| *due >= from)
        .collect();
    due.sort_unstable();
    let joined: Vec<Nanos> = (0..10).map(|user| from + second * user / 10).collect();
    assert!(joined.iter().all(|due_at| due.contains(due_at)), "{due:?}");
    assert_eq!(session.in_flight().len(), 10);
}

#[test]
fn fewer_users_are_met_at_once_where_the_surplus_is_given_up_evenly_over_age() {
    let mut session = session("gpu-small");
    session.change(users(40), Nanos::from_secs(1), Abort::Nothing);
    let mut records = session.run_until(Until::Ended(200));
    let before: Vec<u64> = session
        .in_flight()
        .iter()
        .map(|flight| flight.index)
        .collect();
    assert_eq!(before.len(), 40);
    session.change(users(10), Nanos::ZERO, Abort::Surplus);
    let left: Vec<u64> = session
        .in_flight()
        .iter()
        .map(|flight| flight.index)
        .collect();
    let places: Vec<usize> = left
        .iter()
        .map(|index| before.iter().position(|other| other == index).unwrap())
        .collect();
    assert_eq!(places, (0..10).map(|user| 4 * user + 1).collect::<Vec<_>>());
    let given_up = session.run_until(Until::Time(session.now()));
    assert_eq!(given_up.len(), 30);
    for record in &given_up {
        assert_eq!(
            record.failure.as_ref().unwrap().kind,
            FailureKind::Cancelled
        );
        assert_eq!(record.end, session.now());
    }
    records.extend(given_up);
    for _ in 0..20 {
        records.extend(session.run_until(later(&session, 100)));
        assert_eq!(session.in_flight().len(), 10);
    }
    check_all_told(&session, &records);
}

#[test]
fn the_queue_of_an_overload_is_given_up_and_what_has_begun_goes_on() {
    let mut session = session("gpu-small");
    session.change(Load::open(rate(500.0)), Nanos::ZERO, Abort::Nothing);
    let mut records = session.run_until(Until::Time(Nanos::from_secs(5)));
    let begun: Vec<InFlight> = session
        .in_flight()
        .into_iter()
        .filter(|flight| flight.first_token.is_some())
        .collect();
    let queued = session.in_flight().len() - begun.len();
    assert!(queued > 100 && !begun.is_empty(), "{queued} queued");
    session.change(Load::open(rate(1.0)), Nanos::ZERO, Abort::Queue);
    assert_eq!(session.in_flight(), begun);
    let given_up = session.run_until(Until::Time(session.now()));
    assert_eq!(given_up.len(), queued);
    records.extend(given_up);
    records.extend(session.run_until(later(&session, 60_000)));
    check_all_told(&session, &records);
    let failed = records.iter().filter(|record| !record.succeeded()).count();
    assert_eq!(failed, queued);
}

#[test]
fn arrivals_of_a_new_rate_are_poisson_from_the_change_on() {
    let mut session = session("constant-10ms");
    let mut records = Vec::new();
    for per_second in [5.0, 200.0, 20.0] {
        let from = session.now();
        session.change(Load::open(rate(per_second)), Nanos::ZERO, Abort::Nothing);
        let span = 4000.0 / per_second;
        records.extend(session.run_until(Until::Time(from + Nanos::from_secs_f64(span))));
        let to = session.now();
        let in_flight = session.in_flight();
        let mut due: Vec<f64> = records
            .iter()
            .map(|record| record.due)
            .chain(in_flight.iter().map(|flight| flight.due))
            .filter(|due| (from..to).contains(due))
            .map(|due| (due - from).as_secs_f64())
            .collect();
        due.sort_by(f64::total_cmp);
        let gaps: Vec<f64> = due
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) * per_second)
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let square = gaps.iter().map(|gap| gap * gap).sum::<f64>() / gaps.len() as f64;
        // Exponential gaps: mean 1, mean square 2; five standard errors of 4000 gaps.
        assert!((mean - 1.0).abs() < 0.08, "mean {mean} at {per_second}");
        assert!(
            (square - 2.0).abs() < 0.36,
            "mean square {square} at {per_second}"
        );
    }
    check_all_told(&session, &records);
}

#[test]
fn lengths_that_the_request_forces_are_known_before() {
    for is_forced in [true, false] {
        let source: Source = Box::new(move |_| VirtualRequest {
            prompt_tokens: 9,
            answers: vec![20, 30],
            is_forced,
            ..VirtualRequest::default()
        });
        let mut session = VirtualSession::new(&profile("gpu-small"), SETTINGS, source);
        session.set_load(users(2));
        session.run_until(later(&session, 50));
        let mut flights = vec![session.in_flight()[0]; 9];
        session.list_in_flight(&mut flights);
        assert_eq!(flights, session.in_flight());
        assert_eq!(flights.len(), 2);
        for flight in flights {
            assert_eq!(flight.expected_tokens, is_forced.then_some(50));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn however_the_load_changes_every_request_ends_once_and_limits_are_met(
        changes in prop::collection::vec((any_load(), 0..400_u64, 0..4_u8, 1..600_u64), 1..8), seed: u64,
    ) {
        let settings = SessionSettings { seed, ..SETTINGS };
        let mut session = VirtualSession::new(&profile("reject-429"), settings, mixed());
        let mut records = Vec::new();
        for (load, join_over, abort, span) in changes {
            let abort = [Abort::Nothing, Abort::Surplus, Abort::Queue, Abort::All][usize::from(abort)];
            session.change(load, Nanos::from_millis(join_over), abort);
            if let (Some(limit), Abort::Surplus) = (load.concurrency, abort) {
                prop_assert!(session.in_flight().len() <= limit.get() as usize);
            }
            records.extend(session.run_until(later(&session, span)));
            check_all_told(&session, &records);
        }
        session.hold();
        records.extend(session.run_until(Until::Idle));
        records.iter().for_each(check_record);
        check_all_told(&session, &records);
        prop_assert_eq!(session.in_flight(), []);
    }
}
