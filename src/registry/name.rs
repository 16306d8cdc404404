//! Kafka's own rules for the name of a topic (`org.apache.kafka.common.internals.Topic`).

/// The longest name: with a partition's number behind it, it is the name of a folder.
const LONGEST: usize = 249;

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a topic needs a name")]
    Empty,
    #[error("the name has {0} characters, and {LONGEST} is the most")]
    TooLong(usize),
    #[error("`.` and `..` are folders, not names")]
    Dots,
    #[error("{0:?} is in the name: Kafka takes ASCII letters, digits, `.`, `_` and `-`")]
    Character(char),
    #[error("names that begin with `__` are for Kafka's own topics")]
    Internal,
}

/// Returns all that is wrong with `name`; of several characters, the first.
pub fn check(name: &str) -> Vec<NameError> {
    let is_fit = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let length = name.chars().count();
    [
        name.is_empty().then_some(NameError::Empty),
        (length > LONGEST).then_some(NameError::TooLong(length)),
        matches!(name, "." | "..").then_some(NameError::Dots),
        name.chars()
            .find(|letter| !is_fit(*letter))
            .map(NameError::Character),
        is_internal(name).then_some(NameError::Internal),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Says whether a topic of that name is Kafka's own, such as `__consumer_offsets`.
pub fn is_internal(name: &str) -> bool {
    name.starts_with("__")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_kafka_takes_are_taken() {
        let longest = "a".repeat(249);
        for name in ["orders", "a.b_c-D9", "_schemas", "...", "-", &longest] {
            assert_eq!(check(name), [], "{name}");
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_name_is_said() {
        assert_eq!(check(""), [NameError::Empty]);
        assert_eq!(check("."), [NameError::Dots]);
        assert_eq!(check(".."), [NameError::Dots]);
        assert_eq!(check("a b"), [NameError::Character(' ')]);
        assert_eq!(check("ä"), [NameError::Character('ä')]);
        assert_eq!(check("__consumer_offsets"), [NameError::Internal]);
        assert_eq!(
            check(&format!("__{}", "/".repeat(248))),
            [
                NameError::TooLong(250),
                NameError::Character('/'),
                NameError::Internal
            ]
        );
    }
}
