//! How fast the service is, and was: what requests that have not ended are judged by.

use super::{Dwell, Ending, Evidence};

/// Latencies whose ratio is beyond this are those of loads that have nothing in common.
const OTHER_PACE: f64 = 2.0;
/// Requests of a dwell that show how fast the service was in it.
const OWN_PACE_REQUESTS: usize = 3;
/// How fast the service is at present.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::search) struct Pace {
    /// Mean latency in seconds.
    pub(in crate::search) latency: f64,
    /// Mean time per output token in seconds.
    pub(in crate::search) tpot: f64,
    /// Mean output length.
    pub(in crate::search) tokens: f64,
}

impl Dwell {
    /// How fast its own requests were; `None` where too few of them have ended well.
    fn pace(&self) -> Option<Pace> {
        let ended = self
            .requests
            .values()
            .filter_map(|seen| match &seen.ending {
                Ending::Success(facts) => Some((facts, f64::from(seen.tokens))),
                _ => None,
            });
        let (mut latencies, mut tokens, mut tpots) = (Vec::new(), Vec::new(), Vec::new());
        for (facts, count) in ended {
            latencies.push(facts.latency);
            tokens.push(count);
            tpots.extend(facts.tpot);
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        (latencies.len() >= OWN_PACE_REQUESTS).then(|| Pace {
            latency: mean(&latencies),
            tpot: mean(&tpots),
            tokens: mean(&tokens),
        })
    }
}

impl Evidence {
    /// How fast the service is; `None` before any request has ended well.
    pub(in crate::search) fn pace(&self) -> Option<Pace> {
        let mean = |values: &mut dyn Iterator<Item = f64>| {
            let (sum, n) = values.fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
            (n > 0).then(|| sum / f64::from(n))
        };
        Some(Pace {
            latency: mean(&mut self.recent.iter().map(|(_, _, r)| r.latency))?,
            tpot: mean(&mut self.recent.iter().filter_map(|(_, _, r)| r.tpot)).unwrap_or(0.0),
            tokens: mean(&mut self.recent.iter().map(|(_, _, r)| f64::from(r.tokens)))?,
        })
    }

    /// By which the requests of a dwell are judged: the present pace, unless the service is far from how it was then.
    pub(super) fn pace_of(&self, dwell: &Dwell) -> Option<Pace> {
        let present = self.pace()?;
        let is_alike = |then: &Pace| {
            let ratio = present.latency / then.latency;
            (1.0 / OTHER_PACE..=OTHER_PACE).contains(&ratio)
        };
        let then = dwell.pace().filter(|then| !is_alike(then));
        Some(then.unwrap_or(present))
    }
}
