//! Races of configurations whose bounds are given.

use proptest::prelude::*;

use super::*;

fn reach(low: f64, high: f64) -> Reach {
    Reach {
        low,
        high: Some(high),
    }
}

/// One contest, with these bounds of its configurations.
fn race(reaches: &[Reach]) -> Race {
    let mut race = Race::new(&vec![vec![true]; reaches.len()], 0.9);
    for (lane, reach) in race.lanes.iter_mut().zip(reaches) {
        lane.places[0].reach = *reach;
    }
    race
}

/// Who is out after a comparison.
fn out(reaches: &[Reach]) -> Vec<bool> {
    let mut race = race(reaches);
    race.compare();
    let is_out = |lane: &Lane| matches!(lane.places[0].state, State::Out(_));
    race.lanes().iter().map(is_out).collect()
}

#[test]
fn who_is_certainly_below_another_one_is_out_wherever_it_stands() {
    let ascending = [reach(10.0, 14.0), reach(15.0, 30.0), reach(31.0, 40.0)];
    assert_eq!(out(&ascending), [true, true, false]);
    let mut descending = ascending;
    descending.reverse();
    assert_eq!(out(&descending), [false, true, true]);
    // The lower bound of the best is what counts, not who has the highest upper bound.
    let wide = [reach(5.0, 99.0), reach(20.0, 22.0), reach(10.0, 19.0)];
    assert_eq!(out(&wide), [false, false, true]);
}

#[test]
fn equal_ones_and_unknown_ones_stay() {
    assert_eq!(out(&[reach(20.0, 20.0); 4]), [false; 4]);
    assert_eq!(
        out(&[Reach::UNKNOWN, reach(20.0, 21.0), Reach::UNKNOWN]),
        [false; 3]
    );
    assert_eq!(out(&[reach(0.0, 0.0), reach(0.0, 0.0)]), [false; 2]);
}

#[test]
fn why_one_is_out_is_told_with_both_bounds() {
    let mut race = race(&[reach(31.0, 40.0), reach(10.0, 14.0)]);
    race.lanes[1].places[0].spent = Nanos::from_secs(7);
    race.compare();
    let lost = Lost {
        to: 0,
        own: reach(10.0, 14.0),
        best: reach(31.0, 40.0),
        after: Nanos::from_secs(7),
    };
    assert_eq!(race.lanes()[1].places[0].state, State::Out(lost));
}

#[test]
fn bounds_are_surer_the_more_there_are_that_could_be_wrong() {
    let tail = |lanes: usize| Race::new(&vec![vec![true, true]; lanes], 0.9).tail();
    assert!((tail(2) - 0.05).abs() < 1e-12);
    assert!((tail(10) - 0.01).abs() < 1e-12);
}

#[test]
fn each_has_a_first_turn_and_then_load_goes_to_the_leader() {
    let mut race = race(&[Reach::UNKNOWN; 3]);
    for (lane, bounds) in [reach(8.0, 20.0), reach(10.0, 30.0), reach(9.0, 25.0)]
        .into_iter()
        .enumerate()
    {
        let turn = race.next().unwrap();
        assert_eq!((turn.lane, turn.slice), (lane, Slice::Scout(Nanos::ZERO)));
        race.lanes[lane].places[0].reach = bounds;
        race.turn_over(lane, Nanos::from_secs(10));
    }
    let five = Slice::Lead(Nanos::from_secs(5));
    let next = |race: &Race| race.next().map(|turn| (turn.lane, turn.slice)).unwrap();
    assert_eq!(next(&race), (1, five));
    race.lanes[1].places[0].reach = reach(11.0, 22.0);
    race.turn_over(1, Nanos::from_secs(7));
    assert_eq!(next(&race), (2, five), "its upper bound is the highest now");
    race.lanes[2].places[0].reach = reach(10.0, 21.0);
    race.turn_over(2, Nanos::from_secs(7));
    assert_eq!(next(&race), (1, Slice::Lead(Nanos::from_secs(10))));
    race.lanes[1].places[0].state = State::Done(Outcome::Value);
    assert_eq!(next(&race).0, 2, "of those that are still searched");
}

#[test]
fn whoever_leads_more_contests_comes_first() {
    let mut race = Race::new(&vec![vec![true; 3]; 2], 0.9);
    for (lane, highs) in [[10.0, 10.0, 30.0], [20.0, 20.0, 20.0]]
        .into_iter()
        .enumerate()
    {
        for (place, high) in race.lanes[lane].places.iter_mut().zip(highs) {
            place.reach = reach(1.0, high);
        }
        race.turn_over(lane, Nanos::from_secs(1));
    }
    assert_eq!(race.next().unwrap().lane, 1);
}

#[test]
fn a_turn_is_worth_the_start_of_its_server() {
    let mut race = race(&[Reach::UNKNOWN; 2]);
    race.started(Nanos::from_secs(30));
    race.started(Nanos::from_secs(50));
    let scout = Slice::Scout(Nanos::from_secs(160));
    assert_eq!(race.next().unwrap().slice, scout);
    race.turn_over(0, Nanos::from_secs(10));
    race.turn_over(1, Nanos::from_secs(10));
    let later = Slice::Lead(Nanos::from_secs(160));
    assert_eq!(race.next().unwrap().slice, later);
}

#[test]
fn a_race_is_over_when_nobody_is_searched_on() {
    let mut race = race(&[reach(31.0, 40.0), reach(10.0, 14.0)]);
    race.turn_over(1, Nanos::from_secs(1));
    assert_eq!(race.next().unwrap().lane, 0);
    race.lanes[0].places[0].state = State::Done(Outcome::Value);
    assert_eq!(race.next(), None);
}

#[test]
fn whoever_was_out_because_of_one_that_fails_is_in_again() {
    let mut race = race(&[reach(31.0, 40.0), reach(10.0, 14.0), reach(20.0, 25.0)]);
    race.compare();
    assert_eq!(race.next().unwrap().lane, 0);
    race.withdraw(0);
    let states: Vec<&State> = race
        .lanes()
        .iter()
        .map(|lane| &lane.places[0].state)
        .collect();
    assert_eq!(states[0], &State::Absent);
    assert!(matches!(states[1], State::Out(lost) if lost.to == 2));
    assert_eq!(states[2], &State::Open);
}

#[test]
fn what_was_saved_is_by_those_that_were_searched_to_the_end() {
    let mut race = race(&[reach(31.0, 40.0), reach(10.0, 14.0), reach(10.0, 14.0)]);
    race.compare();
    assert_eq!(race.saved(), Nanos::ZERO, "none has ended");
    for (lane, seconds) in [(0, 100), (1, 30), (2, 120)] {
        race.lanes[lane].places[0].spent = Nanos::from_secs(seconds);
    }
    race.lanes[0].places[0].state = State::Done(Outcome::Value);
    assert_eq!(race.time_to_the_end(0), Some(Nanos::from_secs(100)));
    assert_eq!(race.saved(), Nanos::from_secs(70));
}

#[test]
fn a_race_reads_back_the_same() {
    let mut race = race(&[reach(31.0, 40.0), reach(10.0, 14.0), Reach::UNKNOWN]);
    race.started(Nanos::from_secs(3));
    race.turn_over(1, Nanos::from_secs(5));
    race.lanes[0].places[0].state = State::Done(Outcome::NotReached);
    let text = serde_json::to_string(&race).unwrap();
    assert_eq!(serde_json::from_str::<Race>(&text).unwrap(), race);
}

#[test]
fn an_answer_says_what_its_interval_says() {
    let answer = |outcome| Answer {
        load: Some(95.0),
        estimate: Some(100.0),
        interval: Some(super::super::answer::Interval::likely(90.0, 110.0)),
        ..Answer::bare(outcome, "")
    };
    let same = Reach::of(&answer(Outcome::Value), 0.05);
    assert!((same.low - 90.0).abs() < 0.01 && (same.high.unwrap() - 110.0).abs() < 0.01);
    let surer = Reach::of(&answer(Outcome::Value), 0.01);
    assert!(surer.low < 87.0 && surer.high.unwrap() > 113.0, "{surer:?}");
    let open_above = Reach::of(&answer(Outcome::NotReached), 0.05);
    assert_eq!((open_above.low, open_above.high), (95.0, None));
    let none = Reach::of(&Answer::bare(Outcome::Infeasible, ""), 0.05);
    assert_eq!(none, reach(0.0, 0.0));
    let unknown = Reach::of(&Answer::bare(Outcome::Inconclusive, ""), 0.05);
    assert_eq!(unknown, Reach::UNKNOWN);
}

fn any_reach() -> impl Strategy<Value = Reach> {
    (0.0..100.0_f64, 0.0..50.0_f64, prop::bool::weighted(0.2)).prop_map(|(low, width, open)| {
        Reach {
            low,
            high: (!open).then_some(low + width),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_highest_upper_bound_is_never_out(reaches in prop::collection::vec(any_reach(), 1..8)) {
        let out = out(&reaches);
        let high = |reach: &Reach| reach.high.unwrap_or(f64::INFINITY);
        let highest = reaches.iter().map(high).fold(0.0, f64::max);
        for (reach, is_out) in reaches.iter().zip(&out) {
            prop_assert!(!is_out || high(reach) < highest);
        }
        // Only who is certainly below one that stays is out.
        let low = reaches.iter().map(|reach| reach.low).fold(0.0, f64::max);
        for (reach, is_out) in reaches.iter().zip(&out) {
            prop_assert_eq!(*is_out, high(reach) < low);
        }
    }

    /// Bounds close in on the truth by a share each turn; a search ends when they are narrow.
    #[test]
    fn a_race_ends_and_keeps_the_best_in_any_order(
        truths in prop::collection::vec(10.0..100.0_f64, 2..7),
        pace in 0.3..0.8_f64,
    ) {
        let mut race = race(&vec![Reach::UNKNOWN; truths.len()]);
        let mut turns = 0;
        while let Some(turn) = race.next() {
            turns += 1;
            prop_assert!(turns < 500);
            let (lane, truth) = (turn.lane, truths[turn.lane]);
            let taken = i32::try_from(race.lanes[lane].turns).unwrap() + 1;
            let width = pace.powi(taken);
            let place = &mut race.lanes[lane].places[0];
            place.reach = reach(truth * (1.0 - width), truth * (1.0 + width));
            if width < 0.02 {
                place.state = State::Done(Outcome::Value);
            }
            race.turn_over(lane, Nanos::from_secs(1));
        }
        let best = truths.iter().copied().fold(0.0, f64::max);
        for (lane, truth) in race.lanes().iter().zip(&truths) {
            let is_done = matches!(lane.places[0].state, State::Done(_));
            prop_assert!(is_done || *truth < best, "{:?}", lane);
            if let State::Out(lost) = &lane.places[0].state {
                prop_assert!(*truth < truths[lost.to]);
            }
        }
    }
}
