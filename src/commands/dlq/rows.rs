//! What is printed of dead letters of a kind: a line of JSON, or of a table.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::dead_letters::{Kind, Sum, Tally};
use crate::error::CommandError;
use crate::sink::output::cannot_write;
use crate::time;
use crate::ui::rows::{self, Output};

/// Characters of an error that a table has room for.
const ERROR_WIDTH: usize = 72;

/// A line of JSON.
#[derive(Debug, Serialize)]
struct Row {
    topic: String,
    /// In a plan: where they would go, or why they would stay.
    #[serde(flatten)]
    plan: Option<Planned>,
    origin: Option<String>,
    group: Option<String>,
    /// Whose headers say so: `none` when there are none, `several` where kinds are told together.
    headers: &'static str,
    status: Option<String>,
    error: Option<String>,
    records: u64,
    /// Those that were replayed before.
    replayed: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct Planned {
    to: Option<String>,
    stays: Option<String>,
}

/// The same on a terminal.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    topic: &'a str,
    to: &'a str,
    origin: Option<&'a str>,
    group: Option<&'a str>,
    headers: &'a str,
    status: Option<&'a str>,
    records: u64,
    replayed: u64,
    first: String,
    last: String,
    error: String,
}

impl Row {
    fn new((kind, sum): (Kind, Sum), is_plan: bool) -> Self {
        Self {
            topic: kind.topic,
            plan: is_plan.then_some(Planned {
                to: kind.to,
                stays: kind.stays,
            }),
            origin: kind.origin,
            group: kind.group,
            headers: kind.dialect.map_or("none", |dialect| dialect.name()),
            status: kind.status,
            // As it is where all are the same.
            error: sum.message.or(kind.error),
            records: sum.records,
            replayed: sum.replayed,
            first: moment(sum.first),
            last: moment(sum.last),
        }
    }

    /// What there were too many kinds of.
    fn others(topic: String, mut sum: Sum) -> Self {
        let kind = Kind {
            topic,
            error: Some("other errors".to_owned()),
            ..Kind::default()
        };
        sum.message = None;
        Self {
            headers: "several",
            ..Self::new((kind, sum), false)
        }
    }

    fn shown(&self, now: Timestamp) -> Shown<'_> {
        let plan = self.plan.as_ref();
        let place = plan.map(|plan| plan.to.as_deref().or(plan.stays.as_deref()));
        let error = self.error.as_deref().unwrap_or("-");
        let cut = error.char_indices().nth(ERROR_WIDTH);
        Shown {
            topic: &self.topic,
            to: place.flatten().unwrap_or("-"),
            origin: self.origin.as_deref(),
            group: self.group.as_deref(),
            headers: self.headers,
            status: self.status.as_deref(),
            records: self.records,
            replayed: self.replayed,
            first: ago(self.first, now),
            last: ago(self.last, now),
            error: match cut {
                Some((end, _)) => format!("{}…", &error[..end]),
                None => error.to_owned(),
            },
        }
    }
}

fn moment(millis: Option<i64>) -> Option<Timestamp> {
    Timestamp::from_millisecond(millis?).ok()
}

fn ago(moment: Option<Timestamp>, now: Timestamp) -> String {
    let Some(moment) = moment else {
        return "-".to_owned();
    };
    let age = Duration::try_from(now.duration_since(moment)).unwrap_or_default();
    format!("{} ago", time::roughly(age))
}

/// How rows are printed.
pub(super) struct Printing {
    pub(super) output: Output,
    pub(super) is_terminal: bool,
    /// The most frequent kinds that are told apart.
    pub(super) top: usize,
    pub(super) is_plan: bool,
    /// The dead letters are of one topic, which need not be told in each line.
    pub(super) one_topic: bool,
    pub(super) now: Timestamp,
}

impl Printing {
    /// Lays out what `tally` counted.
    pub(super) fn lay_out(&self, tally: Tally) -> Result<Vec<u8>, CommandError> {
        let (kinds, others) = tally.ranked(self.top);
        let kinds = kinds.into_iter().map(|kind| Row::new(kind, self.is_plan));
        let others = others
            .into_iter()
            .map(|(topic, sum)| Row::others(topic, sum));
        let rows: Vec<Row> = kinds.chain(others).collect();
        let mut printed = Vec::new();
        if !self.output.is_table(self.is_terminal) {
            rows::write(&rows, Output::Json, false, &mut printed).map_err(cannot_write)?;
            return Ok(printed);
        }
        let shown: Vec<_> = rows.iter().map(|row| row.shown(self.now)).collect();
        let mut columns = vec!["origin", "group", "status", "records", "replayed"];
        columns.extend(["first", "last", "headers", "error"]);
        if self.is_plan {
            columns.insert(0, "to");
        }
        if !self.one_topic {
            columns.insert(0, "topic");
        }
        rows::write_columns(&shown, &columns, Output::Table, true, &mut printed)
            .map_err(cannot_write)?;
        Ok(printed)
    }
}
