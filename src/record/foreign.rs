//! Record lines of other tools, as exactly as those tools tell what they read.
//!
//! Read in their sources: kcat 1.8 (`json.c`, ab6ce81), rpk (`cli/topic/consume.go`, 6216c64),
//! kaf (`cmd/kaf/consume.go`, fd9c0ca). Where a record was (`offset`) is passed over.

use super::error::LineError;
use super::fields::{self, Field, Fields, UnknownFields, into_bytes};
use super::line::headers_of;
use super::outgoing::{Outgoing, OutgoingHeader};

/// Kafka's `NO_TIMESTAMP`, as these tools print it for records without one.
const NO_TIMESTAMP: i64 = -1;

/// Go's zero time, 0001-01-01T00:00:00Z, in milliseconds since the epoch.
const GO_ZERO_TIME: i64 = -62_135_596_800_000;

/// Returns the record in a line of `kcat -J`.
///
/// kcat prints bytes that are not UTF-8 as they are, which is not JSON and an error here. What
/// `-s avro` decoded is sent as the JSON text that kcat made of it.
pub(super) fn kcat(line: &[u8], unknown: UnknownFields) -> Result<Outgoing<'_>, LineError> {
    const NAMES: [&str; 13] = [
        "topic",
        "partition",
        "offset",
        "tstype",
        "ts",
        "broker",
        "headers",
        "key",
        "payload",
        "key_error",
        "payload_error",
        "key_schema_id",
        "value_schema_id",
    ];
    let [
        topic,
        partition,
        _,
        _,
        timestamp,
        _,
        headers,
        key,
        value,
        key_error,
        value_error,
        ..,
    ] = fields::of_line(line, &NAMES, unknown)?;
    if let Some(field) = key_error.or(value_error) {
        return Err(LineError::Undecoded {
            name: field.name,
            column: field.column,
        });
    }
    Ok(Outgoing {
        key: key.map_or(Ok(None), Field::payload)?,
        value: required(value, "payload")?.payload()?,
        headers: headers.map_or(Ok(Vec::new()), flat_headers)?,
        ..position([topic, partition, timestamp])?
    })
}

/// Returns the record in a line of `rpk topic consume --pretty-print=false`.
///
/// rpk leaves a null value out, and a key that is null or empty: no key is read as a null one.
/// It prints null header values as empty ones and broken UTF-8 as U+FFFD, which nothing undoes.
pub(super) fn rpk(line: &[u8], unknown: UnknownFields) -> Result<Outgoing<'_>, LineError> {
    const NAMES: [&str; 8] = [
        "topic",
        "key",
        "value",
        "value_size",
        "headers",
        "timestamp",
        "partition",
        "offset",
    ];
    let [
        topic,
        key,
        value,
        value_size,
        headers,
        timestamp,
        partition,
        _,
    ] = fields::of_line(line, &NAMES, unknown)?;
    if let Some(field) = value_size {
        return Err(LineError::ValueLeftOut {
            column: field.column,
        });
    }
    Ok(Outgoing {
        key: key.map_or(Ok(None), Field::payload)?,
        value: value.map_or(Ok(None), Field::payload)?,
        headers: headers_of(headers, unknown)?,
        ..position([topic, partition, timestamp])?
    })
}

/// Returns the record in a line of `kaf consume --output json-each-row`.
///
/// kaf prints null as the empty string. An empty key is read as a null one, because the empty
/// key would put records without a key on one partition; an empty payload stays empty, because
/// a tombstone deletes. Broken UTF-8 is U+FFFD by then, which nothing undoes.
pub(super) fn kaf(line: &[u8], unknown: UnknownFields) -> Result<Outgoing<'_>, LineError> {
    const NAMES: [&str; 7] = [
        "topic",
        "partition",
        "offset",
        "timestamp",
        "headers",
        "key",
        "payload",
    ];
    let [topic, partition, _, timestamp, headers, key, value] =
        fields::of_line(line, &NAMES, unknown)?;
    let key = key.map_or(Ok(None), Field::payload)?;
    Ok(Outgoing {
        key: key.filter(|key| !key.is_empty()),
        value: required(value, "payload")?.payload()?,
        headers: headers_of(headers, unknown)?,
        ..position([topic, partition, timestamp])?
    })
}

/// Returns a record with a place and a time alone.
fn position([topic, partition, timestamp]: Fields<'_, 3>) -> Result<Outgoing<'_>, LineError> {
    Ok(Outgoing {
        topic: topic.map(Field::string).transpose()?,
        partition: partition.map(Field::partition).transpose()?,
        timestamp: (timestamp.map(Field::timestamp).transpose()?)
            .filter(|millis| ![NO_TIMESTAMP, GO_ZERO_TIME].contains(millis)),
        ..Outgoing::default()
    })
}

fn required<'a>(field: Option<Field<'a>>, name: &'static str) -> Result<Field<'a>, LineError> {
    field.ok_or(LineError::Missing { name, column: 1 })
}

/// Returns the headers of `["name","value","name",null]`.
fn flat_headers(field: Field<'_>) -> Result<Vec<OutgoingHeader<'_>>, LineError> {
    const WANTED: &str = "an array of names and values in turn";
    let mut elements = fields::elements(field, WANTED)?;
    let mut headers = Vec::new();
    while let Some(name) = elements.next() {
        let value = elements.next().ok_or_else(|| field.unfit(WANTED))?;
        headers.push(OutgoingHeader {
            name: name.header_name(into_bytes(name.string()?))?,
            value: value.payload()?,
        });
    }
    Ok(headers)
}
