//! vLLM's search: a shape-preserving curve through the margins of all loads tried, and the load where it is zero.
//!
//! Kept for folders of that tool and for comparison: each load is judged once, margins are absolute whatever their
//! unit, loads are whole numbers, and "nothing passes" is reported as the lowest load. Runs nothing.

use std::collections::BTreeMap;

use crate::sla::{Criterion, Relation};

/// What `<` asks beyond `<=`, in the unit of the measure.
const EPSILON: f64 = 1e-8;

/// The largest size of a margin that is kept: the curve is computed from products of two.
const LARGEST: f64 = 1e100;

/// How far a load is from meeting all criteria: the largest of the differences to their thresholds, each in the unit of
/// its measure. Zero or less is met; a value that is not a number is infinitely far.
///
/// `<= T`: `value - T`; `< T`: `value + 1e-8 - T`; `>= T`: `T - value`; `> T`: `T + 1e-8 - value`.
pub fn margin(criteria: &[Criterion], values: &[f64]) -> f64 {
    let margins = criteria.iter().zip(values);
    margins
        .map(|(criterion, value)| margin_of(criterion.relation, criterion.threshold, *value))
        .fold(f64::NEG_INFINITY, f64::max)
}

/// The margin of one value, of whatever measure.
pub fn margin_of(relation: Relation, threshold: f64, value: f64) -> f64 {
    let margin = match relation {
        Relation::AtMost => value - threshold,
        Relation::Below => value + EPSILON - threshold,
        Relation::AtLeast => threshold - value,
        Relation::Above => threshold + EPSILON - value,
    };
    if margin.is_nan() {
        f64::INFINITY
    } else {
        margin
    }
}

/// The search, with all margins that it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Pchip {
    lowest: u64,
    highest: u64,
    margins: BTreeMap<u64, f64>,
}

impl Default for Pchip {
    fn default() -> Self {
        Self::new()
    }
}

impl Pchip {
    /// Over the whole numbers from 1 to 8192.
    pub fn new() -> Self {
        Self::within(1, 8192)
    }

    /// Over the whole numbers from `lowest` to `highest`, which is no lower.
    pub fn within(lowest: u64, highest: u64) -> Self {
        Self {
            lowest,
            highest: highest.max(lowest),
            margins: BTreeMap::new(),
        }
    }

    /// The load to try next, never one that was told; `None` at the end.
    ///
    /// First the highest, then the lowest, then where the curve is first zero, truncated, or the load above where that
    /// was tried. Where both were tried the original would try the second again for ever; here the middle between the
    /// highest that passes and the lowest that fails comes next.
    pub fn ask(&self) -> Option<u64> {
        let (passing, failing) = (self.max_passing(), self.min_failing());
        if passing.saturating_add(1) >= failing {
            return None;
        }
        if let Some(end) = [self.highest, self.lowest]
            .into_iter()
            .find(|end| !self.margins.contains_key(end))
        {
            return Some(end);
        }
        let middle = passing.midpoint(failing);
        let Some(root) = self.first_root() else {
            return Some(middle);
        };
        let root = root as u64;
        let untried = |load: &u64| {
            (self.lowest..=self.highest).contains(load) && !self.margins.contains_key(load)
        };
        let near = [root, root.saturating_add(1)];
        Some(near.into_iter().find(untried).unwrap_or(middle))
    }

    /// Takes the margin of a load ([`margin`]); a later one replaces an earlier one.
    pub fn tell(&mut self, load: u64, margin: f64) {
        let margin = if margin.is_nan() { LARGEST } else { margin };
        self.margins.insert(load, margin.clamp(-LARGEST, LARGEST));
    }

    /// The highest load that passed. The lowest of all where none did, as the original reports it: see
    /// [`Self::passed`].
    pub fn max_passing(&self) -> u64 {
        self.passed().unwrap_or(self.lowest)
    }

    /// The highest load that passed, where one did.
    pub fn passed(&self) -> Option<u64> {
        let mut descending = self.margins.iter().rev();
        descending
            .find(|(_, margin)| **margin <= 0.0)
            .map(|(load, _)| *load)
    }

    /// All margins told, by load.
    pub fn margins(&self) -> &BTreeMap<u64, f64> {
        &self.margins
    }

    /// The lowest load that failed; the highest of all where none did.
    fn min_failing(&self) -> u64 {
        let mut ascending = self.margins.iter();
        ascending
            .find(|(_, margin)| **margin > 0.0)
            .map_or(self.highest, |(load, _)| *load)
    }

    fn first_root(&self) -> Option<f64> {
        let points = self.margins.iter();
        let points: Vec<_> = points
            .map(|(&load, &margin)| (load as f64, margin))
            .collect();
        Curve::through(&points).first_root()
    }
}

/// Piecewise cubic Hermite interpolation that keeps the shape of its points: monotone wherever they are.
struct Curve<'a> {
    points: &'a [(f64, f64)],
    slopes: Vec<f64>,
}

/// The width and the slope of a piece's chord.
#[derive(Clone, Copy)]
struct Chord {
    width: f64,
    slope: f64,
}

impl<'a> Curve<'a> {
    /// Points in ascending order. Slopes by F. N. Fritsch and J. Butland, SIAM Journal on Scientific and Statistical Computing 5 (1984): at an
    /// inner point the weighted harmonic mean of the two chords, zero where they differ in sign.
    fn through(points: &'a [(f64, f64)]) -> Self {
        let chords: Vec<_> = points
            .windows(2)
            .map(|pair| {
                let width = pair[1].0 - pair[0].0;
                let slope = (pair[1].1 - pair[0].1) / width;
                Chord { width, slope }
            })
            .collect();
        let slopes = match chords.as_slice() {
            [] => vec![0.0; points.len()],
            [only] => vec![only.slope; 2],
            [first, second, ..] => {
                let inner = chords.windows(2).map(|pair| inner_slope(pair[0], pair[1]));
                let (last, before) = (chords[chords.len() - 1], chords[chords.len() - 2]);
                std::iter::once(end_slope(*first, *second))
                    .chain(inner)
                    .chain(std::iter::once(end_slope(last, before)))
                    .collect()
            }
        };
        Self { points, slopes }
    }

    /// The smallest place where the curve is zero.
    fn first_root(&self) -> Option<f64> {
        let (_, last) = self.points.last()?;
        let inside = (0..self.points.len() - 1).find_map(|piece| self.root_in(piece));
        inside.or_else(|| (*last == 0.0).then(|| self.points[self.points.len() - 1].0))
    }

    /// A piece is monotone, so that it has a zero only where its ends differ in sign. Found by halving, to the last
    /// bit.
    fn root_in(&self, piece: usize) -> Option<f64> {
        let ((mut low, at_low), (mut high, at_high)) = (self.points[piece], self.points[piece + 1]);
        if at_low == 0.0 {
            return Some(low);
        }
        if at_high == 0.0 || (at_low < 0.0) == (at_high < 0.0) {
            return None;
        }
        loop {
            let middle = low.midpoint(high);
            if middle <= low || middle >= high {
                return Some(high);
            }
            let value = self.value(piece, middle);
            if value == 0.0 {
                return Some(middle);
            }
            if (value < 0.0) == (at_low < 0.0) {
                low = middle;
            } else {
                high = middle;
            }
        }
    }

    /// The curve at `x` inside a piece.
    fn value(&self, piece: usize, x: f64) -> f64 {
        let ((left, from), (right, to)) = (self.points[piece], self.points[piece + 1]);
        let width = right - left;
        let t = (x - left) / width;
        let u = 1.0 - t;
        let ends = from * (1.0 + 2.0 * t) * u * u + to * (1.0 + 2.0 * u) * t * t;
        let slopes = self.slopes[piece] * t * u * u - self.slopes[piece + 1] * u * t * t;
        ends + width * slopes
    }
}

fn inner_slope(left: Chord, right: Chord) -> f64 {
    if left.slope * right.slope <= 0.0 {
        return 0.0;
    }
    let (of_left, of_right) = (
        2.0 * right.width + left.width,
        right.width + 2.0 * left.width,
    );
    (of_left + of_right) / (of_left / left.slope + of_right / right.slope)
}

/// The one-sided three-point slope at the outer end of `outer`, limited so that the curve keeps its shape.
fn end_slope(outer: Chord, inner: Chord) -> f64 {
    let widths = outer.width + inner.width;
    let slope = ((outer.width + widths) * outer.slope - outer.width * inner.slope) / widths;
    if slope * outer.slope <= 0.0 {
        0.0
    } else if outer.slope * inner.slope <= 0.0 && slope.abs() > 3.0 * outer.slope.abs() {
        3.0 * outer.slope
    } else {
        slope
    }
}

#[cfg(test)]
mod tests;
