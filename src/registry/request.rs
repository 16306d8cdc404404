//! A topic that somebody asked for: what was asked, what was decided, and what Kafka says of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::error::Difference;
use super::state::{Reason, ReasonCode, State};
use super::time::{self, Time};
use super::{Error, Registry};
use crate::suggest;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spec {
    pub name: String,
    pub created_by: String,
    pub partitions: i32,
    pub replication: i32,
    /// Only what the request sets; the rest is Kafka's default.
    pub config: BTreeMap<String, String>,
    pub description: Option<String>,
    /// What its records are, for people and for `kpipe generate`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// What somebody says they want; what they do not say stays as it is, or is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    pub name: String,
    pub created_by: String,
    pub partitions: Option<i32>,
    pub replication: Option<i32>,
    /// All of it.
    pub config: Option<BTreeMap<String, String>>,
    pub description: Option<String>,
    pub kind: Option<String>,
}

impl Wish {
    /// Returns the whole of what is asked for, where `standing` is asked for or active already.
    pub(super) fn complete(&self, standing: Option<&Spec>) -> Spec {
        let mut spec = standing.cloned().unwrap_or(Spec {
            name: String::new(),
            created_by: String::new(),
            partitions: 3,
            replication: 1,
            config: BTreeMap::new(),
            description: None,
            kind: None,
        });
        spec.name.clone_from(&self.name);
        spec.created_by.clone_from(&self.created_by);
        spec.partitions = self.partitions.unwrap_or(spec.partitions);
        spec.replication = self.replication.unwrap_or(spec.replication);
        if let Some(config) = &self.config {
            spec.config.clone_from(config);
        }
        for (wish, part) in [
            (&self.description, &mut spec.description),
            (&self.kind, &mut spec.kind),
        ] {
            if let Some(text) = wish {
                *part = Some(text.clone()).filter(|text| !text.is_empty());
            }
        }
        spec
    }
}

impl Spec {
    /// Returns in what `asked` is another topic than this one. Who asks makes no difference.
    pub fn differences(&self, asked: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut compare = |field: String, has: Option<String>, asked: Option<String>| {
            if has != asked {
                found.push(Difference { field, has, asked });
            }
        };
        let number = |number: i32| Some(number.to_string());
        compare(
            "partitions".to_owned(),
            number(self.partitions),
            number(asked.partitions),
        );
        compare(
            "replication".to_owned(),
            number(self.replication),
            number(asked.replication),
        );
        let keys = self.config.keys().chain(
            asked
                .config
                .keys()
                .filter(|key| !self.config.contains_key(*key)),
        );
        for key in keys {
            compare(
                format!("config.{key}"),
                self.config.get(key).cloned(),
                asked.config.get(key).cloned(),
            );
        }
        compare(
            "description".to_owned(),
            self.description.clone(),
            asked.description.clone(),
        );
        compare("type".to_owned(), self.kind.clone(), asked.kind.clone());
        found
    }
}

/// Whether Kafka agrees with a request, as it was when last looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Observation {
    /// `None` before anybody looked.
    pub ready: Option<bool>,
    pub reason: Option<Reason>,
    pub message: Option<String>,
    /// How often applying it failed.
    pub attempts: u32,
    #[serde(serialize_with = "time::print_some")]
    pub next_attempt_at: Option<Timestamp>,
    #[serde(serialize_with = "time::print_some")]
    pub observed_at: Option<Timestamp>,
}

/// A request, in the order that its JSON has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Request {
    #[serde(flatten)]
    pub spec: Spec,
    pub state: State,
    /// A `UUIDv7`.
    pub id: String,
    #[serde(serialize_with = "time::print")]
    pub requested_at: Timestamp,
    /// Undecided at this time, it is rejected.
    #[serde(serialize_with = "time::print_some")]
    pub expires_at: Option<Timestamp>,
    /// When it was approved or rejected.
    #[serde(serialize_with = "time::print_some")]
    pub decided_at: Option<Timestamp>,
    pub decided_by: Option<String>,
    pub comment: Option<String>,
    #[serde(serialize_with = "time::print_some")]
    pub activated_at: Option<Timestamp>,
    /// Whether Kafka had the topic before.
    pub adopted: Option<bool>,
    #[serde(serialize_with = "time::print_some")]
    pub ended_at: Option<Timestamp>,
    /// `None` also when time ended it.
    pub ended_by: Option<String>,
    pub reason_code: Option<ReasonCode>,
    pub ended_comment: Option<String>,
    #[serde(flatten)]
    pub observation: Observation,
}

struct Config(BTreeMap<String, String>);

impl FromSql for Config {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?)
            .map(Self)
            .map_err(FromSqlError::other)
    }
}

impl Request {
    /// Returns why it came to its end, in the words of whoever ended it.
    pub fn why_ended(&self) -> Option<&str> {
        self.ended_comment.as_deref().or(match self.reason_code {
            // The reason for a decline is what was said with the decision.
            Some(ReasonCode::Declined) => self.comment.as_deref(),
            _ => None,
        })
    }
}

/// The columns of a request, in the order that [`Request::from_row`] takes them. By name, each would be
/// searched for in each row, which takes longer than the rest.
pub(super) const COLUMNS: &str = "name, created_by, partitions, replication, config, description, type, state, id, \
     requested_at, expires_at, decided_at, decided_by, comment, activated_at, adopted, ended_at, ended_by, \
     reason_code, ended_comment, ready, reason, message, attempts, next_attempt_at, observed_at";

struct Columns<'a> {
    row: &'a Row<'a>,
    next: usize,
}

impl Columns<'_> {
    fn take<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        let column = self.next;
        self.next += 1;
        self.row.get(column)
    }

    fn time(&mut self) -> rusqlite::Result<Option<Timestamp>> {
        Ok(self.take::<Option<Time>>()?.map(|time| time.0))
    }
}

impl Request {
    pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let mut row = Columns { row, next: 0 };
        Ok(Self {
            spec: Spec {
                name: row.take()?,
                created_by: row.take()?,
                partitions: row.take()?,
                replication: row.take()?,
                config: row.take::<Config>()?.0,
                description: row.take()?,
                kind: row.take()?,
            },
            state: row.take()?,
            id: row.take()?,
            requested_at: row.take::<Time>()?.0,
            expires_at: row.time()?,
            decided_at: row.time()?,
            decided_by: row.take()?,
            comment: row.take()?,
            activated_at: row.time()?,
            adopted: row.take()?,
            ended_at: row.time()?,
            ended_by: row.take()?,
            reason_code: row.take()?,
            ended_comment: row.take()?,
            observation: Observation {
                ready: row.take()?,
                reason: row.take()?,
                message: row.take()?,
                attempts: row.take()?,
                next_attempt_at: row.time()?,
                observed_at: row.time()?,
            },
        })
    }
}

impl Registry {
    /// Returns the requests that stand, by name: those that are PENDING, APPROVED or ACTIVE, and of the
    /// others the last word on each name. A name has two when a change of its topic is open.
    pub fn requests(&self, state: Option<State>) -> Result<Vec<Request>, Error> {
        self.read(|connection| {
            let which = state.map_or("", |_| "WHERE state = ?1");
            let mut statement = connection.prepare(&format!(
                "SELECT {COLUMNS} FROM standing {which} ORDER BY name, seq"
            ))?;
            let rows = match state {
                Some(state) => statement.query_map([state], Request::from_row)?,
                None => statement.query_map([], Request::from_row)?,
            };
            rows.collect()
        })
    }

    /// Returns every request that there ever was for a name, the oldest first.
    pub fn requests_for(&self, name: &str) -> Result<Vec<Request>, Error> {
        self.read(|connection| {
            connection
                .prepare(&format!(
                    "SELECT {COLUMNS} FROM request WHERE name = ?1 ORDER BY seq"
                ))?
                .query_map([name], Request::from_row)?
                .collect()
        })
    }

    /// Returns the topic that was most likely meant by a name that nobody has asked for, whatever its state.
    pub fn nearest(&self, name: &str) -> Result<Option<String>, Error> {
        self.read(|connection| nearest(connection, name))
    }

    /// Returns the request that counts for a name: the ACTIVE one, else the newest.
    pub fn topic(&self, name: &str) -> Result<Option<Request>, Error> {
        self.read(|connection| current(connection, name))
    }

    /// Returns the request that waits for a decision or for Kafka, if there is one.
    pub fn open_request(&self, name: &str) -> Result<Option<Request>, Error> {
        self.read(|connection| open(connection, name))
    }

    /// Returns the state of the request that counts for a name: ACTIVE, else that of the newest.
    pub fn state_of(&self, name: &str) -> Result<Option<State>, Error> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT state FROM request WHERE name = ?1 \
                     ORDER BY state = 'ACTIVE' DESC, seq DESC LIMIT 1",
                )?
                .query_row([name], |row| row.get(0))
                .optional()
        })
    }
}

pub(super) fn current(connection: &Connection, name: &str) -> rusqlite::Result<Option<Request>> {
    let order = "ORDER BY state = 'ACTIVE' DESC, seq DESC LIMIT 1";
    one(connection, &format!("WHERE name = ?1 {order}"), name)
}

pub(super) fn open(connection: &Connection, name: &str) -> rusqlite::Result<Option<Request>> {
    let open = "WHERE name = ?1 AND state IN ('PENDING', 'APPROVED')";
    one(connection, open, name)
}

pub(super) fn active(connection: &Connection, name: &str) -> rusqlite::Result<Option<Request>> {
    one(connection, "WHERE name = ?1 AND state = 'ACTIVE'", name)
}

pub(super) fn with_id(connection: &Connection, id: &str) -> rusqlite::Result<Option<Request>> {
    one(connection, "WHERE id = ?1", id)
}

/// As [`Registry::nearest`].
pub(super) fn nearest(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let names = connection
        .prepare_cached("SELECT DISTINCT name FROM request")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    let nearest = suggest::nearest(name, names.iter().map(String::as_str));
    Ok(nearest.map(str::to_owned))
}

fn one(connection: &Connection, which: &str, value: &str) -> rusqlite::Result<Option<Request>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM request {which}"))?
        .query_row(params![value], Request::from_row)
        .optional()
}
