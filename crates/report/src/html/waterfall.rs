//! The course of each request as a row: what it waited for, and how long.
//!
//! Times are embedded in whole microseconds. A run of very many waits has neighbours of one class drawn as one, which the
//! page says. Classes and lengths come from `crestline_core::serving`; the page draws them on a canvas.

use std::fmt::Write as _;

use crestline_core::serving::{Counting, GapClass, Segment, SegmentKind, TimelineRow};

use super::page::{Page, Part, colours, embedded};
use crate::figures::{COURSE, escaped};
use crate::number::{counted, grouped, trimmed};

/// Waits that a page of its own holds one by one: about 12 MB.
pub const MOST_SEGMENTS: usize = 2_000_000;

/// What the first wait of a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstWait {
    /// Its first token.
    Token,
    /// Its whole answer: a vector or a score.
    Answer,
}

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub struct Waterfall<'a> {
    /// What was measured, such as a model and its URL.
    pub subject: &'a str,
    /// The requests in their order.
    pub rows: &'a [TimelineRow],
    /// Why each of them failed, where that is known; as long as `rows`.
    pub failures: &'a [Option<String>],
    /// The two ascending thresholds that their waits are classed by.
    pub thresholds_ms: [f64; 2],
    /// What their waits are for.
    pub counting: Counting,
    /// What their first wait is for.
    pub first: FirstWait,
    /// Above so many waits, neighbours of one class are drawn as one.
    pub most_segments: usize,
}

/// Whether each wait is there by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    Every,
    /// Neighbours of one class are one.
    Runs,
}

impl Waterfall<'_> {
    /// A page of its own.
    pub fn page(&self) -> String {
        let page = Page {
            title: "Request timeline",
            subject: &format!(
                "{} · {}{}",
                self.subject,
                counted(self.rows.len() as u64, "request"),
                self.failed_words()
            ),
            parts: vec![self.part()],
        };
        page.html()
    }

    /// A part of another page.
    pub fn part(&self) -> Part {
        let detail = self.detail();
        Part {
            style: colours(&COURSE) + include_str!("waterfall.css"),
            markup: format!(
                "<figure class=\"waterfall\" style=\"--rows:{}\">\n<div class=\"head\">{}{TOOLS}</div>\n<canvas tabindex=\"0\" role=\"application\" aria-label=\"Timeline of {}. \
                 Plus and minus zoom, arrows move, n and p go from request to request.\"></canvas>\n\
                 <div class=\"tip\" role=\"tooltip\" hidden></div><div class=\"said\" aria-live=\"polite\"></div>\n\
                 <p class=\"how\">{HOW}{}</p>\n<script type=\"application/json\">{}</script>\n</figure>\n",
                self.rows.len(),
                self.key(),
                counted(self.rows.len() as u64, "request"),
                match detail {
                    Detail::Every => "",
                    Detail::Runs => MERGED,
                },
                embedded(&self.json(detail)),
            ),
            script: include_str!("waterfall.js"),
        }
    }

    fn detail(&self) -> Detail {
        let segments: usize = self.rows.iter().map(|row| row.segments.len()).sum();
        if segments > self.most_segments {
            Detail::Runs
        } else {
            Detail::Every
        }
    }

    fn failed_words(&self) -> String {
        let failed = self.rows.iter().filter(|row| !row.succeeded).count();
        match failed {
            0 => String::new(),
            failed => format!(", {} failed", grouped(failed as u64)),
        }
    }

    fn first_words(&self) -> &'static str {
        match self.first {
            FirstWait::Token => "TTFT",
            FirstWait::Answer => "Answer",
        }
    }

    fn unit(&self) -> &'static str {
        match self.counting {
            Counting::Tokens => "token",
            Counting::Events => "event",
        }
    }

    /// Names of the colours, with how many waits each class has.
    fn key(&self) -> String {
        let mut counts = [0; 3];
        let segments = || self.rows.iter().flat_map(|row| &row.segments);
        for segment in segments() {
            match segment.kind {
                SegmentKind::FirstToken => {}
                SegmentKind::Next(GapClass::Short) => counts[0] += segment.tokens,
                SegmentKind::Next(GapClass::Middle) => counts[1] += segment.tokens,
                SegmentKind::Next(GapClass::Long) => counts[2] += segment.tokens,
            }
        }
        let [low, high] = self.thresholds_ms.map(|limit| trimmed(Some(limit), 6));
        let mut entries = vec![
            ("slot", "waiting for a slot".to_owned()),
            ("send", "connecting, and the end of the response".to_owned()),
            ("first", self.first_words().to_owned()),
        ];
        if self.first == FirstWait::Token {
            let count = |place: usize| grouped(counts[place]);
            let unit = self.unit();
            entries.extend([
                (
                    "short",
                    format!("ITL by {unit} below {low} ms ({})", count(0)),
                ),
                ("middle", format!("{low} to {high} ms ({})", count(1))),
                ("long", format!("{high} ms and more ({})", count(2))),
            ]);
        }
        let mut out = "<ul class=\"key\">".to_owned();
        for (name, words) in entries {
            let words = escaped(&words);
            let _ = write!(
                out,
                "<li><i style=\"background:var(--{name})\"></i>{words}</li>"
            );
        }
        out.push_str("<li><b>✕</b>failed</li></ul>\n");
        out
    }

    /// The data: one array a request, `[due, admitted, start, end, prompt tokens, output tokens, failure or 0, waits]`. A
    /// wait is a span, or a span and the number of tokens that came at its end.
    fn json(&self, detail: Detail) -> String {
        let [low, high] = self.thresholds_ms;
        let mut out = format!(
            "{{\"format\":1,\"thresholds_ms\":[{low},{high}],\"first\":\"{}\",\"unit\":\"{}s\",\"rows\":[",
            self.first_words(),
            self.unit()
        );
        for (place, row) in self.rows.iter().enumerate() {
            let failure = match self.failures.get(place).and_then(Option::as_ref) {
                _ if row.succeeded => "0".to_owned(),
                Some(failure) => serde_json::Value::from(failure.as_str()).to_string(),
                None => "\"failed\"".to_owned(),
            };
            let gap = if place == 0 { "" } else { ",\n" };
            let [due, admitted, start, end] =
                [row.due_s, row.admitted_s, row.start_s, row.end_s].map(whole_us);
            let _ = write!(
                out,
                "{gap}[{due},{admitted},{start},{end},{},{},{failure},[",
                row.prompt_tokens, row.output_tokens
            );
            write_segments(&mut out, row, detail);
            out.push_str("]]");
        }
        out.push_str("]}");
        out
    }
}

/// Spans between whole microseconds, so that no error adds up.
fn write_segments(out: &mut String, row: &TimelineRow, detail: Detail) {
    let mut from = whole_us(row.start_s);
    let is_one = |a: &Segment, b: &Segment| {
        detail == Detail::Runs && a.kind == b.kind && a.kind != SegmentKind::FirstToken
    };
    for (place, run) in row.segments.chunk_by(is_one).enumerate() {
        let last = run.last().expect("a run has a segment");
        let to = whole_us(last.to_s);
        let tokens: u64 = run.iter().map(|segment| segment.tokens).sum();
        let gap = if place == 0 { "" } else { "," };
        let _ = match tokens {
            1 => write!(out, "{gap}{}", to - from),
            _ => write!(out, "{gap}[{},{tokens}]", to - from),
        };
        from = to;
    }
}

fn whole_us(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}

const TOOLS: &str = "<div class=\"tools\"><button type=\"button\" data-key=\"+\" aria-label=\"zoom in\">+</button>\
    <button type=\"button\" data-key=\"-\" aria-label=\"zoom out\">−</button>\
    <button type=\"button\" data-key=\".\">time +</button><button type=\"button\" data-key=\",\">time −</button>\
    <button type=\"button\" data-key=\"]\">rows +</button><button type=\"button\" data-key=\"[\">rows −</button>\
    <button type=\"button\" data-key=\"r\" title=\"the rows of the times that are shown\">rows here</button>\
    <button type=\"button\" data-key=\"f\">next failed</button>\
    <button type=\"button\" data-key=\"Home\">all</button></div>\n";

const HOW: &str = "Wheel, after a click: zoom; over the times or the row names these alone; with Shift: move. Drag: move. Double click: all. \
    Keys: <kbd>+</kbd> <kbd>−</kbd> zoom, <kbd>.</kbd> <kbd>,</kbd> time, <kbd>]</kbd> <kbd>[</kbd> rows, arrows and <kbd>Page</kbd> \
    move, <kbd>n</kbd> <kbd>p</kbd> next and previous request, <kbd>f</kbd> next failed one, <kbd>r</kbd> rows of \
    the times that are shown, <kbd>0</kbd> all. Times count from the first start. Where several waits share a pixel, the longest class is shown; where several rows do, the mean of their colours.";

const MERGED: &str =
    " This run has very many waits: neighbours of one class are drawn as one, with their number.";

#[cfg(test)]
mod tests;
