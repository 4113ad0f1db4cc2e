//! Figures of a page: titles and key as words of the page, the rest as it is drawn, and what a script needs to enlarge it.

use std::fmt::Write as _;

use super::Figure;
use super::names::file;
use crate::figures::{Hides, PageEntry, PagePicture, escaped};
use crate::html::page::embedded;

/// Figures that are wider than this have no other one beside them.
const WIDEST_OF_TWO: f64 = 800.0;
/// Below this share of its size a figure is not made smaller: it scrolls.
const SMALLEST: f64 = 0.75;

impl Figure {
    pub(super) fn markup(&self) -> String {
        let drawn = self.picture.of_page();
        let [width, height] = drawn.size.map(f64::ceil);
        let least = (width * SMALLEST).ceil();
        let wide = if width > WIDEST_OF_TWO { " wide" } else { "" };
        let caption = match self.caption.markup() {
            caption if caption.is_empty() => String::new(),
            caption => format!("<figcaption>{caption}</figcaption>\n"),
        };
        format!(
            "<figure class=\"figure{wide}\" data-name=\"{}\" style=\"--width:{width}px;--height:{height}px;--least:{least}px\">\n\
             <div class=\"head\">{}{TOOLS}</div>\n{}\
             <div class=\"drawn\" tabindex=\"0\" role=\"group\" aria-label=\"{HOW}\">{}\
             <div class=\"tip\" role=\"status\" hidden></div></div>\n\
             {caption}<script type=\"application/json\">{}</script></figure>\n",
            escaped(&file(&self.name)),
            title(&drawn),
            key(&drawn.key),
            drawn.element,
            embedded(&drawn.plots),
        )
    }
}

fn title(drawn: &PagePicture) -> String {
    let [title, subject] = [&drawn.title, &drawn.subject].map(|words| escaped(words));
    let subject = match subject.as_str() {
        "" => String::new(),
        words => format!("<span class=\"quiet\">{words}</span>"),
    };
    match title.as_str() {
        "" => "<p></p>".to_owned(),
        words => format!("<p><b>{words}</b> {subject}</p>"),
    }
}

/// Signs with their words; what can be hidden is a button.
fn key(entries: &[PageEntry]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let mut out = "<ul class=\"key\">".to_owned();
    let mut group = "";
    for entry in entries {
        if entry.group != group {
            group = &entry.group;
            let _ = write!(out, "<li class=\"group\">{}</li>", escaped(group));
        }
        let (sign, words) = (&entry.sign, escaped(&entry.words));
        let _ = match entry.hides {
            Hides::Curve => write!(
                out,
                "<li><button type=\"button\" aria-pressed=\"true\" data-hides=\"{words}\">{sign}{words}</button></li>"
            ),
            Hides::Nothing => write!(out, "<li>{sign}{words}</li>"),
        };
    }
    out.push_str("</ul>\n");
    out
}

const HOW: &str = "Figure. Plus and minus enlarge and reduce, arrows move, 0 shows all, n and p go from value to value.";

const TOOLS: &str = "<span class=\"tools\"><button type=\"button\" data-key=\"+\" aria-label=\"enlarge\" title=\"enlarge (+)\">+</button>\
    <button type=\"button\" data-key=\"-\" aria-label=\"reduce\" title=\"reduce (−)\">−</button>\
    <button type=\"button\" data-key=\"0\" title=\"show all (0)\" disabled>All</button>\
    <button type=\"button\" data-do=\"svg\">SVG</button><button type=\"button\" data-do=\"csv\">CSV</button>\
    <button type=\"button\" data-do=\"json\">JSON</button></span>";
