//! The key-value cache in blocks, with reuse of equal beginnings.
//!
//! Counts blocks and remembers hashes; holds no keys or values. Which sequence gets or loses blocks is the engine's part.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

/// Blocks of one engine. A block is free, private to a sequence, shared by hash, or idle: shared by nobody, but still found by its hash
/// until its room is needed.
#[derive(Debug, Clone)]
pub(super) struct BlockPool {
    capacity: u64,
    private: u64,
    cache: Option<PrefixCache>,
}

/// Blocks that one sequence holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    private: u32,
    /// Slots of the blocks that are known by hash, in the order of the sequence.
    shared: Vec<u32>,
}

impl Held {
    /// Blocks in all.
    pub(super) fn count(&self) -> u32 {
        self.private + self.shared.len() as u32
    }
}

impl BlockPool {
    /// `None` is no limit.
    pub(super) fn new(capacity: Option<u64>, prefix_caching: PrefixCaching) -> Self {
        Self {
            capacity: capacity.unwrap_or(u64::MAX),
            private: 0,
            cache: match prefix_caching {
                PrefixCaching::On => Some(PrefixCache::default()),
                PrefixCaching::Off => None,
            },
        }
    }

    /// Blocks there are.
    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Blocks that sequences hold.
    pub(super) fn used(&self) -> u64 {
        self.private + self.cache.as_ref().map_or(0, |cache| cache.referenced)
    }

    /// Blocks that can be taken, idle ones included.
    pub(super) fn free(&self) -> u64 {
        self.capacity - self.used()
    }

    /// Used share of the capacity; 0 where there is no limit.
    pub(super) fn usage(&self) -> f64 {
        if self.capacity == u64::MAX {
            return 0.0;
        }
        self.used() as f64 / self.capacity as f64
    }

    /// Takes blocks until `held` has `count`; takes none and says so where they are not there.
    pub(super) fn grow(&mut self, held: &mut Held, count: u32) -> bool {
        let more = count.saturating_sub(held.count());
        if u64::from(more) > self.free() {
            return false;
        }
        held.private += more;
        self.private += u64::from(more);
        if let Some(cache) = &mut self.cache {
            while self.private + cache.stored() > self.capacity {
                cache.evict();
            }
        }
        true
    }

    /// Shares the longest known beginning of `hashes`, for a sequence that holds nothing yet. Returns the number of blocks.
    pub(super) fn reuse(&mut self, held: &mut Held, hashes: &[u64]) -> u32 {
        let Some(cache) = &mut self.cache else {
            return 0;
        };
        for hash in hashes {
            match cache.share(*hash) {
                Some(slot) => held.shared.push(slot),
                None => break,
            }
        }
        held.shared.len() as u32
    }

    /// Makes a private block of a sequence known by its hash. Where another sequence was first, it stays private.
    pub(super) fn publish(&mut self, held: &mut Held, hash: u64) {
        let Some(cache) = &mut self.cache else {
            return;
        };
        if let Some(slot) = cache.insert(hash) {
            held.private -= 1;
            self.private -= 1;
            held.shared.push(slot);
        }
    }

    /// Gives all blocks back. The end of a sequence is forgotten before its beginning.
    pub(super) fn release(&mut self, held: &mut Held) {
        self.private -= u64::from(held.private);
        held.private = 0;
        if let Some(cache) = &mut self.cache {
            while let Some(slot) = held.shared.pop() {
                cache.unshare(slot);
            }
        }
    }

    /// Forgets all hashes; blocks in use stay with their sequences.
    pub(super) fn forget(&mut self) {
        if let Some(cache) = &mut self.cache {
            cache.forget();
        }
    }
}

/// Whether equal beginnings are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PrefixCaching {
    On,
    Off,
}

#[derive(Debug, Clone, Default)]
struct PrefixCache {
    by_hash: HashMap<u64, u32, BuildHasherDefault<HashOfHash>>,
    slots: Vec<Slot>,
    empty: Vec<u32>,
    /// Idle slots, longest idle first; an entry whose stamp is not the slot's any more is void.
    idle: VecDeque<(u32, u64)>,
    stamp: u64,
    referenced: u64,
}

#[derive(Debug, Clone)]
struct Slot {
    hash: u64,
    listed: bool,
    references: u32,
    stamp: u64,
}

impl PrefixCache {
    /// Blocks shared or idle.
    fn stored(&self) -> u64 {
        (self.slots.len() - self.empty.len()) as u64
    }

    fn share(&mut self, hash: u64) -> Option<u32> {
        let slot = *self.by_hash.get(&hash)?;
        let block = &mut self.slots[slot as usize];
        if block.references == 0 {
            self.referenced += 1;
        }
        block.references += 1;
        block.stamp = 0;
        Some(slot)
    }

    fn insert(&mut self, hash: u64) -> Option<u32> {
        if self.by_hash.contains_key(&hash) {
            return None;
        }
        let block = Slot {
            hash,
            listed: true,
            references: 1,
            stamp: 0,
        };
        let slot = if let Some(slot) = self.empty.pop() {
            self.slots[slot as usize] = block;
            slot
        } else {
            self.slots.push(block);
            (self.slots.len() - 1) as u32
        };
        self.by_hash.insert(hash, slot);
        self.referenced += 1;
        Some(slot)
    }

    fn unshare(&mut self, slot: u32) {
        let block = &mut self.slots[slot as usize];
        block.references -= 1;
        if block.references > 0 {
            return;
        }
        self.referenced -= 1;
        if block.listed {
            self.stamp += 1;
            block.stamp = self.stamp;
            self.idle.push_back((slot, self.stamp));
            self.drop_void_entries();
        } else {
            self.empty.push(slot);
        }
    }

    /// Frees the block that has been idle longest. Only called while there is one.
    fn evict(&mut self) {
        while let Some((slot, stamp)) = self.idle.pop_front() {
            let block = &mut self.slots[slot as usize];
            if block.stamp == stamp {
                block.stamp = 0;
                block.listed = false;
                self.by_hash.remove(&block.hash);
                self.empty.push(slot);
                return;
            }
        }
        unreachable!("blocks beyond the capacity are idle, and idle blocks are listed");
    }

    fn forget(&mut self) {
        self.by_hash.clear();
        self.idle.clear();
        for (slot, block) in self.slots.iter_mut().enumerate() {
            if block.listed && block.references == 0 {
                self.empty.push(slot as u32);
            }
            block.listed = false;
            block.stamp = 0;
        }
    }

    /// Keeps the list within a small multiple of the blocks, at constant cost an entry.
    fn drop_void_entries(&mut self) {
        if self.idle.len() > 2 * self.slots.len() + 64 {
            let slots = &self.slots;
            self.idle
                .retain(|(slot, stamp)| slots[*slot as usize].stamp == *stamp);
        }
    }
}

/// The keys are hashes already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HashOfHash(u64);

impl Hasher for HashOfHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(capacity: u64) -> BlockPool {
        BlockPool::new(Some(capacity), PrefixCaching::On)
    }

    /// Takes and publishes one block for each hash.
    fn fill(pool: &mut BlockPool, hashes: &[u64]) -> Held {
        let mut held = Held::default();
        let known = pool.reuse(&mut held, hashes) as usize;
        assert!(pool.grow(&mut held, hashes.len() as u32));
        for hash in &hashes[known..] {
            pool.publish(&mut held, *hash);
        }
        held
    }

    #[test]
    fn a_released_beginning_is_found_again_until_its_room_is_needed() {
        let mut pool = pool(4);
        let mut first = fill(&mut pool, &[1, 2, 3]);
        pool.release(&mut first);
        assert_eq!((pool.used(), pool.free()), (0, 4));
        let mut again = Held::default();
        assert_eq!(pool.reuse(&mut again, &[1, 2, 9]), 2);
        assert_eq!(pool.used(), 2);
        assert!(pool.grow(&mut again, 4), "the idle block gives way");
        let mut third = Held::default();
        assert_eq!(pool.reuse(&mut third, &[1, 2, 3]), 2, "block 3 is gone");
        assert!(!pool.grow(&mut third, 3));
    }

    #[test]
    fn the_longest_idle_block_goes_first_and_ends_before_beginnings() {
        let mut pool = pool(4);
        let mut old = fill(&mut pool, &[1, 2]);
        pool.release(&mut old);
        let mut young = fill(&mut pool, &[5, 6]);
        pool.release(&mut young);
        let mut touched = fill(&mut pool, &[1]);
        pool.release(&mut touched);
        let mut greedy = Held::default();
        assert!(pool.grow(&mut greedy, 2));
        let mut look = Held::default();
        assert_eq!(pool.reuse(&mut look, &[1, 2]), 1);
        assert_eq!(pool.reuse(&mut Held::default(), &[5, 6]), 1);
    }

    #[test]
    fn two_sequences_with_the_same_block_count_it_once_when_it_was_known() {
        let mut pool = pool(10);
        let _first = fill(&mut pool, &[1, 2]);
        let second = fill(&mut pool, &[1, 2]);
        assert_eq!(pool.used(), 2);
        assert_eq!(second.count(), 2);
    }

    #[test]
    fn forgetting_leaves_blocks_in_use_and_frees_the_rest() {
        let mut pool = pool(4);
        let mut kept = fill(&mut pool, &[1, 2]);
        let mut idle = fill(&mut pool, &[7]);
        pool.release(&mut idle);
        pool.forget();
        assert_eq!(pool.used(), 2);
        assert_eq!(pool.reuse(&mut Held::default(), &[1]), 0);
        pool.release(&mut kept);
        assert_eq!(pool.free(), 4);
        assert!(pool.grow(&mut Held::default(), 4));
    }
}
