//! What is said of a difference once its interval is known.
//!
//! Computes no interval.

/// Which way a figure gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Times.
    LowerIsBetter,
    /// Throughputs, shares of successes.
    HigherIsBetter,
}

/// What is to be said of B against A.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// B is better: the interval is on that side of zero.
    Better,
    /// B is worse.
    Worse,
    /// It cannot be told which is better, and the difference is within this share either way, which is not more than the
    /// threshold.
    NoLarger(f64),
    /// The interval holds zero and also differences that would matter.
    Undecided(Need),
}

/// What would decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// About so many requests more on each side.
    Requests(u64),
    /// Three runs or more on each side: the runs have no parts to compare.
    Repeats,
    /// Values above zero.
    Values,
}

impl Verdict {
    /// Of a change, its interval, and requests of both sides.
    pub(super) fn of(
        change: f64,
        (low, high): (f64, f64),
        direction: Direction,
        threshold: f64,
        requests: [u64; 2],
    ) -> Self {
        if low > 0.0 || high < 0.0 {
            let is_better = (high < 0.0) == (direction == Direction::LowerIsBetter);
            return if is_better { Self::Better } else { Self::Worse };
        }
        let most = high.max(-low);
        if most <= threshold {
            return Self::NoLarger(most);
        }
        // Narrow enough either to leave out zero or to stay within the threshold, whichever is nearer.
        let goal = change.abs().max(threshold - change.abs());
        let reach = (high - low) / 2.0;
        let times = (reach / goal).powi(2);
        let sent = requests[0].max(requests[1]) as f64;
        Self::Undecided(Need::Requests(two_digits(sent * (times - 1.0))))
    }
}

/// Rounded up to two digits: it is an estimate.
fn two_digits(count: f64) -> u64 {
    let count = count.max(1.0).ceil();
    let unit = 10.0_f64.powf((count.log10().floor() - 1.0).max(0.0));
    ((count / unit).ceil() * unit) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(change: f64, interval: (f64, f64)) -> Verdict {
        Verdict::of(
            change,
            interval,
            Direction::LowerIsBetter,
            0.05,
            [1000, 500],
        )
    }

    #[test]
    fn a_verdict_follows_from_the_interval() {
        assert_eq!(of(-0.02, (-0.03, -0.01)), Verdict::Better);
        assert_eq!(of(0.02, (0.01, 0.03)), Verdict::Worse);
        assert_eq!(of(0.01, (-0.02, 0.04)), Verdict::NoLarger(0.04));
        let higher = Verdict::of(0.02, (0.01, 0.03), Direction::HigherIsBetter, 0.05, [1, 1]);
        assert_eq!(higher, Verdict::Better);
    }

    #[test]
    fn what_is_not_decided_says_how_many_requests_it_takes() {
        // Twice as wide as it may be: four times the requests, three times more than there are.
        let found = of(0.0, (-0.1, 0.1));
        assert_eq!(found, Verdict::Undecided(Need::Requests(3000)));
        // A change of 8 % is seen once the interval leaves zero out.
        let found = of(0.08, (-0.08, 0.24));
        assert_eq!(found, Verdict::Undecided(Need::Requests(3000)));
    }

    #[test]
    fn estimates_have_two_digits() {
        for (count, expected) in [(0.2, 1), (7.1, 8), (99.5, 100), (1234.0, 1300)] {
            assert_eq!(two_digits(count), expected);
        }
    }
}
