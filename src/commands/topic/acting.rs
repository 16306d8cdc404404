//! What must be right before a topic is made or deleted at once, without approval.

use thiserror::Error;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Status;
use crate::kafka;

/// What is done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
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
}

/// Refuses names that are none and topics that are Kafka's own.
pub(super) fn check(name: &str, act: Act, _context: &Context) -> Result<(), CommandError> {
    if !kafka::is_topic_name(name) {
        return Err(kafka::Error::InvalidTopic(name.to_owned()).into());
    }
    if name.starts_with("__") {
        let refusal = Refusal::Internal {
            verb: act.verb(),
            name: name.to_owned(),
        };
        return Err(CommandError::new(Status::Refused, refusal));
    }
    Ok(())
}

/// A setting in the form `KEY=VALUE`.
pub(super) fn parse_setting(text: &str) -> Result<(String, String), NotASetting> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(NotASetting),
    }
}

#[derive(Clone, Copy, Debug, Error)]
#[error("expected KEY=VALUE")]
pub(super) struct NotASetting;
