//! The history: one event for each thing that happened, appended in the transaction that made it happen.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use serde_json::Value;

use super::request::Request;
use super::state::{ReasonCode, State};
use super::time;
use super::{Error, Registry};

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who they say they are: a claim.
    pub name: String,
    /// Who they are to the operating system, where it has a name for them.
    pub login: Option<String>,
    pub uid: u32,
    pub host: String,
}

/// Reads the name of a person: without blanks around it, so that nobody is two, and nothing
/// that is for terminals in it.
pub fn person(text: &str) -> Option<&str> {
    let name = text.trim();
    (!name.is_empty() && !name.contains(char::is_control)).then_some(name)
}

/// Says whether two names are one person's: capitals and blanks around it make nobody a second one.
pub(super) fn is_same_person(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// Who does something, and when.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    pub actor: &'a Actor,
    pub at: Timestamp,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    #[serde(serialize_with = "time::print")]
    pub at: Timestamp,
    /// `None`, as are the next three, when nobody did it but time.
    pub actor: Option<String>,
    pub login: Option<String>,
    pub uid: Option<u32>,
    pub host: Option<String>,
    /// A verb, as in the command: `request`, `approve`, `activate`, `expire`, …
    pub action: String,
    pub name: Option<String>,
    pub from_state: Option<State>,
    pub to_state: Option<State>,
    pub reason_code: Option<ReasonCode>,
    pub comment: Option<String>,
    pub request_id: Option<String>,
    /// What else is worth keeping, by action.
    pub detail: Option<Value>,
}

/// What is about to be appended.
#[derive(Clone, Default)]
pub(super) struct Entry<'a> {
    pub(super) action: &'a str,
    pub(super) request: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) from: Option<State>,
    pub(super) to: Option<State>,
    pub(super) reason_code: Option<ReasonCode>,
    pub(super) comment: Option<&'a str>,
    pub(super) detail: Option<Value>,
}

impl<'a> Entry<'a> {
    /// Something that moves `request` to another state.
    pub(super) fn of(action: &'a str, request: &'a Request, to: State) -> Self {
        Self {
            action,
            request: Some(&request.id),
            name: Some(&request.spec.name),
            from: Some(request.state),
            to: Some(to),
            ..Self::default()
        }
    }

    /// Appends it; without an actor it was time that did it.
    pub(super) fn append(
        self,
        connection: &Connection,
        actor: Option<&Actor>,
        at: Timestamp,
    ) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT INTO event (at, actor, login, uid, host, action, request_id, name, from_state, \
                 to_state, reason_code, comment, detail) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(params![
                time::stored(at),
                actor.map(|actor| &actor.name),
                actor.and_then(|actor| actor.login.as_ref()),
                actor.map(|actor| actor.uid),
                actor.map(|actor| &actor.host),
                self.action,
                self.request,
                self.name,
                self.from,
                self.to,
                self.reason_code,
                self.comment,
                self.detail.map(|detail| detail.to_string()),
            ])?;
        Ok(())
    }
}

impl Event {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let detail: Option<String> = row.get("detail")?;
        Ok(Self {
            at: time::read(row, "at")?,
            actor: row.get("actor")?,
            login: row.get("login")?,
            uid: row.get("uid")?,
            host: row.get("host")?,
            action: row.get("action")?,
            name: row.get("name")?,
            from_state: row.get("from_state")?,
            to_state: row.get("to_state")?,
            reason_code: row.get("reason_code")?,
            comment: row.get("comment")?,
            request_id: row.get("request_id")?,
            detail: detail.and_then(|text| serde_json::from_str(&text).ok()),
        })
    }
}

impl Registry {
    /// Returns what happened, the oldest first, of one topic or of all and of the registry itself.
    pub fn history(&self, name: Option<&str>) -> Result<Vec<Event>, Error> {
        self.read(|connection| {
            let all = "SELECT * FROM event ORDER BY seq";
            let some = "SELECT * FROM event WHERE name = ?1 ORDER BY seq";
            let mut statement = connection.prepare_cached(name.map_or(all, |_| some))?;
            let rows = match name {
                Some(name) => statement.query_map([name], Event::from_row)?,
                None => statement.query_map([], Event::from_row)?,
            };
            rows.collect()
        })
    }
}
