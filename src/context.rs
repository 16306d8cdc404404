//! All that a command may touch of the outside.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use rand::TryRng;
use rand::rngs::SysRng;
use uuid::Uuid;

use crate::cli::ConnectionArgs;
use crate::clock::Clock;
use crate::config::{self, ConfigError, Connection, Governance};
use crate::error::CommandError;
use crate::identity;
use crate::kafka::{Cluster, TokenSource};
use crate::names::NameCache;
use crate::registry::{Actor, person};
use crate::stop::Stop;
use crate::ui::Ui;

/// Whether a variable of the environment is read here.
fn is_ours(name: &str) -> bool {
    name.starts_with("KPIPE_") || matches!(name, "KAFKA_BROKERS" | "KAFKA_BOOTSTRAP_SERVERS")
}

#[derive(Debug, thiserror::Error)]
#[error("the variable `{name}` is not UTF-8")]
struct NotText {
    name: String,
}

fn wrong_configuration(error: ConfigError) -> CommandError {
    let hint = error.hint();
    CommandError {
        hint,
        ..CommandError::usage(error)
    }
}

/// The outside of one run.
pub(crate) struct Context {
    pub ui: Ui,
    pub clock: Clock,
    pub stop: Stop,
    /// Variables of the environment that are text.
    pub environment: BTreeMap<String, String>,
    connection: ConnectionArgs,
    /// A command may ask for the connection more than once.
    warned: Once,
}

impl Context {
    /// The outside as `connection` and the process give it.
    pub(crate) fn new(
        ui: Ui,
        stop: Stop,
        connection: ConnectionArgs,
    ) -> Result<Self, CommandError> {
        let mut environment = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => {
                    environment.insert(name, value);
                }
                (Ok(name), Err(_)) if is_ours(&name) => {
                    return Err(CommandError::usage(NotText { name }));
                }
                _ => {}
            }
        }
        Ok(Self {
            ui,
            clock: Clock::system(),
            stop,
            environment,
            connection,
            warned: Once::new(),
        })
    }

    /// The connection settings and where each comes from.
    pub(crate) fn connection(&self) -> Result<Connection, CommandError> {
        let connection = config::resolve(&self.inputs()).map_err(wrong_configuration)?;
        let (warnings, notes): (Vec<_>, Vec<_>) = connection
            .notes()
            .iter()
            .partition(|note| note.is_warning());
        for note in notes {
            tracing::info!("{note}");
        }
        self.warned.call_once(|| {
            for warning in warnings {
                self.ui.warning(warning);
            }
        });
        Ok(connection)
    }

    /// The rules that topics are under.
    pub(crate) fn governance(&self) -> Result<Governance, CommandError> {
        config::governance(&self.inputs()).map_err(wrong_configuration)
    }

    fn inputs(&self) -> config::Inputs<'_> {
        let arguments = &self.connection;
        config::Inputs {
            brokers: arguments.brokers.as_deref(),
            properties: &arguments.properties,
            file: arguments.properties_file.as_deref(),
            profile: arguments.profile.as_deref(),
            environment: &self.environment,
        }
    }

    /// A variable of the environment, where it is text and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let value = self.environment.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// Who acts: `by`, else `KPIPE_ACTOR`, else whom the operating system takes them for.
    pub(crate) fn actor(&self, by: Option<&str>) -> Result<Actor, CommandError> {
        let login = identity::login();
        let name = by
            .or_else(|| self.variable("KPIPE_ACTOR"))
            .or(login.as_deref());
        let Some(name) = name.and_then(person) else {
            let what = match name {
                Some(name) if !name.trim().is_empty() => "a control character is in your name",
                _ => "nobody is named",
            };
            return Err(CommandError::usage(what).hint("--by NAME, or KPIPE_ACTOR"));
        };
        Ok(Actor {
            name: name.to_owned(),
            login,
            uid: identity::uid(),
            host: identity::host(),
        })
    }

    /// Random bytes that nobody can guess.
    #[expect(
        clippy::unused_self,
        reason = "randomness belongs to whoever holds the outside"
    )]
    pub(crate) fn random<const COUNT: usize>(&self) -> Result<[u8; COUNT], CommandError> {
        let mut bytes = [0; COUNT];
        let filled = SysRng.try_fill_bytes(&mut bytes);
        filled.map_err(CommandError::failed)?;
        Ok(bytes)
    }

    /// A `UUIDv7`: it sorts by the time it was made.
    pub(crate) fn new_id(&self) -> Result<Uuid, CommandError> {
        let millis = u64::try_from(self.clock.now().as_millisecond()).unwrap_or_default();
        let random = self.random()?;
        Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The cluster to speak to.
    pub(crate) fn cluster(&self) -> Result<Cluster, CommandError> {
        let connection = self.connection()?;
        connection.require_brokers().map_err(wrong_configuration)?;
        let token_source = connection.oauth_token_command().map(|argv| {
            let (argv, clock) = (argv.to_owned(), self.clock.clone());
            let source: TokenSource = Arc::new(move || {
                config::fetch_token(&argv, clock.now())
                    .map(|token| (token.token, token.expires_at_millis, token.principal))
                    .map_err(|error| crate::ui::in_one_line(&error))
            });
            source
        });
        let properties = connection
            .properties()
            .map(|property| (property.key.clone(), property.value.clone()))
            .collect();
        Ok(Cluster {
            properties,
            token_source,
            stop: self.stop.clone(),
            deadline: None,
            listener: self.names().map(|names| names.keeper(connection.brokers())),
        })
    }

    /// Where names that clusters listed are kept for completion.
    pub(crate) fn names(&self) -> Option<NameCache> {
        let absolute = |name| {
            let folder = self.variable(name).map(PathBuf::from);
            folder.filter(|folder| folder.is_absolute())
        };
        let home = || Some(absolute("HOME")?.join(".cache"));
        let cache = absolute("XDG_CACHE_HOME").or_else(home)?;
        Some(NameCache::new(cache.join("kpipe/names")))
    }

    /// Whether the connection settings are read from stdin.
    pub(crate) fn connection_reads_stdin(&self) -> bool {
        self.connection.properties_file.as_deref() == Some(Path::new("-"))
    }
}
