//! Who subscribes to what; only an ACTIVE topic can be subscribed to.

use jiff::Timestamp;
use rusqlite::{Row, params};
use serde::Serialize;

use super::event::{Entry, Stamp};
use super::request;
use super::state::State;
use super::time;
use super::{Error, Fault, Registry};

/// A user's wish for the records of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subscription {
    pub user: String,
    pub topic: String,
    /// INACTIVE when the topic was taken out of use since: the subscription then waits.
    pub state: State,
    /// What the topic's records are, as its request says.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    #[serde(serialize_with = "time::print")]
    pub added_at: Timestamp,
}

impl Subscription {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            user: row.get("user")?,
            topic: row.get("topic")?,
            state: row.get("state")?,
            kind: row.get("type")?,
            added_at: time::read(row, "added_at")?,
        })
    }
}

impl Registry {
    /// Subscribes `user` to `topic`; returns false when they are subscribed already.
    ///
    /// # Errors
    /// [`Error::NotActive`] and [`Error::NotAsked`].
    pub fn subscribe(&mut self, user: &str, topic: &str, stamp: Stamp<'_>) -> Result<bool, Error> {
        self.write(stamp.at, |transaction| {
            match request::current(transaction, topic)? {
                Some(request) if request.state == State::Active => {}
                Some(request) => {
                    return Err(Fault::Refused(Error::NotActive {
                        topic: topic.to_owned(),
                        state: request.state,
                    }));
                }
                None => {
                    return Err(Fault::Refused(Error::NotAsked {
                        topic: topic.to_owned(),
                        nearest: request::nearest(transaction, topic)?,
                    }));
                }
            }
            let added = transaction.execute(
                "INSERT INTO subscription (user, topic, added_at) VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO NOTHING",
                params![user, topic, time::stored(stamp.at)],
            )? > 0;
            if added {
                log("subscribe", user, topic).append(transaction, Some(stamp.actor), stamp.at)?;
            }
            Ok(added)
        })
    }

    /// Ends a subscription; returns false when there is none.
    pub fn unsubscribe(
        &mut self,
        user: &str,
        topic: &str,
        stamp: Stamp<'_>,
    ) -> Result<bool, Error> {
        self.write(stamp.at, |transaction| {
            let removed = transaction.execute(
                "DELETE FROM subscription WHERE user = ?1 AND topic = ?2",
                [user, topic],
            )? > 0;
            if removed {
                log("unsubscribe", user, topic).append(transaction, Some(stamp.actor), stamp.at)?;
            }
            Ok(removed)
        })
    }

    /// Returns the subscriptions of a user, or of all, by user and topic.
    pub fn subscriptions(&self, user: Option<&str>) -> Result<Vec<Subscription>, Error> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT user, topic, added_at, state, type FROM subscription \
                     JOIN request ON seq = (SELECT seq FROM request WHERE name = topic \
                                            ORDER BY state = 'ACTIVE' DESC, seq DESC LIMIT 1) \
                     WHERE ?1 IS NULL OR user = ?1 ORDER BY user, topic",
                )?
                .query_map([user], Subscription::from_row)?
                .collect()
        })
    }
}

fn log<'a>(action: &'a str, user: &str, topic: &'a str) -> Entry<'a> {
    Entry {
        action,
        name: Some(topic),
        detail: Some(serde_json::json!({ "user": user })),
        ..Entry::default()
    }
}
