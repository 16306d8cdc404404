//! `--where`: a comparison of something inside the value with a literal.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::str::FromStr;

use serde_json::value::RawValue;

use super::decimal;
use crate::record::Pointer;

/// A comparison inside the value: `/pointer OP VALUE`, white space around OP optional.
///
/// The pointer is RFC 6901, the empty one is the whole value. OP is `=` (or `==`), `!=`, `<`,
/// `<=`, `>` or `>=`. VALUE is a JSON number, `true`, `false`, `null`, or a string, in JSON's
/// quotes or without: `/id=7` is the number, `/id="7"` the string, `/name=` the empty one.
///
/// Numbers compare as numbers, exactly; strings by code point, so that RFC 3339 times of one zone
/// sort. Different types are neither equal nor in any order. A pointer to nothing, and a value that
/// is not JSON, equals nothing, not even `null`. `!=` matches whenever `=` does not.
#[derive(Clone, Debug)]
pub struct Condition {
    pointer: Pointer,
    operator: Operator,
    literal: Literal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug)]
pub(super) enum Literal {
    /// `true`, `false` or `null`.
    Word(String),
    Number(String),
    Text(String),
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// There is nothing to compare with.
    #[error("`{text}` compares nothing: expected `/pointer OP VALUE` with OP = != < <= > or >=")]
    NoOperator {
        /// As it was typed.
        text: String,
    },
    /// Nothing is after an operator of order.
    #[error("`{text}` compares with nothing: expected a number or a text after the operator")]
    NoValue {
        /// As it was typed.
        text: String,
    },
    /// What stands before the operator is no JSON pointer.
    #[error(
        "`{pointer}` in `{text}` is not a JSON pointer: expected `/name`, `/name/0/name`, with `~1` \
         for a `/` in a name and `~0` for a `~`"
    )]
    NotAPointer {
        /// What stands before the operator.
        pointer: String,
        /// As it was typed.
        text: String,
    },
    /// The value begins with a quote and is no JSON string.
    #[error("`{value}` in `{text}` is not a JSON string: expected a closing `\"` at the end")]
    NotAString {
        /// What stands after the operator.
        value: String,
        /// As it was typed.
        text: String,
    },
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let no_operator = || ConditionError::NoOperator { text: text.into() };
        let index = text.find(['=', '!', '<', '>']).ok_or_else(no_operator)?;
        let (pointer, rest) = (text[..index].trim_end(), &text[index..]);
        let (operator, value) = [
            ("==", Operator::Equal),
            ("=", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            ("<", Operator::Less),
            (">=", Operator::GreaterOrEqual),
            (">", Operator::Greater),
        ]
        .into_iter()
        .find_map(|(sign, operator)| Some((operator, rest.strip_prefix(sign)?)))
        .ok_or_else(no_operator)?;
        let value = value.trim();
        // The empty text is a value that may be there, but nothing is below it.
        if value.is_empty() && !matches!(operator, Operator::Equal | Operator::NotEqual) {
            return Err(ConditionError::NoValue { text: text.into() });
        }
        Ok(Condition {
            pointer: pointer.parse().map_err(|_| ConditionError::NotAPointer {
                pointer: pointer.into(),
                text: text.into(),
            })?,
            operator,
            literal: Literal::parse(value).ok_or_else(|| ConditionError::NotAString {
                value: value.into(),
                text: text.into(),
            })?,
        })
    }
}

impl Condition {
    /// Returns whether the condition holds in a value; `None` is one that is null or not UTF-8.
    pub fn matches(&self, json: Option<&str>) -> bool {
        let order =
            json.and_then(|json| self.literal.order_of(self.pointer.find(json).ok()??.get()));
        match self.operator {
            Operator::Equal => order == Some(Ordering::Equal),
            Operator::NotEqual => order != Some(Ordering::Equal),
            Operator::Less => order == Some(Ordering::Less),
            Operator::LessOrEqual => {
                order.is_some_and(Ordering::is_le) && self.literal.is_ordered()
            }
            Operator::Greater => order == Some(Ordering::Greater),
            Operator::GreaterOrEqual => {
                order.is_some_and(Ordering::is_ge) && self.literal.is_ordered()
            }
        }
    }
}

impl Literal {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.as_bytes().first() {
            _ if matches!(text, "true" | "false" | "null") => Literal::Word(text.into()),
            Some(b'"') => Literal::Text(serde_json::from_str(text).ok()?),
            Some(b'-' | b'0'..=b'9') if serde_json::from_str::<&RawValue>(text).is_ok() => {
                Literal::Number(text.into())
            }
            _ => Literal::Text(text.into()),
        })
    }

    /// A JSON scalar as it is written.
    pub(super) fn json(json: &str) -> Result<Self, serde_json::Error> {
        Ok(match json.as_bytes().first() {
            Some(b'"') => Literal::Text(serde_json::from_str(json)?),
            Some(b't' | b'f' | b'n') => Literal::Word(json.into()),
            _ => Literal::Number(json.into()),
        })
    }

    /// Returns whether `json`, a valid JSON text, is this literal.
    pub(super) fn equals(&self, json: &str) -> bool {
        self.order_of(json) == Some(Ordering::Equal)
    }

    /// Words can be equal; no order would mean anything.
    fn is_ordered(&self) -> bool {
        !matches!(self, Literal::Word(_))
    }

    /// Returns how `json`, a valid JSON text, stands to this literal; `None` for another type.
    fn order_of(&self, json: &str) -> Option<Ordering> {
        match (self, json.as_bytes().first()?) {
            (Literal::Word(word), b't' | b'f' | b'n') => (json == word).then_some(Ordering::Equal),
            (Literal::Number(number), b'-' | b'0'..=b'9') => Some(decimal::compare(json, number)),
            (Literal::Text(text), b'"') => Some(unquote(json)?.as_ref().cmp(text)),
            _ => None,
        }
    }
}

/// Returns the text of a JSON string; `None` for half a surrogate pair, which is no text.
fn unquote(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(json).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(condition: &str, json: &str) -> bool {
        condition.parse::<Condition>().unwrap().matches(Some(json))
    }

    #[test]
    fn a_condition_compares_by_type() {
        let json = r#"{"n":101,"f":1.50,"big":9007199254740993,"s":"b","num":"7","e":"","q":"a \"b\"",
            "t":true,"z":null,"o":{"x":[10,-20]},"a=b":1,"d":"2026-11-20T10:00:00Z"}"#;
        for condition in [
            "/n=101",
            "/n==101",
            "/n = 101",
            "/n=101.0",
            "/n>100",
            "/n >= 101",
            "/n<=101",
            "/n<1e3",
            "/n!=100",
            "/f=1.5",
            "/big=9007199254740993",
            "/big>9007199254740992",
            "/s=b",
            "/s=\"b\"",
            "/s>a",
            "/s<=b",
            "/s!=c",
            "/num=\"7\"",
            "/num!=7",
            "/e=",
            "/e=\"\"",
            "/q=\"a \\\"b\\\"\"",
            "/q=a \"b\"",
            "/t=true",
            "/t!=false",
            "/z=null",
            "/o/x/0=10",
            "/o/x/1<-19",
            "/d>2026-11-20",
            "/s!=",
            "/missing!=1",
            "/missing!=null",
            "/o!=1",
            "/n!=\"101\"",
            "/t!=\"true\"",
        ] {
            assert!(matches(condition, json), "{condition}");
        }
        for condition in [
            "/n=100",
            "/n>101",
            "/n<101",
            "/n!=101",
            "/n!=101.00",
            "/big=9007199254740992",
            "/n=\"101\"",
            "/num=7",
            "/num>6",
            "/n>a",
            "/s>b",
            "/t=false",
            "/t>=true",
            "/t<=true",
            "/z<=null",
            "/z=",
            "/missing=",
            "/missing=null",
            "/missing<1",
            "/missing>=1",
            "/o=1",
            "/o/x=10",
            "/z!=null",
        ] {
            assert!(!matches(condition, json), "{condition}");
        }
    }

    #[test]
    fn the_empty_pointer_is_the_whole_value() {
        assert!(matches(">41", "42"));
        assert!(matches("=hi", "\"hi\""));
    }

    #[test]
    fn a_value_that_is_not_json_matches_nothing_but_unequal() {
        for json in ["", "text", "{\"a\":1", "{\"a\":1}x"] {
            for condition in ["/a=1", "/a<2", "/a<=2", "/a>0", "/a>=0"] {
                assert!(!matches(condition, json), "{condition} {json}");
            }
            assert!(matches("/a!=1", json));
        }
        assert!(!"/a=null".parse::<Condition>().unwrap().matches(None));
        assert!("/a!=null".parse::<Condition>().unwrap().matches(None));
    }

    #[test]
    fn half_a_surrogate_pair_is_no_text() {
        assert!(!matches("/a=", r#"{"a":"\ud800"}"#));
        assert!(matches("/a=🦀", r#"{"a":"\ud83e\udd80"}"#));
    }

    #[test]
    fn what_is_no_condition_is_quoted() {
        for (text, expected) in [
            ("/total", "`/total` compares nothing: expected"),
            ("/total!5", "`/total!5` compares nothing: expected"),
            (
                "total>5",
                "`total` in `total>5` is not a JSON pointer: expected `/name`",
            ),
            ("/a~2=5", "`/a~2` in `/a~2=5` is not a JSON pointer"),
            ("/a=\"b", "`\"b` in `/a=\"b` is not a JSON string"),
            ("/a=\"b\"c", "`\"b\"c` in `/a=\"b\"c` is not a JSON string"),
        ] {
            let error = text.parse::<Condition>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
