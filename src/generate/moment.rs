//! Points in event time: microseconds since the epoch, and how people and curves see them.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A point in event time, in microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Moment(i64);

impl Moment {
    /// Returns the moment so many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Returns the milliseconds since the epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Returns how long after `earlier` this is, in seconds; negative when it is before.
    #[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e6
    }

    /// Returns the time of day in UTC, from 0 at midnight to just under 24.
    #[expect(clippy::cast_precision_loss, reason = "a day has few microseconds")]
    pub fn hour(self) -> f64 {
        self.0.rem_euclid(DAY) as f64 / 3.6e9
    }

    /// Returns the place in the mean solar year, from 0 (about 1 January) to just under 1.
    #[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
    pub fn year_fraction(self) -> f64 {
        const YEAR: i64 = 31_556_952 * SECOND;
        self.0.rem_euclid(YEAR) as f64 / YEAR as f64
    }

    /// Returns the moment `duration` later, at most the end of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// Returns the moment `duration` earlier, at least the beginning of time.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }
}

impl From<Timestamp> for Moment {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.as_microsecond())
    }
}

/// Writes moments as RFC 3339 in UTC with six digits; remembers the second it wrote last.
#[derive(Debug, Default)]
pub(super) struct Rfc3339 {
    second: Option<i64>,
    text: Vec<u8>,
}

impl Rfc3339 {
    /// Appends `2026-11-20T10:00:00.123456Z`; what lies beyond the calendar stops at its edge.
    pub(super) fn write(&mut self, moment: Moment, out: &mut Vec<u8>) {
        let second = moment.0.div_euclid(SECOND);
        if self.second != Some(second) {
            let edge = if second < 0 {
                Timestamp::MIN
            } else {
                Timestamp::MAX
            };
            let time = Timestamp::from_second(second).unwrap_or(edge);
            self.text.clear();
            self.text
                .extend_from_slice(time.strftime("%Y-%m-%dT%H:%M:%S.").to_string().as_bytes());
            self.second = Some(second);
        }
        out.extend_from_slice(&self.text);
        let mut digits = *b"000000Z";
        let mut fraction = moment.0.rem_euclid(SECOND);
        for digit in digits[..6].iter_mut().rev() {
            *digit += u8::try_from(fraction % 10).unwrap_or_default();
            fraction /= 10;
        }
        out.extend_from_slice(&digits);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(micros: i64) -> String {
        let mut out = Vec::new();
        Rfc3339::default().write(Moment(micros), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_time_of_day_and_of_year_follow_utc() {
        let moment = Moment::from("2026-07-02T15:30:00Z".parse::<Timestamp>().unwrap());
        assert!((moment.hour() - 15.5).abs() < 1e-9);
        assert!((moment.year_fraction() - 0.5).abs() < 0.005);
        let before = Moment::from("1969-12-31T23:00:00Z".parse::<Timestamp>().unwrap());
        assert!((before.hour() - 23.0).abs() < 1e-9);
    }

    #[test]
    fn no_moment_is_beyond_writing() {
        assert!(text(i64::MAX).starts_with("9999-12-30T22:00:00."));
        assert!(text(i64::MIN).ends_with('Z'));
    }

    proptest! {
        #[test]
        fn what_is_written_is_the_moment(
            micros in prop::collection::vec(-62_000_000_000_000_000_i64..253_000_000_000_000_000, 1..5),
        ) {
            let mut format = Rfc3339::default();
            for micros in micros {
                for near in [micros, micros + 1] {
                    let mut out = Vec::new();
                    format.write(Moment(near), &mut out);
                    let read: Timestamp = str::from_utf8(&out).unwrap().parse().unwrap();
                    prop_assert_eq!(read.as_microsecond(), near);
                    prop_assert_eq!(out.len(), 27);
                }
            }
        }
    }
}
