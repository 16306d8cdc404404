//! What goes wrong on request: decided for each event by draws of its own, so that neither the
//! values nor any other fault change with it.

use serde::{Deserialize, Serialize};

use super::{Dice, Seed};

/// How often what goes wrong; each rate is a probability from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Written twice, one right after the other.
    #[serde(skip_serializing_if = "is_zero")]
    pub duplicate: f64,
    /// Not written.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped: f64,
    /// Written so long, in event time, after its turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
    /// Written after the next record of its entity.
    #[serde(skip_serializing_if = "is_zero")]
    pub out_of_order: f64,
    /// A value that is not JSON any more.
    #[serde(skip_serializing_if = "is_zero")]
    pub malformed: f64,
    /// A null value.
    #[serde(skip_serializing_if = "is_zero")]
    pub tombstone: f64,
    /// A field of the payload made null.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub null: Vec<Null>,
}

/// How many records are late, and by how much.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Late {
    /// Probability.
    pub rate: f64,
    /// How late, in milliseconds.
    pub by_millis: u64,
}

/// A field that is null at times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Null {
    /// Its name in the payload, or a JSON pointer into the payload.
    pub field: String,
    /// Probability.
    pub rate: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(rate: &f64) -> bool {
    *rate == 0.0
}

/// What is to be done to one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "any of them may be")]
pub struct Fate {
    /// See [`Faults::duplicate`].
    pub duplicate: bool,
    /// See [`Faults::dropped`]; then nothing else matters.
    pub dropped: bool,
    /// See [`Faults::late`].
    pub late: bool,
    /// See [`Faults::out_of_order`].
    pub out_of_order: bool,
    /// See [`Faults::malformed`].
    pub malformed: bool,
    /// See [`Faults::tombstone`].
    pub tombstone: bool,
    /// One bit for each of [`Faults::null`].
    pub null: u64,
}

/// The fates of events 0, 1, 2 and so on, without end.
#[derive(Debug)]
pub struct Fates {
    /// By what each decides.
    rates: Vec<(f64, Dice)>,
}

/// Fields that can be made null in one run: one bit each.
pub const MOST_NULLS: usize = 64;

/// Faults before the nulls, in the order of their streams.
const BEFORE_NULLS: usize = 6;

impl Fates {
    /// Returns the fates in the run that follows from `seed`.
    pub fn new(faults: &Faults, seed: Seed) -> Self {
        let rates = [
            faults.duplicate,
            faults.dropped,
            faults.late.map_or(0.0, |late| late.rate),
            faults.out_of_order,
            faults.malformed,
            faults.tombstone,
        ];
        let nulls = faults.null.iter().map(|null| null.rate).take(MOST_NULLS);
        let seed = seed.part("faults", 0);
        Self {
            rates: (0..)
                .zip(rates.into_iter().chain(nulls))
                .map(|(stream, rate)| (rate, seed.dice(stream)))
                .collect(),
        }
    }
}

impl Iterator for Fates {
    type Item = Fate;

    fn next(&mut self) -> Option<Fate> {
        // A fault that is never drawn for costs nothing and shifts nothing.
        let mut drawn = self
            .rates
            .iter_mut()
            .map(|(rate, dice)| *rate > 0.0 && dice.chance(*rate));
        let mut next = || drawn.next().unwrap_or_default();
        let [duplicate, dropped, late, out_of_order, malformed, tombstone]: [bool; BEFORE_NULLS] =
            std::array::from_fn(|_| next());
        Some(Fate {
            duplicate,
            dropped,
            late,
            out_of_order,
            malformed,
            tombstone,
            null: drawn
                .enumerate()
                .fold(0, |bits, (index, null)| bits | u64::from(null) << index),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_fault_changes_where_another_strikes() {
        let dropped = Faults {
            dropped: 0.1,
            ..Faults::default()
        };
        let more = Faults {
            duplicate: 0.5,
            late: Some(Late {
                rate: 0.2,
                by_millis: 5_000,
            }),
            null: vec![Null {
                field: "a".into(),
                rate: 0.5,
            }],
            ..dropped.clone()
        };
        let few = Fates::new(&dropped, Seed::new(1));
        let many = Fates::new(&more, Seed::new(1));
        let mut counts = [0; 4];
        for (few, many) in few.zip(many).take(10_000) {
            assert_eq!(few.dropped, many.dropped);
            assert!(!few.duplicate && !few.late && few.null == 0);
            for (count, struck) in
                counts
                    .iter_mut()
                    .zip([many.dropped, many.duplicate, many.late, many.null == 1])
            {
                *count += i32::from(struck);
            }
            assert!(!many.out_of_order && !many.malformed && !many.tombstone);
        }
        for (count, expected) in counts.into_iter().zip([1_000, 5_000, 2_000, 5_000]) {
            assert!((count - expected).abs() < 200, "{count} for {expected}");
        }
    }
}
