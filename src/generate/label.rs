//! The headers that let a reader check what arrived: which run, which event, what was done to it.

use super::{Moment, Seed};

/// Name of the header that says which run a record is from.
pub(super) const RUN: &str = "gen-run";
/// Name of the header with the event's number in its run, from 0.
pub(super) const SEQUENCE: &str = "gen-seq";
/// Name of the header with the [`checksum`] of key and value, in hexadecimal digits.
pub(super) const CHECKSUM: &str = "gen-sum";
/// Name of the header that names what is wrong with the record, commas between the words.
pub(super) const FAULT: &str = "gen-fault";

/// The name of a run: the same for the same kind, seed and start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run(String);

impl Run {
    /// Returns the name of a run.
    pub fn new(seed: Seed, kind: &str, start: Moment) -> Self {
        Self(seed.of_run(start).part(kind, 0).digits())
    }

    /// Returns its sixteen hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns a checksum that tells accidents: wyhash's folded multiplication, eight bytes at a time,
/// because it has to keep up with millions of records a second.
#[expect(clippy::cast_possible_truncation, reason = "halves of the product")]
pub fn checksum(key: Option<&[u8]>, value: Option<&[u8]>) -> u32 {
    fn fold(hash: u64, word: u64) -> u64 {
        let product = u128::from(hash ^ word) * 0xa076_1d64_78bd_642f;
        product as u64 ^ (product >> 64) as u64
    }
    let mut hash = 0xe703_7ed1_a0b4_28db;
    for bytes in [key, value] {
        let Some(bytes) = bytes else {
            hash = fold(hash, u64::MAX);
            continue;
        };
        hash = fold(hash, bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            hash = fold(hash, u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = fold(hash, u64::from_le_bytes(last));
    }
    (hash ^ (hash >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_checksum_is_the_same_in_every_version() {
        assert_eq!(
            checksum(Some(b"key"), Some(b"{\"value\":1}")),
            4_135_963_435
        );
        assert_eq!(checksum(None, None), 3_142_815_283);
    }

    proptest! {
        #[test]
        fn a_checksum_tells_any_one_byte(
            key in prop::collection::vec(any::<u8>(), 0..20),
            value in prop::collection::vec(any::<u8>(), 1..40),
            place in any::<prop::sample::Index>(),
            change in 1_u8..,
        ) {
            let sum = checksum(Some(&key), Some(&value));
            let mut changed = value.clone();
            changed[place.index(value.len())] ^= change;
            prop_assert_ne!(sum, checksum(Some(&key), Some(&changed)));
            prop_assert_ne!(sum, checksum(Some(&key), None));
            prop_assert_ne!(sum, checksum(None, Some(&value)));
            prop_assert_ne!(sum, checksum(Some(&key), Some(&value[1..])));
        }
    }
}
