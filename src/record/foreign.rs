//! Record lines of other tools, as exactly as those tools tell what they read.
//!
//! Read in their sources: kcat (`json.c`, ab6ce81), rpk (`cli/topic/consume.go`, 6216c64),
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

#[cfg(test)]
mod tests {
    use super::*;

    type Read = fn(&[u8], UnknownFields) -> Result<Outgoing<'_>, LineError>;

    fn error(read: Read, line: &str) -> String {
        read(line.as_bytes(), UnknownFields::Refuse)
            .unwrap_err()
            .to_string()
    }

    fn record<'a>(
        key: Option<&'a str>,
        value: Option<&'a str>,
        headers: &[(&'a str, Option<&'a str>)],
    ) -> Outgoing<'a> {
        let bytes = |text: &'a str| text.as_bytes().into();
        Outgoing {
            topic: Some("t".into()),
            partition: Some(1),
            timestamp: Some(1_763_668_800_123),
            key: key.map(bytes),
            value: value.map(bytes),
            headers: (headers.iter())
                .map(|(name, value)| OutgoingHeader {
                    name: bytes(name),
                    value: value.map(bytes),
                })
                .collect(),
        }
    }

    #[test]
    fn kcat_lines_are_read() {
        let start = r#"{"topic":"t","partition":1,"offset":5,"tstype":"create","ts":1763668800123,"broker":0"#;
        for (end, expected) in [
            (
                r#","headers":["a","1","a",null],"key":"k","payload":"{\"a\":\"\\u0001\"}"}"#,
                record(
                    Some("k"),
                    Some(r#"{"a":"\u0001"}"#),
                    &[("a", Some("1")), ("a", None)],
                ),
            ),
            (r#","key":null,"payload":null}"#, record(None, None, &[])),
            (
                r#","key":"","key_schema_id":1,"payload":{"a":1.0},"value_schema_id":7}"#,
                record(Some(""), Some(r#"{"a":1.0}"#), &[]),
            ),
        ] {
            let line = format!("{start}{end}");
            assert_eq!(
                kcat(line.as_bytes(), UnknownFields::Refuse).unwrap(),
                expected
            );
        }
    }

    #[test]
    fn what_kcat_could_not_decode_is_no_tombstone() {
        let line = r#"{"key":"k","payload":null,"payload_error":"no schema"}"#;
        assert_eq!(
            error(kcat, line),
            "kcat could not decode this record: `payload_error`"
        );
        assert_eq!(error(kcat, r#"{"key":"k"}"#), "no `payload`");
    }

    #[test]
    fn kcat_headers_come_in_pairs() {
        let wanted = "`headers` must be an array of names and values in turn";
        assert_eq!(error(kcat, r#"{"headers":["a"],"payload":""}"#), wanted);
        assert_eq!(error(kcat, r#"{"headers":{},"payload":""}"#), wanted);
    }

    #[test]
    fn kcat_records_without_a_timestamp_get_none() {
        let line = br#"{"topic":"t","tstype":"create","ts":-1,"payload":"v"}"#;
        assert_eq!(kcat(line, UnknownFields::Refuse).unwrap().timestamp, None);
    }

    #[test]
    fn rpk_lines_are_read() {
        let end = r#""timestamp":1763668800123,"partition":1,"offset":5}"#;
        for (start, expected) in [
            (
                r#"{"topic":"t","key":"k","value":"\u003cv","headers":[{"key":"a","value":""}],"#,
                record(Some("k"), Some("<v"), &[("a", Some(""))]),
            ),
            (r#"{"topic":"t","#, record(None, None, &[])),
            (r#"{"topic":"t","value":"","#, record(None, Some(""), &[])),
        ] {
            let line = format!("{start}{end}");
            assert_eq!(
                rpk(line.as_bytes(), UnknownFields::Refuse).unwrap(),
                expected
            );
        }
    }

    #[test]
    fn values_that_rpk_left_out_are_no_tombstones() {
        let line = r#"{"topic":"t","value_size":3,"partition":1}"#;
        assert_eq!(
            error(rpk, line),
            "`value_size` stands for a value that rpk left out"
        );
    }

    #[test]
    fn kaf_lines_are_read() {
        let start =
            r#"{"topic":"t","partition":1,"offset":5,"timestamp":"2025-11-20T21:00:00.123+01:00","#;
        for (end, expected) in [
            (
                r#""headers":[{"key":"a","value":"1"}],"key":"k","payload":"v"}"#,
                record(Some("k"), Some("v"), &[("a", Some("1"))]),
            ),
            (
                r#""headers":[],"key":"","payload":""}"#,
                record(None, Some(""), &[]),
            ),
        ] {
            let line = format!("{start}{end}");
            assert_eq!(
                kaf(line.as_bytes(), UnknownFields::Refuse).unwrap(),
                expected
            );
        }
    }

    #[test]
    fn the_zero_time_of_kaf_is_no_timestamp() {
        let line = br#"{"timestamp":"0001-01-01T00:00:00Z","key":"","payload":"v"}"#;
        assert_eq!(kaf(line, UnknownFields::Refuse).unwrap().timestamp, None);
        assert_eq!(error(kaf, r#"{"key":"k"}"#), "no `payload`");
    }

    #[test]
    fn one_tool_is_not_taken_for_another() {
        let line =
            r#"{"topic":"t","partition":1,"offset":5,"tstype":"create","ts":1,"payload":"v"}"#;
        assert_eq!(error(rpk, line), "unknown field `tstype`");
        let own = crate::record::parse(line.as_bytes(), UnknownFields::Refuse).unwrap_err();
        assert!(own.hint().unwrap().contains("--input kcat"));
    }
}
