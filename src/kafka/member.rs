//! Reads as a member of a group: what the group gives, from where it left off.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Client, Cluster, Lookup};
use super::consume::News;
use super::context::Rebalance;
use super::error::Error;
use super::ffi::{self, Group, Messages, Queue, Role};
use super::offset_spec::OffsetSpec;
use super::plan::{self, Topics};
use super::progress::Progress;
use super::{Notice, Source, Step, consume, reader};

/// How long the group's coordinator may take to answer.
const COORDINATOR_TIMEOUT: Duration = Duration::from_secs(10);

/// How often finished offsets are committed.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// How long leaving the group may take before the process goes without.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Which group is joined, for what.
#[derive(Clone, Debug)]
pub struct Membership {
    pub group: String,
    pub topics: Topics,
    /// Where a partition begins that the group has committed nothing for, and where all end.
    pub offsets: OffsetSpec,
    /// Whether finished offsets are committed.
    pub commit: bool,
}

/// A member of a group.
pub struct Member {
    client: Arc<Client>,
    queue: Queue,
    shared: Arc<Shared>,
    news: News,
}

/// What the rebalance callback, the committer and the reader share. The callback keeps
/// it, and so the client, alive; a member lives as long as its process.
struct Shared {
    client: Arc<Client>,
    membership: Membership,
    /// Partition counts of the topics when they were subscribed to: what is not among them
    /// appeared later.
    known: Mutex<BTreeMap<String, i32>>,
    /// End offsets taken once, at the start.
    stops: HashMap<(String, i32), i64>,
    state: Mutex<State>,
    committing: Mutex<()>,
    /// Wakes the committer when it is to end.
    wake: Condvar,
    drain: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    progress: Progress,
    assigned: bool,
    /// Partitions held, and the offset of each that is finished and not yet committed.
    held: HashMap<(String, i32), Option<i64>>,
    failure: Option<Error>,
    closing: bool,
}

/// Takes in what has been finished, for the committer.
#[derive(Clone)]
pub struct Commits(Arc<Shared>);

impl Commits {
    /// Reports that everything before each offset is finished.
    pub fn finished(&self, offsets: impl IntoIterator<Item = ((String, i32), i64)>) {
        self.0.lock().finish(offsets);
    }
}

/// Changes what a member reads.
#[derive(Clone)]
pub struct Subscriber(Arc<Shared>);

impl Subscriber {
    /// Reads the topics of these names from now on, as far as they are there, and no others.
    ///
    /// What was read of the others is finished and committed before they are given up, on the
    /// thread that asks for records.
    pub fn subscribe(&self, names: Vec<String>) -> Result<(), Error> {
        let topics = Topics::subscribed(names);
        for topic in topics.find(&self.0.client)? {
            let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(topic.name).or_insert(topic.partitions);
        }
        self.0.subscribe(&topics)
    }
}

impl State {
    fn finish(&mut self, offsets: impl IntoIterator<Item = ((String, i32), i64)>) {
        for (partition, offset) in offsets {
            // What is no longer ours belongs to an older assignment.
            if let Some(held) = self.held.get_mut(&partition) {
                *held = Some(held.unwrap_or(offset).max(offset));
            }
        }
    }
}

impl Member {
    /// Joins the group.
    ///
    /// `drain` is called before partitions are given up, on the thread that asks for
    /// records; it returns when all that was handed over is finished and reported.
    pub fn join(
        cluster: &Cluster,
        membership: Membership,
        drain: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let bounded = membership.offsets.until.is_some();
        let mut defaults = reader::defaults(bounded);
        defaults.push(("partition.assignment.strategy", "cooperative-sticky"));
        let mut fixed = reader::fixed(bounded);
        fixed.push(("group.id", &membership.group));
        let mut client = Client::new(cluster, Role::Member, &defaults, &fixed)?;
        let topics = membership.topics.find(&client)?;
        if topics.is_empty()
            && bounded
            && let Some(pattern) = membership.topics.first_pattern()
        {
            return Err(Error::NoMatchingTopic(pattern.to_owned()));
        }
        let cluster_id = client.native.fetch_cluster_id(Duration::ZERO);
        if cluster_id.is_some_and(|id| id.starts_with("mockCluster")) {
            // When a member leaves, `rd_kafka_mock_cgrp_classic_rebalance` lets the next one wait
            // for the session timeout less a second, which is 44 seconds by default.
            defaults.extend([
                ("session.timeout.ms", "1500"),
                ("heartbeat.interval.ms", "150"),
            ]);
            client = Client::new(cluster, Role::Member, &defaults, &fixed)?;
        }
        let mut known = BTreeMap::new();
        let partitions = plan::added(&mut known, &topics);
        let stops = if bounded {
            plan::ranges(&client, &partitions, &membership.offsets)?
                .into_iter()
                .filter_map(|range| Some(((range.topic, range.partition), range.stop?)))
                .collect()
        } else {
            HashMap::new()
        };
        let shared = Arc::new(Shared {
            client: client.clone(),
            // Nothing is to be waited for where there is nothing.
            state: Mutex::new(State {
                assigned: bounded && known.is_empty(),
                ..State::default()
            }),
            known: Mutex::new(known),
            stops,
            committing: Mutex::default(),
            wake: Condvar::new(),
            drain: Box::new(drain),
            membership,
        });
        client
            .native
            .context()
            .set_rebalance(Box::new(OnRebalance(shared.clone())));
        if !shared.membership.topics.is_empty() {
            shared.subscribe(&shared.membership.topics)?;
        }
        let committing = shared.clone();
        if shared.membership.commit {
            thread::Builder::new()
                .name("commit".into())
                .spawn(move || committing.commit_until_closing())
                .map_err(|_| Error::other("start a thread", Code::CriticalSystemResource))?;
        }
        Ok(Self {
            queue: Queue::consumer(&client.native),
            client,
            shared,
            news: News::default(),
        })
    }

    /// Where finished offsets are reported.
    pub fn commits(&self) -> Commits {
        Commits(self.shared.clone())
    }

    /// Changes what is read.
    pub fn subscriber(&self) -> Subscriber {
        Subscriber(self.shared.clone())
    }
}

impl Source for Member {
    fn next(&mut self, batch: &mut Messages, timeout: Duration) -> Result<Step, Error> {
        // A rebalance runs within this call, so nothing may be locked here.
        consume::take(&self.queue, batch, timeout);
        self.client.serve_keeping(Duration::ZERO);
        let group = ffi::group(&self.client.native);
        let restart = |topic: &str, partition, offset| {
            group
                .restart(topic, partition, offset)
                .map_err(|error| Error::other(format!("read topic `{topic}`"), error))
        };
        let mut state = self.shared.lock();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        let sorted = consume::sort_out(
            &self.client,
            batch,
            &mut state.progress,
            restart,
            &mut self.news,
        );
        let step = match consume::step(batch, &state.progress) {
            // Before the first assignment there is nothing to be done with.
            Step::End if !state.assigned || self.shared.membership.offsets.until.is_none() => {
                Step::Idle
            }
            step => step,
        };
        drop(state);
        match sorted {
            Err(Error::TopicDeleted(topic)) if !self.shared.membership.topics.requires(&topic) => {
                self.shared.lock().progress.remove_topic(&topic);
                self.news.add(Notice::Gone { topic });
            }
            Err(Error::MixedGroup(_)) => {
                return Err(Error::MixedGroup(self.shared.membership.group.clone()));
            }
            other => other?,
        }
        self.news.watch(&self.client, step)
    }

    fn notices(&mut self) -> Vec<Notice> {
        self.news.take()
    }

    /// Commits what is finished and leaves the group.
    fn close(&mut self) -> Result<(), Error> {
        self.shared.lock().closing = true;
        self.shared.wake.notify_all();
        let (shared, (left, has_left)) = (self.shared.clone(), channel());
        // librdkafka may wait for a coordinator that is gone; the group then finds out by itself.
        let _ = thread::Builder::new().name("leave".into()).spawn(move || {
            let committed = shared.commit_last();
            let _ = ffi::close(&shared.client.native);
            let _ = left.send(committed);
        });
        has_left
            .recv_timeout(LEAVE_TIMEOUT)
            .unwrap_or_else(|_| Err(Error::other("commit offsets", Code::OperationTimedOut)))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells librdkafka what to read; the group shares anew.
    fn subscribe(&self, topics: &Topics) -> Result<(), Error> {
        if self.lock().closing {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for topic in topics.subscriptions() {
            list.add_topic_unassigned(topic);
        }
        if topics.is_empty() {
            ffi::unsubscribe(&self.client.native)
        } else {
            ffi::subscribe(&self.client.native, &list)
        }
        .map_err(|error| Error::other("subscribe", error))
    }

    fn commit_until_closing(&self) {
        loop {
            let state = self.lock();
            let (state, _) = self
                .wake
                .wait_timeout_while(state, COMMIT_INTERVAL, |state| !state.closing)
                .unwrap_or_else(PoisonError::into_inner);
            let closing = state.closing;
            drop(state);
            if closing {
                return;
            }
            if let Err(error) = self.commit() {
                self.lock().failure.get_or_insert(error);
            }
        }
    }

    /// Commits what is finished and waits for the answer; what fails for reasons that
    /// pass is tried again with the next.
    fn commit(&self) -> Result<(), Error> {
        match self.commit_once() {
            Err(error) if !will_pass(&error) && !is_of_deleted_topic(&error) => {
                Err(Error::other("commit offsets", error))
            }
            _ => Ok(()),
        }
    }

    /// Commits the last that is finished, as often as it takes.
    fn commit_last(&self) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            match self.commit_once() {
                Err(error) if will_pass(&error) && start.elapsed() < LEAVE_TIMEOUT => {
                    thread::sleep(Duration::from_millis(100));
                }
                Err(error) if is_of_deleted_topic(&error) => return Ok(()),
                other => return other.map_err(|error| Error::other("commit offsets", error)),
            }
        }
    }

    fn commit_once(&self) -> Result<(), KafkaError> {
        // One commit at a time: an earlier one must not arrive after a later one.
        let _one = self
            .committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut list = TopicPartitionList::new();
        let mut taken = Vec::new();
        for ((topic, partition), finished) in &mut self.lock().held {
            if let Some(offset) = finished.take() {
                taken.push(((topic.clone(), *partition), offset));
                let _ = list.add_partition_offset(topic, *partition, Offset::Offset(offset));
            }
        }
        if taken.is_empty() || !self.membership.commit {
            return Ok(());
        }
        ffi::group(&self.client.native)
            .commit(&list)
            .inspect_err(|_| self.lock().finish(taken))
    }

    /// Where `partitions` begin: where the group left off, else where this run was told.
    fn starts(&self, group: Group, partitions: &[(String, i32)]) -> Result<Vec<i64>, Error> {
        let failed = |error: KafkaError| Error::other("ask for the group's offsets", error);
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            list.add_partition(topic, *partition);
        }
        group
            .committed(&list, COORDINATOR_TIMEOUT)
            .map_err(failed)?;
        let mut starts = Vec::with_capacity(partitions.len());
        let (mut told, mut appeared) = (Vec::new(), Vec::new());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, element) in list.elements().iter().enumerate() {
            element.error().map_err(failed)?;
            if let Offset::Offset(offset) = element.offset() {
                starts.push(offset);
                continue;
            }
            starts.push(-1);
            let (topic, partition) = &partitions[index];
            let was_there = known.get(topic).is_some_and(|known| partition < known);
            if was_there && self.membership.offsets.from.is_some() {
                told.push(index);
            } else {
                appeared.push(index);
            }
        }
        drop(known);
        let named = |indexes: &[usize]| -> Vec<_> {
            indexes
                .iter()
                .map(|index| partitions[*index].clone())
                .collect()
        };
        let beginnings = self.client.offsets(&named(&appeared), Lookup::Beginning)?;
        for (index, offset) in appeared.into_iter().zip(beginnings) {
            starts[index] = offset;
        }
        if !told.is_empty() {
            let ranges = plan::ranges(&self.client, &named(&told), &self.membership.offsets)?;
            for (index, range) in told.into_iter().zip(ranges) {
                starts[index] = range.start;
            }
        }
        Ok(starts)
    }
}

/// Whether a commit failed because the group is just now sharing anew: whoever gets
/// the partition reads from the last commit, which is at least once.
fn will_pass(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::IllegalGeneration
                | Code::RebalanceInProgress
                | Code::UnknownMemberId
                | Code::State
                | Code::AssignmentLost
                | Code::NoOffset
                | Code::WaitingForCoordinator
                | Code::NotCoordinator
                | Code::CoordinatorNotAvailable
                | Code::CoordinatorLoadInProgress
                | Code::BrokerTransportFailure
                | Code::OperationTimedOut
                | Code::RequestTimedOut
        )
    )
}

/// Whether a commit names a topic that is gone, of which the fetches tell; the other
/// topics' offsets are committed all the same.
fn is_of_deleted_topic(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(Code::UnknownTopicOrPartition)
}

struct OnRebalance(Arc<Shared>);

impl OnRebalance {
    fn assign(&self, group: Group, partitions: &[(String, i32)]) -> Result<(), Error> {
        let shared = &self.0;
        let starts = shared.starts(group, partitions)?;
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        let mut state = shared.lock();
        for ((topic, partition), start) in partitions.iter().zip(starts) {
            let key = (topic.clone(), *partition);
            let bounded = shared.membership.offsets.until.is_some();
            // What appeared after the ends were taken lies behind all of them.
            let stop = bounded.then(|| shared.stops.get(&key).copied().unwrap_or(start));
            state.progress.add(topic, *partition, start, stop);
            // Where a partition begins is pinned by the first commit, so that nobody
            // who gets it later begins somewhere else.
            state.held.insert(key, Some(start));
            list.add_partition_offset(topic, *partition, Offset::Offset(start))
                .map_err(|error| Error::other("begin to read", error))?;
        }
        state.assigned = true;
        drop(state);
        group
            .assign(&list)
            .map_err(|error| Error::other("take the partitions over", error))?;
        // A partition that had reached its end here before comes back paused.
        let _ = ffi::resume(&shared.client.native, &list);
        Ok(())
    }
}

impl Rebalance for OnRebalance {
    fn assigned(&self, group: Group, partitions: &[(String, i32)]) {
        if let Err(error) = self.assign(group, partitions) {
            self.0.lock().failure.get_or_insert(error);
        }
    }

    fn revoked(&self, group: Group, partitions: &[(String, i32)]) {
        let shared = &self.0;
        let closing = shared.lock().closing;
        if !closing && !group.assignment_lost() {
            (shared.drain)();
            if let Err(error) = shared.commit() {
                shared.lock().failure.get_or_insert(error);
            }
        }
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        let mut state = shared.lock();
        for (topic, partition) in partitions {
            state.progress.remove(topic, *partition);
            state.held.remove(&(topic.clone(), *partition));
            list.add_partition(topic, *partition);
        }
        // Whoever holds nothing in the middle of a rebalance is not at the end.
        state.assigned &= !state.held.is_empty();
        drop(state);
        if let Err(error) = group.unassign(&list) {
            tracing::warn!(target: "librdkafka", "unassign: {error}");
        }
    }
}
