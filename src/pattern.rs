//! Regular expressions that a user typed, and what is wrong with them in one line.

/// Why a text is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a regular expression: {reason}")]
pub struct PatternError {
    text: String,
    reason: String,
}

impl PatternError {
    /// Says what `error` says of `text`, without the drawing that points at the place.
    pub fn new(text: &str, error: &regex::Error) -> Self {
        let words = error.to_string();
        let last = words.lines().last().unwrap_or_default();
        Self {
            text: text.to_owned(),
            reason: last.trim_start_matches("error: ").to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_told_without_the_drawing() {
        let text = "a\n[";
        let error = regex::Regex::new(text).unwrap_err();
        assert_eq!(
            PatternError::new(text, &error).to_string(),
            "`a\n[` is not a regular expression: unclosed character class"
        );
        let text = "\\w{1000}{1000}";
        let error = regex::Regex::new(text).unwrap_err();
        let text = PatternError::new(text, &error).to_string();
        assert!(text.contains("exceeds size limit"), "{text}");
    }
}
