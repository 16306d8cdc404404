//! A request as a line of JSON: what [`Request`](super::Request) prints is read back as the same wish.
//!
//! A field that nobody knows is an error, because a typing mistake must not drop half of a wish.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::event::person;
use super::request::Wish;
use crate::syntax::Words;

/// What only the registry and Kafka say of a topic; a line may have it, and it asks for nothing.
const READ_ONLY: [&str; 20] = [
    "id",
    "state",
    "in_kafka",
    "requested_at",
    "expires_at",
    "decided_at",
    "decided_by",
    "comment",
    "activated_at",
    "adopted",
    "ended_at",
    "ended_by",
    "reason_code",
    "ended_comment",
    "ready",
    "reason",
    "message",
    "attempts",
    "next_attempt_at",
    "observed_at",
];

/// librdkafka sends no request for more (`rd_kafka_NewTopic_new`).
pub const MOST_PARTITIONS: i32 = 100_000;

/// Says whether Kafka can be told a setting: a name, and nothing in it that is for terminals.
pub fn is_setting(key: &str, value: &str) -> bool {
    !key.is_empty() && !key.chars().chain(value.chars()).any(char::is_control)
}

const WISHED: [&str; 7] = [
    "name",
    "created_by",
    "partitions",
    "replication",
    "config",
    "description",
    "type",
];

/// Why a line is no request.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Not JSON.
    #[error("{}", Words(.0))]
    Syntax(serde_json::Error),
    #[error("expected an object with `name`")]
    NotAnObject,
    #[error("no `name`")]
    NoName,
    /// The suggestion is the known name that is nearest.
    #[error("unknown field `{name}`, did you mean `{nearest}`?")]
    Unknown { name: String, nearest: &'static str },
    #[error("`{field}` must be {wanted}")]
    Unfit {
        field: &'static str,
        wanted: &'static str,
    },
}

impl LineError {
    /// Returns where in the line it went wrong, in bytes from 1, where that is known.
    pub fn column(&self) -> Option<usize> {
        match self {
            Self::Syntax(error) => Some(error.column().max(1)),
            _ => None,
        }
    }
}

/// Which topic a line is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedLine {
    pub name: String,
    /// The request that whoever wrote the line has seen.
    pub id: Option<String>,
}

/// Reads `name` and `id`, and leaves the rest of the line.
///
/// # Errors
/// [`LineError`].
pub fn named(line: &[u8]) -> Result<NamedLine, LineError> {
    let mut fields = object(line)?;
    Ok(NamedLine {
        name: text(&mut fields, "name")?.ok_or(LineError::NoName)?,
        id: text(&mut fields, "id")?,
    })
}

/// Reads what a line asks for; `created_by` may be missing, and is then empty.
///
/// # Errors
/// [`LineError`].
pub fn wish(line: &[u8]) -> Result<Wish, LineError> {
    let mut fields = object(line)?;
    if let Some(stray) = fields
        .keys()
        .find(|name| !WISHED.contains(&name.as_str()) && !READ_ONLY.contains(&name.as_str()))
    {
        return Err(LineError::Unknown {
            name: stray.clone(),
            nearest: nearest(stray),
        });
    }
    Ok(Wish {
        name: text(&mut fields, "name")?.ok_or(LineError::NoName)?,
        created_by: created_by(&mut fields)?,
        partitions: number(&mut fields, "partitions", MOST_PARTITIONS)?,
        replication: number(&mut fields, "replication", i32::from(i16::MAX))?,
        config: config(&mut fields)?,
        description: text(&mut fields, "description")?,
        kind: text(&mut fields, "type")?,
    })
}

fn object(line: &[u8]) -> Result<Map<String, Value>, LineError> {
    match serde_json::from_slice(line).map_err(LineError::Syntax)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(LineError::NotAnObject),
    }
}

fn nearest(stray: &str) -> &'static str {
    let by_similarity = |one: &&str, other: &&str| {
        let similarity = |name: &str| strsim::jaro_winkler(stray, name);
        similarity(one).total_cmp(&similarity(other))
    };
    WISHED.into_iter().max_by(by_similarity).unwrap_or("name")
}

/// Null is as good as not there.
fn take(fields: &mut Map<String, Value>, field: &str) -> Option<Value> {
    fields.remove(field).filter(|value| !value.is_null())
}

fn text(fields: &mut Map<String, Value>, field: &'static str) -> Result<Option<String>, LineError> {
    match take(fields, field) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(LineError::Unfit {
            field,
            wanted: "a string",
        }),
    }
}

fn created_by(fields: &mut Map<String, Value>) -> Result<String, LineError> {
    let text = text(fields, "created_by")?.unwrap_or_default();
    match person(&text) {
        Some(name) => Ok(name.to_owned()),
        None if text.trim().is_empty() => Ok(String::new()),
        None => Err(LineError::Unfit {
            field: "created_by",
            wanted: "a name without control characters",
        }),
    }
}

fn number(
    fields: &mut Map<String, Value>,
    field: &'static str,
    most: i32,
) -> Result<Option<i32>, LineError> {
    let fits = |value: &Value| {
        let number = i32::try_from(value.as_i64()?).ok()?;
        (1..=most).contains(&number).then_some(number)
    };
    match take(fields, field) {
        None => Ok(None),
        Some(value) => fits(&value).map(Some).ok_or(LineError::Unfit {
            field,
            wanted: "a whole number, 1 or more, that Kafka takes",
        }),
    }
}

fn config(fields: &mut Map<String, Value>) -> Result<Option<BTreeMap<String, String>>, LineError> {
    let unfit = || LineError::Unfit {
        field: "config",
        wanted: "an object of strings, numbers and booleans, without control characters",
    };
    let plain = |(key, value): (String, Value)| match value {
        Value::String(text) if is_setting(&key, &text) => Ok((key, text)),
        _ if !is_setting(&key, "") => Err(unfit()),
        Value::Number(number) => Ok((key, number.to_string())),
        Value::Bool(boolean) => Ok((key, boolean.to_string())),
        Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => Err(unfit()),
    };
    match take(fields, "config") {
        None => Ok(None),
        Some(Value::Object(settings)) => settings
            .into_iter()
            .map(plain)
            .collect::<Result<_, _>>()
            .map(Some),
        Some(_) => Err(unfit()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_line_says_is_wished_and_no_more() {
        let line = br#"{"name":"orders","created_by":"alice","partitions":6,"config":{"a":"x","b":1,"c":true}}"#;
        let config = [("a", "x"), ("b", "1"), ("c", "true")];
        let expected = Wish {
            name: "orders".to_owned(),
            created_by: "alice".to_owned(),
            partitions: Some(6),
            config: Some(
                config
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
            ),
            ..Wish::default()
        };
        assert_eq!(wish(line).unwrap(), expected);
        let padded = br#"{"name":"x","created_by":" alice "}"#;
        assert_eq!(wish(padded).unwrap().created_by, "alice");
        let nulls = br#"{"name":"x","partitions":null,"config":null,"state":"ACTIVE","id":7}"#;
        let expected = Wish {
            name: "x".to_owned(),
            ..Wish::default()
        };
        assert_eq!(wish(nulls).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        for (line, what) in [
            ("orders", "expected a value"),
            ("[]", "expected an object with `name`"),
            ("{}", "no `name`"),
            (
                r#"{"name":"x","created_by":"a\u001bb"}"#,
                "`created_by` must be",
            ),
            (r#"{"name":7}"#, "`name` must be a string"),
            (
                r#"{"name":"x","partition":3}"#,
                "unknown field `partition`, did you mean `partitions`?",
            ),
            (
                r#"{"name":"x","partitions":0}"#,
                "`partitions` must be a whole number",
            ),
            (r#"{"name":"x","partitions":1.5}"#, "`partitions` must be"),
            (r#"{"name":"x","partitions":"3"}"#, "`partitions` must be"),
            (
                r#"{"name":"x","partitions":99999999999}"#,
                "`partitions` must be",
            ),
            (
                r#"{"name":"x","replication":32768}"#,
                "`replication` must be",
            ),
            (r#"{"name":"x","config":["a"]}"#, "`config` must be"),
            (r#"{"name":"x","config":{"a":null}}"#, "`config` must be"),
            (r#"{"name":"x","config":{"":"b"}}"#, "`config` must be"),
            (r#"{"name":"x","config":{"a\u0000":1}}"#, "`config` must be"),
            (r#"{"name":"x","config":{"a":"\n"}}"#, "`config` must be"),
            (
                r#"{"name":"x","partitions":100001}"#,
                "`partitions` must be",
            ),
        ] {
            let error = wish(line.as_bytes()).expect_err(line).to_string();
            assert!(error.contains(what), "{line}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = wish(&line);
            let _ = named(&line);
        }
    }
}
