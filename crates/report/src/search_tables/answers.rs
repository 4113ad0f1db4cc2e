//! `SLA Auto-tune Summary:`, the answers as a table.

use crestline_core::search::{Answer, Outcome, Question, Variable};
use crestline_core::sla::{Aim, Group};

use super::{ends, load_text, more_requests};
use crate::number::fixed;
use crate::table::{Align, Style, Table};

/// The table of all answers: criteria, what was varied, the highest load that meets them, and a note.
pub fn summary_table(question: &Question, answers: &[Answer]) -> String {
    let mut table = Table::new(Style::Grid);
    for head in ["Criteria", "Variable", "Max Satisfied", "Note"] {
        table = table.column(head, Align::Left);
    }
    let variable = match question.variable {
        Variable::Users => "parallel",
        Variable::Rate => "rate",
    };
    for (group, answer) in question.groups.iter().zip(answers) {
        let load = answer.load.map_or_else(
            || "None".to_owned(),
            |load| load_text(question.variable, load),
        );
        table.row([
            group.to_string(),
            variable.to_owned(),
            load,
            note(question, group, answer),
        ]);
    }
    format!("SLA Auto-tune Summary:\n{}", table.render())
}

/// What the answer is, in the table's words.
pub fn note(question: &Question, group: &Group, answer: &Answer) -> String {
    let bound = |load| load_text(question.variable, load);
    match (answer.outcome, group.aim) {
        (Outcome::Value, Some(aim)) => best(&aim, answer),
        (Outcome::Value, None) => "Satisfied".to_owned(),
        (Outcome::Infeasible, _) => {
            format!("Failed at lower bound ({})", bound(question.bounds.lowest))
        }
        (Outcome::NotReached, Some(aim)) => format!(
            "{}; still better at the upper bound ({})",
            best(&aim, answer),
            bound(question.bounds.highest)
        ),
        (Outcome::NotReached, None) => format!(
            "Not reached: meets the SLA up to the upper bound ({})",
            bound(question.bounds.highest)
        ),
        (Outcome::Inconclusive, _) => inconclusive(question, answer),
        (Outcome::Void, _) => format!("Void: {}", answer.reason),
        (Outcome::Outpaced, _) => format!("Stopped early: {}", answer.reason),
    }
}

fn best(aim: &Aim, answer: &Answer) -> String {
    format!("Best {}: {}", aim.measure, fixed(answer.best, 4))
}

fn inconclusive(question: &Question, answer: &Answer) -> String {
    let place = answer.interval.map_or_else(
        || answer.reason.clone(),
        |interval| {
            let [low, high] = ends(question.variable, interval);
            format!("between {low} and {high}")
        },
    );
    match answer.requests_needed {
        Some(requests) => format!("Inconclusive: {place}; {}", more_requests(requests)),
        None => format!("Inconclusive: {place}"),
    }
}
