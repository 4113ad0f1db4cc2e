//! Whether a dwell is so clearly beyond a criterion that it need not go on.

use super::evidence::{Dwell, Evidence};

/// How clear it must be: the odds against a lucky dwell at the limit are `exp(certainty)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Test {
    /// Violations that must have been seen.
    pub(super) violations: f64,
    /// Multiple of the allowed share that must be exceeded.
    pub(super) multiple: f64,
    /// `n KL(k/n || share) / phi` must exceed this (Chernoff's bound).
    pub(super) certainty: f64,
    /// Design effect.
    pub(super) phi: f64,
    /// Multiple of the limit that a mean must exceed.
    pub(super) mean: f64,
}

impl Test {
    /// The dwell is over a criterion.
    pub(super) fn is_over(&self, evidence: &Evidence, dwell: &Dwell, gauge: usize) -> bool {
        let Some(share) = evidence.gauges[gauge].share else {
            let values = evidence.values(dwell, gauge);
            let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
            return values.len() >= 8 && mean > self.mean;
        };
        let over = evidence.violations(dwell, gauge);
        let (k, n) = (over.iter().sum::<f64>(), over.len() as f64);
        if k < self.violations || n == 0.0 {
            return false;
        }
        let seen = k / n;
        seen > (self.multiple * share).min(0.5)
            && n * divergence(seen, share) / self.phi > self.certainty
    }
}

/// Kullback and Leibler's divergence of two chances.
fn divergence(p: f64, q: f64) -> f64 {
    let part = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    part(p, q) + part(1.0 - p, 1.0 - q)
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::dwells_of;
    use super::*;

    const STRICT: Test = Test {
        violations: 3.0,
        multiple: 2.0,
        certainty: 9.2,
        phi: 2.0,
        mean: 1.5,
    };

    /// Whether a dwell of `n` requests, `late` of which have a TTFT of 2 s instead of 0.5 s, is over a limit of 1 s.
    fn is_over(test: Test, criterion: &str, late: usize, n: usize) -> bool {
        let values = (0..n).map(|i| if i < late { 2.0 } else { 0.5 }).collect();
        let evidence = dwells_of(criterion, &[(10.0, values)]);
        test.is_over(&evidence, &evidence.dwells[0], 0)
    }

    #[test]
    fn few_violations_are_no_proof() {
        let p99 = r#""p99_ttft":"<=1""#;
        assert!(!is_over(STRICT, p99, 0, 100));
        assert!(!is_over(STRICT, p99, 2, 2));
        // 4.6 nats each, halved by the design effect: four are 9.2, and five are enough.
        assert!(!is_over(STRICT, p99, 3, 3));
        assert!(is_over(STRICT, p99, 5, 5));
        assert!(is_over(STRICT, p99, 12, 100));
        assert!(!is_over(STRICT, p99, 3, 100));
    }

    #[test]
    fn a_large_share_is_over_from_one_half_on() {
        let p50 = r#""p50_ttft":"<=1""#;
        assert!(is_over(STRICT, p50, 90, 100));
        assert!(!is_over(STRICT, p50, 45, 100));
    }

    #[test]
    fn a_larger_design_effect_needs_more_requests() {
        let p99 = r#""p99_ttft":"<=1""#;
        let careful = Test {
            phi: 40.0,
            ..STRICT
        };
        assert!(!is_over(careful, p99, 12, 100));
        assert!(is_over(careful, p99, 100, 100));
    }

    #[test]
    fn a_mean_needs_eight_requests_and_a_clear_excess() {
        let mean = r#""avg_ttft":"<=1""#;
        assert!(!is_over(STRICT, mean, 7, 7));
        assert!(is_over(STRICT, mean, 8, 8));
        // (6 x 2 + 4 x 0.5) / 10 = 1.4
        assert!(!is_over(STRICT, mean, 6, 10));
        assert!(!is_over(STRICT, mean, 0, 0));
    }

    #[test]
    fn the_divergence_of_equal_chances_is_zero() {
        assert!(divergence(0.3, 0.3).abs() < 1e-12);
        assert!((divergence(1.0, 0.01) - 100_f64.ln()).abs() < 1e-12);
        assert!((divergence(0.0, 0.5) - 2_f64.ln()).abs() < 1e-12);
    }
}
