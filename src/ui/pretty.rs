//! A record as a person reads it on a terminal.
//!
//! ```text
//! orders -p 2 -o 4711  2026-11-20 21:41:03.123  key u-17
//!   traceparent: 00-4bf9-01
//!   {"id":7,"total":101}
//! ```
//! Nothing of a record reaches the terminal raw, and only a head line begins in the first column,
//! also where lines are folded, so that no payload can pass for another record.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::fold::{Sheet, USUAL_WIDTH, columns};
use super::json::Json;
use super::sanitize::OneLine;
use crate::record::Record;

/// Bytes of a value that are shown.
const VALUE_LIMIT: usize = 4096;
/// Lines of a value that are shown.
const LINE_LIMIT: usize = 40;
/// Bytes of a key, of a header's name and of its value that are shown.
const KEY_LIMIT: usize = 256;
/// Bytes that are shown of what is not text.
const HEX_LIMIT: usize = 32;
/// The column where a record's headers and its value begin.
pub(super) const INDENT: usize = 2;

pub(super) const PLAIN: Style = Style::new();
pub(super) const POSITION: Style = Style::new().bold();
pub(super) const TIME: Style = AnsiColor::Green.on_default();
pub(super) const KEY: Style = AnsiColor::Cyan.on_default();
pub(super) const HEADER: Style = Style::new().dimmed();
/// What kpipe says in place of bytes: null, empty, how much was left out.
pub(super) const REMARK: Style = AnsiColor::Yellow.on_default();

/// Writes records for a terminal, their columns aligned as far as they were seen.
#[derive(Clone, Debug)]
pub struct Pretty {
    color: bool,
    zone: TimeZone,
    width: usize,
    position_width: usize,
}

impl Pretty {
    /// Makes a writer that shows times in `zone`, and uses colour when asked to.
    pub fn new(color: bool, zone: TimeZone) -> Self {
        Pretty {
            color,
            zone,
            width: USUAL_WIDTH,
            position_width: 0,
        }
    }

    /// Folds at so many columns from now on.
    pub fn set_width(&mut self, width: usize) {
        self.width = width;
    }

    /// Appends a record to `out`: a head line, a line for each header, the value on its own lines.
    ///
    /// The position is in the form that `kpipe tail` takes. JSON objects and arrays are indented
    /// when they are wider than the terminal, with numbers and repeated names as they are.
    pub fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let position = OneLine(&record.position().to_string()).to_string();
        self.position_width = self.position_width.max(columns(&position));
        let mut sheet = self.sheet(out);
        self.write_head(record, &position, &mut sheet);
        sheet.end_line();
        for header in record.headers {
            sheet.indent(INDENT, INDENT * 2);
            write_short(HEADER, header.name, &mut sheet);
            sheet.write(HEADER, ": ");
            write_short(HEADER, header.value.unwrap_or(b"(null)"), &mut sheet);
            sheet.end_line();
        }
        self.write_value(record.value, &mut sheet);
    }

    pub(super) fn sheet<'a>(&self, out: &'a mut Vec<u8>) -> Sheet<'a> {
        Sheet::new(out, self.width, self.color)
    }

    fn write_head(&self, record: &Record<'_>, position: &str, sheet: &mut Sheet<'_>) {
        sheet.indent(0, INDENT * 2);
        sheet.write(POSITION, position);
        let padding = self.position_width - columns(position) + 2;
        sheet.write(PLAIN, &" ".repeat(padding));
        match record.timestamp {
            Some(timestamp) => sheet.write(TIME, &self.time(timestamp.millis)),
            None => sheet.write(REMARK, &format!("{:<23}", "no timestamp")),
        };
        sheet.write(PLAIN, "  ");
        match record.key {
            None => remark("null key", sheet),
            Some(b"") => remark("empty key", sheet),
            Some(key) => {
                sheet.write(PLAIN, "key ");
                write_short(KEY, key, sheet);
            }
        }
    }

    pub(super) fn time(&self, millis: i64) -> String {
        Timestamp::from_millisecond(millis).map_or_else(
            |_| format!("{millis:<23}"),
            |time| {
                let local = time.to_zoned(self.zone.clone());
                local.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
            },
        )
    }

    /// Writes a value on lines of its own.
    pub(super) fn write_value(&self, value: Option<&[u8]>, sheet: &mut Sheet<'_>) {
        let json = value
            .and_then(|value| str::from_utf8(value).ok())
            .and_then(|text| Json::find(text, self.width.saturating_sub(INDENT)));
        match (value, json) {
            (Some(value), Some(json)) => write_json(json, value.len(), sheet),
            (Some(value), None) if !value.is_empty() => {
                sheet.limit_lines(LINE_LIMIT);
                sheet.indent(INDENT, INDENT);
                let rest = if let Some(text) = text_of(value, VALUE_LIMIT) {
                    value.len() - sheet.write_lines(PLAIN, text)
                } else {
                    remark("not UTF-8 ", sheet);
                    write_hex(PLAIN, value, sheet)
                };
                finish(rest, sheet);
            }
            (value, _) => {
                sheet.indent(INDENT, INDENT);
                let word = value.map_or("tombstone", |_| "empty value");
                remark(word, sheet);
                sheet.end_line();
            }
        }
    }
}

/// Writes JSON of `length` bytes on lines of its own.
pub(super) fn write_json(json: Json<'_>, length: usize, sheet: &mut Sheet<'_>) {
    sheet.limit_lines(LINE_LIMIT);
    sheet.indent(INDENT, INDENT * 2);
    let written = json.write(INDENT, VALUE_LIMIT, sheet);
    finish(length - written, sheet);
}

/// Says how many bytes were left out, and ends a value's lines.
fn finish(rest: usize, sheet: &mut Sheet<'_>) {
    let is_full = sheet.is_full();
    sheet.limit_lines(usize::MAX);
    if is_full {
        sheet.begin_line(INDENT, INDENT);
    }
    write_rest(rest, sheet);
    sheet.end_line();
}

pub(super) fn remark(remark: impl Display, sheet: &mut Sheet<'_>) {
    sheet.write_together(REMARK, &remark.to_string());
}

fn write_rest(bytes: usize, sheet: &mut Sheet<'_>) {
    if bytes > 0 {
        let unit = if bytes == 1 { "byte" } else { "bytes" };
        remark(format_args!("… (+{bytes} {unit})"), sheet);
    }
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

/// Writes a key or a part of a header without line breaks, and how much of it was left out.
pub(super) fn write_short(style: Style, bytes: &[u8], sheet: &mut Sheet<'_>) {
    let rest = match text_of(bytes, KEY_LIMIT) {
        Some(text) => {
            sheet.write(style, text);
            bytes.len() - text.len()
        }
        None => write_hex(style, bytes, sheet),
    };
    write_rest(rest, sheet);
}

/// Writes the first bytes in hexadecimal, and returns how many are left.
fn write_hex(style: Style, bytes: &[u8], sheet: &mut Sheet<'_>) -> usize {
    let shown = &bytes[..bytes.len().min(HEX_LIMIT)];
    sheet.write(style, &format!("0x{}", HEXLOWER.encode(shown)));
    bytes.len() - shown.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json::{LITERAL, NAME, NUMBER, STRING};
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

    fn value_of(value: &[u8]) -> String {
        let shown = shown(&Record {
            value: Some(value),
            ..RECORD
        });
        let (_, value) = shown.split_once('\n').unwrap();
        value.to_owned()
    }

    #[test]
    fn json_wider_than_the_terminal_is_indented_and_broken_json_is_not() {
        let wide = "x".repeat(66);
        let json = |length: usize| format!(r#"{{"a":"{}","b":1.50}}"#, &wide[..length]);
        assert_eq!(value_of(json(61).as_bytes()), format!("  {}\n", json(61)));
        let indented = format!("  {{\n    \"a\": \"{wide}\",\n    \"b\": 1.50\n  }}\n");
        assert_eq!(value_of(json(66).as_bytes()), indented);
        let broken = &json(66)[..80];
        let folded = format!("  {}\n  {}\n", &broken[..78], &broken[78..]);
        assert_eq!(value_of(broken.as_bytes()), folded);
    }

    #[test]
    fn long_json_is_indented_as_far_as_it_is_shown() {
        let numbers: Vec<_> = (100..2100).collect();
        let json = serde_json::to_string(&numbers).unwrap();
        let text = value_of(json.as_bytes());
        assert_eq!(text.lines().count(), 41);
        let rest = json.len() - "[".len() - 39 * "100,".len();
        assert!(
            text.ends_with(&format!("\n    138,\n  … (+{rest} bytes)\n")),
            "{text}"
        );
        let long = format!("[\"{}\"]", "x".repeat(5000));
        let text = value_of(long.as_bytes());
        assert!(text.starts_with("  [\n    \"xxxx"), "{text}");
        // Where it goes on is further in than where it begins.
        assert!(text.contains("x\n        x"), "{text}");
    }

    #[test]
    fn long_values_are_cut_between_characters_and_folded() {
        let long = "ä".repeat(3000);
        let text = value_of(&long.as_bytes()[1..]);
        assert!(text.starts_with("  not UTF-8 0xa4c3a4"), "{text}");
        assert!(text.ends_with("… (+5967 bytes)\n"), "{text}");
        let odd = format!("x{long}");
        let text = value_of(odd.as_bytes());
        assert!(text.ends_with("ää… (+1906 bytes)\n"), "{text}");
        assert!(text.lines().all(|line| columns(line) <= USUAL_WIDTH));
        let key = "k".repeat(300);
        let text = shown(&Record {
            key: Some(key.as_bytes()),
            ..RECORD
        });
        assert!(text.contains("\n    kkk"), "{text}");
        assert!(text.contains("kk\n    … (+44 bytes)\n"), "{text}");
    }

    #[test]
    fn of_a_value_of_many_lines_the_first_are_shown() {
        let lines = |count: usize| value_of(vec!["x"; count].join("\n").as_bytes());
        assert_eq!(lines(40).lines().count(), 40);
        assert!(lines(40).ends_with("\n  x\n"));
        assert_eq!(lines(41).lines().count(), 41);
        assert!(lines(41).ends_with("\n  x\n  … (+2 bytes)\n"));
        assert!(lines(100).ends_with("\n  x\n  … (+120 bytes)\n"));
    }

    #[test]
    fn no_payload_reaches_the_first_column_by_filling_a_line() {
        let forged = format!(
            "{}orders -p 2 -o 4712  2025-11-20 21:00:00.123",
            " ".repeat(78)
        );
        let json = format!("[\"{forged}\"]");
        let headers = [Header {
            name: forged.as_bytes(),
            value: Some(forged.as_bytes()),
        }];
        for value in [&forged, &json] {
            let record = Record {
                key: Some(forged.as_bytes()),
                value: Some(value.as_bytes()),
                headers: &headers,
                ..RECORD
            };
            assert_harmless(&record);
        }
    }

    #[test]
    fn json_has_colours() {
        let mut out = Vec::new();
        Pretty::new(true, TimeZone::UTC).write(&RECORD, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(&format!("{NAME}\"id\"{NAME:#}")), "{text:?}");
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

    const ATTACKS: [&str; 8] = [
        "ad\u{200b}min\u{feff}",
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
        [
            POSITION, TIME, KEY, HEADER, REMARK, NAME, STRING, NUMBER, LITERAL,
        ]
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
        assert!(
            plain.lines().all(|line| columns(line) <= USUAL_WIDTH),
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
