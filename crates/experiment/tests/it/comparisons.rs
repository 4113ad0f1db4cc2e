//! Comparisons of runs of which is known whether they differ.

use crate::pairs::{Engine, Found, Trial, closed, compare, open, records};

fn users() -> Trial {
    Trial {
        name: "closed",
        load: closed(8),
        requests: 600,
        repeats: 1,
    }
}

fn rate() -> Trial {
    Trial {
        name: "open",
        load: open(20.0),
        requests: 600,
        repeats: 1,
    }
}

fn count(found: &[Found], is: impl Fn(&Found) -> bool) -> usize {
    found.iter().filter(|found| is(found)).count()
}

fn at_most_two_of_40_are_reported_to_differ(trial: Trial) {
    let found = compare(trial, Engine::Same, 0..40);
    assert_eq!(found.len(), 40);
    let told = count(&found, Found::reports_a_difference);
    assert!(told <= 2, "{}: {told}", trial.name);
}

fn at_least_36_of_40_are_found_slower(trial: Trial) {
    let found = compare(trial, Engine::Slower(1.05), 0..40);
    let told = count(&found, Found::is_slower);
    assert!(told >= 36, "{}: {told}", trial.name);
}

#[test]
fn of_40_pairs_of_the_same_engine_at_most_two_are_reported_to_differ_by_more_than_2_percent() {
    at_most_two_of_40_are_reported_to_differ(users());
}

#[test]
fn the_same_holds_for_requests_at_a_rate() {
    at_most_two_of_40_are_reported_to_differ(rate());
}

#[test]
fn of_40_pairs_that_differ_by_5_percent_at_least_36_are_found() {
    at_least_36_of_40_are_found_slower(users());
}

#[test]
fn the_same_are_found_where_requests_come_at_a_rate() {
    at_least_36_of_40_are_found_slower(rate());
}

#[test]
fn runs_of_a_pair_have_other_prompts_answers_and_times() {
    for trial in [users(), rate()] {
        let [a, b] = [0, 100].map(|seed| records(trial, Engine::Same, seed));
        assert_eq!(a.len(), b.len());
        let alike = a.iter().zip(&b).filter(|(a, b)| {
            a.prompt_tokens == b.prompt_tokens && a.output_tokens == b.output_tokens
        });
        assert!(alike.count() < 5);
        assert!(a.iter().zip(&b).all(|(a, b)| a.latency() != b.latency()));
    }
}
