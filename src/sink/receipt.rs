//! What became of one line: as a receipt for programs, as words for people.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use crate::kafka::{Acknowledged, Refusal};
use crate::record::LineError;
use crate::rules::Violation;
use crate::source::parsed::Rejected;

/// Why a line was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A name for programs: Kafka's, or one of ours in the same style.
    pub code: Cow<'static, str>,
    /// The same for people.
    pub text: Cow<'static, str>,
    /// Where in the line, from 1.
    pub column: Option<usize>,
    /// The log may hold it all the same.
    pub maybe_persisted: bool,
    /// It is told by the error that ends the run, and not by itself.
    pub ends_run: bool,
    /// Kafka was away or too slow, so that the same line may be taken later.
    pub may_pass: bool,
}

impl Failure {
    /// The line holds no record.
    pub fn malformed(error: &LineError) -> Self {
        Self {
            code: "MALFORMED".into(),
            text: error.to_string().into(),
            column: Some(error.column()),
            maybe_persisted: false,
            ends_run: false,
            may_pass: false,
        }
    }

    /// The line is longer than `limit` bytes.
    pub fn too_long(limit: usize) -> Self {
        Self {
            code: "LINE_TOO_LONG".into(),
            text: format!("line longer than {} MiB", limit / (1024 * 1024)).into(),
            column: None,
            maybe_persisted: false,
            ends_run: false,
            may_pass: false,
        }
    }

    /// Nobody tried.
    pub fn not_sent(why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: "NOT_SENT".into(),
            text: why.into(),
            column: None,
            maybe_persisted: false,
            ends_run: false,
            may_pass: false,
        }
    }
}

impl From<&Rejected> for Failure {
    fn from(rejected: &Rejected) -> Self {
        match rejected {
            Rejected::Malformed(error) => Self::malformed(error),
            Rejected::Invalid(violation) => violation.into(),
        }
    }
}

impl From<&Violation> for Failure {
    fn from(violation: &Violation) -> Self {
        Self {
            code: "INVALID".into(),
            ..Self::not_sent(violation.to_string())
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.name().into(),
            text: refusal.text().into(),
            column: None,
            maybe_persisted: refusal.maybe_persisted,
            ends_run: false,
            may_pass: refusal.may_pass(),
        }
    }
}

/// One line and its fate, as `--receipts` prints it.
#[derive(Debug, Serialize)]
pub struct Receipt<'a> {
    /// The file it was read from; absent for stdin and for an argument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<&'a str>,
    /// Its line number; absent for an argument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<&'a str>,
    /// The id under which the record can be traced; absent where nobody traces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<&'a str>,
    #[serde(flatten)]
    pub fate: Outcome<'a>,
}

/// The two ways a line can end.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Outcome<'a> {
    /// It is in the log.
    Acknowledged {
        partition: i32,
        /// Absent when the broker was not asked to tell (`--acks 0`).
        #[serde(skip_serializing_if = "Option::is_none")]
        offset: Option<i64>,
        /// Milliseconds since the epoch; absent when the broker tells none.
        #[serde(skip_serializing_if = "Option::is_none")]
        timestamp: Option<i64>,
    },
    /// It is not, or nobody knows.
    Failed {
        error: Reason<'a>,
        /// `no`: sending it again is safe. `maybe`: it may then be there twice.
        persisted: &'static str,
    },
}

/// Why, for programs and for people.
#[derive(Debug, Serialize)]
pub struct Reason<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

impl<'a> From<&'a Failure> for Outcome<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self::Failed {
            error: Reason {
                code: &failure.code,
                message: &failure.text,
                column: failure.column,
            },
            persisted: if failure.maybe_persisted {
                "maybe"
            } else {
                "no"
            },
        }
    }
}

impl From<Acknowledged> for Outcome<'_> {
    fn from(acknowledged: Acknowledged) -> Self {
        Self::Acknowledged {
            partition: acknowledged.partition,
            offset: Some(acknowledged.offset).filter(|offset| *offset >= 0),
            timestamp: acknowledged.timestamp,
        }
    }
}

impl Receipt<'_> {
    /// Appends the receipt as one line of JSON.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")
    }
}
