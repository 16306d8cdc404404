//! librdkafka's requests about consumer groups.
//!
//! Those about offsets take one group a call. Many are sent to one queue, and each answer
//! tells which it is by the number it was sent with. Deletions must never be sent to the
//! built-in broker, nor to a cluster that is not known to be another one: librdkafka 2.12.1
//! aborts the process where a broker lacks them (`rd_kafka_q_destroy0`).

use std::ffi::CString;
use std::ptr;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::client::Client;
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaErrorCode;

use super::admin::{Answer, Owned, Request, described, options, send};
use super::{Queue, count, elements, text};
use crate::kafka::context::Context;
use crate::kafka::groups::{Group, GroupKind, GroupMember, GroupState, Listing};

/// Why a part of a request failed, in librdkafka's code and the broker's own words.
pub(in crate::kafka) type Refused = (RDKafkaErrorCode, String);

/// Partitions with an offset and an error each; the offset is below 0 where there is none.
pub(in crate::kafka) type Offsets = Vec<(String, i32, i64, Result<(), RDKafkaErrorCode>)>;

/// Asks every broker for its groups.
pub(in crate::kafka) fn list(client: &Client<Context>, timeout: Duration) -> KafkaResult<Request> {
    let options = options(
        client,
        rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS,
        timeout,
    )?;
    let queue = Queue::new(client);
    // SAFETY: all live for the call; librdkafka counts its reference to the queue.
    unsafe {
        rd::rd_kafka_ListConsumerGroups(
            client.native_ptr(),
            options.pointer.as_ptr(),
            queue.0.as_ptr(),
        );
    }
    Ok(Request(queue))
}

/// Asks for the state and the members of `groups`, which are different and at least one.
pub(in crate::kafka) fn describe(
    client: &Client<Context>,
    groups: &[&str],
    timeout: Duration,
) -> KafkaResult<Request> {
    let options = options(
        client,
        rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
        timeout,
    )?;
    let names: Vec<CString> = groups
        .iter()
        .map(|group| CString::new(*group))
        .collect::<Result<_, _>>()?;
    let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let queue = Queue::new(client);
    // SAFETY: all live for the call, which copies the names.
    unsafe {
        rd::rd_kafka_DescribeConsumerGroups(
            client.native_ptr(),
            pointers.as_mut_ptr(),
            pointers.len(),
            options.pointer.as_ptr(),
            queue.0.as_ptr(),
        );
    }
    Ok(Request(queue))
}

/// Asks for groups without members to be deleted, with what they committed.
///
/// See the head of this module for where it must not be sent.
pub(in crate::kafka) fn delete(
    client: &Client<Context>,
    groups: &[&str],
    timeout: Duration,
) -> KafkaResult<Request> {
    let mut doomed = Vec::with_capacity(groups.len());
    for group in groups {
        let name = CString::new(*group)?;
        // SAFETY: the name lives for the call; what it returns is ours to free.
        doomed.extend(unsafe {
            Owned::new(
                rd::rd_kafka_DeleteGroup_new(name.as_ptr()),
                rd::rd_kafka_DeleteGroup_destroy,
            )
        });
    }
    let options = options(
        client,
        rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETEGROUPS,
        timeout,
    )?;
    Ok(send(client, &doomed, &options, rd::rd_kafka_DeleteGroups))
}

/// Asks for `group` to go on at `offsets`, which are some.
pub(in crate::kafka) fn alter_offsets(
    client: &Client<Context>,
    group: &str,
    offsets: &TopicPartitionList,
    timeout: Duration,
) -> KafkaResult<Request> {
    let name = CString::new(group)?;
    // SAFETY: name and list live for the call, which copies them.
    let change = unsafe {
        Owned::new(
            rd::rd_kafka_AlterConsumerGroupOffsets_new(name.as_ptr(), offsets.ptr()),
            rd::rd_kafka_AlterConsumerGroupOffsets_destroy,
        )
    };
    let options = options(
        client,
        rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS,
        timeout,
    )?;
    let change: Vec<_> = change.into_iter().collect();
    Ok(send(
        client,
        &change,
        &options,
        rd::rd_kafka_AlterConsumerGroupOffsets,
    ))
}

/// Questions of many groups, answered on one queue as the answers come.
pub(in crate::kafka) struct Committed(Queue);

impl Committed {
    pub(in crate::kafka) fn new(client: &Client<Context>) -> Self {
        Self(Queue::new(client))
    }

    /// Asks what `group` has committed, in `partitions` or in all; the answer has `number`.
    pub(in crate::kafka) fn ask(
        &self,
        client: &Client<Context>,
        group: &str,
        partitions: Option<&TopicPartitionList>,
        number: usize,
        timeout: Duration,
    ) -> KafkaResult<()> {
        let name = CString::new(group)?;
        let partitions = partitions.map_or(ptr::null(), |list| list.ptr().cast_const());
        let options = options(
            client,
            rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
            timeout,
        )?;
        // SAFETY: all live for the calls, which copy them; the opaque is only a number.
        unsafe {
            rd::rd_kafka_AdminOptions_set_opaque(
                options.pointer.as_ptr(),
                ptr::without_provenance_mut(number),
            );
            let question = Owned::new(
                rd::rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), partitions),
                rd::rd_kafka_ListConsumerGroupOffsets_destroy,
            );
            let mut questions: Vec<_> = question.iter().map(|one| one.pointer.as_ptr()).collect();
            rd::rd_kafka_ListConsumerGroupOffsets(
                client.native_ptr(),
                questions.as_mut_ptr(),
                questions.len(),
                options.pointer.as_ptr(),
                self.0.0.as_ptr(),
            );
        }
        Ok(())
    }

    /// The next answer and its number, if one comes before `timeout`.
    pub(in crate::kafka) fn answer(&self, timeout: Duration) -> Option<(usize, Answer)> {
        let event = self.0.event(timeout)?;
        // SAFETY: the event lives.
        let number = unsafe { rd::rd_kafka_event_opaque(event.0.as_ptr()) }.addr();
        Some((number, Answer(event)))
    }
}

impl Answer {
    /// The groups listed, and the brokers' errors.
    pub(in crate::kafka) fn listings(&self) -> (Vec<Listing>, Vec<Refused>) {
        let event = self.0.0.as_ptr();
        // SAFETY: the event lives and is of the type looked at, else there is nothing;
        // what it holds is copied.
        unsafe {
            let result = rd::rd_kafka_event_ListConsumerGroups_result(event);
            if result.is_null() {
                return (Vec::new(), Vec::new());
            }
            let (mut valid, mut failed) = (0, 0);
            let listings = rd::rd_kafka_ListConsumerGroups_result_valid(result, &raw mut valid);
            let errors = rd::rd_kafka_ListConsumerGroups_result_errors(result, &raw mut failed);
            let listings = elements(listings, valid).iter().map(|&listing| {
                let kind = kind(rd::rd_kafka_ConsumerGroupListing_type(listing));
                Listing {
                    group: text(rd::rd_kafka_ConsumerGroupListing_group_id(listing)).into_owned(),
                    state: state(rd::rd_kafka_ConsumerGroupListing_state(listing)),
                    kind,
                }
            });
            let errors = elements(errors, failed).iter();
            (
                listings.collect(),
                errors.filter_map(|&error| refused(error).err()).collect(),
            )
        }
    }

    /// The groups described, in the order of the question.
    pub(in crate::kafka) fn descriptions(&self) -> Vec<Result<Group, Refused>> {
        let event = self.0.0.as_ptr();
        // SAFETY: as in `listings`.
        unsafe {
            let result = rd::rd_kafka_event_DescribeConsumerGroups_result(event);
            if result.is_null() {
                return Vec::new();
            }
            let mut length = 0;
            let groups = rd::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut length);
            let groups = elements(groups, length).iter();
            groups.map(|&group| read_group(group)).collect()
        }
    }

    /// The group that offsets were asked of or given to, and those offsets.
    pub(in crate::kafka) fn group_offsets(&self) -> Option<Result<Offsets, Refused>> {
        let event = self.0.0.as_ptr();
        let mut length = 0;
        // SAFETY: as in `listings`.
        unsafe {
            let groups = match rd::rd_kafka_event_type(event) {
                rd::RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT => {
                    rd::rd_kafka_ListConsumerGroupOffsets_result_groups(
                        rd::rd_kafka_event_ListConsumerGroupOffsets_result(event),
                        &raw mut length,
                    )
                }
                rd::RD_KAFKA_EVENT_ALTERCONSUMERGROUPOFFSETS_RESULT => {
                    rd::rd_kafka_AlterConsumerGroupOffsets_result_groups(
                        rd::rd_kafka_event_AlterConsumerGroupOffsets_result(event),
                        &raw mut length,
                    )
                }
                _ => ptr::null_mut(),
            };
            let group = *elements(groups, length).first()?;
            let error = refused(rd::rd_kafka_group_result_error(group));
            Some(error.map(|()| {
                let partitions = read_list(rd::rd_kafka_group_result_partitions(group));
                let read = |element: &rd::rd_kafka_topic_partition_t| {
                    let error = match element.err {
                        rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
                        error => Err(error.into()),
                    };
                    (
                        text(element.topic).into_owned(),
                        element.partition,
                        element.offset,
                        error,
                    )
                };
                partitions.iter().map(read).collect()
            }))
        }
    }

    /// How each group fared that was to be deleted, in the order of the question.
    pub(in crate::kafka) fn deletions(&self) -> Vec<Result<(), Refused>> {
        let event = self.0.0.as_ptr();
        // SAFETY: as in `listings`.
        unsafe {
            let result = rd::rd_kafka_event_DeleteGroups_result(event);
            if result.is_null() {
                return Vec::new();
            }
            let mut length = 0;
            let groups = rd::rd_kafka_DeleteGroups_result_groups(result, &raw mut length);
            let groups = elements(groups, length).iter();
            groups
                .map(|&group| refused(rd::rd_kafka_group_result_error(group)))
                .collect()
        }
    }
}

unsafe fn read_group(
    group: *const rd::rd_kafka_ConsumerGroupDescription_t,
) -> Result<Group, Refused> {
    // SAFETY: the caller vouches for the group; what it holds is copied.
    unsafe {
        refused(rd::rd_kafka_ConsumerGroupDescription_error(group))?;
        let coordinator = rd::rd_kafka_ConsumerGroupDescription_coordinator(group);
        let members = 0..rd::rd_kafka_ConsumerGroupDescription_member_count(group);
        Ok(Group {
            group: text(rd::rd_kafka_ConsumerGroupDescription_group_id(group)).into_owned(),
            state: state(rd::rd_kafka_ConsumerGroupDescription_state(group)),
            kind: kind(rd::rd_kafka_ConsumerGroupDescription_type(group)),
            assignor: text(rd::rd_kafka_ConsumerGroupDescription_partition_assignor(
                group,
            ))
            .into_owned(),
            coordinator: (!coordinator.is_null()).then(|| rd::rd_kafka_Node_id(coordinator)),
            members: members
                .map(|index| {
                    read_member(rd::rd_kafka_ConsumerGroupDescription_member(group, index))
                })
                .collect(),
        })
    }
}

unsafe fn read_member(member: *const rd::rd_kafka_MemberDescription_t) -> GroupMember {
    // SAFETY: the caller vouches for the member; what it holds is copied.
    unsafe {
        let instance = rd::rd_kafka_MemberDescription_group_instance_id(member);
        let assignment = rd::rd_kafka_MemberDescription_assignment(member);
        let partitions = if assignment.is_null() {
            &[]
        } else {
            read_list(rd::rd_kafka_MemberAssignment_partitions(assignment))
        };
        GroupMember {
            member: text(rd::rd_kafka_MemberDescription_consumer_id(member)).into_owned(),
            instance: (!instance.is_null()).then(|| text(instance).into_owned()),
            client: text(rd::rd_kafka_MemberDescription_client_id(member)).into_owned(),
            host: text(rd::rd_kafka_MemberDescription_host(member))
                .trim_start_matches('/')
                .to_owned(),
            partitions: partitions
                .iter()
                .map(|element| (text(element.topic).into_owned(), element.partition))
                .collect(),
        }
    }
}

unsafe fn read_list<'a>(
    list: *const rd::rd_kafka_topic_partition_list_t,
) -> &'a [rd::rd_kafka_topic_partition_t] {
    // SAFETY: the caller vouches for the list, or for null.
    unsafe {
        list.as_ref()
            .map_or(&[], |list| elements(list.elems, count(list.cnt)))
    }
}

unsafe fn refused(error: *const rd::rd_kafka_error_t) -> Result<(), Refused> {
    // SAFETY: the caller vouches for the error, or for null.
    unsafe {
        described(
            rd::rd_kafka_error_code(error),
            if error.is_null() {
                ptr::null()
            } else {
                rd::rd_kafka_error_string(error)
            },
        )
    }
}

fn state(state: rd::rd_kafka_consumer_group_state_t) -> GroupState {
    use rd::rd_kafka_consumer_group_state_t as State;
    match state {
        State::RD_KAFKA_CONSUMER_GROUP_STATE_PREPARING_REBALANCE => GroupState::PreparingRebalance,
        State::RD_KAFKA_CONSUMER_GROUP_STATE_COMPLETING_REBALANCE => {
            GroupState::CompletingRebalance
        }
        State::RD_KAFKA_CONSUMER_GROUP_STATE_STABLE => GroupState::Stable,
        State::RD_KAFKA_CONSUMER_GROUP_STATE_DEAD => GroupState::Dead,
        State::RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY => GroupState::Empty,
        _ => GroupState::Reconciling,
    }
}

fn kind(kind: rd::rd_kafka_consumer_group_type_t) -> GroupKind {
    use rd::rd_kafka_consumer_group_type_t as Kind;
    match kind {
        Kind::RD_KAFKA_CONSUMER_GROUP_TYPE_CONSUMER => GroupKind::Consumer,
        // Brokers before 3.8 (KIP-848) do not tell, and know no other.
        _ => GroupKind::Classic,
    }
}
