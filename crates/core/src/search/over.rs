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
