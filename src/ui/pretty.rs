//! A record as a person reads it on a terminal.
//!
//! ```text
//! orders -p 2 -o 4711  2026-11-20 21:41:03.123  key u-17
//!   traceparent: 00-4bf9-01
//!   {"id":7,"total":101}
//! ```
//! Nothing of a record reaches the terminal raw, and only a head line begins in the first column,
//! so that no payload can pass for another record.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::value::RawValue;

use super::indent::indented;
use super::sanitize::{one_line_into, sanitize_into};
use crate::record::Record;

/// Bytes of a value that are shown.
pub(super) const VALUE_LIMIT: usize = 4096;
/// Lines of a value that are shown.
const LINE_LIMIT: usize = 40;
/// Bytes of a key, of a header's name and of its value that are shown.
const KEY_LIMIT: usize = 256;
/// Bytes that are shown of what is not text.
const HEX_LIMIT: usize = 32;
/// JSON that is longer is spread over lines.
const JSON_WIDTH: usize = 96;

pub(super) const POSITION: Style = Style::new().bold();
pub(super) const TIME: Style = AnsiColor::Green.on_default();
pub(super) const KEY: Style = AnsiColor::Cyan.on_default();
pub(super) const HEADER: Style = Style::new().dimmed();
/// What kpipe says in place of bytes: null, empty, how much was left out.
const REMARK: Style = AnsiColor::Yellow.on_default();

/// Writes records for a terminal, their columns aligned as far as they were seen.
#[derive(Clone, Debug)]
pub struct Pretty {
    color: bool,
    zone: TimeZone,
    position_width: usize,
}

impl Pretty {
    /// Makes a writer that shows times in `zone`, and uses colour when asked to.
    pub fn new(color: bool, zone: TimeZone) -> Self {
        Pretty {
            color,
            zone,
            position_width: 0,
        }
    }

    /// Appends a record to `out`: a head line, a line for each header, the value on its own lines.
    ///
    /// The position is in the form that `kpipe tail` takes. JSON objects and arrays are indented
    /// when they are long, with numbers and repeated names as they are.
    pub fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        self.write_head(record, out);
        for header in record.headers {
            self.write_styled(HEADER, out, |out| {
                out.extend_from_slice(b"  ");
                write_short(header.name, out);
                out.extend_from_slice(b": ");
                write_short(header.value.unwrap_or(b"(null)"), out);
            });
            out.push(b'\n');
        }
        self.write_value(record.value, out);
    }

    fn write_head(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let mut position = Vec::new();
        one_line_into(record.topic.as_bytes(), &mut position);
        print(
            &mut position,
            format_args!(" -p {} -o {}", record.partition, record.offset),
        );
        self.position_width = self.position_width.max(position.len());
        let padding = self.position_width - position.len() + 2;
        self.write_styled(POSITION, out, |out| out.extend_from_slice(&position));
        print(out, format_args!("{:padding$}", ""));
        match record.timestamp {
            Some(timestamp) => {
                self.write_styled(TIME, out, |out| self.write_time(timestamp.millis, out));
            }
            None => self.write_remark(format_args!("{:<23}", "no timestamp"), out),
        }
        out.extend_from_slice(b"  ");
        match record.key {
            None => self.write_remark(format_args!("null key"), out),
            Some(b"") => self.write_remark(format_args!("empty key"), out),
            Some(key) => {
                out.extend_from_slice(b"key ");
                self.write_styled(KEY, out, |out| write_short(key, out));
            }
        }
        out.push(b'\n');
    }

    pub(super) fn write_time(&self, millis: i64, out: &mut Vec<u8>) {
        if let Ok(time) = Timestamp::from_millisecond(millis) {
            let local = time.to_zoned(self.zone.clone());
            print(
                out,
                format_args!("{}", local.strftime("%Y-%m-%d %H:%M:%S%.3f")),
            );
        } else {
            print(out, format_args!("{millis:<23}"));
        }
    }

    /// Appends a value on lines of its own, two columns in.
    pub(super) fn write_value(&self, value: Option<&[u8]>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"  ");
        match (value, value.and_then(|value| text_of(value, VALUE_LIMIT))) {
            (None, _) => self.write_remark(format_args!("tombstone"), out),
            (Some(b""), _) => self.write_remark(format_args!("empty value"), out),
            (Some(value), Some(text)) => {
                self.write_lines(&fit(text), out);
                self.write_rest(value.len() - text.len(), out);
            }
            (Some(value), None) => {
                self.write_remark(format_args!("not UTF-8 "), out);
                self.write_rest(write_hex(value, out), out);
            }
        }
        out.push(b'\n');
    }

    fn write_rest(&self, bytes: usize, out: &mut Vec<u8>) {
        if bytes > 0 {
            self.write_remark(format_args!("… (+{bytes} bytes)"), out);
        }
    }

    /// Writes what is fit for a terminal already, its second line and the rest two columns in,
    /// and how many lines were left out.
    pub(super) fn write_lines(&self, clean: &[u8], out: &mut Vec<u8>) {
        let mut lines = clean.split(|byte| *byte == b'\n');
        for (index, line) in lines.by_ref().take(LINE_LIMIT).enumerate() {
            if index > 0 {
                out.extend_from_slice(b"\n  ");
            }
            out.extend_from_slice(line);
        }
        let folded = lines.count();
        if folded > 0 {
            let lines = if folded == 1 { "line" } else { "lines" };
            out.extend_from_slice(b"\n  ");
            self.write_remark(format_args!("… (+{folded} {lines})"), out);
        }
    }

    pub(super) fn write_remark(&self, remark: std::fmt::Arguments<'_>, out: &mut Vec<u8>) {
        self.write_styled(REMARK, out, |out| print(out, remark));
    }

    pub(super) fn write_styled(
        &self,
        style: Style,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let style = if self.color { style } else { Style::new() };
        print(out, format_args!("{style}"));
        write(out);
        print(out, format_args!("{style:#}"));
    }
}

pub(super) fn print(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    // Writing to a `Vec` does not fail.
    let _ = out.write_fmt(arguments);
}

/// Returns the first `limit` bytes as text, a character that they cut left out; `None` when they
/// are not UTF-8.
fn text_of(bytes: &[u8], limit: usize) -> Option<&str> {
    let shown = &bytes[..bytes.len().min(limit)];
    match str::from_utf8(shown) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() && shown.len() < bytes.len() => {
            str::from_utf8(&shown[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

/// Writes a key or a part of a header on one line, and how much of it was left out.
pub(super) fn write_short(bytes: &[u8], out: &mut Vec<u8>) {
    let rest = match text_of(bytes, KEY_LIMIT) {
        Some(text) => {
            one_line_into(text.as_bytes(), out);
            bytes.len() - text.len()
        }
        None => write_hex(bytes, out),
    };
    if rest > 0 {
        print(out, format_args!("… (+{rest} bytes)"));
    }
}

/// Writes the first bytes in hexadecimal, and returns how many are left.
fn write_hex(bytes: &[u8], out: &mut Vec<u8>) -> usize {
    let shown = &bytes[..bytes.len().min(HEX_LIMIT)];
    print(out, format_args!("0x{}", HEXLOWER.encode_display(shown)));
    bytes.len() - shown.len()
}

/// Returns a value's text as a terminal may have it, a long object over several lines.
fn fit(text: &str) -> Vec<u8> {
    let mut clean = Vec::new();
    if is_long_object(text) {
        sanitize_into(&indented(text), &mut clean);
    } else {
        sanitize_into(text.as_bytes(), &mut clean);
    }
    clean
}

fn is_long_object(text: &str) -> bool {
    text.len() > JSON_WIDTH
        && text.starts_with(['{', '['])
        && !text.contains('\n')
        && serde_json::from_str::<&RawValue>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{self, Header, TimestampKind};

    const RECORD: Record<'_> = Record {
        topic: "orders",
        partition: 2,
        offset: 4711,
        timestamp: Some(record::Timestamp {
            millis: 1_763_668_800_123,
            kind: TimestampKind::Create,
        }),
        key: Some(b"u-17"),
        value: Some(br#"{"id":7}"#),
        headers: &[],
    };

    fn shown(record: &Record<'_>) -> String {
        let mut out = Vec::new();
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        Pretty::new(false, zone).write(record, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_record_has_a_head_line_its_headers_and_its_value() {
        let headers = [
            Header {
                name: b"trace",
                value: Some(b"00-01"),
            },
            Header {
                name: b"n",
                value: None,
            },
        ];
        assert_eq!(
            shown(&Record {
                headers: &headers,
                ..RECORD
            }),
            "orders -p 2 -o 4711  2025-11-20 21:00:00.123  key u-17\n  trace: 00-01\n  n: (null)\n  {\"id\":7}\n"
        );
    }

    #[test]
    fn what_is_not_there_is_said() {
        let nothing = Record {
            timestamp: None,
            key: None,
            value: None,
            ..RECORD
        };
        assert_eq!(
            shown(&nothing),
            "orders -p 2 -o 4711  no timestamp             null key\n  tombstone\n"
        );
        let empty = Record {
            key: Some(b""),
            value: Some(b""),
            ..RECORD
        };
        assert!(shown(&empty).ends_with("  empty key\n  empty value\n"));
        let far = record::Timestamp {
            millis: i64::MAX,
            kind: TimestampKind::Create,
        };
        assert!(
            shown(&Record {
                timestamp: Some(far),
                ..RECORD
            })
            .contains(" 9223372036854775807 ")
        );
    }

    #[test]
    fn columns_stay_aligned_once_they_are_wide() {
        let mut pretty = Pretty::new(false, TimeZone::UTC);
        let mut out = Vec::new();
        pretty.write(
            &Record {
                offset: 99_999,
                ..RECORD
            },
            &mut out,
        );
        pretty.write(
            &Record {
                offset: 5,
                ..RECORD
            },
            &mut out,
        );
        let text = String::from_utf8(out).unwrap();
        let columns: Vec<_> = text.lines().filter_map(|line| line.find("2025-")).collect();
        assert_eq!(columns, [22, 22]);
    }

    #[test]
    fn long_json_is_indented_and_broken_json_is_not() {
        let long = "x".repeat(100);
        let json = format!(r#"{{"a":"{long}","b":1.50}}"#);
        let expected = format!("\n  {{\n    \"a\": \"{long}\",\n    \"b\": 1.50\n  }}\n");
        assert!(
            shown(&Record {
                value: Some(json.as_bytes()),
                ..RECORD
            })
            .ends_with(&expected)
        );
        let broken = &json[..json.len() - 1];
        let expected = format!("\n  {broken}\n");
        assert!(
            shown(&Record {
                value: Some(broken.as_bytes()),
                ..RECORD
            })
            .ends_with(&expected)
        );
    }

    #[test]
    fn long_values_are_folded_between_characters() {
        let long = "ä".repeat(3000);
        let text = shown(&Record {
            value: Some(&long.as_bytes()[1..]),
            ..RECORD
        });
        assert!(text.contains("not UTF-8 0xa4c3a4"), "{text}");
        assert!(text.ends_with("… (+5967 bytes)\n"), "{text}");
        let odd = format!("x{long}");
        let text = shown(&Record {
            value: Some(odd.as_bytes()),
            ..RECORD
        });
        assert!(text.ends_with("ää… (+1906 bytes)\n"), "{text}");
        let key = "k".repeat(300);
        assert!(
            shown(&Record {
                key: Some(key.as_bytes()),
                ..RECORD
            })
            .contains("kk… (+44 bytes)\n")
        );
    }

    #[test]
    fn a_value_of_many_lines_is_folded() {
        let lines = |count: usize| vec!["x"; count].join("\n");
        let shown = |count| {
            let value = lines(count);
            let value = Some(value.as_bytes());
            shown(&Record { value, ..RECORD })
        };
        assert_eq!(shown(40).lines().count(), 41);
        assert!(shown(40).ends_with("\n  x\n"));
        assert_eq!(shown(41).lines().count(), 42);
        assert!(shown(41).ends_with("\n  x\n  … (+1 line)\n"));
        assert!(shown(100).ends_with("\n  x\n  … (+60 lines)\n"));
    }

    #[test]
    fn bytes_that_are_not_text_are_shown_in_hexadecimal() {
        let text = shown(&Record {
            key: Some(b"\xff\0"),
            value: Some(b"\0\xc3"),
            ..RECORD
        });
        assert!(
            text.ends_with("  key 0xff00\n  not UTF-8 0x00c3\n"),
            "{text}"
        );
    }

    const ATTACKS: [&str; 7] = [
        "\x1b]52;c;ZXZpbA==\x07",
        "\x1b]0;title\x07",
        "\x1b[6n",
        "\u{9b}6n",
        "\u{202e}txt.exe",
        "safe\rEVIL",
        "a\norders -p 2 -o 4712  2025-11-20 21:00:00.123  key forged",
    ];

    /// Drops the styles of this module: what escapes are left came from the record.
    fn without_styles(text: &str) -> String {
        [POSITION, TIME, KEY, HEADER, REMARK]
            .iter()
            .fold(text.to_owned(), |text, style| {
                text.replace(&style.to_string(), "")
                    .replace(&format!("{style:#}"), "")
            })
    }

    fn assert_harmless(record: &Record<'_>) {
        let plain = shown(record);
        let mut out = Vec::new();
        Pretty::new(true, TimeZone::fixed(jiff::tz::offset(1))).write(record, &mut out);
        assert_eq!(without_styles(str::from_utf8(&out).unwrap()), plain);
        assert!(!plain.contains(|character: char| {
            (character.is_control() && !matches!(character, '\n' | '\t'))
                || ('\u{202a}'..='\u{202e}').contains(&character)
        }));
        assert!(
            plain.lines().skip(1).all(|line| line.starts_with("  ")),
            "{plain}"
        );
    }

    #[test]
    fn nothing_of_a_record_reaches_the_terminal_raw() {
        for attack in ATTACKS {
            let bytes = attack.as_bytes();
            let json = format!("{{\"a\":\"{attack}\",\"b\":\"{}\"}}", "x".repeat(100));
            let headers = [Header {
                name: bytes,
                value: Some(bytes),
            }];
            for value in [bytes, json.as_bytes()] {
                let record = Record {
                    topic: attack,
                    key: Some(bytes),
                    value: Some(value),
                    headers: &headers,
                    ..RECORD
                };
                assert_harmless(&record);
            }
        }
    }

    proptest! {
        #[test]
        fn no_record_does_harm(
            topic: String, key: Option<Vec<u8>>, name: Vec<u8>, value in "\\PC*|[\\x00-\\x{9f}{}\"]*",
            bytes: Vec<u8>, millis: i64,
        ) {
            let headers = [Header { name: &name, value: Some(&bytes) }];
            for value in [value.as_bytes(), &bytes] {
                assert_harmless(&Record {
                    topic: &topic,
                    timestamp: Some(record::Timestamp { millis, kind: TimestampKind::LogAppend }),
                    key: key.as_deref(),
                    value: Some(value),
                    headers: &headers,
                    ..RECORD
                });
            }
        }
    }
}
