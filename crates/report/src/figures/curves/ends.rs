//! Where axes begin and end, so that all that is drawn has room.
//!
//! Bands have room only as far as they do not press the rest together: an interval of two runs may be ten times as wide as all
//! that was measured.

use super::{CurveAxis, CurvePart, Curves, Range};
use crate::figures::scale::Kind;

/// How far a band reaches beyond the highest value that was measured, as a share of it.
const REACH: f64 = 0.25;

/// Ends of the axes of a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ends {
    pub(super) x: [f64; 2],
    pub(super) y: [f64; 2],
    /// Whether a band reaches beyond them.
    pub(super) cuts_a_band: bool,
}

/// The least and the greatest of values; none yet where the first is above the second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Extent([f64; 2]);

impl Extent {
    fn of(axis: &CurveAxis, values: impl Iterator<Item = f64>) -> Self {
        let usable =
            values.filter(|value| value.is_finite() && (!axis.kind.is_of_ratios() || *value > 0.0));
        let none = [f64::INFINITY, f64::NEG_INFINITY];
        Self(usable.fold(none, |[low, high], value| [low.min(value), high.max(value)]))
    }

    fn with(self, other: Self) -> Self {
        let ([low, high], [lower, higher]) = (self.0, other.0);
        Self([low.min(lower), high.max(higher)])
    }

    /// What of a band has room beside this.
    fn reach(self, axis: &CurveAxis, band: Self) -> Self {
        let [low, high] = self.0;
        if low > high || band.0[0] > band.0[1] {
            return self.with(band);
        }
        let [down, up] = if axis.kind.is_of_ratios() {
            [low / (1.0 + REACH), high * (1.0 + REACH)]
        } else {
            let far = REACH * high.abs().max(low.abs());
            [low - far, high + far]
        };
        self.with(Self([band.0[0].max(down), band.0[1].min(up)]))
    }
}

impl Ends {
    /// Of all parts of a figure, in their order.
    pub(super) fn of_all(it: &Curves) -> Vec<Self> {
        let each = |part: &Option<CurvePart>| {
            let part = part.as_ref();
            part.map_or([Extent::NONE; 3], extents)
        };
        let own: Vec<[Extent; 3]> = it.parts.iter().map(each).collect();
        let all = own.iter().fold([Extent::NONE; 3], |all, own| {
            [0, 1, 2].map(|place| all[place].with(own[place]))
        });
        let of = |(part, own): (&Option<CurvePart>, &[Extent; 3])| {
            let extents = match it.range {
                Range::Own => *own,
                Range::Shared => all,
            };
            part.as_ref()
                .map_or_else(Self::nothing, |part| Self::of(part, extents))
        };
        it.parts.iter().zip(&own).map(of).collect()
    }

    fn nothing() -> Self {
        Self {
            x: [0.0, 1.0],
            y: [0.0, 1.0],
            cuts_a_band: false,
        }
    }

    fn of(part: &CurvePart, [x, y, band]: [Extent; 3]) -> Self {
        let reached = y.reach(&part.y, band);
        let ends = ends(&part.y, reached, Some(0.0));
        let [low, high] = band.0;
        Self {
            x: self::ends(&part.x, x, None),
            y: ends,
            cuts_a_band: low <= high && (low < ends[0] && low > part.y.least() || high > ends[1]),
        }
    }
}

impl CurveAxis {
    /// Below this no value of a band has a place.
    fn least(&self) -> f64 {
        if self.kind.is_of_ratios() {
            self.possible[0].max(0.0)
        } else {
            self.possible[0]
        }
    }
}

impl Extent {
    const NONE: Self = Self([f64::INFINITY, f64::NEG_INFINITY]);
}

/// Of what is measured on both axes, and of bands.
fn extents(part: &CurvePart) -> [Extent; 3] {
    let places = || {
        let curves = part.curves.iter();
        curves.flat_map(|curve| curve.points.iter().chain(&curve.dots).chain(&curve.voids))
    };
    let bands = || part.curves.iter().flat_map(|curve| &curve.band);
    let xs = places().map(|[x, _]| *x).chain(bands().map(|[x, ..]| *x));
    let xs = xs.chain(part.limits_x.iter().map(|(value, _)| *value));
    let xs = xs.chain(part.x.names.iter().map(|(value, _)| *value));
    let ys = places().map(|[_, y]| *y);
    let ys = ys.chain(part.limits.iter().map(|(value, _)| *value));
    let edges = bands().flat_map(|[_, low, high]| [*low, *high].map(|end| part.y.possible(end)));
    [
        Extent::of(&part.x, xs),
        Extent::of(&part.y, ys),
        Extent::of(&part.y, edges),
    ]
}

fn ends(axis: &CurveAxis, extent: Extent, base: Option<f64>) -> [f64; 2] {
    if let Some(range) = axis.range {
        return range;
    }
    let [low, high] = extent.0;
    if low > high {
        return if axis.kind.is_of_ratios() {
            [1.0, 10.0]
        } else {
            [0.0, 1.0]
        };
    }
    match (axis.kind, base) {
        (Kind::Log | Kind::Log2, _) => [low / 1.08, high * 1.08],
        (Kind::Percentile, _) => [low, high],
        (_, Some(base)) if low >= base => [base, base + (high - base).max(1e-9) * 1.06],
        _ if !axis.names.is_empty() => [low - 0.5, high + 0.5],
        _ => {
            let edge = if high > low {
                (high - low) * 0.04
            } else {
                low.abs().max(1.0) * 0.5
            };
            [low - edge, high + edge]
        }
    }
}
