//! Measured values, kept one by one up to a limit and counted in a [`Histogram`] beyond.
//!
//! Does not forget: number, sum, smallest and largest stay exact on both sides of the limit.

use serde::{Deserialize, Serialize};

use super::Histogram;

/// A collection of whole numbers in ticks. What it answers depends on the values and the limit alone, not on the
/// order in which values were added or samples merged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Sample {
    limit: usize,
    values: Values,
    sum: u128,
    /// Saturates, which does not depend on the order either.
    sum_of_squares: u128,
}

#[derive(Debug, Clone)]
enum Values {
    Exact(Exact),
    Counted(Histogram),
}

/// The values themselves. Those that fit four bytes are kept in four: they are nearly all gaps and token counts.
#[derive(Debug, Clone, Default)]
struct Exact {
    small: Vec<u32>,
    large: Vec<u64>,
    order: Order,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Order {
    #[default]
    AsAdded,
    Ascending,
}

impl Sample {
    /// Empty; keeps up to `limit` values exactly.
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            values: Values::Exact(Exact {
                small: Vec::new(),
                large: Vec::new(),
                order: Order::AsAdded,
            }),
            sum: 0,
            sum_of_squares: 0,
        }
    }

    /// Adds a value in ticks.
    pub fn add(&mut self, value: u64) {
        let wide = u128::from(value);
        self.sum += wide;
        self.sum_of_squares = self.sum_of_squares.saturating_add(wide * wide);
        match &mut self.values {
            Values::Exact(exact) => exact.add(value),
            Values::Counted(histogram) => histogram.add(value),
        }
        self.spill_beyond_limit();
    }

    /// Takes over all values of another sample. The lower of the two limits holds from then on.
    pub fn merge(&mut self, other: Self) {
        self.limit = self.limit.min(other.limit);
        self.sum += other.sum;
        self.sum_of_squares = self.sum_of_squares.saturating_add(other.sum_of_squares);
        match (&mut self.values, other.values) {
            (Values::Exact(mine), Values::Exact(theirs)) => mine.append(theirs),
            (Values::Counted(mine), theirs) => mine.merge(&theirs.into_histogram()),
            (Values::Exact(mine), Values::Counted(mut theirs)) => {
                theirs.merge(&std::mem::take(mine).into_histogram());
                self.values = Values::Counted(theirs);
            }
        }
        self.spill_beyond_limit();
    }

    /// Puts exact values in order, so that each later quantile is a look-up instead of a sort.
    pub fn sort(&mut self) {
        if let Values::Exact(exact) = &mut self.values {
            exact.sort();
        }
    }

    /// Number of values.
    pub fn len(&self) -> u64 {
        match &self.values {
            Values::Exact(exact) => exact.len() as u64,
            Values::Counted(histogram) => histogram.count(),
        }
    }

    /// Holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Quantiles are interpolated between values as measured, not between buckets of a histogram.
    pub fn is_exact(&self) -> bool {
        matches!(self.values, Values::Exact(_))
    }

    /// Sum of the values in ticks, exact.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// Mean in ticks.
    pub fn mean(&self) -> Option<f64> {
        let n = self.len();
        (n > 0).then(|| self.sum as f64 / n as f64)
    }

    /// Standard deviation of these values in ticks (divided by n, not n - 1).
    pub fn deviation(&self) -> Option<f64> {
        let n = self.len();
        if n == 0 {
            return None;
        }
        // n² times the variance. As a whole number it does not lose small deviations of large values.
        let scaled = u128::from(n)
            .checked_mul(self.sum_of_squares)
            .zip(self.sum.checked_mul(self.sum))
            .map_or_else(
                || n as f64 * self.sum_of_squares as f64 - (self.sum as f64).powi(2),
                |(squares, square)| squares.saturating_sub(square) as f64,
            );
        Some(scaled.max(0.0).sqrt() / n as f64)
    }

    /// Smallest value in ticks, exact.
    pub fn min(&self) -> Option<u64> {
        match &self.values {
            Values::Exact(exact) => exact.min(),
            Values::Counted(histogram) => histogram.min(),
        }
    }

    /// Largest value in ticks, exact.
    pub fn max(&self) -> Option<u64> {
        match &self.values {
            Values::Exact(exact) => exact.max(),
            Values::Counted(histogram) => histogram.max(),
        }
    }

    /// Quantile `q` in 0..=1, in ticks, interpolated as [`super::quantile_of_sorted`] does. Beyond the limit within
    /// [`super::RELATIVE_ERROR`] of that.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        match &self.values {
            Values::Counted(histogram) => histogram.quantile(q),
            Values::Exact(exact) if exact.order == Order::Ascending => exact.quantile(q),
            Values::Exact(exact) => {
                let mut sorted = exact.clone();
                sorted.sort();
                sorted.quantile(q)
            }
        }
    }

    /// Values above a limit in ticks. Beyond the limit of the sample itself, those that lie within [`super::RELATIVE_ERROR`]
    /// of it may be counted or not.
    pub fn count_above(&self, limit: u64) -> u64 {
        match &self.values {
            Values::Exact(exact) => exact.iter().filter(|value| *value > limit).count() as u64,
            Values::Counted(histogram) => histogram.count_above(limit),
        }
    }

    fn spill_beyond_limit(&mut self) {
        if let Values::Exact(exact) = &mut self.values
            && exact.len() > self.limit
        {
            self.values = Values::Counted(std::mem::take(exact).into_histogram());
        }
    }
}

impl PartialEq for Sample {
    fn eq(&self, other: &Self) -> bool {
        Stored::from(self.clone()) == Stored::from(other.clone())
    }
}

impl Values {
    fn into_histogram(self) -> Histogram {
        match self {
            Self::Exact(exact) => exact.into_histogram(),
            Self::Counted(histogram) => histogram,
        }
    }
}

impl Exact {
    fn add(&mut self, value: u64) {
        match u32::try_from(value) {
            Ok(small) => self.small.push(small),
            Err(_) => self.large.push(value),
        }
        self.order = Order::AsAdded;
    }

    fn append(&mut self, mut other: Self) {
        self.small.append(&mut other.small);
        self.large.append(&mut other.large);
        self.order = Order::AsAdded;
    }

    fn sort(&mut self) {
        if self.order == Order::AsAdded {
            self.small.sort_unstable();
            self.large.sort_unstable();
            self.order = Order::Ascending;
        }
    }

    fn len(&self) -> usize {
        self.small.len() + self.large.len()
    }

    /// The values, all small ones before all large ones.
    fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        let small = self.small.iter().map(|&value| u64::from(value));
        small.chain(self.large.iter().copied())
    }

    fn min(&self) -> Option<u64> {
        self.iter().min()
    }

    fn max(&self) -> Option<u64> {
        self.iter().max()
    }

    /// Of values in ascending order.
    fn quantile(&self, q: f64) -> Option<f64> {
        super::interpolate(self.len() as u64, q, |k| {
            let k = k as usize;
            match self.small.get(k) {
                Some(&value) => f64::from(value),
                None => self.large[k - self.small.len()] as f64,
            }
        })
    }

    fn into_histogram(self) -> Histogram {
        let mut histogram = Histogram::default();
        self.iter().for_each(|value| histogram.add(value));
        histogram
    }
}

/// As written: the values in ascending order, or the histogram and what it cannot tell.
#[derive(PartialEq, Serialize, Deserialize)]
struct Stored {
    limit: usize,
    #[serde(flatten)]
    values: StoredValues,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredValues {
    Values(Vec<u64>),
    Counted {
        histogram: Histogram,
        #[serde(with = "super::wide")]
        sum_of_squares: u128,
    },
}

impl From<Sample> for Stored {
    fn from(mut sample: Sample) -> Self {
        sample.sort();
        let values = match sample.values {
            Values::Exact(exact) => StoredValues::Values(exact.iter().collect()),
            Values::Counted(histogram) => StoredValues::Counted {
                histogram,
                sum_of_squares: sample.sum_of_squares,
            },
        };
        Self {
            limit: sample.limit,
            values,
        }
    }
}

impl From<Stored> for Sample {
    fn from(stored: Stored) -> Self {
        let mut sample = Self::new(stored.limit);
        match stored.values {
            StoredValues::Values(values) => values.into_iter().for_each(|value| sample.add(value)),
            StoredValues::Counted {
                histogram,
                sum_of_squares,
            } => {
                sample.sum = histogram.sum();
                sample.sum_of_squares = sum_of_squares;
                sample.values = Values::Counted(histogram);
            }
        }
        sample.sort();
        sample
    }
}
