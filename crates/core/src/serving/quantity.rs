//! What the spreads of a serving run are spreads of.
//!
//! The enum is the registry: a new quantity is a variant here and its value of a row.

use super::spread::Alike;
use super::{Counting, Row, Spread};

/// A time of which a run has many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// Time to first token.
    Ttft,
    /// Time per output token after the first, of answers with two tokens or more.
    Tpot,
    /// Time between tokens, or between events; all requests' together.
    Itl,
    /// From a request's start to its last token.
    Latency,
    /// Wait for the limit on requests in flight.
    Queue,
    /// Latency and the wait before it.
    LatencyWithQueue,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Ttft,
        Self::Tpot,
        Self::Itl,
        Self::Latency,
        Self::Queue,
        Self::LatencyWithQueue,
    ];

    /// How the values of a run's successes are spread.
    ///
    /// Counted by tokens, `Itl` is the span between tokens, an answer in a single event has no `Tpot` (its span is zero
    /// whatever the server did), and `LatencyWithQueue` starts when the request was due. Counted by events, `Itl` is the
    /// span between events, every answer with two tokens has a `Tpot`, and `LatencyWithQueue` is the sum of `Latency`
    /// and `Queue`.
    pub fn spread<'a>(
        self,
        rows: impl IntoIterator<Item = &'a Row>,
        counting: Counting,
        percentiles: &[f64],
    ) -> Spread {
        let successes = rows.into_iter().filter(|row| row.succeeded);
        let values = match self {
            Self::Itl => successes.flat_map(|row| row.gaps(counting)).collect(),
            _ => successes
                .filter_map(|row| self.of_row(row, counting).map(Alike::once))
                .collect(),
        };
        Spread::of(values, percentiles)
    }

    fn of_row(self, row: &Row, counting: Counting) -> Option<f64> {
        match self {
            Self::Ttft => Some(row.ttft_s),
            Self::Tpot if counting == Counting::Tokens && row.itls_s.is_empty() => None,
            Self::Tpot => row.tpot_s(),
            Self::Itl => None,
            Self::Latency => Some(row.latency_s),
            Self::Queue => Some(row.queue_s),
            Self::LatencyWithQueue => Some(match counting {
                Counting::Tokens => row.served_s() - row.due_s,
                Counting::Events => row.latency_s + row.queue_s,
            }),
        }
    }
}
