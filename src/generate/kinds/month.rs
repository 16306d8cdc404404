//! Months, in which cards expire.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::generate::Moment;

/// A month, counted from January of year 0; shown as in `2029-04`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Month(i32);

impl Month {
    /// For how many months a card is valid.
    const VALIDITY: i32 = 48;

    /// Returns when a card that is valid at `at` expires; `bits` tell cards apart.
    pub(super) fn of_expiry(at: Moment, bits: u64) -> Self {
        let now = jiff::Timestamp::from_microsecond(at.micros())
            .unwrap_or(jiff::Timestamp::MAX)
            .to_zoned(jiff::tz::TimeZone::UTC);
        let month = i32::from(now.year()) * 12 + i32::from(now.month()) - 1;
        let phase = i32::from(bits.to_le_bytes()[0]) % Self::VALIDITY;
        Self(month + (phase - month).rem_euclid(Self::VALIDITY))
    }

    /// Returns when the card before this one expired.
    pub(super) fn of_card_before(self) -> Self {
        Self(self.0 - Self::VALIDITY)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month) = (self.0.div_euclid(12), self.0.rem_euclid(12) + 1);
        write!(formatter, "{year:04}-{month:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_valid_for_less_than_four_years_and_the_one_before_it_is_not() {
        let now = Moment::from("2026-11-20T10:00:00Z".parse::<jiff::Timestamp>().unwrap());
        for bits in 0..256 {
            let expiry = Month::of_expiry(now, bits).to_string();
            assert!(
                ("2026-11"..="2030-10").contains(&expiry.as_str()),
                "{expiry}"
            );
            let before = Month::of_expiry(now, bits).of_card_before().to_string();
            assert!(
                ("2022-11"..="2026-10").contains(&before.as_str()),
                "{before}"
            );
        }
        assert_eq!(Month::of_expiry(now, 0).to_string(), "2028-01");
    }
}
