//! A Kafka record and its JSON Lines form.
//!
//! Records are borrowed while they move: a batch owns the bytes, a [`Record`]
//! looks at one of them. The record line (see `docs/record-line.md`) is lossless:
//! whatever `tail` prints, `send` turns back into the same bytes.

pub mod dead_letter;
mod error;
mod fields;
mod foreign;
mod framing;
mod input;
mod line;
mod outgoing;
mod payload;
mod pointer;
mod position;
#[cfg(test)]
mod properties;
mod template;

pub use error::{Found, LineError};
pub(crate) use fields::Name;
pub use fields::UnknownFields;
pub use framing::{LineKey, Separator, SeparatorError};
pub use input::Input;
pub use line::{Origin, encode, encode_headers, parse, parse_placed, parse_with_offset};
pub use outgoing::{Outgoing, OutgoingHeader};
pub use payload::{PayloadMode, PayloadModeError};
pub(crate) use payload::{write as write_payload, write_json};
pub use pointer::{Pointer, PointerError};
pub use position::{Place, Position};
pub use template::{Template, TemplateError};

/// One record as Kafka keeps it, borrowed from the batch that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Name of the topic it was read from.
    pub topic: &'a str,
    /// Number of its partition.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// When it was made or appended; `None` in records of message format 0.
    pub timestamp: Option<Timestamp>,
    /// `None` is a null key, which is not the empty key.
    pub key: Option<&'a [u8]>,
    /// `None` is a tombstone, which is not the empty value.
    pub value: Option<&'a [u8]>,
    /// In order; a name may repeat and a value may be null.
    pub headers: &'a [Header<'a>],
}

impl<'a> Record<'a> {
    /// Where it is.
    pub fn position(&self) -> Position<'a> {
        let place = Place {
            partition: self.partition,
            offset: self.offset,
        };
        Position {
            topic: self.topic,
            place,
        }
    }
}

/// One header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Kafka says text, yet any bytes but NUL may stand here.
    pub name: &'a [u8],
    /// `None` is a null value, which is not the empty value.
    pub value: Option<&'a [u8]>,
}

/// Milliseconds since the epoch, and who set them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Milliseconds since 1970-01-01T00:00:00Z; may be negative.
    pub millis: i64,
    /// Whether producer or broker set it (KIP-32, `message.timestamp.type`).
    pub kind: TimestampKind,
}

/// Who set a record's timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampKind {
    /// The producer, when it made the record.
    Create,
    /// The broker, when it appended the record.
    LogAppend,
}
