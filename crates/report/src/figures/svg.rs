//! Drawings as SVG text, without scripts and without any other file.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::drawing::{Anchor, Drawing, Follows, Form, Frame, Point, Reading, Shape};
use super::font::shown;
use super::plots::{Entry, Part};
use super::theme;

/// The whole file.
pub(super) fn write(drawing: &Drawing) -> String {
    let classes = drawing.shapes.iter().flat_map(|it| it.class.split(' '));
    let used: BTreeSet<&str> = classes.collect();
    let style = theme::style(|class| used.contains(class));
    let [width, height] = [drawing.size.x, drawing.size.y].map(number);
    let head = format!("viewBox=\"0 0 {width} {height}\" role=\"img\"");
    let mut out = opened(drawing, &[width, height], &head);
    let _ = write!(out, "<style>\n{style}</style>\n");
    for shape in &drawing.shapes {
        out.push_str(&element(shape, ""));
        out.push('\n');
    }
    out.push_str("</svg>\n");
    out
}

/// The element alone, for a page that has the rules of [`theme::page_style`]: with groups that a script knows, and without
/// what the page writes itself.
pub(super) fn write_element(drawing: &Drawing) -> String {
    let shown = shown_frame(drawing);
    let [left, top, width, height] =
        [shown.left, shown.top, shown.width(), shown.height()].map(number);
    let whole = [drawing.size.x, drawing.size.y].map(number).join(" ");
    let head =
        format!("viewBox=\"{left} {top} {width} {height}\" data-whole=\"{whole}\" role=\"img\"");
    let mut out = opened(drawing, &[width, height], &head);
    let marks = &drawing.marks;
    let mut open: Vec<&str> = Vec::new();
    for (place, shape) in drawing.shapes.iter().enumerate() {
        let (begun, ended) = marks.at(place);
        close(&mut out, &mut open, ended);
        for part in begun {
            let (start, end) = group(part, drawing);
            out.push_str(&start);
            open.push(end);
        }
        out.push_str(&element(shape, &follows(shape.follows)));
        out.push('\n');
    }
    let rest = open.len();
    close(&mut out, &mut open, rest);
    out.push_str("</svg>\n");
    out
}

/// The sign of an entry of the key as an element of its own.
pub(super) fn write_sign(drawing: &Drawing, entry: &Entry) -> String {
    let frame = entry.frame;
    let [left, top, width, height] =
        [frame.left, frame.top, frame.width(), frame.height()].map(number);
    let shapes = drawing.shapes[entry.sign.clone()].iter();
    let shapes: String = shapes.map(|shape| element(shape, "")).collect();
    format!(
        "<svg class=\"{}\" width=\"{width}\" height=\"{height}\" viewBox=\"{left} {top} {width} {height}\" aria-hidden=\"true\">{shapes}</svg>",
        theme::ROOT
    )
}

/// What a page shows.
pub(super) fn shown_frame(drawing: &Drawing) -> Frame {
    let whole = Frame {
        left: 0.0,
        top: 0.0,
        right: drawing.size.x,
        bottom: drawing.size.y,
    };
    let core = drawing.marks.core.as_ref();
    core.map_or(whole, |core| core.frame)
}

fn close(out: &mut String, open: &mut Vec<&str>, count: usize) {
    for _ in 0..count {
        if let Some(end) = open.pop() {
            out.push_str(end);
        }
    }
}

/// How a group begins and ends. What is enlarged is in an element with edges of its own.
fn group(part: &Part, drawing: &Drawing) -> (String, &'static str) {
    let room = |what: &str, plot: &usize| {
        let start =
            format!("<svg data-part=\"{what}\" data-plot=\"{plot}\" overflow=\"visible\">\n");
        (start, "</svg>\n")
    };
    let ticks = |what: &str, plot: &usize| {
        let start = format!("<g data-part=\"{what}\" data-plot=\"{plot}\">\n");
        (start, "</g>\n")
    };
    match part {
        Part::Inside(plot) => room("inside", plot),
        Part::Beside(plot) => room("beside", plot),
        Part::Below(plot) => room("below", plot),
        Part::TicksAcross(plot) => ticks("ticks-x", plot),
        Part::TicksUp(plot) => ticks("ticks-y", plot),
        Part::Series(name) => {
            let start = format!("<g data-series=\"{}\">\n", escaped(name));
            (start, "</g>\n")
        }
        Part::Words if drawing.marks.core.is_some() => (
            "<g data-part=\"words\" display=\"none\">\n".to_owned(),
            "</g>\n",
        ),
        Part::Words => ("<g>\n".to_owned(), "</g>\n"),
    }
}

/// As an attribute, where it is not what is usual.
fn follows(follows: Follows) -> String {
    match follows {
        Follows::Places => String::new(),
        Follows::Middle => " data-as=\"middle\"".to_owned(),
        Follows::Place(Point { x, y }) => {
            format!(" data-as=\"{} {}\"", number(x), number(y))
        }
        Follows::Across(x) => format!(" data-as=\"{} -\"", number(x)),
        Follows::Up(y) => format!(" data-as=\"- {}\"", number(y)),
    }
}

/// The beginning of an element of a size, with its title and description.
fn opened(drawing: &Drawing, [width, height]: &[String; 2], more: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"{}\" width=\"{width}\" height=\"{height}\" \
         {more}>\n<title>{}</title>\n<desc>{}</desc>\n",
        theme::ROOT,
        escaped(&drawing.title),
        escaped(&drawing.description),
    )
}

/// A shape, with more attributes.
fn element(shape: &Shape, more: &str) -> String {
    let class = attribute(&shape.class) + more;
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
