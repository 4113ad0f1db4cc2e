//! The normal distribution.

/// `P(Z <= z)` for a standard normal `Z`, within 1e-7 (Abramowitz and Stegun 26.2.17).
pub(crate) fn normal_cdf(z: f64) -> f64 {
    const P: f64 = 0.231_641_9;
    const B: [f64; 5] = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    let t = 1.0 / (1.0 + P * z.abs());
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let upper = density * B.iter().rev().fold(0.0, |sum, b| (sum + b) * t);
    if z >= 0.0 { 1.0 - upper } else { upper }
}

/// The `z` with `P(Z <= z) = p`, for `p` in 1e-6..1 - 1e-6; beyond these it is that of the nearer one. Found by halving.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-4.8, 4.8);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if normal_cdf(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_are_met() {
        for (z, p) in [
            (0.0, 0.5),
            (1.0, 0.841_344_7),
            (-1.644_853_6, 0.05),
            (3.0, 0.998_650_1),
        ] {
            assert!((normal_cdf(z) - p).abs() < 2e-7, "{z}");
        }
    }

    #[test]
    fn a_quantile_is_the_inverse() {
        for p in [0.001, 0.05, 0.5, 0.9, 0.999] {
            assert!((normal_cdf(normal_quantile(p)) - p).abs() < 1e-6, "{p}");
        }
        assert!((normal_quantile(0.95) - 1.644_85).abs() < 1e-3);
    }
}
