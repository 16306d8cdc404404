//! The words of a request's life: where it stands, why it ended, why Kafka does not agree.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::Serialize;

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Asked for, and not decided.
    Pending,
    /// To be created in Kafka.
    Approved,
    /// In Kafka, and open to senders and subscribers.
    Active,
    /// Once active; Kafka still has its data.
    Inactive,
    /// Declined, cancelled or expired.
    Rejected,
}

impl State {
    /// All of them, in the order of a request's life.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Approved,
        Self::Active,
        Self::Inactive,
        Self::Rejected,
    ];

    /// Returns its name, in capitals.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Approved => "APPROVED",
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Rejected => "REJECTED",
        }
    }
}

/// Why a request came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReasonCode {
    /// Somebody rejected it.
    Declined,
    /// Its requester took it back.
    Cancelled,
    /// Nobody decided in time.
    Expired,
    /// Somebody took the topic out of use.
    Deactivated,
    /// A change of the topic took its place.
    Superseded,
}

impl ReasonCode {
    const ALL: [Self; 5] = [
        Self::Declined,
        Self::Cancelled,
        Self::Expired,
        Self::Deactivated,
        Self::Superseded,
    ];

    /// Returns its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Deactivated => "deactivated",
            Self::Superseded => "superseded",
        }
    }
}

/// Why Kafka does not agree with a request. The words are those of Strimzi's topic operator and
/// Kafka's own `POLICY_VIOLATION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Reason {
    /// Kafka has a topic of the name, and another one.
    ResourceConflict,
    /// Kafka, or this broker, cannot do it.
    NotSupported,
    /// A policy of the cluster is against it.
    PolicyViolation,
    /// Anything else that Kafka answered.
    KafkaError,
}

impl Reason {
    const ALL: [Self; 4] = [
        Self::ResourceConflict,
        Self::NotSupported,
        Self::PolicyViolation,
        Self::KafkaError,
    ];

    /// Returns its name, as the JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResourceConflict => "ResourceConflict",
            Self::NotSupported => "NotSupported",
            Self::PolicyViolation => "PolicyViolation",
            Self::KafkaError => "KafkaError",
        }
    }
}

/// A text that is none of the names wanted.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is none of the names known")]
pub struct UnknownName(String);

macro_rules! stored_by_name {
    ($kind:ty) => {
        impl fmt::Display for $kind {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.name())
            }
        }

        impl FromStr for $kind {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                let mut all = Self::ALL.into_iter();
                all.find(|one| one.name() == text)
                    .ok_or_else(|| UnknownName(text.to_owned()))
            }
        }

        impl ToSql for $kind {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.name().into())
            }
        }

        impl FromSql for $kind {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_str()?.parse().map_err(FromSqlError::other)
            }
        }
    };
}

stored_by_name!(State);
stored_by_name!(ReasonCode);
stored_by_name!(Reason);
