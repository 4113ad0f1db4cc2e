//! How long an iteration takes: the cost formula, noise, stalls, drift and cold start.
//!
//! Does not know what is in a batch beyond three counts.

use crestline_core::units::Nanos;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp, LogNormal};

use crate::profile::{ColdStart, Drift, Iteration, Profile};

/// What an iteration computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Batch {
    /// Prompt tokens computed.
    pub(super) prefill_tokens: u64,
    /// Sequences that take a decode step.
    pub(super) decoding: u64,
    /// Tokens in the caches of those sequences.
    pub(super) kv_tokens: u64,
    /// Sequences that compute anything.
    pub(super) sequences: u64,
}

/// Draws the time of each iteration in turn.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    cost: Iteration,
    noise: Option<LogNormal<f64>>,
    noise_rng: ChaCha8Rng,
    stalls: Option<Stalls>,
    drift: Option<Drift>,
    cold_start: Option<ColdStart>,
    first_start: Option<Nanos>,
    start: Nanos,
    factor: f64,
}

#[derive(Debug, Clone)]
struct Stalls {
    gap: Exp<f64>,
    rng: ChaCha8Rng,
    duration: Nanos,
    next: Nanos,
}

impl Pace {
    pub(super) fn new(profile: &Profile, seed: u64) -> Self {
        let sigma = profile.iteration.noise;
        let noise = (sigma > 0.0).then(|| {
            LogNormal::new(-sigma * sigma / 2.0, sigma)
                .expect("a checked profile's noise is finite")
        });
        Self {
            cost: profile.iteration.clone(),
            noise,
            noise_rng: stream(seed, 1),
            stalls: profile.stalls.as_ref().map(|stalls| {
                let gap =
                    Exp::new(1.0 / stalls.every_s).expect("a checked profile's gap is positive");
                Stalls::new(
                    gap,
                    Nanos::from_secs_f64(stalls.duration_s),
                    stream(seed, 2),
                )
            }),
            drift: profile.drift.clone(),
            cold_start: profile.cold_start.clone(),
            first_start: None,
            start: Nanos::ZERO,
            factor: 1.0,
        }
    }

    /// Draws what is random about the iteration that begins now.
    pub(super) fn begin(&mut self, start: Nanos) {
        let first = *self.first_start.get_or_insert(start);
        self.start = start;
        self.factor = match &self.noise {
            Some(noise) => noise.sample(&mut self.noise_rng),
            None => 1.0,
        };
        if let Some(drift) = &self.drift {
            let turn = std::f64::consts::TAU * start.as_secs_f64() / drift.period_s;
            self.factor *= 1.0 + drift.amplitude * turn.sin();
        }
        if let Some(cold) = &self.cold_start {
            let left = 1.0 - start.saturating_sub(first).as_secs_f64() / cold.duration_s;
            self.factor *= 1.0 + (cold.slowdown - 1.0) * left.max(0.0);
        }
        if let Some(stalls) = &mut self.stalls {
            stalls.skip_to(start);
        }
    }

    /// Time of the iteration that has begun, with this in it. May be asked again when the batch has grown.
    pub(super) fn duration(&self, batch: Batch) -> Nanos {
        // One sequence alone is no faster for other batches that could be under way.
        let side_by_side = u64::from(self.cost.parallel_batches).min(batch.sequences);
        let share = 1.0 / side_by_side.max(1) as f64;
        let decoding = batch.decoding as f64 * share;
        let nanos = self.cost.base_ms * 1e6
            + self.cost.prefill_us_per_token * 1e3 * batch.prefill_tokens as f64 * share
            + self.cost.decode_us_per_sequence * 1e3 * decoding
            + self.cost.kv_ns_per_token * batch.kv_tokens as f64 * share
            + self.cost.decode_ns_per_sequence_squared * decoding * decoding;
        let span = Nanos((nanos * self.factor).round() as u64);
        match &self.stalls {
            Some(stalls) if stalls.next < self.start + span => span + stalls.duration,
            _ => span,
        }
    }
}

impl Stalls {
    fn new(gap: Exp<f64>, duration: Nanos, rng: ChaCha8Rng) -> Self {
        let mut stalls = Self {
            gap,
            rng,
            duration,
            next: Nanos::ZERO,
        };
        stalls.advance();
        stalls
    }

    /// A stall that fell into the past met an idle engine, or has been counted.
    fn skip_to(&mut self, start: Nanos) {
        while self.next < start {
            self.advance();
        }
    }

    fn advance(&mut self) {
        self.next += Nanos::from_secs_f64(self.gap.sample(&mut self.rng)) + Nanos(1);
    }
}

/// Random numbers of one purpose, independent of those of the others.
pub(super) fn stream(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose);
    rng
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile;

    fn profile() -> Profile {
        Profile {
            iteration: Iteration {
                base_ms: 2.0,
                prefill_us_per_token: 10.0,
                decode_us_per_sequence: 100.0,
                kv_ns_per_token: 5.0,
                decode_ns_per_sequence_squared: 3.0,
                parallel_batches: 1,
                noise: 0.0,
            },
            ..Profile::default()
        }
    }

    const BATCH: Batch = Batch {
        prefill_tokens: 1000,
        decoding: 20,
        kv_tokens: 40_000,
        sequences: 21,
    };

    #[test]
    fn the_cost_is_the_sum_of_its_five_parts() {
        let mut pace = Pace::new(&profile(), 0);
        pace.begin(Nanos::ZERO);
        assert_eq!(
            pace.duration(BATCH),
            Nanos(2_000_000 + 10_000_000 + 2_000_000 + 200_000 + 1200)
        );
        assert_eq!(pace.duration(Batch::default()), Nanos::from_millis(2));
    }

    #[test]
    fn batches_side_by_side_share_all_but_the_base_and_a_sequence_alone_shares_nothing() {
        let mut wide = profile();
        wide.iteration.parallel_batches = 4;
        let mut pace = Pace::new(&wide, 0);
        pace.begin(Nanos::ZERO);
        assert_eq!(
            pace.duration(BATCH),
            Nanos(2_000_000 + 2_500_000 + 500_000 + 50_000 + 75)
        );
        let alone = Batch {
            prefill_tokens: 1000,
            sequences: 1,
            ..Batch::default()
        };
        assert_eq!(pace.duration(alone), Nanos::from_millis(12));
        let pair = Batch {
            prefill_tokens: 1000,
            sequences: 2,
            ..Batch::default()
        };
        assert_eq!(pace.duration(pair), Nanos::from_millis(7));
    }

    #[test]
    fn noise_has_mean_one_and_the_given_spread() {
        let mut noisy = profile();
        noisy.iteration.noise = 0.3;
        let mut pace = Pace::new(&noisy, 5);
        let factors: Vec<f64> = (0..20_000)
            .map(|_| {
                pace.begin(Nanos::ZERO);
                pace.duration(Batch::default()).as_millis_f64() / 2.0
            })
            .collect();
        let count = factors.len() as f64;
        let mean = factors.iter().sum::<f64>() / count;
        let logs: Vec<f64> = factors.iter().map(|factor| factor.ln()).collect();
        let log_mean = logs.iter().sum::<f64>() / count;
        let sd = (logs.iter().map(|log| (log - log_mean).powi(2)).sum::<f64>() / count).sqrt();
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert!((sd - 0.3).abs() < 0.01, "{sd}");
    }

    #[test]
    fn stalls_come_as_often_as_asked_and_hit_one_iteration_each() {
        let mut stalling = profile();
        stalling.stalls = Some(profile::Stalls {
            every_s: 10.0,
            duration_s: 0.5,
        });
        let mut pace = Pace::new(&stalling, 1);
        let (mut now, mut hits) = (Nanos::ZERO, 0);
        while now < Nanos::from_secs(20_000) {
            pace.begin(now);
            let span = pace.duration(Batch::default());
            hits += u32::from(span > Nanos::from_millis(400));
            now += span;
        }
        assert!((1800..2200).contains(&hits), "{hits}");
    }

    #[test]
    fn drift_is_a_wave_and_a_cold_start_ends() {
        let mut drifting = profile();
        drifting.drift = Some(Drift {
            amplitude: 0.5,
            period_s: 40.0,
        });
        let mut pace = Pace::new(&drifting, 0);
        let mut at = |secs| {
            pace.begin(Nanos::from_secs(secs));
            pace.duration(Batch::default())
        };
        assert_eq!(
            [at(10), at(30)],
            [Nanos::from_millis(3), Nanos::from_millis(1)]
        );
        let mut cold = profile();
        cold.cold_start = Some(ColdStart {
            duration_s: 10.0,
            slowdown: 5.0,
        });
        let mut pace = Pace::new(&cold, 0);
        let mut at = |secs| {
            pace.begin(Nanos::from_secs(secs));
            pace.duration(Batch::default())
        };
        assert_eq!(
            [at(100), at(105), at(110), at(200)],
            [10, 6, 2, 2].map(Nanos::from_millis)
        );
    }
}
