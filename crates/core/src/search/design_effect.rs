//! How much less a number of requests says than as many independent ones would: requests that are in flight together
//! share the service's iterations, its queue and its bad moments.

/// Block lengths in waves, and the effect that is expected before anything was seen. A wave is one request of each user.
/// Queues come and go over many waves, which a short search cannot have seen: long blocks expect more.
const WAVES: [(f64, f64); 4] = [(0.5, PRIOR), (1.0, PRIOR), (2.0, 2.5), (4.0, 4.0)];
/// Shortest block, in requests: sums of fewer tell nothing of dependence.
const SHORTEST: f64 = 8.0;
/// Blocks that the prior counts for.
const PRIOR_BLOCKS: f64 = 8.0;
/// Design effect that is expected of short blocks.
const PRIOR: f64 = 1.5;

/// A run of requests at one load, in the order in which they were sent.
#[derive(Debug, Clone)]
pub(super) struct Series {
    /// Requests in flight together.
    pub(super) wave: f64,
    pub(super) values: Vec<f64>,
}

/// Variance of the sums of blocks over what it would be for independent values, at the block length where it is largest.
pub(super) fn by_blocks(series: &[Series]) -> f64 {
    let n = series.iter().map(|one| one.values.len()).sum::<usize>() as f64;
    let all = || series.iter().flat_map(|one| &one.values);
    let mean = all().sum::<f64>() / n.max(1.0);
    let variance = all().map(|value| (value - mean).powi(2)).sum::<f64>() / n.max(1.0);
    if variance <= 0.0 {
        return PRIOR;
    }
    let at = |(waves, prior): (f64, f64)| {
        let (mut squares, mut independent, mut blocks) = (0.0, 0.0, 0.0);
        for one in series {
            let length = (one.wave * waves).max(SHORTEST).round() as usize;
            for block in one.values.chunks_exact(length) {
                let sum: f64 = block.iter().map(|value| value - mean).sum();
                squares += sum * sum;
                independent += length as f64 * variance;
                blocks += 1.0;
            }
        }
        let ratio = if independent > 0.0 {
            squares / independent
        } else {
            0.0
        };
        (PRIOR_BLOCKS * prior + blocks * ratio) / (PRIOR_BLOCKS + blocks)
    };
    WAVES.into_iter().map(at).fold(0.6, f64::max).min(60.0)
}

/// From episodes: violations that follow each other within `apart` requests have one cause. `prior` is the size of the
/// episode that is expected before any was seen.
pub(super) fn by_episodes(series: &[Vec<f64>], apart: usize, prior: f64) -> f64 {
    let (mut squares, mut sum) = (prior * prior, prior);
    for values in series {
        let mut episode = 0.0;
        let mut quiet = 0;
        for &value in values {
            if value > 0.0 {
                episode += value;
                quiet = 0;
            } else {
                quiet += 1;
                if quiet > apart {
                    squares += episode * episode;
                    sum += episode;
                    episode = 0.0;
                }
            }
        }
        squares += episode * episode;
        sum += episode;
    }
    (squares / sum).clamp(1.0, 300.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: Vec<f64>) -> Vec<Series> {
        vec![Series { wave: 16.0, values }]
    }

    #[test]
    fn independent_values_have_an_effect_of_about_one() {
        // A Weyl sequence is more even than chance, so its blocks vary less.
        let values = (0..4000)
            .map(|i| f64::from(u8::from((f64::from(i) * 0.618_034).fract() < 0.05)))
            .collect();
        assert!(by_blocks(&series(values)) < 1.5);
    }

    #[test]
    fn violations_in_bursts_count_once_a_burst() {
        let values: Vec<f64> = (0..6400)
            .map(|i| f64::from(u8::from(i % 640 < 32)))
            .collect();
        let effect = by_blocks(&series(values.clone()));
        assert!(effect > 15.0, "{effect}");
        let episodes = by_episodes(&[values], 16, 1.0);
        assert!((28.0..32.1).contains(&episodes), "{episodes}");
    }

    #[test]
    fn the_prior_holds_where_nothing_was_seen() {
        assert!((by_blocks(&[]) - PRIOR).abs() < 1e-12);
        assert!((by_episodes(&[vec![0.0; 100]], 8, 40.0) - 40.0).abs() < 1e-12);
    }
}
