//! The texts to look for, any number of them, which come one by one.
//!
//! They are found by their first bytes: at each byte of a text one look into a filter, and only where that says so into a table. An
//! automaton (Aho and Corasick's) would have to be made anew for each secret that comes between two log lines.

use std::collections::HashMap;
use std::ops::Range;

use crate::value::SHORTEST;

/// The bits of the filter.
const BITS: usize = 1 << 16;
/// What a needle costs beside its own bytes.
const OVERHEAD: usize = 64;

type Start = [u8; SHORTEST];

/// Texts to look for.
#[derive(Default)]
pub(crate) struct Needles {
    /// By their first bytes.
    by_start: HashMap<Start, Vec<Box<[u8]>>>,
    /// A bit for each start that there is; empty before the first.
    filter: Vec<u64>,
    count: usize,
    size: usize,
}

impl Needles {
    /// Takes one more; shorter ones than [`SHORTEST`] are none.
    pub(crate) fn insert(&mut self, needle: &str) {
        let Some(start) = start(needle.as_bytes()) else { return };
        let alike = self.by_start.entry(*start).or_default();
        if alike.iter().any(|one| **one == *needle.as_bytes()) {
            return;
        }
        alike.push(needle.as_bytes().into());
        self.count += 1;
        self.size += needle.len() + OVERHEAD;
        self.filter.resize(BITS / 64, 0);
        let bit = bit(start);
        self.filter[bit / 64] |= 1 << (bit % 64);
    }

    /// Whether it is one of them.
    pub(crate) fn contains(&self, needle: &str) -> bool {
        let alike = start(needle.as_bytes()).and_then(|start| self.by_start.get(start));
        alike.is_some_and(|alike| alike.iter().any(|one| **one == *needle.as_bytes()))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// What they take of memory, roughly.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Adds every place at which one of them stands; places may overlap.
    pub(crate) fn search(&self, text: &[u8], found: &mut Vec<Range<usize>>) {
        if self.count == 0 {
            return;
        }
        for at in 0..(text.len() + 1).saturating_sub(SHORTEST) {
            let Some(start) = start(&text[at..]) else { return };
            let bit = bit(start);
            if self.filter[bit / 64] & (1 << (bit % 64)) == 0 {
                continue;
            }
            for needle in self.by_start.get(start).into_iter().flatten() {
                if text[at..].starts_with(needle) {
                    found.push(at..at + needle.len());
                }
            }
        }
    }
}

fn start(text: &[u8]) -> Option<&Start> {
    text.first_chunk()
}

/// A start's bit in the filter: the upper bits of a multiplicative hash.
fn bit(start: &Start) -> usize {
    let mut wide = [0; 8];
    wide[..SHORTEST].copy_from_slice(start);
    (u64::from_le_bytes(wide).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The same places as when each is looked for by itself.
        #[test]
        fn every_place_is_found(needles in prop::collection::vec("[ab]{1,9}", 0..20), text in "[ab]{0,200}") {
            let mut known = Needles::default();
            needles.iter().for_each(|needle| known.insert(needle));
            let mut found = Vec::new();
            known.search(text.as_bytes(), &mut found);
            let mut expected: Vec<Range<usize>> = needles.iter().filter(|needle| needle.len() >= SHORTEST)
                .flat_map(|needle| {
                    let places = (0..text.len()).filter(|at| text[*at..].starts_with(needle));
                    places.map(|at| at..at + needle.len()).collect::<Vec<_>>()
                })
                .collect();
            let order = |place: &Range<usize>| (place.start, place.end);
            found.sort_by_key(order);
            expected.sort_by_key(order);
            expected.dedup();
            prop_assert_eq!(found, expected);
            prop_assert!(needles.iter().all(|needle| known.contains(needle) == (needle.len() >= SHORTEST)));
        }
    }
}
