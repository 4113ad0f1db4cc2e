//! Names for blocks of tokens by their content, so that equal beginnings of prompts are found again.
//!
//! Does not store blocks: the engine's cache does.

use std::sync::Arc;

/// One hash for each *full* block of `tokens`; each covers its block and all before it.
///
/// Two sequences share their first `n` hashes exactly when (but for collisions of 64 bits) their first `n` blocks are equal.
pub fn block_hashes(tokens: &[u32], block_size: u32) -> Arc<[u64]> {
    let mut hash = 0x9e37_79b9_7f4a_7c15;
    tokens
        .chunks_exact(block_size.max(1) as usize)
        .map(|block| {
            hash = block.iter().fold(hash, |hash, &token| mix(hash, token));
            hash
        })
        .collect()
}

/// One round of the `SplitMix64` finalizer over the running hash and a token.
fn mix(hash: u64, token: u32) -> u64 {
    let mut word = hash
        .wrapping_add(u64::from(token).wrapping_mul(0xff51_afd7_ed55_8ccd))
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_blocks_have_a_hash_and_equal_beginnings_share_theirs() {
        let left: Vec<u32> = (0..40).collect();
        let mut right = left.clone();
        right[20] = 999;
        let (left, right) = (block_hashes(&left, 16), block_hashes(&right, 16));
        assert_eq!(left.len(), 2);
        assert_eq!(left[0], right[0]);
        assert_ne!(left[1], right[1]);
    }

    #[test]
    fn a_block_is_told_apart_by_what_came_before_it() {
        let hashes = block_hashes(&[7; 48], 16);
        assert_ne!(hashes[0], hashes[1]);
        assert_ne!(hashes[1], hashes[2]);
    }
}
