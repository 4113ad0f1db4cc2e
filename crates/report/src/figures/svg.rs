//! Drawings as SVG text: shapes with classes, and text that keeps to its room.
//!
//! Knows nothing of colours, which are [`super::theme`]'s, nor of what is shown.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::theme;

/// Width of a letter as a part of the size of the font. Fonts differ; this is one of the wide ones.
const LETTER: f64 = 0.56;

/// A place; y grows downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

/// Which part of a text its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A place.
pub(super) const fn point(x: f64, y: f64) -> Point {
    Point { x, y }
}

/// A drawing of a fixed size, in which later things lie above earlier ones.
#[derive(Debug)]
pub(super) struct Drawing {
    size: Point,
    title: String,
    description: String,
    body: String,
}

impl Drawing {
    /// An empty one; title and description are for those who cannot see it.
    pub(super) fn new(size: Point, title: &str, description: &str) -> Self {
        let mut drawing = Self {
            size,
            title: escaped(title),
            description: escaped(description),
            body: String::new(),
        };
        drawing.rect(
            "ground",
            Frame {
                left: 0.0,
                top: 0.0,
                right: size.x,
                bottom: size.y,
            },
        );
        drawing
    }

    pub(super) fn rect(&mut self, class: &str, frame: Frame) {
        let size = [frame.right - frame.left, frame.bottom - frame.top];
        let [width, height] = size.map(|length| number(length.max(0.0)));
        self.element(&format!(
            r#"<rect class="{class}" x="{}" y="{}" width="{width}" height="{height}"/>"#,
            number(frame.left),
            number(frame.top)
        ));
    }

    /// A line through all places.
    pub(super) fn line(&mut self, class: &str, points: &[Point]) {
        let mut places = String::new();
        for Point { x, y } in points {
            let gap = if places.is_empty() { "" } else { " " };
            let _ = write!(places, "{gap}{},{}", number(*x), number(*y));
        }
        self.element(&format!(r#"<polyline class="{class}" points="{places}"/>"#));
    }

    pub(super) fn disc(&mut self, class: &str, middle: Point, radius: f64) {
        self.element(&format!(
            r#"<circle class="{class}" cx="{}" cy="{}" r="{}"/>"#,
            number(middle.x),
            number(middle.y),
            number(radius)
        ));
    }

    /// Two crossing strokes.
    pub(super) fn cross(&mut self, class: &str, middle: Point, radius: f64) {
        let Point { x, y } = middle;
        for side in [-radius, radius] {
            self.line(
                class,
                &[point(x - side, y - radius), point(x + side, y + radius)],
            );
        }
    }

    pub(super) fn text(&mut self, class: &str, place: Point, anchor: Anchor, text: &str) {
        self.element(&format!(
            r#"<text{} x="{}" y="{}"{}>{}</text>"#,
            attribute(class),
            number(place.x),
            number(place.y),
            anchor.attribute(),
            escaped(text)
        ));
    }

    /// Text that is read from below, around its middle.
    pub(super) fn upright_text(&mut self, class: &str, middle: Point, text: &str) {
        let [x, y] = [middle.x, middle.y].map(number);
        self.element(&format!(
            r#"<text class="{class}" x="{x}" y="{y}" transform="rotate(-90 {x} {y})"{}>{}</text>"#,
            Anchor::Middle.attribute(),
            escaped(text)
        ));
    }

    fn element(&mut self, text: &str) {
        self.body.push_str(text);
        self.body.push('\n');
    }

    /// The whole file.
    pub(super) fn finish(self) -> String {
        let [width, height] = [self.size.x, self.size.y].map(number);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"{}\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n\
             <style>\n{}</style>\n{}</svg>\n",
            theme::ROOT,
            self.title,
            self.description,
            theme::style(),
            self.body
        )
    }
}

impl Anchor {
    fn attribute(self) -> &'static str {
        match self {
            Self::Start => "",
            Self::Middle => r#" text-anchor="middle""#,
            Self::End => r#" text-anchor="end""#,
        }
    }
}

/// The room that a text takes at most at a size of the font.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.width() as f64 * size * LETTER
}

/// The text, cut where it needs more room than there is.
pub(super) fn fitted(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        kept.push(letter);
        if width(&kept, size) + width("…", size) > room {
            kept.pop();
            break;
        }
    }
    format!("{}…", kept.trim_end())
}

/// The text in lines that keep to the room; what does not fit into so many lines is cut.
pub(super) fn wrapped(text: &str, size: f64, room: f64, lines: usize) -> Vec<String> {
    let mut out = vec![String::new()];
    for word in text.split_whitespace() {
        let full = out.len() == lines;
        let line = out.last_mut().expect("there is a line");
        let longer = if line.is_empty() {
            word.to_owned()
        } else {
            format!("{line} {word}")
        };
        if line.is_empty() || full || width(&longer, size) <= room {
            *line = longer;
        } else {
            out.push(word.to_owned());
        }
    }
    out.iter().map(|line| fitted(line, size, room)).collect()
}

/// The class, where there is one.
fn attribute(class: &str) -> String {
    if class.is_empty() {
        String::new()
    } else {
        format!(r#" class="{class}""#)
    }
}

/// With two digits at most; a value that is not a number has no place, and is drawn at the edge.
fn number(value: f64) -> String {
    let value = if value.is_finite() { value } else { 0.0 };
    let rounded = (value * 100.0).round() / 100.0;
    // Adding zero leaves no minus before a zero.
    crate::number::trimmed(Some(rounded + 0.0), 2)
}

/// As it stands in XML, without what XML cannot hold.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{escaped, fitted, number, width, wrapped};

    #[test]
    fn numbers_are_short_and_always_numbers() {
        assert_eq!(
            [1.0, 0.125, -0.001, f64::NAN, f64::INFINITY].map(number),
            ["1", "0.13", "0", "0", "0"]
        );
    }

    #[test]
    fn nothing_in_a_text_is_taken_for_markup() {
        assert_eq!(
            escaped("p99_ttft <= 1 & \"x\"\u{0}\u{ffff}"),
            "p99_ttft &lt;= 1 &amp; &quot;x&quot; \u{fffd}"
        );
    }

    #[test]
    fn text_that_is_too_long_is_cut_where_the_room_ends() {
        assert_eq!(fitted("ramp", 10.0, 24.0), "ramp");
        assert_eq!(fitted("confirmed", 10.0, 24.0), "con…");
        assert_eq!(fitted("文字文字", 10.0, 24.0), "文…");
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(
            wrapped("one two three four", 10.0, 48.0, 3),
            ["one two", "three", "four"]
        );
        assert_eq!(
            wrapped("one two three four", 10.0, 50.0, 2),
            ["one two", "three f…"]
        );
        assert_eq!(wrapped("", 10.0, 60.0, 2), [""]);
    }

    #[test]
    fn the_room_of_wide_letters_is_counted() {
        assert!((width("文", 10.0) - width("ab", 10.0)).abs() < 1e-9);
    }
}
