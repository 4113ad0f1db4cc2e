//! One search, step by step.

use crestline_core::search::Status;
use crestline_core::units::Nanos;
use crestline_experiment::search::drive::Happening;

use crate::algorithm::search;
use crate::scenario::Scenario;
use crate::truth::{Row, Truth};

/// Prints each change of load and of what the search is doing, then the answers beside the truths.
#[expect(clippy::print_stdout, reason = "the steps are what is asked for")]
pub(crate) fn trace(scenario: &Scenario, truths: &[&Row], seed: u64) {
    let mut sent = 0_u64;
    let mut last = String::new();
    let answered = search(scenario, seed, &mut |_, happening| match happening {
        Happening::Record(_) => sent += 1,
        Happening::Changed { at, change, status } => {
            let how = format!(
                "-> {:.3} ({:?}, join over {})",
                change.load, change.abort, change.join_over
            );
            println!("{} {how}", place(*at, sent, status));
            last = state(status);
        }
        Happening::Looked { at, status } if state(status) != last => {
            println!("{}", place(*at, sent, status));
            last = state(status);
        }
        Happening::Looked { .. } => {}
    });
    for (at, answer) in answered.answers.iter().enumerate() {
        println!("\nanswer {}: {answer:#?}", at + 1);
        if let Some(row) = truths.get(at) {
            println!("truth {}: {}", at + 1, words(&row.truth));
        }
    }
    println!("cost: {:?}", answered.searched.cost);
}

fn place(at: Nanos, ended: u64, status: &Status) -> String {
    format!(
        "{:9.2} s {ended:6} ended  {}",
        at.as_secs_f64(),
        state(status)
    )
}

fn state(status: &Status) -> String {
    let interval = status.interval.map_or(String::new(), |interval| {
        format!("[{:.3}, {:.3}]", interval.low, interval.high)
    });
    format!("{:10} at {:9.3} {interval:22}", status.stage, status.load)
}

fn words(truth: &Truth) -> String {
    match truth {
        Truth::Infeasible => "infeasible".to_owned(),
        Truth::NotReached => "not reached".to_owned(),
        Truth::Best(best) => format!(
            "98 % of {:.1} tokens/s from {:.1} on",
            best.tokens_per_s, best.load
        ),
        Truth::Crossing(crossing) => format!(
            "{:.3} ± {:.2} %, beta {:.1}, {} binds",
            crossing.load,
            100.0 * crossing.error,
            crossing.beta,
            crossing.binding
        ),
    }
}
