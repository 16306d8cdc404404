//! Randomness that is the same on every machine and in every version: `ChaCha8` (RFC 8439's
//! cipher with eight rounds, by name, because a default generator may be replaced).

use std::fmt::{self, Write as _};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, Exp1, StandardNormal};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Moment;

/// What all that is drawn in a run, or in a part of it, follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Returns the seed of everything, from the number a user gave.
    pub fn new(number: u64) -> Self {
        Self([0; 32]).part("kpipe generate", number)
    }

    /// Returns a seed that has nothing in common with this one or with that of any other part.
    #[must_use]
    pub fn part(self, name: &str, number: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(number.to_le_bytes());
        hash.update(name);
        Self(hash.finalize().into())
    }

    /// Returns what belongs to the run that begins at `start` and to no other of the same seed.
    #[must_use]
    pub fn of_run(self, start: Moment) -> Self {
        self.part("run", start.micros().cast_unsigned())
    }

    /// Returns the dice of one stream; streams of one seed never meet.
    pub fn dice(self, stream: u64) -> Dice {
        let mut generator = ChaCha8Rng::from_seed(self.0);
        generator.set_stream(stream);
        Dice(generator)
    }

    /// Returns sixteen hexadecimal digits of it, for a name.
    pub(super) fn digits(self) -> String {
        hex(&self.0[..8])
    }
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// Draws from 0 to just under 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Draws from `low` to just under `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Draws a whole number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(end)) >> 64) as u64
    }

    /// Says yes with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Draws from the normal distribution around 0 with deviation 1.
    pub fn normal(&mut self) -> f64 {
        self.sample(&StandardNormal)
    }

    /// Draws from the exponential distribution with mean 1.
    pub fn exponential(&mut self) -> f64 {
        self.sample(&Exp1)
    }

    /// Draws from any distribution.
    pub fn sample<T>(&mut self, distribution: &impl Distribution<T>) -> T {
        distribution.sample(&mut self.0)
    }

    /// Draws one of `choices`, each as likely as any other.
    ///
    /// # Panics
    /// When there are none.
    #[expect(clippy::cast_possible_truncation, reason = "below a length")]
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// Draws one of `choices`, as likely as its weight says; weights need no particular sum.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick_weighted<'a, T>(&mut self, choices: &'a [(f64, T)]) -> &'a T {
        let sum: f64 = choices.iter().map(|(weight, _)| weight).sum();
        let mut left = self.unit() * sum;
        for (weight, choice) in choices {
            left -= weight;
            if left < 0.0 {
                return choice;
            }
        }
        &choices[choices.len() - 1].1
    }

    /// Draws all of 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Draws an id of something that begins at `at`.
    pub fn id(&mut self, at: Moment) -> Id {
        let (high, low) = (self.0.next_u64(), self.0.next_u32());
        let mut random = [0; 10];
        random[..8].copy_from_slice(&high.to_le_bytes());
        random[8..].copy_from_slice(&low.to_le_bytes()[..2]);
        let millis = u64::try_from(at.millis()).unwrap_or(0);
        Id(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

/// An id in the form of UUID version 7 (RFC 9562): sorted by time, and the same in every run of
/// one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Uuid);

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Uuid::parse_str(&text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// Returns bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_and_parts_have_nothing_in_common() {
        let seed = Seed::new(1);
        let first = |seed: Seed, stream| seed.dice(stream).bits();
        let draws = [
            first(seed, 0),
            first(seed, 1),
            first(Seed::new(2), 0),
            first(seed.part("life", 0), 0),
            first(seed.part("life", 1), 0),
            first(seed.part("identity", 0), 0),
        ];
        let unlike: std::collections::BTreeSet<_> = draws.iter().collect();
        assert_eq!(unlike.len(), draws.len());
    }

    #[test]
    fn the_generator_is_the_same_for_ever() {
        assert_eq!(Seed::new(7).dice(3).bits(), 5_153_544_953_042_477_015);
    }

    #[test]
    fn ids_have_the_form_of_version_7_and_sort_by_time() {
        let mut dice = Seed::new(1).dice(0);
        let early = dice.id(Moment::from_micros(1_763_668_800_123_000));
        let late = dice.id(Moment::from_micros(1_763_668_800_124_000));
        assert_eq!(early.0.get_version_num(), 7);
        assert!(early < late && early.to_string() < late.to_string());
        let json = serde_json::to_string(&early).unwrap();
        assert_eq!(serde_json::from_str::<Id>(&json).unwrap(), early);
    }

    #[test]
    fn draws_keep_to_their_shares() {
        let mut dice = Seed::new(1).dice(0);
        let choices = [(1.0, 'a'), (3.0, 'b')];
        let mut heavy = 0;
        let mut low = 0;
        for _ in 0..10_000 {
            heavy += i32::from(*dice.pick_weighted(&choices) == 'b');
            low += i32::from(dice.below(10) < 3);
        }
        assert!((7_300..7_700).contains(&heavy), "{heavy}");
        assert!((2_800..3_200).contains(&low), "{low}");
        assert_eq!(dice.below(0), 0);
    }
}
