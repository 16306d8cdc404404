//! A record out to a topic and back.

use std::time::{Duration, Instant};

use serde::Serialize;
use thiserror::Error;

use super::millis;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Status;
use crate::kafka::offset_spec::{OffsetSpec, Start};
use crate::kafka::{
    Acknowledged, Cluster, Error as KafkaError, Messages, NotTaken, Outgoing, Producer, Reader,
    Selection, Settings, Source, Topics, is_topic_name,
};
use crate::time;

/// So that it can be told from others, and a compacted topic takes it.
const KEY: &[u8] = b"kpipe-ping";

/// The built-in broker answers a fetch when its time is over, not when a record comes.
const FETCH_WAIT: (&str, &str) = ("fetch.wait.max.ms", "10");

/// How often a waiting loop looks around.
const GLANCE: Duration = Duration::from_millis(20);

/// How a record fared, as it is printed.
#[derive(Debug, Serialize)]
pub(super) struct EchoRow<'a> {
    number: u32,
    topic: &'a str,
    partition: i32,
    offset: i64,
    /// From sending to the acknowledgement.
    acknowledged_ms: f64,
    /// From sending to reading it.
    pub(super) round_trip_ms: f64,
}

#[derive(Debug, Error)]
enum EchoError {
    #[error("the record at {topic} -p {partition} -o {offset} was acknowledged and did not come back within {}", time::in_words(*.within))]
    Lost {
        topic: String,
        partition: i32,
        offset: i64,
        within: Duration,
    },
    #[error("the record at {topic} -p {partition} -o {offset} is not the one that was sent")]
    Changed {
        topic: String,
        partition: i32,
        offset: i64,
    },
    #[error("topic `{0}` takes no record of some bytes")]
    NoRoom(String),
}

/// Both ends of a topic.
pub(super) struct Echo {
    topic: String,
    timeout: Duration,
    producer: Producer,
    /// Follows the topic, so that what is measured is what a consumer sees.
    reader: Reader,
}

impl Echo {
    /// Connects both ends.
    pub(super) fn new(
        cluster: &Cluster,
        topic: &str,
        timeout: Duration,
    ) -> Result<Self, CommandError> {
        if !is_topic_name(topic) {
            return Err(KafkaError::InvalidTopic(topic.to_owned()).into());
        }
        let topics = Topics::new(&[topic.to_owned()]).map_err(CommandError::usage)?;
        let selection = Selection {
            topics,
            partitions: Vec::new(),
            offsets: OffsetSpec {
                from: Some(Start::End),
                until: None,
            },
            window: None,
        };
        let mut eager = cluster.clone();
        let (key, value) = FETCH_WAIT;
        let wait = eager.properties.entry(key.to_owned());
        wait.or_insert_with(|| value.to_owned());
        // First, so that its place is before the records.
        let reader = Reader::new(&eager, selection)?;
        let settings = Settings {
            acks: None,
            compression: None,
            delivery_timeout: timeout,
            linger: Duration::ZERO,
            transactional_id: None,
        };
        let mut producer = Producer::new(cluster.clone(), settings)?;
        producer.prepare(topic, false)?;
        Ok(Self {
            topic: topic.to_owned(),
            timeout,
            producer,
            reader,
        })
    }

    /// Sends a record and reads it back.
    pub(super) fn send(
        &mut self,
        number: u32,
        context: &Context,
    ) -> Result<EchoRow<'_>, CommandError> {
        let value = format!(r#"{{"ping":"{}","number":{number}}}"#, context.new_id()?);
        let start = Instant::now();
        let place = self.acknowledgement(value.as_bytes(), context)?;
        let acknowledged = start.elapsed();
        self.come_back(place, value.as_bytes(), start, context)?;
        Ok(EchoRow {
            number,
            topic: &self.topic,
            partition: place.partition,
            offset: place.offset,
            acknowledged_ms: millis(acknowledged),
            round_trip_ms: millis(start.elapsed()),
        })
    }

    fn acknowledgement(
        &mut self,
        value: &[u8],
        context: &Context,
    ) -> Result<Acknowledged, CommandError> {
        let record = Outgoing {
            partition: None,
            timestamp: None,
            key: Some(KEY),
            value: Some(value),
            headers: &[],
        };
        match self.producer.send(&self.topic, &record, 0) {
            Ok(()) => {}
            Err(NotTaken::Refused(refusal)) => {
                return Err(refusal.error(&self.topic).into());
            }
            Err(NotTaken::Topic(error) | NotTaken::Unreachable(error) | NotTaken::Fatal(error)) => {
                return Err(error.into());
            }
            Err(NotTaken::QueueFull | NotTaken::UnknownPartition { .. }) => {
                return Err(CommandError::failed(EchoError::NoRoom(self.topic.clone())));
            }
        }
        loop {
            let mut report = None;
            self.producer.serve(GLANCE, |one| report = Some(one));
            if let Some(report) = report {
                let refused = |refusal: crate::kafka::Refusal| refusal.error(&self.topic).into();
                return report.result.map_err(refused);
            }
            if let Some(error) = self.producer.decided() {
                return Err(error.into());
            }
            if context.stop.is_asked() {
                return Err(KafkaError::Interrupted.into());
            }
        }
    }

    /// Reads until the record at `place` is there, past what others send.
    fn come_back(
        &mut self,
        place: Acknowledged,
        value: &[u8],
        start: Instant,
        context: &Context,
    ) -> Result<(), CommandError> {
        let topic = || self.topic.clone();
        let Acknowledged {
            partition, offset, ..
        } = place;
        while start.elapsed() < self.timeout {
            let mut batch = Messages::default();
            self.reader.next(&mut batch, GLANCE)?;
            let mut room = Vec::new();
            let found = batch
                .iter()
                .find(|one| one.partition() == partition && one.offset() == offset);
            match found.map(|message| message.record(&mut room).value == Some(value)) {
                Some(true) => return Ok(()),
                Some(false) => {
                    return Err(CommandError::failed(EchoError::Changed {
                        topic: topic(),
                        partition,
                        offset,
                    }));
                }
                None => {}
            }
            if context.stop.is_asked() {
                return Err(KafkaError::Interrupted.into());
            }
        }
        let lost = EchoError::Lost {
            topic: topic(),
            partition,
            offset,
            within: self.timeout,
        };
        Err(CommandError::new(Status::Unavailable, lost)
            .hint("an open transaction in that partition holds records back from readers"))
    }
}
