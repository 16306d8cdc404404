//! What is known of one message, in the order of its life.
//!
//! Times are shown as they were reported. Where clocks differ a stage may seem to come before
//! the one that led to it; that is said, not mended.

use super::context::TraceId;
use super::event::{StageEvent, StageStatus};
use super::identity::uuid_millis;
use super::sighting::Sighting;
use super::stage::Stage;
use crate::record::TimestampKind;

/// Who says when a stage was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Source {
    /// A stage event.
    #[serde(rename = "event")]
    Event,
    /// The broker, when it appended the record.
    LogAppendTime,
    /// The producer, in the record's timestamp.
    CreateTime,
    /// The message id.
    #[serde(rename = "UUIDv7")]
    Uuid,
    /// The header of `CloudEvents`.
    #[serde(rename = "ce_time")]
    EventTime,
    /// The record is there, but does not say since when.
    #[serde(rename = "record")]
    Record,
}

/// How a message fared at a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    Ok,
    Error,
    /// Nobody has said that it got there.
    Missing,
}

/// One stage that a message reached, failed at, or is not known to have reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    pub stage: Stage,
    /// Microseconds since the epoch.
    pub at: Option<i64>,
    /// Nobody, of a stage that is missing.
    pub source: Option<Source>,
    pub fate: Fate,
    pub error: Option<String>,
    pub topic: Option<String>,
    pub partition: Option<i32>,
    pub offset: Option<i64>,
    pub group: Option<String>,
    pub service: Option<String>,
    pub host: Option<String>,
    /// Microseconds.
    pub duration: Option<u64>,
    /// Microseconds since the stage before, in the same group where there is one; below 0 where
    /// clocks differ.
    pub since_previous: Option<i64>,
    /// Microseconds since the first stage.
    pub since_first: Option<i64>,
}

impl Hop {
    fn new(stage: Stage, at: Option<i64>, source: Option<Source>, fate: Fate) -> Self {
        Self {
            stage,
            at,
            source,
            fate,
            error: None,
            topic: None,
            partition: None,
            offset: None,
            group: None,
            service: None,
            host: None,
            duration: None,
            since_previous: None,
            since_first: None,
        }
    }

    fn of_event(event: &StageEvent) -> Self {
        let fate = match event.status {
            StageStatus::Ok => Fate::Ok,
            StageStatus::Error => Fate::Error,
        };
        Self {
            error: event.error.clone(),
            topic: event.topic.clone(),
            partition: event.partition,
            offset: event.offset,
            group: event.group.clone(),
            service: event.service.clone(),
            host: event.host.clone(),
            duration: event.duration,
            ..Self::new(event.stage, Some(event.at), Some(Source::Event), fate)
        }
    }

    fn at_place_of(self, sighting: &Sighting) -> Self {
        Self {
            topic: Some(sighting.topic.clone()),
            partition: Some(sighting.partition),
            offset: Some(sighting.offset),
            ..self
        }
    }

    fn is_at(&self, sighting: &Sighting) -> bool {
        self.topic.as_deref() == Some(&sighting.topic)
            && self.partition == Some(sighting.partition)
            && self.offset == Some(sighting.offset)
    }
}

/// The life of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    pub message_id: Option<String>,
    pub trace_id: Option<TraceId>,
    /// In the order of the stages, those that are missing among them; topic after topic.
    pub hops: Vec<Hop>,
}

impl Timeline {
    /// Puts together what events say and what records say of themselves, message by message.
    pub fn of(events: &[StageEvent], sightings: &[Sighting]) -> Vec<Self> {
        let mut messages: Vec<(Vec<&StageEvent>, Vec<&Sighting>)> = Vec::new();
        for event in events {
            let same = messages
                .iter_mut()
                .find(|(events, _)| events.iter().any(|other| other.key() == event.key()));
            match same {
                Some((events, _)) if events.contains(&event) => {}
                Some((events, _)) => events.push(event),
                None => messages.push((vec![event], Vec::new())),
            }
        }
        for sighting in sightings {
            let same = messages.iter_mut().find(|(events, sightings)| {
                events.iter().any(|event| belongs(event, sighting))
                    || sightings.iter().any(|other| {
                        other.message_id.is_some() && other.message_id == sighting.message_id
                    })
            });
            match same {
                Some((_, sightings)) => sightings.push(sighting),
                None => messages.push((Vec::new(), vec![sighting])),
            }
        }
        messages
            .iter()
            .map(|(events, sightings)| Self::of_one(events, sightings))
            .collect()
    }

    fn of_one(events: &[&StageEvent], sightings: &[&Sighting]) -> Self {
        let message_id = events
            .iter()
            .find_map(|event| event.message_id.clone())
            .or_else(|| sightings.iter().find_map(|found| found.message_id.clone()));
        let mut hops: Vec<Hop> = events.iter().map(|event| Hop::of_event(event)).collect();
        for sighting in sightings {
            let is_told = |hop: &Hop| hop.stage == Stage::Persisted && hop.is_at(sighting);
            if !hops.iter().any(is_told) {
                hops.push(persisted(sighting));
            }
        }
        if !hops.iter().any(|hop| hop.stage == Stage::Created)
            && let Some(created) = created(message_id.as_deref(), sightings)
        {
            hops.push(created);
        }
        let mut hops = in_order(hops);
        measure(&mut hops);
        add_missing(&mut hops);
        Self {
            message_id,
            trace_id: events
                .iter()
                .find_map(|event| event.trace_id)
                .or_else(|| sightings.iter().find_map(|sighting| sighting.trace_id)),
            hops,
        }
    }

    /// Microseconds from the first stage until nothing more happened; below 0 where clocks differ.
    pub fn total(&self) -> Option<i64> {
        let mut since = self.hops.iter().filter_map(|hop| hop.since_first);
        let first = since.next()?;
        Some(since.max().unwrap_or(first))
    }

    /// Whether a stage seems to come before the one that led to it.
    pub fn is_skewed(&self) -> bool {
        self.hops
            .iter()
            .any(|hop| hop.since_previous.is_some_and(i64::is_negative))
    }

    /// The stages that nobody has said it reached.
    pub fn missing(&self) -> impl Iterator<Item = Stage> {
        let missing = self.hops.iter().filter(|hop| hop.fate == Fate::Missing);
        missing.map(|hop| hop.stage)
    }
}

fn belongs(event: &StageEvent, sighting: &Sighting) -> bool {
    match (&event.message_id, &sighting.message_id) {
        (Some(one), Some(other)) => one == other,
        _ => Hop::of_event(event).is_at(sighting),
    }
}

/// That the record is in Kafka is sure; since when only where the broker says so.
fn persisted(sighting: &Sighting) -> Hop {
    let appended = sighting
        .timestamp
        .filter(|timestamp| timestamp.kind == TimestampKind::LogAppend);
    let (at, source) = match appended {
        Some(timestamp) => (timestamp.millis.checked_mul(1000), Source::LogAppendTime),
        None => (None, Source::Record),
    };
    Hop::new(Stage::Persisted, at, Some(source), Fate::Ok).at_place_of(sighting)
}

/// When the message was made, by its id, else its header, else the time its producer set.
fn created(message_id: Option<&str>, sightings: &[&Sighting]) -> Option<Hop> {
    let by_id = message_id
        .and_then(uuid_millis)
        .map(|millis| (millis, 1000));
    let by_header = || sightings.iter().find_map(|sighting| sighting.event_time);
    let by_record = || {
        let set = sightings.iter().filter_map(|sighting| sighting.timestamp);
        set.filter(|timestamp| timestamp.kind == TimestampKind::Create)
            .map(|timestamp| timestamp.millis)
            .min()
    };
    let (at, source) = if let Some((millis, factor)) = by_id {
        (millis.checked_mul(factor)?, Source::Uuid)
    } else if let Some(at) = by_header() {
        (at, Source::EventTime)
    } else {
        (by_record()?.checked_mul(1000)?, Source::CreateTime)
    };
    Some(Hop::new(Stage::Created, Some(at), Some(source), Fate::Ok))
}

/// Topic after topic as the message came through them, each in the order of the stages: sorted by
/// time, skewed clocks would not show.
fn in_order(hops: Vec<Hop>) -> Vec<Hop> {
    let mut topics: Vec<(Option<i64>, String)> = Vec::new();
    for hop in &hops {
        let Some(topic) = &hop.topic else { continue };
        match topics.iter_mut().find(|(_, known)| known == topic) {
            Some((first, _)) => *first = earlier(*first, hop.at),
            None => topics.push((hop.at, topic.clone())),
        }
    }
    // What has no time comes last, in the order in which it was found.
    topics.sort_by_key(|(first, _)| (first.is_none(), *first));
    let rank = |hop: &Hop| {
        let topic = hop.topic.as_ref();
        // What happened before a topic was known belongs to the first.
        topic.map_or(0, |topic| {
            let found = topics.iter().position(|(_, known)| known == topic);
            found.unwrap_or(0)
        })
    };
    let mut hops = hops;
    hops.sort_by_key(|hop| (rank(hop), hop.stage, hop.at.is_none(), hop.at));
    hops
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn measure(hops: &mut [Hop]) {
    let first = hops.iter().find_map(|hop| hop.at);
    for index in 0..hops.len() {
        let (before, rest) = hops.split_at_mut(index);
        let hop = &mut rest[0];
        let Some(at) = hop.at else { continue };
        hop.since_first = first.map(|first| at.saturating_sub(first));
        let led_to_it = |other: &&Hop| {
            let is_elsewhere = other.topic.is_some() && other.topic != hop.topic;
            let led = if is_elsewhere && hop.topic.is_some() {
                // Whoever worked on it there brought it here; who only showed it did not.
                other.stage <= Stage::Processed
            } else {
                // Groups go their own ways once it is in Kafka.
                other.stage < hop.stage
                    && (other.stage <= Stage::Persisted || other.group == hop.group)
            };
            led && other.at.is_some()
        };
        let previous = before.iter().rev().find(led_to_it).and_then(|hop| hop.at);
        hop.since_previous = previous.map(|previous| at.saturating_sub(previous));
    }
}

/// Puts the stages that are missing where they would be: before it was in Kafka in the first
/// topic, after it in the last.
fn add_missing(hops: &mut Vec<Hop>) {
    for stage in Stage::ALL {
        if hops.iter().any(|hop| hop.stage == stage) {
            continue;
        }
        let before = |hop: &Hop| hop.stage < stage;
        let index = if stage <= Stage::Persisted {
            let first_topic = hops.iter().position(|hop| !before(hop));
            first_topic.unwrap_or(hops.len())
        } else {
            hops.iter().rposition(before).map_or(0, |last| last + 1)
        };
        hops.insert(index, Hop::new(stage, None, None, Fate::Missing));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Timestamp;

    const ID: &str = "m-1";

    fn event(stage: Stage, at: i64) -> StageEvent {
        StageEvent {
            message_id: Some(ID.into()),
            ..StageEvent::new(stage, at)
        }
    }

    fn in_topic(stage: Stage, at: i64, topic: &str, group: Option<&str>) -> StageEvent {
        StageEvent {
            topic: Some(topic.into()),
            partition: Some(0),
            offset: Some(7),
            group: group.map(Into::into),
            ..event(stage, at)
        }
    }

    fn sighting(topic: &str, millis: i64, kind: TimestampKind) -> Sighting {
        Sighting {
            topic: topic.into(),
            partition: 0,
            offset: 7,
            timestamp: Some(Timestamp { millis, kind }),
            message_id: Some(ID.into()),
            trace_id: None,
            event_time: None,
            mention: None,
        }
    }

    fn one(events: &[StageEvent], sightings: &[Sighting]) -> Timeline {
        let mut timelines = Timeline::of(events, sightings);
        assert_eq!(timelines.len(), 1);
        timelines.remove(0)
    }

    /// Stage, time since the one before, time since the first; of what is there.
    fn measured(timeline: &Timeline) -> Vec<(Stage, Option<i64>, Option<i64>)> {
        let there = timeline.hops.iter().filter(|hop| hop.fate != Fate::Missing);
        there
            .map(|hop| (hop.stage, hop.since_previous, hop.since_first))
            .collect()
    }

    #[test]
    fn every_stage_has_its_place_whether_it_was_reached_or_not() {
        let timeline = one(
            &[
                in_topic(Stage::Persisted, 30, "a", None),
                event(Stage::Created, 10),
                in_topic(Stage::Stored, 70, "a", Some("g")),
            ],
            &[],
        );
        let stages: Vec<Stage> = timeline.hops.iter().map(|hop| hop.stage).collect();
        assert_eq!(stages, Stage::ALL);
        assert_eq!(
            timeline.missing().collect::<Vec<_>>(),
            [
                Stage::Validated,
                Stage::Enriched,
                Stage::Published,
                Stage::Consumed,
                Stage::Processed,
                Stage::Broadcasted,
                Stage::Displayed
            ]
        );
        assert_eq!(timeline.total(), Some(60));
    }

    #[test]
    fn each_group_is_measured_from_its_own_stage_before() {
        let timeline = one(
            &[
                event(Stage::Created, 0),
                in_topic(Stage::Persisted, 10, "a", None),
                in_topic(Stage::Consumed, 15, "a", Some("quick")),
                in_topic(Stage::Consumed, 100, "a", Some("slow")),
                in_topic(Stage::Consumed, 17, "a", None),
                in_topic(Stage::Displayed, 19, "a", None),
                in_topic(Stage::Processed, 18, "a", Some("quick")),
                in_topic(Stage::Processed, 150, "a", Some("slow")),
            ],
            &[],
        );
        let since: Vec<_> = measured(&timeline).iter().map(|row| row.1).collect();
        assert_eq!(
            since,
            [
                None,
                Some(10),
                Some(5),
                Some(7),
                Some(90),
                Some(3),
                Some(50),
                Some(2)
            ]
        );
        assert_eq!(timeline.total(), Some(150));
        assert!(!timeline.is_skewed());
    }

    #[test]
    fn clocks_that_differ_are_shown_as_they_are() {
        let timeline = one(
            &[
                event(Stage::Created, 1000),
                event(Stage::Published, 1010),
                event(Stage::Persisted, 900),
                event(Stage::Consumed, 950),
            ],
            &[],
        );
        assert_eq!(
            measured(&timeline),
            [
                (Stage::Created, None, Some(0)),
                (Stage::Published, Some(10), Some(10)),
                (Stage::Persisted, Some(-110), Some(-100)),
                (Stage::Consumed, Some(50), Some(-50)),
            ]
        );
        assert!(timeline.is_skewed());
        assert_eq!(timeline.total(), Some(10));
        let early = one(&[event(Stage::Created, 9), event(Stage::Stored, 2)], &[]);
        assert_eq!(early.total(), Some(-7));
    }

    #[test]
    fn topics_come_one_after_the_other() {
        let timeline = one(
            &[
                in_topic(Stage::Persisted, 200, "second", None),
                in_topic(Stage::Consumed, 210, "second", None),
                in_topic(Stage::Persisted, 100, "first", None),
                in_topic(Stage::Consumed, 110, "first", None),
                event(Stage::Created, 90),
            ],
            &[],
        );
        let topics: Vec<_> = timeline
            .hops
            .iter()
            .filter(|hop| hop.fate == Fate::Ok)
            .map(|hop| (hop.stage, hop.topic.as_deref(), hop.since_previous))
            .collect();
        assert_eq!(
            topics,
            [
                (Stage::Created, None, None),
                (Stage::Persisted, Some("first"), Some(10)),
                (Stage::Consumed, Some("first"), Some(10)),
                (Stage::Persisted, Some("second"), Some(90)),
                (Stage::Consumed, Some("second"), Some(10)),
            ]
        );
        assert_eq!(timeline.total(), Some(120));
    }

    #[test]
    fn a_record_alone_says_where_it_is_and_who_set_its_time() {
        let appended = one(&[], &[sighting("a", 5, TimestampKind::LogAppend)]);
        assert_eq!(measured(&appended), [(Stage::Persisted, None, Some(0))]);
        assert_eq!(appended.hops[4].source, Some(Source::LogAppendTime));
        let made = one(&[], &[sighting("a", 5, TimestampKind::Create)]);
        assert_eq!(
            measured(&made),
            [
                (Stage::Created, None, Some(0)),
                (Stage::Persisted, None, None)
            ]
        );
        assert_eq!(made.hops[0].source, Some(Source::CreateTime));
        assert_eq!(made.hops[0].at, Some(5000));
        assert_eq!(made.hops[4].source, Some(Source::Record));
        assert_eq!(made.hops[4].offset, Some(7));
    }

    #[test]
    fn when_it_was_made_is_told_by_the_id_else_by_the_event() {
        let mut found = sighting("a", 5, TimestampKind::Create);
        found.event_time = Some(4_321);
        let created = |found: &Sighting| {
            let timeline = one(&[], std::slice::from_ref(found));
            (timeline.hops[0].source, timeline.hops[0].at)
        };
        assert_eq!(created(&found), (Some(Source::EventTime), Some(4_321)));
        found.message_id = Some("017f22e2-79b0-7cc3-98c4-dc0c0c07398f".into());
        let at = Some(1_645_557_742_000_000);
        assert_eq!(created(&found), (Some(Source::Uuid), at));
    }

    #[test]
    fn an_event_of_the_record_is_not_told_twice() {
        let events = [in_topic(Stage::Persisted, 30, "a", None)];
        let twice = [events[0].clone(), events[0].clone()];
        let timeline = one(&twice, &[sighting("a", 5, TimestampKind::LogAppend)]);
        assert_eq!(measured(&timeline), [(Stage::Persisted, None, Some(0))]);
    }

    #[test]
    fn messages_of_one_trace_are_told_apart() {
        let mut other = event(Stage::Created, 1);
        other.message_id = Some("m-2".into());
        let mut stranger = sighting("a", 5, TimestampKind::Create);
        stranger.message_id = Some("m-3".into());
        let timelines = Timeline::of(&[event(Stage::Created, 0), other], &[stranger]);
        let ids: Vec<_> = timelines
            .iter()
            .map(|timeline| timeline.message_id.as_deref().unwrap())
            .collect();
        assert_eq!(ids, ["m-1", "m-2", "m-3"]);
    }
}
