//! What a server's own counters say of a run: drafts that were accepted, steps of denoising, the prefix cache.
//!
//! Arithmetic of two snapshots, taken before and after; reads none. Where a counter has fallen in between, the server was
//! started anew and the two do not belong together: there is no answer.

use std::collections::BTreeMap;

/// Counters of speculative decoding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DraftCounters {
    /// Times that tokens were drafted.
    pub drafts: u64,
    /// Tokens drafted.
    pub draft_tokens: u64,
    /// Of these, accepted.
    pub accepted_tokens: u64,
    /// Accepted by their position in the draft, from 0.
    pub accepted_by_position: BTreeMap<u32, u64>,
}

/// What speculative decoding came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Speculation {
    /// Times that tokens were drafted.
    pub drafts: u64,
    /// Tokens drafted.
    pub draft_tokens: u64,
    /// Of these, accepted.
    pub accepted_tokens: u64,
    /// `100 * accepted_tokens / draft_tokens`.
    pub acceptance_percent: f64,
    /// Tokens of an iteration, the one that the model itself adds included: `1 + accepted_tokens / drafts`.
    pub acceptance_length: f64,
    /// Share of the drafts whose token at this position was accepted, 0 to 1, by position.
    pub acceptance_by_position: Vec<f64>,
}

/// `None` where nothing was drafted.
pub fn speculation(before: &DraftCounters, after: &DraftCounters) -> Option<Speculation> {
    let drafts = after.drafts.checked_sub(before.drafts)?;
    let draft_tokens = after.draft_tokens.checked_sub(before.draft_tokens)?;
    let accepted_tokens = after.accepted_tokens.checked_sub(before.accepted_tokens)?;
    if draft_tokens == 0 || drafts == 0 {
        return None;
    }
    let share = |(position, count): (&u32, &u64)| {
        let earlier = before.accepted_by_position.get(position).copied();
        let accepted = count.checked_sub(earlier.unwrap_or(0))?;
        Some(accepted as f64 / drafts as f64)
    };
    Some(Speculation {
        drafts,
        draft_tokens,
        accepted_tokens,
        acceptance_percent: 100.0 * accepted_tokens as f64 / draft_tokens as f64,
        acceptance_length: 1.0 + accepted_tokens as f64 / drafts as f64,
        acceptance_by_position: after
            .accepted_by_position
            .iter()
            .map(share)
            .collect::<Option<_>>()?,
    })
}

/// Counters of a model that writes a canvas of tokens at once and denoises it in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DenoisingCounters {
    /// Steps, those that commit a canvas included.
    pub steps: u64,
    /// Positions of canvases that the steps computed.
    pub canvas_positions: u64,
    /// Tokens committed.
    pub committed_tokens: u64,
}

/// What denoising came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Denoising {
    /// Tokens committed.
    pub committed_tokens: u64,
    /// Positions of canvases that the steps computed.
    pub canvas_positions: u64,
    /// Canvases: `committed_tokens / block`, with `block = canvas_positions / steps`.
    pub canvases: f64,
    /// Steps that did not commit a canvas: `steps - canvases`.
    pub denoising_steps: f64,
    /// `committed_tokens / duration`, a second.
    pub committed_throughput: f64,
    /// `denoising_steps / canvases`.
    pub steps_per_canvas: f64,
    /// `committed_tokens / denoising_steps`; 0 where every step commits.
    pub committed_per_step: f64,
}

/// `None` where nothing was committed, or in no time.
pub fn denoising(
    before: &DenoisingCounters,
    after: &DenoisingCounters,
    duration_s: f64,
) -> Option<Denoising> {
    let steps = after.steps.checked_sub(before.steps)?;
    let canvas_positions = after
        .canvas_positions
        .checked_sub(before.canvas_positions)?;
    let committed_tokens = after
        .committed_tokens
        .checked_sub(before.committed_tokens)?;
    if steps == 0 || canvas_positions == 0 || committed_tokens == 0 || duration_s <= 0.0 {
        return None;
    }
    let block = canvas_positions as f64 / steps as f64;
    let canvases = committed_tokens as f64 / block;
    let denoising_steps = steps as f64 - canvases;
    let committed_per_step = if denoising_steps > 0.0 {
        committed_tokens as f64 / denoising_steps
    } else {
        0.0
    };
    Some(Denoising {
        committed_tokens,
        canvas_positions,
        canvases,
        denoising_steps,
        committed_throughput: committed_tokens as f64 / duration_s,
        steps_per_canvas: denoising_steps / canvases,
        committed_per_step,
    })
}

/// Counters of the prefix cache, both in tokens (or both in blocks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheCounters {
    /// Looked up.
    pub queries: u64,
    /// Found.
    pub hits: u64,
}

/// Share of the prompt tokens that were in the prefix cache, 0 to 1; `None` where nothing was looked up.
pub fn cache_hit_share(before: &CacheCounters, after: &CacheCounters) -> Option<f64> {
    let queries = after.queries.checked_sub(before.queries)?;
    let hits = after.hits.checked_sub(before.hits)?;
    (queries > 0).then(|| hits as f64 / queries as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drafted(drafts: u64, draft_tokens: u64, accepted: &[u64]) -> DraftCounters {
        DraftCounters {
            drafts,
            draft_tokens,
            accepted_tokens: accepted.iter().sum(),
            accepted_by_position: (0..).zip(accepted.iter().copied()).collect(),
        }
    }

    fn near(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} and not {expected}"
        );
    }

    #[test]
    fn drafts_between_two_snapshots_have_the_figures_of_the_formulas() {
        let found =
            speculation(&drafted(10, 30, &[8, 4, 2]), &drafted(30, 90, &[23, 14, 7])).unwrap();
        // 20 drafts of 3 tokens; 15, 10 and 5 accepted.
        assert_eq!(
            (found.drafts, found.draft_tokens, found.accepted_tokens),
            (20, 60, 30)
        );
        near(found.acceptance_percent, 50.0);
        near(found.acceptance_length, 2.5);
        assert_eq!(found.acceptance_by_position, [0.75, 0.5, 0.25]);
    }

    #[test]
    fn a_position_that_is_new_counts_from_zero() {
        let found = speculation(&drafted(4, 4, &[4]), &drafted(8, 12, &[8, 3])).unwrap();
        assert_eq!(found.acceptance_by_position, [1.0, 0.75]);
    }

    #[test]
    fn without_drafts_or_after_a_restart_there_is_no_answer() {
        let some = drafted(5, 15, &[5, 3, 1]);
        assert_eq!(speculation(&some, &some), None);
        assert_eq!(speculation(&some, &drafted(2, 6, &[2, 1, 0])), None);
        assert_eq!(speculation(&some, &drafted(9, 27, &[9, 2, 1])), None);
    }

    #[test]
    fn denoising_has_the_figures_of_the_formulas() {
        let before = DenoisingCounters {
            steps: 10,
            canvas_positions: 320,
            committed_tokens: 64,
        };
        let after = DenoisingCounters {
            steps: 50,
            canvas_positions: 1600,
            committed_tokens: 320,
        };
        // 40 steps over 1280 positions: blocks of 32. 256 tokens are 8 canvases; 32 steps denoise.
        let found = denoising(&before, &after, 4.0).unwrap();
        near(found.canvases, 8.0);
        near(found.denoising_steps, 32.0);
        near(found.committed_throughput, 64.0);
        near(found.steps_per_canvas, 4.0);
        near(found.committed_per_step, 8.0);
        assert_eq!(
            (found.committed_tokens, found.canvas_positions),
            (256, 1280)
        );
        assert_eq!(denoising(&after, &after, 4.0), None);
        assert_eq!(denoising(&after, &before, 4.0), None);
    }

    #[test]
    fn the_prefix_cache_is_hit_as_often_as_lookups_between_the_snapshots_were() {
        let counters = |queries, hits| CacheCounters { queries, hits };
        assert_eq!(
            cache_hit_share(&counters(100, 90), &counters(300, 100)),
            Some(0.05)
        );
        assert_eq!(
            cache_hit_share(&counters(100, 90), &counters(100, 90)),
            None
        );
        assert_eq!(cache_hit_share(&counters(100, 90), &counters(50, 0)), None);
    }
}
