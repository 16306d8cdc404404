//! Which dead letters go back, where to, and as what.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;

use crate::kafka::{Error, Outgoing, Refusal, is_topic_name};
use crate::pipeline::filter::Filter;
use crate::record::dead_letter::{self, Death};
use crate::record::{Header, Record};
use crate::ui::in_one_line;

/// What is to become of the dead letters of a topic.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where they are.
    pub topic: String,
    /// Where all of them go; `None` is where each came from.
    pub to: Option<String>,
    /// Which are meant.
    pub filter: Filter,
    /// Only those that died at this time or later.
    pub since: Option<Timestamp>,
    /// Only those that died before this time.
    pub until: Option<Timestamp>,
    /// What was replayed so often stays.
    pub max_replays: u64,
    /// A record keeps the time that it had at first.
    pub keep_timestamp: bool,
    /// What cannot be sent is passed over; otherwise its partition ends there.
    pub skip: bool,
    /// Nothing is sent.
    pub dry_run: bool,
}

/// What is to become of one dead letter.
#[derive(Debug)]
pub enum Fate<'a> {
    /// It goes to this topic.
    Goes(Cow<'a, str>),
    /// It stays where it is, and those behind it do not wait for it.
    Stays(Reason),
}

/// Why a dead letter does not go.
#[derive(Clone, Debug)]
pub enum Reason {
    /// It was replayed as often as allowed.
    TooOften(u64),
    /// No header says where it came from.
    NoOrigin,
    /// What its header says is no topic's name.
    NoTopicName(String),
    /// It came from the topic where it is.
    SameTopic,
    /// Its time is 0, which librdkafka takes for now.
    TimeZero,
    /// It is not taken as it is.
    Refused(Refusal),
    /// Its topic takes none.
    Topic(Error),
}

impl Reason {
    /// What such dead letters are counted as.
    pub fn in_words(&self) -> &'static str {
        match self {
            Self::TooOften(_) => "replayed as often as allowed",
            Self::NoOrigin => "without a header that says where they came from",
            Self::NoTopicName(_) => "from what is no topic",
            Self::SameTopic => "from the topic they are in",
            Self::TimeZero => "with the time 0, which cannot be sent",
            Self::Refused(_) => "not taken as they are",
            Self::Topic(_) => "whose topic takes none",
        }
    }

    /// What to type about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TooOften(_) => Some("--max-replays".to_owned()),
            Self::NoOrigin | Self::NoTopicName(_) | Self::SameTopic => {
                Some("--to TOPIC".to_owned())
            }
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooOften(1) => formatter.write_str("replayed once already"),
            Self::TooOften(count) => write!(formatter, "replayed {count} times already"),
            Self::NoOrigin => formatter.write_str("no header says where it came from"),
            Self::NoTopicName(name) => {
                write!(formatter, "`{name}`, where it came from, is no topic name")
            }
            Self::SameTopic => formatter.write_str("it came from the topic it is in"),
            Self::TimeZero => formatter.write_str("its time is 0, which cannot be sent"),
            Self::Refused(refusal) => {
                formatter.write_str(&refusal.text())?;
                if refusal.maybe_persisted {
                    formatter.write_str(" (it may be in the log all the same)")?;
                }
                Ok(())
            }
            Self::Topic(error) => formatter.write_str(&in_one_line(error)),
        }
    }
}

/// Room for the headers of a record that goes back.
#[derive(Debug, Default)]
pub(super) struct Room(String);

impl Plan {
    /// Whether this dead letter is meant.
    pub fn wants(&self, record: &Record<'_>) -> bool {
        let time = record.timestamp.map(|timestamp| timestamp.millis);
        let is_late = |since: Timestamp| time.is_some_and(|time| time >= since.as_millisecond());
        let is_early = |until: Timestamp| time.is_some_and(|time| time < until.as_millisecond());
        self.since.is_none_or(is_late)
            && self.until.is_none_or(is_early)
            && (self.filter.is_empty() || self.filter.matches(record))
    }

    /// Whether all of them are meant, so that what is behind one that went is behind us.
    pub fn wants_all(&self) -> bool {
        self.filter.is_empty() && self.since.is_none() && self.until.is_none()
    }

    /// Decides about one.
    pub fn fate<'a>(&'a self, record: &Record<'a>) -> Fate<'a> {
        let replays = dead_letter::replays(record.headers);
        if replays >= self.max_replays {
            return Fate::Stays(Reason::TooOften(replays));
        }
        if self.timestamp(record) == Some(0) {
            return Fate::Stays(Reason::TimeZero);
        }
        if let Some(to) = &self.to {
            return Fate::Goes(Cow::Borrowed(to));
        }
        match death(record).topic {
            None => Fate::Stays(Reason::NoOrigin),
            Some(origin) if origin == self.topic => Fate::Stays(Reason::SameTopic),
            Some(origin) if is_topic_name(&origin) => Fate::Goes(origin),
            Some(origin) => Fate::Stays(Reason::NoTopicName(origin.into_owned())),
        }
    }

    /// The record that goes back: `headers` and `room` lend the space.
    pub(super) fn letter<'b>(
        &self,
        record: &Record<'b>,
        headers: &'b mut Vec<Header<'b>>,
        room: &'b mut Room,
    ) -> Outgoing<'b> {
        *headers = dead_letter::restored(record.headers, &mut room.0);
        Outgoing {
            partition: None,
            timestamp: self.timestamp(record),
            key: record.key,
            value: record.value,
            headers,
        }
    }

    /// The time that the record had at first, if it is to be kept and known; `None` is now.
    fn timestamp(&self, record: &Record<'_>) -> Option<i64> {
        // Connect and Streams give a dead letter the time of its record; -1 is Kafka's word for none.
        let own = || record.timestamp.map(|timestamp| timestamp.millis);
        let original = self
            .keep_timestamp
            .then(|| death(record).timestamp.or_else(own));
        original.flatten().filter(|millis| *millis != -1)
    }
}

fn death<'a>(record: &Record<'a>) -> Death<'a> {
    dead_letter::read(record.headers).map_or_else(Death::default, |(_, death)| death)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Timestamp as Time, TimestampKind};

    fn plan() -> Plan {
        Plan {
            topic: "dlq".to_owned(),
            to: None,
            filter: Filter::default(),
            since: None,
            until: None,
            max_replays: 3,
            keep_timestamp: false,
            skip: false,
            dry_run: false,
        }
    }

    fn header<'a>(name: &'a str, value: &'a str) -> Header<'a> {
        Header {
            name: name.as_bytes(),
            value: Some(value.as_bytes()),
        }
    }

    fn record<'a>(headers: &'a [Header<'a>]) -> Record<'a> {
        Record {
            topic: "dlq",
            partition: 0,
            offset: 7,
            timestamp: Some(Time {
                millis: 1000,
                kind: TimestampKind::Create,
            }),
            key: Some(b"k"),
            value: None,
            headers,
        }
    }

    fn goes(plan: &Plan, headers: &[Header<'_>]) -> Result<String, String> {
        match plan.fate(&record(headers)) {
            Fate::Goes(topic) => Ok(topic.into_owned()),
            Fate::Stays(reason) => Err(reason.to_string()),
        }
    }

    #[test]
    fn a_dead_letter_goes_where_it_came_from_or_where_it_is_told() {
        let origin = |name| [header("__dlq.errors.topic", name)];
        assert_eq!(goes(&plan(), &origin("orders")).unwrap(), "orders");
        for (name, reason) in [
            ("dlq", "it came from the topic it is in"),
            ("a b", "`a b`, where it came from, is no topic name"),
        ] {
            assert_eq!(goes(&plan(), &origin(name)).unwrap_err(), reason);
        }
        let none = "no header says where it came from";
        assert_eq!(goes(&plan(), &[header("a", "1")]).unwrap_err(), none);
        let told = Plan {
            to: Some("out".to_owned()),
            ..plan()
        };
        assert_eq!(goes(&told, &origin("orders")).unwrap(), "out");
        assert_eq!(goes(&told, &[]).unwrap(), "out");
    }

    #[test]
    fn what_was_replayed_as_often_as_allowed_stays() {
        let of = |count| {
            let origin = header("__dlq.errors.topic", "orders");
            [origin, header(dead_letter::REPLAY_COUNT, count)]
        };
        assert!(goes(&plan(), &of("2")).is_ok());
        for (count, reason) in [
            ("3", "replayed 3 times already"),
            ("4", "replayed 4 times already"),
        ] {
            assert_eq!(goes(&plan(), &of(count)).unwrap_err(), reason);
        }
    }

    #[test]
    fn a_record_keeps_its_first_time_when_asked_to() {
        let time = |headers: &[Header<'_>], keep_timestamp| {
            let plan = Plan {
                keep_timestamp,
                ..plan()
            };
            let mut room = (Vec::new(), Room::default());
            let record = record(headers);
            plan.letter(&record, &mut room.0, &mut room.1).timestamp
        };
        let origin = header("__dlq.errors.topic", "orders");
        let first = [origin, header("dlq.timestamp", "77")];
        assert_eq!(time(&first, false), None);
        assert_eq!(time(&first, true), Some(77));
        assert_eq!(time(&[origin], true), Some(1000));
        assert_eq!(time(&[origin, header("dlq.timestamp", "-1")], true), None);
        let keeps = Plan {
            keep_timestamp: true,
            ..plan()
        };
        let zero = [origin, header("dlq.timestamp", "0")];
        assert!(goes(&keeps, &zero).unwrap_err().contains("time is 0"));
        assert!(goes(&plan(), &zero).is_ok());
    }

    #[test]
    fn times_and_filters_say_which_are_meant() {
        let at = |millis| Some(Timestamp::from_millisecond(millis).unwrap());
        for (since, until, wanted) in [
            (None, None, true),
            (at(1000), None, true),
            (at(1001), None, false),
            (None, at(1001), true),
            (None, at(1000), false),
        ] {
            let plan = Plan {
                since,
                until,
                ..plan()
            };
            assert_eq!(plan.wants(&record(&[])), wanted);
            assert_eq!(plan.wants_all(), since.is_none() && until.is_none());
        }
        let grep = Plan {
            filter: Filter {
                grep: vec!["k:^x".parse().unwrap()],
                ..Filter::default()
            },
            ..plan()
        };
        assert!(!grep.wants(&record(&[])) && !grep.wants_all());
    }
}
