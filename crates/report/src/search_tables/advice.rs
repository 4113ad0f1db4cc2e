//! What to make of a search: what limits the service, and what would make the answer better.
//!
//! Says what to try, not how to type it.

use crestline_core::request::Load;
use crestline_core::search::{Answer, Outcome, Question, Variable};
use crestline_core::sla::{Group, Measure, Statistic};

use super::evidence::ILL_POSED;
use super::tried::{TriedRow, by_load};
use super::{load_name, more_requests};
use crate::load_tables;
use crate::number::grouped;

/// Throughputs that differ by less are never told apart.
const LEAST_NOISE: f64 = 0.03;

/// What to do about a search that has not ended with an answer.
const GO_ON: &str = "let the search go on, with a larger budget where that ended it";

/// Loads with failures that are named.
const NAMES_SHOWN: usize = 4;

/// `Performance Recommendations:` and a line each.
pub fn recommendations(question: &Question, answers: &[Answer], rows: &[TriedRow]) -> String {
    let sorted = by_load(rows);
    let on_answers = question
        .groups
        .iter()
        .zip(answers)
        .flat_map(|(group, answer)| on_answer(question, group, answer, &sorted));
    on_answers
        .chain(on_throughput(&sorted))
        .chain(on_failures(&sorted))
        .fold("Performance Recommendations:\n".to_owned(), |text, line| {
            format!("{text}• {line}\n")
        })
}

fn on_answer(
    question: &Question,
    group: &Group,
    answer: &Answer,
    sorted: &[&TriedRow],
) -> Vec<String> {
    let load = answer.load.map(|load| load_name(question.variable, load));
    let mut lines = Vec::new();
    match (answer.outcome, load) {
        (Outcome::Value, Some(load)) if group.aim.is_some() => {
            lines.push(match answer.binding {
                Some(criterion) => {
                    format!("Offer {load} for {group}: {} limits it", criterion.measure)
                }
                None => format!("Offer {load} for {group}: more load gives no more"),
            });
        }
        (Outcome::Value, Some(load)) => lines.push(match answer.binding {
            Some(criterion) => {
                format!("Offer at most {load} to keep {group}: {} is what limits it", criterion.measure)
            }
            None => format!("Offer at most {load} to keep {group}"),
        }),
        (Outcome::Infeasible, _) => lines.push(format!(
            "{group} is not met at {} already: {}",
            load_name(question.variable, question.bounds.lowest),
            if sorted.first().is_some_and(|lowest| lowest.failed > 0) {
                "requests fail there".to_owned()
            } else {
                format!(
                    "{}relax the limit, or give the service less to do a request",
                    look_below(question)
                )
            }
        )),
        (Outcome::NotReached, _) if group.aim.is_some() => lines.push(format!(
            "{group} is best at the highest load, {}: raise the upper bound to see whether more gives more",
            load_name(question.variable, question.bounds.highest)
        )),
        (Outcome::NotReached, _) => lines.push(format!(
            "{group} is still met at {}: raise the upper bound to find the limit",
            load_name(question.variable, question.bounds.highest)
        )),
        (Outcome::Inconclusive, _) => lines.push(match answer.requests_needed {
            Some(requests) => format!(
                "{group} is not decided: {} would do; {GO_ON}",
                more_requests(requests)
            ),
            None => format!("{group} is not decided: {GO_ON}"),
        }),
        (Outcome::Void, _) => lines.push(format!(
            "{group} has no answer: give the client more processors, or run it on another machine"
        )),
        (Outcome::Outpaced, _) => lines.push(format!(
            "{group} is served at a higher load by another configuration: this one was not searched to the end"
        )),
        (Outcome::Value, None) => {}
    }
    lines.extend(on_knee(group, answer));
    lines
}

/// Below one user there is nothing.
fn look_below(question: &Question) -> &'static str {
    match question.variable {
        Variable::Users if question.bounds.lowest <= 1.0 => "",
        _ => "look below it, ",
    }
}

/// What to ask instead where the load hardly matters.
fn on_knee(group: &Group, answer: &Answer) -> Option<String> {
    let beta = answer.knee?.beta;
    if beta >= ILL_POSED {
        return None;
    }
    let criterion = answer.binding?;
    let instead = match criterion.measure {
        Measure::Time(Statistic::Quantile(q), _) if q > 0.9 => {
            "rare slow requests decide it at any load; limit a lower percentile, or find their cause"
        }
        _ => "limit something that the load decides",
    };
    Some(format!(
        "{group}: the load hardly matters for {}; {instead}",
        criterion.measure
    ))
}

/// Where more load no longer gives more, for users in flight.
fn on_throughput(sorted: &[&TriedRow]) -> Option<String> {
    let usable: Vec<(&Load, f64, f64)> = sorted
        .iter()
        .filter(|row| row.succeeded() > 0 && row.load.rate().is_none())
        .filter_map(|row| Some((&row.load, row.requests_per_s?, row.relative_error)))
        .collect();
    let (_, best, best_error) = *usable
        .iter()
        .max_by(|(_, one, _), (_, other, _)| one.total_cmp(other))?;
    let noise = |error: f64| (2.0 * error.hypot(best_error)).max(LEAST_NOISE);
    let (enough, rps, error) = *usable
        .iter()
        .find(|(_, rps, error)| *rps >= best * (1.0 - noise(*error)))?;
    let (last, ..) = *usable.last()?;
    if std::ptr::eq(enough, last) {
        return (usable.len() > 1).then(|| {
            format!(
                "Throughput still grows at {}, the highest load tried",
                load_tables::load_name(last)
            )
        });
    }
    Some(format!(
        "Throughput levels off around {} ({rps:.2} req/s): no higher load gives more than the noise of about {:.0} %",
        load_tables::load_name(enough),
        noise(error) * 100.0
    ))
}

fn on_failures(sorted: &[&TriedRow]) -> Option<String> {
    let failing: Vec<_> = sorted.iter().filter(|row| row.failed > 0).collect();
    if failing.is_empty() {
        return None;
    }
    let names: Vec<_> = failing
        .iter()
        .take(NAMES_SHOWN)
        .map(|row| {
            format!(
                "{} of {} at {}",
                grouped(row.failed),
                grouped(row.total),
                load_tables::load_name(&row.load)
            )
        })
        .collect();
    let more = match failing.len().saturating_sub(NAMES_SHOWN) {
        0 => String::new(),
        more => format!(" and at {more} more loads"),
    };
    Some(format!(
        "Requests failed: {}{more}; find the cause first",
        names.join("; ")
    ))
}
