//! The record line: one record as one line of JSON, and back, byte for byte.

use super::error::LineError;
use super::fields::{self, Field, UnknownFields, into_bytes};
use super::outgoing::{Outgoing, OutgoingHeader};
use super::payload::{self, PayloadMode, write_json};
use super::{Record, TimestampKind};

/// Appends a record and a line feed; the line contains no other line feed.
pub fn encode(record: &Record<'_>, mode: PayloadMode, line: &mut Vec<u8>) {
    line.extend_from_slice(b"{\"topic\":");
    write_json(line, record.topic);
    line.extend_from_slice(b",\"partition\":");
    write_json(line, &record.partition);
    line.extend_from_slice(b",\"offset\":");
    write_json(line, &record.offset);
    line.extend_from_slice(b",\"timestamp\":");
    write_json(line, &record.timestamp.map(|timestamp| timestamp.millis));
    if let Some(timestamp) = record.timestamp
        && timestamp.kind == TimestampKind::LogAppend
    {
        line.extend_from_slice(b",\"timestamp_type\":\"log_append\"");
    }
    line.push(b',');
    payload::write(line, "key", record.key, mode.without_embedding());
    line.push(b',');
    payload::write(line, "value", record.value, mode);
    line.extend_from_slice(b",\"headers\":[");
    for (index, header) in record.headers.iter().enumerate() {
        line.extend_from_slice(if index == 0 { b"{" } else { b",{" });
        payload::write(line, "key", Some(header.name), PayloadMode::Text);
        line.push(b',');
        payload::write(line, "value", header.value, mode.without_embedding());
        line.push(b'}');
    }
    line.extend_from_slice(b"]}\n");
}

/// Returns the record that a line holds, borrowed from it wherever nothing is escaped.
///
/// `offset` and `timestamp_type` say where a record was and are passed over; null stands for
/// an absent field but in `value`, where it is a tombstone and absence an error.
pub fn parse(line: &[u8], unknown: UnknownFields) -> Result<Outgoing<'_>, LineError> {
    const NAMES: [&str; 10] = [
        "topic",
        "partition",
        "offset",
        "timestamp",
        "timestamp_type",
        "key",
        "value",
        "headers",
        "key_base64",
        "value_base64",
    ];
    let [
        topic,
        partition,
        _,
        timestamp,
        _,
        key,
        value,
        headers,
        key_base64,
        value_base64,
    ] = fields::of_line(line, &NAMES, unknown)?;
    let key = match (key, key_base64) {
        (None, None) => None,
        (plain, encoded) => fields::payload(plain, encoded, neither("key", 1))?,
    };
    Ok(Outgoing {
        topic: given(topic, Field::string)?,
        partition: given(partition, Field::partition)?,
        timestamp: given(timestamp, Field::timestamp)?,
        key,
        value: fields::payload(value, value_base64, neither("value", 1))?,
        headers: headers_of(headers, unknown)?,
    })
}

/// Returns the headers of an array of `{"key":…,"value":…}`, with base64 siblings of both.
pub(super) fn headers_of(
    field: Option<Field<'_>>,
    unknown: UnknownFields,
) -> Result<Vec<OutgoingHeader<'_>>, LineError> {
    const WANTED: &str = "an array of objects";
    let Some(field) = field.filter(|field| !field.is_null()) else {
        return Ok(Vec::new());
    };
    fields::elements(field, WANTED)?
        .map(|element| {
            if element.text.starts_with('{') {
                header(element, unknown)
            } else {
                Err(element.unfit(WANTED))
            }
        })
        .collect()
}

fn header(element: Field<'_>, unknown: UnknownFields) -> Result<OutgoingHeader<'_>, LineError> {
    const NAMES: [&str; 4] = ["key", "value", "key_base64", "value_base64"];
    let column = element.column;
    let [key, value, key_base64, value_base64] =
        fields::of_object(element.text, column, &NAMES, unknown)?;
    let name = match (key, key_base64) {
        (Some(field), None) => field.header_name(into_bytes(field.string()?))?,
        (None, Some(field)) => field.header_name(field.base64()?)?,
        (Some(_), Some(field)) => {
            let column = field.column;
            return Err(LineError::Both {
                name: "key",
                column,
            });
        }
        (None, None) => return Err(neither("key", column)),
    };
    let value = fields::payload(value, value_base64, neither("value", column))?;
    Ok(OutgoingHeader { name, value })
}

/// Reads a field unless it is null, which for all but payloads is the same as absent.
fn given<'a, T>(
    field: Option<Field<'a>>,
    read: impl Fn(Field<'a>) -> Result<T, LineError>,
) -> Result<Option<T>, LineError> {
    field.filter(|field| !field.is_null()).map(read).transpose()
}

fn neither(name: &'static str, column: usize) -> LineError {
    LineError::Neither { name, column }
}
