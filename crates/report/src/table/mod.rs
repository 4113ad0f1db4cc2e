//! Draws tables from text cells, in the styles that readers of load tests know.
//!
//! Knows nothing of metrics, and adds no colour. Columns are as wide as their widest cell on a terminal, where a wide
//! character takes two places and a combining one none.

use unicode_width::UnicodeWidthStr;

/// A table being filled: columns first, then rows.
#[derive(Debug, Clone)]
pub struct Table {
    style: Style,
    columns: Vec<Column>,
    rows: Vec<Row>,
}

/// How a table looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `+---+` with a rule after each row, the one below the head of `=`.
    Grid,
    /// `+---+` with rules around the head and at the end only.
    Compact,
    /// Box-drawing characters, heavy around the head, no blanks along the outer edges.
    Heavy,
}

/// Where a cell stands in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// At the left.
    Left,
    /// At the right.
    Right,
    /// In the middle; an odd blank goes to the right.
    Centre,
    /// With the decimal points below each other; the head at the right.
    Decimal,
}

#[derive(Debug, Clone)]
struct Column {
    head: String,
    align: Align,
}

#[derive(Debug, Clone)]
enum Row {
    Cells(Vec<String>),
    Rule,
}

impl Table {
    /// Without columns and rows.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            columns: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Adds a column at the right.
    #[must_use]
    pub fn column(mut self, head: impl Into<String>, align: Align) -> Self {
        self.columns.push(Column {
            head: head.into(),
            align,
        });
        self
    }

    /// Adds a row; missing cells stay blank and cells beyond the last column are left out.
    pub fn row<I>(&mut self, cells: I)
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(Row::Cells(cells));
    }

    /// Adds a rule between rows. In [`Style::Grid`] there is one anyway.
    pub fn rule(&mut self) {
        self.rows.push(Row::Rule);
    }

    /// The table as lines, each ended by a line feed.
    pub fn render(&self) -> String {
        let lines = self.style.lines();
        let columns = self.laid_out();
        let heads: Vec<_> = columns.iter().map(|column| column.head.clone()).collect();
        let mut text = String::new();
        self.push_rule(&mut text, &columns, lines.top);
        self.push_cells(&mut text, &heads, lines.head_bar);
        self.push_rule(&mut text, &columns, lines.below_head);
        let count = columns.first().map_or(0, |column| column.cells.len());
        for place in 0..count {
            if columns.iter().all(|column| column.cells[place].is_none()) {
                self.push_rule(&mut text, &columns, lines.between);
                continue;
            }
            let cells: Vec<_> = columns
                .iter()
                .map(|column| column.cells[place].clone().unwrap_or_default())
                .collect();
            self.push_cells(&mut text, &cells, lines.bar);
        }
        self.push_rule(&mut text, &columns, lines.bottom);
        text
    }

    /// How many places the table takes from edge to edge.
    pub fn width(&self) -> usize {
        let columns = self.laid_out();
        let cells: usize = columns.iter().map(|column| column.width).sum();
        cells + columns.len() * 3 + 1 - self.style.blanks_left_out()
    }

    /// A title in the middle above the table, then the table.
    pub fn render_with_title(&self, title: &str) -> String {
        let blanks = self.width().saturating_sub(title.width()) / 2;
        format!("{:blanks$}{title}\n{}", "", self.render())
    }

    fn laid_out(&self) -> Vec<LaidOut> {
        let rules = |row: &Row| matches!(row, Row::Rule);
        let grid = self.style == Style::Grid;
        let mut rows: Vec<Option<&Vec<String>>> = Vec::new();
        for (place, row) in self.rows.iter().enumerate() {
            if grid && place > 0 && !rules(row) {
                rows.push(None);
            }
            match row {
                Row::Cells(cells) => rows.push(Some(cells)),
                Row::Rule if grid => {}
                Row::Rule => rows.push(None),
            }
        }
        let cells = |place: usize| -> Vec<Option<&str>> {
            rows.iter()
                .map(|row| row.map(|cells| cells[place].as_str()))
                .collect()
        };
        self.columns
            .iter()
            .enumerate()
            .map(|(place, column)| column.lay_out(&cells(place)))
            .collect()
    }

    fn push_rule(&self, text: &mut String, columns: &[LaidOut], rule: Rule) {
        let Rule(left, dash, cross, right) = rule;
        text.push(left);
        for (place, column) in columns.iter().enumerate() {
            if place > 0 {
                text.push(cross);
            }
            let width = column.width + self.blanks(place, columns.len());
            text.extend(std::iter::repeat_n(dash, width));
        }
        text.push(right);
        text.push('\n');
    }

    fn push_cells(&self, text: &mut String, cells: &[String], bar: char) {
        text.push(bar);
        for (place, cell) in cells.iter().enumerate() {
            let outer = self.style == Style::Heavy;
            if !(outer && place == 0) {
                text.push(' ');
            }
            text.push_str(cell);
            if !(outer && place + 1 == cells.len()) {
                text.push(' ');
            }
            text.push(bar);
        }
        text.push('\n');
    }

    /// Blanks at the two sides of a cell.
    fn blanks(&self, place: usize, columns: usize) -> usize {
        let outer = usize::from(place == 0) + usize::from(place + 1 == columns);
        2 - outer.min(self.style.blanks_left_out())
    }
}

/// A column whose cells all have its width; `None` is a rule.
struct LaidOut {
    width: usize,
    head: String,
    cells: Vec<Option<String>>,
}

impl Column {
    fn lay_out(&self, cells: &[Option<&str>]) -> LaidOut {
        let cells: Vec<Option<String>> = match self.align {
            Align::Decimal => align_points(cells),
            _ => cells.iter().map(|cell| cell.map(str::to_owned)).collect(),
        };
        let widths = cells.iter().flatten().map(|cell| cell.width());
        let width = widths.chain([self.head.width()]).max().unwrap_or_default();
        LaidOut {
            width,
            head: pad(&self.head, width, self.align),
            cells: cells
                .into_iter()
                .map(|cell| cell.map(|cell| pad(&cell, width, self.align)))
                .collect(),
        }
    }
}

/// Adds blanks at the right, so that points stand below each other once all cells stand at the right.
fn align_points(cells: &[Option<&str>]) -> Vec<Option<String>> {
    let tail = |cell: &str| cell.find('.').map_or(0, |point| cell.len() - point);
    let longest = cells.iter().flatten().map(|cell| tail(cell)).max();
    cells
        .iter()
        .map(|cell| {
            let cell = (*cell)?;
            let blanks = longest.unwrap_or_default() - tail(cell);
            Some(format!("{cell}{:blanks$}", ""))
        })
        .collect()
}

fn pad(cell: &str, width: usize, align: Align) -> String {
    let blanks = width.saturating_sub(cell.width());
    let before = match align {
        Align::Left => 0,
        Align::Centre => blanks / 2,
        Align::Right | Align::Decimal => blanks,
    };
    let after = blanks - before;
    format!("{:before$}{cell}{:after$}", "", "")
}

/// Left end, dash, crossing, right end.
#[derive(Clone, Copy)]
struct Rule(char, char, char, char);

/// The characters of a style.
struct Lines {
    top: Rule,
    head_bar: char,
    below_head: Rule,
    bar: char,
    between: Rule,
    bottom: Rule,
}

impl Style {
    fn lines(self) -> Lines {
        let plain = Rule('+', '-', '+', '+');
        let (below_head, heavy) = match self {
            Self::Grid => (Rule('+', '=', '+', '+'), false),
            Self::Compact => (plain, false),
            Self::Heavy => (Rule('┡', '━', '╇', '┩'), true),
        };
        if heavy {
            return Lines {
                top: Rule('┏', '━', '┳', '┓'),
                head_bar: '┃',
                below_head,
                bar: '│',
                between: Rule('├', '─', '┼', '┤'),
                bottom: Rule('└', '─', '┴', '┘'),
            };
        }
        Lines {
            top: plain,
            head_bar: '|',
            below_head,
            bar: '|',
            between: plain,
            bottom: plain,
        }
    }

    /// Blanks that the outer edges of a row do without.
    fn blanks_left_out(self) -> usize {
        match self {
            Self::Grid | Self::Compact => 0,
            Self::Heavy => 2,
        }
    }
}

#[cfg(test)]
mod tests;
