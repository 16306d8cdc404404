//! Topics as the cluster has them: seen, made, changed, deleted; blocking, each answer typed.
//!
//! The built-in broker lacks admin requests, and one that is sent would take its whole
//! time, so there only what metadata and offsets tell is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::client::{CONNECT_TIMEOUT, Client, Cluster, EAGER_CONNECTIONS, Lookup};
use super::error::{Cause, Error};
use super::ffi::Role;
use super::ffi::admin::{self as requests, Answer, Request, TopicOutcome};

/// How long a request that changes something may take; making 10 000 partitions takes long.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How often log lines, errors and token requests are served during a request.
pub(super) const SLICE: Duration = Duration::from_millis(100);

/// A broker refuses more partitions in one request
/// (`ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`).
const PARTITIONS_PER_REQUEST: i32 = 10_000;

/// librdkafka looks up each answer among all questions, so the time grows with the square.
const TOPICS_PER_REQUEST: usize = 500;

/// A partition as metadata tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    pub id: i32,
    /// `None` while there is none.
    pub leader: Option<i32>,
    pub replicas: Vec<i32>,
    pub in_sync: Vec<i32>,
}

/// A topic as metadata tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    pub name: String,
    /// By their numbers.
    pub partitions: Vec<Partition>,
}

impl Topic {
    /// How many partitions there are.
    pub fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }

    /// How many replicas each partition has; the fewest, where they differ.
    pub fn replication(&self) -> i32 {
        let fewest = self.partitions.iter().map(|one| one.replicas.len()).min();
        i32::try_from(fewest.unwrap_or(0)).unwrap_or(i32::MAX)
    }

    /// Whether records can be sent to all of it.
    fn is_led(&self) -> bool {
        !self.partitions.is_empty() && self.partitions.iter().all(|one| one.leader.is_some())
    }
}

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    /// `None` leaves it to the broker (KIP-464).
    pub partitions: Option<i32>,
    /// `None` leaves it to the broker (KIP-464).
    pub replication: Option<i32>,
    pub config: BTreeMap<String, String>,
}

/// A setting of a topic as the broker has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// `None` where the broker keeps it to itself.
    pub value: Option<String>,
    /// Set for this topic, rather than inherited (the broker's `DYNAMIC_TOPIC_CONFIG`).
    pub is_of_topic: bool,
}

/// Settings by name.
pub type TopicConfig = BTreeMap<String, Setting>;

/// A result for each topic that a request was about, in the order of the question.
pub type Each<T> = Vec<Result<T, Error>>;

/// First offset and end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    pub low: i64,
    /// Open transactions included.
    pub high: i64,
}

/// A connection for looking after topics.
pub struct Admin {
    pub(super) client: Arc<Client>,
}

impl Admin {
    /// Makes a connection, which is used when something is asked.
    pub fn new(cluster: &Cluster) -> Result<Self, Error> {
        let client = Client::new(
            cluster,
            Role::Reader,
            &[EAGER_CONNECTIONS],
            // Offsets are those of the log, not of what may be read.
            &[("isolation.level", "read_uncommitted")],
        )?;
        Ok(Self { client })
    }

    /// The cluster's id, which it keeps for ever; as it was when something was last answered.
    pub fn cluster_id(&self) -> Result<String, Error> {
        self.client.ask("ask for the cluster's id", |timeout| {
            let id = self.client.native.fetch_cluster_id(timeout);
            id.ok_or(KafkaError::Global(Code::OperationTimedOut))
        })
    }

    /// Whether this is the built-in broker, which can tell less and change nothing.
    pub fn is_built_in_broker(&self) -> Result<bool, Error> {
        Ok(self.cluster_id()?.starts_with("mockCluster"))
    }

    /// Every topic that may be seen, by name.
    pub fn topics(&self) -> Result<BTreeMap<String, Topic>, Error> {
        let metadata = self.client.all_metadata()?;
        let topics = metadata.topics().iter();
        Ok(topics
            .filter(|topic| !topic.partitions().is_empty())
            .map(|topic| (topic.name().to_owned(), read(topic)))
            .collect())
    }

    /// The topic of this name.
    pub fn topic(&self, name: &str) -> Result<Topic, Error> {
        // Says why there is none, and which was most likely meant.
        self.client.topic(name)?;
        let metadata = self.client.ask("ask for a topic", |timeout| {
            self.client.native.fetch_metadata(Some(name), timeout)
        })?;
        let found = metadata.topics().iter().find(|topic| topic.name() == name);
        found.map(read).ok_or_else(|| Error::UnknownTopic {
            topic: name.to_owned(),
            nearest: None,
            built_in: false,
        })
    }

    /// Makes topics, as few requests as the broker allows, and waits until they can be
    /// sent to; one result each, in order.
    pub fn create(&self, topics: &[NewTopic]) -> Result<Each<()>, Error> {
        self.is_real("create topics")?;
        let sizes = topics.iter().map(|topic| topic.partitions.unwrap_or(1));
        let mut results = Vec::with_capacity(topics.len());
        for range in batches(sizes) {
            let asked: Vec<_> = topics[range.clone()]
                .iter()
                .map(|topic| {
                    (
                        topic.name.as_str(),
                        topic.partitions.unwrap_or(-1),
                        topic.replication.unwrap_or(-1),
                        pairs(&topic.config),
                    )
                })
                .collect();
            let names: Vec<&str> = asked.iter().map(|(name, ..)| *name).collect();
            let answer = self.answer("create topics", |client| {
                requests::create_topics(&client.native, &asked, false, REQUEST_TIMEOUT)
            })?;
            results.extend(in_order(&names, answer.topics(), "create"));
        }
        let made: Vec<&str> = topics
            .iter()
            .zip(&results)
            .filter(|(_, result)| result.is_ok())
            .map(|(topic, _)| topic.name.as_str())
            .collect();
        self.settle(|found| {
            let led = |name: &&str| found.get(*name).is_some_and(Topic::is_led);
            made.iter().all(led)
        })?;
        Ok(results)
    }

    /// Deletes topics with all their records, and waits until they are gone; one result each.
    pub fn delete(&self, names: &[&str]) -> Result<Each<()>, Error> {
        self.is_real("delete topics")?;
        let mut results = Vec::with_capacity(names.len());
        for names in names.chunks(TOPICS_PER_REQUEST) {
            let answer = self.answer("delete topics", |client| {
                requests::delete_topics(&client.native, names, REQUEST_TIMEOUT)
            })?;
            results.extend(in_order(names, answer.topics(), "delete"));
        }
        let deleted = names.iter().zip(&results).filter(|(_, one)| one.is_ok());
        let deleted: Vec<&str> = deleted.map(|(name, _)| *name).collect();
        self.settle(|found| !deleted.iter().any(|name| found.contains_key(*name)))?;
        Ok(results)
    }

    /// Gives topics more partitions, so that each has as many as it says; one result each.
    pub fn grow(&self, topics: &[(&str, i32)]) -> Result<Each<()>, Error> {
        self.is_real("add partitions")?;
        let mut results = Vec::with_capacity(topics.len());
        for range in batches(topics.iter().map(|(_, partitions)| *partitions)) {
            let asked: Vec<(&str, usize)> = topics[range]
                .iter()
                .map(|(name, partitions)| (*name, usize::try_from(*partitions).unwrap_or(0)))
                .collect();
            let names: Vec<&str> = asked.iter().map(|(name, _)| *name).collect();
            let answer = self.answer("add partitions", |client| {
                requests::create_partitions(&client.native, &asked, REQUEST_TIMEOUT)
            })?;
            results.extend(in_order(&names, answer.topics(), "add partitions to"));
        }
        let grown: Vec<(&str, i32)> = topics
            .iter()
            .zip(&results)
            .filter(|(_, result)| result.is_ok())
            .map(|(topic, _)| *topic)
            .collect();
        self.settle(|found| {
            let is_grown = |(name, partitions): &(&str, i32)| {
                let topic = found.get(*name);
                topic.is_some_and(|topic| topic.partition_count() >= *partitions && topic.is_led())
            };
            grown.iter().all(is_grown)
        })?;
        Ok(results)
    }

    /// Sets settings of topics, or with `None` takes them back, and leaves their others as
    /// they are; one result each.
    pub fn alter(
        &self,
        topics: &[(&str, BTreeMap<String, Option<String>>)],
    ) -> Result<Each<()>, Error> {
        self.is_real("change settings")?;
        let mut results = Vec::with_capacity(topics.len());
        for topics in topics.chunks(TOPICS_PER_REQUEST) {
            let asked: Vec<_> = topics
                .iter()
                .map(|(name, config)| {
                    let config = config.iter();
                    let settings = config.map(|(key, value)| (key.as_str(), value.as_deref()));
                    (*name, settings.collect())
                })
                .collect();
            let names: Vec<&str> = topics.iter().map(|(name, _)| *name).collect();
            let answer = self.answer("change settings", |client| {
                requests::alter_configs(&client.native, &asked, REQUEST_TIMEOUT)
            })?;
            let outcomes = answer.configs().into_iter().map(|(outcome, _)| outcome);
            results.extend(in_order(&names, outcomes.collect(), "change"));
        }
        Ok(results)
    }

    /// Settings of topics by name: the ones named of each, or all when none are named.
    pub fn configs(&self, topics: &[(&str, Vec<&str>)]) -> Result<Each<TopicConfig>, Error> {
        self.is_real("describe settings")?;
        let mut results = Vec::with_capacity(topics.len());
        for topics in topics.chunks(TOPICS_PER_REQUEST) {
            let names: Vec<&str> = topics.iter().map(|(name, _)| *name).collect();
            let answer = self.answer("describe settings", |client| {
                requests::describe_configs(&client.native, topics, CONNECT_TIMEOUT)
            })?;
            let mut entries = BTreeMap::new();
            let mut outcomes = Vec::new();
            for (outcome, found) in answer.configs() {
                let found = found.into_iter().map(|entry| {
                    let setting = Setting {
                        value: entry.value.filter(|_| !entry.is_sensitive),
                        is_of_topic: entry.is_of_topic,
                    };
                    (entry.name, setting)
                });
                entries.insert(outcome.topic.clone(), found.collect::<TopicConfig>());
                outcomes.push(outcome);
            }
            let outcomes = in_order(&names, outcomes, "describe");
            results.extend(
                outcomes.into_iter().zip(names).map(|(outcome, name)| {
                    outcome.map(|()| entries.remove(name).unwrap_or_default())
                }),
            );
        }
        Ok(results)
    }

    /// Where each partition begins and ends, in order.
    pub fn watermarks(&self, partitions: &[(String, i32)]) -> Result<Vec<Watermarks>, Error> {
        let low = self.client.offsets(partitions, Lookup::Beginning)?;
        let high = self.client.offsets(partitions, Lookup::End)?;
        Ok(low
            .into_iter()
            .zip(high)
            .map(|(low, high)| Watermarks { low, high })
            .collect())
    }

    pub(super) fn is_real(&self, what: &'static str) -> Result<(), Error> {
        if self.is_built_in_broker()? {
            return Err(Error::NotOnBuiltInBroker(what));
        }
        Ok(())
    }

    /// Sends a request and waits for its answer, however it ends.
    ///
    /// One that has been asked to stop waits on, so that what was done is known, but not
    /// for long.
    pub(super) fn answer(
        &self,
        what: &str,
        send: impl FnOnce(&Client) -> KafkaResult<Request>,
    ) -> Result<Answer, Error> {
        let request = send(&self.client).map_err(|error| Error::other(what, error))?;
        let start = Instant::now();
        let answer = loop {
            let answer = request.answer(SLICE);
            self.client.serve_keeping(Duration::ZERO);
            if let Some(answer) = answer {
                break answer;
            }
            if let Some(error) = self.client.decided() {
                return Err(error);
            }
            if self.client.is_late() {
                return Err(self.client.unreachable(start.elapsed()));
            }
            if self.client.is_stopped() && start.elapsed() > CONNECT_TIMEOUT {
                return Err(Error::Interrupted);
            }
        };
        match answer.error() {
            Ok(()) => Ok(answer),
            Err((Code::OperationTimedOut | Code::AllBrokersDown, _)) => {
                Err(self.client.unreachable(start.elapsed()))
            }
            Err((code, words)) => Err(Error::other(what, Cause::new(code, &words))),
        }
    }

    /// Waits until the brokers tell of what the controller has done, which takes them a
    /// few milliseconds, or seconds where hundreds of topics are being made; and not for ever:
    /// what was asked for is done.
    fn settle(
        &self,
        mut is_settled: impl FnMut(&BTreeMap<String, Topic>) -> bool,
    ) -> Result<(), Error> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(5);
        while !is_settled(&self.topics()?) && start.elapsed() < REQUEST_TIMEOUT {
            self.client.pause(pause)?;
            pause = (pause * 2).min(SLICE);
        }
        Ok(())
    }
}

fn pairs(config: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    let pairs = config.iter();
    pairs
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}

fn read(topic: &MetadataTopic) -> Topic {
    let mut partitions: Vec<Partition> = topic
        .partitions()
        .iter()
        .map(|partition| Partition {
            id: partition.id(),
            leader: Some(partition.leader()).filter(|leader| *leader >= 0),
            replicas: partition.replicas().to_vec(),
            in_sync: partition.isr().to_vec(),
        })
        .collect();
    partitions.sort_unstable_by_key(|partition| partition.id);
    Topic {
        name: topic.name().to_owned(),
        partitions,
    }
}

/// Splits topics of these sizes in partitions into requests that a broker takes.
fn batches(sizes: impl Iterator<Item = i32>) -> Vec<std::ops::Range<usize>> {
    let mut batches: Vec<std::ops::Range<usize>> = Vec::new();
    let mut partitions = 0;
    for (index, size) in sizes.enumerate() {
        let fits = |batch: &&mut std::ops::Range<usize>| {
            batch.len() < TOPICS_PER_REQUEST
                && size.saturating_add(partitions) <= PARTITIONS_PER_REQUEST
        };
        if let Some(batch) = batches.last_mut().filter(fits) {
            batch.end = index + 1;
            partitions += size;
        } else {
            batches.push(index..index + 1);
            partitions = size;
        }
    }
    batches
}

/// The outcome of each of `names`, which answers need not keep the order of.
fn in_order(
    names: &[&str],
    outcomes: Vec<TopicOutcome>,
    verb: &'static str,
) -> Vec<Result<(), Error>> {
    let mut outcomes: BTreeMap<String, _> = outcomes
        .into_iter()
        .map(|outcome| (outcome.topic, outcome.result))
        .collect();
    let fate = |name: &&str| match outcomes.remove(*name) {
        Some(Ok(())) => Ok(()),
        Some(Err((code, words))) => Err(refused(name, verb, code, &words)),
        None => Err(refused(name, verb, Code::Fail, "the answer leaves it out")),
    };
    names.iter().map(fate).collect()
}

fn refused(topic: &str, verb: &'static str, code: Code, words: &str) -> Error {
    match code {
        Code::TopicAlreadyExists => Error::TopicExists(topic.to_owned()),
        Code::UnknownTopicOrPartition | Code::UnknownTopic => Error::UnknownTopic {
            topic: topic.to_owned(),
            nearest: None,
            built_in: false,
        },
        code => Error::other(format!("{verb} topic `{topic}`"), Cause::new(code, words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_holds_no_more_partitions_than_a_broker_takes() {
        assert!(batches(std::iter::empty()).is_empty());
        assert_eq!(batches([4000, 4000, 2000, 1].into_iter()), [0..3, 3..4]);
        assert_eq!(batches([1, 20_000, 1].into_iter()), [0..1, 1..2, 2..3]);
        assert_eq!(batches([10_000, i32::MAX].into_iter()), [0..1, 1..2]);
    }

    #[test]
    fn a_request_holds_500_topics() {
        assert_eq!(
            batches([1; 1001].into_iter()),
            [0..500, 500..1000, 1000..1001]
        );
    }

    #[test]
    fn outcomes_are_told_in_the_order_of_the_question() {
        let outcome = |topic: &str, result| TopicOutcome {
            topic: topic.to_owned(),
            result,
        };
        let refusal = Err((Code::PolicyViolation, "no".to_owned()));
        let outcomes = vec![outcome("b", refusal), outcome("a", Ok(()))];
        let told = in_order(&["a", "b", "c"], outcomes, "create");
        assert!(told[0].is_ok());
        let error = told[1].as_ref().unwrap_err();
        assert_eq!(crate::ui::in_one_line(error), "cannot create topic `b`: no");
        assert!(told[2].is_err());
    }
}
