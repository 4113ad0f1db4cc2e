//! Counts of whole numbers in buckets whose width grows with the value.
//!
//! Keeps number, sum, smallest and largest exactly; the values in between only as accurately as a bucket is wide.
//! Takes memory where values are: pages of buckets appear when they are first used.

use serde::{Deserialize, Serialize};

/// Largest relative error of a value read back from a [`Histogram`]: half a bucket's width, 1/2048 or 0.049 %.
pub const RELATIVE_ERROR: f64 = 1.0 / Histogram::SMALL as f64;

/// Buckets allocated together.
const PAGE: usize = 128;

/// Exact below 2048, above that 1024 buckets an octave.
pub type Histogram = LogLinear<11>;

/// Exact below 128, above that 64 buckets an octave: a value read back is within 1/128 or 0.78 %. For the many small
/// distributions of a figure.
pub type CoarseHistogram = LogLinear<7>;

/// Log-linear histogram of `u64`: values below 2 to the power of `BITS` have a bucket each, and so has each of `BITS - 1` bits
/// behind the leading one above that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct LogLinear<const BITS: u32> {
    /// Page `p` has buckets `p * PAGE..`; `None` where all are zero.
    pages: Vec<Option<Box<[u64; PAGE]>>>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl<const BITS: u32> LogLinear<BITS> {
    /// Values below this have a bucket each.
    const SMALL: u64 = 1 << BITS;
    /// Buckets of an octave (values from a power of two to the next) at and above [`Self::SMALL`].
    const OCTAVE: u64 = Self::SMALL / 2;

    /// Counts a value once.
    pub fn add(&mut self, value: u64) {
        self.add_many(value, 1);
    }

    /// Counts a value `times` times.
    pub fn add_many(&mut self, value: u64, times: u64) {
        if times == 0 {
            return;
        }
        *self.bucket_mut(Self::bucket_of(value)) += times;
        self.sum += u128::from(value) * u128::from(times);
        self.include(value, value, times);
    }

    /// Adds all counts of another histogram; in any order and grouping the result is the same.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        for (bucket, count) in other.buckets() {
            *self.bucket_mut(bucket) += count;
        }
        self.sum += other.sum;
        self.include(other.min, other.max, other.count);
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum of the values, exact.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// Smallest value, exact.
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// Largest value, exact.
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// Exact mean.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// Quantile `q` in 0..=1, interpolated as [`super::quantile_of_sorted`] does, within [`RELATIVE_ERROR`] of it.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        super::interpolate(self.count, q, |k| self.value_at(k))
    }

    /// Values above a limit. Of the bucket that the limit lies in, as large a part as if its values lay evenly.
    pub fn count_above(&self, limit: u64) -> u64 {
        if self.max().is_none_or(|max| max <= limit) {
            return 0;
        }
        let above = self.spans().map(|(lowest, highest, count)| {
            if limit < lowest {
                return count;
            }
            let share = highest.saturating_sub(limit) as f64 / (highest - lowest + 1) as f64;
            (share * count as f64).round() as u64
        });
        above.sum()
    }

    /// The k-th smallest value (`k < count`): the middle of its bucket, within the extremes.
    fn value_at(&self, k: u64) -> f64 {
        if k + 1 >= self.count {
            return self.max as f64;
        }
        let mut below = 0;
        let bucket = self
            .buckets()
            .find(|(_, count)| {
                below += count;
                below > k
            })
            .map_or(0, |(bucket, _)| bucket);
        Self::middle_of(bucket).clamp(self.min as f64, self.max as f64)
    }

    fn include(&mut self, min: u64, max: u64, times: u64) {
        if self.count == 0 {
            (self.min, self.max) = (min, max);
        }
        self.min = self.min.min(min);
        self.max = self.max.max(max);
        self.count += times;
    }

    fn bucket_mut(&mut self, bucket: usize) -> &mut u64 {
        let page = bucket / PAGE;
        if page >= self.pages.len() {
            self.pages.resize(page + 1, None);
        }
        &mut self.pages[page].get_or_insert_with(|| Box::new([0; PAGE]))[bucket % PAGE]
    }

    /// Buckets that hold something, ascending, with their counts.
    fn buckets(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.pages
            .iter()
            .enumerate()
            .filter_map(|(page, counts)| Some((page, counts.as_deref()?)))
            .flat_map(|(page, counts)| (page * PAGE..).zip(counts.iter().copied()))
            .filter(|&(_, count)| count > 0)
    }

    /// Buckets that hold something, ascending: the lowest and the highest value that fall into each, and how many did.
    pub fn spans(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        self.buckets().map(|(bucket, count)| {
            let (lowest, width) = Self::span_of(bucket);
            (lowest, lowest + (width - 1), count)
        })
    }

    /// The bucket of a value: itself below [`Self::SMALL`]; above, its leading `BITS` bits and how far they were shifted.
    fn bucket_of(value: u64) -> usize {
        if value < Self::SMALL {
            return value as usize;
        }
        let shift = value.ilog2() + 1 - BITS;
        (u64::from(shift) * Self::OCTAVE + (value >> shift)) as usize
    }

    /// The lowest value of a bucket, and how many different ones it holds.
    fn span_of(bucket: usize) -> (u64, u64) {
        let bucket = bucket as u64;
        if bucket < Self::SMALL {
            return (bucket, 1);
        }
        let shift = bucket / Self::OCTAVE - 1;
        ((bucket - shift * Self::OCTAVE) << shift, 1 << shift)
    }

    /// The value halfway between the lowest and the highest of a bucket.
    fn middle_of(bucket: usize) -> f64 {
        let (lowest, width) = Self::span_of(bucket);
        lowest as f64 + (width - 1) as f64 / 2.0
    }
}

/// As written: only buckets in use, and the sum as text, since it may not fit the numbers of a JSON reader.
#[derive(Serialize, Deserialize)]
struct Stored {
    count: u64,
    #[serde(with = "super::wide")]
    sum: u128,
    min: u64,
    max: u64,
    buckets: Vec<(usize, u64)>,
}

/// A written histogram that contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HistogramError {
    /// A bucket that no value falls into.
    #[error("no value belongs to histogram bucket {0}")]
    NoSuchBucket(usize),
    /// The buckets hold another number of values than is written beside them.
    #[error("histogram counts {stated} values but its buckets hold {found}")]
    WrongCount {
        /// As written.
        stated: u64,
        /// Sum over the buckets.
        found: u64,
    },
}

impl<const BITS: u32> From<LogLinear<BITS>> for Stored {
    fn from(histogram: LogLinear<BITS>) -> Self {
        Self {
            count: histogram.count,
            sum: histogram.sum,
            min: histogram.min,
            max: histogram.max,
            buckets: histogram.buckets().collect(),
        }
    }
}

impl<const BITS: u32> TryFrom<Stored> for LogLinear<BITS> {
    type Error = HistogramError;

    fn try_from(stored: Stored) -> Result<Self, HistogramError> {
        let mut histogram = Self {
            count: stored.count,
            sum: stored.sum,
            min: stored.min,
            max: stored.max,
            pages: Vec::new(),
        };
        let mut found = 0_u64;
        for (bucket, count) in stored.buckets {
            if bucket > Self::bucket_of(u64::MAX) {
                return Err(HistogramError::NoSuchBucket(bucket));
            }
            found = found.saturating_add(count);
            *histogram.bucket_mut(bucket) += count;
        }
        if found == stored.count {
            Ok(histogram)
        } else {
            Err(HistogramError::WrongCount {
                stated: stored.count,
                found,
            })
        }
    }
}
