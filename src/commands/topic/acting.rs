//! What must be right before a topic is made or deleted at once, without approval.

use thiserror::Error;

use crate::config::Approval;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Status;
use crate::kafka;
use crate::registry::name;

/// What is done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Create,
    Delete,
}

impl Act {
    fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
        }
    }
}

#[derive(Debug, Error)]
enum Refusal {
    #[error("will not {verb} topic `{name}`: it belongs to Kafka itself")]
    Internal { verb: &'static str, name: String },
    #[error(
        "profile `{profile}` says that topics are approved, so nobody can {verb} `{name}` at once"
    )]
    Enforced {
        verb: &'static str,
        name: String,
        profile: String,
    },
}

/// Refuses names that are none, topics that are Kafka's own, and to get round an approval; `instead`
/// is the command that asks for one.
pub(crate) fn check(
    name: &str,
    act: Act,
    instead: &str,
    context: &Context,
) -> Result<(), CommandError> {
    let verb = act.verb();
    if !kafka::is_topic_name(name) {
        return Err(kafka::Error::InvalidTopic(name.to_owned()).into());
    }
    let name = name.to_owned();
    if name::is_internal(&name) {
        let refusal = Refusal::Internal { verb, name };
        return Err(CommandError::new(Status::Refused, refusal));
    }
    let governance = context.governance()?;
    if governance.approval == Approval::Enforce {
        let refusal = Refusal::Enforced {
            verb,
            name,
            profile: governance.profile.unwrap_or_default(),
        };
        return Err(CommandError::new(Status::Refused, refusal).hint(instead));
    }
    Ok(())
}
