//! How the lengths of prompts and answers are spread, for a picture.
//!
//! Whole tokens in, counts out; draws nothing.

/// Lengths counted in bins of equal width: so many whole tokens that no bin can hold more different lengths than another.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// Where the first bin begins: half a token below the least length.
    pub low: f64,
    /// Where the last bin ends: half a token above the greatest length that it can hold.
    pub high: f64,
    /// Lengths in each bin.
    pub counts: Vec<u64>,
    /// Mean length; 0 without lengths.
    pub mean: f64,
}

impl Bins {
    /// From the least length to the greatest, in as many bins as there may be. Without lengths there is one empty bin.
    ///
    /// With bins of parts of a token, as histograms of other quantities have them, some bins would hold two lengths and
    /// others one, and equal shares would look like a comb.
    ///
    /// Panics where `most` is 0.
    pub fn of(lengths: &[u64], most: usize) -> Self {
        assert!(most > 0, "a histogram has at least one bin");
        let least = lengths.iter().min().copied().unwrap_or(0);
        let greatest = lengths.iter().max().copied().unwrap_or(0);
        let different = (greatest - least).saturating_add(1);
        let width = different.div_ceil(most as u64);
        let mut counts = vec![0; different.div_ceil(width) as usize];
        for &length in lengths {
            counts[((length - least) / width) as usize] += 1;
        }
        let low = least as f64 - 0.5;
        let sum: u64 = lengths.iter().sum();
        Self {
            low,
            high: low + (counts.len() as u64 * width) as f64,
            counts,
            mean: sum as f64 / lengths.len().max(1) as f64,
        }
    }

    /// Where a bin begins and ends.
    pub fn edges(&self, bin: usize) -> (f64, f64) {
        let width = (self.high - self.low) / self.counts.len() as f64;
        let low = self.low + width * bin as f64;
        (low, low + width)
    }
}

/// The lengths of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct LengthStatistics {
    /// Of each request, in their order: prompt and answer.
    pub lengths: Vec<(u64, u64)>,
    /// Prompts.
    pub prompt: Bins,
    /// Answers.
    pub output: Bins,
    /// Both together.
    pub total: Bins,
}

impl LengthStatistics {
    /// Of prompts and answers, each in so many bins at most.
    pub fn of(lengths: Vec<(u64, u64)>, bins: usize) -> Self {
        let part = |of: fn(&(u64, u64)) -> u64| -> Bins {
            let values: Vec<u64> = lengths.iter().map(of).collect();
            Bins::of(&values, bins)
        };
        Self {
            prompt: part(|(prompt, _)| *prompt),
            output: part(|(_, output)| *output),
            total: part(|(prompt, output)| prompt + output),
            lengths,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn bins_are_whole_tokens_wide() {
        // Nine different lengths in four bins: three each, so that three bins are enough.
        let bins = Bins::of(&[0, 1, 2, 3, 4, 4, 8], 4);
        assert_eq!((bins.low, bins.high), (-0.5, 8.5));
        assert_eq!(bins.counts, [3, 3, 1]);
        assert_eq!(bins.edges(1), (2.5, 5.5));
        assert!((bins.mean - 22.0 / 7.0).abs() < 1e-12);
    }

    #[test]
    fn equal_shares_have_equal_bars() {
        let lengths: Vec<u64> = (0..50).collect();
        let counts = Bins::of(&lengths, 30).counts;
        assert_eq!(counts, [2; 25]);
    }

    #[test]
    fn equal_lengths_are_one_bin_around_them() {
        let equal = Bins::of(&[7, 7, 7], 30);
        assert_eq!((equal.low, equal.high), (6.5, 7.5));
        assert_eq!(equal.counts, [3]);
        let none = Bins::of(&[], 3);
        assert_eq!((none.low, none.high, none.counts), (-0.5, 0.5, vec![0]));
    }

    #[test]
    fn the_total_of_a_request_is_prompt_and_answer() {
        let statistics = LengthStatistics::of(vec![(10, 5), (20, 1)], 2);
        assert_eq!((statistics.prompt.low, statistics.prompt.high), (9.5, 21.5));
        assert_eq!((statistics.output.low, statistics.output.high), (0.5, 6.5));
        assert_eq!((statistics.total.low, statistics.total.high), (14.5, 22.5));
        assert_eq!(statistics.lengths, [(10, 5), (20, 1)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_length_is_in_the_bin_between_whose_edges_it_lies(
            lengths in proptest::collection::vec(0..5000_u64, 1..200), count in 1..40_usize,
        ) {
            let bins = Bins::of(&lengths, count);
            prop_assert_eq!(bins.counts.iter().sum::<u64>(), lengths.len() as u64);
            prop_assert!(bins.counts.len() <= count);
            let mut sorted = lengths.clone();
            sorted.sort_unstable();
            let mut before = 0;
            for (bin, &held) in bins.counts.iter().enumerate() {
                let (low, high) = bins.edges(bin);
                for &length in &sorted[before..before + held as usize] {
                    prop_assert!(low - 1e-6 <= length as f64 && length as f64 <= high + 1e-6);
                }
                before += held as usize;
            }
        }
    }
}
