//! How the workers' clocks lie to that of the coordinator: asked many times, of which the quickest answer is believed.
//!
//! What the other clock shows was read somewhere between question and answer; in the middle, it is assumed, and the mistake is
//! half the round trip at most, however unequal the two ways are.

use crestline_core::health::ClockFit;
use crestline_core::units::Nanos;
use crestline_load::clock::monotonic;

use super::listener::Word;
use super::{Fleet, FleetError, LOOK_EVERY, Node};
use crate::distributed::wire::Order;

/// Questions to each worker.
const ROUNDS: u64 = 24;
/// Questions to each worker that are asked in any case.
const LEAST_ROUNDS: u64 = 5;
/// No more are asked after this time.
const PATIENCE: Nanos = Nanos::from_secs(2);

/// However slow a link is, an order takes no longer than this by far.
const LONGEST_LEAD: Nanos = Nanos::from_secs(1);

/// A question and its answer.
#[derive(Debug, Clone, Copy)]
struct Pong {
    /// When it was asked, on one's own clock.
    sent: Nanos,
    /// When the answer came.
    came: Nanos,
    /// What the other clock showed.
    at: Nanos,
}

impl Pong {
    fn round_trip(&self) -> Nanos {
        self.came.saturating_sub(self.sent)
    }

    fn fit(&self) -> ClockFit {
        let middle = self.sent.0 + self.round_trip().0 / 2;
        ClockFit {
            offset_ns: self.at.0.wrapping_sub(middle).cast_signed(),
            bound: Nanos(self.round_trip().0.div_ceil(2)),
            drift_ns: 0,
        }
    }
}

/// The round trip that three of four answers keep to: a single late one says nothing of the next order.
fn usual_round_trip(pongs: &[Pong]) -> Nanos {
    let mut trips: Vec<Nanos> = pongs.iter().map(Pong::round_trip).collect();
    trips.sort_unstable();
    let place = (trips.len() * 3 / 4).min(trips.len().saturating_sub(1));
    trips.get(place).copied().unwrap_or_default()
}

/// By the quickest answer.
fn fit(pongs: &[Pong]) -> Option<ClockFit> {
    pongs
        .iter()
        .min_by_key(|pong| pong.round_trip())
        .map(Pong::fit)
}

impl Fleet {
    /// Compares the clocks before a load.
    pub(super) fn fit_clocks(&mut self) -> Result<(), FleetError> {
        let fits = self.ask_clocks();
        for (number, fit) in fits.into_iter().enumerate() {
            let Some(fit) = fit else {
                let gone = self.nodes[number].gone.clone();
                let why = gone.unwrap_or_else(|| "it does not say what its clock shows".to_owned());
                return Err(self.about(number, why));
            };
            self.nodes[number].clock = fit;
        }
        Ok(())
    }

    /// Compares them again, after a load.
    pub(super) fn see_drift(&mut self) {
        let fits = self.ask_clocks();
        for (node, fit) in self.nodes.iter_mut().zip(fits) {
            if let Some(fit) = fit {
                node.clock.drift_ns = fit.offset_ns.wrapping_sub(node.clock.offset_ns);
            }
        }
    }

    /// What is known of the clocks, for the user.
    pub(super) fn clocks_in_words(&self) -> String {
        let clock = |node: &Node| {
            let offset = node.clock.offset_ns as f64 / 1e9;
            let bound = node.clock.bound.as_millis_f64();
            format!("{} {offset:+.6} s, known to {bound:.3} ms", node.name)
        };
        let clocks: Vec<String> = self.nodes.iter().map(clock).collect();
        format!("clocks beside this machine's: {}", clocks.join("; "))
    }

    /// What the run's clock shows more than that of a worker's machine, in ns.
    pub(super) fn shift_of(&self, number: usize) -> i64 {
        let epoch = self.clock.epoch().0.wrapping_sub(self.from.0).cast_signed();
        epoch
            .wrapping_add(self.nodes[number].clock.offset_ns)
            .wrapping_neg()
    }

    /// From an order to the moment at which all workers have it.
    pub(super) fn lead(&self) -> Nanos {
        let ways = self.round_trip * 3;
        Nanos::from_millis(5).saturating_add(ways.min(LONGEST_LEAD))
    }

    fn ask_clocks(&mut self) -> Vec<Option<ClockFit>> {
        let mut pongs: Vec<Vec<Pong>> = vec![Vec::new(); self.nodes.len()];
        let began = self.clock.now();
        for round in 0..ROUNDS {
            let is_late = self.clock.now().saturating_sub(began) >= PATIENCE;
            if is_late && round >= LEAST_ROUNDS {
                break;
            }
            self.ask_round(round, &mut pongs);
        }
        let usual = |pongs: &Vec<Pong>| usual_round_trip(pongs);
        self.round_trip = pongs.iter().map(usual).max().unwrap_or_default();
        pongs.iter().map(|pongs| fit(pongs)).collect()
    }

    /// One question to each worker that is there.
    fn ask_round(&mut self, round: u64, pongs: &mut [Vec<Pong>]) {
        let mut asked: Vec<Option<Nanos>> = vec![None; self.nodes.len()];
        for (number, asked) in asked.iter_mut().enumerate() {
            if self.nodes[number].gone.is_none() {
                *asked = Some(monotonic());
                self.tell(number, &Order::Ping { number: round });
            }
        }
        while asked.iter().any(Option::is_some) {
            match self.next(LOOK_EVERY) {
                Some((node, Word::Pong { number, at, came })) if number == round => {
                    let sent = asked[node].take();
                    pongs[node].extend(sent.map(|sent| Pong { sent, came, at }));
                }
                Some((node, Word::Gone(_))) => asked[node] = None,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A question over ways of such lengths to a clock that shows so much more.
    fn pong(sent: u64, there: u64, back: u64, offset: u64) -> Pong {
        Pong {
            sent: Nanos(sent),
            came: Nanos(sent + there + back),
            at: Nanos(sent + there + offset),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_offset_is_found_within_its_bound(
            offset in 0..1_u64 << 40,
            ways in proptest::collection::vec((0..50_000_000_u64, 0..50_000_000_u64), 1..30),
        ) {
            let pongs: Vec<_> = ways.iter().zip(1..).map(|(&(there, back), k)| pong(k * 1_000_000_007, there, back, offset)).collect();
            let fit = fit(&pongs).unwrap();
            let quickest = ways.iter().map(|(there, back)| there + back).min().unwrap();
            prop_assert_eq!(fit.bound.0, quickest.div_ceil(2));
            prop_assert!(fit.offset_ns.abs_diff(offset.cast_signed()) <= fit.bound.0 + 1, "{:?}", fit);
        }
    }

    #[test]
    fn one_late_answer_does_not_make_a_link_slow() {
        let pongs: Vec<_> = (0..8).map(|k| pong(k, 100, 100 + k, 0)).collect();
        assert_eq!(usual_round_trip(&pongs), Nanos(206));
        let late = [pongs, vec![pong(9, 1, 2_000_000_000, 0)]].concat();
        assert_eq!(usual_round_trip(&late), Nanos(206));
        assert_eq!(usual_round_trip(&[]), Nanos::ZERO);
    }

    #[test]
    fn a_clock_that_was_started_later_has_a_negative_offset() {
        let pong = Pong {
            sent: Nanos::from_secs(900),
            came: Nanos::from_secs(900) + Nanos(200),
            at: Nanos::from_secs(30),
        };
        assert_eq!(pong.fit().offset_ns, -870_000_000_100);
        assert_eq!(fit(&[]), None);
    }
}
