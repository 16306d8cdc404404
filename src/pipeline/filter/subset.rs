//! Whether a value holds all of some JSON, and how far it is from that.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use serde_json::value::RawValue;

use super::condition::Literal;
use crate::syntax::Syntax;

/// JSON that a value is to hold: each member of an object must be there and hold its own, others may
/// be there too; arrays have as many elements, and each holds its own; numbers compare as
/// numbers, exactly, and strings as text.
#[derive(Clone, Debug)]
pub struct Subset(Wanted);

#[derive(Clone, Debug)]
enum Wanted {
    Object(Vec<(String, Wanted)>),
    Array(Vec<Wanted>),
    /// The literal, and as it is written.
    Scalar(Literal, String),
}

/// Where a value differs from what it is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// A JSON pointer (RFC 6901).
    pub pointer: String,
    /// JSON, shortened.
    pub wanted: String,
    /// JSON, shortened; `None` where there is nothing.
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pointer, wanted, ..
        } = self;
        let place = if pointer.is_empty() { "it" } else { pointer };
        match &self.found {
            Some(found) => write!(formatter, "{place} is {found}, not {wanted}"),
            None => write!(formatter, "{place} is not there, wanted {wanted}"),
        }
    }
}

impl FromStr for Subset {
    type Err = Syntax;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Checks that it is JSON, and of no more than 128 levels: what follows goes down them.
        serde_json::from_str::<Value>(text)?;
        Ok(Self(Wanted::read(text.trim())?))
    }
}

impl Subset {
    /// Returns whether a value holds all of it; `None` is one that is null or not UTF-8.
    pub(super) fn matches(&self, json: Option<&str>) -> bool {
        let mut differs = false;
        self.compare(json, &mut |_, _, _| {
            differs = true;
            false
        });
        !differs
    }

    /// Returns how many scalars are not as wanted, and the first place that differs.
    pub fn differences(&self, json: Option<&str>) -> (usize, Option<Difference>) {
        let (mut count, mut first) = (0, None);
        self.compare(json, &mut |wanted, pointer, found| {
            count += wanted.size();
            first.get_or_insert_with(|| wanted.differs(pointer, found));
            true
        });
        (count, first)
    }

    fn compare(&self, json: Option<&str>, tell: &mut Tell<'_>) {
        let Self(wanted) = self;
        match json.map(serde_json::from_str::<&RawValue>) {
            Some(Ok(read)) => wanted.compare(Some(read.get()), &mut String::new(), tell),
            _ => tell(wanted, "", json),
        };
    }
}

/// Hears of what is wanted at a pointer and differs there; returns whether it wants to hear of
/// more.
type Tell<'a> = dyn FnMut(&Wanted, &str, Option<&str>) -> bool + 'a;

impl Wanted {
    fn read(json: &str) -> Result<Self, serde_json::Error> {
        Ok(match json.as_bytes().first() {
            Some(b'{') => {
                let members: BTreeMap<String, &RawValue> = serde_json::from_str(json)?;
                let members = members.into_iter();
                let members = members.map(|(name, json)| Ok((name, Self::read(json.get())?)));
                Self::Object(members.collect::<Result<_, serde_json::Error>>()?)
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(json)?;
                let elements = elements.into_iter().map(|json| Self::read(json.get()));
                Self::Array(elements.collect::<Result<_, _>>()?)
            }
            _ => Self::Scalar(Literal::json(json)?, short(json)),
        })
    }

    /// Tells of the places in `json` that differ until `tell` has heard enough; returns whether it
    /// wants to hear of more.
    fn compare(&self, json: Option<&str>, pointer: &mut String, tell: &mut Tell<'_>) -> bool {
        match (self, json) {
            (Self::Object(wanted), Some(json)) if json.starts_with('{') => {
                // A name may be half a surrogate pair, which is no text.
                let Ok(found) = serde_json::from_str::<HashMap<String, &RawValue>>(json) else {
                    return tell(self, pointer, Some(json));
                };
                wanted.iter().all(|(name, wanted)| {
                    let found = found.get(name).map(|json| json.get());
                    let name = name.replace('~', "~0").replace('/', "~1");
                    wanted.compare_below(&name, found, pointer, tell)
                })
            }
            (Self::Array(wanted), Some(json)) if json.starts_with('[') => {
                let found: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
                if found.len() != wanted.len() {
                    return tell(self, pointer, Some(json));
                }
                let mut pairs = wanted.iter().zip(found).enumerate();
                pairs.all(|(index, (wanted, found))| {
                    wanted.compare_below(&index.to_string(), Some(found.get()), pointer, tell)
                })
            }
            (Self::Scalar(wanted, _), Some(json)) if wanted.equals(json) => true,
            _ => tell(self, pointer, json),
        }
    }

    fn compare_below(
        &self,
        token: &str,
        json: Option<&str>,
        pointer: &mut String,
        tell: &mut Tell<'_>,
    ) -> bool {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(token);
        let goes_on = self.compare(json, pointer, tell);
        pointer.truncate(length);
        goes_on
    }

    /// How many scalars it has; an empty array or object counts as one.
    fn size(&self) -> usize {
        let inside: usize = match self {
            Self::Object(members) => members.iter().map(|(_, wanted)| wanted.size()).sum(),
            Self::Array(elements) => elements.iter().map(Self::size).sum(),
            Self::Scalar(..) => 1,
        };
        inside.max(1)
    }

    fn differs(&self, pointer: &str, found: Option<&str>) -> Difference {
        Difference {
            pointer: pointer.to_owned(),
            wanted: match self {
                Self::Object(_) => "an object".to_owned(),
                Self::Array(elements) if elements.len() == 1 => "an array of 1".to_owned(),
                Self::Array(elements) => format!("an array of {}", elements.len()),
                Self::Scalar(_, text) => text.clone(),
            },
            found: found.map(short),
        }
    }
}

/// The beginning of a text, for an error.
fn short(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(wanted: &str, json: &str) -> bool {
        let subset: Subset = wanted.parse().unwrap();
        let matches = subset.matches(Some(json));
        let (count, first) = subset.differences(Some(json));
        assert_eq!(matches, count == 0);
        assert_eq!(matches, first.is_none());
        matches
    }

    fn difference(wanted: &str, json: &str) -> String {
        let (_, first) = wanted.parse::<Subset>().unwrap().differences(Some(json));
        first.unwrap().to_string()
    }

    #[test]
    fn a_value_may_hold_more_but_not_less() {
        let json =
            r#"{"id":7,"user":{"name":"ann","age":30},"tags":["a",{"k":1,"l":2}],"none":null}"#;
        for wanted in [
            "{}",
            r#"{"id":7}"#,
            r#" { "id" : 7.0 } "#,
            r#"{"user":{"age":30}}"#,
            r#"{"tags":["a",{"k":1}]}"#,
            r#"{"none":null}"#,
            r#"{"user":{"name":"\u0061nn"}}"#,
            json,
        ] {
            assert!(matches(wanted, json), "{wanted}");
        }
        for wanted in [
            r#"{"id":8}"#,
            r#"{"id":"7"}"#,
            r#"{"user":{"age":30,"city":"x"}}"#,
            r#"{"tags":["a"]}"#,
            r#"{"tags":[{"k":1},"a"]}"#,
            r#"{"none":0}"#,
            r#"{"missing":null}"#,
            "[]",
            "7",
        ] {
            assert!(!matches(wanted, json), "{wanted}");
        }
    }

    #[test]
    fn numbers_are_exact_and_the_last_of_a_repeated_name_counts() {
        assert!(!matches("9007199254740993", "9007199254740992"));
        assert!(matches(
            r#"{"n":100000000000000000000000}"#,
            r#"{"n":1e23}"#
        ));
        assert!(matches(r#"{"a":2}"#, r#"{"a":1,"a":2}"#));
    }

    #[test]
    fn what_is_not_json_holds_nothing() {
        for json in ["", "{", "text", r#"{"a":1"#, "[1", r#"{"a":1}x"#] {
            assert!(!matches(r#"{"a":1}"#, json), "{json}");
            assert!(!matches("{}", json), "{json}");
        }
        let subset: Subset = "{}".parse().unwrap();
        assert!(!subset.matches(None));
    }

    #[test]
    fn a_difference_says_where_and_what() {
        let json = r#"{"a":{"b/c":[1,2]},"s":"x"}"#;
        for (wanted, expected) in [
            (r#"{"s":"y"}"#, r#"/s is "x", not "y""#),
            (r#"{"a":{"b/c":[1,3]}}"#, "/a/b~1c/1 is 2, not 3"),
            (
                r#"{"a":{"b/c":[1]}}"#,
                "/a/b~1c is [1,2], not an array of 1",
            ),
            (r#"{"z":{}}"#, "/z is not there, wanted an object"),
            ("7", r#"it is {"a":{"b/c":[1,2]},"s":"x"}, not 7"#),
        ] {
            assert_eq!(difference(wanted, json), expected);
        }
        let long = format!(r#"{{"a":"{}"}}"#, "ä".repeat(100));
        assert!(difference(r#"{"a":1}"#, &long).ends_with("ä…, not 1"));
    }

    #[test]
    fn the_scalars_that_differ_are_counted() {
        let subset: Subset = r#"{"a":1,"b":{"c":2,"d":3}}"#.parse().unwrap();
        assert_eq!(subset.differences(Some(r#"{"a":1,"b":{"c":2}}"#)).0, 1);
        assert_eq!(subset.differences(Some(r#"{"b":{"c":0}}"#)).0, 3);
        assert_eq!(subset.differences(None).0, 3);
        assert_eq!(subset.differences(Some(r#"{"a":1,"b":4}"#)).0, 2);
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_refused() {
        for text in ["", "{", "{'a':1}", "{} {}", &"[".repeat(100_000)] {
            assert!(text.parse::<Subset>().is_err());
        }
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(deep.parse::<Subset>().is_err());
        assert!(!matches("[[1]]", &deep));
    }

    proptest! {
        #[test]
        fn everything_holds_itself_and_nothing_panics(text in "\\PC{0,12}", name in "[a/~]{0,2}", number: f64) {
            let json = serde_json::json!({ &name: [text, number, { &name: null }] }).to_string();
            let subset: Subset = json.parse().unwrap();
            prop_assert!(subset.matches(Some(&json)));
            prop_assert!(!subset.matches(Some(&json[..json.len() - 1])));
            let _ = text.parse::<Subset>().map(|subset| subset.matches(Some(&json)));
            let _ = subset.differences(Some(&text));
        }
    }
}
