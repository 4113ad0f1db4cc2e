//! What stands above a whole figure: what it shows, and what was measured, in as many lines as they take.
//!
//! Decides on no widths.

use super::drawing::{Anchor, Drawing, point};
use super::plots::Part;
use super::theme::{TEXT, TITLE};

/// From the edges of a figure to all that is in it.
pub(super) const EDGE: f64 = 20.0;
/// Units of a drawing in an inch.
pub(super) const UNITS: f64 = 96.0;
/// A side of a part at least, in inches: less has no room for axes.
pub(super) const LEAST_INCHES: f64 = 1.5;
/// Height of a line.
const LINE: f64 = 20.0;

/// Lines that fit the width of a figure.
#[derive(Debug)]
pub(super) struct Titles {
    title: Vec<String>,
    subject: Vec<String>,
}

impl Titles {
    pub(super) fn of(title: &str, subject: &str, room: f64) -> Self {
        Self {
            title: TITLE.broken(title, room),
            subject: TEXT.broken(subject, room),
        }
    }

    /// Where that which is below begins.
    pub(super) fn bottom(&self) -> f64 {
        EDGE + 6.0 + (self.title.len() + self.subject.len()) as f64 * LINE
    }

    pub(super) fn draw(&self, drawing: &mut Drawing) {
        let from = drawing.shapes.len();
        let lines = self.title.iter().map(|line| ("title", line));
        let lines = lines.chain(self.subject.iter().map(|line| ("quiet", line)));
        for (place, (class, line)) in lines.enumerate() {
            let at = point(EDGE, EDGE + TITLE.size + place as f64 * LINE);
            drawing.text(class, at, Anchor::Start, line);
        }
        drawing.mark(Part::Words, from);
    }
}
