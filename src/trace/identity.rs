//! Which message a record is, as its headers and its value say.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::{Uuid, Variant};

use crate::record::{Header, Name};

/// The header that carries the message id we give.
pub const MESSAGE_ID: &str = "message-id";

/// Headers that are a message's id: `CloudEvents`, Debezium's outbox, ours and its spelling elsewhere.
const ID_HEADERS: [&[u8]; 4] = [b"ce_id", b"id", MESSAGE_ID.as_bytes(), b"messageId"];

/// Members of a JSON value that are its id.
const ID_MEMBERS: [&str; 3] = ["id", "message_id", "event_id"];

/// Returns the id of a record: of the headers `ce_id`, `id`, `message-id` and `messageId` the first
/// that is there, else of the members `id`, `message_id` and `event_id` of its value.
///
/// An id is text or a number and not empty. A header that repeats counts with its last value, and
/// one that Kafka Connect's `JsonConverter` wrote, in quotes, with the text in them.
pub fn message_id<'a>(headers: &[Header<'a>], value: Option<&'a [u8]>) -> Option<Cow<'a, str>> {
    let in_header = |name| id_text(last(headers, name)?);
    let found = ID_HEADERS.into_iter().find_map(in_header);
    found.or_else(|| id_in_value(value?))
}

fn id_text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let text = str::from_utf8(bytes).ok()?;
    let text = match bytes {
        [b'"', .., b'"'] => serde_json::from_str(text).map_or(Cow::Borrowed(text), Cow::Owned),
        _ => Cow::Borrowed(text),
    };
    Some(text).filter(|text| !text.is_empty())
}

fn id_in_value(value: &[u8]) -> Option<Cow<'_, str>> {
    let text = str::from_utf8(value).ok()?;
    // All else is no object, and need not be parsed to see that.
    text.trim_ascii_start().strip_prefix('{')?;
    let Members(members) = serde_json::from_str(text).ok()?;
    members.into_iter().flatten().find_map(|json| {
        let json = json.get();
        match json.as_bytes()[0] {
            b'"' => serde_json::from_str::<Name<'_>>(json)
                .ok()
                .map(|Name(text)| text)
                .filter(|text| !text.is_empty()),
            b'-' | b'0'..=b'9' => Some(Cow::Borrowed(json)),
            _ => None,
        }
    })
}

/// What stands at [`ID_MEMBERS`] of an object.
struct Members<'a>([Option<&'a RawValue>; ID_MEMBERS.len()]);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Look;
        impl<'de> Visitor<'de> for Look {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = [None; ID_MEMBERS.len()];
                while let Some(Name(name)) = map.next_key()? {
                    match ID_MEMBERS.iter().position(|member| *member == name) {
                        // The last of equal names counts, as everywhere.
                        Some(index) => found[index] = Some(map.next_value()?),
                        None => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Members(found))
            }
        }
        deserializer.deserialize_map(Look)
    }
}

/// Returns the last value of a header that has one.
pub(super) fn last<'a>(headers: &[Header<'a>], name: &[u8]) -> Option<&'a [u8]> {
    let mut named = headers.iter().rev().filter(|header| header.name == name);
    named.find_map(|header| header.value)
}

/// Returns when a `UUIDv7` was made, in milliseconds since the epoch.
pub fn uuid_millis(id: &str) -> Option<i64> {
    let id = Uuid::try_parse(id).ok()?;
    let is_7 = id.get_version_num() == 7 && id.get_variant() == Variant::RFC4122;
    is_7.then(|| i64::try_from(id.as_u128() >> 80).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<Header<'a>> {
        let header = |(name, value): &(&'a str, &'a str)| Header {
            name: name.as_bytes(),
            value: Some(value.as_bytes()),
        };
        pairs.iter().map(header).collect()
    }

    fn id(pairs: &[(&str, &str)], value: &str) -> Option<String> {
        message_id(&headers(pairs), Some(value.as_bytes())).map(Cow::into_owned)
    }

    #[test]
    fn a_cloud_event_has_an_id() {
        let pairs = [
            ("ce_specversion", "1.0"),
            ("ce_type", "com.example.order.created"),
            ("ce_source", "/orders"),
            ("ce_id", "6e8bc430-9c3a-11d9-9669-0800200c9a66"),
            ("ce_time", "2025-11-20T20:00:00Z"),
            ("content-type", "application/json"),
            ("id", "another"),
        ];
        assert_eq!(
            id(&pairs, r#"{"id":7}"#).as_deref(),
            Some("6e8bc430-9c3a-11d9-9669-0800200c9a66")
        );
    }

    #[test]
    fn debezium_has_the_id_of_the_outbox_plain_or_in_quotes() {
        let plain = [
            ("id", "406c07f3-26f0-4eea-a50c-109940064b8f"),
            ("eventType", "OrderCreated"),
        ];
        let quoted = [("id", "\"406c07f3-26f0-4eea-a50c-109940064b8f\"")];
        for pairs in [&plain[..], &quoted] {
            assert_eq!(
                id(pairs, r#"{"id":7}"#).as_deref(),
                Some("406c07f3-26f0-4eea-a50c-109940064b8f")
            );
        }
    }

    #[test]
    fn ids_are_looked_for_in_this_order() {
        let all = [
            ("messageId", "4"),
            ("message-id", "3"),
            ("id", "2"),
            ("ce_id", "1"),
        ];
        let value = r#"{"event_id":"7","message_id":"6","id":"5"}"#;
        for taken in 0..4 {
            let left = &all[..4 - taken];
            assert_eq!(id(left, value), Some((taken + 1).to_string()));
        }
        assert_eq!(id(&[], value).as_deref(), Some("5"));
        assert_eq!(
            id(&[], r#"{"event_id":"7","message_id":"6"}"#).as_deref(),
            Some("6")
        );
        assert_eq!(id(&[], r#"{"event_id":"7"}"#).as_deref(), Some("7"));
        // The last of equal headers, and none that is empty or null.
        assert_eq!(id(&[("id", "a"), ("id", "b")], "").as_deref(), Some("b"));
        assert_eq!(id(&[("ce_id", ""), ("id", "b")], "").as_deref(), Some("b"));
        let null = Header {
            name: b"id",
            value: None,
        };
        assert_eq!(
            message_id(&[null], Some(br#"{"id":7}"#)).as_deref(),
            Some("7")
        );
        assert_eq!(message_id(&[], None), None);
    }

    #[test]
    fn an_id_in_a_value_is_text_or_a_number() {
        for (value, expected) in [
            (r#" {"a":{"id":1},"id":"x\u0041"}"#, Some("xA")),
            (r#"{"id":1.50}"#, Some("1.50")),
            (r#"{"id":-7}"#, Some("-7")),
            (r#"{"id":1,"id":2}"#, Some("2")),
            (r#"{"i\u0064":3}"#, Some("3")),
            (r#"{"id":null,"event_id":4}"#, Some("4")),
            (r#"{"id":{"id":1}}"#, None),
            (r#"{"id":true}"#, None),
            (r#"{"id":""}"#, None),
            (r#"{"id":1"#, None),
            (r#"[{"id":1}]"#, None),
            ("id", None),
            ("", None),
        ] {
            assert_eq!(id(&[], value).as_deref(), expected, "{value}");
        }
        assert_eq!(message_id(&[], Some(b"{\"id\":\"\xff\"}")), None);
    }

    #[test]
    fn a_uuid_of_version_7_has_a_time() {
        // The example of RFC 9562.
        assert_eq!(
            uuid_millis("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"),
            Some(1_645_557_742_000)
        );
        assert_eq!(uuid_millis("919108f7-52d1-4320-9bac-f847db4148a8"), None);
        // The version of 7 with the variant of Microsoft.
        assert_eq!(uuid_millis("017f22e2-79b0-7cc3-d8c4-dc0c0c07398f"), None);
        assert_eq!(uuid_millis("m-1"), None);
    }

    proptest! {
        #[test]
        fn no_header_and_no_value_is_too_strange(
            pairs in prop::collection::vec(
                (prop::sample::select(vec!["traceparent", "b3", "X-B3-TraceId", "X-B3-SpanId", "id", "ce_id"]),
                 prop::collection::vec(any::<u8>(), 0..60)),
                0..4),
            value in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let headers: Vec<Header<'_>> = pairs
                .iter()
                .map(|(name, value)| Header { name: name.as_bytes(), value: Some(value) })
                .collect();
            let _ = crate::trace::TraceContext::of(&headers);
            prop_assert!(message_id(&headers, Some(&value)).is_none_or(|id| !id.is_empty()));
        }

        #[test]
        fn the_time_in_a_uuid_is_the_time_it_was_made(millis in 0_u64..1 << 48, random in any::<[u8; 10]>()) {
            let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
            prop_assert_eq!(uuid_millis(&id.to_string()), i64::try_from(millis).ok());
            prop_assert_eq!(uuid_millis(&id.simple().to_string()), i64::try_from(millis).ok());
        }
    }
}
