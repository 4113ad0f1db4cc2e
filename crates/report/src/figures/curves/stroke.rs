//! How a curve is told from others: by its colour, its dashes and its width.
//!
//! What these look like is the theme's.

use crate::figures::theme::{DASHES, SERIES, WEIGHTS};

/// A colour, a pattern of dashes and a width, each as a place in its list; lists begin anew at their ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stroke {
    /// Of [`Self::COLOURS`].
    pub colour: usize,
    /// Of [`Self::DASHES`]; 0 is the whole line.
    pub dashes: usize,
    /// Of [`Self::WEIGHTS`]; 0 is the usual one.
    pub weight: usize,
}

impl Stroke {
    /// Colours that there are.
    pub const COLOURS: usize = SERIES.len();
    /// Patterns of dashes that there are, the whole line counted.
    pub const DASHES: usize = DASHES;
    /// Widths that there are.
    pub const WEIGHTS: usize = WEIGHTS;

    /// One after the other: first all colours, then these with dashes, then these with other widths.
    pub fn nth(place: usize) -> Self {
        Self {
            colour: place % Self::COLOURS,
            dashes: place / Self::COLOURS % Self::DASHES,
            weight: place / (Self::COLOURS * Self::DASHES) % Self::WEIGHTS,
        }
    }

    /// The class of its lines.
    pub(super) fn class(self) -> String {
        self.over(&format!("line-{}", self.colour()))
    }

    /// The class of a thin line of its colour.
    pub(super) fn thin(self) -> String {
        format!("line-{} weight-2", self.colour())
    }

    /// The class of a line of its form, in no colour of a series.
    pub(super) fn neutral(self) -> String {
        self.over("neutral")
    }

    fn over(self, class: &str) -> String {
        let mut class = class.to_owned();
        for (name, place, of) in [
            ("dashed", self.dashes, Self::DASHES),
            ("weight", self.weight, Self::WEIGHTS),
        ] {
            if !place.is_multiple_of(of) {
                class = format!("{class} {name}-{}", place % of);
            }
        }
        class
    }

    pub(super) fn colour(self) -> usize {
        self.colour % Self::COLOURS
    }
}
