//! Times in the file and in what is printed: RFC 3339, UTC, always with milliseconds, so that they sort
//! as text. Read is every RFC 3339.

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use serde::Serializer;

/// Returns how a time is stored and printed.
pub(super) fn stored(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// Prints a time as [`stored`] writes it; of its own, jiff leaves out zeros at the end.
pub(crate) fn print<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

/// As [`print`], and `null` for none.
#[expect(clippy::ref_option, reason = "serde hands out references")]
pub(crate) fn print_some<S: Serializer>(
    time: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => print(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// Reads a time as [`stored`] writes it.
pub(super) fn read(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    row.get::<_, Time>(column).map(|time| time.0)
}

/// A time out of the file.
pub(super) struct Time(pub(super) Timestamp);

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value
            .as_str()?
            .parse()
            .map(Self)
            .map_err(FromSqlError::other)
    }
}
