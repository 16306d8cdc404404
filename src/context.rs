//! All that a command may touch of the outside.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::cli::ConnectionArgs;
use crate::clock::Clock;
use crate::config::{self, Connection};
use crate::error::CommandError;
use crate::kafka::{Cluster, TokenSource};
use crate::stop::Stop;
use crate::ui::Ui;

/// The outside of one run.
pub(crate) struct Context {
    pub ui: Ui,
    pub clock: Clock,
    pub stop: Stop,
    /// Variables of the environment that are text.
    pub environment: BTreeMap<String, String>,
    connection: ConnectionArgs,
}

impl Context {
    /// The outside as `connection` and the process give it.
    pub(crate) fn new(ui: Ui, stop: Stop, connection: ConnectionArgs) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            ui,
            clock: Clock::system(),
            stop,
            environment: std::env::vars_os().filter_map(text).collect(),
            connection,
        }
    }

    /// The connection settings and where each comes from.
    pub(crate) fn connection(&self) -> Result<Connection, CommandError> {
        let arguments = &self.connection;
        let connection = config::resolve(&config::Inputs {
            brokers: arguments.brokers.as_deref(),
            properties: &arguments.properties,
            file: arguments.properties_file.as_deref(),
            profile: arguments.profile.as_deref(),
            environment: &self.environment,
        })
        .map_err(|error| {
            let hint = error.hint();
            CommandError {
                hint,
                ..CommandError::usage(error)
            }
        })?;
        for note in connection.notes() {
            tracing::info!("{note}");
        }
        Ok(connection)
    }

    /// The cluster to speak to.
    pub(crate) fn cluster(&self) -> Result<Cluster, CommandError> {
        let connection = self.connection()?;
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
        })
    }

    /// A number below 2^32 that nobody foresees.
    #[expect(clippy::unused_self, reason = "chance belongs to whoever holds it")]
    pub(crate) fn random(&self) -> u64 {
        uuid::Uuid::now_v7().as_u64_pair().1 & 0xffff_ffff
    }

    /// Whether the connection settings are read from stdin.
    pub(crate) fn connection_reads_stdin(&self) -> bool {
        self.connection.properties_file.as_deref() == Some(Path::new("-"))
    }
}
