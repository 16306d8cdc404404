//! Facts about the registry itself: its cluster, its producer key, its numbers.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::event::{Entry, Stamp};
use super::{Error, Fault, Registry};

const CLUSTER: &str = "cluster_id";
const KEY_HASH: &str = "producer_key_sha256";

/// How many requests stand, in which state, and how many subscriptions there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// Of the five that follow.
    pub total: u32,
    pub pending: u32,
    pub approved: u32,
    pub active: u32,
    pub inactive: u32,
    pub rejected: u32,
    pub subscriptions: u32,
}

/// Makes a producer key of 32 random bytes.
pub fn producer_key(random: &[u8; 32]) -> String {
    format!("kpipe_{}", BASE64URL_NOPAD.encode(random))
}

impl Registry {
    /// Keeps which cluster the registry is for at the first contact, and insists on it from then on.
    ///
    /// # Errors
    /// [`Error::OtherCluster`].
    pub fn pin_cluster(&mut self, cluster_id: &str, stamp: Stamp<'_>) -> Result<(), Error> {
        if self.cluster()?.as_deref() == Some(cluster_id) {
            return Ok(());
        }
        self.write(stamp.at, |transaction| match value(transaction, CLUSTER)? {
            Some(pinned) if pinned != cluster_id => Err(Fault::Refused(Error::OtherCluster {
                pinned,
                found: cluster_id.to_owned(),
            })),
            Some(_) => Ok(()),
            None => {
                set_value(transaction, CLUSTER, cluster_id)?;
                let entry = Entry {
                    action: "pin",
                    detail: Some(json!({ "cluster_id": cluster_id })),
                    ..Entry::default()
                };
                Ok(entry.append(transaction, Some(stamp.actor), stamp.at)?)
            }
        })
    }

    /// Returns the id of the cluster that the registry is for, once there was contact.
    pub fn cluster(&self) -> Result<Option<String>, Error> {
        self.read(|connection| value(connection, CLUSTER))
    }

    /// Puts a producer key in place of the one before. Only its SHA-256 is kept: so much randomness
    /// cannot be guessed, and needs no slower hash.
    pub fn set_producer_key(&mut self, key: &str, stamp: Stamp<'_>) -> Result<(), Error> {
        self.write(stamp.at, |transaction| {
            set_value(transaction, KEY_HASH, &hash(key))?;
            let entry = Entry {
                action: "key",
                ..Entry::default()
            };
            Ok(entry.append(transaction, Some(stamp.actor), stamp.at)?)
        })
    }

    /// Makes sure that who wants to activate topics may: everybody until a key was made, then whoever
    /// has it.
    ///
    /// # Errors
    /// [`Error::KeyMissing`] and [`Error::KeyWrong`].
    pub fn check_producer_key(&self, key: Option<&str>) -> Result<(), Error> {
        let kept = self.read(|connection| value(connection, KEY_HASH))?;
        match (kept, key) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Error::KeyMissing),
            (Some(kept), Some(key)) if kept == hash(key) => Ok(()),
            (Some(_), Some(_)) => Err(Error::KeyWrong),
        }
    }

    /// Returns how many requests and subscriptions there are.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        self.read(|connection| {
            connection.query_row(
                "SELECT count(*), count(*) FILTER (WHERE state = 'PENDING'), \
                 count(*) FILTER (WHERE state = 'APPROVED'), count(*) FILTER (WHERE state = 'ACTIVE'), \
                 count(*) FILTER (WHERE state = 'INACTIVE'), count(*) FILTER (WHERE state = 'REJECTED'), \
                 (SELECT count(*) FROM subscription) FROM standing",
                [],
                |row| {
                    Ok(Statistics {
                        total: row.get(0)?,
                        pending: row.get(1)?,
                        approved: row.get(2)?,
                        active: row.get(3)?,
                        inactive: row.get(4)?,
                        rejected: row.get(5)?,
                        subscriptions: row.get(6)?,
                    })
                },
            )
        })
    }
}

fn hash(key: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(key.as_bytes()))
}

fn value(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection
        .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
            row.get(0)
        })
        .optional()
}

fn set_value(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        params![key, value],
    )?;
    Ok(())
}
