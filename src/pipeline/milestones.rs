//! What is reported of a record on its way into Kafka.

use std::time::Duration;

use crate::kafka::Acknowledged;
use crate::record::Header;
use crate::sink::receipt::Failure;
use crate::sink::stages::Reporter;
use crate::trace::{Stage, StageEvent};

/// A record that is traced.
#[derive(Clone, Copy, Debug)]
pub struct Traced<'a> {
    pub reporter: &'a Reporter,
    pub topic: Option<&'a str>,
    pub headers: &'a [Header<'a>],
    pub value: Option<&'a [u8]>,
}

impl Traced<'_> {
    fn event(&self, stage: Stage) -> StageEvent {
        StageEvent {
            topic: self.topic.map(ToOwned::to_owned),
            ..StageEvent::of(stage, self.reporter.now(), self.headers, self.value)
        }
    }

    /// It was handed to the client library, or could not be.
    pub fn published(&self, partition: Option<i32>, failure: Option<&Failure>) {
        let event = StageEvent {
            partition,
            ..self.event(Stage::Published)
        };
        self.reporter.report(match failure {
            Some(failure) => event.failed(failure.text.clone()),
            None => event,
        });
    }

    /// It was acknowledged, or was not; perhaps with how long that took.
    ///
    /// Where nobody acknowledges (`--acks 0`) there is no offset, and nothing to report.
    pub fn persisted(&self, result: Result<Acknowledged, &Failure>, took: Option<Duration>) {
        let duration = took.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        match result {
            Ok(place) if place.offset >= 0 => self.reporter.report(StageEvent {
                partition: Some(place.partition),
                offset: Some(place.offset),
                duration,
                ..self.event(Stage::Persisted)
            }),
            Ok(_) => {}
            Err(failure) => {
                let event = self.event(Stage::Persisted);
                self.reporter.report(event.failed(failure.text.clone()));
            }
        }
    }
}
