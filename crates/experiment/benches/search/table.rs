//! Tables for people, as Markdown.

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

    /// Adds a row with as many cells as the table has names.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.rows[0].len(), "one cell a name");
        self.rows.push(cells);
    }

    /// Prints it so that it can be put into a page as it is.
    #[expect(
        clippy::print_stdout,
        reason = "printing tables is what a bench is for"
    )]
    pub(crate) fn print(&self) {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
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
