//! Reads the `-F` file: a kcat.conf or a Java client.properties, each by its own rules.
//!
//! They differ in what a backslash means. Java continues lines and unescapes (`java.util.Properties`,
//! read as Latin-1); kcat only takes `\:` and `\=` for `:` and `=` (`read_conf_file` in kcat.c). A file
//! with a key that only Java clients have is Java's, any other is kcat's. Read once from begin to end,
//! so a pipe will do.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use java_properties::{LineContent, PropertiesIter};

use super::{ConfigError, Note, Origin, Property, java};

/// One property as the file has it; no `Debug`, for it may be a secret.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// What a file says, in librdkafka's terms; the strongest of a repeated key first.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) properties: Vec<Property>,
    pub(super) notes: Vec<Note>,
}

/// Reads a file; `-` is stdin.
pub(super) fn read(path: &Path) -> Result<Reading, ConfigError> {
    let mut bytes = Vec::new();
    let outcome = if path.as_os_str() == "-" {
        io::stdin().lock().read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    outcome.map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&bytes, path)
}

/// Reads the content of a file.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Reading, ConfigError> {
    let java = String::from_utf8_lossy(bytes)
        .lines()
        .any(|line| java::is_java_only(key_of(line)));
    java::translate(&if java {
        by_java(bytes, path)?
    } else {
        by_kcat(bytes, path)?
    })
}

fn key_of(line: &str) -> &str {
    let line = line.trim_start();
    line.split(|letter: char| letter == '=' || letter == ':' || letter.is_whitespace())
        .next()
        .unwrap_or_default()
}

fn by_java(bytes: &[u8], path: &Path) -> Result<Vec<Entry>, ConfigError> {
    let at = |line| Origin::File {
        path: path.to_owned(),
        line,
    };
    let mut entries = Vec::new();
    for line in PropertiesIter::new(bytes) {
        let line = line.map_err(|error| ConfigError::BrokenEscape {
            origin: at(error.line_number().unwrap_or_default()),
        })?;
        let origin = at(line.line_number());
        if let LineContent::KVPair(key, value) = line.consume_content() {
            // As Kafka's `ConfigDef` does.
            entries.push(Entry {
                key,
                value: value.trim().to_owned(),
                origin,
            });
        }
    }
    Ok(entries)
}

fn by_kcat(bytes: &[u8], path: &Path) -> Result<Vec<Entry>, ConfigError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ConfigError::NotUtf8 {
        path: path.to_owned(),
    })?;
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let origin = Origin::File {
            path: path.to_owned(),
            line: index + 1,
        };
        let line = line.replace("\\:", ":").replace("\\=", "=");
        match line.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                entries.push(Entry {
                    key: key.trim_end().to_owned(),
                    value: value.trim_start().to_owned(),
                    origin,
                });
            }
            _ => return Err(ConfigError::NotAPropertyLine { origin }),
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
