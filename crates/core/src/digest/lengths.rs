//! How long prompts and answers were, and how long answers were asked to be.
//!
//! Counts; draws nothing.

use crate::record::RequestRecord;
use crate::serving::Bins;
use crate::stats::Histogram;

/// Lengths of the requests of a run. Failed ones count in what was asked and not in what was got.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lengths {
    /// Tokens of prompts, of successes.
    pub input: LengthCounts,
    /// Tokens of answers, of successes.
    pub output: LengthCounts,
    /// Tokens that answers were asked to have, where that is known.
    pub asked: LengthCounts,
    /// Whether successes of which both is known have as many tokens as were asked for.
    pub held: Held,
}

/// How many answers have as many tokens as were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Fewer: the model ended by itself, or was cut.
    pub fewer: u64,
    /// As many.
    pub equal: u64,
    /// More.
    pub more: u64,
}

/// How often each length occurred: exact below 2048 tokens, within 0.05 % above.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LengthCounts(Histogram);

impl Lengths {
    pub(super) fn add(&mut self, record: &RequestRecord) {
        let asked = record.asked_output.map(u64::from);
        if let Some(asked) = asked {
            self.asked.0.add(asked);
        }
        if !record.succeeded() {
            return;
        }
        if let Some(tokens) = record.prompt_tokens {
            self.input.0.add(tokens.count.into());
        }
        let Some(got) = record.output_tokens.map(|it| u64::from(it.count)) else {
            return;
        };
        self.output.0.add(got);
        match asked.map(|asked| got.cmp(&asked)) {
            Some(std::cmp::Ordering::Less) => self.held.fewer += 1,
            Some(std::cmp::Ordering::Equal) => self.held.equal += 1,
            Some(std::cmp::Ordering::Greater) => self.held.more += 1,
            None => {}
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.input.0.merge(&other.input.0);
        self.output.0.merge(&other.output.0);
        self.asked.0.merge(&other.asked.0);
        self.held.fewer += other.held.fewer;
        self.held.equal += other.held.equal;
        self.held.more += other.held.more;
    }
}

impl LengthCounts {
    /// Number of requests.
    pub fn count(&self) -> u64 {
        self.0.count()
    }

    /// Shortest and longest; `None` without requests.
    pub fn ends(&self) -> Option<[u64; 2]> {
        Some([self.0.min()?, self.0.max()?])
    }

    /// Mean; `None` without requests.
    pub fn mean(&self) -> Option<f64> {
        self.0.mean()
    }

    /// Quantile `q` in 0..=1; `None` without requests.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.0.quantile(q)
    }

    /// In bins of equal width, at most so many; one empty bin without requests. Panics where `most` is 0.
    pub fn bins(&self, most: usize) -> Bins {
        let [bins] = Self::bins_together([self], most);
        bins
    }

    /// Several in the same bins, so that their bars can be compared.
    pub fn bins_together<const N: usize>(them: [&Self; N], most: usize) -> [Bins; N] {
        assert!(most > 0, "a histogram has at least one bin");
        let ends = || them.iter().filter_map(|it| it.ends());
        let least = ends().map(|[least, _]| least).min().unwrap_or(0);
        let greatest = ends().map(|[_, greatest]| greatest).max().unwrap_or(0);
        // Counts of long lengths are known for several lengths together: no bin may part them.
        let spans = them.iter().flat_map(|it| it.0.spans());
        let step = spans
            .map(|(low, high, _)| high - low + 1)
            .max()
            .unwrap_or(1);
        let low = least - least % step;
        let width = (greatest - low).saturating_add(1).div_ceil(most as u64);
        let width = width.div_ceil(step) * step;
        let bins = ((greatest - low) / width + 1) as usize;
        them.map(|it| it.in_bins(low, width, bins))
    }

    fn in_bins(&self, low: u64, width: u64, bins: usize) -> Bins {
        let mut counts = vec![0; bins];
        for (lowest, _, count) in self.0.spans() {
            counts[((lowest.saturating_sub(low)) / width) as usize] += count;
        }
        let edge = low as f64 - 0.5;
        Bins {
            low: edge,
            high: edge + (bins as u64).saturating_mul(width) as f64,
            counts,
            mean: self.mean().unwrap_or(0.0),
        }
    }
}
