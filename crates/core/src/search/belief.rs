//! What is known of the highest load that meets some criteria: for each load, how likely that load is still within them.
//!
//! Does not know where the knowledge comes from.

use super::answer::Interval;
use super::race::Reach;

/// Points of the grid, evenly spaced in log load.
const POINTS: usize = 401;

/// `S(x) = P(x* >= x)` on a grid of loads.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Belief {
    grid: Grid,
    survival: Vec<f64>,
}

/// Loads at which beliefs are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Grid {
    from: f64,
    step: f64,
}

impl Grid {
    /// From a load to another one.
    pub(super) fn between(low: f64, high: f64) -> Self {
        let (from, to) = (low.ln(), high.max(low * 1.01).ln());
        Self {
            from,
            step: (to - from) / (POINTS - 1) as f64,
        }
    }

    /// The logs of the loads, in ascending order.
    pub(super) fn logs(self) -> impl Iterator<Item = f64> {
        (0..POINTS).map(move |i| self.from + i as f64 * self.step)
    }
}

impl Belief {
    /// From `P(x* >= x)` as a function of log load; made monotone.
    pub(super) fn new(grid: Grid, survival: impl Fn(f64) -> f64) -> Self {
        let mut least = 1.0_f64;
        let survival = grid
            .logs()
            .map(|log| {
                least = least.min(survival(log)).max(0.0);
                least
            })
            .collect();
        Self { grid, survival }
    }

    /// From a weight for each load of the grid, up to a factor.
    pub(super) fn from_weights(grid: Grid, weights: &[f64]) -> Self {
        let sum: f64 = weights.iter().sum();
        let mut left = sum;
        let survival = weights
            .iter()
            .map(|weight| {
                let at_least = (left - weight / 2.0) / sum;
                left -= weight;
                at_least.clamp(0.0, 1.0)
            })
            .collect();
        Self { grid, survival }
    }

    /// The same about loads that are lower by so much, in log load.
    pub(super) fn moved(mut self, down: f64) -> Self {
        self.grid.from -= down;
        self
    }

    /// Of two independent criteria, both.
    pub(super) fn and(mut self, other: &Self) -> Self {
        for (mine, theirs) in self.survival.iter_mut().zip(&other.survival) {
            *mine *= theirs;
        }
        self
    }

    /// The probability that a load is within the criteria.
    pub(super) fn at(&self, load: f64) -> f64 {
        let place = ((load.ln() - self.grid.from) / self.grid.step).clamp(0.0, (POINTS - 1) as f64);
        let (i, part) = (place.floor() as usize, place.fract());
        let next = (i + 1).min(POINTS - 1);
        self.survival[i] * (1.0 - part) + self.survival[next] * part
    }

    /// The load below which the true one lies with probability `p`; an end of the grid where it is beyond.
    pub(super) fn quantile(&self, p: f64) -> f64 {
        let wanted = 1.0 - p;
        let Some(i) = self.survival.iter().position(|&s| s < wanted) else {
            return (self.grid.from + self.grid.step * (POINTS - 1) as f64).exp();
        };
        if i == 0 {
            return self.grid.from.exp();
        }
        let (above, below) = (self.survival[i - 1], self.survival[i]);
        let part = (above - wanted) / (above - below);
        (self.grid.from + self.grid.step * (i as f64 - 1.0 + part)).exp()
    }

    pub(super) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Standard deviation of the log load, from the spread between the 10 % and the 90 % quantile.
    pub(super) fn spread(&self) -> f64 {
        (self.quantile(0.9) / self.quantile(0.1)).ln() / 2.563
    }

    /// Bounds that the true load lies beyond with a probability of `tail` each. None where the grid ends before.
    pub(super) fn reach(&self, tail: f64) -> Reach {
        let begin = self.survival.first().copied().unwrap_or_default();
        let end = self.survival.last().copied().unwrap_or(1.0);
        Reach {
            low: if begin < 1.0 - tail {
                0.0
            } else {
                self.quantile(tail)
            },
            high: (end <= tail).then(|| self.quantile(1.0 - tail)),
        }
    }

    /// Where the true load lies with a probability of 90 %.
    pub(super) fn interval(&self) -> Interval {
        Interval::likely(self.quantile(0.05), self.quantile(0.95))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::normal::normal_cdf;

    fn normal(center: f64, sd: f64) -> Belief {
        Belief::new(Grid::between(10.0, 1000.0), |log| {
            1.0 - normal_cdf((log - center.ln()) / sd)
        })
    }

    #[test]
    fn quantiles_of_a_normal_belief_are_those_of_the_normal_distribution() {
        let belief = normal(100.0, 0.05);
        assert!((belief.median() / 100.0 - 1.0).abs() < 1e-3);
        assert!((belief.spread() / 0.05 - 1.0).abs() < 0.02);
        assert!((belief.interval().low.ln() - (100_f64.ln() - 1.645 * 0.05)).abs() < 2e-3);
        assert!((belief.at(100.0) - 0.5).abs() < 0.02);
    }

    #[test]
    fn a_bound_that_the_grid_does_not_hold_is_none() {
        let reach = normal(100.0, 0.05).reach(0.05);
        assert!((reach.low / 92.1 - 1.0).abs() < 0.01 && reach.high.unwrap() > 108.0);
        assert_eq!(normal(1000.0, 0.05).reach(0.05).high, None);
        assert!(normal(10.0, 0.05).reach(0.05).low <= 0.0);
    }

    #[test]
    fn two_criteria_together_are_met_by_less() {
        let both = normal(100.0, 0.05).and(&normal(100.0, 0.05));
        assert!(both.median() < 98.0);
        let one = normal(100.0, 0.05).and(&normal(500.0, 0.05));
        assert!((one.median() / 100.0 - 1.0).abs() < 1e-3);
    }

    #[test]
    fn weights_and_survival_agree() {
        let grid = Grid::between(10.0, 1000.0);
        let weights: Vec<f64> = grid
            .logs()
            .map(|log| (-0.5 * ((log - 100_f64.ln()) / 0.1).powi(2)).exp())
            .collect();
        let belief = Belief::from_weights(grid, &weights);
        assert!((belief.median() / 100.0 - 1.0).abs() < 2e-3);
        assert!((belief.spread() / 0.1 - 1.0).abs() < 0.02);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn quantiles_ascend_and_stay_on_the_grid(center in 5.0..2000.0_f64, sd in 0.001..2.0_f64) {
            let belief = normal(center, sd);
            let mut last = 10.0 - 1e-9;
            for p in [0.01, 0.05, 0.1, 0.5, 0.9, 0.95, 0.99] {
                let load = belief.quantile(p);
                prop_assert!(load >= last - 1e-9 && load <= 1000.0 + 1e-6);
                last = load;
            }
        }
    }
}
