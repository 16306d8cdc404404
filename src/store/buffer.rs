//! Records that wait for their transaction: their bytes one behind the other, so that nothing is allocated for each.

use std::ops::Range;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};

use super::statements::Steps;
use crate::record::{Record, Timestamp, TimestampKind, encode_headers};

/// A partition that records came from.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) topic: String,
    pub(super) partition: i32,
    /// The offset behind the last that was seen here.
    pub(super) next: i64,
    /// The file had no record wanting before this offset when it was last looked at.
    pub(super) known: Option<i64>,
    /// Something was seen since the last transaction.
    pub(super) is_touched: bool,
}

/// One record.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) place: usize,
    pub(super) offset: i64,
    timestamp: Option<Timestamp>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Range<usize>,
    types: Range<usize>,
}

/// The records of a transaction to come.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    pub(super) rows: Vec<Row>,
    types: Vec<usize>,
}

impl Buffer {
    pub(super) fn push(&mut self, place: usize, record: &Record<'_>, steps: &Steps) {
        let key = record.key.map(|key| self.keep(key));
        let value = record.value.map(|value| self.keep(value));
        let first = self.bytes.len();
        encode_headers(record.headers, &mut self.bytes);
        let first_type = self.types.len();
        steps.note_types(record, &mut self.types);
        self.rows.push(Row {
            place,
            offset: record.offset,
            timestamp: record.timestamp,
            key,
            value,
            headers: first..self.bytes.len(),
            types: first_type..self.types.len(),
        });
    }

    fn keep(&mut self, payload: &[u8]) -> Range<usize> {
        let first = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        first..self.bytes.len()
    }

    /// How much memory the records take.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.rows.len() * size_of::<Row>()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
        self.types.clear();
    }

    pub(super) fn key(&self, row: &Row) -> ToSqlOutput<'_> {
        self.payload(row.key.as_ref())
    }

    pub(super) fn value(&self, row: &Row) -> ToSqlOutput<'_> {
        self.payload(row.value.as_ref())
    }

    pub(super) fn headers(&self, row: &Row) -> ToSqlOutput<'_> {
        ToSqlOutput::Borrowed(ValueRef::Text(&self.bytes[row.headers.clone()]))
    }

    pub(super) fn is_of_type(&self, row: &Row, number: usize) -> bool {
        self.types[row.types.clone()].contains(&number)
    }

    /// Text where `SQLite` keeps it whole: it takes a NUL for the end in most of its functions.
    fn payload(&self, range: Option<&Range<usize>>) -> ToSqlOutput<'_> {
        let Some(range) = range else {
            return ToSqlOutput::Owned(Value::Null);
        };
        let bytes = &self.bytes[range.clone()];
        let is_text = memchr::memchr(0, bytes).is_none() && str::from_utf8(bytes).is_ok();
        ToSqlOutput::Borrowed(if is_text {
            ValueRef::Text(bytes)
        } else {
            ValueRef::Blob(bytes)
        })
    }
}

impl Row {
    pub(super) fn timestamp(&self) -> Option<i64> {
        self.timestamp.map(|timestamp| timestamp.millis)
    }

    pub(super) fn timestamp_type(&self) -> Option<&'static str> {
        self.timestamp.map(|timestamp| match timestamp.kind {
            TimestampKind::Create => "create",
            TimestampKind::LogAppend => "log_append",
        })
    }
}
