//! What a member holds: where its partitions begin, what of them is finished, and its commits.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Client, Lookup};
use super::context::Rebalance;
use super::error::Error;
use super::ffi::{self, Group, GroupMetadata};
use super::kept::{self, Kept, Positions};
use super::member::Membership;
use super::plan::{self, Topics};
use super::producer::CommitError;
use super::progress::Progress;
use super::{Hold, Notice};

/// How long the group's coordinator may take to answer.
const COORDINATOR_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a member at work waits for brokers that restart, or for the end of somebody else's
/// transaction with the group's offsets.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long others' offsets are waited for.
const GLANCE: Duration = Duration::from_secs(1);

/// How often finished offsets are committed.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// What the rebalance callback, the committer and the reader share. The callback keeps
/// it, and so the client, alive; a member lives as long as its process.
pub(super) struct Shared {
    pub(super) client: Arc<Client>,
    pub(super) membership: Membership,
    /// Partition counts of the topics when they were subscribed to: what is not among them
    /// appeared later.
    pub(super) known: Mutex<BTreeMap<String, i32>>,
    /// End offsets taken once, at the start.
    pub(super) stops: HashMap<(String, i32), i64>,
    /// Those of them before which there was anything to read, whoever reads it.
    pub(super) wanted: Mutex<HashMap<(String, i32), i64>>,
    pub(super) state: Mutex<State>,
    pub(super) committing: Mutex<()>,
    /// Wakes the committer when it is to end.
    pub(super) wake: Condvar,
    pub(super) drain: Box<dyn Fn(Handover) + Send + Sync>,
    /// Who knows better than the group where partitions begin.
    pub(super) kept: Option<Arc<dyn Kept>>,
}

/// How finished offsets are committed.
#[derive(Clone)]
pub enum Commit {
    Never,
    /// By the group's member itself.
    Group,
    /// By whoever commits them with something else.
    With(Arc<dyn Committer>),
}

/// Commits finished offsets with something else, such as in the transactions of a producer.
pub trait Committer: Send + Sync {
    /// Commits `offsets`, each that of the next record wanted, for the member that was `member` when
    /// it held their partitions. What was committed further already is left as it is.
    fn commit(
        &self,
        offsets: &[((String, i32), i64)],
        member: GroupMetadata,
    ) -> Result<(), CommitError>;
}

/// Why offsets were not committed.
enum Failure {
    /// It is tried again with the next.
    Passing(Error),
    Final(Error),
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
pub(super) struct State {
    pub(super) progress: Progress,
    pub(super) assigned: bool,
    /// Partitions held, and the offset of each that is finished and not yet committed.
    pub(super) held: HashMap<(String, i32), Option<i64>>,
    pub(super) failure: Option<Error>,
    pub(super) closing: bool,
    /// Not fetched just now, though the group keeps the member.
    pub(super) hold: Hold,
    /// What the user should know of what was assigned.
    pub(super) difference: Difference,
}

/// Whether it was told that positions kept elsewhere differ from the group's.
#[derive(Default)]
pub(super) enum Difference {
    #[default]
    None,
    Found(Notice),
    Told,
}

/// Takes in what has been finished, for the committer.
#[derive(Clone)]
pub struct Commits(pub(super) Arc<Shared>);

impl Commits {
    /// Reports that everything before each offset is finished.
    pub fn finished(&self, offsets: impl IntoIterator<Item = ((String, i32), i64)>) {
        self.0.lock().finish(offsets);
    }

    /// Who this member is to its group at this moment; see [`super::Producer::commit_with`].
    pub fn group_metadata(&self) -> Option<GroupMetadata> {
        ffi::group_metadata(&self.0.client.native)
    }

    /// The next offset of each partition that the group has committed, where it has any. Waits for
    /// transactions that are about to end.
    pub fn committed(&self, partitions: &[(String, i32)]) -> Result<Vec<Option<i64>>, Error> {
        let group = ffi::group(&self.0.client.native);
        self.0.committed(group, partitions)
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

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells librdkafka what to read; the group shares anew.
    pub(super) fn subscribe(&self, topics: &Topics) -> Result<(), Error> {
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

    /// Whether other members have finished, up to the ends, what is not ours to read: if not, it may
    /// become ours yet.
    pub(super) fn others_are_done(&self) -> Result<bool, Error> {
        let mut open: Vec<_> = {
            let state = self.lock();
            let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            let others = wanted
                .iter()
                .filter(|(key, _)| !state.held.contains_key(key));
            others.map(|(key, stop)| (key.clone(), *stop)).collect()
        };
        if open.is_empty() || matches!(self.membership.commit, Commit::Never) {
            return Ok(true);
        }
        let group = ffi::group(&self.client.native);
        let mut list = TopicPartitionList::with_capacity(open.len());
        for ((topic, partition), _) in &open {
            list.add_partition(topic, *partition);
        }
        // Whoever does not answer now is asked again soon.
        if group.committed(&list, GLANCE).is_err() {
            return Ok(false);
        }
        let elements = list.elements();
        let mut committed = elements.iter().map(TopicPartitionListElem::offset);
        open.retain(|(_, stop)| match committed.next() {
            Some(Offset::Offset(next)) => next < *stop,
            _ => true,
        });
        if open.is_empty() {
            return Ok(true);
        }
        // What is gone nobody will finish.
        let places: Vec<_> = open.into_iter().map(|(place, _)| place).collect();
        match self.client.offsets_of_those_there(&places, Lookup::End) {
            Ok(there) => Ok(there.iter().all(Option::is_none)),
            Err(Error::Unreachable { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn commit_until_closing(&self) {
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
            Err(Failure::Final(error)) => Err(error),
            Ok(()) | Err(Failure::Passing(_)) => Ok(()),
        }
    }

    /// Commits the last that is finished, as often as it takes until then.
    pub(super) fn commit_last(&self, until: Instant) -> Result<(), Error> {
        loop {
            match self.commit_once() {
                Ok(()) => return Ok(()),
                Err(Failure::Passing(error)) if Instant::now() < until => {
                    tracing::info!("a commit is tried again: {error:?}");
                    thread::sleep(Duration::from_millis(100));
                }
                Err(Failure::Passing(error) | Failure::Final(error)) => return Err(error),
            }
        }
    }

    fn commit_once(&self) -> Result<(), Failure> {
        // One commit at a time: an earlier one must not arrive after a later one.
        let _one = self
            .committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Taken before the offsets are: when their partitions were lost in between, it is refused.
        let member = match &self.membership.commit {
            Commit::With(_) => ffi::group_metadata(&self.client.native),
            Commit::Never | Commit::Group => None,
        };
        let mut taken = Vec::new();
        for (partition, finished) in &mut self.lock().held {
            taken.extend(finished.take().map(|offset| (partition.clone(), offset)));
        }
        if taken.is_empty() {
            return Ok(());
        }
        let committed =
            match (&self.membership.commit, member) {
                (Commit::Never, _) => Ok(()),
                (Commit::Group, _) => self.commit_by_group(&taken),
                (Commit::With(_), None) => Err(Failure::Passing(not_a_member())),
                (Commit::With(committer), Some(member)) => committer
                    .commit(&taken, member)
                    .map_err(|error| match error {
                        CommitError::Aborted(error) => Failure::Passing(error),
                        CommitError::Unknown(error) => Failure::Final(error),
                    }),
            };
        committed.inspect_err(|_| self.lock().finish(taken))
    }

    fn commit_by_group(&self, offsets: &[((String, i32), i64)]) -> Result<(), Failure> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for ((topic, partition), offset) in offsets {
            let _ = list.add_partition_offset(topic, *partition, Offset::Offset(*offset));
        }
        let told = |error| Error::other("commit offsets", error);
        match ffi::group(&self.client.native).commit(&list) {
            // The fetches tell of it, and the offsets of other topics are committed all the same.
            Err(error) if is_of_deleted_topic(&error) => Ok(()),
            Err(error) if will_pass(&error) => Err(Failure::Passing(told(error))),
            other => other.map_err(|error| Failure::Final(told(error))),
        }
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
                    if (error.rdkafka_error_code() == Some(Code::UnstableOffsetCommit)
                        || will_pass(&error))
                        && start.elapsed() < PATIENCE
                        && !self.client.is_stopping() =>
                {
                    thread::sleep(Duration::from_millis(100));
                }
                other => return other,
            }
        }
    }

    /// Asks again while brokers are away: a restart must not end a member at work.
    fn patiently<T>(&self, ask: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        let start = Instant::now();
        loop {
            match ask() {
                Err(Error::Unreachable { .. })
                    if start.elapsed() < PATIENCE
                        && !self.client.is_stopping()
                        && !self.client.is_late() => {}
                other => return other,
            }
        }
    }

    /// Where `partitions` begin: where it is kept, or where the group left off, else where this run was told.
    fn starts(&self, group: Group, partitions: &[(String, i32)]) -> Result<Vec<i64>, Error> {
        let committed = self.committed(group, partitions)?;
        let Some(kept) = &self.kept else {
            return self.filled_in(partitions, &committed);
        };
        let known = self.patiently(|| Positions::of(&**kept, &self.client, partitions))?;
        let found = known.differences(partitions, &committed);
        if let Some(notice) = found {
            let mut state = self.lock();
            if matches!(state.difference, Difference::None) {
                state.difference = Difference::Found(notice);
            }
        }
        let starts = self.filled_in(partitions, &known.0)?;
        kept::pin(&**kept, partitions, &known, &starts)?;
        Ok(starts)
    }

    /// What the group has committed for `partitions`.
    fn committed(
        &self,
        group: Group,
        partitions: &[(String, i32)],
    ) -> Result<Vec<Option<i64>>, Error> {
        let failed = |error: KafkaError| Error::other("ask for the group's offsets", error);
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            list.add_partition(topic, *partition);
        }
        self.read_committed(group, &list).map_err(failed)?;
        let elements = list.elements();
        let offsets = elements.iter().map(|element| {
            element.error().map_err(failed)?;
            Ok(match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            })
        });
        offsets.collect()
    }

    /// Where `partitions` begin of which some are decided.
    fn filled_in(
        &self,
        partitions: &[(String, i32)],
        decided: &[Option<i64>],
    ) -> Result<Vec<i64>, Error> {
        let mut starts = Vec::with_capacity(partitions.len());
        let (mut told, mut appeared) = (Vec::new(), Vec::new());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, decided) in decided.iter().enumerate() {
            if let Some(offset) = decided {
                starts.push(*offset);
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
        let appear = named(&appeared);
        let beginnings = self.patiently(|| self.client.offsets(&appear, Lookup::Beginning))?;
        for (index, offset) in appeared.into_iter().zip(beginnings) {
            starts[index] = offset;
        }
        if !told.is_empty() {
            let (told_of, offsets) = (named(&told), &self.membership.offsets);
            let ranges = self.patiently(|| plan::ranges(&self.client, &told_of, offsets))?;
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
                | Code::AllBrokersDown
                | Code::BrokerTransportFailure
                | Code::NetworkException
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::Resolve
                | Code::DestroyBroker
        )
    )
}

fn not_a_member() -> Error {
    Error::other("commit offsets", Code::UnknownMemberId)
}

/// Whether a commit names a topic that is gone.
fn is_of_deleted_topic(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(Code::UnknownTopicOrPartition)
}

pub(super) struct OnRebalance(pub(super) Arc<Shared>);

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
        let (mut paused, mut read) = (TopicPartitionList::new(), TopicPartitionList::new());
        for partition in partitions {
            // What is fetched behind an end would only be thrown away.
            let is_at_end = state.progress.is_at_end(&partition.0, partition.1);
            let list = if is_at_end || state.hold.contains(partition) {
                &mut paused
            } else {
                &mut read
            };
            list.add_partition(&partition.0, partition.1);
        }
        drop(state);
        group
            .assign(&list)
            .map_err(|error| Error::other("take the partitions over", error))?;
        let _ = ffi::pause(&shared.client.native, &paused);
        // A partition that had reached its end here before comes back paused.
        let _ = ffi::resume(&shared.client.native, &read);
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
