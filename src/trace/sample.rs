//! Which messages are traced when not all are.

use std::str::FromStr;

/// A share of all messages, which every program chooses alike because the id alone decides.
///
/// The id's bytes go through 64-bit FNV-1a, the result through `MurmurHash3`'s finalizer; a
/// message belongs to the share when the outcome, as a part of 2⁶⁴, is below it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Outcomes below it are in; `None` is everything.
    below: Option<u64>,
}

/// Why a text is no share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a share from 0 to 1, such as 0.01")]
pub struct SampleError;

impl Sample {
    /// All messages.
    pub const ALL: Self = Self { below: None };

    /// Whether the message with this id is in the share.
    pub fn holds(self, id: &str) -> bool {
        self.below.is_none_or(|below| hash(id.as_bytes()) < below)
    }
}

impl FromStr for Sample {
    type Err = SampleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let share: f64 = text.parse().map_err(|_| SampleError)?;
        if !(0.0..=1.0).contains(&share) {
            return Err(SampleError);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share below 1 of 2^64 fits"
        )]
        let below = (share < 1.0).then(|| (share * 2_f64.powi(64)) as u64);
        Ok(Self { below })
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // FNV alone leaves its high bits alike for ids that differ at their end.
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(text: &str) -> Sample {
        text.parse().unwrap()
    }

    #[test]
    fn nothing_and_everything_are_shares_too() {
        assert!(!share("0").holds("a"));
        assert!(share("1").holds("a") && share("1.0").holds(""));
        assert_eq!(share("1"), Sample::ALL);
        for text in ["-0.1", "1.1", "1%", "", "NaN", "inf"] {
            assert_eq!(text.parse::<Sample>(), Err(SampleError), "{text}");
        }
    }

    #[test]
    fn the_share_is_about_what_was_asked_for() {
        let tenth = share("0.1");
        let held = (0..10_000)
            .filter(|number| tenth.holds(&format!("message-{number}")))
            .count();
        assert!((900..1100).contains(&held), "{held}");
    }

    #[test]
    fn other_programs_may_count_on_the_choice() {
        // FNV-1a of "a" is 0xaf63dc4c8601ec8c (its authors' test vector).
        assert_eq!(hash(b"a"), 0x82a2_a958_a9be_ce5b);
    }

    proptest! {
        #[test]
        fn a_larger_share_holds_all_of_a_smaller_one(
            id in any::<String>(), one in 0.0..=1.0_f64, other in 0.0..=1.0_f64,
        ) {
            let (small, large) = (one.min(other), one.max(other));
            let holds = |share: f64| share.to_string().parse::<Sample>().unwrap().holds(&id);
            prop_assert!(!holds(small) || holds(large));
        }
    }
}
