//! Reads as a member of a group: what the group gives, from where it left off.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::client::{Client, Cluster};
use super::consume::News;
use super::error::Error;
use super::ffi::{self, Messages, Queue, Role};
use super::held::{Commit, Commits, Difference, Handover, OnRebalance, Shared, State};
use super::kept::Kept;
use super::offset_spec::OffsetSpec;
use super::plan::{self, Topics};
use super::{Hold, Notice, Source, Step, consume, reader};

/// How long leaving the group may take before the process goes without.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The same when all brokers were away when last heard of.
const LEAVE_GLANCE: Duration = Duration::from_millis(500);

/// How often whoever has reached its ends asks whether others have reached theirs.
const ASK_INTERVAL: Duration = Duration::from_millis(500);

/// Which group is joined, for what.
#[derive(Clone)]
pub struct Membership {
    pub group: String,
    pub topics: Topics,
    /// Where a partition begins that the group has committed nothing for, and where all end.
    pub offsets: OffsetSpec,
    /// How finished offsets are committed.
    pub commit: Commit,
}

/// A member of a group.
pub struct Member {
    client: Arc<Client>,
    queue: Queue,
    shared: Arc<Shared>,
    news: News,
    /// When it was last asked how far others are.
    asked: Option<Instant>,
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
        let mut wanted = (self.0.wanted.lock()).unwrap_or_else(PoisonError::into_inner);
        wanted.retain(|(topic, _), _| names.contains(topic));
        drop(wanted);
        let topics = Topics::subscribed(names);
        for topic in topics.find(&self.0.client)? {
            let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(topic.name).or_insert(topic.partitions);
        }
        self.0.subscribe(&topics)
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
        Self::join_where(cluster, membership, None, drain)
    }

    /// Joins the group as [`Member::join`], and begins each partition where `kept` says, where it does.
    pub fn join_where(
        cluster: &Cluster,
        membership: Membership,
        kept: Option<Arc<dyn Kept>>,
        drain: impl Fn(Handover) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let bounded = membership.offsets.until.is_some();
        let mut defaults = reader::defaults(bounded);
        defaults.push(("partition.assignment.strategy", "cooperative-sticky"));
        // Not where nothing ends: after an end was told, `rd_kafka_q_serve_rkmessages` takes the position
        // for one further, and whoever is paused and resumed there is never given the next record.
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
        let (mut stops, mut wanted) = (HashMap::new(), HashMap::new());
        if bounded {
            for range in plan::ranges(&client, &partitions, &membership.offsets)? {
                let Some(stop) = range.stop else { continue };
                let place = (range.topic, range.partition);
                if range.start < stop {
                    wanted.insert(place.clone(), stop);
                }
                stops.insert(place, stop);
            }
        }
        let shared = Arc::new(Shared {
            client: client.clone(),
            // Nothing is to be waited for where there is nothing.
            state: Mutex::new(State {
                assigned: bounded && known.is_empty(),
                ..State::default()
            }),
            known: Mutex::new(known),
            stops,
            wanted: Mutex::new(wanted),
            committing: Mutex::default(),
            wake: Condvar::new(),
            drain: Box::new(drain),
            kept,
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
        if !matches!(shared.membership.commit, Commit::Never) {
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
            asked: None,
        })
    }

    /// Where finished offsets are reported.
    pub fn commits(&self) -> Commits {
        Commits(self.shared.clone())
    }

    /// Commits what is finished and leaves the group, all of it by `until`.
    ///
    /// An error is that of a commit. Who does not get away in time just goes: the group finds out
    /// by itself.
    pub fn close_by(&mut self, until: Instant) -> Result<(), Error> {
        self.shared.lock().closing = true;
        self.shared.wake.notify_all();
        let shared = self.shared.clone();
        let ((commit, has_committed), (left, has_left)) = (channel(), channel());
        // librdkafka may wait for a coordinator that is gone.
        let _ = thread::Builder::new().name("leave".into()).spawn(move || {
            let _ = commit.send(shared.commit_last(until));
            if shared.lock().held.is_empty() {
                // `rd_kafka_cgrp_revoke_all_rejoin` forgets to leave when it terminates with nothing to
                // revoke, and the others' next rebalance would wait for our session to end.
                let _ = ffi::unsubscribe(&shared.client.native);
            }
            let _ = ffi::close(&shared.client.native);
            let _ = left.send(());
        });
        let left = |until: Instant| until.saturating_duration_since(Instant::now());
        let committed = has_committed
            .recv_timeout(left(until))
            .unwrap_or_else(|_| Err(Error::other("commit offsets", Code::OperationTimedOut)));
        let patience = if committed.is_err() || self.client.outage().is_some() {
            LEAVE_GLANCE
        } else {
            LEAVE_TIMEOUT
        };
        let _ = has_left.recv_timeout(left(until).min(patience));
        committed
    }

    /// Changes what is read.
    pub fn subscriber(&self) -> Subscriber {
        Subscriber(self.shared.clone())
    }
}

impl Member {
    /// Whether the whole group is at the ends; asked now and then, as it costs a request.
    fn others_are_done(&mut self) -> Result<bool, Error> {
        if self
            .asked
            .is_some_and(|asked| asked.elapsed() < ASK_INTERVAL)
        {
            return Ok(false);
        }
        let done = self.shared.others_are_done()?;
        self.asked = (!done).then(Instant::now);
        Ok(done)
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
        let step = match step {
            Step::End if !self.others_are_done()? => Step::Idle,
            step => step,
        };
        self.news.watch(&self.client, step)
    }

    fn notices(&mut self) -> Vec<Notice> {
        let mut state = self.shared.lock();
        if let Difference::Found(_) = &state.difference
            && let Difference::Found(notice) =
                std::mem::replace(&mut state.difference, Difference::Told)
        {
            self.news.add(notice);
        }
        drop(state);
        self.news.take()
    }

    fn reached(&mut self) -> Vec<((String, i32), i64)> {
        self.news.take_reached()
    }

    fn hold(&mut self, hold: &Hold) {
        let mut state = self.shared.lock();
        let before = std::mem::replace(&mut state.hold, hold.clone());
        let (mut paused, mut read) = (TopicPartitionList::new(), TopicPartitionList::new());
        for partition in state.held.keys() {
            let (topic, number) = partition;
            // Behind its end a partition stays paused.
            if state.progress.is_at_end(topic, *number) {
                continue;
            }
            match (before.contains(partition), hold.contains(partition)) {
                (false, true) => drop(paused.add_partition(topic, *number)),
                (true, false) => drop(read.add_partition(topic, *number)),
                _ => {}
            }
        }
        drop(state);
        let _ = ffi::pause(&self.client.native, &paused);
        let _ = ffi::resume(&self.client.native, &read);
    }

    /// Commits what is finished and leaves the group.
    fn close(&mut self) -> Result<(), Error> {
        self.close_by(Instant::now() + LEAVE_TIMEOUT)
    }
}
