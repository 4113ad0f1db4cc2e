//! What chat templates call beyond plain Jinja: `raise_exception`, `strftime_now`, `tojson`.

use std::fmt;

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, Value};
use serde::Serialize as _;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// A calendar day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// Year of the common era, four digits.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

/// The date that templates see: prompts must be the same on every day.
pub const DEFAULT_DATE: Date = Date {
    year: 2026,
    month: 1,
    day: 1,
};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Adds all of them.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_function("raise_exception", raise_exception);
    environment.add_filter("tojson", to_json);
    add_date(environment, DEFAULT_DATE);
}

/// Adds `strftime_now` for midnight of a day.
pub(super) fn add_date(environment: &mut Environment<'static>, date: Date) {
    environment.add_function("strftime_now", move |format: &str| date.format(format));
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

impl fmt::Display for Date {
    /// Year, month and day with hyphens.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.format("%F"))
    }
}

impl Date {
    /// Formats as the C library does in the default locale, at midnight; directives that it does not know stay as they are.
    fn format(self, format: &str) -> String {
        let mut out = String::with_capacity(format.len() + 8);
        let mut rest = format.chars();
        while let Some(letter) = rest.next() {
            if letter != '%' {
                out.push(letter);
                continue;
            }
            let directive = rest.next().unwrap_or('%');
            match self.directive(directive) {
                Some(text) => out.push_str(&text),
                None => out.extend(['%', directive]),
            }
        }
        out
    }

    fn directive(self, directive: char) -> Option<String> {
        let month = MONTHS[usize::from(self.month - 1)];
        let weekday = WEEKDAYS[self.weekday()];
        Some(match directive {
            'Y' => format!("{:04}", self.year),
            'y' => format!("{:02}", self.year % 100),
            'm' => format!("{:02}", self.month),
            'd' => format!("{:02}", self.day),
            'B' => month.to_owned(),
            'b' | 'h' => month[..3].to_owned(),
            'A' => weekday.to_owned(),
            'a' => weekday[..3].to_owned(),
            'H' | 'M' | 'S' => "00".to_owned(),
            'I' => "12".to_owned(),
            'p' => "AM".to_owned(),
            'F' => self.format("%Y-%m-%d"),
            'T' => "00:00:00".to_owned(),
            '%' => "%".to_owned(),
            _ => return None,
        })
    }

    /// Sunday is 0. Sakamoto's method: the year starts in March, `day + offset(month) + leap days`, modulo 7.
    fn weekday(self) -> usize {
        const OFFSETS: [usize; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
        let month = usize::from(self.month - 1);
        let year = usize::from(self.year) - usize::from(month < 2);
        (year + year / 4 - year / 100 + year / 400 + OFFSETS[month] + usize::from(self.day)) % 7
    }
}

/// JSON as Python's `json.dumps` writes it: a space behind `,` and `:`, non-ASCII as it is, nothing escaped for HTML.
#[expect(
    clippy::needless_pass_by_value,
    reason = "filters get their options by value"
)]
fn to_json(value: &Value, indent: Option<usize>, options: Kwargs) -> Result<Value, Error> {
    let indent = match indent {
        Some(indent) => Some(indent),
        None => options.get::<Option<usize>>("indent")?,
    };
    // Our output is never restricted to ASCII, which is what templates ask for with `ensure_ascii=False`.
    let _: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let written = match indent {
        None => write_json(value, Spaced),
        Some(width) => write_json(
            value,
            PrettyFormatter::with_indent(" ".repeat(width).as_bytes()),
        ),
    };
    written
        .map(Value::from)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

fn write_json(value: &Value, formatter: impl Formatter) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))?;
    Ok(String::from_utf8(bytes).expect("JSON is written as UTF-8"))
}

/// `{"a": 1, "b": [1, 2]}`.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}
