//! A dead letter as a person reads it on a terminal: what it died of, and then the record.
//!
//! ```text
//! dead letter of orders -p 2 -o 4711  exit 22, 3 attempts, 2h ago, group billing
//!   curl: (22) The requested URL returned error: 422
//! dlq.orders -p 0 -o 17  2026-11-20 21:41:03.123  key u-17
//!   traceparent: 00-4bf9-01
//!   {"id":7,"total":101}
//! ```

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::fold::Sheet;
use super::pretty::{INDENT, Pretty, write_short};
use crate::counted::Counted;
use crate::record::dead_letter::{self, Death};
use crate::record::{Header, Record};
use crate::time;

const DEATH: Style = AnsiColor::Red.on_default().bold();

/// Bytes of a message that are shown.
const LONGEST: usize = 1024;

/// Writes dead letters for a terminal.
pub struct DeadLetters {
    pretty: Pretty,
    now: Box<dyn Fn() -> Timestamp + Send>,
}

impl DeadLetters {
    /// Writes records as `pretty` does; their ages are those at `now`.
    pub fn new(pretty: Pretty, now: impl Fn() -> Timestamp + Send + 'static) -> Self {
        Self {
            pretty,
            now: Box::new(now),
        }
    }

    /// What writes the records.
    pub fn pretty(&mut self) -> &mut Pretty {
        &mut self.pretty
    }

    /// Appends a dead letter to `out`: what its error headers say in words, and then the record
    /// without them.
    pub fn write(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let death = dead_letter::read(record.headers).map(|(_, death)| death);
        let mut sheet = self.pretty.sheet(out);
        self.write_head(death.as_ref(), record, &mut sheet);
        if let Some(message) = death.as_ref().and_then(|death| death.message.as_deref()) {
            let shown = message.trim_end();
            let shown = &shown[..shown.floor_char_boundary(LONGEST)];
            sheet.indent(INDENT, INDENT);
            sheet.write_lines(Style::new(), shown);
            sheet.end_line();
        }
        let own = record.headers.iter().copied();
        let own: Vec<Header<'_>> = own
            .filter(|header| !dead_letter::is_error_header(header))
            .collect();
        let record = Record {
            headers: &own,
            ..*record
        };
        self.pretty.write(&record, out);
    }

    fn write_head(&self, death: Option<&Death<'_>>, record: &Record<'_>, sheet: &mut Sheet<'_>) {
        sheet.indent(0, INDENT * 2);
        sheet.write(DEATH, "dead letter");
        match death {
            None => {
                sheet.write(DEATH, " without error headers");
            }
            Some(death) => {
                if let Some(topic) = &death.topic {
                    sheet.write(DEATH, " of ");
                    write_short(DEATH, topic.as_bytes(), sheet);
                }
                // In the form that `kpipe tail` takes.
                if let Some(partition) = death.partition {
                    sheet.write(DEATH, &format!(" -p {partition}"));
                }
                if let Some(offset) = death.offset {
                    sheet.write(DEATH, &format!(" -o {offset}"));
                }
            }
        }
        let mut separator = "  ";
        let mut add = |part: &str, text: &str| {
            sheet.write(Style::new(), separator);
            sheet.write(Style::new(), part);
            write_short(Style::new(), text.as_bytes(), sheet);
            separator = ", ";
        };
        if let Some(status) = death.and_then(|death| death.status.as_deref()) {
            add("", status);
        }
        match death.and_then(|death| death.deliveries) {
            None => {}
            Some(count) => add(&Counted(count, "attempt").to_string(), ""),
        }
        if let Some(timestamp) = record.timestamp {
            let now = (self.now)().as_millisecond();
            let millis = now.saturating_sub(timestamp.millis);
            let age = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
            add(&format!("{} ago", time::roughly(age)), "");
        }
        if let Some(group) = death.and_then(|death| death.group.as_deref()) {
            add("group ", group);
        }
        sheet.end_line();
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::record::{Timestamp as Time, TimestampKind};

    fn shown(headers: &[(&str, &str)]) -> String {
        let headers: Vec<Header<'_>> = headers
            .iter()
            .map(|(name, value)| Header {
                name: name.as_bytes(),
                value: Some(value.as_bytes()),
            })
            .collect();
        let record = Record {
            topic: "dlq.orders",
            partition: 0,
            offset: 17,
            timestamp: Some(Time {
                millis: 1_763_668_800_123,
                kind: TimestampKind::Create,
            }),
            key: Some(b"u-17"),
            value: Some(b"{}"),
            headers: &headers,
        };
        let now = || Timestamp::from_millisecond(1_763_668_800_123 + 7_300_000).unwrap();
        let mut out = Vec::new();
        DeadLetters::new(Pretty::new(false, TimeZone::UTC), now).write(&record, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_it_died_of_stands_in_front_of_the_record() {
        assert_eq!(
            shown(&[
                ("trace", "00-01"),
                ("__dlq.errors.topic", "orders"),
                ("__dlq.errors.partition", "2"),
                ("__dlq.errors.offset", "4711"),
                ("__dlq.errors.group", "billing"),
                ("__dlq.errors.delivery.count", "3"),
                ("__dlq.errors.message", "curl: (22)\nno\n"),
                ("dlq.status", "exit 22"),
                ("dlq.replay.count", "1"),
            ]),
            "dead letter of orders -p 2 -o 4711  exit 22, 3 attempts, 2h ago, group billing
  curl: (22)
  no
dlq.orders -p 0 -o 17  2025-11-20 20:00:00.123  key u-17
  trace: 00-01
  dlq.replay.count: 1
  {}
"
        );
    }

    #[test]
    fn what_headers_do_not_say_is_left_out() {
        let rest = "dlq.orders -p 0 -o 17  2025-11-20 20:00:00.123  key u-17\n";
        assert_eq!(
            shown(&[("trace", "1")]),
            format!("dead letter without error headers  2h ago\n{rest}  trace: 1\n  {{}}\n")
        );
        assert_eq!(
            shown(&[("__streams.errors.topic", "in")]),
            format!("dead letter of in  2h ago\n{rest}  {{}}\n")
        );
    }

    #[test]
    fn nothing_of_it_reaches_the_terminal_raw() {
        let attack = "\u{1b}]0;t\u{7}\u{9b}6n\u{202e}a\ndlq.forged -p 0";
        let text = shown(&[
            ("__dlq.errors.topic", attack),
            ("__dlq.errors.group", attack),
            ("__dlq.errors.message", attack),
            ("dlq.status", attack),
        ]);
        assert!(!text.contains(|character: char| {
            (character.is_control() && character != '\n') || character == '\u{202e}'
        }));
        let heads = text.lines().filter(|line| !line.starts_with("  "));
        assert_eq!(heads.count(), 2, "{text}");
    }
}
