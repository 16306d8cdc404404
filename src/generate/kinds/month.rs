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
