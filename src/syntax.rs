//! Why a text is not JSON, in words that take no knowledge of parsers.

use std::fmt;

/// What `serde_json` says, which lets nobody ask which of its errors it is, and what that means.
const PLAIN: [(&str, &str); 17] = [
    (
        "EOF while parsing a list",
        "the text ends inside an array, without `]`",
    ),
    (
        "EOF while parsing an object",
        "the text ends inside an object, without `}`",
    ),
    (
        "EOF while parsing a string",
        "the text ends inside a string, without `\"`",
    ),
    (
        "EOF while parsing a value",
        "the text ends where a value should be",
    ),
    ("expected ident", "expected `true`, `false` or `null`"),
    (
        "expected value",
        "expected a value; text stands in double quotes",
    ),
    ("key must be a string", "expected a name in double quotes"),
    ("trailing comma", "a comma with nothing behind it"),
    (
        "trailing characters",
        "more text behind the end of the value",
    ),
    ("invalid number", "not a number as JSON writes them"),
    ("number out of range", "a number too large"),
    (
        "invalid escape",
        "no such escape in a string; a backslash is `\\\\`",
    ),
    ("unexpected end of hex escape", HALF),
    ("lone leading surrogate in hex escape", HALF),
    ("invalid unicode code point", "not valid UTF-8"),
    (
        "control character",
        "a control character in a string, such as a tab or the end of a line; they are `\\t` and `\\n`",
    ),
    (
        "recursion limit exceeded",
        "nested more than 127 levels deep",
    ),
];

const HALF: &str = "`\\u` of half a character";

/// Says what is wrong, without the place.
pub(crate) struct Words<'a>(pub &'a serde_json::Error);

impl fmt::Display for Words<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let theirs = text
            .rsplit_once(" at line ")
            .map_or(&*text, |(words, _)| words);
        let plain = PLAIN
            .iter()
            .find_map(|(begins, plain)| theirs.starts_with(begins).then_some(*plain));
        formatter.write_str(plain.unwrap_or(theirs))
    }
}

/// An error of a text of several lines.
#[derive(Debug, thiserror::Error)]
#[error("line {}, column {}: {}", .0.line(), .0.column().max(1), Words(.0))]
pub struct Syntax(#[from] serde_json::Error);

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn told(json: &str) -> String {
        Syntax::from(serde_json::from_str::<Value>(json).unwrap_err()).to_string()
    }

    #[test]
    fn an_error_says_what_is_wrong_and_where() {
        for (json, expected) in [
            (
                "",
                "line 1, column 1: the text ends where a value should be",
            ),
            (
                "{\"a\":",
                "line 1, column 5: the text ends where a value should be",
            ),
            (
                "{\"a\":1",
                "line 1, column 6: the text ends inside an object, without `}`",
            ),
            (
                "[1,\n2",
                "line 2, column 1: the text ends inside an array, without `]`",
            ),
            (
                "\"a",
                "line 1, column 2: the text ends inside a string, without `\"`",
            ),
            ("{\"a\" 1}", "line 1, column 6: expected `:`"),
            ("{\"a\":1 2}", "line 1, column 8: expected `,` or `}`"),
            ("[1 2]", "line 1, column 4: expected `,` or `]`"),
            (
                "nul!",
                "line 1, column 4: expected `true`, `false` or `null`",
            ),
            (
                "x",
                "line 1, column 1: expected a value; text stands in double quotes",
            ),
            (
                "{a:1}",
                "line 1, column 2: expected a name in double quotes",
            ),
            (
                "{\"a\":1,}",
                "line 1, column 8: a comma with nothing behind it",
            ),
            (
                "1 2",
                "line 1, column 3: more text behind the end of the value",
            ),
            ("01", "line 1, column 2: not a number as JSON writes them"),
            ("1e999", "line 1, column 5: a number too large"),
            (
                r#""\x""#,
                "line 1, column 3: no such escape in a string; a backslash is `\\\\`",
            ),
            (r#""\ud800""#, "line 1, column 8: `\\u` of half a character"),
            (
                "\"a\tb\"",
                "line 1, column 3: a control character in a string, such as a tab or the end of a line; they are `\\t` and `\\n`",
            ),
        ] {
            assert_eq!(told(json), expected, "{json}");
        }
        assert_eq!(
            told(&"[".repeat(200)),
            "line 1, column 128: nested more than 127 levels deep"
        );
    }

    #[test]
    fn no_word_of_the_parser_is_left_as_it_is() {
        let mut left: Vec<&str> = PLAIN.iter().map(|(theirs, _)| *theirs).collect();
        for json in [
            "[",
            "{",
            "\"",
            "",
            "nul!",
            "x",
            "{a",
            "{\"a\":1,}",
            "1 2",
            "01",
            "1e999",
            r#""\x""#,
            r#""\ud800""#,
            r#""\ud800\n""#,
            r#""\udc00""#,
            "\"\t\"",
            &"[".repeat(200),
            r#""\ud800\u0000""#,
        ] {
            let error = serde_json::from_str::<Value>(json).unwrap_err().to_string();
            left.retain(|theirs| !error.starts_with(theirs));
        }
        let error = serde_json::from_slice::<Value>(b"\"\xff\"").unwrap_err();
        left.retain(|theirs| !error.to_string().starts_with(theirs));
        assert!(left.is_empty(), "{left:?}");
    }
}
