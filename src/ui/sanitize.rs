//! Text of strangers, made fit for a terminal: nothing that comes out can move the cursor, set a
//! colour or a title, fill the clipboard, make the terminal answer, or reorder what is read.
//!
//! Escaped are C0 but tab and newline, DEL, C1, the line and paragraph separators, the marks that
//! change the direction of text (UAX #9; CVE-2021-42574), what is there and cannot be seen, such as
//! a byte order mark or the tags that hide text, and bytes that are not UTF-8. The joiners of
//! emoji and of many scripts stay.

use std::fmt::{self, Write};

/// Appends `bytes` to `out` with what is harmful escaped: `\x1b`, `\u{202e}`, `\xff`.
///
/// Tab and newline stay. A backslash is not escaped: the result is for reading, not for parsing.
pub fn sanitize_into(bytes: &[u8], out: &mut Vec<u8>) {
    append(bytes, is_harmful, out);
}

/// Appends `bytes` to `out` as [`sanitize_into`] does, and without a line break (`\n`).
pub fn one_line_into(bytes: &[u8], out: &mut Vec<u8>) {
    append(bytes, breaks_line, out);
}

/// Displays text in a message as [`one_line_into`] writes it: topic names, broker text, file names.
#[derive(Clone, Copy, Debug)]
pub struct OneLine<'a>(pub &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(self.0, breaks_line, formatter)
    }
}

fn is_harmful(character: char) -> bool {
    match character {
        '\t' | '\n' => false,
        // What changes the direction of text or separates lines.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // What cannot be seen.
        | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}' => {
            true
        }
        _ => character.is_control(),
    }
}

fn breaks_line(character: char) -> bool {
    character == '\n' || is_harmful(character)
}

fn append(bytes: &[u8], escaped: fn(char) -> bool, out: &mut Vec<u8>) {
    let mut out = Utf8(out);
    for chunk in bytes.utf8_chunks() {
        // Writing to a `Vec` does not fail.
        let _ = escape(chunk.valid(), escaped, &mut out);
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

fn escape(text: &str, escaped: fn(char) -> bool, out: &mut impl Write) -> fmt::Result {
    let mut rest = text;
    while let Some(index) = rest.find(escaped) {
        out.write_str(&rest[..index])?;
        let mut characters = rest[index..].chars();
        match characters.next() {
            Some('\n') => out.write_str("\\n")?,
            Some('\r') => out.write_str("\\r")?,
            Some(character @ ..'\u{80}') => write!(out, "\\x{:02x}", u32::from(character))?,
            Some(character) => write!(out, "\\u{{{:x}}}", u32::from(character))?,
            None => {}
        }
        rest = characters.as_str();
    }
    out.write_str(rest)
}

struct Utf8<'a>(&'a mut Vec<u8>);

impl Write for Utf8<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sanitized(bytes: impl AsRef<[u8]>) -> String {
        let mut out = Vec::new();
        sanitize_into(bytes.as_ref(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (name, text, expected) in [
            (
                "clipboard",
                "\x1b]52;c;ZXZpbA==\x07",
                "\\x1b]52;c;ZXZpbA==\\x07",
            ),
            ("title", "\x1b]0;evil\x1b\\", "\\x1b]0;evil\\x1b\\"),
            ("cursor report", "\x1b[6n", "\\x1b[6n"),
            ("C1 CSI", "\u{9b}6n", "\\u{9b}6n"),
            ("next line", "a\u{85}b", "a\\u{85}b"),
            ("bell, NUL, DEL", "\x07\0\x7f", "\\x07\\x00\\x7f"),
            ("overprint", "safe\rEVIL", "safe\\rEVIL"),
            ("bidi override", "\u{202e}txt.exe", "\\u{202e}txt.exe"),
            (
                "zero width",
                "ad\u{200b}min\u{feff}",
                "ad\\u{200b}min\\u{feff}",
            ),
            ("tags", "a\u{e0041}b", "a\\u{e0041}b"),
            (
                "joiners",
                "👨\u{200d}👩 می\u{200c}خواهم",
                "👨\u{200d}👩 می\u{200c}خواهم",
            ),
            ("bidi isolate", "\u{2066}a\u{2069}", "\\u{2066}a\\u{2069}"),
            (
                "direction marks",
                "\u{61c}\u{200e}\u{200f}",
                "\\u{61c}\\u{200e}\\u{200f}",
            ),
            ("separators", "\u{2028}\u{2029}", "\\u{2028}\\u{2029}"),
            ("what is fine", "a\tb\nç 日本 🦀 \\n", "a\tb\nç 日本 🦀 \\n"),
        ] {
            assert_eq!(sanitized(text), expected, "{name}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_shown_one_by_one() {
        assert_eq!(sanitized(b"a\xff\xfeb\xe2\x82"), "a\\xff\\xfeb\\xe2\\x82");
        assert_eq!(sanitized(b"\x9b6n"), "\\x9b6n");
        assert_eq!(sanitized(b"\xed\xa0\x80"), "\\xed\\xa0\\x80");
    }

    #[test]
    fn one_line_stays_one_line() {
        assert_eq!(
            OneLine("a\nerror: \x1b[2Jb\tc").to_string(),
            "a\\nerror: \\x1b[2Jb\tc"
        );
        let mut out = Vec::new();
        one_line_into(b"a\nb\xff", &mut out);
        assert_eq!(out, b"a\\nb\\xff");
    }

    proptest! {
        #[test]
        fn nothing_harmful_comes_out(bytes: Vec<u8>, text in "[\\x00-\\x{a0}\\x{600}-\\x{620}\\x{2000}-\\x{2070}]*") {
            for input in [bytes.as_slice(), text.as_bytes()] {
                for character in sanitized(input).chars() {
                    let code = u32::from(character);
                    prop_assert!(code >= 0x20 || code == 9 || code == 10);
                    prop_assert!(!(0x7f..=0x9f).contains(&code));
                    prop_assert!(![0x61c, 0x200e, 0x200f].contains(&code));
                    prop_assert!(!(0x2028..=0x202e).contains(&code));
                    prop_assert!(!(0x2066..=0x2069).contains(&code));
                }
                let mut line = Vec::new();
                one_line_into(input, &mut line);
                prop_assert!(!line.contains(&b'\n'));
            }
        }

        #[test]
        fn text_without_harm_comes_out_unchanged(text in "[ -~\\t\\n\\x{a1}-\\x{500}一-龠]*") {
            prop_assert_eq!(sanitized(&text), text);
        }
    }
}
