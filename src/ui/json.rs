//! JSON for people: in colour, spread over lines, every number, name and string as it was.

use anstyle::{AnsiColor, Style};
use serde_json::value::RawValue;

use super::fold::{Sheet, columns};

pub(super) const NAME: Style = AnsiColor::Blue.on_default();
pub(super) const STRING: Style = AnsiColor::Green.on_default();
pub(super) const NUMBER: Style = AnsiColor::Cyan.on_default();
/// `true`, `false` and `null`.
pub(super) const LITERAL: Style = AnsiColor::Magenta.on_default();

/// Longer texts are not looked at for whether they are JSON.
const LOOK_LIMIT: usize = 1024 * 1024;
/// Levels that are indented; deeper ones would be white space alone.
const INDENT_LIMIT: usize = 16;

/// An object or array, to be written for people.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json<'a> {
    text: &'a str,
    /// Each element gets its line.
    is_spread: bool,
}

impl<'a> Json<'a> {
    /// Takes a text that is a JSON object or array, to be spread over lines when it fits in no
    /// line of `width` and is of one line itself.
    pub(super) fn find(text: &'a str, width: usize) -> Option<Self> {
        let begins = text.trim_ascii_start().starts_with(['{', '[']);
        if !begins || text.len() > LOOK_LIMIT || serde_json::from_str::<&RawValue>(text).is_err() {
            return None;
        }
        // A character takes up to four bytes.
        let is_short = text.len() <= width * 4 && columns(text) <= width;
        Some(Self {
            text,
            is_spread: !is_short && !text.contains('\n'),
        })
    }

    /// Takes any JSON, to be spread over lines.
    pub(super) fn spread(json: &'a RawValue) -> Self {
        Self {
            text: json.get(),
            is_spread: true,
        }
    }

    /// Writes it without reading it into values: those would round numbers and drop repeated
    /// names. Ends after `limit` bytes; tells how many bytes there was room for.
    pub(super) fn write(self, indent: usize, limit: usize, sheet: &mut Sheet<'_>) -> usize {
        let mut depth = 0_usize;
        let mut place = 0;
        while place < self.text.len() {
            let rest = &self.text[place..];
            let token = token(rest);
            let (style, next) = (style(token, rest), depth_after(token, depth));
            let closes = next < depth && !opens_and_closes(token);
            depth = next;
            let column = indent + depth.min(INDENT_LIMIT) * 2;
            let begin_line = |sheet: &mut Sheet<'_>| sheet.begin_line(column, column + 4);
            let is_space = token.starts_with([' ', '\t', '\r', '\n']);
            let is_rewritten = is_space || opens_and_closes(token);
            if self.is_spread && is_rewritten && place + token.len() > limit {
                return place;
            }
            if self.is_spread && is_space {
                place += token.len();
                continue;
            }
            if self.is_spread && closes {
                begin_line(sheet);
            }
            if self.is_spread && opens_and_closes(token) {
                let pair = [&token[..1], &token[token.len() - 1..]].concat();
                sheet.write(style, &pair);
            } else {
                let end = token.floor_char_boundary(limit.saturating_sub(place));
                let written = sheet.write_lines(style, &token[..end]);
                if written < token.len() {
                    return place + written;
                }
            }
            place += token.len();
            match token {
                "{" | "[" | "," if self.is_spread => begin_line(sheet),
                ":" if self.is_spread => {
                    sheet.write(style, " ");
                }
                _ => {}
            }
            if sheet.is_full() {
                return place;
            }
        }
        place
    }
}

/// The first token of what is left of a valid text: white space, a string, a number or literal,
/// an object or array without elements, or a sign.
fn token(text: &str) -> &str {
    let bytes = text.as_bytes();
    let length = match bytes[0] {
        b'"' => string_length(bytes),
        b'{' | b'[' => {
            let inside = bytes[1..].iter();
            let spaces = inside.take_while(|byte| byte.is_ascii_whitespace()).count();
            match bytes.get(1 + spaces) {
                Some(b'}' | b']') => spaces + 2,
                _ => 1,
            }
        }
        b'}' | b']' | b',' | b':' => 1,
        byte if byte.is_ascii_whitespace() => {
            let spaces = bytes.iter();
            spaces.take_while(|byte| byte.is_ascii_whitespace()).count()
        }
        _ => {
            let ends = |byte: &u8| byte.is_ascii_whitespace() || b",]}:".contains(byte);
            bytes.iter().position(ends).unwrap_or(bytes.len())
        }
    };
    &text[..length]
}

/// With both quotation marks.
fn string_length(bytes: &[u8]) -> usize {
    let mut is_escaped = false;
    for (index, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    bytes.len()
}

fn opens_and_closes(token: &str) -> bool {
    token.starts_with(['{', '[']) && token.len() > 1
}

fn depth_after(token: &str, depth: usize) -> usize {
    match token {
        "{" | "[" => depth + 1,
        "}" | "]" => depth.saturating_sub(1),
        _ => depth,
    }
}

/// The style of the token that `rest` begins with.
fn style(token: &str, rest: &str) -> Style {
    match token.as_bytes()[0] {
        b'"' if rest[token.len()..].trim_ascii_start().starts_with(':') => NAME,
        b'"' => STRING,
        b'-' | b'0'..=b'9' => NUMBER,
        b't' | b'f' | b'n' => LITERAL,
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn written(json: Json<'_>, width: usize, limit: usize, color: bool) -> (String, usize) {
        let mut out = Vec::new();
        let written = json.write(0, limit, &mut Sheet::new(&mut out, width, color));
        (String::from_utf8(out).unwrap(), written)
    }

    fn spread(text: &str) -> Json<'_> {
        Json {
            text,
            is_spread: true,
        }
    }

    fn indented(text: &str) -> String {
        written(spread(text), usize::MAX / 4, usize::MAX, false).0
    }

    #[test]
    fn every_element_has_its_line_and_nothing_is_rewritten() {
        let json = r#"{"n" : 1.50,"n":9007199254740993,"o":{ },"a":[],"s":"a, {\"b\\","l":[1,{"x":null}]}"#;
        let expected = r#"{
  "n": 1.50,
  "n": 9007199254740993,
  "o": {},
  "a": [],
  "s": "a, {\"b\\",
  "l": [
    1,
    {
      "x": null
    }
  ]
}"#;
        assert_eq!(indented(json), expected);
    }

    #[test]
    fn what_fits_stays_in_its_line_and_what_has_lines_keeps_them() {
        let short = r#"{"a": [1,  2]}"#;
        let json = Json::find(short, 14).unwrap();
        assert_eq!(written(json, 80, usize::MAX, false).0, short);
        assert!(Json::find(short, 13).unwrap().is_spread);
        let lines = "{\n \"a\":\t1}";
        let json = Json::find(lines, 1).unwrap();
        assert_eq!(written(json, 80, usize::MAX, false).0, "{\n \"a\":   1}");
        for other in ["", "1", "\"{\"", "{", "{\"a\":}", "[1] [2]", "nul"] {
            assert!(Json::find(other, 80).is_none(), "{other}");
        }
    }

    #[test]
    fn names_strings_numbers_and_literals_have_their_colours() {
        let json = Json::find(r#"{"a" : ["b",-1,true,null]}"#, 80).unwrap();
        let (text, _) = written(json, 80, usize::MAX, true);
        for (style, token) in [
            (NAME, "\"a\""),
            (STRING, "\"b\""),
            (NUMBER, "-1"),
            (LITERAL, "true"),
            (LITERAL, "null"),
        ] {
            assert!(text.contains(&format!("{style}{token}{style:#}")), "{text}");
        }
    }

    #[test]
    fn it_ends_at_the_limit_and_tells_where() {
        let text = r#"{"a":"äää","b":[ ]}"#;
        assert_eq!(
            written(spread(text), 80, 9, false),
            ("{\n  \"a\": \"ä".into(), 8)
        );
        for limit in 0..text.len() {
            assert!(written(spread(text), 80, limit, false).1 <= limit);
        }
        assert_eq!(written(spread(text), 80, text.len(), false).1, text.len());
        let mut out = Vec::new();
        let mut sheet = Sheet::new(&mut out, 80, false);
        sheet.limit_lines(2);
        assert_eq!(spread("[1,2,3]").write(0, 99, &mut sheet), 3);
        assert_eq!(String::from_utf8(out).unwrap(), "[\n  1,");
    }

    #[test]
    fn depth_does_not_multiply_the_length() {
        let deep = "[".repeat(2000) + &"]".repeat(2000);
        assert!(indented(&deep).len() < 200_000);
    }

    proptest! {
        #[test]
        fn indented_json_means_the_same(
            texts in prop::collection::vec("[ -~ä漢👨]{0,8}", 0..4),
            number: i64,
            nested in prop::collection::vec(prop::collection::vec(any::<bool>(), 0..3), 0..3),
        ) {
            let mut value = serde_json::json!({ "a": texts, "n": number, "b": nested });
            for text in texts {
                value[&text] = Value::from(text.as_str());
            }
            let again: Value = serde_json::from_str(&indented(&value.to_string())).unwrap();
            prop_assert_eq!(again.to_string(), value.to_string());
        }
    }
}
