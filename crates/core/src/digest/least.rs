//! The few things with the least keys among many.
//!
//! What is kept depends on the keys alone, not on the order in which things are offered. Of equal keys one is as good as
//! another.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Up to so many things; the greatest key is given up first.
#[derive(Debug, Clone)]
pub(super) struct Least<K, T> {
    most: usize,
    heap: BinaryHeap<Entry<K, T>>,
}

#[derive(Debug, Clone)]
struct Entry<K, T> {
    key: K,
    thing: T,
}

impl<K: Ord + Copy, T> Least<K, T> {
    /// None yet.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            heap: BinaryHeap::new(),
        }
    }

    /// Takes a thing, which is made only where it has a place.
    pub(super) fn offer(&mut self, key: K, make: impl FnOnce() -> T) {
        if self.heap.len() < self.most {
            let thing = make();
            self.heap.push(Entry { key, thing });
        } else if let Some(mut greatest) = self.heap.peek_mut()
            && key < greatest.key
        {
            *greatest = Entry { key, thing: make() };
        }
    }

    /// Takes all of another one's.
    pub(super) fn merge(&mut self, other: Self) {
        assert_eq!(self.most, other.most, "both keep as many");
        for Entry { key, thing } in other.heap {
            self.offer(key, || thing);
        }
    }

    /// In no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.heap.iter().map(|entry| &entry.thing)
    }

    /// By rising keys.
    pub(super) fn rising(&self) -> Vec<&T> {
        let mut entries: Vec<&Entry<K, T>> = self.heap.iter().collect();
        entries.sort();
        entries.into_iter().map(|entry| &entry.thing).collect()
    }
}

impl<K: Ord + Copy, T: PartialEq> PartialEq for Least<K, T> {
    fn eq(&self, other: &Self) -> bool {
        self.most == other.most && self.rising() == other.rising()
    }
}

impl<K: Ord, T> PartialEq for Entry<K, T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<K: Ord, T> Eq for Entry<K, T> {}

impl<K: Ord, T> PartialOrd for Entry<K, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord, T> Ord for Entry<K, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_are_kept_in_any_order_and_no_other_is_made() {
        let mut least = Least::new(3);
        let mut made = 0;
        for key in [5, 1, 9, 4, 7, 2] {
            least.offer(key, || {
                made += 1;
                key * 10
            });
        }
        assert_eq!(least.rising(), [&10, &20, &40]);
        assert_eq!(made, 5);
        let mut other = Least::new(3);
        for key in [3, 8] {
            other.offer(key, || key * 10);
        }
        other.merge(least);
        assert_eq!(other.rising(), [&10, &20, &30]);
        let mut none = Least::new(0);
        none.offer(1, || 1);
        assert!(none.rising().is_empty());
    }
}
