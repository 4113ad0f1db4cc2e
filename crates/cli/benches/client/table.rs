//! Tables for people: columns that line up, and PASS or MISS beside each target.

use std::fmt::Display;

/// A table with a title, a row of names and rows of cells.
pub(crate) struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(title: &str, names: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            rows: vec![names.iter().map(ToString::to_string).collect()],
        }
    }

    /// Adds a row; it has as many cells as the table has names.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Prints it as Markdown, so that it can be put into a page as it is.
    #[expect(
        clippy::print_stdout,
        reason = "printing tables is what a bench is for"
    )]
    pub(crate) fn print(&self) {
        let columns = self.rows[0].len();
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        println!("\n### {}\n", self.title);
        for (index, row) in self.rows.iter().enumerate() {
            let cells = row.iter().zip(&widths);
            let cells: Vec<String> = cells
                .map(|(cell, &width)| format!("{cell:width$}"))
                .collect();
            println!("| {} |", cells.join(" | "));
            if index == 0 {
                let rules: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
                println!("| {} |", rules.join(" | "));
            }
        }
    }
}

/// A target and whether it is met: `PASS (<= 1.5)` or `MISS (<= 1.5)`.
pub(crate) fn verdict(met: Met, target: impl Display) -> String {
    match met {
        Met::Yes => format!("PASS ({target})"),
        Met::No => format!("MISS ({target})"),
    }
}

/// Whether a target is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    Yes,
    No,
}

impl From<bool> for Met {
    fn from(met: bool) -> Self {
        if met { Self::Yes } else { Self::No }
    }
}

/// Judges a value that should be at most `limit`.
pub(crate) fn at_most(value: f64, limit: f64, unit: &str) -> String {
    verdict((value <= limit).into(), format!("≤ {limit}{unit}"))
}

/// The middle value; the mean of the two middle ones where their number is even.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// Quantile `q` of values in any order, linear between neighbours; not a number without values.
pub(crate) fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    crestline_core::stats::quantile_of_sorted(&sorted, q).unwrap_or(f64::NAN)
}

/// The mean; not a number without values.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
