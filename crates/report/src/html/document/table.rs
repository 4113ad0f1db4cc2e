//! Tables of a page: columns with their units, rows of values.
//!
//! A cell shows a rounded number and keeps the whole one, which is what sorting and the files go by. Rows of long tables are
//! data, of which a script makes elements as they come into sight: markup takes eight times the room.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Tone;
use super::names::id;
use super::text::Text;
use super::write::tone_sign;
use crate::figures::escaped;
use crate::html::page::embedded;
use crate::number::{fixed, grouped};

/// Rows that can be sorted, searched and taken away.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Name of its files, without ending; also what it is called for those who cannot see it, where it has no caption.
    pub name: String,
    /// Above it; may be empty.
    pub caption: Text,
    /// From the left. The first one stays where it is when others scroll.
    pub columns: Vec<Column>,
    /// Each as long as there are columns; what is missing is empty.
    pub rows: Vec<Vec<Cell>>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Column {
    /// Its name in files, such as `ttft_p99_ms`.
    pub key: String,
    /// What stands above it.
    pub title: String,
    /// Behind the title; may be empty.
    pub unit: String,
    /// What is in it.
    pub kind: Kind,
    /// More about it, for those who ask; may be empty.
    pub note: String,
}

/// What is in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Words, at the left.
    #[default]
    Text,
    /// Numbers with so many digits after the point, at the right.
    Number(usize),
    /// Shares of 1, shown as percentages with so many digits after the point.
    Share(usize),
}

/// What is in a row of a column.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Cell {
    /// Nothing is known.
    #[default]
    None,
    /// A number; also one that is infinite, but nothing that is not a number.
    Number(f64),
    /// A number with what it means.
    Judged(Tone, f64),
    /// Words.
    Text(Text),
    /// Words with what they mean.
    Verdict(Tone, String),
}

impl Column {
    /// Words.
    pub fn text(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            title: title.into(),
            ..Self::default()
        }
    }

    /// Numbers with so many digits after the point.
    pub fn number(key: impl Into<String>, title: impl Into<String>, digits: usize) -> Self {
        Self {
            kind: Kind::Number(digits),
            ..Self::text(key, title)
        }
    }

    /// Shares of 1.
    pub fn share(key: impl Into<String>, title: impl Into<String>, digits: usize) -> Self {
        Self {
            kind: Kind::Share(digits),
            ..Self::text(key, title)
        }
    }

    /// With a unit.
    #[must_use]
    pub fn unit(self, unit: impl Into<String>) -> Self {
        Self {
            unit: unit.into(),
            ..self
        }
    }

    /// With more about it.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        Self {
            note: note.into(),
            ..self
        }
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        Self::Number(value as f64)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

impl From<&str> for Cell {
    fn from(words: &str) -> Self {
        Self::Text(Text::plain(words))
    }
}

impl From<String> for Cell {
    fn from(words: String) -> Self {
        Self::Text(Text::plain(words))
    }
}

impl From<Text> for Cell {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

/// From so many rows on, a table is a box that scrolls.
const LONG: usize = 30;
/// From so many rows on, rows are data.
const DATA: usize = 60;
/// From so many rows on, rows can be searched.
const SEARCHED: usize = 20;

impl Table {
    pub(super) fn markup(&self) -> String {
        let name = escaped(&super::names::file(&self.name));
        let label = match self.caption.words() {
            words if words.is_empty() => escaped(&self.name),
            words => escaped(&words),
        };
        let search = if self.rows.len() >= SEARCHED {
            "<input type=\"search\" placeholder=\"Search rows\" aria-label=\"Search rows\">"
        } else {
            ""
        };
        let long = if self.rows.len() >= LONG { " long" } else { "" };
        let mut out = format!(
            "<div class=\"table\" data-name=\"{name}\">\n<div class=\"bar\"><p>{}</p>{search}\
             <span class=\"count quiet\" aria-live=\"polite\"></span>{TOOLS}</div>\n\
             <div class=\"rows{long}\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table>\n<thead><tr>",
            self.caption.markup()
        );
        for (column, key) in self.columns.iter().zip(self.keys()) {
            out.push_str(&column.head(&key));
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        let is_data = self.rows.len() >= DATA;
        for row in self.rows.iter().filter(|_| !is_data) {
            out.push_str("<tr>");
            for (place, column) in self.columns.iter().enumerate() {
                let cell = row.get(place).unwrap_or(&Cell::None);
                cell.write(&mut out, column.kind);
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table></div>");
        if is_data {
            let data = embedded(&self.json());
            let _ = write!(out, "<script type=\"application/json\">{data}</script>");
        }
        out.push_str("</div>\n");
        out
    }

    /// The names of the columns in files: each there once.
    fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        for column in &self.columns {
            let wanted = match column.key.as_str() {
                "" => id(&column.title),
                key => key.to_owned(),
            };
            let numbered = (2..).map(|number| format!("{wanted}_{number}"));
            let mut candidates = std::iter::once(wanted.clone()).chain(numbered);
            keys.extend(candidates.find(|key| !keys.contains(key)));
        }
        keys
    }

    /// For `table.js`: kinds of columns, each with its digits, and rows of cells.
    fn json(&self) -> String {
        let kinds = self.columns.iter().map(|column| match column.kind {
            Kind::Text => json!(["text", 0]),
            Kind::Number(digits) => json!(["number", digits]),
            Kind::Share(digits) => json!(["share", digits]),
        });
        let rows = self.rows.iter().map(|row| {
            let cells = (0..self.columns.len()).map(|place| row.get(place).map(Cell::json));
            cells.map(Option::unwrap_or_default).collect::<Value>()
        });
        json!({ "kinds": kinds.collect::<Value>(), "rows": rows.collect::<Value>() }).to_string()
    }
}

impl Column {
    fn head(&self, key: &str) -> String {
        let class = match self.kind {
            Kind::Text => "",
            Kind::Number(_) | Kind::Share(_) => " class=\"n\"",
        };
        let texts = [key, &self.title, &self.unit, &self.note];
        let [key, title, unit, note] = texts.map(escaped);
        let unit = if unit.is_empty() {
            String::new()
        } else {
            format!(" <small>{unit}</small>")
        };
        let note = if note.is_empty() {
            String::new()
        } else {
            format!(" title=\"{note}\"")
        };
        format!(
            "<th scope=\"col\"{class} data-key=\"{key}\"{note}><button type=\"button\">{title}{unit}</button></th>"
        )
    }
}

impl Cell {
    /// A number, words, nothing, or an object: words with their markup (`h`), or a sign (`s`) with a value (`v`).
    fn json(&self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Number(value) => number(*value),
            Self::Judged(tone, value) => json!({ "s": tone_sign(*tone, ""), "v": number(*value) }),
            Self::Text(text) if text.is_plain() => json!(text.words()),
            Self::Text(text) => json!({ "h": text.markup(), "v": text.words() }),
            Self::Verdict(tone, words) => json!({ "s": tone_sign(*tone, ""), "v": words }),
        }
    }

    fn write(&self, out: &mut String, kind: Kind) {
        let is_number = matches!(self, Self::Number(_) | Self::Judged(..));
        let class = match kind {
            Kind::Number(_) | Kind::Share(_) => " class=\"n\"",
            Kind::Text if is_number => " class=\"n\"",
            Kind::Text => "",
        };
        let sign = |tone: Tone| tone_sign(tone, "");
        let _ = match self {
            Self::None => write!(out, "<td{class} data-v=\"\">–</td>"),
            Self::Number(value) | Self::Judged(_, value) if value.is_nan() => {
                write!(out, "<td{class} data-v=\"\">–</td>")
            }
            Self::Number(value) => write!(
                out,
                "<td{class} data-v=\"{}\">{}</td>",
                whole(*value),
                shown(*value, kind)
            ),
            Self::Judged(tone, value) => write!(
                out,
                "<td{class} data-v=\"{}\">{} {}</td>",
                whole(*value),
                sign(*tone),
                shown(*value, kind)
            ),
            Self::Text(text) => write!(out, "<td{class}>{}</td>", text.markup()),
            Self::Verdict(tone, words) => {
                let words = escaped(words);
                write!(
                    out,
                    "<td{class} data-v=\"{words}\">{} {words}</td>",
                    sign(*tone)
                )
            }
        };
    }
}

/// With eight digits; what JSON has no number for is text, or nothing.
fn number(value: f64) -> Value {
    let rounded: f64 = format!("{value:.7e}").parse().unwrap_or(value);
    match value {
        value if value.is_nan() => Value::Null,
        value if value.is_infinite() => json!(whole(value)),
        _ if rounded.fract() == 0.0 && rounded.abs() < 1e15 => json!(rounded as i64),
        _ => json!(rounded),
    }
}

/// The number as files have it.
fn whole(value: f64) -> String {
    match value {
        value if value == f64::INFINITY => "Infinity".to_owned(),
        value if value == f64::NEG_INFINITY => "-Infinity".to_owned(),
        value => format!("{value}"),
    }
}

/// The number as it is read: `12,345.6`, `99.9 %`.
fn shown(value: f64, kind: Kind) -> String {
    let (value, digits, unit) = match kind {
        Kind::Text => return crate::number::trimmed(Some(value), 6),
        Kind::Number(digits) => (value, digits, ""),
        Kind::Share(digits) => (value * 100.0, digits, " %"),
    };
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    let text = fixed(Some(value + 0.0), digits);
    let (front, back) = text.split_at(text.find('.').unwrap_or(text.len()));
    match front.parse::<u64>() {
        Ok(count) if count >= 10_000 => format!("{}{back}{unit}", grouped(count)),
        _ => format!("{text}{unit}").replacen('-', "−", 1),
    }
}

const TOOLS: &str = "<span class=\"tools\"><button type=\"button\" data-do=\"copy\">Copy</button>\
    <button type=\"button\" data-do=\"csv\">CSV</button><button type=\"button\" data-do=\"json\">JSON</button></span>";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cell: impl Into<Cell>, kind: Kind, expected: &str) {
        let mut out = String::new();
        cell.into().write(&mut out, kind);
        assert_eq!(out, expected);
    }

    #[test]
    fn cells_show_rounded_numbers_and_keep_whole_ones() {
        let kind = Kind::Number(2);
        check(1.23456, kind, r#"<td class="n" data-v="1.23456">1.23</td>"#);
        check(
            12_345.678,
            kind,
            r#"<td class="n" data-v="12345.678">12,345.68</td>"#,
        );
        check(-0.5, kind, r#"<td class="n" data-v="-0.5">−0.50</td>"#);
        check(
            f64::INFINITY,
            kind,
            r#"<td class="n" data-v="Infinity">∞</td>"#,
        );
        check(f64::NAN, kind, r#"<td class="n" data-v="">–</td>"#);
        check(None::<f64>, kind, r#"<td class="n" data-v="">–</td>"#);
        check(
            0.9876,
            Kind::Share(1),
            r#"<td class="n" data-v="0.9876">98.8 %</td>"#,
        );
    }

    #[test]
    fn words_of_a_cell_are_no_markup() {
        check("<b> & \"", Kind::Text, "<td>&lt;b&gt; &amp; &quot;</td>");
        check(
            Cell::Verdict(Tone::Bad, "missed".to_owned()),
            Kind::Text,
            r#"<td data-v="missed"><i class="sign bad" role="img" aria-label="bad">✕</i> missed</td>"#,
        );
    }

    #[test]
    fn columns_have_names_of_their_own_in_files() {
        let columns = [("a", "A"), ("a", "B"), ("", "The C"), ("a_2", "D")];
        let table = Table {
            name: "t".to_owned(),
            caption: Text::default(),
            columns: columns.map(|(key, title)| Column::text(key, title)).into(),
            rows: Vec::new(),
        };
        assert_eq!(table.keys(), ["a", "a_2", "the-c", "a_2_2"]);
    }

    #[test]
    fn rows_of_long_tables_are_data() {
        let rows =
            |count: u64| -> Vec<Vec<Cell>> { (0..count).map(|it| vec![it.into()]).collect() };
        let table = |rows: Vec<Vec<Cell>>| {
            let table = Table {
                name: "t".to_owned(),
                caption: Text::default(),
                columns: vec![Column::number("a", "A", 1)],
                rows,
            };
            table.markup()
        };
        assert!(!table(rows(59)).contains("<script") && table(rows(59)).contains("<td"));
        let long = table(rows(60));
        assert!(
            !long.contains("<td") && long.contains(r#"{"kinds":[["number",1]],"rows":[[0],[1],"#)
        );
    }

    #[test]
    fn cells_as_data_are_as_short_as_they_can_be() {
        let cells: [(Cell, &str); 8] = [
            (Cell::None, "null"),
            (0.123_456_789_123_4.into(), "0.12345679"),
            (12.0.into(), "12"),
            (f64::NAN.into(), "null"),
            (f64::INFINITY.into(), r#""Infinity""#),
            ("a\"b".into(), r#""a\"b""#),
            (
                Text::default().code("<x>").into(),
                r#"{"h":"<code>&lt;x&gt;</code>","v":"<x>"}"#,
            ),
            (
                Cell::Judged(Tone::Good, 1.5),
                r#"{"s":"<i class=\"sign good\" role=\"img\" aria-label=\"good\">✓</i>","v":1.5}"#,
            ),
        ];
        for (cell, expected) in cells {
            assert_eq!(cell.json().to_string(), expected);
        }
    }

    #[test]
    fn a_row_has_a_cell_for_every_column() {
        let table = Table {
            name: "loads".to_owned(),
            caption: Text::default(),
            columns: vec![
                Column::text("a", "A"),
                Column::number("b", "B", 0).unit("ms"),
            ],
            rows: vec![vec!["x".into()], vec![]],
        };
        let markup = table.markup();
        assert_eq!(markup.matches("<td").count(), 4);
        assert!(markup.contains(r#"<button type="button">B <small>ms</small></button>"#));
        assert!(!markup.contains("type=\"search\""));
    }
}
