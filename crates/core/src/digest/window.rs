//! Which time a digest is of, and how it is divided.
//!
//! Knows no requests.

use crate::units::Nanos;

/// Parts of a window at most.
const MOST_BINS: u64 = 240;
/// And for a run of few requests.
const FEW_BINS: u64 = 24;
/// Requests that a part should have, where there may be less than [`MOST_BINS`].
const REQUESTS: u64 = 5;

/// Widths of parts from ten seconds on, in seconds; below that they are 1, 2 and 5 times a power of ten.
const WIDTHS_S: [u64; 15] = [
    10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
];

/// A span of time in equal parts of a round width. The last one may be up to half a width longer or shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from: Nanos,
    to: Nanos,
    width: Nanos,
}

impl Window {
    /// From the first request sent to the last one ended, for a run of so many requests: about 100 to 240 parts, fewer where
    /// each would have less than five requests, but about 10 to 24.
    pub fn of(first_sent: Nanos, last_end: Nanos, requests: u64) -> Self {
        let to = last_end.max(first_sent);
        let most = (requests / REQUESTS).clamp(FEW_BINS, MOST_BINS);
        let width = round_width(to.saturating_sub(first_sent).0.div_ceil(most));
        Self {
            from: first_sent,
            to,
            width: Nanos(width),
        }
    }

    /// When it begins.
    pub fn from(&self) -> Nanos {
        self.from
    }

    /// When it ends.
    pub fn to(&self) -> Nanos {
        self.to
    }

    /// How long each part is, but the last.
    pub fn width(&self) -> Nanos {
        self.width
    }

    /// Number of parts, at least 1.
    pub fn bins(&self) -> usize {
        let (span, width) = (self.to.saturating_sub(self.from).0, self.width.0);
        let whole = span / width + u64::from(span % width > width / 2);
        usize::try_from(whole.max(1)).unwrap_or(usize::MAX)
    }

    /// The part that a moment lies in; the first or the last for moments outside.
    pub fn bin(&self, at: Nanos) -> usize {
        let place = at.saturating_sub(self.from).0 / self.width.0;
        usize::try_from(place).map_or(usize::MAX, |place| place.min(self.bins() - 1))
    }

    /// When a part begins and ends.
    pub fn span(&self, bin: usize) -> [Nanos; 2] {
        let start = |bin: usize| self.from.saturating_add(Nanos(self.width.0 * bin as u64));
        let end = if bin + 1 < self.bins() {
            start(bin + 1)
        } else {
            self.to
        };
        [start(bin), end]
    }
}

/// The smallest round width that is not below this one, in nanoseconds; at least a microsecond.
fn round_width(least: u64) -> u64 {
    let small = (3..10_u32).flat_map(|power| [1, 2, 5].map(|factor| factor * 10_u64.pow(power)));
    let large = WIDTHS_S.iter().map(|&width| Nanos::from_secs(width).0);
    let found = small.chain(large).find(|&width| width >= least);
    let day = Nanos::from_secs(86400).0;
    found.unwrap_or_else(|| least.div_ceil(day).saturating_mul(day))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn of_seconds(seconds: f64, requests: u64) -> (String, usize) {
        let first = Nanos::from_secs(7);
        let window = Window::of(first, first + Nanos::from_secs_f64(seconds), requests);
        (window.width().to_string(), window.bins())
    }

    #[test]
    fn parts_have_a_round_width() {
        assert_eq!(of_seconds(60.0, 10_000), ("500ms".to_owned(), 120));
        assert_eq!(of_seconds(3600.0, 1_000_000), ("15s".to_owned(), 240));
        assert_eq!(of_seconds(400.0, 1_000_000), ("2s".to_owned(), 200));
        // A few requests have a few parts, of which the last is longer.
        assert_eq!(of_seconds(2.44, 60), ("200ms".to_owned(), 12));
        assert_eq!(of_seconds(0.0, 1), ("1µs".to_owned(), 1));
    }

    #[test]
    fn moments_outside_are_in_the_parts_at_the_ends() {
        let window = Window::of(Nanos::from_secs(10), Nanos::from_secs(70), 10_000);
        let bins = [0, 10, 11, 69, 70, 99].map(|at| window.bin(Nanos::from_secs(at)));
        assert_eq!(bins, [0, 0, 2, 118, 119, 119]);
        assert_eq!(
            window.span(119),
            [Nanos::from_millis(69_500), Nanos::from_secs(70)]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_moment_lies_in_the_span_of_its_part(
            first in 0..u64::MAX / 2, long in any::<u64>(), at in any::<u64>(), requests in any::<u64>(),
        ) {
            let first = Nanos(first);
            let last = first.saturating_add(Nanos(long / 3));
            let window = Window::of(first, last, requests);
            prop_assert!(window.bins() <= 240);
            let at = Nanos(first.0 + at % (last.0 - first.0 + 1));
            let [from, to] = window.span(window.bin(at));
            prop_assert!(from <= at && at <= to, "{at:?} is not in {from:?} to {to:?}");
            prop_assert_eq!(window.span(window.bins() - 1)[1], last);
        }
    }
}
