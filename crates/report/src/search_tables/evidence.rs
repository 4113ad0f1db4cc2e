//! How sure an answer is, and why, in words.

use crestline_core::search::{Answer, Interval, Knee, Outcome, Question, Variable};
use crestline_core::sla::Group;

use super::{ends, load_name, load_text};
use crate::number::{counted, significant, trimmed};

/// From here on a knee is sharp: a tenth more load multiplies the odds of a violation by about ten.
const SHARP: f64 = 25.0;
/// Below, it is flat.
const FLAT: f64 = 10.0;
/// Below, the load hardly matters for the criterion.
pub(super) const ILL_POSED: f64 = 5.0;

/// One line for each group, its criteria before it where there are several.
pub fn evidence(question: &Question, answers: &[Answer]) -> String {
    question
        .groups
        .iter()
        .zip(answers)
        .fold(String::new(), |text, (group, answer)| {
            let line = line(question, group, answer);
            match answers {
                [_] => format!("{text}{line}\n"),
                _ => format!("{text}{group}: {line}\n"),
            }
        })
}

fn line(question: &Question, group: &Group, answer: &Answer) -> String {
    let mut parts = vec![place(question, group, answer)];
    parts.extend(
        answer
            .binding
            .map(|criterion| format!("{} binds", criterion.measure)),
    );
    if answer.requests > 0 {
        parts.push(format!("{} near it", counted(answer.requests, "request")));
    }
    parts.extend(answer.knee.map(knee));
    if !answer.reason.is_empty() {
        parts.push(answer.reason.clone());
    }
    parts.join("; ")
}

/// Where the answer lies.
fn place(question: &Question, group: &Group, answer: &Answer) -> String {
    let variable = question.variable;
    let name = |load: Option<f64>| {
        load.map_or_else(|| "no load".to_owned(), |load| load_name(variable, load))
    };
    match answer.outcome {
        Outcome::Value if group.aim.is_some() => format!(
            "{}{}",
            name(answer.load),
            in_brackets(range(variable, answer.interval).as_slice())
        ),
        Outcome::Value => {
            let sure = answer.estimate.and(answer.load).map(|load| {
                format!(
                    "{} % sure: at least {}",
                    trimmed(Some(question.confidence * 100.0), 1),
                    load_text(variable, load)
                )
            });
            let facts = sure.into_iter().chain(range(variable, answer.interval));
            format!(
                "{}{}",
                name(
                    answer
                        .estimate
                        .map(|load| likely(variable, load))
                        .or(answer.load)
                ),
                in_brackets(&facts.collect::<Vec<_>>())
            )
        }
        Outcome::Infeasible => format!(
            "not met at {}, the lower bound",
            load_name(variable, question.bounds.lowest)
        ),
        Outcome::NotReached if group.aim.is_some() => format!(
            "best at {}, the upper bound: more load may give more",
            load_name(variable, question.bounds.highest)
        ),
        Outcome::NotReached => format!(
            "met up to {}, the upper bound: the limit lies above",
            load_name(variable, question.bounds.highest)
        ),
        Outcome::Inconclusive => format!(
            "not decided{}",
            in_brackets(range(variable, answer.interval).as_slice())
        ),
        Outcome::Void => "void: the client was the bottleneck".to_owned(),
        Outcome::Outpaced => format!(
            "stopped early{}",
            in_brackets(range(variable, answer.interval).as_slice())
        ),
    }
}

/// The most likely load, as one that can be applied.
fn likely(variable: Variable, load: f64) -> f64 {
    match variable {
        Variable::Users => load.round().max(1.0),
        Variable::Rate => load,
    }
}

fn range(variable: Variable, interval: Option<Interval>) -> Option<String> {
    let interval = interval?;
    let [low, high] = ends(variable, interval);
    let how_sure = interval
        .probability
        .map_or_else(String::new, |probability| {
            format!(" with {} %", trimmed(Some(probability * 100.0), 1))
        });
    Some(format!("between {low} and {high}{how_sure}"))
}

fn in_brackets(facts: &[String]) -> String {
    if facts.is_empty() {
        String::new()
    } else {
        format!(" ({})", facts.join("; "))
    }
}

/// How fast the service leaves a criterion behind, in words.
pub(crate) fn knee(Knee { beta }: Knee) -> String {
    let shown = significant(beta, 2);
    if beta >= SHARP {
        "the knee is sharp".to_owned()
    } else if beta >= FLAT {
        "the knee is ordinary".to_owned()
    } else if beta >= ILL_POSED {
        format!("the knee is flat (beta {shown}): violations grow slowly with the load")
    } else {
        format!("the load hardly matters for it (beta {shown}), so the answer says little")
    }
}

/// Successes as evidence. With none of `n` failed, the rate of failures is below `3/n` at 95 % (the rule of three).
pub fn failures_line(failed: u64, total: u64) -> Option<String> {
    if total == 0 {
        return None;
    }
    let of = format!(
        "{} in {}",
        counted(failed, "failure"),
        counted(total, "request")
    );
    Some(match failed {
        0 => format!(
            "{of} (below {} % at 95 %)",
            significant(100.0 * (3.0 / total as f64).min(1.0), 2)
        ),
        _ => format!(
            "{of} ({} %)",
            significant(100.0 * failed as f64 / total as f64, 2)
        ),
    })
}
