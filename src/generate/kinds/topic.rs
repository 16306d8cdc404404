//! Which kind of data a topic is for.

use super::{AnyKind, named};

/// The kind that a topic gets when nothing says which.
const GENERAL: &str = "event";

/// Words in the names of topics, and the kind that each stands for.
const WORDS: [(&str, &str); 27] = [
    ("sensor", "sensor"),
    ("device", "sensor"),
    ("iot", "sensor"),
    ("telemetry", "sensor"),
    ("weather", "weather"),
    ("climate", "weather"),
    ("payment", "payment"),
    ("transaction", "payment"),
    ("billing", "payment"),
    ("order", "order"),
    ("restaurant", "order"),
    ("delivery", "order"),
    ("user", "user"),
    ("account", "user"),
    ("customer", "user"),
    ("message", "message"),
    ("chat", "message"),
    ("presence", "presence"),
    ("online", "presence"),
    ("call", "call"),
    ("audit", "audit"),
    ("login", "audit"),
    ("security", "audit"),
    ("analytic", "analytics"),
    ("click", "analytics"),
    ("view", "analytics"),
    ("metric", "analytics"),
];

/// Why a topic gets its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The request says so.
    Type,
    /// A word in its name does.
    Name,
    /// Nothing says anything, so it gets general events.
    Nothing,
}

/// Returns the kind for a topic: that of its request's type, else that of the first word of its
/// name that stands for one, else general events.
///
/// # Panics
/// Never: every kind named here is one of [`super::all`].
pub fn for_topic(topic: &str, request_type: Option<&str>) -> (Box<dyn AnyKind>, Because) {
    if let Some(kind) = request_type.and_then(named) {
        return (kind, Because::Type);
    }
    let lower = topic.to_ascii_lowercase();
    let by_name = lower
        .split(|letter: char| !letter.is_ascii_alphabetic())
        .find_map(|word| {
            let singular = word.strip_suffix('s').unwrap_or(word);
            let (_, kind) = WORDS.iter().find(|(known, _)| *known == singular)?;
            Some(*kind)
        });
    let because = by_name.map_or(Because::Nothing, |_| Because::Name);
    let kind = named(by_name.unwrap_or(GENERAL)).expect("the kinds of the table are there");
    (kind, because)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_decides_then_a_word_then_nothing() {
        for (topic, request_type, kind, because) in [
            ("orders", Some("payment"), "payment", Because::Type),
            ("orders", Some("nonesuch"), "order", Because::Name),
            ("orders", None, "order", Because::Name),
            ("eu.user-events", None, "user", Because::Name),
            ("SENSOR_42", None, "sensor", Because::Name),
            ("my-PageViews", None, "event", Because::Nothing),
            ("recorder", None, "event", Because::Nothing),
            ("", None, "event", Because::Nothing),
        ] {
            let (found, why) = for_topic(topic, request_type);
            assert_eq!((found.name(), why), (kind, because), "{topic}");
        }
    }

    #[test]
    fn every_word_stands_for_a_kind() {
        for (word, kind) in WORDS {
            assert_eq!(for_topic(word, None).0.name(), kind);
            assert_eq!(for_topic(&format!("{word}s"), None).0.name(), kind);
        }
    }
}
