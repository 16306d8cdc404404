//! What becomes of a record that was tried as often as allowed: its dead letter, or a word about it.

use super::error::{self, Error};
use super::outlet::{Letter, SendError};
use super::output::Sent;
use super::worker::Worker;
use super::{Failure, Item, LastResort};
use crate::kafka::Outgoing;
use crate::record::dead_letter::Death;

impl Worker {
    /// Does what is to be done with a record that cannot be handled.
    pub(super) fn bury(&mut self, item: Item, failure: &Failure, attempts: u32) {
        let tools = self.tools.clone();
        let place = item.place().to_string();
        tools.failed(&item, failure);
        match &tools.manner.last_resort {
            LastResort::Stop => {
                self.fail(Error::NotHandled {
                    place,
                    attempts,
                    failure: failure.to_string(),
                });
                self.give_up(&[item]);
            }
            LastResort::Skip => {
                if self.is_exactly_once() && !self.commit_alone(&item, &[], &place) {
                    return self.give_up(&[item]);
                }
                tools.metrics.skipped();
                let text = format!("skipped after {}: {failure}", error::in_words(attempts));
                tools.chatter.say(&place, text.as_bytes());
                self.settle(&[item]);
            }
            LastResort::DeadLetter(topic) => {
                let own = format!("dlq.{}", item.assignment.topic);
                let topic = topic.as_deref().unwrap_or(&own);
                if topic == item.assignment.topic
                    || item.assignment.topic.starts_with("dlq.") && topic == own
                {
                    self.fail(Error::DeadAlready { place });
                    return self.give_up(&[item]);
                }
                let (mut room, mut header_room) = (Vec::new(), Vec::new());
                let record = item.record(&mut header_room);
                let (status, message) = (failure.ending.to_string(), failure.to_string());
                let death = Death {
                    topic: Some(record.topic.into()),
                    partition: Some(record.partition),
                    offset: Some(record.offset),
                    timestamp: record.timestamp.map(|timestamp| timestamp.millis),
                    group: Some(tools.manner.group.as_str().into()),
                    deliveries: Some(attempts.into()),
                    message: Some(message.into()),
                    status: Some(status.into()),
                };
                let headers = death.write(record.headers, &mut room);
                let letter = Outgoing {
                    partition: None,
                    timestamp: None,
                    key: record.key,
                    value: record.value,
                    headers: &headers,
                };
                if !self.commit_alone(&item, &[(topic, letter)], &place) {
                    return self.give_up(&[item]);
                }
                tools.metrics.dead_lettered();
                let text = format!("dead letter after {}: {failure}", error::in_words(attempts));
                tools.chatter.say(&place, text.as_bytes());
                self.settle(&[item]);
            }
        }
    }

    /// Sends the letters of one record; says whether that is done, or ends the run.
    fn commit_alone(&mut self, item: &Item, letters: &[Letter<'_>], place: &str) -> bool {
        let items = std::slice::from_ref(item);
        loop {
            let source = match self.send(letters, items) {
                Ok(Sent::Done) => return true,
                Ok(Sent::Again) if self.tools.queue.lets_go(items) => return false,
                Ok(Sent::Again) => {
                    self.wait_to_retry(1, items);
                    continue;
                }
                Err(SendError::Refused(refusal)) => refusal.into_error("send it"),
                Err(SendError::Kafka(source)) => source,
            };
            self.fail(match letters.first() {
                Some((topic, _)) => Error::DeadLetter {
                    place: place.to_owned(),
                    topic: (*topic).to_owned(),
                    source: Box::new(source),
                },
                None => Error::Transaction {
                    source: Box::new(source),
                },
            });
            return false;
        }
    }
}
