//! Reads as a member of a group: what the group gives, from where it left off.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Client, Cluster, Lookup};
use super::context::Rebalance;
use super::error::Error;
use super::ffi::{self, Group, GroupMetadata, Messages, Queue, Role};
use super::offset_spec::OffsetSpec;
use super::plan::{self, Topics};
use super::progress::Progress;
use super::{Notice, Source, Step, consume, reader};

/// How long the group's coordinator may take to answer.
const COORDINATOR_TIMEOUT: Duration = Duration::from_secs(10);

/// How long somebody else's transaction with the group's offsets is waited for.
const TRANSACTION_TIMEOUT: Duration = Duration::from_mins(1);

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
    topics: Topics,
    notices: Vec<Notice>,
    announced_trouble: bool,
}

/// What the rebalance callback, the committer and the reader share. The callback keeps
/// it, and so the client, alive; a member lives as long as its process.
struct Shared {
    client: Arc<Client>,
    membership: Membership,
    /// Topics and partition counts at the start: what is not among them appeared later.
    known: BTreeMap<String, i32>,
    /// End offsets taken once, at the start.
    stops: HashMap<(String, i32), i64>,
    state: Mutex<State>,
    committing: Mutex<()>,
    /// Wakes the committer when it is to end.
    wake: Condvar,
    drain: Box<dyn Fn(Handover) + Send + Sync>,
}

/// Partitions that are about to be given up.
#[derive(Clone, Debug)]
pub struct Handover {
    /// Topic and number of each.
    pub partitions: Vec<(String, i32)>,
    /// The group gave them to others already: nothing of them can be committed any more.
    pub lost: bool,
}

#[derive(Default)]
struct State {
    progress: Progress,
    assigned: bool,
    /// Partitions held, and the offset of each that is finished and not yet committed.
    held: HashMap<(String, i32), Option<i64>>,
    failure: Option<Error>,
    closing: bool,
    /// Nothing is fetched just now, though the group keeps the member.
    on_hold: bool,
}

/// Takes in what has been finished, for the committer.
#[derive(Clone)]
pub struct Commits(Arc<Shared>);

impl Commits {
    /// Reports that everything before each offset is finished.
    pub fn finished(&self, offsets: impl IntoIterator<Item = ((String, i32), i64)>) {
        self.0.lock().finish(offsets);
    }

    /// Who this member is to its group at this moment; see [`super::Producer::commit_with`].
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        ffi::group_metadata(&self.0.client.native)
    }

    /// The end of a partition as the last fetch told it.
    pub fn known_end(&self, topic: &str, partition: i32) -> Option<i64> {
        ffi::known_end(&self.0.client.native, topic, partition)
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
    /// records; it returns when all of them that was taken is finished and reported, or, where
    /// they are lost, let go.
    pub fn join(
        cluster: &Cluster,
        membership: Membership,
        drain: impl Fn(Handover) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let bounded = membership.offsets.until.is_some();
        let mut defaults = reader::defaults(bounded);
        defaults.push(("partition.assignment.strategy", "cooperative-sticky"));
        let mut fixed = reader::fixed(bounded);
        fixed.push(("group.id", &membership.group));
        let mut client = Client::new(cluster, Role::Member, &defaults, &fixed)?;
        let topics = membership.topics.find(&client)?;
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
            known,
            stops,
            state: Mutex::default(),
            committing: Mutex::default(),
            wake: Condvar::new(),
            drain: Box::new(drain),
            membership,
        });
        client
            .native
            .context()
            .set_rebalance(Box::new(OnRebalance(shared.clone())));
        let mut list = TopicPartitionList::new();
        for topic in shared.membership.topics.subscriptions() {
            list.add_topic_unassigned(topic);
        }
        ffi::subscribe(&client.native, &list).map_err(|error| Error::other("subscribe", error))?;
        let committing = shared.clone();
        if shared.membership.commit {
            thread::Builder::new()
                .name("commit".into())
                .spawn(move || committing.commit_until_closing())
                .map_err(|_| Error::other("start a thread", Code::CriticalSystemResource))?;
        }
        Ok(Self {
            queue: Queue::consumer(&client.native),
            topics: shared.membership.topics.clone(),
            client,
            shared,
            notices: Vec::new(),
            announced_trouble: false,
        })
    }

    /// Where finished offsets are reported.
    pub fn commits(&self) -> Commits {
        Commits(self.shared.clone())
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
            &mut self.notices,
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
            Err(Error::TopicDeleted(topic)) if !self.topics.names(&topic) => {
                self.shared.lock().progress.remove_topic(&topic);
                self.notices.push(Notice::Gone { topic });
            }
            Err(Error::MixedGroup(_)) => {
                return Err(Error::MixedGroup(self.shared.membership.group.clone()));
            }
            other => other?,
        }
        consume::watch_connection(
            &self.client,
            step,
            &mut self.announced_trouble,
            &mut self.notices,
        )?;
        Ok(step)
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn hold(&mut self, hold: bool) {
        let mut state = self.shared.lock();
        state.on_hold = hold;
        let mut list = TopicPartitionList::new();
        for (topic, partition) in state.held.keys() {
            // Behind its end a partition stays paused.
            if !state.progress.is_at_end(topic, *partition) {
                list.add_partition(topic, *partition);
            }
        }
        drop(state);
        let _ = if hold {
            ffi::pause(&self.client.native, &list)
        } else {
            ffi::resume(&self.client.native, &list)
        };
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

    /// Fills in the offsets that the group has committed for `partitions`.
    ///
    /// Where somebody died in the middle of a transaction with them, they are told when that was
    /// aborted, which the broker does when its time is up.
    fn read_committed(
        &self,
        group: Group,
        partitions: &TopicPartitionList,
    ) -> Result<(), KafkaError> {
        let start = Instant::now();
        loop {
            let read = group.committed(partitions, COORDINATOR_TIMEOUT);
            let of_each = |()| {
                let elements = partitions.elements();
                elements.iter().try_for_each(TopicPartitionListElem::error)
            };
            let read = read.and_then(of_each);
            match read {
                Err(error)
                    if error.rdkafka_error_code() == Some(Code::UnstableOffsetCommit)
                        && start.elapsed() < TRANSACTION_TIMEOUT
                        && !self.client.is_stopping() =>
                {
                    thread::sleep(Duration::from_millis(100));
                }
                other => return other,
            }
        }
    }

    /// Where `partitions` begin: where the group left off, else where this run was told.
    fn starts(&self, group: Group, partitions: &[(String, i32)]) -> Result<Vec<i64>, Error> {
        let failed = |error: KafkaError| Error::other("ask for the group's offsets", error);
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            list.add_partition(topic, *partition);
        }
        self.read_committed(group, &list).map_err(failed)?;
        let mut starts = Vec::with_capacity(partitions.len());
        let (mut told, mut appeared) = (Vec::new(), Vec::new());
        for (index, element) in list.elements().iter().enumerate() {
            element.error().map_err(failed)?;
            if let Offset::Offset(offset) = element.offset() {
                starts.push(offset);
                continue;
            }
            starts.push(-1);
            let (topic, partition) = &partitions[index];
            let was_there = self.known.get(topic).is_some_and(|known| partition < known);
            if was_there && self.membership.offsets.from.is_some() {
                told.push(index);
            } else {
                appeared.push(index);
            }
        }
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
        let on_hold = state.on_hold;
        drop(state);
        group
            .assign(&list)
            .map_err(|error| Error::other("take the partitions over", error))?;
        let _ = if on_hold {
            ffi::pause(&shared.client.native, &list)
        } else {
            // A partition that had reached its end here before comes back paused.
            ffi::resume(&shared.client.native, &list)
        };
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
        let too_late = group.assignment_lost();
        if !closing {
            (shared.drain)(Handover {
                partitions: partitions.to_vec(),
                lost: too_late,
            });
        }
        if !closing
            && !too_late
            && let Err(error) = shared.commit()
        {
            shared.lock().failure.get_or_insert(error);
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
