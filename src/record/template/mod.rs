//! `-f`: records as text of one's own form, with kcat's letters.

mod parse;

pub use parse::TemplateError;

use std::io::Write;

use data_encoding::Encoding;
use jiff::Timestamp;
use jiff::fmt::StdIoWrite;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::TimeZone;

use super::{Header, Record};

/// A template, read once and written for every record.
///
/// | letter | writes | in braces |
/// |---|---|---|
/// | `%t` `%p` `%o` | topic, partition, offset | |
/// | `%k` `%s` | key, value; nothing for null | `hex` `base64` |
/// | `%K` `%S` | their length in bytes, -1 for null | |
/// | `%R` | the length of the value as four bytes, big endian | |
/// | `%T` or `%d` | timestamp in milliseconds, -1 for none | `RFC3339`, or strftime's letters |
/// | `%h` | headers as `name=value,name=value`, `NULL` for null | a name: the value of the last so called |
/// | `%%` | a percent sign | |
///
/// Escapes are `\n \t \r \0 \\ \xHH`. A brace right after a letter always opens a modifier; `\x7b`
/// writes one. Letters, lengths and null are those of kcat 1.7 (its `format.c`), and as there
/// nothing ends the line that the template does not write.
#[derive(Clone, Debug)]
pub struct Template {
    segments: Vec<Segment>,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
enum Segment {
    Literal(Vec<u8>),
    Topic,
    Partition,
    Offset,
    Key(Option<Encoding>),
    KeyLength,
    Value(Option<Encoding>),
    ValueLength,
    ValueLengthBinary,
    Millis,
    Rfc3339,
    Time(String),
    Headers,
    Header(Vec<u8>),
}

impl Template {
    /// Appends a record to `out`. A time beyond the calendar is written in milliseconds.
    pub fn write(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        for segment in &self.segments {
            match segment {
                Segment::Literal(bytes) => out.extend_from_slice(bytes),
                Segment::Topic => out.extend_from_slice(record.topic.as_bytes()),
                Segment::Partition => write_number(record.partition.into(), out),
                Segment::Offset => write_number(record.offset, out),
                Segment::Key(encoding) => write_bytes(record.key, encoding.as_ref(), out),
                Segment::KeyLength => write_number(length(record.key), out),
                Segment::Value(encoding) => write_bytes(record.value, encoding.as_ref(), out),
                Segment::ValueLength => write_number(length(record.value), out),
                Segment::ValueLengthBinary => {
                    // The protocol's lengths are 32 bits; kcat casts.
                    let length = i32::try_from(length(record.value)).unwrap_or(i32::MAX);
                    out.extend_from_slice(&length.to_be_bytes());
                }
                Segment::Millis => write_number(millis(record), out),
                Segment::Rfc3339 => write_time(record, out, |time, out| {
                    DateTimePrinter::new()
                        .precision(Some(3))
                        .print_timestamp(&time, StdIoWrite(out))
                }),
                Segment::Time(format) => write_time(record, out, |time, out| {
                    let local = time.to_zoned(self.zone.clone());
                    BrokenDownTime::from(&local).format(format, StdIoWrite(out))
                }),
                Segment::Headers => write_headers(record.headers, out),
                Segment::Header(name) => {
                    let header = record.headers.iter().rfind(|header| header.name == *name);
                    write_bytes(header.and_then(|header| header.value), None, out);
                }
            }
        }
    }
}

fn length(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX))
}

fn millis(record: &Record<'_>) -> i64 {
    record.timestamp.map_or(-1, |timestamp| timestamp.millis)
}

fn write_number(number: i64, out: &mut Vec<u8>) {
    // Writing to a `Vec` does not fail.
    let _ = write!(out, "{number}");
}

fn write_bytes(bytes: Option<&[u8]>, encoding: Option<&Encoding>, out: &mut Vec<u8>) {
    let bytes = bytes.unwrap_or_default();
    let Some(encoding) = encoding else {
        out.extend_from_slice(bytes);
        return;
    };
    let start = out.len();
    out.resize(start + encoding.encode_len(bytes.len()), 0);
    encoding.encode_mut(bytes, &mut out[start..]);
}

fn write_headers(headers: &[Header<'_>], out: &mut Vec<u8>) {
    for (index, header) in headers.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(header.name);
        out.push(b'=');
        out.extend_from_slice(header.value.unwrap_or(b"NULL"));
    }
}

fn write_time(
    record: &Record<'_>,
    out: &mut Vec<u8>,
    print: impl Fn(Timestamp, &mut Vec<u8>) -> Result<(), jiff::Error>,
) {
    let time = record
        .timestamp
        .map(|timestamp| Timestamp::from_millisecond(timestamp.millis));
    if let Some(Ok(time)) = time {
        // What formats one time formats every time, and a template is tried when it is read.
        let _ = print(time, out);
    } else {
        write_number(millis(record), out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{self, TimestampKind};

    const RECORD: Record<'_> = Record {
        topic: "orders",
        partition: 2,
        offset: 4711,
        timestamp: Some(record::Timestamp {
            millis: 1_763_668_800_123,
            kind: TimestampKind::Create,
        }),
        key: Some(b"u-17"),
        value: Some(b"{\"id\":7}\xff"),
        headers: &[
            Header {
                name: b"a",
                value: Some(b"1"),
            },
            Header {
                name: b"n",
                value: None,
            },
            Header {
                name: b"a",
                value: Some(b"2"),
            },
            Header {
                name: b"e",
                value: Some(b""),
            },
        ],
    };

    fn written(template: &str, record: &Record<'_>) -> Vec<u8> {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let mut out = b"before".to_vec();
        Template::parse(template, zone)
            .unwrap()
            .write(record, &mut out);
        out.split_off(6)
    }

    #[test]
    fn each_letter_writes_its_part() {
        for (template, expected) in [
            (
                "%t [%p] at %o: %k\\n",
                b"orders [2] at 4711: u-17\n".as_slice(),
            ),
            ("%s", b"{\"id\":7}\xff"),
            ("%K,%S", b"4,9"),
            ("%R%s", b"\0\0\0\x09{\"id\":7}\xff"),
            ("%T %d", b"1763668800123 1763668800123"),
            ("%h", b"a=1,n=NULL,a=2,e="),
            ("%h{a}|%h{n}|%h{e}|%h{missing}", b"2|||"),
            ("100%%", b"100%"),
            ("%k{hex} %s{hex}", b"752d3137 7b226964223a377dff"),
            ("%k{base64} %s{base64}", b"dS0xNw== eyJpZCI6N33/"),
            (
                "%T{RFC3339} %d{rfc3339}",
                b"2025-11-20T20:00:00.123Z 2025-11-20T20:00:00.123Z",
            ),
            (
                "%T{%Y-%m-%d %H:%M:%S%.3f %z}",
                b"2025-11-20 22:00:00.123 +0200",
            ),
            ("\\t\\r\\0\\\\\\xfF\\x7b", b"\t\r\0\\\xff{"),
            ("{\"k\":%o}", b"{\"k\":4711}"),
            ("", b""),
        ] {
            assert_eq!(
                written(template, &RECORD).escape_ascii().to_string(),
                expected.escape_ascii().to_string(),
                "{template}"
            );
        }
    }

    #[test]
    fn null_is_written_as_kcat_does() {
        let record = Record {
            timestamp: None,
            key: None,
            value: None,
            headers: &[],
            ..RECORD
        };
        let template = "%k|%k{hex}|%K|%s|%s{base64}|%S|%R|%T|%T{RFC3339}|%T{%Y}|%h";
        assert_eq!(
            written(template, &record),
            b"||-1|||-1|\xff\xff\xff\xff|-1|-1|-1|"
        );
        let empty = Record {
            key: Some(b""),
            value: Some(b""),
            ..RECORD
        };
        assert_eq!(written("%k|%K|%s|%S|%R", &empty), b"|0||0|\0\0\0\0");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_written_in_milliseconds() {
        let at = |millis| Record {
            timestamp: Some(record::Timestamp {
                millis,
                kind: TimestampKind::Create,
            }),
            ..RECORD
        };
        assert_eq!(
            written("%T{RFC3339}", &at(i64::MAX)),
            b"9223372036854775807"
        );
        assert_eq!(written("%T{%Y}", &at(i64::MIN)), b"-9223372036854775808");
    }

    proptest! {
        #[test]
        fn literal_text_comes_out_unchanged(text in any::<String>()) {
            let template = text.replace('\\', "\\\\").replace('%', "%%");
            prop_assert_eq!(written(&template, &RECORD), text.into_bytes());
        }

        #[test]
        fn any_byte_can_be_written(bytes: Vec<u8>) {
            let template = bytes.iter().fold(String::new(), |text, byte| format!("{text}\\x{byte:02x}"));
            prop_assert_eq!(written(&template, &RECORD), bytes);
        }

        #[test]
        fn no_text_panics(text in "([%\\\\{}a-zA-Z0-9ä]|.)*") {
            if let Ok(template) = Template::parse(&text, TimeZone::UTC) {
                template.write(&RECORD, &mut Vec::new());
            }
        }
    }
}
