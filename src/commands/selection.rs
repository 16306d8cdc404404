//! Which records a command reads and when it stops: the flags that `tail`, `handle` and `store` share.

use std::time::Duration;

use crate::context::Context;
use crate::error::CommandError;
use crate::kafka::offset_spec::{OffsetSpec, Start, Stop};
use crate::pipeline::filter::{Condition, Filter, Grep};
use crate::pipeline::pump::Bounds;
use crate::time;

/// Where to begin, what to take, and when to stop.
#[derive(clap::Args, Debug)]
pub(crate) struct Selection {
    /// Where to begin and end: beginning end N -N +N N:M :end @TIME @T1:T2
    #[arg(
        short,
        long = "offset",
        value_name = "OFFSET",
        allow_hyphen_values = true,
        help_heading = "Where"
    )]
    offsets: Vec<String>,

    /// Begin at this time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help_heading = "Where"
    )]
    since: Option<String>,

    /// End at this time, or now if it is yet to come
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        help_heading = "Where"
    )]
    until: Option<String>,

    /// Exit at the end, as it is now
    #[arg(short, long, help_heading = "When to stop")]
    exit: bool,

    /// Exit after COUNT records, counted after the filter
    #[arg(short = 'n', long, value_name = "COUNT", help_heading = "When to stop")]
    pub count: Option<u64>,

    /// Exit when no record came for so long
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = time::parse_duration,
        help_heading = "When to stop"
    )]
    idle: Option<Duration>,

    /// Exit after so long whatever comes, with status 3
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = time::parse_duration,
        help_heading = "When to stop"
    )]
    pub timeout: Option<Duration>,

    /// Only records that match: REGEX, k:REGEX, v:REGEX, h:NAME=REGEX, !… (repeated: all of them)
    #[arg(long, value_name = "PATTERN", help_heading = "What")]
    grep: Vec<Grep>,

    /// Only records whose JSON value has this: '/total>100', '/a/b=x' (repeated: all of them)
    #[arg(long = "where", value_name = "CONDITION", help_heading = "What")]
    conditions: Vec<Condition>,
}

impl Selection {
    /// Where to begin and end, put together from the flags that say so.
    ///
    /// A run that has an end, also by `to_end`, and no group begins at the beginning.
    pub(crate) fn offsets(
        &self,
        in_group: bool,
        to_end: bool,
        context: &Context,
    ) -> Result<OffsetSpec, CommandError> {
        let mut spec = joined(&self.offsets, [&self.since, &self.until], context)?;
        if (self.exit || to_end) && spec.until.is_none() {
            spec.until = Some(Stop::End);
        }
        if spec.from == Some(Start::Stored) && !in_group {
            return Err(CommandError::usage(
                "`-o stored` asks for what a group has committed, but there is no group",
            )
            .hint("add `-g GROUP`"));
        }
        let bounded = spec.until.is_some() || self.count.is_some();
        if spec.from.is_none() && bounded && !in_group {
            spec.from = Some(Start::Beginning);
        }
        if spec.from == Some(Start::Stored) {
            spec.from = None;
        }
        Ok(spec)
    }

    /// Which of the flags that are about where to begin and end was given.
    pub(crate) fn named_place(&self) -> Option<&'static str> {
        let flags = [
            ("--offset", !self.offsets.is_empty()),
            ("--since", self.since.is_some()),
            ("--until", self.until.is_some()),
        ];
        flags
            .iter()
            .find_map(|(flag, given)| given.then_some(*flag))
    }

    /// Which of the flags that are about when to stop was given.
    pub(crate) fn named_end(&self) -> Option<&'static str> {
        let flags = [
            ("--exit", self.exit),
            ("--idle", self.idle.is_some()),
            ("--timeout", self.timeout.is_some()),
        ];
        flags
            .iter()
            .find_map(|(flag, given)| given.then_some(*flag))
    }

    /// Whether `-o` says where to begin or end.
    pub(crate) fn names_offsets(&self) -> bool {
        !self.offsets.is_empty()
    }

    /// The times of `--since` and `--until`, for who looks at each record's.
    pub(crate) fn times(
        &self,
        context: &Context,
    ) -> Result<[Option<jiff::Timestamp>; 2], CommandError> {
        let spec = joined(&[], [&self.since, &self.until], context)?;
        let since = match spec.from {
            Some(Start::Time(time)) => Some(time),
            _ => None,
        };
        let until = match spec.until {
            Some(Stop::Time(time)) => Some(time),
            _ => None,
        };
        Ok([since, until])
    }

    /// What a record must match.
    pub(crate) fn filter(&self) -> Filter {
        Filter {
            grep: self.grep.clone(),
            conditions: self.conditions.clone(),
            subset: None,
        }
    }

    /// When the run is over.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            limit: self.count,
            idle: self.idle,
            timeout: self.timeout,
        }
    }
}

/// What `-o`, as often as it was given, and the times of `--since` and `--until` say together.
pub(crate) fn joined(
    offsets: &[String],
    [since, until]: [&Option<String>; 2],
    context: &Context,
) -> Result<OffsetSpec, CommandError> {
    let (now, zone) = (context.clock.now(), context.clock.zone());
    let time = |text: &Option<String>| {
        text.as_deref()
            .map(|text| time::parse(text, now, zone).map_err(CommandError::usage))
            .transpose()
    };
    let mut spec = OffsetSpec::default();
    for text in offsets {
        let more = OffsetSpec::parse(text, now, zone).map_err(CommandError::usage)?;
        spec = spec.and(more).map_err(CommandError::usage)?;
    }
    let times = OffsetSpec {
        from: time(since)?.map(Start::Time),
        until: time(until)?.map(Stop::Time),
    };
    spec.and(times).map_err(CommandError::usage)
}
