//! Where the connection settings come from: every value keeps its origin, and no secret reaches
//! brokers it was not meant for.
//!
//! Strongest first, property by property:
//!
//! 1. typed: `--brokers` and `-X`, then the file of `-F`, then the profile of `--profile`;
//! 2. inherited: `KPIPE_BROKERS` and `KPIPE_X_…`, the profile of `KPIPE_PROFILE`, `KAFKA_BROKERS` or
//!    `KAFKA_BOOTSTRAP_SERVERS`, the `default_profile` of config.toml, `localhost:9092`.
//!
//! What was typed combines freely: whoever types `-C prod -b other:9092` means it. What was inherited
//! and names brokers counts whole or not at all, only for those brokers: an inherited profile is not
//! even read when a stronger source names the brokers, and `KPIPE_X_…` is not used when `KPIPE_BROKERS`
//! names others than the brokers used. `KPIPE_X_…` without `KPIPE_BROKERS` combines with everything, and
//! so does a profile without `brokers`; where nobody names any, only who connects misses them.

mod command;
mod error;
mod governance;
mod jaas;
mod java;
mod oauth;
mod profile;
mod properties_file;
mod property;
mod show;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub use command::RunError;
pub use error::{ConfigError, StoreUse};
pub use governance::{Approval, Governance, governance};
pub use jaas::JaasError;
pub use oauth::{OauthError, OauthToken, fetch_token};
pub use property::{Origin, Property};
pub use show::{Defaults, Row, rows};

use profile::Chosen;

use crate::shell::quoted;

const BROKERS: &str = "bootstrap.servers";
const MECHANISM: &str = "sasl.mechanisms";
const PASSWORD: &str = "sasl.password";

/// What the user said about the connection, on the command line and around it.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// `--brokers`: `host:port`, comma-separated.
    pub brokers: Option<&'a str>,
    /// Each `-X`, as typed: `key=value`; of a repeated key the last one counts.
    pub properties: &'a [String],
    /// `-F`: a properties file; `-` is stdin.
    pub file: Option<&'a Path>,
    /// `--profile`: a name in config.toml.
    pub profile: Option<&'a str>,
    /// The whole environment; an empty variable counts as unset.
    pub environment: &'a BTreeMap<String, String>,
}

/// The effective settings of one connection.
#[derive(Clone, Default)]
pub struct Connection {
    properties: BTreeMap<String, Property>,
    profile: Option<(String, Origin)>,
    oauth_token_command: Option<(Vec<String>, Origin)>,
    notes: Vec<Note>,
    /// A profile's password is neither read nor asked for.
    without_passwords: bool,
}

/// Something that was given and is not used, or that is not as it should be.
///
/// Worth a line with `-v`, and after a failed authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A property of the `-F` file that steers only other clients.
    OtherClientsOnly { key: String, origin: Origin },
    /// A property of the `-F` file that kpipe decides by itself or by this flag.
    DecidedByKpipe {
        key: String,
        origin: Origin,
        flag: &'static str,
    },
    /// `KPIPE_X_…` goes with `KPIPE_BROKERS`, and `brokers` named others.
    EnvironmentUnused { brokers: Origin },
    /// The profile that `KPIPE_PROFILE` names, because `brokers` named the brokers.
    ProfileUnused { name: String, brokers: Origin },
    /// The file that `password_file` names, which is used all the same; worth a warning.
    PasswordReadableByOthers { path: PathBuf },
}

impl Note {
    /// Returns whether it has to be told without being asked for.
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::PasswordReadableByOthers { .. })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherClientsOnly { key, origin } => {
                write!(
                    formatter,
                    "{origin}: {key} is left out: it steers only other clients"
                )
            }
            Self::DecidedByKpipe { key, origin, flag } => {
                write!(
                    formatter,
                    "{origin}: {key} is left out: kpipe decides it, see {flag}"
                )
            }
            Self::EnvironmentUnused { brokers } => write!(
                formatter,
                "KPIPE_X_… is not used: it goes with KPIPE_BROKERS, and {brokers} names other brokers"
            ),
            Self::ProfileUnused { name, brokers } => {
                write!(
                    formatter,
                    "profile {name} of KPIPE_PROFILE is not used: {brokers} names the brokers"
                )
            }
            Self::PasswordReadableByOthers { path } => write!(
                formatter,
                "{} holds a password and is readable by others: chmod go-rwx {}",
                path.display(),
                quoted(&path.to_string_lossy())
            ),
        }
    }
}

/// Finds the effective settings.
///
/// Reads the files that `inputs` names and config.toml when it can matter; runs the profile's
/// `password_command` when its password is the one used.
///
/// # Errors
///
/// Every error is a wrong configuration: exit status 2.
pub fn resolve(inputs: &Inputs<'_>) -> Result<Connection, ConfigError> {
    settle(inputs, Connection::default())
}

/// Finds the brokers alone, for a question that must neither wait nor run anything: no password is
/// asked for.
///
/// # Errors
///
/// As [`resolve`].
pub fn brokers(inputs: &Inputs<'_>) -> Result<String, ConfigError> {
    let without_passwords = Connection {
        without_passwords: true,
        ..Connection::default()
    };
    let connection = settle(inputs, without_passwords)?;
    connection.require_brokers()?;
    Ok(connection.brokers().to_owned())
}

/// Finds the names of config.toml's profiles.
///
/// # Errors
///
/// As [`resolve`].
pub fn profiles(environment: &BTreeMap<String, String>) -> Result<Vec<String>, ConfigError> {
    let file = Environment(environment).config_file();
    profile::names(&file.ok_or(ConfigError::NoConfigFile)?)
}

fn settle(inputs: &Inputs<'_>, mut connection: Connection) -> Result<Connection, ConfigError> {
    let environment = Environment(inputs.environment);

    connection.fill(typed(inputs)?);
    if let Some(path) = inputs.file {
        let reading = properties_file::read(path)?;
        connection.notes = reading.notes;
        connection.fill(reading.properties);
    }
    if let Some(name) = inputs.profile {
        let file = environment.config_file().ok_or(ConfigError::NoConfigFile)?;
        connection.fill_profile(profile::named(&file, name)?)?;
    }

    connection.inherit(environment.properties()?);
    connection.inherit_profile(environment, inputs.profile.is_none())?;
    // Who chose a profile did not mean whatever runs on this machine.
    if connection.profile.is_none() {
        connection.fill([Property::new(
            BROKERS,
            "localhost:9092".to_owned(),
            Origin::Default,
        )?]);
    }
    connection.settle_oauth()?;
    Ok(connection)
}

impl Connection {
    /// Returns the properties for librdkafka, sorted by key, each key once and in one spelling.
    pub fn properties(&self) -> impl Iterator<Item = &Property> {
        self.properties.values()
    }

    /// Returns one property; any of librdkafka's names for it will do.
    pub fn property(&self, key: &str) -> Option<&Property> {
        self.properties.get(property::canonical(key))
    }

    /// Returns the value of one property; any of librdkafka's names for it will do.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.property(key).map(|property| property.value.as_str())
    }

    /// Returns the brokers to begin with: `host:port`, comma-separated; empty only where
    /// [`Connection::require_brokers`] is an error.
    pub fn brokers(&self) -> &str {
        self.get(BROKERS).unwrap_or_default()
    }

    /// Makes sure that there are brokers to connect to, which a profile of rules alone does not name.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ProfileWithoutBrokers`].
    pub fn require_brokers(&self) -> Result<(), ConfigError> {
        match &self.profile {
            Some((_, origin)) if !self.properties.contains_key(BROKERS) => {
                Err(ConfigError::ProfileWithoutBrokers {
                    origin: origin.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Returns the name of the profile whose settings are used.
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_ref().map(|(name, _)| name.as_str())
    }

    /// Returns the argv for [`fetch_token`]; `None` unless the mechanism is OAUTHBEARER.
    pub fn oauth_token_command(&self) -> Option<&[String]> {
        self.oauth_token_command
            .as_ref()
            .map(|(argv, _)| argv.as_slice())
    }

    /// Returns what was given and is not used.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Adds properties that no stronger source has set.
    fn fill(&mut self, properties: impl IntoIterator<Item = Property>) {
        for property in properties {
            self.properties
                .entry(property.key.clone())
                .or_insert(property);
        }
    }

    fn fill_profile(&mut self, chosen: Chosen) -> Result<(), ConfigError> {
        self.fill(chosen.properties()?);
        if !self.without_passwords && !self.properties.contains_key(PASSWORD) {
            let password = chosen.password(&mut self.notes)?;
            self.fill(password);
        }
        let origin = chosen.origin();
        if let Some(argv) = chosen.profile.oauth_token_command {
            self.fill([Property::new(
                MECHANISM,
                "OAUTHBEARER".to_owned(),
                origin.clone(),
            )?]);
            self.oauth_token_command = Some((argv, origin.clone()));
        }
        self.profile = Some((chosen.name, origin));
        Ok(())
    }

    fn inherit(&mut self, properties: Vec<Property>) {
        let own = properties.iter().find(|property| property.key == BROKERS);
        match (own, self.properties.get(BROKERS)) {
            (Some(own), Some(used)) if own.value != used.value => {
                if properties.len() > 1 {
                    self.notes.push(Note::EnvironmentUnused {
                        brokers: used.origin.clone(),
                    });
                }
            }
            _ => self.fill(properties),
        }
    }

    /// Takes in what is behind `KPIPE_BROKERS`; no profile where one was typed, `may_choose` says.
    fn inherit_profile(
        &mut self,
        environment: Environment<'_>,
        may_choose: bool,
    ) -> Result<(), ConfigError> {
        let named = environment.get("KPIPE_PROFILE").filter(|_| may_choose);
        if let Some(used) = self.properties.get(BROKERS) {
            self.notes.extend(named.map(|name| Note::ProfileUnused {
                name: name.to_owned(),
                brokers: used.origin.clone(),
            }));
            return Ok(());
        }
        if let Some(name) = named {
            let file = environment.config_file().ok_or(ConfigError::NoConfigFile)?;
            self.fill_profile(profile::named(&file, name)?)?;
        }
        if self.properties.contains_key(BROKERS) {
            return Ok(());
        }
        for variable in ["KAFKA_BROKERS", "KAFKA_BOOTSTRAP_SERVERS"] {
            if let Some(brokers) = environment.get(variable) {
                let origin = Origin::Environment(variable.to_owned());
                self.fill([Property::new(BROKERS, brokers.to_owned(), origin)?]);
                return Ok(());
            }
        }
        if self.profile.is_none()
            && let Some(chosen) = environment.default_profile()?
        {
            self.fill_profile(chosen)?;
        }
        Ok(())
    }

    /// Drops a token command that another mechanism makes idle, and refuses OAUTHBEARER without one:
    /// librdkafka's own way to fetch tokens (`sasl.oauthbearer.method=oidc`) wants libcurl, which is
    /// not compiled in.
    fn settle_oauth(&mut self) -> Result<(), ConfigError> {
        match self.properties.get(MECHANISM) {
            Some(mechanism) if mechanism.value.eq_ignore_ascii_case("OAUTHBEARER") => {
                let unsecured = self.get("enable.sasl.oauthbearer.unsecure.jwt") == Some("true");
                if self.oauth_token_command.is_none() && !unsecured {
                    return Err(ConfigError::OauthWithoutCommand {
                        origin: mechanism.origin.clone(),
                    });
                }
            }
            _ => self.oauth_token_command = None,
        }
        Ok(())
    }
}

/// `--brokers`, then each `-X`, the last one first.
fn typed(inputs: &Inputs<'_>) -> Result<Vec<Property>, ConfigError> {
    let mut properties = Vec::new();
    if let Some(brokers) = inputs.brokers {
        properties.push(Property::new(
            BROKERS,
            brokers.to_owned(),
            Origin::Flag("--brokers"),
        )?);
    }
    for text in inputs.properties.iter().rev() {
        let (key, value) = text
            .split_once('=')
            .filter(|(key, _)| !key.trim().is_empty())
            .ok_or_else(|| not_a_property(text))?;
        properties.push(Property::new(
            key.trim(),
            value.to_owned(),
            Origin::Flag("-X"),
        )?);
    }
    Ok(properties)
}

/// Names what was typed up to where a value may begin: `-X sasl.password:hunter2` is not echoed.
fn not_a_property(text: &str) -> ConfigError {
    let inside = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    ConfigError::NotAProperty {
        key: text.chars().take_while(|letter| inside(*letter)).collect(),
    }
}

/// Without the token command, whose arguments may hold a secret.
impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.properties()).finish()
    }
}

#[derive(Clone, Copy)]
struct Environment<'a>(&'a BTreeMap<String, String>);

impl<'a> Environment<'a> {
    fn get(self, variable: &str) -> Option<&'a str> {
        self.0
            .get(variable)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// `KPIPE_BROKERS` first, then each `KPIPE_X_…`: `KPIPE_X_SASL_PASSWORD` is `sasl.password`.
    ///
    /// No property that a user may set has an underscore in its name but `log_level`, which is `-v`.
    fn properties(self) -> Result<Vec<Property>, ConfigError> {
        let mut properties = Vec::new();
        if let Some(brokers) = self.get("KPIPE_BROKERS") {
            let origin = Origin::Environment("KPIPE_BROKERS".to_owned());
            properties.push(Property::new(BROKERS, brokers.to_owned(), origin)?);
        }
        for (variable, value) in self.0 {
            if let Some(name) = variable.strip_prefix("KPIPE_X_")
                && !value.is_empty()
            {
                let key = name.to_ascii_lowercase().replace('_', ".");
                properties.push(Property::new(
                    &key,
                    value.clone(),
                    Origin::Environment(variable.clone()),
                )?);
            }
        }
        Ok(properties)
    }

    /// The `default_profile` of config.toml, which need not be there unless it was named.
    fn default_profile(self) -> Result<Option<Chosen>, ConfigError> {
        match self.config_file() {
            Some(file)
                if self.get("KPIPE_CONFIG").is_some() || file.try_exists().unwrap_or(true) =>
            {
                profile::default(&file)
            }
            _ => Ok(None),
        }
    }

    /// `KPIPE_CONFIG`, or kpipe/config.toml where the XDG Base Directory Specification says; a
    /// relative `XDG_CONFIG_HOME` is to be ignored.
    fn config_file(self) -> Option<PathBuf> {
        if let Some(path) = self.get("KPIPE_CONFIG") {
            return Some(PathBuf::from(path));
        }
        let folder = self
            .get("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|folder| folder.is_absolute())
            .or_else(|| self.get("HOME").map(|home| Path::new(home).join(".config")))?;
        Some(folder.join("kpipe/config.toml"))
    }
}

#[cfg(test)]
mod tests;
