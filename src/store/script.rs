//! Files of statements: where each begins and ends, so that what is wrong with one has a place.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::Error;

/// `--sql FILE`, or `--sql TYPE=FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The statements run for records of this type alone.
    pub only: Option<String>,
    /// Where they are.
    pub path: PathBuf,
}

/// Why a text names no file of statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected FILE or TYPE=FILE")]
pub struct ScriptNameError;

impl FromStr for Script {
    type Err = ScriptNameError;

    /// A type has no `/`, so `./a=b.sql` is a file.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (only, path) = match text.split_once('=') {
            Some((only, path)) if !only.contains('/') => (Some(only), path),
            _ => (None, text),
        };
        if path.is_empty() || only == Some("") {
            return Err(ScriptNameError);
        }
        Ok(Self {
            only: only.map(str::to_owned),
            path: path.into(),
        })
    }
}

/// One statement of a file.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// Name of the file.
    file: Arc<str>,
    /// The line that it begins in, from 1, and the column in bytes.
    line: usize,
    column: usize,
    pub(super) sql: String,
}

impl Statement {
    /// The place of the byte at `offset` of the statement: `FILE:LINE:COLUMN`.
    pub(super) fn place(&self, offset: usize) -> String {
        let before = self.sql.get(..offset).unwrap_or_default();
        let (line, column) = match before.rfind('\n') {
            Some(feed) => (
                self.line + before.matches('\n').count(),
                before.len() - feed,
            ),
            None => (self.line, self.column + before.len()),
        };
        format!("{}:{line}:{column}", self.file)
    }

    /// Its first word, in lower case.
    pub(super) fn verb(&self) -> String {
        let letters = self.sql.chars().take_while(char::is_ascii_alphabetic);
        letters.map(|letter| letter.to_ascii_lowercase()).collect()
    }
}

/// Reads the statements of a file.
pub(super) fn read(path: &Path) -> Result<Vec<Statement>, Error> {
    let name = path.display().to_string();
    let read = if path == Path::new("-") {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    } else {
        std::fs::read_to_string(path)
    };
    let text = read.map_err(|source| Error::Unreadable {
        path: name.clone(),
        source,
    })?;
    Ok(split(&name, &text))
}

/// Splits a text at the semicolons that end a statement: those in strings, comments and the body of a trigger do not.
pub(super) fn split(name: &str, text: &str) -> Vec<Statement> {
    let file: Arc<str> = name.into();
    let mut statements = Vec::new();
    let mut scan = Scan { text, at: 0 };
    let mut words = Words::default();
    let mut start = None;
    while let Some((token, at)) = scan.next() {
        if matches!(token, Token::Blank) {
            continue;
        }
        if matches!(token, Token::Semicolon) && (start.is_none() || words.is_open()) {
            words = words.and_semicolon();
            continue;
        }
        let begun = *start.get_or_insert(at);
        match token {
            Token::Semicolon => {
                statements.push(statement(&file, text, begun, at));
                start = None;
                words = Words::default();
            }
            Token::Word(word) => words = words.and(&word.to_ascii_lowercase()),
            _ => words = words.and(""),
        }
    }
    if let Some(begun) = start {
        statements.push(statement(&file, text, begun, text.len()));
    }
    statements
}

fn statement(file: &Arc<str>, text: &str, start: usize, end: usize) -> Statement {
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |feed| feed + 1);
    Statement {
        file: file.clone(),
        line: before.matches('\n').count() + 1,
        column: start - line_start + 1,
        sql: text[start..end].trim_end().to_owned(),
    }
}

/// What has been seen of a statement, as far as it decides whether a semicolon ends it: `CREATE [TEMP] TRIGGER` ends with
/// `; END;`, as for `sqlite3_complete`.
#[derive(Clone, Copy, Default)]
enum Words {
    #[default]
    Nothing,
    Create,
    Others,
    Trigger,
    TriggerSemicolon,
    TriggerEnd,
}

impl Words {
    fn and(self, word: &str) -> Self {
        match (self, word) {
            (Self::Nothing, "create") | (Self::Create, "temp" | "temporary") => Self::Create,
            (Self::TriggerSemicolon, "end") => Self::TriggerEnd,
            (Self::Create, "trigger")
            | (Self::Trigger | Self::TriggerSemicolon | Self::TriggerEnd, _) => Self::Trigger,
            _ => Self::Others,
        }
    }

    fn and_semicolon(self) -> Self {
        if self.is_open() {
            Self::TriggerSemicolon
        } else {
            self
        }
    }

    fn is_open(self) -> bool {
        matches!(self, Self::Trigger | Self::TriggerSemicolon)
    }
}

enum Token<'a> {
    Blank,
    Semicolon,
    Word(&'a str),
    Other,
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    /// The next token, and where it begins.
    fn next(&mut self) -> Option<(Token<'a>, usize)> {
        let start = self.at;
        let rest = &self.text[start..];
        let first = rest.chars().next()?;
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
        let through = |end: Option<usize>| end.unwrap_or(rest.len());
        let (token, length) = if first.is_whitespace() {
            (Token::Blank, first.len_utf8())
        } else if rest.starts_with("--") {
            (Token::Blank, through(rest.find('\n')))
        } else if let Some(comment) = rest.strip_prefix("/*") {
            (Token::Blank, through(comment.find("*/").map(|end| end + 4)))
        } else if first == ';' {
            (Token::Semicolon, 1)
        } else if let '\'' | '"' | '`' | '[' = first {
            let close = if first == '[' { ']' } else { first };
            (
                Token::Other,
                through(rest[1..].find(close).map(|end| end + 2)),
            )
        } else if is_word(first) {
            let end = through(rest.find(|letter| !is_word(letter)));
            (Token::Word(&rest[..end]), end)
        } else {
            (Token::Other, first.len_utf8())
        };
        self.at += length;
        Some((token, start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_up(text: &str) -> Vec<(String, String)> {
        let statements = split("f", text);
        let told = statements.iter().map(|one| (one.place(0), one.sql.clone()));
        told.collect()
    }

    #[test]
    fn statements_end_at_semicolons_that_are_not_in_strings_comments_or_triggers() {
        let found = split_up(
            "-- a; comment\nSELECT ';' /* ; */ ; ;\n  INSERT INTO \"a;b\" VALUES ('it''s;');\n\
             CREATE TEMP TRIGGER t AFTER INSERT ON x BEGIN\n  SELECT 1; SELECT CASE 1 WHEN 1 THEN 2 END;\n END;\nSELECT 2",
        );
        let sql: Vec<&str> = found.iter().map(|(_, sql)| sql.as_str()).collect();
        assert_eq!(
            sql,
            [
                "SELECT ';' /* ; */",
                "INSERT INTO \"a;b\" VALUES ('it''s;')",
                "CREATE TEMP TRIGGER t AFTER INSERT ON x BEGIN\n  SELECT 1; SELECT CASE 1 WHEN 1 THEN 2 END;\n END",
                "SELECT 2",
            ]
        );
        let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places, ["f:2:1", "f:3:3", "f:4:1", "f:7:1"]);
    }

    #[test]
    fn a_place_within_a_statement_has_its_own_line_and_column() {
        let statements = split("f.sql", "\n SELECT a,\n   b");
        assert_eq!(statements[0].place(7), "f.sql:2:9");
        assert_eq!(statements[0].place(13), "f.sql:3:4");
        assert_eq!(statements[0].verb(), "select");
    }

    #[test]
    fn what_is_not_ended_is_a_statement_too_and_blanks_are_none() {
        assert!(split_up(" \n-- nothing\n;;/* open").is_empty());
        assert_eq!(split_up("SELECT 'open").len(), 1);
    }

    #[test]
    fn a_type_stands_before_the_first_sign_of_equality() {
        let script = |text: &str| text.parse::<Script>().map(|one| (one.only, one.path));
        let of = |only: &str, path: &str| Ok((Some(only.to_owned()), PathBuf::from(path)));
        assert_eq!(script("a.sql"), Ok((None, "a.sql".into())));
        assert_eq!(
            script("OrderCreated=a=b.sql"),
            of("OrderCreated", "a=b.sql")
        );
        assert_eq!(script("./a=b.sql"), Ok((None, "./a=b.sql".into())));
        for wrong in ["", "=a.sql", "T="] {
            assert_eq!(script(wrong), Err(ScriptNameError));
        }
    }
}
