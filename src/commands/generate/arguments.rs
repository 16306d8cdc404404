//! What can be asked of a run.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::commands::registry::RegistryArgs;
use crate::generate::{Late, Null};
use crate::time;

#[derive(clap::Args, Debug)]
pub(super) struct RunArgs {
    /// What to generate: a name of `kpipe generate list`
    pub(super) kind: Option<String>,

    /// Generate a kind of your own, described in TOML (see `kpipe help generate`)
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["kind", "active"],
        help_heading = "What"
    )]
    pub(super) spec: Option<PathBuf>,

    /// Generate for every ACTIVE topic of the registry, followed as they come and go
    ///
    /// The kind is that of the request's `--type`, else of a word in the topic's name, else
    /// general events.
    #[arg(
        long,
        conflicts_with_all = ["kind", "window", "start", "topic", "state"],
        help_heading = "Topics by approval"
    )]
    pub(super) active: bool,

    /// Make a record for a random topic so often [default: 0.5s..1.5s]
    #[arg(
        long,
        value_name = "DURATION..DURATION",
        value_parser = parse_every,
        requires = "active",
        conflicts_with_all = ["rate", "kind"],
        help_heading = "Topics by approval"
    )]
    pub(super) every: Option<(f64, f64)>,

    #[command(flatten)]
    pub(super) registry: RegistryArgs,

    /// Stop after COUNT events
    #[arg(short = 'n', long, value_name = "COUNT", help_heading = "How much")]
    pub(super) count: Option<u64>,

    /// Stop after so much event time
    #[arg(
        long = "for",
        value_name = "DURATION",
        value_parser = time::parse_duration,
        conflicts_with = "until",
        help_heading = "How much"
    )]
    pub(super) duration: Option<Duration>,

    /// Stop when event time reaches this
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help_heading = "How much"
    )]
    pub(super) until: Option<String>,

    /// Fill a window: `5m` is the last complete one in UTC, `2026-11-20T10:00/PT1H` that one
    ///
    /// The same window has the same events and ids every time, whoever asks, unless the seed
    /// differs (0 here if none is given). With a rate it has so many, all written at once.
    #[arg(
        long,
        value_name = "WINDOW",
        conflicts_with_all = ["duration", "until", "start"],
        help_heading = "How much"
    )]
    pub(super) window: Option<String>,

    /// Write so many a second, in real time: 50/s, 90/m
    #[arg(
        long,
        value_name = "RATE",
        value_parser = time::parse_rate,
        help_heading = "When"
    )]
    pub(super) rate: Option<f64>,

    /// How the records of a rate come
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "HOW",
        requires = "rate",
        help_heading = "When"
    )]
    pub(super) arrival: Arrival,

    /// How the pace changes over the day
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "HOW",
        help_heading = "When"
    )]
    pub(super) shape: Shape,

    /// Where event time begins [default: now with a rate, else so that all has happened by now]
    ///
    /// A date alone is midnight of the local zone: other events in another zone, where
    /// `2026-11-20T00:00:00Z` has the same. Kafka deletes by the times of records: those of last week
    /// need `retention.ms=-1` on their topic, or `kpipe send --now`.
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help_heading = "When"
    )]
    pub(super) start: Option<String>,

    /// How many sensors, customers … there are [default: see `kpipe generate list`]
    #[arg(
        long,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
        help_heading = "What"
    )]
    pub(super) entities: Option<u32>,

    /// Fill each value up to this size with a field `padding`: 1KiB
    #[arg(long, value_name = "SIZE", value_parser = parse_size, help_heading = "What")]
    pub(super) size: Option<usize>,

    /// Name this topic in each line
    #[arg(long, value_name = "NAME", value_parser = parse_topic, help_heading = "What")]
    pub(super) topic: Option<String>,

    /// Repeat a run [default: any; 0 with --window]
    #[arg(long, value_name = "NUMBER", help_heading = "What")]
    pub(super) seed: Option<u64>,

    /// Go on where the last run with this file ended, and keep in it where this one ends
    #[arg(long, value_name = "FILE", help_heading = "For cron")]
    pub(super) state: Option<PathBuf>,

    /// Do not run while another run holds this lock (status 3)
    #[arg(long, value_name = "NAME", help_heading = "For cron")]
    pub(super) lock: Option<String>,

    #[command(flatten)]
    pub(super) faults: FaultArgs,

    /// Write what was made to FILE, for `kpipe generate verify`
    #[arg(long, value_name = "FILE", help_heading = "To check")]
    pub(super) manifest: Option<PathBuf>,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "What goes wrong")]
pub(super) struct FaultArgs {
    /// Write this share twice
    #[arg(long = "dup", value_name = "RATE", value_parser = parse_probability)]
    pub(super) duplicate: Option<f64>,

    /// Leave this share out
    #[arg(long = "drop", value_name = "RATE", value_parser = parse_probability)]
    pub(super) dropped: Option<f64>,

    /// Write this share so much later, in event time: 1%:5s
    #[arg(long, value_name = "RATE:DURATION", value_parser = parse_late)]
    pub(super) late: Option<Late>,

    /// Write this share after the next record of the same entity
    #[arg(long = "ooo", value_name = "RATE", value_parser = parse_probability)]
    pub(super) out_of_order: Option<f64>,

    /// Make the values of this share something that is not JSON
    #[arg(long, value_name = "RATE", value_parser = parse_probability)]
    pub(super) malformed: Option<f64>,

    /// Make the values of this share null
    #[arg(long, value_name = "RATE", value_parser = parse_probability)]
    pub(super) tombstone: Option<f64>,

    /// Make a field of the payload null in this share (can be repeated): temperature=1%
    #[arg(long = "null", value_name = "FIELD=RATE", value_parser = parse_null)]
    pub(super) nulls: Vec<Null>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Arrival {
    /// Evenly
    #[default]
    Const,
    /// As if none knew of the others
    Poisson,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Shape {
    /// Always the same
    #[default]
    Flat,
    /// Quiet at night, busy in the evening (UTC); as many in a whole day
    Daily,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ArgumentError {
    #[error("expected a probability such as `0.01` or `1%`")]
    Probability,
    #[error("expected RATE:DURATION such as `1%:5s`")]
    Late,
    #[error("expected FIELD=RATE such as `temperature=1%`")]
    Null,
    #[error("expected a size up to 1GiB, such as `512`, `1KiB` or `1MB`")]
    Size,
    #[error("expected a duration such as `1s`, or two such as `0.5s..1.5s`")]
    Every,
    #[error("a topic name has 1 to 249 letters, digits, `.`, `_` and `-`")]
    Topic,
}

fn parse_probability(text: &str) -> Result<f64, ArgumentError> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    let rate = number.parse::<f64>().ok().map(|number| number / scale);
    rate.filter(|rate| (0.0..=1.0).contains(rate))
        .ok_or(ArgumentError::Probability)
}

fn parse_late(text: &str) -> Result<Late, ArgumentError> {
    let (rate, by) = text.split_once(':').ok_or(ArgumentError::Late)?;
    let by = time::parse_duration(by).map_err(|_| ArgumentError::Late)?;
    Ok(Late {
        rate: parse_probability(rate)?,
        by_millis: u64::try_from(by.as_millis()).map_err(|_| ArgumentError::Late)?,
    })
}

fn parse_every(text: &str) -> Result<(f64, f64), ArgumentError> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let seconds = |text| time::parse_duration(text).map(|duration| duration.as_secs_f64());
    match (seconds(low), seconds(high)) {
        (Ok(low), Ok(high)) if low <= high && high > 0.0 => Ok((low, high)),
        _ => Err(ArgumentError::Every),
    }
}

fn parse_null(text: &str) -> Result<Null, ArgumentError> {
    let (field, rate) = text.rsplit_once('=').ok_or(ArgumentError::Null)?;
    Ok(Null {
        field: field.to_owned(),
        rate: parse_probability(rate)?,
    })
}

fn parse_size(text: &str) -> Result<usize, ArgumentError> {
    const UNITS: [(&str, usize); 6] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("B", 1),
    ];
    let unit = UNITS
        .iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)));
    let (number, bytes) = unit.unwrap_or((text, &1));
    let size = number.trim().parse::<usize>().ok();
    size.and_then(|size| size.checked_mul(*bytes))
        .filter(|size| *size <= 1 << 30)
        .ok_or(ArgumentError::Size)
}

fn parse_topic(text: &str) -> Result<String, ArgumentError> {
    if crate::kafka::is_topic_name(text) {
        Ok(text.to_owned())
    } else {
        Err(ArgumentError::Topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_from_nothing_to_always() {
        for (text, expected) in [("0", 0.0), ("0.01", 0.01), ("1%", 0.01), ("100%", 1.0)] {
            assert_eq!(parse_probability(text), Ok(expected), "{text}");
        }
        for text in ["", "%", "1.1", "-0.1", "101%", "NaN", "inf", "1 %"] {
            assert_eq!(
                parse_probability(text),
                Err(ArgumentError::Probability),
                "{text}"
            );
        }
    }

    #[test]
    fn sizes_have_units_of_both_kinds() {
        for (text, expected) in [
            ("0", 0),
            ("512", 512),
            ("1KiB", 1024),
            ("2MB", 2_000_000),
            ("3B", 3),
        ] {
            assert_eq!(parse_size(text), Ok(expected), "{text}");
        }
        for text in ["", "KiB", "1.5KiB", "-1", "2GiB", "99999999999999999999B"] {
            assert_eq!(parse_size(text), Err(ArgumentError::Size), "{text}");
        }
    }

    #[test]
    fn a_record_comes_every_so_often() {
        assert_eq!(parse_every("0.5s..1.5s"), Ok((0.5, 1.5)));
        assert_eq!(parse_every("250ms"), Ok((0.25, 0.25)));
        for text in ["", "..", "2s..1s", "0", "1..2"] {
            assert_eq!(parse_every(text), Err(ArgumentError::Every), "{text}");
        }
    }

    #[test]
    fn late_records_have_a_share_and_a_duration() {
        let late = Late {
            rate: 0.1,
            by_millis: 5_000,
        };
        assert_eq!(parse_late("10%:5s"), Ok(late));
        for text in ["0.1", "0.1:", ":5s", "5s:0.1"] {
            parse_late(text).expect_err(text);
        }
    }
}
