//! Which partitions are read, and from where to where.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::client::{Client, Lookup, TopicMetadata};
use super::error::Error;
use super::offset_spec::{Known, OffsetSpec, Start, Stop};
use crate::pattern::PatternError;

/// The topics a user names: names, or patterns that begin with `^`.
#[derive(Clone, Debug)]
pub struct Topics {
    names: Vec<String>,
    patterns: Vec<Regex>,
    /// Not even a topic that is named has to be there.
    may_be_gone: bool,
}

impl Topics {
    /// Reads names and patterns as they were typed.
    pub fn new(topics: &[String]) -> Result<Self, PatternError> {
        let mut read = Self {
            names: Vec::new(),
            patterns: Vec::new(),
            may_be_gone: false,
        };
        for topic in topics {
            if topic.starts_with('^') {
                let pattern =
                    Regex::new(topic).map_err(|error| PatternError::new(topic, &error))?;
                read.patterns.push(pattern);
            } else if !read.names.contains(topic) {
                read.names.push(topic.clone());
            }
        }
        Ok(read)
    }

    /// What somebody has subscribed to: topics of these names, as far as they are there.
    pub fn subscribed(names: Vec<String>) -> Self {
        Self {
            names,
            patterns: Vec::new(),
            may_be_gone: true,
        }
    }

    /// Whether there is nothing to be read.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.patterns.is_empty()
    }

    /// As librdkafka subscribes to them.
    pub(super) fn subscriptions(&self) -> impl Iterator<Item = &str> {
        let patterns = self.patterns.iter().map(Regex::as_str);
        self.names.iter().map(String::as_str).chain(patterns)
    }

    /// Whether a topic of this name is meant.
    pub fn matches(&self, topic: &str) -> bool {
        self.names(topic) || self.patterns.iter().any(|pattern| pattern.is_match(topic))
    }

    /// Whether this very topic was named, and is to be there.
    pub(super) fn requires(&self, topic: &str) -> bool {
        !self.may_be_gone && self.names(topic)
    }

    fn names(&self, topic: &str) -> bool {
        self.names.iter().any(|name| name == topic)
    }

    /// The topics there are just now; a named one that is missing is an error.
    pub(super) fn find(&self, client: &Client) -> Result<Vec<TopicMetadata>, Error> {
        if self.patterns.is_empty() && !self.may_be_gone {
            return self.names.iter().map(|name| client.topic(name)).collect();
        }
        let all = client.topics()?;
        let missing = self
            .names
            .iter()
            .find(|name| self.requires(name) && !all.iter().any(|topic| topic.name == **name));
        if let Some(missing) = missing {
            return Err(client
                .topic(missing)
                .err()
                .unwrap_or_else(|| Error::NoMatchingTopic(missing.clone())));
        }
        Ok(all
            .into_iter()
            .filter(|topic| {
                self.names(&topic.name)
                    || self
                        .patterns
                        .iter()
                        .any(|pattern| pattern.is_match(&topic.name))
            })
            .collect())
    }

    /// A pattern that matched nothing is worth a word when nothing can match later.
    pub(super) fn first_pattern(&self) -> Option<&str> {
        self.patterns.first().map(Regex::as_str)
    }
}

/// From where to where one partition is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub topic: String,
    pub partition: i32,
    /// Offset to read first.
    pub start: i64,
    /// Offset to stop before; `None` follows for ever.
    pub stop: Option<i64>,
    /// A window left earlier offsets out.
    pub(super) cut: bool,
}

impl Range {
    /// The offsets from `start` to before `stop` of a partition.
    pub fn new(topic: &str, partition: i32, start: i64, stop: Option<i64>) -> Self {
        Self {
            topic: topic.to_owned(),
            partition,
            start,
            stop,
            cut: false,
        }
    }

    /// Keeps the last `window` offsets of a range that has an end.
    pub(super) fn narrow(&mut self, window: u64) {
        let start = self.stop.map(|stop| stop.saturating_sub_unsigned(window));
        if let Some(start) = start.filter(|start| *start > self.start) {
            self.start = start;
            self.cut = true;
        }
    }
}

/// The partitions of `topics`, or those of `only` that each must have.
pub(super) fn partitions(
    topics: &[TopicMetadata],
    only: &[i32],
) -> Result<Vec<(String, i32)>, Error> {
    let mut found = Vec::new();
    for topic in topics {
        if let Some(&partition) = only.iter().find(|only| **only >= topic.partitions) {
            return Err(Error::UnknownPartition {
                topic: topic.name.clone(),
                partition,
                last: topic.partitions - 1,
            });
        }
        found.extend(
            (0..topic.partitions)
                .filter(|partition| only.is_empty() || only.contains(partition))
                .map(|partition| (topic.name.clone(), partition)),
        );
    }
    Ok(found)
}

/// Asks where `spec` begins and ends in each of `partitions`; all ends are of one moment.
///
/// Four requests to each broker at most, however many partitions there are.
pub(super) fn ranges(
    client: &Client,
    partitions: &[(String, i32)],
    spec: &OffsetSpec,
) -> Result<Vec<Range>, Error> {
    let highs = client.offsets(partitions, Lookup::End)?;
    let lows = client.offsets(partitions, Lookup::Beginning)?;
    let at = |time: Option<jiff::Timestamp>| {
        time.map(|time| {
            if client.is_built_in_broker() == Some(true) {
                return Err(Error::NotOnBuiltInBroker("look up offsets by time"));
            }
            client.offsets(partitions, Lookup::Time(time.as_millisecond()))
        })
        .transpose()
    };
    let from_times = at(match spec.from {
        Some(Start::Time(time)) => Some(time),
        _ => None,
    })?;
    let until_times = at(match spec.until {
        Some(Stop::Time(time)) => Some(time),
        _ => None,
    })?;
    let found = |offsets: &Option<Vec<i64>>, index: usize| {
        offsets
            .as_ref()
            .map(|offsets| offsets[index])
            .filter(|offset| *offset >= 0)
    };
    Ok(partitions
        .iter()
        .enumerate()
        .map(|(index, (topic, partition))| {
            let span = spec.resolve(&Known {
                low: lows[index],
                high: highs[index],
                from_time: found(&from_times, index),
                until_time: found(&until_times, index),
            });
            Range {
                topic: topic.clone(),
                partition: *partition,
                start: span.start,
                stop: span.stop,
                cut: false,
            }
        })
        .collect())
}

/// The topics of `before`, and those already missed, that `now` lacks.
pub(super) fn missing(
    before: &BTreeMap<String, i32>,
    missed: &BTreeSet<String>,
    now: &[TopicMetadata],
) -> BTreeSet<String> {
    let there = |name: &String| now.iter().any(|topic| topic.name == *name);
    let expected = before.keys().chain(missed);
    expected.filter(|name| !there(name)).cloned().collect()
}

/// The partitions of `now` that `before` lacks; updates `before`.
pub(super) fn added(
    before: &mut BTreeMap<String, i32>,
    now: &[TopicMetadata],
) -> Vec<(String, i32)> {
    let mut added = Vec::new();
    // What is gone may come back as another.
    before.retain(|name, _| now.iter().any(|topic| topic.name == *name));
    for topic in now {
        let known = before.entry(topic.name.clone()).or_insert(0);
        added.extend((*known..topic.partitions).map(|partition| (topic.name.clone(), partition)));
        *known = topic.partitions.max(*known);
    }
    added
}
