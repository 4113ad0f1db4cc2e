//! A schedule sends what its load asks for, no more and no less, also when the load changes.

use proptest::prelude::*;

use super::*;

type Open = Schedule<std::vec::IntoIter<Nanos>>;

fn requests(requests: u64) -> StopRule {
    StopRule {
        requests,
        until: None,
    }
}

fn open(due: &[u64], slots: Option<usize>, stop: StopRule) -> Open {
    let due: Vec<_> = due.iter().copied().map(Nanos).collect();
    Schedule::open(due.into_iter(), slots, stop)
}

#[test]
fn a_closed_loop_sends_when_a_slot_is_free_and_no_more_than_asked() {
    let mut closed = Open::closed(2, requests(3));
    let start = |due| {
        Some(Start {
            due: Nanos(due),
            slot_wait: Nanos::ZERO,
        })
    };
    assert_eq!(
        [
            closed.take(Nanos(6)),
            closed.take(Nanos(6)),
            closed.take(Nanos(6))
        ],
        [start(6), start(6), None]
    );
    assert_eq!(closed.wakes_at(), None);
    closed.release(Nanos(9));
    assert_eq!(
        (closed.take(Nanos(10)), closed.take(Nanos(10))),
        (start(9), None)
    );
    assert!(closed.is_over(Nanos(10)));
}

#[test]
fn an_open_loop_sends_when_due_however_many_are_in_flight() {
    let mut open = open(&[3, 3, 8], None, requests(10));
    assert_eq!(
        (open.take(Nanos(2)), open.wakes_at()),
        (None, Some(Nanos(3)))
    );
    let start = |due| {
        Some(Start {
            due: Nanos(due),
            slot_wait: Nanos::ZERO,
        })
    };
    assert_eq!(
        [
            open.take(Nanos(4)),
            open.take(Nanos(4)),
            open.take(Nanos(4))
        ],
        [start(3), start(3), None]
    );
    assert!(!open.is_over(Nanos(4)) && !open.is_over(Nanos(8)));
    assert_eq!(open.take(Nanos(9)), start(8));
    assert!(open.is_over(Nanos(9)));
}

#[test]
fn the_wait_for_a_slot_is_counted_from_due_to_the_slot_and_lateness_is_not() {
    let mut open = open(&[1, 2], Some(1), requests(2));
    assert_eq!(
        open.take(Nanos(4)),
        Some(Start {
            due: Nanos(1),
            slot_wait: Nanos::ZERO
        })
    );
    assert_eq!((open.take(Nanos(5)), open.wakes_at()), (None, None));
    open.release(Nanos(7));
    assert_eq!(
        open.take(Nanos(8)),
        Some(Start {
            due: Nanos(2),
            slot_wait: Nanos(5)
        })
    );
}

#[test]
fn nothing_is_sent_from_the_end_of_the_duration_on() {
    let stop = StopRule {
        requests: 9,
        until: Some(Nanos(10)),
    };
    let mut open = open(&[1, 2, 10, 11], Some(1), stop);
    assert!(open.take(Nanos(3)).is_some());
    open.release(Nanos(9));
    assert!(open.is_ready(Nanos(9)) && !open.is_over(Nanos(9)));
    assert_eq!(
        (open.take(Nanos(10)), open.is_over(Nanos(10))),
        (None, true)
    );
    let mut closed = Open::closed(1, stop);
    assert!(!closed.is_over(Nanos(9)) && closed.is_over(Nanos(10)));
    assert_eq!(closed.take(Nanos(10)), None);
}

#[test]
fn a_stopped_schedule_sends_nothing_more() {
    let mut open = open(&[1, 2], None, requests(2));
    assert!(open.is_ready(Nanos(5)));
    open.stop();
    assert_eq!(
        (open.take(Nanos(5)), open.wakes_at(), open.is_over(Nanos(5))),
        (None, None, true)
    );
}

fn at_once(due: u64) -> Start {
    Start {
        due: Nanos(due),
        slot_wait: Nanos::ZERO,
    }
}

fn users(slots: usize, joins: &[u64]) -> NextLoad<std::vec::IntoIter<Nanos>> {
    NextLoad {
        arrivals: None,
        slots: Some(slots),
        joins: joins.iter().copied().map(Nanos).collect(),
        anew: false,
    }
}

fn arrivals(due: &[u64], slots: Option<usize>) -> NextLoad<std::vec::IntoIter<Nanos>> {
    let due: Vec<_> = due.iter().copied().map(Nanos).collect();
    NextLoad {
        arrivals: Some(due.into_iter()),
        slots,
        joins: Vec::new(),
        anew: false,
    }
}

#[test]
fn users_that_join_anew_leave_nothing_of_the_old_ones() {
    let mut closed = Open::closed(3, requests(9));
    closed.take(Nanos(0)).unwrap();
    closed.take(Nanos(0)).unwrap();
    closed.change(
        Nanos(10),
        NextLoad {
            anew: true,
            ..users(3, &[10, 15])
        },
    );
    assert_eq!((closed.slots(), closed.surplus()), (Some(3), 2));
    closed.release(Nanos(10));
    closed.release(Nanos(10));
    assert_eq!(closed.take(Nanos(10)), Some(at_once(10)));
    assert_eq!(closed.take(Nanos(10)), Some(at_once(10)));
    assert_eq!(
        (closed.take(Nanos(14)), closed.wakes_at()),
        (None, Some(Nanos(15)))
    );
    assert_eq!(closed.take(Nanos(15)), Some(at_once(15)));
    assert_eq!((closed.take(Nanos(30)), closed.wakes_at()), (None, None));
}

#[test]
fn users_that_join_are_due_at_their_moments_and_not_before() {
    let mut closed = Open::closed(1, requests(9));
    assert_eq!(closed.take(Nanos(0)), Some(at_once(0)));
    closed.join([Nanos(20), Nanos(10)]);
    assert_eq!(closed.slots(), Some(3));
    assert_eq!(
        (closed.take(Nanos(9)), closed.wakes_at()),
        (None, Some(Nanos(10)))
    );
    assert_eq!(closed.take(Nanos(12)), Some(at_once(10)));
    assert_eq!(
        (closed.take(Nanos(19)), closed.wakes_at()),
        (None, Some(Nanos(20)))
    );
    assert_eq!(closed.take(Nanos(20)), Some(at_once(20)));
    assert_eq!((closed.take(Nanos(30)), closed.wakes_at()), (None, None));
}

#[test]
fn slots_vanish_free_ones_first_then_those_to_come_then_those_in_use() {
    let mut closed = Open::closed(3, requests(9));
    assert!(closed.take(Nanos(0)).is_some() && closed.take(Nanos(0)).is_some());
    closed.join([Nanos(10), Nanos(11)]);
    closed.retire(2);
    assert_eq!((closed.slots(), closed.surplus()), (Some(3), 0));
    assert_eq!(closed.take(Nanos(9)), None, "the free one is gone");
    closed.retire(2);
    assert_eq!((closed.slots(), closed.surplus()), (Some(1), 1));
    assert_eq!(closed.take(Nanos(20)), None, "nobody joins any more");
    closed.release(Nanos(21));
    assert_eq!(closed.take(Nanos(21)), None, "the surplus one is gone");
    closed.release(Nanos(22));
    assert_eq!(closed.take(Nanos(22)), Some(at_once(22)));
    closed.retire(5);
    assert_eq!((closed.slots(), closed.surplus()), (Some(0), 1));
}

#[test]
fn slots_that_were_to_vanish_stay_when_others_are_to_join() {
    let mut closed = Open::closed(3, requests(9));
    (0..3).for_each(|_| assert!(closed.take(Nanos(0)).is_some()));
    closed.change(Nanos(1), users(1, &[]));
    assert_eq!((closed.slots(), closed.surplus()), (Some(1), 2));
    closed.change(Nanos(2), users(4, &[2, 4, 6]));
    assert_eq!((closed.slots(), closed.surplus()), (Some(4), 0));
    assert_eq!(
        (closed.take(Nanos(5)), closed.wakes_at()),
        (None, Some(Nanos(6)))
    );
    assert_eq!(closed.take(Nanos(6)), Some(at_once(6)));
}

#[test]
fn a_slot_that_is_free_later_waits_and_vanishes_like_one_that_is_to_come() {
    let mut closed = Open::closed(2, requests(9));
    (0..2).for_each(|_| assert!(closed.take(Nanos(0)).is_some()));
    closed.release_later(Nanos(8));
    assert_eq!(
        (closed.take(Nanos(7)), closed.wakes_at()),
        (None, Some(Nanos(8)))
    );
    assert_eq!(closed.take(Nanos(8)), Some(at_once(8)));
    closed.release_later(Nanos(20));
    closed.retire(1);
    assert_eq!(
        (closed.wakes_at(), closed.surplus(), closed.in_flight()),
        (None, 0, 1)
    );
}

#[test]
fn new_arrivals_begin_at_the_change_and_those_that_wait_go_on_waiting() {
    let mut open = open(&[1, 2, 50], Some(1), requests(9));
    assert_eq!(open.take(Nanos(1)), Some(at_once(1)));
    open.change(Nanos(3), arrivals(&[5, 9], Some(2)));
    assert_eq!(open.take(Nanos(3)), Some(at_once(2)));
    open.change(Nanos(6), arrivals(&[7], None));
    assert_eq!(open.take(Nanos(6)), Some(at_once(5)));
    assert_eq!(
        (open.take(Nanos(6)), open.wakes_at()),
        (None, Some(Nanos(7)))
    );
    assert_eq!(open.take(Nanos(7)), Some(at_once(7)));
    assert!(
        open.is_over(Nanos(7)),
        "9 and 50 belong to loads that are gone"
    );
    open.change(Nanos(8), arrivals(&[8], Some(1)));
    assert_eq!(open.surplus(), 3);
    assert_eq!((open.take(Nanos(9)), open.drop_waiting()), (None, 1));
}

#[test]
fn a_slot_that_was_idle_is_not_due_before_its_load_began() {
    let mut open = open(&[1], Some(1), requests(9));
    assert!(open.take(Nanos(1)).is_some());
    open.release(Nanos(2));
    open.change(Nanos(10), users(1, &[]));
    assert_eq!(open.take(Nanos(11)), Some(at_once(11)));
    open.set_stop(requests(0));
    open.release(Nanos(12));
    assert!(open.is_over(Nanos(12)));
    open.change(Nanos(20), users(1, &[]));
    open.set_stop(requests(1));
    assert_eq!(open.take(Nanos(20)), Some(at_once(20)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn positions_are_spread_evenly(of in 0..500usize, pick in 0..500usize) {
        let picked: Vec<usize> = evenly(of, pick).collect();
        prop_assert_eq!(picked.len(), pick.min(of));
        prop_assert!(picked.iter().all(|&at| at < of));
        let step = of as f64 / picked.len().max(1) as f64;
        for (k, at) in picked.iter().enumerate() {
            prop_assert!((*at as f64 - (k as f64 + 0.5) * step).abs() <= 1.0);
        }
        prop_assert!(picked.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn users_join_evenly_and_the_first_at_once(users in 1..400usize, from in 0..1_000u64, over: u64) {
        let moments: Vec<Nanos> = joins(users, Nanos(from), Nanos(over)).collect();
        prop_assert_eq!((moments.len(), moments[0]), (users, Nanos(from)));
        prop_assert!(moments.is_sorted());
        let last = u128::from(over) * (users as u128 - 1) / users as u128;
        prop_assert_eq!(u128::from(moments[users - 1].0), (u128::from(from) + last).min(u64::MAX.into()));
    }

    #[test]
    fn every_arrival_of_each_load_is_sent_once_or_waits_however_rates_and_limits_change(
        loads in prop::collection::vec(
            (prop::collection::vec(1..40u64, 1..40), prop::option::of(0..6usize), 1..400u64), 1..8,
        ),
        service in 1..150u64,
    ) {
        let mut schedule = open(&[], None, requests(u64::MAX));
        let (mut ends, mut sent, mut expected) = (Vec::<u64>::new(), Vec::new(), Vec::new());
        let mut now = 0;
        for (gaps, slots, span) in loads {
            let due: Vec<u64> = gaps.iter().scan(now, |at, gap| { *at += gap; Some(*at) }).collect();
            schedule.change(Nanos(now), arrivals(&due, slots));
            // What is due in the moment of the change is still sent.
            expected.extend(due.into_iter().filter(|&at| at <= now + span));
            for at in now..now + span {
                ends.retain(|&end| { if end <= at { schedule.release(Nanos(end)); } end > at });
                while let Some(start) = schedule.take(Nanos(at)) {
                    prop_assert!(slots.is_none_or(|slots| ends.len() < slots));
                    prop_assert!(start.due + start.slot_wait <= Nanos(at));
                    sent.push(start.due.0);
                    ends.push(at + service);
                }
            }
            now += span;
        }
        schedule.change(Nanos(now), arrivals(&[], None));
        let waiting = schedule.drop_waiting();
        prop_assert_eq!(sent.len() + waiting, expected.len());
        prop_assert_eq!(&sent[..], &expected[..sent.len()]);
    }

    #[test]
    fn a_limit_that_is_changed_at_any_time_is_met_and_no_slot_is_lost(
        changes in prop::collection::vec((1..300u64, 0..12usize, 0..100u64, any::<bool>()), 1..12), service in 1..80u64,
    ) {
        let mut schedule = Open::closed(0, requests(u64::MAX));
        let mut ends = Vec::<u64>::new();
        let (mut now, mut joined_by) = (0, 0);
        for (span, limit, over, anew) in changes {
            let before = if anew { 0 } else { schedule.slots().unwrap() };
            if limit > before {
                joined_by = joined_by.max(now + over);
            }
            let joins = joins(limit.saturating_sub(before), Nanos(now), Nanos(over)).collect();
            schedule.change(Nanos(now), NextLoad { arrivals: None, slots: Some(limit), joins, anew });
            if anew {
                prop_assert_eq!(schedule.surplus(), ends.len());
                for _ in ends.drain(..) {
                    schedule.release(Nanos(now));
                }
            }
            let most = ends.len().max(limit);
            for at in now..now + span {
                ends.retain(|&end| { if end <= at { schedule.release(Nanos(end)); } end > at });
                while let Some(start) = schedule.take(Nanos(at)) {
                    prop_assert_eq!(start.due, Nanos(at));
                    ends.push(at + service);
                }
                prop_assert!(ends.len() <= most);
                prop_assert_eq!((schedule.slots(), schedule.in_flight()), (Some(limit), ends.len()));
                prop_assert_eq!(schedule.surplus(), ends.len().saturating_sub(limit));
            }
            now += span;
            // Users of an earlier change may still be on their way.
            if span > service && now > joined_by {
                prop_assert_eq!(ends.len(), limit);
            }
        }
    }

    #[test]
    fn every_arrival_is_sent_once_in_order_and_the_limit_holds(
        gaps in prop::collection::vec(0..50u64, 1..60), slots in 1..5usize, service in 1..200u64,
    ) {
        let due: Vec<u64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
        let mut schedule = open(&due, Some(slots), requests(due.len() as u64));
        let (mut in_flight, mut sent) = (Vec::<u64>::new(), Vec::new());
        for now in 0..100_000 {
            in_flight.retain(|&end| { if end <= now { schedule.release(Nanos(end)); } end > now });
            while let Some(start) = schedule.take(Nanos(now)) {
                prop_assert_eq!(start.due + start.slot_wait, Nanos(now));
                sent.push(start.due.0);
                in_flight.push(now + service);
            }
            prop_assert!(in_flight.len() <= slots);
        }
        prop_assert_eq!(sent, due);
        prop_assert!(schedule.is_over(Nanos(100_000)));
    }
}
