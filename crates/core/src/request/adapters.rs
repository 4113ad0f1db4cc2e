//! Which of several fine-tuned variants of a model (adapters, such as those of `LoRA`) each request asks for.
//!
//! Servers know an adapter by a model's name of its own. Says nothing of what it does to an answer.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Keeps these draws apart from those that others make with the same seed.
const STREAM: u8 = 0xAD;

/// The adapters of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adapters {
    /// Their names, in the user's order.
    names: Vec<String>,
    /// How requests are shared among them.
    assignment: Assignment,
    /// Seed of the draws.
    seed: u64,
}

/// How requests are shared among adapters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assignment {
    /// Each request draws one, all alike.
    Random,
    /// In turn.
    RoundRobin,
}

impl Adapters {
    /// `None` without a name.
    pub fn new(names: Vec<String>, assignment: Assignment, seed: u64) -> Option<Self> {
        (!names.is_empty()).then_some(Self {
            names,
            assignment,
            seed,
        })
    }

    /// That of the request at this position of a load, from 0, those of the warm-up included: the index in its record.
    /// The same seed and position always give the same one.
    pub fn of(&self, position: u64) -> &str {
        let many = self.names.len() as u64;
        let which = match self.assignment {
            Assignment::RoundRobin => position % many,
            Assignment::Random => {
                let mut key = [0; 32];
                key[..8].copy_from_slice(&self.seed.to_le_bytes());
                key[8..16].copy_from_slice(&position.to_le_bytes());
                key[16] = STREAM;
                ChaCha8Rng::from_seed(key).random_range(0..many)
            }
        };
        &self.names[which as usize]
    }

    /// Their names, in the user's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapters(assignment: Assignment, seed: u64) -> Adapters {
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        Adapters::new(names, assignment, seed).unwrap()
    }

    fn first(count: u64, of: &Adapters) -> Vec<&str> {
        (0..count).map(|position| of.of(position)).collect()
    }

    #[test]
    fn in_turn_means_the_order_of_the_names() {
        let adapters = adapters(Assignment::RoundRobin, 7);
        assert_eq!(first(7, &adapters), ["a", "b", "c", "a", "b", "c", "a"]);
    }

    #[test]
    fn a_draw_follows_from_the_seed_and_the_position() {
        let one = adapters(Assignment::Random, 1);
        assert_eq!(first(64, &one), first(64, &one.clone()));
        assert_ne!(
            first(64, &one),
            first(64, &adapters(Assignment::Random, 2)),
            "the seed has no effect"
        );
    }

    #[test]
    fn draws_prefer_none() {
        let drawn = adapters(Assignment::Random, 3);
        for name in ["a", "b", "c"] {
            let share = first(3000, &drawn)
                .iter()
                .filter(|one| **one == name)
                .count();
            // Five standard deviations of a binomial count with 3000 draws and a share of a third are 129.
            assert!((871..=1129).contains(&share), "{name}: {share}");
        }
    }

    #[test]
    fn without_names_there_are_no_adapters() {
        assert_eq!(Adapters::new(Vec::new(), Assignment::Random, 0), None);
    }
}
