//! The letters of `-f`, from text.

use data_encoding::{BASE64, HEXLOWER};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Segment, Template};

/// Why a text is no template. Positions count characters from 1.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// `%` before a letter that means nothing.
    #[error("`%{letter}` at {position} means nothing: expected one of {LETTERS}")]
    UnknownLetter {
        /// What follows the `%`.
        letter: char,
        /// Of the `%`.
        position: usize,
    },
    /// `%` at the end.
    #[error("`%` at {position} lacks its letter: expected one of {LETTERS}")]
    NoLetter {
        /// Of the `%`.
        position: usize,
    },
    /// Braces that the letter does not take.
    #[error("`%{letter}{{{modifier}}}` at {position} means nothing: {}", accepted(*letter))]
    UnknownModifier {
        /// The letter before the braces.
        letter: char,
        /// What stands in the braces.
        modifier: String,
        /// Of the `%`.
        position: usize,
    },
    /// A brace that is not closed.
    #[error("`{{` at {position} is not closed")]
    Unclosed {
        /// Of the brace.
        position: usize,
    },
    /// strftime's letters that cannot be written.
    #[error("`{format}` at {position} is not a time format")]
    TimeFormat {
        /// What stands in the braces.
        format: String,
        /// Of the `%`.
        position: usize,
        /// What is wrong with it.
        source: jiff::Error,
    },
    /// A backslash before something that it does not escape.
    #[error("`\\` at {position} escapes nothing: expected one of \\n \\t \\r \\0 \\\\ \\xHH")]
    UnknownEscape {
        /// Of the backslash.
        position: usize,
    },
}

const LETTERS: &str = "%t %p %o %k %K %s %S %R %T %h %%";

fn accepted(letter: char) -> &'static str {
    match letter {
        'k' | 's' => "expected `hex` or `base64`",
        'T' | 'd' => "expected `RFC3339` or letters of strftime such as `%Y-%m-%d`",
        _ => "it takes no modifier, and `\\x7b` writes a brace",
    }
}

impl Template {
    /// Reads a template; `zone` is that of times in strftime's letters, RFC 3339 is in UTC.
    ///
    /// # Errors
    /// Every [`TemplateError`].
    pub fn parse(text: &str, zone: TimeZone) -> Result<Self, TemplateError> {
        let mut segments = Vec::new();
        let mut literal = Vec::new();
        let mut rest = text;
        let position = |rest: &str| text[..text.len() - rest.len()].chars().count() + 1;
        while let Some(character) = rest.chars().next() {
            let after = &rest[character.len_utf8()..];
            rest = match character {
                '\\' => {
                    let (byte, after) =
                        parse_escape(after).ok_or_else(|| TemplateError::UnknownEscape {
                            position: position(rest),
                        })?;
                    literal.push(byte);
                    after
                }
                '%' if after.starts_with('%') => {
                    literal.push(b'%');
                    &after[1..]
                }
                '%' => {
                    let position = position(rest);
                    let letter = after
                        .chars()
                        .next()
                        .ok_or(TemplateError::NoLetter { position })?;
                    let after = &after[letter.len_utf8()..];
                    let (modifier, after) = match after.strip_prefix('{') {
                        None => (None, after),
                        Some(inner) => {
                            let (modifier, after) =
                                inner.split_once('}').ok_or(TemplateError::Unclosed {
                                    position: position + 2,
                                })?;
                            (Some(modifier), after)
                        }
                    };
                    if !literal.is_empty() {
                        segments.push(Segment::Literal(std::mem::take(&mut literal)));
                    }
                    segments.push(parse_segment(letter, modifier, position)?);
                    after
                }
                _ => {
                    literal.extend_from_slice(&rest.as_bytes()[..character.len_utf8()]);
                    after
                }
            };
        }
        if !literal.is_empty() {
            segments.push(Segment::Literal(literal));
        }
        Ok(Template { segments, zone })
    }
}

fn parse_escape(text: &str) -> Option<(u8, &str)> {
    let byte = match text.as_bytes().first()? {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'0' => 0,
        b'\\' => b'\\',
        b'x' => {
            let digits = text.get(1..3)?;
            // `from_str_radix` alone would take a sign.
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            return is_hex.then_some((u8::from_str_radix(digits, 16).ok()?, &text[3..]));
        }
        _ => return None,
    };
    Some((byte, &text[1..]))
}

fn parse_segment(
    letter: char,
    modifier: Option<&str>,
    position: usize,
) -> Result<Segment, TemplateError> {
    let encoding = match modifier {
        Some("hex") => Some(HEXLOWER),
        Some("base64") => Some(BASE64),
        _ => None,
    };
    Ok(match (letter, modifier) {
        ('k', _) if modifier.is_some() == encoding.is_some() => Segment::Key(encoding),
        ('s', _) if modifier.is_some() == encoding.is_some() => Segment::Value(encoding),
        ('t', None) => Segment::Topic,
        ('p', None) => Segment::Partition,
        ('o', None) => Segment::Offset,
        ('K', None) => Segment::KeyLength,
        ('S', None) => Segment::ValueLength,
        ('R', None) => Segment::ValueLengthBinary,
        ('T' | 'd', None) => Segment::Millis,
        ('T' | 'd', Some(name)) if name.eq_ignore_ascii_case("rfc3339") => Segment::Rfc3339,
        ('T' | 'd', Some(format)) if format.contains('%') => {
            // Formats once, because jiff finds mistakes only then.
            jiff::fmt::strtime::format(format, &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC))
                .map_err(|source| TemplateError::TimeFormat {
                    format: format.into(),
                    position,
                    source,
                })?;
            Segment::Time(format.into())
        }
        ('h', None) => Segment::Headers,
        ('h', Some(name)) => Segment::Header(name.into()),
        ('k' | 's' | 't' | 'p' | 'o' | 'K' | 'S' | 'R' | 'T' | 'd', Some(modifier)) => {
            return Err(TemplateError::UnknownModifier {
                letter,
                modifier: modifier.into(),
                position,
            });
        }
        _ => return Err(TemplateError::UnknownLetter { letter, position }),
    })
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn what_is_no_template_is_refused_with_its_place() {
        for (template, expected) in [
            ("äb%v", "`%v` at 3 means nothing: expected one of %t %p"),
            ("a%", "`%` at 2 lacks its letter"),
            ("%s{hex", "`{` at 3 is not closed"),
            (
                "%s{hexx}",
                "`%s{hexx}` at 1 means nothing: expected `hex` or `base64`",
            ),
            (
                "%o{%p}",
                "`%o{%p}` at 1 means nothing: it takes no modifier",
            ),
            (
                "%T{iso}",
                "`%T{iso}` at 1 means nothing: expected `RFC3339` or",
            ),
            ("x%T{%!}", "`%!` at 2 is not a time format"),
            ("a\\q", "`\\` at 2 escapes nothing"),
            ("a\\", "`\\` at 2 escapes nothing"),
            ("\\x+f", "`\\` at 1 escapes nothing"),
            ("\\xf", "`\\` at 1 escapes nothing"),
            ("\\xfä", "`\\` at 1 escapes nothing"),
        ] {
            let error = Template::parse(template, TimeZone::UTC).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
            assert_eq!(
                error.source().is_some(),
                matches!(error, TemplateError::TimeFormat { .. })
            );
        }
    }
}
