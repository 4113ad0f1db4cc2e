//! How the lengths of prompts and answers are spread, for a picture.
//!
//! Whole tokens in, counts out; draws nothing.

/// Lengths counted in bins of equal width.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// Where the first bin begins.
    pub low: f64,
    /// Where the last bin ends.
    pub high: f64,
    /// Lengths in each bin. A bin holds its lower end and not its upper one, but for the last, which holds both.
    pub counts: Vec<u64>,
    /// Mean length; 0 without lengths.
    pub mean: f64,
}

impl Bins {
    /// From the least length to the greatest. A single length, and none, has a span of 1 around it (NumPy's rule for
    /// histograms).
    ///
    /// Panics where `bins` is 0.
    pub fn of(lengths: &[u64], bins: usize) -> Self {
        assert!(bins > 0, "a histogram has at least one bin");
        let least = lengths.iter().min().copied();
        let most = lengths.iter().max().copied();
        let (low, high) = match (least, most) {
            (Some(least), Some(most)) if least < most => (least as f64, most as f64),
            (Some(only), _) => (only as f64 - 0.5, only as f64 + 0.5),
            _ => (0.0, 1.0),
        };
        let mut counts = vec![0; bins];
        for &length in lengths {
            let place = (length as f64 - low) / (high - low) * bins as f64;
            counts[(place as usize).min(bins - 1)] += 1;
        }
        let sum: u64 = lengths.iter().sum();
        Self {
            low,
            high,
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
    /// Of prompts and answers, each in so many bins.
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
    fn the_greatest_length_is_in_the_last_bin() {
        let bins = Bins::of(&[0, 1, 2, 3, 4, 4, 8], 4);
        // 0..2, 2..4, 4..6, 6..=8.
        assert_eq!(bins.counts, [2, 2, 2, 1]);
        assert_eq!(bins.edges(2), (4.0, 6.0));
        assert!((bins.mean - 22.0 / 7.0).abs() < 1e-12);
    }

    #[test]
    fn equal_lengths_and_no_lengths_have_a_span_of_one() {
        let equal = Bins::of(&[7, 7, 7], 2);
        assert_eq!((equal.low, equal.high), (6.5, 7.5));
        assert_eq!(equal.counts, [0, 3]);
        let none = Bins::of(&[], 3);
        assert_eq!(
            (none.low, none.high, none.counts),
            (0.0, 1.0, vec![0, 0, 0])
        );
    }

    #[test]
    fn the_total_of_a_request_is_prompt_and_answer() {
        let statistics = LengthStatistics::of(vec![(10, 5), (20, 1)], 2);
        assert_eq!(
            (statistics.prompt.low, statistics.prompt.high),
            (10.0, 20.0)
        );
        assert_eq!((statistics.output.low, statistics.output.high), (1.0, 5.0));
        assert_eq!((statistics.total.low, statistics.total.high), (15.0, 21.0));
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
