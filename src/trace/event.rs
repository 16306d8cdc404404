//! A stage event: that one message reached one stage, as one line of JSON.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::context::{SpanId, TraceContext, TraceId};
use super::identity::message_id;
use super::stage::Stage;
use crate::record::{Header, Record};

/// That a message reached a stage, or failed to. What is not known is absent.
///
/// Readers ignore fields that they do not know, so that fields can be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageEvent {
    pub stage: Stage,
    /// Microseconds since the epoch.
    pub at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<TraceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<SpanId>,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(default)]
    pub status: StageStatus,
    /// Why, where the status is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// The consumer group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How long the stage took, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
}

/// How a message fared at a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageStatus {
    /// It reached the stage.
    #[default]
    Ok,
    /// It failed there.
    Error,
}

impl StageEvent {
    /// A message that reached `stage` at `at`, of which nothing else is known yet.
    pub fn new(stage: Stage, at: i64) -> Self {
        Self {
            stage,
            at,
            message_id: None,
            trace_id: None,
            span_id: None,
            service: None,
            host: None,
            status: StageStatus::Ok,
            error: None,
            topic: None,
            partition: None,
            offset: None,
            group: None,
            duration: None,
        }
    }

    /// The record with these headers and this value reached `stage` at `at`: its ids are theirs.
    pub fn of(stage: Stage, at: i64, headers: &[Header<'_>], value: Option<&[u8]>) -> Self {
        let context = TraceContext::of(headers);
        Self {
            message_id: message_id(headers, value).map(Cow::into_owned),
            trace_id: context.map(|context| context.trace_id),
            span_id: context.map(|context| context.span_id),
            ..Self::new(stage, at)
        }
    }

    /// The same of a record that has a place in Kafka.
    pub fn of_record(stage: Stage, at: i64, record: &Record<'_>) -> Self {
        Self {
            topic: Some(record.topic.to_owned()),
            partition: Some(record.partition),
            offset: Some(record.offset),
            ..Self::of(stage, at, record.headers, record.value)
        }
    }

    /// The message failed at the stage.
    #[must_use]
    pub fn failed(self, why: impl Into<String>) -> Self {
        Self {
            status: StageStatus::Error,
            error: Some(why.into()),
            ..self
        }
    }

    /// Reads one line of JSON, with or without its line feed.
    pub fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }

    /// Appends the event as JSON without a line feed.
    pub fn write(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self).expect("a Vec takes every byte and all of it serializes");
    }

    /// The key of the event's record: all events of a message are in one partition.
    ///
    /// The message id; where there is none the trace id, else the place in Kafka.
    pub fn key(&self) -> Option<String> {
        let place = || {
            let (partition, offset) = (self.partition?, self.offset?);
            Some(format!("{}:{partition}:{offset}", self.topic.as_ref()?))
        };
        (self.message_id.clone())
            .or_else(|| self.trace_id.map(|id| id.to_string()))
            .or_else(place)
    }
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn full() -> StageEvent {
        StageEvent {
            message_id: Some("m-1".into()),
            trace_id: Some("0af7651916cd43dd8448eb211c80319c".parse().unwrap()),
            span_id: Some("b7ad6b7169203331".parse().unwrap()),
            service: Some("kpipe".into()),
            host: Some("h".into()),
            status: StageStatus::Error,
            error: Some("no".into()),
            topic: Some("orders".into()),
            partition: Some(2),
            offset: Some(7),
            group: Some("g".into()),
            duration: Some(1500),
            ..StageEvent::new(Stage::Persisted, 1_763_668_800_123_456)
        }
    }

    fn text(event: &StageEvent) -> String {
        let mut out = Vec::new();
        event.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_event_has_its_fields_in_order() {
        assert_eq!(
            text(&full()),
            concat!(
                r#"{"stage":"PERSISTED","at":1763668800123456,"message_id":"m-1","#,
                r#""trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","#,
                r#""service":"kpipe","host":"h","status":"error","error":"no","topic":"orders","#,
                r#""partition":2,"offset":7,"group":"g","duration":1500}"#
            )
        );
    }

    #[test]
    fn what_is_not_known_is_absent() {
        let event = StageEvent::new(Stage::Created, 1);
        assert_eq!(text(&event), r#"{"stage":"CREATED","at":1,"status":"ok"}"#);
    }

    #[test]
    fn fields_may_be_absent_unknown_and_null() {
        let event =
            StageEvent::parse(b"{\"at\":5,\"colour\":[1],\"topic\":null,\"stage\":\"STORED\"}\n")
                .unwrap();
        assert_eq!(event, StageEvent::new(Stage::Stored, 5));
    }

    #[test]
    fn what_has_no_stage_or_no_time_is_no_event() {
        for line in [
            &br#"{"at":5}"#[..],
            br#"{"stage":"STORED"}"#,
            br#"{"stage":"SOLD","at":5}"#,
            br#"{"stage":"STORED","at":"now"}"#,
            b"[]",
            b"",
        ] {
            assert!(StageEvent::parse(line).is_err());
        }
    }

    #[test]
    fn the_key_is_the_message_else_the_trace_else_the_place() {
        let mut event = full();
        assert_eq!(event.key().as_deref(), Some("m-1"));
        event.message_id = None;
        assert_eq!(
            event.key().as_deref(),
            Some("0af7651916cd43dd8448eb211c80319c")
        );
        event.trace_id = None;
        assert_eq!(event.key().as_deref(), Some("orders:2:7"));
        event.offset = None;
        assert_eq!(event.key(), None);
    }

    proptest! {
        #[test]
        fn an_event_is_read_back_as_it_was_written(
            stage in prop::sample::select(&Stage::ALL[..]),
            at in any::<i64>(),
            texts in prop::array::uniform6(option::of(any::<String>())),
            ids in option::of((any::<[u8; 16]>(), any::<[u8; 8]>())),
            place in option::of((any::<i32>(), any::<i64>())),
            duration in option::of(any::<u64>()),
            failed in any::<bool>(),
        ) {
            let [message_id, service, host, error, topic, group] = texts;
            let event = StageEvent {
                message_id, service, host, error, topic, group, duration,
                trace_id: ids.and_then(|(trace, _)| TraceId::new(trace)),
                span_id: ids.and_then(|(_, span)| SpanId::new(span)),
                partition: place.map(|(partition, _)| partition),
                offset: place.map(|(_, offset)| offset),
                status: if failed { StageStatus::Error } else { StageStatus::Ok },
                ..StageEvent::new(stage, at)
            };
            let line = text(&event);
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(StageEvent::parse(line.as_bytes()).unwrap(), event);
        }
    }
}
