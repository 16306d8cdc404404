//! A record as a subscriber reads it on a terminal: each part on its line, the payload indented.
//!
//! ```text
//! topic: sensors
//! data type: sensor
//! time: 2026-11-20T21:41:03.123Z
//! payload:
//!   {
//!     "sensor_id": "sensor_42",
//!     "temperature": 25.3
//!   }
//! ```
//! Made for values `{"data_type","timestamp","payload"}`, as `kpipe generate` makes them; of others
//! the time is the record's, and the payload all of the value. As in [`super::pretty`], nothing
//! reaches the terminal raw, and no payload can pass for another record.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fold::Sheet;
use super::json::Json;
use super::pretty::{HEADER, INDENT, KEY, POSITION, Pretty, TIME, remark, write_json, write_short};
use crate::record::Record;

/// A value of the form that the labels are for.
#[derive(Deserialize)]
struct Labels<'a> {
    #[serde(borrow)]
    data_type: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: &'a RawValue,
    #[serde(borrow)]
    payload: &'a RawValue,
}

impl Pretty {
    /// Appends a record to `out`, with a label to each part and an empty line after it.
    pub fn write_labelled(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        let labels: Option<Labels<'_>> = record
            .value
            .and_then(|value| serde_json::from_slice(value).ok());
        let mut sheet = self.sheet(out);
        let sheet = &mut sheet;
        begin("topic: ", sheet);
        write_short(POSITION, record.topic.as_bytes(), sheet);
        sheet.end_line();
        begin("data type: ", sheet);
        match &labels {
            Some(labels) => write_short(KEY, labels.data_type.as_bytes(), sheet),
            None => remark("unknown", sheet),
        }
        sheet.end_line();
        begin("time: ", sheet);
        let time = labels.as_ref().map(|labels| labels.timestamp.get());
        match (time, record.timestamp) {
            (Some(time), _) => {
                let text = serde_json::from_str::<Cow<'_, str>>(time);
                write_short(TIME, text.as_deref().unwrap_or(time).as_bytes(), sheet);
            }
            (None, Some(time)) => {
                sheet.write(TIME, &self.time(time.millis));
            }
            (None, None) => remark("no timestamp", sheet),
        }
        sheet.end_line();
        begin("payload:", sheet);
        sheet.end_line();
        match labels.map(|labels| labels.payload) {
            Some(payload) => write_json(Json::spread(payload), payload.get().len(), sheet),
            None => self.write_value(record.value, sheet),
        }
        sheet.end_line();
    }
}

/// Begins a line of which what is folded is indented.
fn begin(label: &str, sheet: &mut Sheet<'_>) {
    sheet.indent(0, INDENT * 2);
    sheet.write(HEADER, label);
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::record::{Timestamp, TimestampKind};

    fn shown(value: Option<&[u8]>) -> String {
        let record = Record {
            topic: "sensors",
            partition: 0,
            offset: 0,
            timestamp: Some(Timestamp {
                millis: 1_763_668_800_123,
                kind: TimestampKind::Create,
            }),
            key: None,
            value,
            headers: &[],
        };
        let mut out = Vec::new();
        Pretty::new(false, TimeZone::UTC).write_labelled(&record, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_part_has_its_line_and_the_payload_is_indented() {
        let value = br#"{"data_type":"sensor","timestamp":"2026-11-20T10:00:00Z","payload":{"id":"s","t":25.30}}"#;
        assert_eq!(
            shown(Some(value)),
            "topic: sensors\ndata type: sensor\ntime: 2026-11-20T10:00:00Z\npayload:\n  {\n    \"id\": \"s\",\n    \"t\": 25.30\n  }\n\n"
        );
        let value = br#"{"data_type":"n","timestamp":17,"payload":4}"#;
        assert!(shown(Some(value)).ends_with("data type: n\ntime: 17\npayload:\n  4\n\n"));
    }

    #[test]
    fn other_values_are_shown_whole_with_the_time_of_the_record() {
        let rest =
            "topic: sensors\ndata type: unknown\ntime: 2025-11-20 20:00:00.123\npayload:\n  ";
        assert_eq!(shown(Some(b"plain")), format!("{rest}plain\n\n"));
        assert_eq!(shown(None), format!("{rest}tombstone\n\n"));
        assert_eq!(
            shown(Some(br#"{"data_type":"x"}"#)),
            format!("{rest}{{\"data_type\":\"x\"}}\n\n")
        );
    }

    #[test]
    fn of_a_long_payload_it_says_how_much_is_left_out() {
        let payload = serde_json::json!((0..60).collect::<Vec<_>>());
        let value = serde_json::json!({"data_type": "n", "timestamp": 1, "payload": payload});
        let text = shown(Some(value.to_string().as_bytes()));
        assert!(text.ends_with("    38,\n  … (+63 bytes)\n\n"), "{text}");
    }

    #[test]
    fn nothing_of_it_reaches_the_terminal_raw() {
        let attack = "\u{1b}]0;t\u{7}\u{9b}6n\u{202e}a\ntopic: forged";
        let json = serde_json::json!({
            "data_type": attack, "timestamp": attack, "payload": {attack: attack},
        });
        let raw = format!(
            r#"{{"data_type":"a","timestamp":1,"payload":{{"x":"{}"}}}}"#,
            "\u{9b}6n\u{202e}\u{7f}"
        );
        for value in [json.to_string(), raw, attack.to_owned()] {
            let text = shown(Some(value.as_bytes()));
            assert!(!text.contains(|character: char| {
                (character.is_control() && character != '\n') || character == '\u{202e}'
            }));
            let first: Vec<_> = text
                .lines()
                .filter(|line| !line.starts_with("  "))
                .collect();
            assert_eq!(first.len(), 5, "{text}");
        }
    }
}
