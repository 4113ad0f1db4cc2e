//! A comparison for people: tables for a terminal, and the same as Markdown.
//!
//! Prints nothing.

use std::fmt::Write as _;

use crestline_core::compare::Difference;
use crestline_report::table::{Align, Style, Table};

use super::comparison::{Compared, Comparison, Question};
use super::{figures, words};

/// Heads of the columns.
fn heads(question: &Question) -> [String; 6] {
    let interval = format!("{} % interval", percent(question.confidence));
    ["Figure", "A", "B", "B to A (%)", &interval, "Verdict"].map(str::to_owned)
}

fn percent(share: f64) -> String {
    crestline_report::number::trimmed(Some(share * 100.0), 3)
}

/// The cells of a row.
fn cells(load: &Compared, difference: &Difference) -> [String; 6] {
    let value = |value| figures::value(difference.statistic, value);
    [
        figures::title(difference.statistic),
        value(difference.a),
        value(difference.b),
        words::change(difference),
        words::interval(difference),
        words::verdict(load, difference),
    ]
}

/// Failures have no verdict of their own: the success rate has.
fn failures(load: &Compared) -> [String; 6] {
    let [a, b] = load.failed.map(|count| count.to_string());
    [
        "Failed requests".to_owned(),
        a,
        b,
        String::new(),
        String::new(),
        String::new(),
    ]
}

/// What stands above the table of a load.
fn head(load: &Compared) -> String {
    format!(
        "{}: {} in A, {} in B",
        load.title, load.sizes[0], load.sizes[1]
    )
}

/// What intervals mean.
fn legend(question: &Question) -> String {
    format!(
        "All intervals together hold the true differences with {} % confidence; of the success rate they are points.",
        percent(question.confidence)
    )
}

/// For a terminal.
pub(super) fn text(comparison: &Comparison, question: &Question) -> String {
    let mut out = String::new();
    for load in &comparison.loads {
        let mut table = Table::new(Style::Compact);
        for (place, name) in heads(question).into_iter().enumerate() {
            let is_number = (1..4).contains(&place);
            let align = if is_number { Align::Right } else { Align::Left };
            table = table.column(name, align);
        }
        for difference in &load.differences {
            table.row(cells(load, difference));
        }
        table.row(failures(load));
        let _ = writeln!(out, "\n{}\n{}", head(load), table.render().trim_end());
        if let Some(why) = &load.void {
            let _ = writeln!(out, "Void: {why}");
        }
    }
    let sentence = comparison.sentence(question.threshold);
    let _ = write!(out, "\n{}\n{}", legend(question), capitalised(&sentence));
    out
}

/// As Markdown, for the page of a pull request.
pub(super) fn markdown(comparison: &Comparison, question: &Question) -> String {
    let sentence = capitalised(&comparison.sentence(question.threshold));
    let mut out = format!("**{}.**\n", escaped(&sentence));
    for load in &comparison.loads {
        let _ = write!(out, "\n### {}\n\n", escaped(&head(load)));
        let _ = writeln!(out, "| {} |", heads(question).join(" | "));
        out.push_str("| --- | ---: | ---: | ---: | --- | --- |\n");
        for difference in &load.differences {
            let mut row = cells(load, difference).map(|cell| escaped(&cell));
            if difference.regressed && load.void.is_none() {
                row[5] = format!("**{}**", row[5]);
            }
            let _ = writeln!(out, "| {} |", row.join(" | "));
        }
        let _ = writeln!(out, "| {} |", failures(load).join(" | "));
        if let Some(why) = &load.void {
            let _ = writeln!(out, "\nVoid: {}", escaped(why));
        }
    }
    let _ = writeln!(out, "\n{}", legend(question));
    for warning in &comparison.warnings {
        let _ = writeln!(out, "- {}", escaped(warning));
    }
    out
}

/// With nothing that Markdown would read as more than text.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' | '#' => {
                out.extend(['\\', letter]);
            }
            '\n' | '\r' => out.push(' '),
            _ => out.push(letter),
        }
    }
    out
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
