//! Random draws that depend on the seed and an item's index alone: any thread may make any item at any time.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

/// What a stream of random numbers is for. Streams of the same item are independent of each other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Words = 1,
    InputLength = 2,
    OutputLength = 3,
    Prefix = 4,
    PairRow = 5,
    Warm = 6,
    Repeat = 7,
    Order = 8,
    Block = 9,
    Lines = 10,
    Media = 11,
    Pixels = 12,
    Turns = 13,
}

/// The random numbers of one item for one purpose.
pub(crate) fn stream(seed: u64, index: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&index.to_le_bytes());
    key[16] = purpose as u8;
    ChaCha8Rng::from_seed(key)
}

/// Puts a list in a random order (Fisher and Yates).
pub(crate) fn shuffle<T>(list: &mut [T], seed: u64) {
    let mut random = stream(seed, 0, Purpose::Order);
    for last in (1..list.len()).rev() {
        list.swap(last, random.random_range(0..=last));
    }
}

/// A number that looks random and follows from three others (the finaliser of splitmix64, chained).
pub(crate) fn scramble(a: u64, b: u64, c: u64) -> u64 {
    [b, c].into_iter().fold(finalise(a), |state, next| {
        finalise(state ^ finalise(next.wrapping_add(0x9E37_79B9_7F4A_7C15)))
    })
}

fn finalise(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
