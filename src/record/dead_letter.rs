//! The headers that say where a dead letter came from and why it died: one dialect is written,
//! five are read, and all can be taken off again, so that a replayed record is the original.
//!
//! Written are the names of Kafka's share groups (KIP-1191), whose values are text, and beside them
//! two of kpipe's own for what these do not say. Read are also those of Kafka Connect (KIP-298), of
//! Kafka Streams (KIP-1034), both text, and of Spring Kafka, whose numbers are big-endian bytes.

use std::borrow::Cow;

use super::Header;

/// How often a record was replayed out of dead letters; kept when the rest is taken off.
pub const REPLAY_COUNT: &str = "dlq.replay.count";

/// The longest message that is written, in bytes: a chain of dead letters must not outgrow its topic.
pub const LONGEST_MESSAGE: usize = 1024;

const SHARE: &str = "__dlq.errors.";
const CONNECT: &str = "__connect.errors.";
const STREAMS: &str = "__streams.errors.";
/// Of Spring's dead letters, and of its retry topics, which are dead letters to be.
const SPRING: [&str; 5] = [
    "kafka_dlt-",
    "kafka_original-",
    "kafka_exception-",
    "kafka_key-exception-",
    "retry_topic-",
];
const STATUS: &str = "dlq.status";
const TIMESTAMP: &str = "dlq.timestamp";

/// Whose names the headers have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// kpipe: the names of share groups, and two of its own beside them.
    Kpipe,
    /// Kafka's share groups (KIP-1191).
    Share,
    /// Kafka Connect.
    Connect,
    /// Spring Kafka.
    Spring,
    /// Kafka Streams (KIP-1034).
    Streams,
}

impl Dialect {
    /// The name it goes by, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kpipe => "kpipe",
            Self::Share => "share",
            Self::Connect => "connect",
            Self::Spring => "spring",
            Self::Streams => "streams",
        }
    }

    /// Whose a name is; that of one that kpipe shares is the share groups'.
    fn of(name: &str) -> Option<Self> {
        if name.starts_with(SHARE) {
            Some(Self::Share)
        } else if name.starts_with(CONNECT) {
            Some(Self::Connect)
        } else if name.starts_with(STREAMS) {
            Some(Self::Streams)
        } else {
            SPRING
                .iter()
                .any(|prefix| name.starts_with(prefix))
                .then_some(Self::Spring)
        }
    }
}

/// What is known of a record's death; whatever the headers do not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Death<'a> {
    /// The topic it was read from.
    pub topic: Option<Cow<'a, str>>,
    /// Number of its partition there.
    pub partition: Option<i32>,
    /// Its place in that partition.
    pub offset: Option<i64>,
    /// Its own timestamp, in milliseconds since the epoch; that of the dead letter is its death's.
    pub timestamp: Option<i64>,
    /// The group, or the connector, that could not handle it.
    pub group: Option<Cow<'a, str>>,
    /// How often it was tried, the first time included.
    pub deliveries: Option<u64>,
    /// Why, in words.
    pub message: Option<Cow<'a, str>>,
    /// What kind of failure: the handler's status as `exit 65`, `signal 9` or `timeout`, or the
    /// name of the exception's class.
    pub status: Option<Cow<'a, str>>,
}

/// Returns what the error headers say and whose they are; `None` when there are none.
///
/// Of a repeated name the last counts, as with `lastHeader` in Java. What is not as its dialect
/// has it, such as an offset that is no number, is passed over.
pub fn read<'a>(headers: &[Header<'a>]) -> Option<(Dialect, Death<'a>)> {
    // The one that was written last tells of the latest death.
    let dialect = headers.iter().rev().find_map(dialect)?;
    let mut death = Death::default();
    for header in headers {
        let (Ok(name), Some(value)) = (str::from_utf8(header.name), header.value) else {
            continue;
        };
        match name {
            STATUS if dialect == Dialect::Share => death.status = Some(text(value)),
            TIMESTAMP if dialect == Dialect::Share => death.timestamp = number(value),
            _ if Dialect::of(name) != Some(dialect) => {}
            _ if dialect == Dialect::Spring => death.read_spring(name, value),
            _ => death.read_text(name, value),
        }
    }
    // Nobody else writes how the handler ended, and kpipe always does.
    match dialect {
        Dialect::Share if death.status.is_some() => Some((Dialect::Kpipe, death)),
        dialect => Some((dialect, death)),
    }
}

/// Whether a header tells of a death, and is taken off before the record goes back.
pub fn is_error_header(header: &Header<'_>) -> bool {
    dialect(header).is_some()
        || [STATUS, TIMESTAMP]
            .map(str::as_bytes)
            .contains(&header.name)
}

/// Returns how often the record was replayed, as [`REPLAY_COUNT`] says.
pub fn replays(headers: &[Header<'_>]) -> u64 {
    let counts = headers.iter().rev();
    counts
        .filter(|header| header.name == REPLAY_COUNT.as_bytes())
        .find_map(|header| number(header.value?))
        .unwrap_or(0)
}

/// Returns the headers of a record that goes back: those of its death taken off, the others as they
/// are, and at the end how often it went, this time included.
///
/// `room` lends the space for that count.
pub fn restored<'b>(headers: &[Header<'b>], room: &'b mut String) -> Vec<Header<'b>> {
    *room = replays(headers).saturating_add(1).to_string();
    let is_own =
        |header: &Header<'_>| !is_error_header(header) && header.name != REPLAY_COUNT.as_bytes();
    let kept = headers.iter().copied().filter(is_own);
    kept.chain([Header {
        name: REPLAY_COUNT.as_bytes(),
        value: Some(room.as_bytes()),
    }])
    .collect()
}

impl<'a> Death<'a> {
    /// Returns the headers of the dead letter of a record with `headers`: all of them in their
    /// order, those of earlier deaths replaced by those of this one.
    ///
    /// `room` lends the space for the values.
    pub fn write<'b>(
        &self,
        headers: &[Header<'b>],
        room: &'b mut Vec<(String, String)>,
    ) -> Vec<Header<'b>> {
        room.clear();
        let mut add = |name: &str, value: Option<String>| {
            room.extend(value.map(|value| (name.to_owned(), value)));
        };
        let share = |name: &str| format!("{SHARE}{name}");
        let owned = |text: &Option<Cow<'a, str>>| text.as_deref().map(str::to_owned);
        add(&share("topic"), owned(&self.topic));
        add(&share("partition"), self.partition.map(|n| n.to_string()));
        add(&share("offset"), self.offset.map(|n| n.to_string()));
        add(&share("group"), owned(&self.group));
        add(
            &share("delivery.count"),
            self.deliveries.map(|n| n.to_string()),
        );
        let message = self.message.as_deref();
        add(
            &share("message"),
            message.map(|message| cut(message, LONGEST_MESSAGE).to_owned()),
        );
        add(STATUS, owned(&self.status));
        add(TIMESTAMP, self.timestamp.map(|n| n.to_string()));
        let kept = headers.iter().filter(|header| !is_error_header(header));
        kept.copied()
            .chain(room.iter().map(|(name, value)| Header {
                name: name.as_bytes(),
                value: Some(value.as_bytes()),
            }))
            .collect()
    }

    /// The names of share groups, Connect and Streams differ in their beginnings alone.
    fn read_text(&mut self, name: &str, value: &'a [u8]) {
        let Some((_, field)) = name.split_once(".errors.") else {
            return;
        };
        match field {
            "topic" => self.topic = Some(text(value)),
            "partition" => self.partition = number(value),
            "offset" => self.offset = number(value),
            "group" | "connector.name" => self.group = Some(text(value)),
            "delivery.count" => self.deliveries = number(value),
            "message" | "exception.message" => self.message = Some(text(value)),
            "exception" | "exception.class.name" => self.status = Some(text(value)),
            _ => {}
        }
    }

    fn read_spring(&mut self, name: &str, value: &'a [u8]) {
        let name = name.strip_prefix("kafka_").unwrap_or(name);
        match name.strip_prefix("dlt-").unwrap_or(name) {
            "original-topic" => self.topic = Some(text(value)),
            "original-partition" => {
                self.partition = big_endian(value).and_then(|n| i32::try_from(n).ok());
            }
            "original-offset" => self.offset = big_endian(value),
            "original-timestamp" => self.timestamp = big_endian(value),
            "original-consumer-group" => self.group = Some(text(value)),
            "exception-message" => self.message = Some(text(value)),
            "exception-fqcn" => self.status = Some(text(value)),
            "retry_topic-attempts" => {
                self.deliveries = big_endian(value).and_then(|n| u64::try_from(n).ok());
            }
            _ => {}
        }
    }
}

fn dialect(header: &Header<'_>) -> Option<Dialect> {
    Dialect::of(str::from_utf8(header.name).ok()?)
}

fn text(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

fn number<N: std::str::FromStr>(value: &[u8]) -> Option<N> {
    str::from_utf8(value).ok()?.parse().ok()
}

/// Java's `ByteBuffer.putInt` and `putLong`; `BigInteger.toByteArray` leaves leading bytes out.
fn big_endian(value: &[u8]) -> Option<i64> {
    let (first, rest) = value.split_first()?;
    if value.len() > 8 {
        return None;
    }
    let first = i64::from(first.cast_signed());
    Some(
        rest.iter()
            .fold(first, |number, byte| number << 8 | i64::from(*byte)),
    )
}

/// The beginning of `text`, `limit` bytes at most.
fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header<'a>(name: &'a str, value: &'a [u8]) -> Header<'a> {
        Header {
            name: name.as_bytes(),
            value: Some(value),
        }
    }

    fn death() -> Death<'static> {
        Death {
            topic: Some("orders".into()),
            partition: Some(2),
            offset: Some(4711),
            timestamp: Some(1_763_668_800_123),
            group: Some("billing".into()),
            deliveries: Some(3),
            message: Some("curl: (22) 422".into()),
            status: Some("exit 22".into()),
        }
    }

    #[test]
    fn the_names_written_are_those_of_share_groups() {
        let mut room = Vec::new();
        let headers = death().write(&[header("traceparent", b"00-1")], &mut room);
        let shown: Vec<String> = headers
            .iter()
            .map(|header| format!("{}={}", text(header.name), text(header.value.unwrap())))
            .collect();
        assert_eq!(
            shown,
            [
                "traceparent=00-1",
                "__dlq.errors.topic=orders",
                "__dlq.errors.partition=2",
                "__dlq.errors.offset=4711",
                "__dlq.errors.group=billing",
                "__dlq.errors.delivery.count=3",
                "__dlq.errors.message=curl: (22) 422",
                "dlq.status=exit 22",
                "dlq.timestamp=1763668800123",
            ]
        );
    }

    #[test]
    fn what_was_written_is_read_back() {
        let mut room = Vec::new();
        let headers = death().write(&[], &mut room);
        assert_eq!(read(&headers), Some((Dialect::Kpipe, death())));
    }

    #[test]
    fn a_second_death_replaces_the_first_and_keeps_the_count_of_replays() {
        let (mut first_room, mut room) = (Vec::new(), Vec::new());
        let mut first = death().write(&[header("a", b"1")], &mut first_room);
        first.push(header(REPLAY_COUNT, b"2"));
        let second = Death {
            offset: Some(1),
            topic: Some("other".into()),
            ..Death::default()
        };
        let headers = second.write(&first, &mut room);
        assert_eq!(read(&headers), Some((Dialect::Share, second.clone())));
        assert_eq!(replays(&headers), 2);
        let names: Vec<_> = headers.iter().map(|header| text(header.name)).collect();
        assert_eq!(
            names,
            [
                "a",
                REPLAY_COUNT,
                "__dlq.errors.topic",
                "__dlq.errors.offset"
            ]
        );
    }

    #[test]
    fn connects_dialect_is_read() {
        let headers = [
            header("__connect.errors.topic", b"orders"),
            header("__connect.errors.partition", b"2"),
            header("__connect.errors.offset", b"4711"),
            header("__connect.errors.connector.name", b"sink"),
            header(
                "__connect.errors.exception.class.name",
                b"java.lang.Exception",
            ),
            header("__connect.errors.exception.message", b"no"),
            header("__connect.errors.exception.stacktrace", b"at \xff"),
        ];
        let (dialect, death) = read(&headers).unwrap();
        assert_eq!(dialect, Dialect::Connect);
        assert_eq!(
            death,
            Death {
                topic: Some("orders".into()),
                partition: Some(2),
                offset: Some(4711),
                group: Some("sink".into()),
                status: Some("java.lang.Exception".into()),
                message: Some("no".into()),
                ..Death::default()
            }
        );
    }

    #[test]
    fn streams_dialect_is_read() {
        let headers = [
            header("__streams.errors.exception", b"a.B"),
            header("__streams.errors.message", b"no"),
            header("__streams.errors.topic", b"in"),
            header("__streams.errors.partition", b"0"),
            header("__streams.errors.offset", b"9"),
        ];
        let (dialect, death) = read(&headers).unwrap();
        assert_eq!(dialect, Dialect::Streams);
        assert_eq!(death.topic.as_deref(), Some("in"));
        assert_eq!((death.partition, death.offset), (Some(0), Some(9)));
        assert_eq!(death.status.as_deref(), Some("a.B"));
        assert_eq!(death.message.as_deref(), Some("no"));
    }

    #[test]
    fn springs_dialect_has_numbers_of_big_endian_bytes() {
        let headers = [
            header("kafka_dlt-original-topic", b"orders"),
            header("kafka_dlt-original-partition", b"\x00\x00\x00\x02"),
            header(
                "kafka_dlt-original-offset",
                b"\x00\x00\x00\x00\x00\x00\x12\x67",
            ),
            header(
                "kafka_dlt-original-timestamp",
                b"\x00\x00\x01\x9a\xa2\xda\x32\x7b",
            ),
            header("kafka_dlt-original-consumer-group", b"billing"),
            header("kafka_dlt-exception-fqcn", b"a.B"),
            header("kafka_dlt-exception-message", b"no"),
            header("retry_topic-attempts", &[3]),
        ];
        let (dialect, read) = read(&headers).unwrap();
        assert_eq!(dialect, Dialect::Spring);
        assert_eq!(
            read,
            Death {
                status: Some("a.B".into()),
                message: Some("no".into()),
                ..death()
            }
        );
    }

    #[test]
    fn headers_of_springs_retry_topics_are_of_its_dialect_too() {
        let headers = [
            header("kafka_original-offset", b"\xff\xff\xff\xff\xff\xff\xff\xff"),
            header("retry_topic-attempts", b"\x00\x00\x00\x03"),
        ];
        let (dialect, death) = read(&headers).unwrap();
        assert_eq!(dialect, Dialect::Spring);
        assert_eq!((death.offset, death.deliveries), (Some(-1), Some(3)));
        assert!(headers.iter().all(is_error_header));
    }

    #[test]
    fn a_record_that_goes_back_has_its_own_headers_and_one_count() {
        let mut room = Vec::new();
        let null = Header {
            name: b"n",
            value: None,
        };
        let own = [header("a", b"1"), null, header("a", b"\xff")];
        let mut dead = death().write(&own, &mut room);
        dead.insert(1, header(REPLAY_COUNT, b"1"));
        let mut count = String::new();
        let back = restored(&dead, &mut count);
        assert_eq!(back, [&own[..], &[header(REPLAY_COUNT, b"2")]].concat());
    }

    #[test]
    fn a_record_that_never_died_has_no_death() {
        let headers = [header("traceparent", b"00-1"), header("dlq.status", b"x")];
        assert_eq!(read(&headers), None);
    }

    #[test]
    fn a_number_that_is_none_is_passed_over() {
        let headers = [
            header("__dlq.errors.offset", b"many"),
            header("__dlq.errors.topic", b"a\xff"),
        ];
        let (_, death) = read(&headers).unwrap();
        assert_eq!(death.offset, None);
        assert_eq!(death.topic.as_deref(), Some("a\u{fffd}"));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let mut room = Vec::new();
        let long = Death {
            message: Some("ä".repeat(LONGEST_MESSAGE).into()),
            ..Death::default()
        };
        let headers = long.write(&[header("odd", b"x")], &mut room);
        assert_eq!(headers[1].value.unwrap().len(), LONGEST_MESSAGE);
        assert!(str::from_utf8(headers[1].value.unwrap()).is_ok());
    }

    proptest! {
        #[test]
        fn strangers_headers_never_panic_and_stay_as_they_are(
            headers in prop::collection::vec(
                (any::<prop::sample::Index>(), "[a-z._-]{0,12}", prop::option::of(prop::collection::vec(any::<u8>(), 0..12))),
                0..8,
            )
        ) {
            let prefixes = ["", SHARE, CONNECT, STREAMS, "kafka_dlt-original-", "retry_topic-"];
            let names: Vec<(String, Option<Vec<u8>>)> = headers
                .into_iter()
                .map(|(index, rest, value)| (format!("{}{rest}", index.get(&prefixes)), value))
                .collect();
            let headers: Vec<Header<'_>> = names
                .iter()
                .map(|(name, value)| Header { name: name.as_bytes(), value: value.as_deref() })
                .collect();
            let _ = read(&headers);
            let mut room = Vec::new();
            let dead = death().write(&headers, &mut room);
            let own: Vec<_> = headers.iter().filter(|header| !is_error_header(header)).collect();
            let kept: Vec<_> = dead.iter().filter(|header| !is_error_header(header)).collect();
            prop_assert_eq!(own, kept);
            prop_assert_eq!(read(&dead), Some((Dialect::Kpipe, death())));
        }
    }
}
