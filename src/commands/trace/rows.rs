//! What `kpipe trace` prints of a message: a row for each stage, and one for the whole.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::span;
use crate::trace::{Fate, Hop, Source, Timeline, TraceId};

/// Columns of the bar.
const BAR: i64 = 24;

/// A stage, a total or a verdict.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    message_id: Option<String>,
    trace_id: Option<TraceId>,
    /// The stage's name, or `TOTAL`.
    stage: String,
    /// Microseconds since the epoch.
    at: Option<i64>,
    /// Microseconds.
    since_previous: Option<i64>,
    /// Microseconds.
    since_first: Option<i64>,
    pub(super) status: &'static str,
    error: Option<String>,
    topic: Option<String>,
    partition: Option<i32>,
    offset: Option<i64>,
    group: Option<String>,
    service: Option<String>,
    host: Option<String>,
    duration: Option<u64>,
    /// Who says when.
    source: Option<Source>,
}

/// The same on a terminal.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    stage: String,
    time: Option<String>,
    since: Option<String>,
    total: Option<String>,
    status: String,
    #[serde(rename = "where")]
    place: Option<String>,
    by: Option<String>,
    clock: Option<Source>,
    bar: String,
}

impl Row {
    /// The stages of `timeline`, and their total.
    pub(super) fn of(timeline: &Timeline, over_budget: bool) -> Vec<Self> {
        let mut rows: Vec<Self> = timeline
            .hops
            .iter()
            .map(|hop| Self::of_hop(timeline, hop))
            .collect();
        rows.push(Self {
            since_first: timeline.total(),
            status: total_status(timeline, over_budget),
            ..Self::about(timeline, "TOTAL")
        });
        rows
    }

    fn of_hop(timeline: &Timeline, hop: &Hop) -> Self {
        Self {
            at: hop.at,
            since_previous: hop.since_previous,
            since_first: hop.since_first,
            status: match hop.fate {
                Fate::Ok if hop.since_previous.is_some_and(i64::is_negative) => "skewed",
                Fate::Ok => "ok",
                Fate::Error => "error",
                Fate::Missing => "missing",
            },
            error: hop.error.clone(),
            topic: hop.topic.clone(),
            partition: hop.partition,
            offset: hop.offset,
            group: hop.group.clone(),
            service: hop.service.clone(),
            host: hop.host.clone(),
            duration: hop.duration,
            source: hop.source,
            ..Self::about(timeline, hop.stage.name())
        }
    }

    /// What is not as it should be.
    pub(super) fn verdict(
        timeline: &Timeline,
        what: &str,
        status: &'static str,
        why: String,
    ) -> Self {
        Self {
            status,
            error: Some(why),
            ..Self::about(timeline, what)
        }
    }

    fn about(timeline: &Timeline, stage: &str) -> Self {
        Self {
            message_id: timeline.message_id.clone(),
            trace_id: timeline.trace_id,
            stage: stage.to_owned(),
            at: None,
            since_previous: None,
            since_first: None,
            status: "ok",
            error: None,
            topic: None,
            partition: None,
            offset: None,
            group: None,
            service: None,
            host: None,
            duration: None,
            source: None,
        }
    }

    /// For the last line of a table.
    pub(super) fn in_one_line(&self) -> String {
        let message = self.message_id.as_deref().unwrap_or("message");
        let why = self.error.as_deref().unwrap_or_default();
        format!("{} {} ({message}): {why}", self.stage, self.status)
    }

    /// Its place as `kpipe trace` takes it.
    fn place(&self) -> Option<String> {
        let topic = self.topic.as_ref()?;
        Some(match (self.partition, self.offset) {
            (Some(partition), Some(offset)) => format!("{topic}:{partition}:{offset}"),
            _ => topic.clone(),
        })
    }
}

/// The worst of all. What is missing does not count: few messages pass every stage, and `--expect` says which
/// this one should.
fn total_status(timeline: &Timeline, over_budget: bool) -> &'static str {
    if timeline.hops.iter().any(|hop| hop.fate == Fate::Error) {
        "error"
    } else if over_budget {
        "late"
    } else if timeline.is_skewed() {
        "skewed"
    } else {
        "ok"
    }
}

/// The rows of one message for a terminal, their bars on one scale.
pub(super) fn shown(rows: &[Row], zone: &TimeZone) -> Vec<Shown> {
    let since = || rows.iter().filter(|row| row.at.is_some());
    let (first, last) = (
        since().filter_map(|row| row.since_first).min().unwrap_or(0),
        since().filter_map(|row| row.since_first).max().unwrap_or(0),
    );
    rows.iter()
        .map(|row| Shown {
            stage: row.stage.clone(),
            time: row.at.map(|at| time_of_day(at, zone)),
            since: row.since_previous.map(span::in_words),
            total: row.since_first.map(span::in_words),
            status: match &row.error {
                Some(error) => format!("{}: {error}", row.status),
                None => row.status.to_owned(),
            },
            place: row.place(),
            by: by(row),
            clock: row.source,
            bar: row.at.map_or(String::new(), |_| bar(row, first, last)),
        })
        .collect()
}

fn time_of_day(micros: i64, zone: &TimeZone) -> String {
    Timestamp::from_microsecond(micros).map_or_else(
        |_| micros.to_string(),
        |time| {
            let local = time.to_zoned(zone.clone());
            local.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
        },
    )
}

fn by(row: &Row) -> Option<String> {
    match (&row.service, &row.group) {
        (Some(service), Some(group)) => Some(format!("{service} ({group})")),
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (None, None) => None,
    }
}

/// From the stage before to this one; light where that is backwards.
fn bar(row: &Row, first: i64, last: i64) -> String {
    let length = last.saturating_sub(first).max(1);
    let column = |since: i64| {
        let far = i128::from(since.saturating_sub(first)) * i128::from(BAR - 1);
        usize::try_from(far / i128::from(length)).unwrap_or(0)
    };
    let end = row.since_first.unwrap_or(0);
    let begin = end.saturating_sub(row.since_previous.unwrap_or(0));
    let (from, to, filled) = if begin <= end {
        (column(begin), column(end), '█')
    } else {
        (column(end), column(begin), '░')
    };
    let bar: String = std::iter::repeat_n('·', from)
        .chain(std::iter::repeat_n(filled, to - from + 1))
        .collect();
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Stage, StageEvent, StageStatus as Status};

    #[test]
    fn a_total_is_as_bad_as_the_worst_of_its_stages() {
        let of = |seconds: [i64; 2], status, over_budget| {
            let mut events = [
                StageEvent::new(Stage::Created, seconds[0]),
                StageEvent::new(Stage::Processed, seconds[1]),
            ];
            events[1].status = status;
            let events = events.map(|event| StageEvent {
                message_id: Some("m".into()),
                ..event
            });
            let timeline = Timeline::of(&events, &[]).remove(0);
            Row::of(&timeline, over_budget).pop().unwrap().status
        };
        assert_eq!(of([0, 1], Status::Ok, false), "ok");
        assert_eq!(of([1, 0], Status::Ok, false), "skewed");
        assert_eq!(of([1, 0], Status::Ok, true), "late");
        assert_eq!(of([1, 0], Status::Error, true), "error");
    }

    fn shown_bars(times: &[i64]) -> Vec<String> {
        let stages = Stage::ALL.iter().zip(times);
        let events: Vec<StageEvent> = stages
            .map(|(stage, at)| StageEvent {
                message_id: Some("m".into()),
                ..StageEvent::new(*stage, *at)
            })
            .collect();
        let timeline = Timeline::of(&events, &[]).remove(0);
        let rows = Row::of(&timeline, false);
        shown(&rows, &TimeZone::UTC)
            .into_iter()
            .map(|shown| shown.bar)
            .filter(|bar| !bar.is_empty())
            .collect()
    }

    #[test]
    fn a_bar_begins_where_the_one_before_ended() {
        assert_eq!(
            shown_bars(&[0, 23, 23, 10]),
            [
                "█",
                "████████████████████████",
                "·······················█",
                "··········░░░░░░░░░░░░░░",
            ]
        );
        assert_eq!(shown_bars(&[5]), ["█"]);
        assert_eq!(shown_bars(&[i64::MIN, i64::MAX]).len(), 2);
    }
}
