//! Random numbers of the arrival processes.
//!
//! Of these only [`Draws::unit`] is exact by construction; the others use `libm` instead of the system's functions,
//! which differ in the last bit from machine to machine.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws that follow from a seed.
#[derive(Debug, Clone)]
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    /// `stream` separates these draws from those that others make with the same seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// A number in (0, 1], on a grid of 2^-53: its logarithm is finite.
    pub(super) fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Exponential with mean 1, by the inverse of the distribution function.
    fn exponential(&mut self) -> f64 {
        -libm::log(self.unit())
    }

    /// Standard normal, by Marsaglia's polar method (SIAM Review 6, 1964) without its second value.
    fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * (-2.0 * libm::log(square) / square).sqrt();
            }
        }
    }

    /// Gamma with this shape (finite, above 0) and mean 1.
    ///
    /// Marsaglia and Tsang, "A simple method for generating gamma variables" (ACM TOMS 26, 2000); below a shape of 1 by
    /// the draw for `shape + 1` times `u^(1 / shape)`, as in its section 6.
    pub(super) fn gamma_of_mean_one(&mut self, shape: f64) -> f64 {
        if shape.total_cmp(&1.0).is_eq() {
            self.exponential()
        } else if shape < 1.0 {
            let scale = libm::exp(-self.exponential() / shape);
            // The larger factor first, so that a tiny shape does not end in infinity times zero.
            scale * self.gamma(shape + 1.0) / shape
        } else {
            self.gamma(shape) / shape
        }
    }

    /// Gamma with a shape of 1 at least and scale 1.
    fn gamma(&mut self, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let root = 1.0 + c * x;
            if root <= 0.0 {
                continue;
            }
            let v = root * root * root;
            let accepts = 0.5 * x * x + d * (1.0 - v + libm::log(v));
            if libm::log(self.unit()) < accepts {
                return d * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f64]) -> (f64, f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let central = |power| values.iter().map(|x| (x - mean).powi(power)).sum::<f64>() / n;
        (mean, central(2), central(3) / central(2).powf(1.5))
    }

    #[test]
    fn normal_draws_have_mean_0_deviation_1_and_no_skew() {
        let mut draws = Draws::new(4, 0);
        let values: Vec<_> = (0..40_000).map(|_| draws.normal()).collect();
        let (mean, variance, skew) = moments(&values);
        assert!(mean.abs() < 0.025, "{mean}");
        assert!((variance - 1.0).abs() < 0.04, "{variance}");
        assert!(skew.abs() < 0.06, "{skew}");
    }

    #[test]
    fn gamma_draws_have_the_moments_of_their_shape() {
        for shape in [0.2, 0.5, 0.9, 1.0, 1.5, 4.0, 100.0] {
            let mut draws = Draws::new(11, 0);
            let values: Vec<_> = (0..60_000)
                .map(|_| draws.gamma_of_mean_one(shape))
                .collect();
            let (mean, variance, skew) = moments(&values);
            // A gamma of mean 1 has variance 1/b and skewness 2/sqrt(b).
            assert!((mean - 1.0).abs() < 0.05, "shape {shape}: mean {mean}");
            assert!(
                (variance * shape - 1.0).abs() < 0.1,
                "shape {shape}: variance {variance}"
            );
            let expected = 2.0 / shape.sqrt();
            assert!(
                (skew - expected).abs() < 0.12 * expected + 0.05,
                "shape {shape}: skew {skew}"
            );
        }
    }

    /// Largest distance between the distribution of draws and the one that they should have.
    fn ks_distance(shape: f64, cdf: impl Fn(f64) -> f64) -> f64 {
        let mut draws = Draws::new(21, 0);
        let mut values: Vec<_> = (0..20_000)
            .map(|_| draws.gamma_of_mean_one(shape))
            .collect();
        values.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        let below = |k: usize| k as f64 / n;
        values
            .iter()
            .enumerate()
            .map(|(k, value)| {
                let expected = cdf(*value);
                (expected - below(k))
                    .abs()
                    .max((below(k + 1) - expected).abs())
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn gamma_draws_have_the_distribution_of_their_shape() {
        // Half a chi-square with one degree of freedom; sums of 2 and of 5 exponentials.
        let half = ks_distance(0.5, |x| libm::erf((x / 2.0).sqrt()));
        let erlang = |shape: f64, x: f64| {
            let (mut term, mut sum) = (1.0, 1.0);
            for k in 1..shape as u32 {
                term *= shape * x / f64::from(k);
                sum += term;
            }
            1.0 - (-shape * x).exp() * sum
        };
        let two = ks_distance(2.0, |x| erlang(2.0, x));
        let five = ks_distance(5.0, |x| erlang(5.0, x));
        // The critical distance at 1e-4 is 2.2 / sqrt(n).
        for distance in [half, two, five] {
            assert!(distance < 0.0156, "{half}, {two}, {five}");
        }
    }

    #[test]
    fn shapes_at_both_ends_give_finite_gaps() {
        for shape in [f64::MIN_POSITIVE, 1e-12, 1e-3, 1e12, f64::MAX / 16.0] {
            let mut draws = Draws::new(3, 0);
            for _ in 0..200 {
                let gap = draws.gamma_of_mean_one(shape);
                assert!(gap.is_finite() && gap >= 0.0, "shape {shape}: {gap}");
            }
        }
    }
}
