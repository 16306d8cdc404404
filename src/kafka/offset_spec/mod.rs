//! Where a tail begins and ends: the grammar of `-o`.
//!
//! One grammar for what kcat, kcl, rpk and Kafka's own tools write; what it means for a partition
//! is decided by [`OffsetSpec::resolve`], without asking a broker.

mod parse;

use std::fmt;

use jiff::Timestamp;

use crate::time;

/// Where to begin and where to end, the same for every partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OffsetSpec {
    /// `None` when it was not said: see [`OffsetSpec::resolve`].
    pub from: Option<Start>,
    /// `None` follows for ever.
    pub until: Option<Stop>,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the first record that is still there.
    Beginning,
    /// After the last record that is there now.
    End,
    /// At this offset.
    Offset(i64),
    /// So many offsets before the end.
    BeforeEnd(u64),
    /// So many offsets after the beginning.
    AfterBeginning(u64),
    /// At the first record with this timestamp or a later one.
    Time(Timestamp),
    /// Where the group left off.
    Stored,
}

/// Where to end: before what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// After the last record that is there now.
    End,
    /// Before this offset.
    Offset(i64),
    /// Before the first record with this timestamp or a later one.
    Time(Timestamp),
}

/// What the broker says of one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Offset of the first record that is still there.
    pub low: i64,
    /// Offset after the last record that may be read.
    pub high: i64,
    /// Offset of the first record at or after the time of [`Start::Time`]; `None` if there is none.
    pub from_time: Option<i64>,
    /// The same for the time of [`Stop::Time`].
    pub until_time: Option<i64>,
}

/// The offsets to read of one partition, all of them there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Offset to read first.
    pub start: i64,
    /// Offset to stop before, never below `start`; `None` follows for ever.
    pub stop: Option<i64>,
}

/// Why a text says nothing about where to begin and end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OffsetError {
    /// The text is not in the grammar.
    #[error(
        "`{text}` is not an offset: expected `beginning`, `end`, `stored`, `N`, `-N` (before the \
         end), `+N` (after the beginning), a range such as `N:M`, `:end` or `-N:end`, or `@TIME`"
    )]
    NotAnOffset {
        /// As it was typed.
        text: String,
    },
    /// What stands after `@` is neither a time nor two.
    #[error(
        "`{text}` is not a time or a range of times: expected `@TIME`, `@TIME:TIME`, `@TIME:end` \
         or `@:TIME`, where TIME is {}",
        time::ACCEPTED
    )]
    NotATime {
        /// As it was typed.
        text: String,
    },
    /// The end of the range lies before its beginning.
    #[error("`{spec}` ends before it begins")]
    Backwards {
        /// The whole range.
        spec: OffsetSpec,
    },
    /// Two texts both say where to begin, or both where to end.
    #[error("`{first}` and `{second}` contradict each other")]
    SaidTwice {
        /// What was said first.
        first: OffsetSpec,
        /// What was said after it.
        second: OffsetSpec,
    },
}

impl OffsetSpec {
    /// Joins two halves that were said apart: `-o s@1 -o e@2`, `--since` and `--until`.
    ///
    /// # Errors
    /// [`OffsetError::SaidTwice`] and [`OffsetError::Backwards`].
    pub fn and(self, second: Self) -> Result<Self, OffsetError> {
        if self.from.and(second.from).is_some() || self.until.and(second.until).is_some() {
            return Err(OffsetError::SaidTwice {
                first: self,
                second,
            });
        }
        OffsetSpec {
            from: self.from.or(second.from),
            until: self.until.or(second.until),
        }
        .checked()
    }

    fn checked(self) -> Result<Self, OffsetError> {
        let backwards = match (self.from, self.until) {
            (Some(Start::Offset(from)), Some(Stop::Offset(until))) => until < from,
            (Some(Start::Time(from)), Some(Stop::Time(until))) => until < from,
            _ => false,
        };
        if backwards {
            Err(OffsetError::Backwards { spec: self })
        } else {
            Ok(self)
        }
    }

    /// Returns what to read of a partition.
    ///
    /// Nothing said means from the beginning when there is an end to reach, else from the end. A
    /// group that committed nothing begins at the beginning. Both ends are clamped to what is there
    /// now: what retention removed is skipped, a start beyond the end waits for the next record (as
    /// kcat does), and a stop beyond the end, or at a time that no record has reached, is the end
    /// (kcat's `e@` waits for ever).
    pub fn resolve(&self, known: &Known) -> Span {
        let Known { low, high, .. } = *known;
        let default = if self.until.is_some() {
            Start::Beginning
        } else {
            Start::End
        };
        let start = match self.from.unwrap_or(default) {
            // A group that has committed something is never asked: it goes on there.
            Start::Beginning | Start::Stored => low,
            Start::End => high,
            Start::Offset(offset) => offset,
            Start::BeforeEnd(count) => high.saturating_sub_unsigned(count),
            Start::AfterBeginning(count) => low.saturating_add_unsigned(count),
            Start::Time(_) => known.from_time.unwrap_or(high),
        };
        // Not `clamp`, which panics where a broker's answers are not of one moment.
        let start = start.min(high).max(low);
        let stop = self.until.map(|until| match until {
            Stop::End => high,
            Stop::Offset(offset) => offset,
            Stop::Time(_) => known.until_time.unwrap_or(high),
        });
        Span {
            start,
            stop: stop.map(|stop| stop.min(high).max(start)),
        }
    }
}

/// Writes the text that [`OffsetSpec::parse`] reads as this.
impl fmt::Display for OffsetSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            Some(Start::Beginning) => write!(formatter, "beginning")?,
            Some(Start::End) => write!(formatter, "end")?,
            Some(Start::Offset(offset)) => write!(formatter, "{offset}")?,
            Some(Start::BeforeEnd(count)) => write!(formatter, "-{count}")?,
            Some(Start::AfterBeginning(count)) => write!(formatter, "+{count}")?,
            Some(Start::Time(time)) => write!(formatter, "@{time}")?,
            Some(Start::Stored) => write!(formatter, "stored")?,
            None => {}
        }
        match self.until {
            Some(Stop::End) => write!(formatter, ":end"),
            Some(Stop::Offset(offset)) => write!(formatter, ":{offset}"),
            Some(Stop::Time(time)) => write!(formatter, ":@{time}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<OffsetSpec, OffsetError> {
        OffsetSpec::parse(text, at("2026-11-20T12:00:00Z"), &TimeZone::UTC)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_backwards_range_is_an_error() {
        assert_eq!(
            read("7:3").unwrap_err().to_string(),
            "`7:3` ends before it begins"
        );
        assert!(matches!(read("@1h:2h"), Err(OffsetError::Backwards { .. })));
        assert_eq!(
            read("s@2")
                .unwrap()
                .and(read("e@1").unwrap())
                .unwrap_err()
                .to_string(),
            "`@1970-01-01T00:00:00.002Z:@1970-01-01T00:00:00.001Z` ends before it begins"
        );
    }

    #[test]
    fn halves_are_joined_and_contradictions_refused() {
        let both = read("s@1").unwrap().and(read("e@2").unwrap());
        assert_eq!(
            both,
            read("@1970-01-01T00:00:00.001Z:1970-01-01T00:00:00.002Z")
        );
        assert_eq!(
            read("5:")
                .unwrap()
                .and(read("6:9").unwrap())
                .unwrap_err()
                .to_string(),
            "`5` and `6:9` contradict each other"
        );
        assert!(read(":5").unwrap().and(read(":end").unwrap()).is_err());
    }

    #[test]
    fn a_partition_is_read_from_start_to_stop() {
        let known = Known {
            low: 10,
            high: 50,
            from_time: Some(20),
            until_time: Some(30),
        };
        for (text, start, stop) in [
            ("beginning", 10, None),
            ("end", 50, None),
            ("stored", 10, None),
            ("25", 25, None),
            ("3", 10, None),
            ("99", 50, None),
            ("-5", 45, None),
            ("-0", 50, None),
            ("-99", 10, None),
            ("-18446744073709551615", 10, None),
            ("+5", 15, None),
            ("+18446744073709551615", 50, None),
            ("@2h", 20, None),
            (":end", 10, Some(50)),
            (":30", 10, Some(30)),
            (":3", 10, Some(10)),
            (":99", 10, Some(50)),
            ("20:30", 20, Some(30)),
            ("99:100", 50, Some(50)),
            ("-5:end", 45, Some(50)),
            ("-5:20", 45, Some(45)),
            ("@2h:1h", 20, Some(30)),
            ("@:1h", 10, Some(30)),
        ] {
            assert_eq!(
                read(text).unwrap().resolve(&known),
                Span { start, stop },
                "{text}"
            );
        }
        assert_eq!(
            OffsetSpec::default().resolve(&known),
            Span {
                start: 50,
                stop: None
            }
        );
    }

    #[test]
    fn what_the_broker_has_no_answer_for_has_a_default() {
        let known = Known {
            low: 10,
            high: 50,
            ..Known::default()
        };
        for (text, start, stop) in [
            ("@2h", 50, None),
            ("@2h:1h", 50, Some(50)),
            ("@:1h", 10, Some(50)),
        ] {
            assert_eq!(
                read(text).unwrap().resolve(&known),
                Span { start, stop },
                "{text}"
            );
        }
    }

    fn any_time() -> impl Strategy<Value = Timestamp> {
        (-377_000_000_000_000_000_i64..253_000_000_000_000_000)
            .prop_map(|microsecond| Timestamp::from_microsecond(microsecond).unwrap())
    }

    fn any_spec() -> impl Strategy<Value = OffsetSpec> {
        let start = prop_oneof![
            Just(Start::Beginning),
            Just(Start::End),
            Just(Start::Stored),
            (0..=i64::MAX).prop_map(Start::Offset),
            any::<u64>().prop_map(Start::BeforeEnd),
            any::<u64>().prop_map(Start::AfterBeginning),
            any_time().prop_map(Start::Time),
        ];
        let stop = prop_oneof![
            Just(Stop::End),
            (0..=i64::MAX).prop_map(Stop::Offset),
            any_time().prop_map(Stop::Time),
        ];
        (option::of(start), option::of(stop))
            .prop_map(|(from, until)| OffsetSpec { from, until })
            .prop_filter("says something", |spec| *spec != OffsetSpec::default())
            // `@T:5` is five seconds after the epoch: only two flags say both.
            .prop_filter("one flag says it", |spec| {
                !matches!(
                    (spec.from, spec.until),
                    (Some(Start::Time(_)), Some(Stop::Offset(_)))
                )
            })
            .prop_filter("runs forwards", |spec| spec.checked().is_ok())
    }

    proptest! {
        #[test]
        fn what_is_displayed_is_read_back(spec in any_spec()) {
            prop_assert_eq!(read(&spec.to_string()), Ok(spec));
        }

        #[test]
        fn a_span_lies_within_the_partition(
            spec in any_spec(), low in 0_i64..1000, length in 0_i64..1000,
            from_time: Option<i64>, until_time: Option<i64>,
        ) {
            let known = Known { low, high: low + length, from_time, until_time };
            let span = spec.resolve(&known);
            prop_assert!((low..=known.high).contains(&span.start));
            prop_assert_eq!(span.stop.is_some(), spec.until.is_some());
            prop_assert!(span.stop.is_none_or(|stop| (span.start..=known.high).contains(&stop)));
        }
    }
}
