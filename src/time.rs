//! Points in time and durations as users type them.

use std::time::Duration;

use jiff::civil::Time;
use jiff::fmt::friendly::{Spacing, SpanParser, SpanPrinter};
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, SpanRelativeTo, Timestamp};

/// What [`parse`] takes, for the errors of everything that takes a time.
pub(crate) const ACCEPTED: &str = "RFC 3339, a date, a local date and time, epoch seconds or \
     milliseconds, a duration before now such as `2h`, `7d` or `1h30m`, or `now`";

/// Why a text is no time or no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text has none of the forms that [`parse`] takes.
    #[error("`{text}` is not a time: expected {ACCEPTED}")]
    NotATime {
        /// As it was typed.
        text: String,
    },
    /// The text has the form of a time, but none between the years -9999 and 9999.
    #[error("`{text}` is too far away to be a time")]
    OutOfRange {
        /// As it was typed.
        text: String,
    },
    /// No time at all, where some has to pass.
    #[error("expected more than 0")]
    NoTime,
    /// The text has no form that [`parse_duration`] takes.
    #[error(
        "`{text}` is not a duration: expected numbers with units (ms s m h d w) such as `500ms`, \
         `10s` or `1h30m`, or `0`"
    )]
    NotADuration {
        /// As it was typed.
        text: String,
    },
}

/// Returns the point in time that `text` names.
///
/// It may be
/// - RFC 3339 (`2026-11-20T10:00:00Z`, a space for the `T` is fine),
/// - a date, which is its first instant in `zone` (`2026-11-20`, `20261120`),
/// - a date and time without offset, in `zone` (`2026-11-20T10:00`),
/// - a number since the epoch: seconds below 100 000 000 000 (the year 5138), milliseconds
///   from there on (since March 1973); eight digits are a date,
/// - a duration before `now`, with or without a minus (`2h`, `-2h`, `1h30m`, `2 hours ago`);
///   a day is 24 hours, so that a script means the same in every zone,
/// - `now`.
///
/// A local time that the clocks skip is the same distance after the gap, one that they repeat
/// is the earlier one (RFC 5545).
///
/// # Errors
/// [`TimeError::NotATime`] and [`TimeError::OutOfRange`].
pub fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, TimeError> {
    let out_of_range = |_| TimeError::OutOfRange { text: text.into() };
    if text == "now" {
        return Ok(now);
    }
    if text.len() != 8 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse() {
            Ok(number @ ..100_000_000_000) => Timestamp::from_second(number),
            Ok(number) => Timestamp::from_millisecond(number),
            Err(_) => return Err(TimeError::OutOfRange { text: text.into() }),
        }
        .map_err(out_of_range);
    }
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    if let Some(time) = parse_local(text, zone) {
        return time.map_err(out_of_range);
    }
    // "+2h" would be in the future, where no record is.
    if !text.starts_with('+')
        && let Some(duration) = parse_span(text)
    {
        return now.checked_sub(duration.abs()).map_err(out_of_range);
    }
    Err(TimeError::NotATime { text: text.into() })
}

/// Reads a date, or a date and time, that says nothing of its zone.
fn parse_local(text: &str, zone: &TimeZone) -> Option<Result<Timestamp, jiff::Error>> {
    let pieces = Pieces::parse(text).ok()?;
    if pieces.offset().is_some() || pieces.time_zone_annotation().is_some() {
        return None;
    }
    let time = pieces.time().unwrap_or(Time::midnight());
    Some(zone.to_timestamp(pieces.date().to_datetime(time)))
}

/// Returns the duration that `text` names: numbers with units (ms s m h d w), or `0`.
///
/// # Errors
/// [`TimeError::NotADuration`], also for a negative one.
pub fn parse_duration(text: &str) -> Result<Duration, TimeError> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    parse_span(text)
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| TimeError::NotADuration { text: text.into() })
}

/// Returns how many times a second, of `100/s`, `90/m`, `1000/h` or a bare number.
///
/// # Errors
/// [`RateError`], also for less than one in about eleven days.
pub fn parse_rate(text: &str) -> Result<f64, RateError> {
    let (number, seconds) = match text.rsplit_once('/') {
        None => (text, 1.0),
        Some((number, "s")) => (number, 1.0),
        Some((number, "m")) => (number, 60.0),
        Some((number, "h")) => (number, 3600.0),
        Some(_) => return Err(RateError),
    };
    let rate = number.trim().parse::<f64>().map_err(|_| RateError)? / seconds;
    if rate.is_finite() && rate > 1e-6 {
        Ok(rate)
    } else {
        Err(RateError)
    }
}

/// Says how a rate looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected records a second, minute or hour, such as `100/s`")]
pub struct RateError;

/// Returns `duration` in a form that [`parse_duration`] takes: `1m30s`.
pub fn in_words(duration: Duration) -> String {
    let printer = SpanPrinter::new().spacing(Spacing::None);
    printer.unsigned_duration_to_string(&duration)
}

/// Returns how old something is, in its largest unit alone: `3d`, `5h`, `12m`, `40s`.
pub fn roughly(age: Duration) -> String {
    let seconds = age.as_secs();
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let unit = units.iter().find(|(size, _)| seconds >= *size);
    match unit {
        Some((size, unit)) => format!("{}{unit}", seconds / size),
        None => format!("{seconds}s"),
    }
}

/// Returns the duration that `text` names, for what lasts or comes again.
///
/// # Errors
/// As [`parse_duration`], and [`TimeError::NoTime`].
pub fn parse_interval(text: &str) -> Result<Duration, TimeError> {
    match parse_duration(text)? {
        Duration::ZERO => Err(TimeError::NoTime),
        interval => Ok(interval),
    }
}

fn parse_span(text: &str) -> Option<SignedDuration> {
    // jiff also reads "10:30:00" as ten and a half hours; here it looks like a time of day.
    if text.contains(':') {
        return None;
    }
    let span = SpanParser::new().parse_span(text).ok()?;
    // Refuses months and years, whose length depends on the calendar.
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

#[cfg(test)]
mod tests {
    use jiff::tz;
    use proptest::prelude::*;

    use super::*;

    const NOW: &str = "2026-11-20T12:00:00Z";

    fn zone() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn read(text: &str) -> Result<String, TimeError> {
        parse(text, NOW.parse().unwrap(), &zone()).map(|time| time.to_string())
    }

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        for (seconds, words) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (7199, "1h"),
            (86_399, "23h"),
            (200_000, "2d"),
        ] {
            assert_eq!(roughly(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn every_form_of_a_time_is_read() {
        for (text, expected) in [
            ("now", NOW),
            ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"),
            ("2026-11-20t10:00:00.125+02:00", "2026-11-20T08:00:00.125Z"),
            ("2026-11-20 10:00:00Z", "2026-11-20T10:00:00Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("2026-07-01", "2026-06-30T22:00:00Z"),
            ("20261120", "2026-11-19T23:00:00Z"),
            ("2026-11-20T10:00", "2026-11-20T09:00:00Z"),
            ("2026-11-20 10:00:30", "2026-11-20T09:00:30Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("1763668800", "2025-11-20T20:00:00Z"),
            ("1763668800123", "2025-11-20T20:00:00.123Z"),
            ("99999999999", "5138-11-16T09:46:39Z"),
            ("100000000000", "1973-03-03T09:46:40Z"),
            ("2h", "2026-11-20T10:00:00Z"),
            ("-2h", "2026-11-20T10:00:00Z"),
            ("2 hours ago", "2026-11-20T10:00:00Z"),
            ("1h30m", "2026-11-20T10:30:00Z"),
            ("500ms", "2026-11-20T11:59:59.5Z"),
            ("30s", "2026-11-20T11:59:30Z"),
            ("7d", "2026-11-13T12:00:00Z"),
            ("1w", "2026-11-13T12:00:00Z"),
            // Across the end of summer time a day still has 24 hours.
            ("-30d", "2026-10-21T12:00:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_local_time_that_the_clocks_skip_moves_past_the_gap() {
        assert_eq!(read("2026-03-29T02:30").unwrap(), "2026-03-29T01:30:00Z");
        assert_eq!(read("2026-10-25T02:30").unwrap(), "2026-10-25T00:30:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused_with_what_is_accepted() {
        for text in [
            "",
            "yesterday",
            "-",
            "-5",
            "+2h",
            "10:30:00",
            "1mo",
            "1y",
            "2026-13-01",
            "99999999",
            "2026-11-20T10:00[Europe/Berlin]",
            "2026-11-20T25:00",
            " 2h",
            // Beyond the calendar in UTC; without its offset it would be within.
            "9999-12-31T23:00:00-20:00",
        ] {
            let error = read(text).expect_err(text);
            assert!(matches!(error, TimeError::NotATime { .. }), "{text}");
            assert!(error.to_string().contains("RFC 3339"));
        }
    }

    #[test]
    fn a_time_beyond_the_calendar_is_out_of_range() {
        for text in ["1763668800123000000", "99999999999999999999", "999999w"] {
            assert_eq!(read(text), Err(TimeError::OutOfRange { text: text.into() }));
        }
    }

    #[test]
    fn durations_are_read_and_others_refused() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("10s", 10_000),
            ("1.5s", 1_500),
            ("250ms", 250),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("1w", 604_800_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in ["", "10", "-10s", "10 parsecs", "1mo", "00:10:00", "10s ago"] {
            let error = parse_duration(text).expect_err(text);
            assert!(error.to_string().contains("1h30m"), "{error}");
        }
    }

    #[test]
    fn a_duration_in_words_is_read_back() {
        for (text, seconds) in [("30s", 30), ("1m30s", 90), ("2h", 7200)] {
            assert_eq!(in_words(Duration::from_secs(seconds)), text);
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)));
        }
        assert_eq!(in_words(Duration::from_millis(250)), "250ms");
    }

    proptest! {
        #[test]
        fn a_printed_timestamp_is_read_back(
            microsecond in -377_000_000_000_000_000_i64..253_000_000_000_000_000,
        ) {
            let time = Timestamp::from_microsecond(microsecond).unwrap();
            let zone = TimeZone::fixed(tz::offset(-5));
            let local = time.to_zoned(zone.clone()).datetime();
            prop_assert_eq!(parse(&time.to_string(), NOW.parse().unwrap(), &TimeZone::UTC), Ok(time));
            prop_assert_eq!(parse(&local.to_string(), NOW.parse().unwrap(), &zone), Ok(time));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse(&text, Timestamp::MIN, &TimeZone::UTC);
            let _ = parse_duration(&text);
        }
    }
}
