//! A record that was found: where it is, and what it says of itself.

use super::context::{TraceContext, TraceId};
use super::identity::message_id;
use super::wanted::Mention;
use crate::record::{Record, Timestamp};

/// What is kept of a record that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub timestamp: Option<Timestamp>,
    pub message_id: Option<String>,
    pub trace_id: Option<TraceId>,
    /// Microseconds since the epoch, of the header `ce_time`.
    pub event_time: Option<i64>,
    /// The id stands here, and is not the record's own.
    pub mention: Option<Mention>,
}

impl Sighting {
    /// Takes down what `record` says.
    pub fn of(record: &Record<'_>, mention: Option<Mention>) -> Self {
        let event_time = record
            .headers
            .iter()
            .rev()
            .filter(|header| header.name == b"ce_time")
            .find_map(|header| str::from_utf8(header.value?).ok()?.parse().ok())
            .map(jiff::Timestamp::as_microsecond);
        Self {
            topic: record.topic.to_owned(),
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            message_id: message_id(record.headers, record.value).map(std::borrow::Cow::into_owned),
            trace_id: TraceContext::of(record.headers).map(|context| context.trace_id),
            event_time,
            mention,
        }
    }
}
