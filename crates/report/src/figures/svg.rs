//! Drawings as SVG text, without scripts and without any other file.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::drawing::{Anchor, Drawing, Form, Frame, Point, Reading, Shape};
use super::font::shown;
use super::theme;

/// The whole file.
pub(super) fn write(drawing: &Drawing) -> String {
    let classes = drawing.shapes.iter().flat_map(|it| it.class.split(' '));
    let used: BTreeSet<&str> = classes.collect();
    let style = theme::style(|class| used.contains(class));
    with(drawing, &format!("<style>\n{style}</style>\n"))
}

/// The element alone, for a page that has the rules of [`theme::page_style`].
pub(super) fn write_bare(drawing: &Drawing) -> String {
    with(drawing, "")
}

fn with(drawing: &Drawing, style: &str) -> String {
    let [width, height] = [drawing.size.x, drawing.size.y].map(number);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"{}\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n{style}",
        theme::ROOT,
        escaped(&drawing.title),
        escaped(&drawing.description),
    );
    for shape in &drawing.shapes {
        out.push_str(&element(shape));
        out.push('\n');
    }
    out.push_str("</svg>\n");
    out
}

fn element(shape: &Shape) -> String {
    let class = attribute(&shape.class);
    match &shape.form {
        Form::Rect(frame) => rect(&class, *frame),
        Form::Line(points) => format!(r#"<polyline{class} points="{}"/>"#, places(points)),
        Form::Area(points) => format!(r#"<polygon{class} points="{}"/>"#, places(points)),
        Form::Disc { middle, radius } => format!(
            r#"<circle{class} cx="{}" cy="{}" r="{}"/>"#,
            number(middle.x),
            number(middle.y),
            number(*radius)
        ),
        Form::Text {
            place,
            anchor,
            reading,
            text,
        } => {
            let [x, y] = [place.x, place.y].map(number);
            let turn = match reading {
                Reading::Across => String::new(),
                Reading::Upright => format!(r#" transform="rotate(-90 {x} {y})""#),
            };
            let anchor = match anchor {
                Anchor::Start => "",
                Anchor::Middle => r#" text-anchor="middle""#,
                Anchor::End => r#" text-anchor="end""#,
            };
            let text = escaped(text);
            format!(r#"<text{class} x="{x}" y="{y}"{turn}{anchor}>{text}</text>"#)
        }
    }
}

fn rect(class: &str, frame: Frame) -> String {
    let [width, height] = [frame.width(), frame.height()].map(|length| number(length.max(0.0)));
    format!(
        r#"<rect{class} x="{}" y="{}" width="{width}" height="{height}"/>"#,
        number(frame.left),
        number(frame.top)
    )
}

fn places(points: &[Point]) -> String {
    let mut out = String::new();
    for Point { x, y } in points {
        let gap = if out.is_empty() { "" } else { " " };
        let _ = write!(out, "{gap}{},{}", number(*x), number(*y));
    }
    out
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

/// As it stands in XML and in HTML, without what XML cannot hold.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match shown(letter) {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{escaped, number};

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
}
