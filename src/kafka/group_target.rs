//! Where a group is to go on: the grammar of `group reset --to`, and what it means for a partition.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use thiserror::Error;

use crate::time::{self, TimeError};

/// Where a group is to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The first record that is still there.
    Earliest,
    /// The end, past open transactions, as Kafka's own tool takes it.
    Latest,
    Offset(i64),
    /// So far from where the group is: Kafka's own `--shift-by`.
    Shift(i64),
    /// The first record at or after this time, or the end.
    Time(Timestamp),
    /// Where another group is.
    Group(String),
}

/// Why a text is no [`Target`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    #[error("`{text}` is too large for an offset")]
    TooLarge { text: String },
    #[error(transparent)]
    Time(#[from] TimeError),
    #[error("nothing says where to: expected earliest, latest, N, +N, -N, @TIME or a group")]
    Empty,
}

/// What the broker says of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Offset of the first record that is still there.
    pub low: i64,
    /// The high watermark.
    pub high: i64,
}

impl Target {
    /// Reads what was typed; anything that is none of the other forms is a group's name.
    pub fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Self, TargetError> {
        let number = |text: &str| {
            i64::from_str(text).map_err(|_| TargetError::TooLarge {
                text: text.to_owned(),
            })
        };
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        Ok(match text {
            "" => return Err(TargetError::Empty),
            "earliest" | "beginning" | "start" => Self::Earliest,
            "latest" | "end" => Self::Latest,
            _ => {
                if let Some(time) = text.strip_prefix('@') {
                    Self::Time(time::parse(time, now, zone)?)
                } else if is_number(text) {
                    Self::Offset(number(text)?)
                } else if text.strip_prefix(['+', '-']).is_some_and(is_number) {
                    Self::Shift(number(text)?)
                } else {
                    Self::Group(text.to_owned())
                }
            }
        })
    }

    /// The offset in a partition with these `bounds`, never outside them; `None` where nothing says.
    ///
    /// `current` is where the group is; `found` what was looked up for the target: the offset at
    /// the time, or of the other group.
    pub fn resolve(&self, bounds: Bounds, current: Option<i64>, found: Option<i64>) -> Option<i64> {
        let offset = match self {
            Self::Earliest => bounds.low,
            Self::Latest => bounds.high,
            Self::Offset(offset) => *offset,
            Self::Shift(by) => current?.saturating_add(*by),
            Self::Time(_) => found.unwrap_or(bounds.high),
            Self::Group(_) => found?,
        };
        Some(offset.min(bounds.high).max(bounds.low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Target, TargetError> {
        Target::parse(
            text,
            "2026-11-20T12:00:00Z".parse().unwrap(),
            &TimeZone::UTC,
        )
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(parse("earliest"), Ok(Target::Earliest));
        assert_eq!(parse("end"), Ok(Target::Latest));
        assert_eq!(parse("17"), Ok(Target::Offset(17)));
        assert_eq!(parse("+5"), Ok(Target::Shift(5)));
        assert_eq!(parse("-5"), Ok(Target::Shift(-5)));
        assert_eq!(
            parse("@2h"),
            Ok(Target::Time("2026-11-20T10:00:00Z".parse().unwrap()))
        );
        assert_eq!(parse("billing-2"), Ok(Target::Group("billing-2".into())));
        assert_eq!(parse("-x"), Ok(Target::Group("-x".into())));
    }

    #[test]
    fn what_says_no_place_is_refused() {
        assert_eq!(parse(""), Err(TargetError::Empty));
        assert!(matches!(
            parse("99999999999999999999"),
            Err(TargetError::TooLarge { .. })
        ));
        assert!(matches!(parse("@yesterday"), Err(TargetError::Time(_))));
    }

    #[test]
    fn an_offset_stays_within_what_is_there() {
        let bounds = Bounds { low: 10, high: 20 };
        let at = |target: Target, current, found| target.resolve(bounds, current, found);
        assert_eq!(at(Target::Earliest, None, None), Some(10));
        assert_eq!(at(Target::Latest, None, None), Some(20));
        assert_eq!(at(Target::Offset(3), None, None), Some(10));
        assert_eq!(at(Target::Offset(30), None, None), Some(20));
        assert_eq!(at(Target::Shift(-2), Some(15), None), Some(13));
        assert_eq!(at(Target::Shift(i64::MIN), Some(-1), None), Some(10));
        assert_eq!(at(Target::Shift(1), None, None), None);
        let time = Target::Time(Timestamp::UNIX_EPOCH);
        assert_eq!(at(time.clone(), None, Some(12)), Some(12));
        assert_eq!(at(time, None, None), Some(20));
        assert_eq!(at(Target::Group("g".into()), Some(11), None), None);
    }
}
