//! The grammar of `-o`, from text.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{OffsetError, OffsetSpec, Start, Stop};
use crate::time;

impl OffsetSpec {
    /// Reads the grammar of `-o`; times are those of [`time::parse`].
    ///
    /// | text | begins | ends |
    /// |---|---|---|
    /// | `beginning` `earliest` `oldest` `start` | at the first record | |
    /// | `end` `latest` `newest` | after the last record | |
    /// | `stored` | where the group left off | |
    /// | `N` `-N` `+N` | at N, N before the end, N after the beginning | |
    /// | `@TIME`, `s@MS` (kcat) | at the first record not older | |
    /// | `:end` `:M` `:@TIME` `@:TIME`, `e@MS` (kcat) | where it was not said | before it |
    /// | `FROM:UNTIL`, such as `N:M` `-N:end` `@T1:T2` `@T1:end` | at FROM | before UNTIL |
    ///
    /// # Errors
    /// Every [`OffsetError`] but [`OffsetError::SaidTwice`].
    pub fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Self, OffsetError> {
        let time = |text: &str| time::parse(text, now, zone).ok();
        if let Some(times) = text.strip_prefix('@') {
            return parse_times(times, time)
                .ok_or_else(|| OffsetError::NotATime { text: text.into() })?
                .checked();
        }
        let (from, until) = if let Some(millis) = text.strip_prefix("s@") {
            (parse_millis(millis).map(Start::Time), None)
        } else if let Some(millis) = text.strip_prefix("e@") {
            (None, parse_millis(millis).map(Stop::Time))
        } else if let Some((from, until)) = text.split_once(':') {
            let stop = match until.strip_prefix('@') {
                Some(until) => time(until).map(Stop::Time),
                None => parse_stop(until),
            };
            let start = parse_start(from);
            if (start.is_none() && !from.is_empty()) || (stop.is_none() && !until.is_empty()) {
                return Err(OffsetError::NotAnOffset { text: text.into() });
            }
            (start, stop)
        } else {
            (parse_start(text), None)
        };
        if from.is_none() && until.is_none() {
            return Err(OffsetError::NotAnOffset { text: text.into() });
        }
        OffsetSpec { from, until }.checked()
    }
}

fn parse_start(text: &str) -> Option<Start> {
    Some(match text {
        "beginning" | "earliest" | "oldest" | "start" => Start::Beginning,
        "end" | "latest" | "newest" => Start::End,
        "stored" => Start::Stored,
        _ => {
            if let Some(count) = text.strip_prefix('-') {
                Start::BeforeEnd(parse_number(count)?)
            } else if let Some(count) = text.strip_prefix('+') {
                Start::AfterBeginning(parse_number(count)?)
            } else {
                Start::Offset(parse_number(text)?)
            }
        }
    })
}

fn parse_stop(text: &str) -> Option<Stop> {
    match text {
        "end" | "latest" | "newest" => Some(Stop::End),
        _ => parse_number(text).map(Stop::Offset),
    }
}

/// Reads digits alone: `str::parse` would take a sign, and `--5` be five before the end.
fn parse_number<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn parse_millis(text: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(parse_number(text)?).ok()
}

/// Reads what stands after `@`. Times contain colons themselves, so every colon is tried; no text
/// splits in two ways, because no time begins with the rest of another.
fn parse_times(text: &str, time: impl Fn(&str) -> Option<Timestamp>) -> Option<OffsetSpec> {
    if let Some(from) = time(text) {
        return Some(OffsetSpec {
            from: Some(Start::Time(from)),
            until: None,
        });
    }
    text.rmatch_indices(':').find_map(|(index, _)| {
        let (from, until) = (&text[..index], &text[index + 1..]);
        let spec = OffsetSpec {
            from: if from.is_empty() {
                None
            } else {
                Some(Start::Time(time(from)?))
            },
            until: match until.strip_prefix('@').unwrap_or(until) {
                "" => None,
                "end" | "latest" | "newest" => Some(Stop::End),
                until => Some(Stop::Time(time(until)?)),
            },
        };
        (spec != OffsetSpec::default()).then_some(spec)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<OffsetSpec, OffsetError> {
        OffsetSpec::parse(text, at("2026-11-20T12:00:00Z"), &TimeZone::UTC)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn spec(from: impl Into<Option<Start>>, until: impl Into<Option<Stop>>) -> OffsetSpec {
        OffsetSpec {
            from: from.into(),
            until: until.into(),
        }
    }

    #[test]
    fn every_form_without_a_time_is_read() {
        for (text, expected) in [
            ("beginning", spec(Start::Beginning, None)),
            ("earliest", spec(Start::Beginning, None)),
            ("oldest", spec(Start::Beginning, None)),
            ("start", spec(Start::Beginning, None)),
            ("end", spec(Start::End, None)),
            ("latest", spec(Start::End, None)),
            ("newest", spec(Start::End, None)),
            ("stored", spec(Start::Stored, None)),
            ("0", spec(Start::Offset(0), None)),
            ("9223372036854775807", spec(Start::Offset(i64::MAX), None)),
            ("-5", spec(Start::BeforeEnd(5), None)),
            ("+5", spec(Start::AfterBeginning(5), None)),
            ("3:7", spec(Start::Offset(3), Stop::Offset(7))),
            ("3:3", spec(Start::Offset(3), Stop::Offset(3))),
            ("3:", spec(Start::Offset(3), None)),
            (":7", spec(None, Stop::Offset(7))),
            (":end", spec(None, Stop::End)),
            (":latest", spec(None, Stop::End)),
            ("3:end", spec(Start::Offset(3), Stop::End)),
            ("-5:end", spec(Start::BeforeEnd(5), Stop::End)),
            ("+5:9", spec(Start::AfterBeginning(5), Stop::Offset(9))),
            ("stored:end", spec(Start::Stored, Stop::End)),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn every_form_with_a_time_is_read() {
        let (ten, eleven) = (at("2026-11-20T10:00:00Z"), at("2026-11-20T11:00:00Z"));
        let (from, until) = (Start::Time(ten), Stop::Time(eleven));
        for (text, expected) in [
            ("@2026-11-20T10:00:00Z", spec(from, None)),
            (
                "@2026-11-20T10:00:00Z:2026-11-20T11:00:00Z",
                spec(from, until),
            ),
            (
                "@2026-11-20T10:00:00Z:@2026-11-20T11:00:00Z",
                spec(from, until),
            ),
            (
                "@2026-11-20T12:00+02:00:2026-11-20T13:00+02:00",
                spec(from, until),
            ),
            ("@2026-11-20T10:00:2026-11-20T11:00", spec(from, until)),
            ("@2026-11-20 10:00:1795172400000", spec(from, until)),
            ("@2026-11-20T10:00:1h", spec(from, until)),
            ("@-2h:-1h", spec(from, until)),
            ("@2h:1h", spec(from, until)),
            (
                "@-2h:now",
                spec(from, Stop::Time(at("2026-11-20T12:00:00Z"))),
            ),
            ("@-2h:", spec(from, None)),
            ("@2026-11-20T10:00:", spec(from, None)),
            ("@:-1h", spec(None, until)),
            ("@:2026-11-20T11:00:00Z", spec(None, until)),
            ("@-2h:end", spec(from, Stop::End)),
            ("@2026-11-20T10:00:00Z:end", spec(from, Stop::End)),
            ("@:end", spec(None, Stop::End)),
            (":@-1h", spec(None, until)),
            ("7:@2026-11-20T11:00:00Z", spec(Start::Offset(7), until)),
            ("s@1795168800000", spec(from, None)),
            ("e@1795172400000", spec(None, until)),
            (
                "s@5",
                spec(Start::Time(at("1970-01-01T00:00:00.005Z")), None),
            ),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_in_the_grammar_is_quoted_and_answered_with_the_grammar() {
        for text in [
            "",
            ":",
            "first",
            "--5",
            "-+5",
            "5:-1",
            "5:x",
            "x:5",
            "1:2:3",
            "5:stored",
            "e@",
            "s@x",
            "s@-1",
            "9223372036854775808",
            "end-5",
            "5 ",
            ":@tomorrow",
        ] {
            let error = read(text).expect_err(text);
            assert_eq!(error, OffsetError::NotAnOffset { text: text.into() });
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("`{text}` is not an offset: "))
            );
        }
        for text in [
            "@",
            "@:",
            "@tomorrow",
            "@-2h:tomorrow",
            "@end",
            "@1h:2h:3h",
            "@beginning:1h",
        ] {
            let error = read(text).expect_err(text);
            assert_eq!(error, OffsetError::NotATime { text: text.into() });
            assert!(error.to_string().contains("RFC 3339"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[@:se+-]?.*") {
            let _ = read(&text);
        }
    }
}
