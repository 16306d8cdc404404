//! Reads partitions alone: joins no group, commits nothing, leaves no trace.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use rdkafka::TopicPartitionList;

use super::client::{Client, Cluster, EAGER_CONNECTIONS};
use super::consume::News;
use super::error::Error;
use super::ffi::{self, Messages, Queue, Role};
use super::offset_spec::OffsetSpec;
use super::plan::{self, Range, Topics};
use super::progress::Progress;
use super::{Notice, Source, Step, consume, reach};

/// How often the topics are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(3);

/// Where an alone reader begins and what it does at the end.
#[derive(Clone, Debug)]
pub struct Selection {
    pub topics: Topics,
    /// These partitions of each topic; all when empty.
    pub partitions: Vec<i32>,
    pub offsets: OffsetSpec,
    /// At most so many of the last offsets of each partition.
    pub window: Option<u64>,
}

/// A reader of partitions that it chose itself.
///
/// Uses librdkafka's simple consumer, as kcat does: its other one looks for the group's
/// coordinator even when it only reads, for which the cluster makes its offsets topic,
/// and which takes an access to a group that nobody asked for.
pub struct Reader {
    client: Arc<Client>,
    queue: Queue,
    topics: HashMap<String, ffi::Topic>,
    progress: Progress,
    selection: Selection,
    ranges: Vec<Range>,
    news: News,
    request_errors: u64,
    changes: Option<Receiver<Change>>,
    /// What appears is read too, so there is no end.
    follows: bool,
}

/// What became of the topics while they are read.
enum Change {
    Appeared(String, i32),
    Gone(String),
}

impl Reader {
    /// Connects, decides where each partition begins and ends, and starts to fetch.
    pub fn new(cluster: &Cluster, selection: Selection) -> Result<Self, Error> {
        let bounded = selection.offsets.until.is_some();
        let mut reader = Self::connect(cluster, selection, bounded)?;
        let topics = reader.selection.topics.find(&reader.client)?;
        if topics.is_empty() && bounded {
            let pattern = reader.selection.topics.first_pattern().unwrap_or_default();
            return Err(Error::NoMatchingTopic(pattern.to_owned()));
        }
        let partitions = plan::partitions(&topics, &reader.selection.partitions)?;
        reader.ranges = plan::ranges(&reader.client, &partitions, &reader.selection.offsets)?;
        if let Some(window) = reader.selection.window {
            for range in &mut reader.ranges {
                range.narrow(window);
            }
        }
        reader.start_all()?;
        reader.watch();
        Ok(reader)
    }

    /// Follows on where an earlier reader of the same selection was to stop.
    pub fn resume(cluster: &Cluster, earlier: &Self) -> Result<Self, Error> {
        let mut reader = Self::connect(cluster, earlier.selection.clone(), false)?;
        reader.ranges = earlier
            .ranges
            .iter()
            .map(|range| Range {
                start: range.stop.unwrap_or(range.start),
                stop: None,
                cut: false,
                ..range.clone()
            })
            .collect();
        reader.start_all()?;
        reader.watch();
        Ok(reader)
    }

    /// Reads these ranges of `topics` and nothing else with a client that was asked where they are;
    /// `follows` when they have no end.
    pub(super) fn of_ranges(
        client: Arc<Client>,
        topics: Topics,
        ranges: Vec<Range>,
        follows: bool,
    ) -> Result<Self, Error> {
        let selection = Selection {
            topics,
            partitions: Vec::new(),
            offsets: OffsetSpec::default(),
            window: None,
        };
        let mut reader = Self::over(client, selection, !follows);
        reader.ranges = ranges;
        reader.start_all()?;
        reader.watch();
        Ok(reader)
    }

    /// Stops to read what it reads, and begins with other ranges of the same topics.
    pub fn go_on(&mut self, ranges: Vec<Range>) -> Result<(), Error> {
        let mut again = TopicPartitionList::with_capacity(self.ranges.len());
        for range in &self.ranges {
            self.progress.remove(&range.topic, range.partition);
            if let Some(topic) = self.topics.get(&range.topic) {
                topic.stop(range.partition);
            }
            again.add_partition(&range.topic, range.partition);
        }
        // Those that had reached their end were paused.
        let _ = ffi::resume(&self.client.native, &again);
        self.ranges = ranges;
        self.start_all()
    }

    /// Stops to fetch; nothing more is asked of it.
    pub fn rest(&mut self) {
        let _ = self.go_on(Vec::new());
    }

    fn connect(cluster: &Cluster, selection: Selection, bounded: bool) -> Result<Self, Error> {
        let client = Client::new(cluster, Role::Reader, &defaults(bounded), &fixed(bounded))?;
        Ok(Self::over(client, selection, bounded))
    }

    fn over(client: Arc<Client>, selection: Selection, bounded: bool) -> Self {
        Self {
            queue: Queue::new(&client.native),
            client,
            topics: HashMap::new(),
            progress: Progress::default(),
            selection,
            ranges: Vec::new(),
            news: News::default(),
            request_errors: 0,
            changes: None,
            follows: !bounded,
        }
    }

    /// The partitions of which the window left earlier offsets out.
    pub fn cut_partitions(&self) -> impl Iterator<Item = (&str, i32)> {
        let cut = self.ranges.iter().filter(|range| range.cut);
        cut.map(|range| (range.topic.as_str(), range.partition))
    }

    /// How many requests failed or timed out so far, as far as the client library tells, which it
    /// does where `statistics.interval.ms` is set.
    pub fn request_errors(&mut self) -> u64 {
        let told = self.client.native.context().take_statistics();
        if let Some(errors) = told.last().and_then(|json| reach::request_errors(json)) {
            self.request_errors = self.request_errors.max(errors);
        }
        self.request_errors
    }

    fn start_all(&mut self) -> Result<(), Error> {
        for range in self.ranges.clone() {
            self.start(&range)?;
        }
        Ok(())
    }

    fn start(&mut self, range: &Range) -> Result<(), Error> {
        self.progress
            .add(&range.topic, range.partition, range.start, range.stop);
        if range.stop.is_some_and(|stop| range.start >= stop) {
            return Ok(());
        }
        let failed = |error| Error::other(format!("read topic `{}`", range.topic), error);
        if !self.topics.contains_key(&range.topic) {
            let topic = ffi::Topic::new(&self.client.native, &range.topic).map_err(failed)?;
            self.topics.insert(range.topic.clone(), topic);
        }
        self.topics[&range.topic]
            .start(range.partition, range.start, &self.queue)
            .map_err(failed)
    }

    /// Looks for topics that go, which librdkafka does not always tell of, and for
    /// partitions and topics that appear.
    fn watch(&mut self) {
        let mut known = BTreeMap::new();
        for range in &self.ranges {
            let partitions: &mut i32 = known.entry(range.topic.clone()).or_default();
            *partitions = (range.partition + 1).max(*partitions);
        }
        let (sender, receiver): (Sender<Change>, _) = channel();
        let (client, wanted) = (self.client.clone(), self.selection.topics.clone());
        let (only, follows) = (self.selection.partitions.clone(), self.follows);
        let watching = thread::Builder::new().name("topics".into()).spawn(move || {
            let mut doubtful = BTreeSet::new();
            loop {
                thread::sleep(LOOK_INTERVAL);
                let mut changes = Vec::new();
                let (missing, now) = match wanted.find(&client) {
                    Ok(now) => (plan::missing(&known, &doubtful, &now), now),
                    Err(Error::UnknownTopic { topic, .. }) => ([topic].into(), Vec::new()),
                    Err(_) => continue,
                };
                // A broker that is just back may not know of every topic yet.
                changes.extend(missing.intersection(&doubtful).cloned().map(Change::Gone));
                doubtful = missing;
                if follows && !now.is_empty() {
                    let mut added = plan::added(&mut known, &now);
                    added.retain(|(_, partition)| only.is_empty() || only.contains(partition));
                    changes.extend(added.into_iter().map(|(t, p)| Change::Appeared(t, p)));
                }
                if changes
                    .into_iter()
                    .any(|change| sender.send(change).is_err())
                {
                    return;
                }
            }
        });
        self.changes = watching.is_ok().then_some(receiver);
    }

    /// Follows what appeared from its beginning, so that nothing in it is missed, and
    /// lets go of what is gone.
    fn follow_changes(&mut self) -> Result<(), Error> {
        let changes: Vec<Change> = self.changes.iter().flat_map(Receiver::try_iter).collect();
        for change in changes {
            match change {
                Change::Appeared(topic, partition) => {
                    self.news.add(Notice::Followed {
                        topic: topic.clone(),
                        partition,
                    });
                    self.start(&Range {
                        topic,
                        partition,
                        start: 0,
                        stop: None,
                        cut: false,
                    })?;
                }
                Change::Gone(topic) => self.let_go(topic)?,
            }
        }
        Ok(())
    }

    /// Ends the run when a topic that was asked for by name was deleted; one that only
    /// a pattern matched may go.
    fn let_go(&mut self, topic: String) -> Result<(), Error> {
        if self.selection.topics.requires(&topic) {
            return Err(Error::TopicDeleted(topic));
        }
        if self.progress.remove_topic(&topic) {
            self.news.add(Notice::Gone { topic });
        }
        Ok(())
    }
}

pub(super) fn defaults(bounded: bool) -> Vec<(&'static str, &'static str)> {
    let mut defaults = consume::DEFAULTS.to_vec();
    if bounded {
        // The end of a log that ends in transaction markers is only told by an
        // empty fetch, for which the broker waits half a second by default.
        defaults.push(("fetch.wait.max.ms", "20"));
        defaults.push(EAGER_CONNECTIONS);
    }
    defaults
}

pub(super) fn fixed(bounded: bool) -> Vec<(&'static str, &'static str)> {
    let mut fixed = consume::FIXED.to_vec();
    fixed.push((
        "enable.partition.eof",
        if bounded { "true" } else { "false" },
    ));
    fixed
}

impl Source for Reader {
    fn next(&mut self, batch: &mut Messages, timeout: Duration) -> Result<Step, Error> {
        self.follow_changes()?;
        if self.progress.is_done() && !self.follows {
            return Ok(Step::End);
        }
        consume::take(&self.queue, batch, timeout);
        self.client.serve_keeping(Duration::ZERO);
        let (topics, queue) = (&self.topics, &self.queue);
        let restart = |topic: &str, partition, offset| {
            topics[topic]
                .start(partition, offset, queue)
                .map_err(|error| Error::other(format!("read topic `{topic}`"), error))
        };
        let sorted = consume::sort_out(
            &self.client,
            batch,
            &mut self.progress,
            restart,
            &mut self.news,
        );
        match sorted {
            Err(Error::TopicDeleted(topic)) => self.let_go(topic)?,
            other => other?,
        }
        let step = match consume::step(batch, &self.progress) {
            Step::End if self.follows => Step::Idle,
            step => step,
        };
        self.news.watch(&self.client, step)
    }

    fn notices(&mut self) -> Vec<Notice> {
        self.news.take()
    }

    fn reached(&mut self) -> Vec<((String, i32), i64)> {
        self.news.take_reached()
    }

    fn close(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
