//! Several runs of the same load: how much each figure differs from run to run.
//!
//! Knows runs by their figures only; what a figure is called in a file is for the one who writes it.

use super::{Figures, Quantity};
use crate::stats::two_sided_t;

/// One number of [`Figures`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// [`Figures::completed`].
    Completed,
    /// [`Figures::failed`].
    Failed,
    /// [`Figures::duration_s`].
    Duration,
    /// [`Figures::input_tokens`].
    InputTokens,
    /// [`Figures::output_tokens`].
    OutputTokens,
    /// [`Figures::input_sequences`].
    InputSequences,
    /// [`Figures::request_throughput`].
    RequestThroughput,
    /// [`Figures::goodput`].
    Goodput,
    /// [`Figures::sequence_throughput`].
    SequenceThroughput,
    /// [`Figures::output_throughput`].
    OutputThroughput,
    /// [`Figures::token_throughput`].
    TokenThroughput,
    /// [`Figures::peak_output_per_s`].
    PeakOutput,
    /// [`Figures::peak_concurrency`].
    PeakConcurrency,
    /// [`Figures::speech_rate`].
    SpeechRate,
    /// Mean of a quantity in milliseconds.
    Mean(Quantity),
    /// Median of a quantity in milliseconds.
    Median(Quantity),
    /// Standard deviation of a quantity in milliseconds.
    Deviation(Quantity),
    /// A percentile (0 to 100) of a quantity in milliseconds.
    Percentile(Quantity, f64),
}

impl Figures {
    /// Every figure with its value, goodput only where limits were given.
    pub fn all(&self) -> Vec<(Figure, f64)> {
        let mut all = vec![
            (Figure::Completed, self.completed as f64),
            (Figure::Failed, self.failed as f64),
            (Figure::Duration, self.duration_s),
            (Figure::InputTokens, self.input_tokens as f64),
            (Figure::OutputTokens, self.output_tokens as f64),
            (Figure::InputSequences, self.input_sequences as f64),
            (Figure::RequestThroughput, self.request_throughput),
            (Figure::SequenceThroughput, self.sequence_throughput),
            (Figure::OutputThroughput, self.output_throughput),
            (Figure::TokenThroughput, self.token_throughput),
            (Figure::PeakOutput, self.peak_output_per_s),
            (Figure::PeakConcurrency, self.peak_concurrency as f64),
            (Figure::SpeechRate, self.speech_rate),
        ];
        all.extend(self.goodput.map(|goodput| (Figure::Goodput, goodput)));
        for quantity in Quantity::ALL {
            let spread = self.spread(quantity);
            all.extend([
                (Figure::Mean(quantity), spread.mean_ms),
                (Figure::Median(quantity), spread.median_ms),
                (Figure::Deviation(quantity), spread.deviation_ms),
            ]);
            all.extend(
                spread
                    .percentiles_ms
                    .iter()
                    .map(|&(percent, value)| (Figure::Percentile(quantity, percent), value)),
            );
        }
        all
    }
}

/// How a figure differs from run to run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Across {
    /// Runs that have the figure.
    pub runs: usize,
    /// Their sum divided by their number.
    pub mean: f64,
    /// Standard deviation that the runs let one expect of further runs (divided by n - 1); `None` for a single run.
    pub deviation: Option<f64>,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Coefficient of variation: the deviation divided by the mean's magnitude; `None` for a single run or a mean of 0.
    pub cv: Option<f64>,
}

impl Across {
    /// `None` without values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let runs = values.len();
        let min = values.iter().copied().min_by(f64::total_cmp)?;
        let max = values.iter().copied().max_by(f64::total_cmp)?;
        let mean = values.iter().sum::<f64>() / runs as f64;
        let squares: f64 = values
            .iter()
            .map(|value| (value - mean) * (value - mean))
            .sum();
        let deviation = (runs > 1).then(|| (squares / (runs - 1) as f64).sqrt());
        Some(Self {
            runs,
            mean,
            deviation,
            min,
            max,
            cv: deviation
                .filter(|_| mean.abs() > 0.0)
                .map(|deviation| deviation / mean.abs()),
        })
    }

    /// Where the mean of all further runs lies with probability `level`: mean ∓ t · deviation / √runs, with `t` of Student's
    /// distribution of `runs - 1` degrees of freedom. `None` for a single run, which says nothing of it.
    pub fn interval(&self, level: f64) -> Option<[f64; 2]> {
        let degrees = u32::try_from(self.runs).ok()?.checked_sub(1)?;
        let half = two_sided_t(level, degrees) * self.deviation? / (self.runs as f64).sqrt();
        Some([self.mean - half, self.mean + half])
    }
}

/// Each figure of the runs, in the order of [`Figures::all`].
pub fn across_runs(runs: &[Figures]) -> Vec<(Figure, Across)> {
    let all: Vec<Vec<(Figure, f64)>> = runs.iter().map(Figures::all).collect();
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let value_in = |run: &Vec<(Figure, f64)>, wanted: Figure| {
        run.iter()
            .find(|(figure, _)| *figure == wanted)
            .map(|(_, value)| *value)
    };
    first
        .iter()
        .filter_map(|&(figure, _)| {
            let values: Vec<f64> = all.iter().filter_map(|run| value_in(run, figure)).collect();
            Some((figure, Across::of(&values)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Basis, Counting, Limits, Row};
    use super::*;

    fn run(latencies_s: &[f64], duration_s: f64) -> Figures {
        let rows: Vec<_> = latencies_s
            .iter()
            .map(|&latency_s| Row {
                latency_s,
                ttft_s: latency_s,
                output_tokens: 1,
                succeeded: true,
                ..Row::default()
            })
            .collect();
        Figures::of(
            &rows,
            &Basis {
                duration_s,
                counting: Counting::Tokens,
                percentiles: vec![50.0, 99.0],
                limits: Limits::default(),
            },
        )
    }

    #[test]
    fn three_values_have_the_figures_of_the_formulas() {
        let across = Across::of(&[4.0, 1.0, 7.0]).unwrap();
        // Squares of 0, -3 and 3 sum to 18; 18 / 2 = 9.
        assert_eq!((across.runs, across.deviation), (3, Some(3.0)));
        assert_eq!((across.min, across.mean, across.max), (1.0, 4.0, 7.0));
        assert_eq!(across.cv, Some(0.75));
    }

    #[test]
    fn a_single_run_says_nothing_of_variation_and_no_run_says_nothing() {
        let across = Across::of(&[5.0]).unwrap();
        assert_eq!((across.deviation, across.cv), (None, None));
        assert_eq!(Across::of(&[]), None);
        assert_eq!(Across::of(&[0.0, 0.0]).unwrap().cv, None);
        assert!(across_runs(&[]).is_empty());
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_student() {
        let [low, high] = Across::of(&[4.0, 1.0, 7.0])
            .unwrap()
            .interval(0.95)
            .unwrap();
        // 4.30265 · 3 / √3.
        assert!((low - (4.0 - 7.4524)).abs() < 1e-3 && (high - (4.0 + 7.4524)).abs() < 1e-3);
        assert_eq!(Across::of(&[4.0]).unwrap().interval(0.95), None);
        assert_eq!(
            Across::of(&[4.0; 3]).unwrap().interval(0.95),
            Some([4.0, 4.0])
        );
    }

    #[test]
    fn each_figure_of_the_runs_is_compared_with_itself() {
        let runs = [run(&[0.1, 0.3], 2.0), run(&[0.2, 0.6], 4.0)];
        let across = across_runs(&runs);
        assert_eq!(across.len(), runs[0].all().len());
        let find = |wanted| {
            let found = across.iter().find(|(figure, _)| *figure == wanted);
            found.unwrap().1
        };
        let near = |found: f64, expected: f64| {
            assert!(
                (found - expected).abs() < 1e-9,
                "{found} and not {expected}"
            );
        };
        near(find(Figure::RequestThroughput).mean, 0.75);
        near(find(Figure::Mean(Quantity::Latency)).mean, 300.0);
        near(find(Figure::Mean(Quantity::Latency)).min, 200.0);
        near(find(Figure::Mean(Quantity::Latency)).max, 400.0);
        near(find(Figure::Percentile(Quantity::Latency, 99.0)).min, 298.0);
    }
}
