//! Student's t distribution, for intervals around the mean of a few runs.
//!
//! Whole degrees of freedom only: for these the distribution is a finite sum.

use std::f64::consts::{FRAC_PI_2, PI};

/// The `t` for which a value of Student's distribution lies between `-t` and `t` with probability `level` (0 to below 1),
/// with so many degrees of freedom, at least 1. Found to about 12 digits.
///
/// ```
/// use crestline_core::stats::two_sided_t;
/// assert!((two_sided_t(0.95, 2) - 4.302_652_73).abs() < 1e-7);
/// ```
pub fn two_sided_t(level: f64, degrees: u32) -> f64 {
    let level = level.clamp(0.0, 1.0 - 1e-12);
    let degrees = degrees.max(1);
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if inside(middle, degrees) < level {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high).tan() * f64::from(degrees).sqrt()
}

/// Probability of a value between `-t` and `t` where `angle` is the arc tangent of `t / √degrees` (Abramowitz and Stegun,
/// 26.7.3 and 26.7.4).
fn inside(angle: f64, degrees: u32) -> f64 {
    let (sine, cosine) = angle.sin_cos();
    let squared = cosine * cosine;
    if degrees % 2 == 1 {
        let sum = series(cosine, degrees, [2, 3], squared);
        return (angle + sine * sum) * 2.0 / PI;
    }
    sine * series(1.0, degrees, [1, 2], squared)
}

/// `first`, and for each two more degrees up to `degrees - 2` the term before it times `squared` and the next fraction.
fn series(first: f64, degrees: u32, [above, below]: [u32; 2], squared: f64) -> f64 {
    let mut term = first;
    let mut sum = 0.0;
    for place in 0..degrees / 2 {
        sum += term;
        term *= squared * f64::from(above + 2 * place) / f64::from(below + 2 * place);
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::two_sided_t;

    #[test]
    fn values_are_those_of_the_tables() {
        // Two-sided 95 % and 99 %, as printed in tables of the distribution.
        for (degrees, of_95, of_99) in [
            (1, 12.7062, 63.6567),
            (2, 4.3027, 9.9248),
            (3, 3.1824, 5.8409),
            (4, 2.7764, 4.6041),
            (9, 2.2622, 3.2498),
            (10, 2.2281, 3.1693),
            (29, 2.0452, 2.7564),
            (120, 1.9799, 2.6174),
        ] {
            for (level, expected) in [(0.95, of_95), (0.99, of_99)] {
                let found = two_sided_t(level, degrees);
                assert!(
                    (found - expected).abs() < 6e-5,
                    "{degrees} {level}: {found}"
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn more_degrees_need_less_room_and_higher_levels_more(level in 0.1..0.99_f64, degrees in 1..400_u32) {
            let here = two_sided_t(level, degrees);
            prop_assert!(here > two_sided_t(level, degrees + 1));
            prop_assert!(here < two_sided_t(level + 0.005, degrees));
        }
    }
}
