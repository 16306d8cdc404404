//! The record line: one record as one line of JSON, and back, byte for byte.

use super::error::LineError;
use super::fields::{self, Field, UnknownFields, into_bytes};
use super::outgoing::{Outgoing, OutgoingHeader};
use super::payload::{self, PayloadMode, write_json};
use super::{Header, Record, TimestampKind};

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
    line.extend_from_slice(b",\"headers\":");
    headers_in(record.headers, mode.without_embedding(), line);
    line.extend_from_slice(b"}\n");
}

/// Appends headers as they stand in a record line.
pub fn encode_headers(headers: &[Header<'_>], text: &mut Vec<u8>) {
    headers_in(headers, PayloadMode::Text, text);
}

fn headers_in(headers: &[Header<'_>], mode: PayloadMode, line: &mut Vec<u8>) {
    line.push(b'[');
    for (index, header) in headers.iter().enumerate() {
        line.extend_from_slice(if index == 0 { b"{" } else { b",{" });
        payload::write(line, "key", Some(header.name), PayloadMode::Text);
        line.push(b',');
        payload::write(line, "value", header.value, mode);
        line.push(b'}');
    }
    line.push(b']');
}

/// Where a record was, as its line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its place in the partition.
    pub offset: i64,
    /// Who set its timestamp.
    pub timestamp: TimestampKind,
}

/// Returns the record that a line holds, borrowed from it wherever nothing is escaped.
///
/// `offset` and `timestamp_type` say where a record was and are passed over; null stands for
/// an absent field but in `value`, where it is a tombstone and absence an error.
pub fn parse(line: &[u8], unknown: UnknownFields) -> Result<Outgoing<'_>, LineError> {
    Ok(read(line, unknown, Field::timestamp)?.0)
}

/// The same, with the offset that the record had, where the line tells one.
pub fn parse_with_offset(
    line: &[u8],
    unknown: UnknownFields,
) -> Result<(Outgoing<'_>, Option<i64>), LineError> {
    let (record, offset, _) = read(line, unknown, Field::timestamp)?;
    Ok((record, offset.and_then(|offset| offset.text.parse().ok())))
}

/// Returns the record that a line holds, and where it was: topic, partition and offset have to be there.
pub fn parse_placed(
    line: &[u8],
    unknown: UnknownFields,
) -> Result<(Outgoing<'_>, Origin), LineError> {
    let (record, offset, kind) = read(line, unknown, Field::millis)?;
    let missing = |name| LineError::Missing { name, column: 1 };
    if record.topic.is_none() {
        return Err(missing("topic"));
    }
    if record.partition.is_none() {
        return Err(missing("partition"));
    }
    let offset = given(offset, Field::offset)?.ok_or_else(|| missing("offset"))?;
    let timestamp = match given(kind, Field::string)?.as_deref() {
        None | Some("create") => TimestampKind::Create,
        Some("log_append") => TimestampKind::LogAppend,
        Some(_) => {
            return Err(kind.map_or(missing("timestamp_type"), |kind| {
                kind.unfit("`create` or `log_append`")
            }));
        }
    };
    Ok((record, Origin { offset, timestamp }))
}

/// A record, and the two fields of its line that it has no use for when it is sent.
type Placed<'a> = (Outgoing<'a>, Option<Field<'a>>, Option<Field<'a>>);

fn read<'a>(
    line: &'a [u8],
    unknown: UnknownFields,
    time: impl Fn(Field<'a>) -> Result<i64, LineError>,
) -> Result<Placed<'a>, LineError> {
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
        offset,
        timestamp,
        timestamp_type,
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
    let record = Outgoing {
        topic: given(topic, Field::string)?,
        partition: given(partition, Field::partition)?,
        timestamp: given(timestamp, time)?,
        key,
        value: fields::payload(value, value_base64, neither("value", 1))?,
        headers: headers_of(headers, unknown)?,
    };
    Ok((record, offset, timestamp_type))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Timestamp;

    fn error(line: impl AsRef<[u8]>) -> (String, usize) {
        let error = parse(line.as_ref(), UnknownFields::Refuse).unwrap_err();
        (error.to_string(), error.column())
    }

    fn value(json: &str) -> Option<Vec<u8>> {
        let line = format!(r#"{{"value":{json}}}"#);
        let outgoing = parse(line.as_bytes(), UnknownFields::Refuse).unwrap();
        outgoing.value.map(Vec::from)
    }

    #[test]
    fn a_record_has_all_its_fields_in_order() {
        let record = Record {
            topic: "orders",
            partition: 2,
            offset: 4711,
            timestamp: Some(Timestamp {
                millis: 1_763_668_800_123,
                kind: TimestampKind::LogAppend,
            }),
            key: Some(b"{\"k\":1}"),
            value: Some(b"{\"id\":7}"),
            headers: &[
                Header {
                    name: b"a",
                    value: Some(b"[]"),
                },
                Header {
                    name: b"a",
                    value: None,
                },
                Header {
                    name: b"\xff",
                    value: Some(b"\xfe"),
                },
            ],
        };
        let mut line = Vec::new();
        encode(&record, PayloadMode::Auto, &mut line);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            concat!(
                r#"{"topic":"orders","partition":2,"offset":4711,"timestamp":1763668800123,"#,
                r#""timestamp_type":"log_append","key":"{\"k\":1}","value":{"id":7},"headers":["#,
                r#"{"key":"a","value":"[]"},{"key":"a","value":null},"#,
                r#"{"key_base64":"/w==","value_base64":"/g=="}]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_record_without_anything_still_has_all_its_fields() {
        let record = Record {
            topic: "t",
            partition: 0,
            offset: 0,
            timestamp: None,
            key: None,
            value: None,
            headers: &[],
        };
        let mut line = b"before ".to_vec();
        encode(&record, PayloadMode::Auto, &mut line);
        assert_eq!(
            line,
            b"before {\"topic\":\"t\",\"partition\":0,\"offset\":0,\"timestamp\":null,\
              \"key\":null,\"value\":null,\"headers\":[]}\n"
        );
    }

    #[test]
    fn values_are_their_text() {
        for (json, bytes) in [
            (r#""a\n\u00e9""#, "a\né"),
            (r#""null""#, "null"),
            ("1.50", "1.50"),
            ("true", "true"),
            (r#" { "a" : 1 , "a":2 } "#, r#"{ "a" : 1 , "a":2 }"#),
            ("[1]", "[1]"),
        ] {
            assert_eq!(value(json).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(value("null"), None);
    }

    #[test]
    fn plain_text_is_borrowed() {
        let line = br#"{"key":"k","value":{"a":"\n"},"headers":[{"key":"n","value":"v"}]}"#;
        let outgoing = parse(line, UnknownFields::Refuse).unwrap();
        assert!(matches!(
            outgoing.key,
            Some(std::borrow::Cow::Borrowed(b"k"))
        ));
        assert!(matches!(
            outgoing.value,
            Some(std::borrow::Cow::Borrowed(_))
        ));
        assert!(matches!(
            outgoing.headers[0].name,
            std::borrow::Cow::Borrowed(b"n")
        ));
    }

    #[test]
    fn null_metadata_is_absent_metadata() {
        let line = br#"{"topic":null,"partition":null,"timestamp":null,"headers":null,"key":null,"value":""}"#;
        let expected = Outgoing {
            value: Some(b"".into()),
            ..Outgoing::default()
        };
        assert_eq!(parse(line, UnknownFields::Refuse).unwrap(), expected);
    }

    #[test]
    fn timestamps_are_milliseconds_or_rfc_3339() {
        for (json, millis) in [
            ("1763668800123", 1_763_668_800_123),
            ("-5", -5),
            (r#""2025-11-20T20:00:00.123Z""#, 1_763_668_800_123),
            (r#""2025-11-20T21:00:00.123+01:00""#, 1_763_668_800_123),
        ] {
            let line = format!(r#"{{"timestamp":{json},"value":null}}"#);
            let outgoing = parse(line.as_bytes(), UnknownFields::Refuse).unwrap();
            assert_eq!(outgoing.timestamp, Some(millis));
        }
        let wanted = "`timestamp` must be whole milliseconds since the epoch or an RFC 3339 time";
        for json in [
            "1.5",
            "1e3",
            r#""1763668800123""#,
            "{}",
            "9223372036854775808",
        ] {
            let line = format!(r#"{{"timestamp":{json},"value":null}}"#);
            assert_eq!(error(line), (wanted.to_owned(), 14));
        }
        for json in ["0", r#""1970-01-01T00:00:00Z""#] {
            let line = format!(r#"{{"timestamp":{json},"value":null}}"#);
            assert!(error(line).0.starts_with("timestamp 0 cannot be sent"));
        }
    }

    #[test]
    fn partitions_are_whole_numbers() {
        let wanted = "`partition` must be a whole number from 0 to 2147483647";
        for json in ["-1", "2.0", "1e2", "2147483648", r#""2""#, "true"] {
            let line = format!(r#"{{"partition":{json},"value":null}}"#);
            assert_eq!(error(line), (wanted.to_owned(), 14));
        }
    }

    #[test]
    fn errors_name_what_and_where() {
        for (line, text, column) in [
            (
                r#"{"vlaue":1}"#,
                "unknown field `vlaue`, did you mean `value`?",
                2,
            ),
            (r#"{"value":1,"zzz":1}"#, "unknown field `zzz`", 12),
            (r#" {"value":1,"zzz":1}"#, "unknown field `zzz`", 13),
            (r#"{"value":1,"\u007a":1}"#, "unknown field `z`", 21),
            (r#"{"value":1, "value":2}"#, "`value` stands here twice", 13),
            (r#"{"key":"k"}"#, "neither `value` nor `value_base64`", 1),
            (
                r#"{"value":1,"value_base64":""}"#,
                "both `value` and `value_base64`",
                27,
            ),
            (
                r#"{"key":1,"key_base64":"","value":1}"#,
                "both `key` and `key_base64`",
                23,
            ),
            (
                r#"{"value_base64":"AA=A"}"#,
                "`value_base64` must be base64 with padding",
                20,
            ),
            (
                r#"{"value_base64":"AB=="}"#,
                "`value_base64` must be base64 with padding",
                19,
            ),
            (
                r#"{"value_base64":"AA"}"#,
                "`value_base64` must be base64 with padding",
                18,
            ),
            (
                r#"{"value_base64":null}"#,
                "`value_base64` must be a string",
                17,
            ),
            (r#"{"topic":7,"value":1}"#, "`topic` must be a string", 10),
            (
                r#"{"value":1} x"#,
                "more text behind the end of the value",
                13,
            ),
            (r#"{"value":1 "key":2}"#, "expected `,` or `}`", 12),
            (r#"{"value":"#, "the text ends where a value should be", 9),
            (r#"{"value":"\ud800"}"#, "`\\u` of half a character", 17),
            (
                "{\"value\":\"\t\"}",
                "a control character in a string, such as a tab or the end of a line; they are `\\t` and `\\n`",
                10,
            ),
            (
                "\u{feff}{\"value\":1} x",
                "more text behind the end of the value",
                16,
            ),
            (
                r#"{"value":1,"headers":{}}"#,
                "`headers` must be an array of objects",
                22,
            ),
            (
                r#"{"value":1,"headers":[1]}"#,
                "`headers` must be an array of objects",
                23,
            ),
            (
                r#"{"value":1,"headers":[{"key":"a"}]}"#,
                "neither `value` nor `value_base64`",
                23,
            ),
            (
                r#"{"value":1,"headers":[{"value":"a"}]}"#,
                "neither `key` nor `key_base64`",
                23,
            ),
            (
                r#"{"value":1,"headers":[{"key":null,"value":1}]}"#,
                "`key` must be a string",
                30,
            ),
            (
                r#"{"value":1,"headers":[{"kye":"a"}]}"#,
                "unknown field `kye`, did you mean `key`?",
                24,
            ),
        ] {
            assert_eq!(error(line), (text.to_owned(), column), "{line}");
        }
    }

    #[test]
    fn header_names_with_nul_are_refused() {
        for name in [r#""key":"a\u0000b""#, r#""key_base64":"AA==""#] {
            let line = format!(r#"{{"value":1,"headers":[{{{name},"value":1}}]}}"#);
            assert!(error(line).0.starts_with("a header name with a NUL"));
        }
    }

    #[test]
    fn lines_that_are_no_objects_are_told_apart() {
        for (line, found) in [
            ("", "an empty line"),
            (" \r", "an empty line"),
            ("[1]", "an array"),
            ("\"a\"", "a string"),
            ("hello", "other text"),
            ("\u{1}\u{ff}", "other text"),
        ] {
            let text = format!("not a record line: expected a JSON object, found {found}");
            assert_eq!(error(line).0, text);
        }
    }

    #[test]
    fn broken_utf_8_is_refused_even_where_it_is_skipped() {
        let line = b"{\"value\":1,\"other\":\"\xff\"}";
        let error = parse(line, UnknownFields::Ignore).unwrap_err();
        assert_eq!(
            (error.to_string(), error.column()),
            ("not valid UTF-8".to_owned(), 21)
        );
    }

    #[test]
    fn unknown_fields_can_be_ignored_but_must_be_json() {
        let outgoing = parse(
            br#"{"a":{"b":[]},"a":1,"value":"v"}"#,
            UnknownFields::Ignore,
        )
        .unwrap();
        assert_eq!(outgoing.value.as_deref(), Some(&b"v"[..]));
        assert!(parse(br#"{"a":{,"value":"v"}"#, UnknownFields::Ignore).is_err());
    }

    #[test]
    fn a_byte_order_mark_and_a_carriage_return_are_passed_over() {
        let outgoing = parse(
            "\u{feff}{\"value\":\"v\"}\r".as_bytes(),
            UnknownFields::Refuse,
        )
        .unwrap();
        assert_eq!(outgoing.value.as_deref(), Some(&b"v"[..]));
    }

    #[test]
    fn escaped_names_are_the_same_names() {
        let outgoing = parse(br#"{"v\u0061lue":"v"}"#, UnknownFields::Refuse).unwrap();
        assert_eq!(outgoing.value.as_deref(), Some(&b"v"[..]));
    }
}
