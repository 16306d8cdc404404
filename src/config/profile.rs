//! Reads config.toml, and refuses one that others could abuse.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::governance::Approval;
use super::{BROKERS, ConfigError, Note, Origin, PASSWORD, Property, command, property};
use crate::identity;
use crate::registry::{FourEyes, Policy};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    default_profile: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

/// How to reach one cluster; no `Debug`, for it may hold a secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    /// `None` where it has rules for topics alone, or settings for whatever brokers others name.
    brokers: Option<String>,
    #[serde(default)]
    properties: BTreeMap<String, Scalar>,
    password_file: Option<PathBuf>,
    password_command: Option<Vec<String>>,
    /// An argv that prints a token, see [`super::fetch_token`].
    pub(super) oauth_token_command: Option<Vec<String>>,
    #[serde(default)]
    pub(super) approval: Approval,
    #[serde(default)]
    pub(super) four_eyes: FourEyes,
    #[serde(default)]
    pub(super) policy: Policy,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a string, a number or a boolean")]
enum Scalar {
    Text(String),
    Boolean(bool),
    Integer(i64),
    Float(f64),
}

impl Scalar {
    fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Boolean(boolean) => boolean.to_string(),
            Self::Integer(integer) => integer.to_string(),
            Self::Float(float) => float.to_string(),
        }
    }
}

/// A profile, its name and the file it is from.
pub(super) struct Chosen {
    pub(super) name: String,
    pub(super) profile: Profile,
    file: PathBuf,
}

/// Reads the profile of this name.
pub(super) fn named(file: &Path, name: &str) -> Result<Chosen, ConfigError> {
    choose(read(file)?, file, name)
}

/// Reads the profile that config.toml makes the default, if it does.
pub(super) fn default(file: &Path) -> Result<Option<Chosen>, ConfigError> {
    let mut content = read(file)?;
    let Some(name) = content.default_profile.take() else {
        return Ok(None);
    };
    choose(content, file, &name).map(Some)
}

/// The names of all profiles.
pub(super) fn names(file: &Path) -> Result<Vec<String>, ConfigError> {
    Ok(read(file)?.profiles.into_keys().collect())
}

fn choose(mut content: ConfigFile, file: &Path, name: &str) -> Result<Chosen, ConfigError> {
    match content.profiles.remove(name) {
        Some(profile) => Ok(Chosen {
            name: name.to_owned(),
            profile,
            file: file.to_owned(),
        }),
        None => Err(ConfigError::UnknownProfile {
            path: file.to_owned(),
            name: name.to_owned(),
            known: content.profiles.into_keys().collect(),
        }),
    }
}

fn read(path: &Path) -> Result<ConfigFile, ConfigError> {
    let unreadable = |source| ConfigError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(unreadable)?;
    let content = parse(&text, path)?;
    check_access(&content, &file.metadata().map_err(unreadable)?, path)?;
    Ok(content)
}

fn parse(text: &str, path: &Path) -> Result<ConfigFile, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let before = error
            .span()
            .and_then(|span| text.get(..span.start))
            .unwrap_or_default();
        let message = without_value(error.message());
        let mut names = message.split('`').skip(1).step_by(2);
        let nearest = names
            .next()
            .filter(|_| message.starts_with("unknown field"));
        let nearest = nearest
            .and_then(|unknown| crate::suggest::nearest(unknown, names))
            .map(str::to_owned);
        ConfigError::ConfigFile {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before
                .rsplit('\n')
                .next()
                .unwrap_or_default()
                .chars()
                .count()
                + 1,
            message: message.to_owned(),
            nearest,
        }
    })
}

/// Serde quotes a value of the wrong type, which may be a secret.
fn without_value(message: &str) -> &str {
    if message.starts_with("invalid ") {
        message
            .rsplit_once(", ")
            .map_or("invalid value", |(_, expected)| expected)
    } else {
        message
    }
}

/// Whoever can write a command here can run it as us. The bits are those ssh looks at.
fn check_access(content: &ConfigFile, metadata: &Metadata, path: &Path) -> Result<(), ConfigError> {
    let mode = metadata.permissions().mode();
    let mut profiles = content.profiles.values();
    let commands = profiles
        .clone()
        .any(|profile| profile.oauth_token_command.is_some() || profile.password_command.is_some());
    if commands && mode & 0o022 != 0 {
        return Err(ConfigError::WritableByOthers {
            path: path.to_owned(),
        });
    }
    let secrets = profiles.any(|profile| {
        profile
            .properties
            .keys()
            .any(|key| property::is_secret(key))
    });
    if secrets && mode & 0o077 != 0 {
        return Err(ConfigError::ReadableByOthers {
            path: path.to_owned(),
        });
    }
    Ok(())
}

impl Chosen {
    /// Returns where its values come from.
    pub(super) fn origin(&self) -> Origin {
        Origin::Profile {
            name: self.name.clone(),
            file: self.file.clone(),
        }
    }

    /// Returns its brokers and properties.
    pub(super) fn properties(&self) -> Result<Vec<Property>, ConfigError> {
        let mut properties = Vec::new();
        if let Some(brokers) = &self.profile.brokers {
            properties.push(Property::new(BROKERS, brokers.clone(), self.origin())?);
        }
        for (key, value) in &self.profile.properties {
            properties.push(Property::new(key, value.to_text(), self.origin())?);
        }
        let inline = properties.iter().any(|property| property.key == PASSWORD);
        let ways = [
            inline,
            self.profile.password_file.is_some(),
            self.profile.password_command.is_some(),
        ];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            return Err(ConfigError::SeveralPasswords {
                origin: self.origin(),
            });
        }
        Ok(properties)
    }

    /// Reads or asks for its password; a path is relative to the folder of config.toml, and one line
    /// end behind the password is not part of it.
    ///
    /// A file that others can read is noted, and used all the same. As with ssh, only its owner is told:
    /// secrets mounted into containers are readable by all (0444) and often somebody else's.
    pub(super) fn password(&self, notes: &mut Vec<Note>) -> Result<Option<Property>, ConfigError> {
        let text = if let Some(file) = &self.profile.password_file {
            let path = self.file.parent().unwrap_or(Path::new("")).join(file);
            let (text, is_open) = read_secret(&path).map_err(|source| ConfigError::Read {
                path: path.clone(),
                source,
            })?;
            if is_open {
                notes.push(Note::PasswordReadableByOthers { path });
            }
            text
        } else if let Some(argv) = &self.profile.password_command {
            command::output(argv).map_err(|source| ConfigError::PasswordCommand {
                origin: self.origin(),
                source,
            })?
        } else {
            return Ok(None);
        };
        let password = text.strip_suffix('\n').map_or(text.as_str(), |line| {
            line.strip_suffix('\r').unwrap_or(line)
        });
        Property::new(PASSWORD, password.to_owned(), self.origin()).map(Some)
    }
}

/// The text of a file, and whether it is ours and others can read it.
fn read_secret(path: &Path) -> io::Result<(String, bool)> {
    let mut file = File::open(path)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let metadata = file.metadata()?;
    let is_ours = metadata.is_file() && metadata.uid() == identity::uid();
    Ok((text, is_ours && metadata.mode() & 0o077 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str =
        "[profiles.dev]\nbrokers = 'a:1'\nproperties = { 'sasl.password' = 'hunter2' }\n";
    const COMMAND: &str = "[profiles.dev]\nbrokers = 'a:1'\noauth_token_command = ['true']\n";

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    fn refusal(text: &str, mode: u32) -> ConfigError {
        named(file(text, mode).path(), "dev")
            .map(|_| ())
            .unwrap_err()
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused_with_the_chmod_to_type() {
        assert!(named(file(SECRET, 0o600).path(), "dev").is_ok());
        let error = refusal(SECRET, 0o640);
        assert!(matches!(error, ConfigError::ReadableByOthers { .. }));
        assert!(error.hint().unwrap().starts_with("chmod 600 /"));
    }

    #[test]
    fn a_command_that_others_can_change_is_refused_with_the_chmod_to_type() {
        assert!(named(file(COMMAND, 0o644).path(), "dev").is_ok());
        let error = refusal(COMMAND, 0o664);
        assert!(matches!(error, ConfigError::WritableByOthers { .. }));
        assert!(error.hint().unwrap().starts_with("chmod go-w /"));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place_and_the_nearest_known() {
        let error = refusal(
            "[profiles.dev]\nbrokers = 'a:1'\npasword_file = 'x'\n",
            0o600,
        );
        let text = error.to_string();
        assert!(
            text.contains(":3:1: unknown field `pasword_file`"),
            "{text}"
        );
        assert_eq!(error.hint().unwrap(), "did you mean `password_file`?");
    }

    #[test]
    fn an_unknown_profile_names_the_nearest_known() {
        let error = refusal("[profiles.deve]\nbrokers = 'a:1'\n", 0o600);
        assert_eq!(error.hint().unwrap(), "did you mean `deve`?");
        let error = refusal("[profiles.prod]\nbrokers = 'a:1'\n", 0o600);
        assert_eq!(error.hint().unwrap(), "there are: prod");
    }

    #[test]
    fn no_message_quotes_a_value() {
        for text in [
            "[profiles.dev]\nbrokers = 'a:1'\nproperties = 'hunter2'\n",
            "[profiles.dev]\nbrokers = 'a:1'\nproperties = { 'sasl.password' = ['hunter2'] }\n",
            "[profiles.dev]\nbrokers = 'a:1'\nproperties = { 'sasl.password' = 'hunter2 }\n",
            "[profiles.dev]\nbrokers = 'a:1'\npassword_command = 'hunter2'\n",
        ] {
            let error = refusal(text, 0o600);
            assert!(
                matches!(error, ConfigError::ConfigFile { line: 3, .. }),
                "{error}"
            );
            assert!(
                !format!("{error} {error:?} {:?}", error.hint()).contains("hunter2"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn numbers_and_booleans_need_no_quotes() {
        let text = "[profiles.dev]\nbrokers = 'a:1'\nproperties = { 'linger.ms' = 5, 'check.crcs' = true, 'x' = 0.5 }\n";
        let properties = named(file(text, 0o600).path(), "dev")
            .unwrap()
            .properties()
            .unwrap();
        let values: Vec<_> = properties
            .iter()
            .map(|property| property.value.as_str())
            .collect();
        assert_eq!(values, ["a:1", "true", "5", "0.5"]);
    }

    #[test]
    fn the_password_comes_from_a_file_beside_config_toml_or_from_a_command() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), " two words \r\n").unwrap();
        for (way, password) in [
            ("password_file = 'secret'", " two words "),
            ("password_command = ['printf', 'a\\n\\n']", "a\n"),
        ] {
            let path = folder.path().join("config.toml");
            std::fs::write(&path, format!("[profiles.dev]\nbrokers = 'a:1'\n{way}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(
                named(&path, "dev")
                    .unwrap()
                    .password(&mut Vec::new())
                    .unwrap()
                    .unwrap()
                    .value,
                password
            );
        }
        let both = format!("{SECRET}password_file = 'secret'\n");
        let chosen = named(file(&both, 0o600).path(), "dev").unwrap();
        assert!(matches!(
            chosen.properties(),
            Err(ConfigError::SeveralPasswords { .. })
        ));
    }
}
