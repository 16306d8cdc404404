//! Which rules topics are under: those of the profile in force, whoever names the brokers.
//!
//! Unlike credentials, rules are not for certain brokers. A profile whose connection is left out because
//! `--brokers` or `KPIPE_BROKERS` names others still rules: a flag does not get round an approval.

use serde::Deserialize;

use super::{ConfigError, Environment, Inputs, Origin, profile};
use crate::registry::Rules;

/// Whether topics need an approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Approval {
    /// Topics are used as they are in Kafka.
    #[default]
    Off,
    /// Only ACTIVE topics are sent to, and nobody creates or deletes one by hand.
    Enforce,
}

impl Approval {
    /// Returns its name, as in config.toml.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Enforce => "enforce",
        }
    }
}

/// The rules of the profile in force; without a profile, none but four eyes.
#[derive(Clone, Debug, Default)]
pub struct Governance {
    pub approval: Approval,
    pub rules: Rules,
    /// The profile that they are from.
    pub profile: Option<String>,
    pub(super) origin: Option<Origin>,
}

/// Finds the rules: of the profile that `--profile` names, else `KPIPE_PROFILE`, else `default_profile`.
///
/// # Errors
/// As [`super::resolve`]: exit status 2.
pub fn governance(inputs: &Inputs<'_>) -> Result<Governance, ConfigError> {
    let environment = Environment(inputs.environment);
    let named = inputs.profile.or_else(|| environment.get("KPIPE_PROFILE"));
    let chosen = match named {
        Some(name) => {
            let file = environment.config_file().ok_or(ConfigError::NoConfigFile)?;
            Some(profile::named(&file, name)?)
        }
        None => environment.default_profile()?,
    };
    Ok(
        chosen.map_or_else(Governance::default, |chosen| Governance {
            origin: Some(chosen.origin()),
            approval: chosen.profile.approval,
            rules: Rules {
                four_eyes: chosen.profile.four_eyes,
                policy: chosen.profile.policy,
            },
            profile: Some(chosen.name),
        }),
    )
}
