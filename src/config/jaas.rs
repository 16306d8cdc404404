//! Reads the one value of `sasl.jaas.config` as Java clients do (Kafka's `JaasConfig`).
//!
//! `Class required name="value" …;` where a quoted value escapes with a backslash.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// A login module and its options; no `Debug`, for one of them is a password.
pub(super) struct Login {
    /// Name of the Java class.
    pub(super) module: String,
    /// Options by name.
    pub(super) options: BTreeMap<String, String>,
}

/// Why a `sasl.jaas.config` cannot be read; never quotes it, for it holds a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JaasError {
    /// Nothing where the class should stand.
    #[error("expected the name of a login module")]
    NoModule,
    /// No control flag behind the class.
    #[error("expected `required` after the login module")]
    NoControlFlag,
    /// An option that is not `name=value`.
    #[error("expected name=\"value\" for each option")]
    NoValue,
    /// A quote that is never closed.
    #[error("a quote is not closed")]
    OpenQuote,
    /// The end without a semicolon.
    #[error("expected `;` at the end")]
    NoSemicolon,
    /// More than one login module.
    #[error("expected one login module, and nothing after its `;`")]
    SecondModule,
}

#[derive(PartialEq, Eq)]
enum Token {
    Word(String),
    Equals,
    Semicolon,
}

/// Reads a login module and its options.
pub(super) fn parse(text: &str) -> Result<Login, JaasError> {
    let mut letters = text.chars().peekable();
    let Some(Token::Word(module)) = token(&mut letters)? else {
        return Err(JaasError::NoModule);
    };
    match token(&mut letters)? {
        Some(Token::Word(flag))
            if ["required", "requisite", "sufficient", "optional"]
                .contains(&flag.to_lowercase().as_str()) => {}
        _ => return Err(JaasError::NoControlFlag),
    }
    let mut options = BTreeMap::new();
    loop {
        match token(&mut letters)? {
            Some(Token::Semicolon) => break,
            Some(Token::Word(name)) => {
                let (Some(Token::Equals), Some(Token::Word(value))) =
                    (token(&mut letters)?, token(&mut letters)?)
                else {
                    return Err(JaasError::NoValue);
                };
                options.insert(name, value);
            }
            Some(Token::Equals) => return Err(JaasError::NoValue),
            None => return Err(JaasError::NoSemicolon),
        }
    }
    match token(&mut letters)? {
        None => Ok(Login { module, options }),
        Some(_) => Err(JaasError::SecondModule),
    }
}

fn token(letters: &mut Peekable<Chars<'_>>) -> Result<Option<Token>, JaasError> {
    while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
    Ok(match letters.next() {
        None => None,
        Some('=') => Some(Token::Equals),
        Some(';') => Some(Token::Semicolon),
        Some(quote @ ('"' | '\'')) => Some(Token::Word(quoted(letters, quote)?)),
        Some(first) => {
            let mut word = String::from(first);
            let inside =
                |letter: &char| !letter.is_whitespace() && !['=', ';', '"', '\''].contains(letter);
            while let Some(letter) = letters.next_if(inside) {
                word.push(letter);
            }
            Some(Token::Word(word))
        }
    })
}

/// The escapes of `java.io.StreamTokenizer`, but for its octal ones.
fn quoted(letters: &mut Peekable<Chars<'_>>, quote: char) -> Result<String, JaasError> {
    let mut word = String::new();
    loop {
        let letter = match letters.next().ok_or(JaasError::OpenQuote)? {
            end if end == quote => return Ok(word),
            '\\' => match letters.next().ok_or(JaasError::OpenQuote)? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                escaped => escaped,
            },
            letter => letter,
        };
        word.push(letter);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";

    fn error(text: &str) -> JaasError {
        parse(text).map(|_| ()).unwrap_err()
    }

    #[test]
    fn a_login_module_has_options_in_either_quotes_or_none() {
        let login = parse(&format!(
            "{PLAIN} required  username=\"ann\"\n password='a\"b' serviceName=kafka ;"
        ))
        .unwrap();
        assert_eq!(login.module, PLAIN);
        assert_eq!(login.options["username"], "ann");
        assert_eq!(login.options["password"], "a\"b");
        assert_eq!(login.options["serviceName"], "kafka");
    }

    #[test]
    fn what_is_wrong_is_said_without_quoting_it() {
        assert_eq!(error(" "), JaasError::NoModule);
        assert_eq!(error("Plain username=\"a\";"), JaasError::NoControlFlag);
        assert_eq!(error("Plain required username;"), JaasError::NoValue);
        assert_eq!(error("Plain required password=\"a;"), JaasError::OpenQuote);
        assert_eq!(
            error("Plain required password=\"a\""),
            JaasError::NoSemicolon
        );
        assert_eq!(
            error("Plain required password=a; Other required;"),
            JaasError::SecondModule
        );
    }

    proptest! {
        #[test]
        fn every_printable_password_survives_its_quotes(password in "\\PC*", quote in "[\"']") {
            let escaped = password.replace('\\', "\\\\").replace(&quote, &format!("\\{quote}"));
            let login = parse(&format!("{PLAIN} required password={quote}{escaped}{quote} username=u;")).unwrap();
            prop_assert_eq!(&login.options["password"], &password);
            prop_assert_eq!(&login.options["username"], "u");
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = parse(&text);
        }
    }
}
