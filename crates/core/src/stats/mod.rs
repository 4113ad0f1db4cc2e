//! Distributions of many measured values: a histogram, a sample that stays exact while it is small, and quantiles.
//!
//! Everything works on whole numbers (*ticks*: nanoseconds, tokens, millionths of a token a second) and adds them as
//! whole numbers, so that merging in any order gives the same bits; `student` is for the few numbers that runs come to. Knows
//! nothing of metrics or units.

mod histogram;
pub(crate) mod normal;
mod sample;
mod student;
mod wide;

pub use histogram::{CoarseHistogram, Histogram, HistogramError, LogLinear, RELATIVE_ERROR};
pub use sample::Sample;
pub use student::two_sided_t;

/// Quantile `q` in 0..=1 of ascending values, linear between neighbours (NumPy's method `linear`): with
/// `h = q * (n - 1)`, the value between positions `floor(h)` and `floor(h) + 1` at the fraction of `h`.
///
/// `None` without values; `q` outside its range is clamped.
pub fn quantile_of_sorted(values: &[f64], q: f64) -> Option<f64> {
    interpolate(values.len() as u64, q, |k| values[k as usize])
}

/// The quantile of `n` values of which `value_at(k)` is the k-th smallest.
pub(crate) fn interpolate(n: u64, q: f64, value_at: impl Fn(u64) -> f64) -> Option<f64> {
    let last = n.checked_sub(1)?;
    let position = q.clamp(0.0, 1.0) * last as f64;
    let below = (position.floor() as u64).min(last);
    let fraction = position - below as f64;
    let low = value_at(below);
    if fraction <= 0.0 || below == last {
        return Some(low);
    }
    Some(between(low, value_at(below + 1), fraction))
}

/// `low` at 0, `high` at 1, never outside the two. From the nearer end, as NumPy does it, for the same last bit.
fn between(low: f64, high: f64, fraction: f64) -> f64 {
    let step = high - low;
    if fraction < 0.5 {
        low + step * fraction
    } else {
        high - step * (1.0 - fraction)
    }
}

#[cfg(test)]
mod tests;
