//! Whatever a record holds, its line gives back, and no line makes the reader panic.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;

use super::{
    Header, Input, LineKey, Outgoing, OutgoingHeader, PayloadMode, Record, Timestamp,
    TimestampKind, UnknownFields, encode, parse,
};

const CASES: u32 = 4096;
const MODES: [PayloadMode; 3] = [PayloadMode::Auto, PayloadMode::Text, PayloadMode::Base64];

/// Text that is JSON, or nearly: what a careless reader or writer would change.
fn json_like() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null"),
        Just("true"),
        Just("1.50"),
        Just("1e5"),
        Just("-0"),
        Just("12345678901234567890123"),
        Just(r#""hi""#),
        Just(r#""a\u0000\n\/""#),
        Just(r#""\ud800""#),
        Just("\"\u{2028}\u{7f}é\""),
        Just("1e999"),
        Just("{}"),
        Just("[]"),
        Just("oops"),
    ];
    let white = prop_oneof![8 => Just(""), 1 => Just(" "), 1 => Just("\n"), 1 => Just("\r"), 1 => Just("\t")];
    let padded = |text: BoxedStrategy<String>, white: BoxedStrategy<&'static str>| {
        (white.clone(), text, white)
            .prop_map(|(before, text, after)| format!("{before}{text}{after}"))
    };
    let white = white.boxed();
    scalar
        .prop_map(str::to_owned)
        .prop_recursive(4, 12, 3, move |inner| {
            let part = padded(inner, white.clone()).boxed();
            let object = vec(("[ab]", part.clone()), 0..3).prop_map(|members| {
                let members: Vec<_> = (members.iter())
                    .map(|(name, value)| format!("\"{name}\":{value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            });
            let array = vec(part.clone(), 0..3).prop_map(|parts| format!("[{}]", parts.join(",")));
            prop_oneof![4 => object, 2 => array, 1 => part]
        })
}

/// A zero byte, a schema id and a body, which is often valid UTF-8.
fn framed() -> impl Strategy<Value = Vec<u8>> {
    (0..128_u8, json_like()).prop_map(|(id, body)| [&[0, 0, 0, 0, id], body.as_bytes()].concat())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => vec(any::<u8>(), 0..24),
        4 => json_like().prop_map(String::into_bytes),
        2 => any::<String>().prop_map(String::into_bytes),
        1 => framed(),
    ]
}

fn timestamp() -> impl Strategy<Value = Option<Timestamp>> {
    let kind = prop_oneof![Just(TimestampKind::Create), Just(TimestampKind::LogAppend)];
    let millis = any::<i64>().prop_filter("librdkafka cannot send 0", |millis| *millis != 0);
    option::of((millis, kind).prop_map(|(millis, kind)| Timestamp { millis, kind }))
}

fn headers() -> impl Strategy<Value = Vec<(Vec<u8>, Option<Vec<u8>>)>> {
    let name = bytes().prop_map(|name| name.into_iter().filter(|byte| *byte != 0).collect());
    vec((name, option::of(bytes())), 0..4)
}

fn encoded(record: &Record<'_>, mode: PayloadMode) -> Vec<u8> {
    let mut line = Vec::new();
    encode(record, mode, &mut line);
    line
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn every_record_survives_its_line(
        topic in "[a-zA-Z0-9._-]{1,12}|\\PC{1,4}",
        partition in 0..i32::MAX,
        offset in any::<i64>(),
        timestamp in timestamp(),
        key in option::of(bytes()),
        value in option::of(bytes()),
        headers in headers(),
    ) {
        let borrowed: Vec<_> = (headers.iter())
            .map(|(name, value)| Header { name, value: value.as_deref() })
            .collect();
        let record = Record {
            topic: &topic,
            partition,
            offset,
            timestamp,
            key: key.as_deref(),
            value: value.as_deref(),
            headers: &borrowed,
        };
        let expected = Outgoing {
            topic: Some(topic.as_str().into()),
            partition: Some(partition),
            timestamp: timestamp.map(|timestamp| timestamp.millis),
            key: record.key.map(Into::into),
            value: record.value.map(Into::into),
            headers: (borrowed.iter())
                .map(|header| OutgoingHeader {
                    name: header.name.into(),
                    value: header.value.map(Into::into),
                })
                .collect(),
        };
        for mode in MODES {
            let mut line = encoded(&record, mode);
            prop_assert_eq!(line.pop(), Some(b'\n'));
            prop_assert!(memchr::memchr2(b'\n', b'\r', &line).is_none());
            prop_assert_eq!(&parse(&line, UnknownFields::Refuse).unwrap(), &expected);

            // What `Value` refuses in a line, `1e999` and lone surrogates, is the payload's own.
            let Ok(json) = serde_json::from_slice::<Value>(&line) else {
                prop_assert_eq!(mode, PayloadMode::Auto);
                prop_assert!(serde_json::from_slice::<Value>(record.value.unwrap()).is_err());
                continue;
            };
            prop_assert!(!json["key"].is_object() && !json["key"].is_array());
            for (name, payload) in [("key", record.key), ("value", record.value)] {
                let framed = |bytes: &[u8]| bytes.len() >= 5 && bytes[0] == 0;
                if payload.is_some_and(|bytes| mode == PayloadMode::Base64 || framed(bytes)) {
                    prop_assert!(json.get(name).is_none());
                }
            }
        }
    }

    #[test]
    fn no_line_makes_a_reader_panic(
        value in bytes(),
        headers in headers(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 0..4),
        noise in vec(any::<u8>(), 0..40),
    ) {
        let borrowed: Vec<_> = (headers.iter())
            .map(|(name, value)| Header { name, value: value.as_deref() })
            .collect();
        let mut line = encoded(
            &Record {
                topic: "t",
                partition: 0,
                offset: 0,
                timestamp: None,
                key: Some(&value),
                value: Some(&value),
                headers: &borrowed,
            },
            PayloadMode::Auto,
        );
        for (index, byte, change) in changes {
            match (change, index.index(line.len())) {
                (0, at) => line[at] = byte,
                (1, at) => line.insert(at, byte),
                (_, at) => line.truncate(at + 1),
            }
        }
        let inputs = [
            Input::Record,
            Input::Lines(LineKey::None),
            Input::Lines(LineKey::Pointer("/value/a".parse().unwrap())),
            Input::Lines(LineKey::Separator(":".parse().unwrap())),
            Input::Kcat,
            Input::Rpk,
            Input::Kaf,
        ];
        for line in [line, noise, value] {
            for input in &inputs {
                for unknown in [UnknownFields::Refuse, UnknownFields::Ignore] {
                    if let Err(error) = input.parse(&line, unknown) {
                        prop_assert!((1..=line.len() + 1).contains(&error.column()));
                        prop_assert!(!error.to_string().contains(" at line "));
                    }
                }
            }
        }
    }
}

#[test]
fn json_nested_ten_thousand_deep_survives_its_line() {
    let value = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let record = Record {
        topic: "t",
        partition: 0,
        offset: 0,
        timestamp: None,
        key: Some(value.as_bytes()),
        value: Some(value.as_bytes()),
        headers: &[],
    };
    let line = encoded(&record, PayloadMode::Auto);
    let outgoing = parse(&line, UnknownFields::Refuse).unwrap();
    assert_eq!(outgoing.value.as_deref(), record.value);
    assert_eq!(outgoing.key.as_deref(), record.key);
}
