//! Consumer groups as the cluster has them: seen, measured, moved, deleted.
//!
//! The built-in broker knows what a group has committed, and nothing else of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;

use super::admin::{Admin, Each, REQUEST_TIMEOUT, SLICE};
use super::client::{CONNECT_TIMEOUT, Listed, Lookup};
use super::error::{Cause, Error};
use super::ffi::admin::Answer;
use super::ffi::groups::{self as requests, Refused};

/// So many questions about offsets are under way at once.
const SIDE_BY_SIDE: usize = 64;

/// librdkafka looks up each answer among all questions, so the time grows with the square.
const GROUPS_PER_REQUEST: usize = 500;

/// Before a group is asked for again whose coordinator is not ready.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Where a group is in its life, in Kafka's words (`GroupState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum GroupState {
    PreparingRebalance,
    CompletingRebalance,
    Stable,
    /// Has offsets and no members.
    Empty,
    /// Is not there, or not for long.
    Dead,
    /// Members take over what they were given; `Assigning` too, which librdkafka does not tell
    /// from it (KIP-848).
    Reconciling,
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Which protocol a group speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupKind {
    /// Its members share the partitions themselves.
    Classic,
    /// The broker shares the partitions out (KIP-848).
    Consumer,
    /// No consumer group: of Kafka Connect or the like, with this protocol.
    #[serde(untagged)]
    Other(&'static str),
}

/// A group as a list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub group: String,
    pub kind: GroupKind,
    pub state: GroupState,
}

/// A group and its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub group: String,
    pub kind: GroupKind,
    pub state: GroupState,
    /// How partitions are shared, such as `range` or `uniform`; empty when nobody shares.
    pub assignor: String,
    /// The broker that looks after the group.
    pub coordinator: Option<i32>,
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    pub member: String,
    /// The name of a static member (`group.instance.id`, KIP-345).
    pub instance: Option<String>,
    /// Its `client.id`.
    pub client: String,
    pub host: String,
    pub partitions: Vec<(String, i32)>,
}

/// The offset each partition goes on at, for partitions that something was committed of.
pub type Committed = BTreeMap<(String, i32), i64>;

/// How far a group is behind in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionLag {
    pub topic: String,
    pub partition: i32,
    /// `None` when a member has the partition and has committed nothing.
    pub committed: Option<i64>,
    /// The high watermark, open transactions included, as Kafka's own tool takes it; `None` when
    /// the partition is gone or has no leader.
    pub end: Option<i64>,
    /// The place among the group's members of the one that has the partition.
    pub member: Option<usize>,
}

impl PartitionLag {
    /// From the committed offset to the end, below 0 when the log was cut back; `None` when one of them is not
    /// known.
    pub fn lag(&self) -> Option<i64> {
        Some(self.end? - self.committed?)
    }
}

/// How far a group is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLag {
    /// `None` on the built-in broker.
    pub description: Option<Group>,
    /// By topic and number: what was committed, and what members have.
    pub partitions: Vec<PartitionLag>,
}

impl Admin {
    /// Every group that may be seen, by name.
    ///
    /// librdkafka tells of consumer groups only, so the names of the others are asked for in
    /// another way, which tells nothing more of share and streams groups.
    pub fn groups(&self) -> Result<Vec<Listing>, Error> {
        self.is_real("list groups")?;
        let what = "list groups";
        let answer = self.answer(what, |client| {
            requests::list(&client.native, REQUEST_TIMEOUT)
        })?;
        let (listings, errors) = answer.listings();
        // What one broker did not tell would look as if it were not there.
        if let Some((code, words)) = errors.into_iter().next() {
            return Err(Error::other(what, Cause::new(code, &words)));
        }
        let mut groups: BTreeMap<String, Listing> = listings
            .into_iter()
            .map(|listing| (listing.group.clone(), listing))
            .collect();
        let all = self.client.ask(what, |timeout| {
            self.client.native.fetch_group_list(None, timeout)
        })?;
        for group in all.groups() {
            let name = group.name().to_owned();
            groups.entry(name.clone()).or_insert_with(|| Listing {
                group: name,
                kind: GroupKind::Other(match group.protocol_type() {
                    "connect" => "connect",
                    _ => "share or streams",
                }),
                state: GroupState::Empty,
            });
        }
        let names: Vec<&str> = groups.keys().map(String::as_str).collect();
        self.client.tell(Listed::Groups, &names);
        Ok(groups.into_values().collect())
    }

    /// State and members of groups, in order; [`Error::UnknownGroup`] for one that is not there.
    pub fn describe_groups(&self, groups: &[&str]) -> Result<Each<Group>, Error> {
        self.is_real("describe groups")?;
        let mut results = Vec::with_capacity(groups.len());
        for names in groups.chunks(GROUPS_PER_REQUEST) {
            results.extend(self.until_ready(|| {
                let answer = self.answer("describe groups", |client| {
                    requests::describe(&client.native, names, REQUEST_TIMEOUT)
                })?;
                let mut described = answer.descriptions().into_iter();
                let read = |name: &&str| match next(&mut described) {
                    Ok(group) if group.state == GroupState::Dead => {
                        Err(Error::UnknownGroup((*name).to_owned()))
                    }
                    Ok(group) => Ok(group),
                    Err(refusal) => Err(refused("describe", name, &refusal)),
                };
                Ok(names.iter().map(read).collect())
            })?);
        }
        Ok(results)
    }

    /// Asks again while a coordinator is not ready, [`CONNECT_TIMEOUT`] at most: the first
    /// question of all to a new cluster only makes it set one up.
    fn until_ready<T>(
        &self,
        mut ask: impl FnMut() -> Result<Each<T>, Error>,
    ) -> Result<Each<T>, Error> {
        let start = Instant::now();
        loop {
            let results = ask();
            let is_unready = match &results {
                Ok(each) => each.iter().any(|one| one.as_ref().is_err_and(is_unready)),
                Err(error) => is_unready(error),
            };
            if !is_unready || start.elapsed() >= CONNECT_TIMEOUT {
                return results;
            }
            self.client.pause(RETRY_PAUSE)?;
        }
    }

    /// What groups have committed, in order; nothing for a group that is not there.
    ///
    /// Kafka is asked for one group a request, for many at once.
    pub fn committed(&self, groups: &[&str]) -> Result<Each<Committed>, Error> {
        // The built-in broker only tells of partitions that it is asked for.
        let partitions = if self.is_built_in_broker()? {
            Some(self.every_partition()?)
        } else {
            None
        };
        let questions = requests::Committed::new(&self.client.native);
        let mut results: Vec<_> = groups.iter().map(|_| Ok(Committed::new())).collect();
        let mut waiting: VecDeque<usize> = (0..groups.len()).collect();
        let mut under_way = 0;
        let start = Instant::now();
        loop {
            while under_way < SIDE_BY_SIDE
                && let Some(number) = waiting.pop_front()
            {
                let asked = questions.ask(
                    &self.client.native,
                    groups[number],
                    partitions.as_ref(),
                    number,
                    REQUEST_TIMEOUT,
                );
                asked.map_err(|error| Error::other("ask for offsets", error))?;
                under_way += 1;
            }
            if under_way == 0 {
                return Ok(results);
            }
            let answer = questions.answer(SLICE);
            self.client.serve_keeping(Duration::ZERO);
            let Some((number, answer)) = answer else {
                if let Some(error) = self.client.decided() {
                    return Err(error);
                }
                if self.client.is_stopped() {
                    return Err(Error::Interrupted);
                }
                continue;
            };
            under_way -= 1;
            match read_committed(&answer) {
                Err((code, _)) if passes(code) && start.elapsed() < CONNECT_TIMEOUT => {
                    self.client.pause(RETRY_PAUSE)?;
                    waiting.push_back(number);
                }
                result => {
                    results[number] = result
                        .map_err(|refusal| refused("ask for offsets of", groups[number], &refusal));
                }
            }
        }
    }

    /// How far groups are behind, in order.
    pub fn lag(&self, groups: &[&str]) -> Result<Each<GroupLag>, Error> {
        let described: Vec<Result<Option<Group>, Error>> = if self.is_built_in_broker()? {
            groups.iter().map(|_| Ok(None)).collect()
        } else {
            let described = self.describe_groups(groups)?;
            described.into_iter().map(|group| group.map(Some)).collect()
        };
        let committed = self.committed(groups)?;
        let mut lags: Each<GroupLag> = described
            .into_iter()
            .zip(committed)
            .map(|(description, committed)| Ok(join(description?, committed?)))
            .collect();
        let partitions: BTreeSet<(String, i32)> = lags
            .iter()
            .flatten()
            .flat_map(|lag| &lag.partitions)
            .map(|one| (one.topic.clone(), one.partition))
            .collect();
        let ends = self.ends(partitions.into_iter().collect())?;
        for lag in lags.iter_mut().flatten() {
            for one in &mut lag.partitions {
                one.end = ends.get(&(one.topic.clone(), one.partition)).copied();
            }
        }
        Ok(lags)
    }

    /// The high watermarks of those of `partitions` that are there and have a leader.
    pub fn ends(&self, partitions: Vec<(String, i32)>) -> Result<Committed, Error> {
        self.those_there(partitions, Lookup::End)
    }

    /// The first offsets of those of `partitions` that are there and have a leader.
    pub fn beginnings(&self, partitions: Vec<(String, i32)>) -> Result<Committed, Error> {
        self.those_there(partitions, Lookup::Beginning)
    }

    /// The offsets of the first record of each partition at or after `millis` since the epoch, of those
    /// that have one.
    pub fn at_time(&self, partitions: Vec<(String, i32)>, millis: i64) -> Result<Committed, Error> {
        self.those_there(partitions, Lookup::Time(millis))
    }

    fn those_there(
        &self,
        mut partitions: Vec<(String, i32)>,
        at: Lookup,
    ) -> Result<Committed, Error> {
        if partitions.is_empty() {
            return Ok(Committed::new());
        }
        // One that is not there would hold up, or fail, the question for all.
        let topics = self.topics()?;
        partitions.retain(|(topic, partition)| {
            topics.get(topic).is_some_and(|topic| {
                let mut found = topic.partitions.iter();
                found.any(|one| one.id == *partition && one.leader.is_some())
            })
        });
        let offsets = self.client.offsets_of_those_there(&partitions, at)?;
        let found = partitions.into_iter().zip(offsets);
        Ok(found
            .filter_map(|(partition, offset)| Some((partition, offset?)))
            .collect())
    }

    /// Makes `group`, which has no members, go on at these offsets.
    pub fn move_group(&self, group: &str, offsets: &Committed) -> Result<(), Error> {
        self.is_real("move groups")?;
        let what = format!("move group `{group}`");
        if offsets.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for ((topic, partition), offset) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
                .map_err(|error| Error::other(&*what, error))?;
        }
        let results = self.until_ready(|| {
            let answer = self.answer(&what, |client| {
                requests::alter_offsets(&client.native, group, &list, REQUEST_TIMEOUT)
            })?;
            let moved = answer.group_offsets().unwrap_or(Err(unanswered()));
            let moved = moved.map_err(|refusal| refused("move", group, &refusal))?;
            let fate = |result: Result<(), Code>| {
                result.map_err(|code| refused("move", group, &(code, String::new())))
            };
            Ok(moved.into_iter().map(|(.., result)| fate(result)).collect())
        })?;
        results.into_iter().collect()
    }

    /// Deletes groups without members, and what they committed; one result each.
    pub fn delete_groups(&self, groups: &[&str]) -> Result<Each<()>, Error> {
        // Not only a courtesy: librdkafka aborts the process where a broker lacks this request.
        self.is_real("delete groups")?;
        let mut results = Vec::with_capacity(groups.len());
        for names in groups.chunks(GROUPS_PER_REQUEST) {
            let answer = self.answer("delete groups", |client| {
                requests::delete(&client.native, names, REQUEST_TIMEOUT)
            })?;
            let deleted = answer.deletions().into_iter().zip(names);
            results.extend(
                deleted.map(|(result, name)| {
                    result.map_err(|refusal| refused("delete", name, &refusal))
                }),
            );
        }
        Ok(results)
    }

    fn every_partition(&self) -> Result<TopicPartitionList, Error> {
        let mut list = TopicPartitionList::new();
        for topic in self.topics()?.values() {
            for partition in &topic.partitions {
                list.add_partition(&topic.name, partition.id);
            }
        }
        Ok(list)
    }
}

/// librdkafka answers in the order of the question.
fn next<T>(results: &mut impl Iterator<Item = Result<T, Refused>>) -> Result<T, Refused> {
    results.next().unwrap_or_else(|| Err(unanswered()))
}

fn unanswered() -> Refused {
    (Code::Fail, "the answer leaves it out".to_owned())
}

fn read_committed(answer: &Answer) -> Result<Committed, Refused> {
    answer.error()?;
    let mut committed = Committed::new();
    for (topic, partition, offset, result) in answer.group_offsets().unwrap_or(Err(unanswered()))? {
        match result {
            // Deleted since it was committed to.
            Err(Code::UnknownTopicOrPartition) => {}
            Err(code) => return Err((code, String::new())),
            Ok(()) if offset >= 0 => {
                committed.insert((topic, partition), offset);
            }
            Ok(()) => {}
        }
    }
    Ok(committed)
}

/// Whether a coordinator that is not ready will be.
fn passes(code: Code) -> bool {
    matches!(
        code,
        Code::CoordinatorLoadInProgress | Code::CoordinatorNotAvailable | Code::NotCoordinator
    )
}

fn is_unready(error: &Error) -> bool {
    matches!(error, Error::Other { cause, .. } if passes(cause.code))
}

/// What was committed and what members have, by topic and number, as Kafka's own tool shows it.
fn join(description: Option<Group>, committed: Committed) -> GroupLag {
    let mut partitions: BTreeMap<(String, i32), PartitionLag> = BTreeMap::new();
    let new = |(topic, partition): &(String, i32)| PartitionLag {
        topic: topic.clone(),
        partition: *partition,
        committed: None,
        end: None,
        member: None,
    };
    for (partition, offset) in committed {
        let mut one = new(&partition);
        one.committed = Some(offset);
        partitions.insert(partition, one);
    }
    let members = description.iter().flat_map(|group| &group.members);
    for (index, member) in members.enumerate() {
        for partition in &member.partitions {
            let one = partitions
                .entry(partition.clone())
                .or_insert_with(|| new(partition));
            one.member = Some(index);
        }
    }
    GroupLag {
        description,
        partitions: partitions.into_values().collect(),
    }
}

fn refused(verb: &str, group: &str, (code, words): &Refused) -> Error {
    match code {
        Code::GroupIdNotFound => Error::UnknownGroup(group.to_owned()),
        Code::NonEmptyGroup | Code::UnknownMemberId => Error::GroupHasMembers(group.to_owned()),
        Code::OperationTimedOut => {
            Error::other(format!("{verb} group `{group}`"), KafkaError::Global(*code))
        }
        code => {
            // librdkafka names its request, and a broker may say nothing after that.
            let words = match words.trim_end() {
                "" => code.to_string(),
                words if words.ends_with(':') => code.to_string(),
                words => words.to_owned(),
            };
            Error::other(format!("{verb} group `{group}`"), Cause::new(*code, &words))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_of_what_was_committed_and_of_what_members_have() {
        let member = |name: &str, partitions: &[i32]| GroupMember {
            member: name.to_owned(),
            instance: None,
            client: String::new(),
            host: String::new(),
            partitions: partitions
                .iter()
                .map(|partition| ("t".to_owned(), *partition))
                .collect(),
        };
        let group = Group {
            group: "g".to_owned(),
            kind: GroupKind::Classic,
            state: GroupState::Stable,
            assignor: "range".to_owned(),
            coordinator: Some(1),
            members: vec![member("a", &[0]), member("b", &[2])],
        };
        let committed = [(("t".to_owned(), 0), 5), (("t".to_owned(), 1), 7)];
        let lag = join(Some(group), committed.into_iter().collect());
        let told: Vec<_> = lag
            .partitions
            .iter()
            .map(|one| (one.partition, one.committed, one.member))
            .collect();
        assert_eq!(
            told,
            [
                (0, Some(5), Some(0)),
                (1, Some(7), None),
                (2, None, Some(1))
            ]
        );
    }

    #[test]
    fn a_coordinator_that_is_not_ready_is_asked_again_and_else_told_in_words() {
        let refusal = |code, words: &str| refused("describe", "g", &(code, words.to_owned()));
        let unready = refusal(Code::CoordinatorNotAvailable, "ConsumerGroupDescribe: ");
        assert!(is_unready(&unready));
        let told = crate::ui::in_one_line(&unready);
        assert!(told.starts_with("cannot describe group `g`: "), "{told}");
        assert!(told.contains("oordinator"), "{told}");
        let denied = refusal(Code::GroupAuthorizationFailed, "no");
        assert!(!is_unready(&denied) && matches!(denied, Error::Authorization { .. }));
        assert!(matches!(
            refusal(Code::GroupIdNotFound, ""),
            Error::UnknownGroup(_)
        ));
    }

    #[test]
    fn lag_is_unknown_without_both_ends_and_negative_where_the_log_was_cut_back() {
        let lag = |committed, end| {
            PartitionLag {
                topic: String::new(),
                partition: 0,
                committed,
                end,
                member: None,
            }
            .lag()
        };
        assert_eq!(lag(Some(3), Some(10)), Some(7));
        assert_eq!(lag(Some(10), Some(3)), Some(-7));
        assert_eq!(lag(None, Some(3)), None);
        assert_eq!(lag(Some(3), None), None);
    }
}
