//! A stretch of event time, such as the five minutes that cron has to fill.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, SpanRelativeTo, Timestamp};

use super::Moment;
use crate::time::{self, TimeError};

/// From its first moment up to, and without, its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Where it begins.
    pub start: Moment,
    /// Where it ends; later than its start.
    pub end: Moment,
}

/// Why a text is no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Neither a length nor a start and a length.
    #[error(
        "`{text}` is not a window: expected a length such as `5m`, or TIME/LENGTH such as \
         `2026-11-20T10:00/PT1H`"
    )]
    NotAWindow {
        /// As it was typed.
        text: String,
    },
    /// What stands before the slash is no time.
    #[error(transparent)]
    Time(#[from] TimeError),
}

impl Window {
    /// Returns the window that `text` names: the last complete one of a length, counted from the
    /// epoch in UTC (`5m`, `PT5M`), or one that begins at a time (`2026-11-20T10:00/PT1H`), in UTC
    /// unless the time says otherwise.
    ///
    /// # Errors
    /// [`WindowError`]
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, WindowError> {
        let not_a_window = || WindowError::NotAWindow { text: text.into() };
        let (start, length) = match text.split_once('/') {
            Some((start, length)) => (Some(start), length),
            None => (None, text),
        };
        let length = parse_length(length).ok_or_else(not_a_window)?;
        let start = match start {
            Some(start) => Moment::from(time::parse(start, now, &TimeZone::UTC)?).micros(),
            None => (now.as_microsecond().div_euclid(length) - 1)
                .checked_mul(length)
                .ok_or_else(not_a_window)?,
        };
        Ok(Self {
            start: Moment::from_micros(start),
            end: Moment::from_micros(start.checked_add(length).ok_or_else(not_a_window)?),
        })
    }
}

/// Reads `5m` or, as in ISO 8601, `PT5M`; microseconds, and at least one.
fn parse_length(text: &str) -> Option<i64> {
    let length = if text.starts_with(['P', 'p']) {
        let span: jiff::Span = text.parse().ok()?;
        let length: SignedDuration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
        Duration::try_from(length).ok()?
    } else {
        time::parse_duration(text).ok()?
    };
    i64::try_from(length.as_micros())
        .ok()
        .filter(|length| *length > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, now: &str) -> Result<(String, String), WindowError> {
        let window = Window::parse(text, now.parse().unwrap())?;
        let text = |moment: Moment| {
            Timestamp::from_microsecond(moment.micros())
                .unwrap()
                .to_string()
        };
        Ok((text(window.start), text(window.end)))
    }

    #[test]
    fn a_length_is_the_last_complete_window_of_it() {
        for (length, now, start, end) in [
            (
                "5m",
                "2026-11-20T10:07:30Z",
                "2026-11-20T10:00:00Z",
                "2026-11-20T10:05:00Z",
            ),
            (
                "5m",
                "2026-11-20T10:05:00Z",
                "2026-11-20T10:00:00Z",
                "2026-11-20T10:05:00Z",
            ),
            (
                "5m",
                "2026-11-20T10:04:59Z",
                "2026-11-20T09:55:00Z",
                "2026-11-20T10:00:00Z",
            ),
            (
                "PT1H",
                "2026-11-20T10:05:00+01:00",
                "2026-11-20T08:00:00Z",
                "2026-11-20T09:00:00Z",
            ),
            (
                "1d",
                "2026-11-20T23:59:00Z",
                "2026-11-19T00:00:00Z",
                "2026-11-20T00:00:00Z",
            ),
        ] {
            let expected = Ok((start.to_owned(), end.to_owned()));
            assert_eq!(read(length, now), expected, "{length} at {now}");
        }
    }

    #[test]
    fn a_start_and_a_length_are_that_window() {
        for text in [
            "2026-11-20T10:00/PT1H",
            "2026-11-20T10:00/1h",
            "2026-11-20T11:00:00+01:00/PT60M",
        ] {
            let expected = Ok(("2026-11-20T10:00:00Z".into(), "2026-11-20T11:00:00Z".into()));
            assert_eq!(read(text, "2026-12-01T00:00:00Z"), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "0",
            "5",
            "P1M",
            "-PT5M",
            "2026-11-20T10:00/",
            "/PT1H",
            "x/PT1H",
            "PT0S",
        ] {
            read(text, "2026-12-01T00:00:00Z").expect_err(text);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*", now in -300_000_000_000_i64..250_000_000_000) {
            let _ = Window::parse(&text, Timestamp::from_second(now).unwrap());
        }
    }
}
