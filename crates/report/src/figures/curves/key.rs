//! What stands beside the parts: which curve is which, and what other signs mean.
//!
//! Names are never cut: long ones take several lines.

use super::part::upright;
use super::{LINE, Stroke};
use crate::figures::drawing::{Anchor, Drawing, Frame, Point, point};
use crate::figures::plots::Entry;
use crate::figures::theme::{STRONG, TEXT};

/// What stands beside the parts of a figure.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Key {
    /// The names of the curves.
    #[default]
    Names,
    /// These.
    Groups(Vec<KeyGroup>),
}

/// Entries that belong together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyGroup {
    /// Above them; may be empty.
    pub title: String,
    /// One below the other.
    pub entries: Vec<KeyEntry>,
}

/// A sign and what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyEntry {
    /// The sign.
    pub sign: Sign,
    /// What it means, in one line or several.
    pub words: String,
}

/// Signs of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// A curve with a mark.
    Curve(Stroke),
    /// A curve without marks.
    Line(Stroke),
    /// The dashes and the width of curves of any colour.
    Form(Stroke),
    /// A single observation.
    Dot,
    /// A single observation of a curve that has a colour of its own.
    Run(Stroke),
    /// One that does not count.
    Void,
    /// A band around a curve.
    Band,
    /// An interval of one point.
    Interval,
    /// A value that must not be passed.
    Limit,
    /// One of many observations that are not told apart.
    Other,
    /// A number that stands in the figure.
    Number(usize),
}

/// Widest words.
const WIDEST: f64 = 300.0;
/// Width of a sign.
const SIGN: f64 = 26.0;
/// Between a sign and its words.
const GAP: f64 = 12.0;
/// Above a group.
const ABOVE: f64 = 10.0;

/// A key whose words are broken into lines.
#[derive(Debug)]
pub(in crate::figures) struct Laid {
    groups: Vec<LaidGroup>,
}

#[derive(Debug)]
struct LaidGroup {
    title: Vec<String>,
    entries: Vec<(Sign, Vec<String>)>,
}

/// Lays out a key; `of_bands` is put behind the words of bands.
pub(in crate::figures) fn laid(key: &Key, names: &[(&str, Sign)], of_bands: &str) -> Laid {
    let of_names = || {
        let entries = names.iter().map(|(name, sign)| KeyEntry {
            sign: *sign,
            words: (*name).to_owned(),
        });
        vec![KeyGroup {
            title: String::new(),
            entries: entries.collect(),
        }]
    };
    let groups = match key {
        Key::Names => of_names(),
        Key::Groups(groups) => groups.clone(),
    };
    let entry = |entry: KeyEntry| {
        let words = match entry.sign {
            Sign::Band | Sign::Interval => format!("{}{of_bands}", entry.words),
            _ => entry.words,
        };
        let lines = TEXT.broken(&words, WIDEST);
        (
            entry.sign,
            if lines.is_empty() {
                vec![String::new()]
            } else {
                lines
            },
        )
    };
    let laid = groups
        .into_iter()
        .filter(|group| !group.entries.is_empty())
        .map(|group| LaidGroup {
            title: STRONG.broken(&group.title, SIGN + GAP + WIDEST),
            entries: group.entries.into_iter().map(entry).collect(),
        });
    Laid {
        groups: laid.collect(),
    }
}

impl Laid {
    /// 0 where there is nothing in it.
    pub(in crate::figures) fn width(&self) -> f64 {
        let titles = self.groups.iter().flat_map(|group| &group.title);
        let titles = titles.map(|line| STRONG.width(line));
        let entries = self.groups.iter().flat_map(|group| &group.entries);
        let words = entries.flat_map(|(_, lines)| lines);
        let words = words.map(|line| SIGN + GAP + TEXT.width(line));
        titles.chain(words).fold(0.0, f64::max)
    }

    pub(in crate::figures) fn height(&self) -> f64 {
        let groups = self.groups.iter().map(|group| {
            let lines = group.entries.iter().map(|(_, lines)| lines.len());
            ABOVE + (group.title.len() + lines.sum::<usize>()) as f64 * LINE
        });
        groups.sum::<f64>() + LINE
    }

    /// Draws it below and to the right of a place.
    pub(in crate::figures) fn draw(&self, drawing: &mut Drawing, from: Point) {
        let mut y = from.y;
        for group in &self.groups {
            y += ABOVE;
            for line in &group.title {
                drawing.text("strong", point(from.x, y + 12.0), Anchor::Start, line);
                y += LINE;
            }
            for (sign, lines) in &group.entries {
                let first = drawing.shapes.len();
                sign.draw(drawing, point(from.x, y + 8.0));
                drawing.marks.key.push(Entry {
                    group: group.title.join(" "),
                    words: lines.join(" "),
                    sign: first..drawing.shapes.len(),
                    frame: Frame {
                        left: from.x,
                        top: y,
                        right: from.x + SIGN,
                        bottom: y + 16.0,
                    },
                });
                for line in lines {
                    let at = point(from.x + SIGN + GAP, y + 8.0 + TEXT.size * 0.36);
                    drawing.text("", at, Anchor::Start, line);
                    y += LINE;
                }
            }
        }
    }
}

impl Sign {
    /// Draws it to the right of a place.
    fn draw(self, drawing: &mut Drawing, from: Point) {
        let line = [from, point(from.x + SIGN, from.y)];
        let middle = point(from.x + SIGN / 2.0, from.y);
        match self {
            Self::Curve(stroke) => {
                drawing.line(&stroke.class(), &line);
                drawing.disc(&format!("fill-{}", stroke.colour()), middle, 3.4);
            }
            Self::Line(stroke) => drawing.line(&stroke.class(), &line),
            Self::Form(stroke) => drawing.line(&stroke.neutral(), &line),
            Self::Dot => drawing.disc("dot-0", middle, 2.6),
            Self::Run(stroke) => {
                drawing.disc(&format!("dot-{}", stroke.colour()), middle, 3.0);
            }
            Self::Void => drawing.cross("void", middle, 3.0),
            Self::Band => {
                let frame = Frame {
                    left: from.x,
                    top: from.y - 5.0,
                    right: from.x + SIGN,
                    bottom: from.y + 5.0,
                };
                drawing.rect("band-0", frame);
            }
            Self::Interval => {
                let ends = [-7.0, 7.0].map(|side| point(middle.x, middle.y + side));
                upright(drawing, &Stroke::default().thin(), ends);
            }
            Self::Limit => drawing.line("limit", &line),
            Self::Other => drawing.disc("others", middle, 3.4),
            Self::Number(number) => {
                let at = point(middle.x, middle.y + TEXT.size * 0.36);
                drawing.text("", at, Anchor::Middle, &number.to_string());
            }
        }
    }
}
