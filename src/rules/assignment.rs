//! `FIELD=VALUE`, and the values that are made anew for each record.

use std::fmt;
use std::str::FromStr;

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::field::{Field, FieldError};
use crate::clock::Clock;

/// A field and what it is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub field: Field,
    pub(super) value: Value,
}

/// What a field is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// The time, in RFC 3339 and UTC with microseconds.
    Now,
    /// A `UUIDv7` of its own.
    Uuid,
    /// The name of this machine.
    Host,
    /// JSON as it was typed.
    Json(String),
}

/// Why a text is no assignment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentError {
    #[error("expected FIELD=VALUE")]
    NoValue,
    #[error(transparent)]
    Field(#[from] FieldError),
    /// It begins as JSON does, so it was most likely meant to be that.
    #[error("`{0}` is not JSON; in quotes it is a text")]
    NotJson(String),
}

impl FromStr for Assignment {
    type Err = AssignmentError;

    /// Reads `FIELD=VALUE`. The words `now`, `uuid` and `host` are made for each record; what is
    /// JSON is that; all else is text. So the text `now` is `"now"`, in quotes, as any text may be.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (field, value) = text.split_once('=').ok_or(AssignmentError::NoValue)?;
        let value = match value {
            "now" => Value::Now,
            "uuid" => Value::Uuid,
            "host" => Value::Host,
            text => match serde_json::from_str::<&RawValue>(text) {
                // Record lines are lines.
                Ok(json) if !text.contains(['\n', '\r']) => Value::Json(json.get().to_owned()),
                Ok(_) => Value::Json(in_one_line(text)),
                Err(_) if text.starts_with(['{', '[', '"']) => {
                    return Err(AssignmentError::NotJson(text.to_owned()));
                }
                Err(_) => Value::Json(serde_json::Value::from(text).to_string()),
            },
        };
        Ok(Self {
            field: field.parse()?,
            value,
        })
    }
}

/// JSON whose white space has no line ends; in its strings there are none.
fn in_one_line(json: &str) -> String {
    json.trim().replace(['\n', '\r'], " ")
}

/// Makes the values that are not the same for all records.
pub struct Maker {
    clock: Clock,
    random: ChaCha12Rng,
    host: String,
    /// The moment of the record at hand, in microseconds.
    moment: jiff::Timestamp,
}

impl fmt::Debug for Maker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Maker")
    }
}

impl Maker {
    /// With the randomness of `seed`.
    pub(crate) fn new(clock: Clock, seed: [u8; 32], host: String) -> Self {
        Self {
            moment: clock.now(),
            random: ChaCha12Rng::from_seed(seed),
            clock,
            host,
        }
    }

    #[cfg(test)]
    pub(super) fn for_tests() -> Self {
        Self::new(Clock::system(), [7; 32], "machine".to_owned())
    }

    /// Begins with a record.
    pub(super) fn begin(&mut self) {
        self.moment = self.clock.now();
    }

    pub(super) fn make(&mut self, value: &Value) -> String {
        match value {
            Value::Now => format!("\"{:.6}\"", self.moment),
            Value::Uuid => format!("\"{}\"", self.uuid()),
            Value::Host => serde_json::Value::from(self.host.as_str()).to_string(),
            Value::Json(json) => json.clone(),
        }
    }

    /// A new `UUIDv7`: it sorts by the time it was made.
    pub(crate) fn uuid(&mut self) -> Uuid {
        let millis = u64::try_from(self.clock.now().as_millisecond()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }

    /// Random bytes.
    pub(crate) fn bytes<const COUNT: usize>(&mut self) -> [u8; COUNT] {
        let mut bytes = [0; COUNT];
        self.random.fill_bytes(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str) -> String {
        let assignment: Assignment = format!("f={text}").parse().unwrap();
        let mut maker = Maker::for_tests();
        maker.begin();
        maker.make(&assignment.value)
    }

    #[test]
    fn json_is_json_and_all_else_is_text() {
        for (text, json) in [
            ("42", "42"),
            ("1.50", "1.50"),
            ("true", "true"),
            ("null", "null"),
            ("\"42\"", "\"42\""),
            (r#" {"a": 1} "#, r#"{"a": 1}"#),
            ("{\n\"a\":\r\n1}", r#"{ "a":  1}"#),
            ("[]", "[]"),
            ("anonymous", "\"anonymous\""),
            ("a=b", "\"a=b\""),
            ("", "\"\""),
            ("1.", "\"1.\""),
            ("say \"hi\"", r#""say \"hi\"""#),
            ("Now", "\"Now\""),
            ("\"now\"", "\"now\""),
        ] {
            assert_eq!(made(text), json, "{text}");
        }
    }

    #[test]
    fn words_are_made_for_each_record() {
        let now: jiff::Timestamp = serde_json::from_str(&made("now")).unwrap();
        assert!(now.as_second() > 0);
        // Microseconds, also where they are zeros.
        assert_eq!(made("now").len(), "\"2025-11-20T20:00:00.123456Z\"".len());
        let id: String = serde_json::from_str(&made("uuid")).unwrap();
        assert_eq!(Uuid::try_parse(&id).unwrap().get_version_num(), 7);
        assert_eq!(made("host"), "\"machine\"");
    }

    #[test]
    fn what_begins_as_json_and_is_none_is_a_mistake() {
        let error = |text: &str| text.parse::<Assignment>().unwrap_err().to_string();
        assert_eq!(
            error("f={a:1}"),
            "`{a:1}` is not JSON; in quotes it is a text"
        );
        assert_eq!(error("f=[1"), "`[1` is not JSON; in quotes it is a text");
        assert_eq!(error("f=\"x"), "`\"x` is not JSON; in quotes it is a text");
        assert_eq!(error("f"), "expected FIELD=VALUE");
        assert_eq!(error("=1"), "a field has a name");
    }

    #[test]
    fn a_seed_gives_the_same_again() {
        assert_eq!(Maker::for_tests().bytes::<24>(), Maker::for_tests().bytes());
    }
}
