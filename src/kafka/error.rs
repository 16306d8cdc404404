//! What can go wrong with Kafka, in words that say what to do, and the status of each.

use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;
use thiserror::Error;

use super::context::Trouble;
use crate::error::CommandError;
use crate::exit::Status;
use crate::suggest;

/// Why something asked of Kafka did not happen.
#[derive(Clone, Debug, Error)]
pub enum Error {
    /// No broker answered in time.
    #[error("cannot reach Kafka at {brokers} within {} s", tenths(*within))]
    Unreachable {
        brokers: String,
        within: Duration,
        #[source]
        cause: Option<Cause>,
    },
    /// A broker answered and named others, or itself, by addresses of no use here.
    #[error("connected to {brokers}, but broker {id} advertises {address}, which does not {}",
        if cause.as_ref().is_some_and(|cause| cause.code == Code::Resolve) {
            "resolve here"
        } else {
            "answer"
        })]
    Advertised {
        brokers: String,
        id: i32,
        address: String,
        #[source]
        cause: Option<Cause>,
    },
    /// A broker answered and does not want us.
    #[error("Kafka at {brokers} refused the credentials")]
    Authentication {
        brokers: String,
        #[source]
        cause: Cause,
    },
    /// The two sides do not agree on encryption or on each other's certificates.
    #[error("cannot speak to Kafka at {brokers} as configured")]
    Encryption {
        brokers: String,
        #[source]
        cause: Cause,
    },
    /// librdkafka does not take the configuration.
    #[error("cannot use the client configuration")]
    Configuration {
        #[source]
        cause: Cause,
    },
    #[error("topic `{topic}` does not exist")]
    UnknownTopic {
        topic: String,
        /// One that does, and was most likely meant.
        nearest: Option<String>,
        /// The built-in broker was asked, which has the topics that it was started with.
        built_in: bool,
    },
    #[error("topic `{0}` exists already")]
    TopicExists(String),
    #[error("no topic matches `{0}`")]
    NoMatchingTopic(String),
    #[error("`{0}` is not a topic name")]
    InvalidTopic(String),
    #[error("topic `{topic}` has no partition {partition}; it has 0 to {last}")]
    UnknownPartition {
        topic: String,
        partition: i32,
        last: i32,
    },
    /// What was kept of a partition is of a log that there no longer is.
    #[error(
        "{topic}[{partition}] goes on at offset {next}, but its log ends at {end}: it is not the topic that it was"
    )]
    OtherLog {
        topic: String,
        partition: i32,
        next: i64,
        end: i64,
    },
    /// Who keeps positions does not know them.
    #[error("cannot find out where to go on")]
    Kept(#[source] std::sync::Arc<dyn std::error::Error + Send + Sync>),
    #[error("not authorised to {what}")]
    Authorization {
        what: String,
        #[source]
        cause: Cause,
    },
    #[error("topic `{0}` was deleted")]
    TopicDeleted(String),
    #[error("group `{0}` does not exist")]
    UnknownGroup(String),
    #[error("group `{0}` has members")]
    GroupHasMembers(String),
    /// Members of one group must share a protocol; kpipe's is cooperative.
    #[error("group `{0}` has members with another way of sharing partitions")]
    MixedGroup(String),
    #[error("interrupted")]
    Interrupted,
    #[error("cannot {0}: not on the built-in broker")]
    NotOnBuiltInBroker(&'static str),
    #[error("cannot {what}")]
    Other {
        what: String,
        #[source]
        cause: Cause,
    },
}

/// librdkafka's code and words, as the cause of an [`enum@Error`].
#[derive(Clone, Debug, Error)]
#[error("{text}")]
pub struct Cause {
    /// librdkafka's error code.
    pub code: Code,
    text: String,
}

impl Cause {
    /// A broker's answer, in its own words.
    pub(super) fn new(code: Code, words: &str) -> Self {
        Self {
            code,
            text: plain(words),
        }
    }
}

impl From<&Trouble> for Cause {
    fn from(trouble: &Trouble) -> Self {
        Self {
            code: trouble.code,
            text: plain(&trouble.text),
        }
    }
}

impl From<Code> for Cause {
    fn from(code: Code) -> Self {
        Self {
            code,
            text: plain(&code.to_string()),
        }
    }
}

impl From<KafkaError> for Cause {
    fn from(error: KafkaError) -> Self {
        match error {
            KafkaError::ClientConfig(_, what, key, value) if value.is_empty() => Self {
                code: Code::InvalidArgument,
                text: format!("{what}: `{key}`"),
            },
            // The value may be a secret, and librdkafka's text already repeats what may be shown.
            KafkaError::ClientConfig(_, what, key, _) => Self {
                code: Code::InvalidArgument,
                text: format!("{what}, in `{key}`"),
            },
            KafkaError::ClientCreation(text) => Self {
                code: Code::InvalidArgument,
                text,
            },
            other => other.rdkafka_error_code().map_or_else(
                || Self {
                    code: Code::Fail,
                    text: other.to_string(),
                },
                Self::from,
            ),
        }
    }
}

/// Seconds, for reading.
fn tenths(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

/// Takes librdkafka's address prefix and timing suffix off, which say nothing to the user.
fn plain(text: &str) -> String {
    let text = text.split(" (after ").next().unwrap_or(text);
    text.replace("ipv4#", "").replace("ipv6#", "")
}

impl Error {
    /// Says why `what` failed with `error`.
    pub(super) fn other(what: impl Into<String>, error: impl Into<Cause>) -> Self {
        let (what, cause) = (what.into(), error.into());
        match cause.code {
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed => Self::Authorization { what, cause },
            _ => Self::Other { what, cause },
        }
    }

    /// Whether a policy of the cluster's is against it (KIP-108).
    pub fn is_policy_violation(&self) -> bool {
        matches!(self, Self::Other { cause, .. } if cause.code == Code::PolicyViolation)
    }

    /// Whether a setting or its value is none that Kafka takes.
    pub fn is_invalid_config(&self) -> bool {
        matches!(self, Self::Other { cause, .. } if cause.code == Code::InvalidConfig)
    }

    /// Whether a record, or what it would be in, is larger than its topic takes.
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::Other { cause, .. } if cause.code == Code::MessageSizeTooLarge)
    }

    /// Says why no broker could be used, by the last trouble on its connections.
    pub(super) fn connection(brokers: &str, within: Duration, trouble: Option<&Trouble>) -> Self {
        let brokers = brokers.to_owned();
        let cause = trouble.map(Cause::from);
        match cause {
            // Kafka was never asked.
            Some(cause) if cause.text.contains("OAUTHBEARER token") => {
                Self::Configuration { cause }
            }
            Some(cause)
                if matches!(
                    cause.code,
                    Code::Authentication | Code::SaslAuthenticationFailed
                ) =>
            {
                Self::Authentication { brokers, cause }
            }
            // One of a connection that is closed too early is a guess, but so is librdkafka's.
            Some(cause)
                if cause.code == Code::SSL
                    || cause.text.contains("security.protocol")
                    || cause.text.contains("PLAINTEXT broker listener") =>
            {
                Self::Encryption { brokers, cause }
            }
            cause => Self::Unreachable {
                brokers,
                within,
                cause,
            },
        }
    }

    /// The status that a run which ends with this error leaves with.
    pub fn status(&self) -> Status {
        match self {
            Self::Unreachable { .. } | Self::Advertised { .. } => Status::Unavailable,
            Self::Authentication { .. } | Self::Authorization { .. } => Status::Refused,
            Self::Encryption { .. }
            | Self::Configuration { .. }
            | Self::InvalidTopic(_)
            | Self::UnknownPartition { .. }
            | Self::MixedGroup(_)
            | Self::NotOnBuiltInBroker(_) => Status::Usage,
            Self::UnknownTopic { .. }
            | Self::TopicExists(_)
            | Self::OtherLog { .. }
            | Self::Kept(_)
            | Self::NoMatchingTopic(_)
            | Self::TopicDeleted(_)
            | Self::UnknownGroup(_)
            | Self::GroupHasMembers(_)
            | Self::Interrupted => Status::Failed,
            Self::Other { cause, .. } => match cause.code {
                Code::BrokerTransportFailure
                | Code::OperationTimedOut
                | Code::MessageTimedOut
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::RequestTimedOut
                | Code::CoordinatorNotAvailable
                | Code::CoordinatorLoadInProgress
                | Code::NotCoordinator
                | Code::WaitingForCoordinator => Status::Unavailable,
                Code::Authentication | Code::SaslAuthenticationFailed => Status::Refused,
                _ => Status::Failed,
            },
        }
    }

    /// Whether it may come right by itself, as it does while a broker starts.
    pub fn may_pass(&self) -> bool {
        match self {
            // A guess from how a connection was closed; a port forwarder closes it just so
            // while nobody listens behind it.
            Self::Encryption { cause, .. } => cause.text.ends_with('?'),
            error => error.status() == Status::Unavailable,
        }
    }

    /// What to type next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { cause: Some(cause), .. } if cause.code == Code::Resolve => {
                "check the name of the host; `kpipe config show` says where it comes from".into()
            }
            Self::Advertised { address, .. } => format!(
                "is that broker down? If not, set its `advertised.listeners` to an address that \
                 is reached from here, or make {address} one"
            ),
            Self::Unreachable { cause: None, .. } => {
                "nothing there refused, and nothing answered: is that a port of Kafka's, and does a \
                 firewall let this through? `kpipe config show` says where the address comes from"
                    .into()
            }
            Self::Unreachable { .. } => {
                "pass --brokers, set KPIPE_BROKERS, or choose a profile with `--profile`; \
                 `kpipe config show` says where the address comes from"
                    .into()
            }
            Self::Authentication { .. } => {
                "check `sasl.username`, `sasl.password` and `sasl.mechanisms`; `kpipe config show` \
                 says where each comes from"
                    .into()
            }
            Self::Encryption { cause, .. } if cause.text.contains("SASL listener") => {
                "set `sasl.mechanisms`, `sasl.username` and `sasl.password` and \
                 `security.protocol=sasl_ssl` (or `sasl_plaintext`) in a profile or a file for `-F`; \
                 see `kpipe help connection`"
                    .into()
            }
            Self::Encryption { cause, .. } if cause.text.contains("SSL listener") => {
                "add `-X security.protocol=ssl`, or `sasl_ssl` with credentials".into()
            }
            Self::Encryption { cause, .. } if cause.text.contains("PLAINTEXT broker listener") => {
                "add `-X security.protocol=plaintext`, or `sasl_plaintext` with credentials".into()
            }
            Self::Encryption { .. } => {
                "point `-X ssl.ca.location=FILE` at the authority that signed the broker's certificate"
                    .into()
            }
            Self::Configuration { .. } => {
                "`kpipe config show` says where each property comes from".into()
            }
            Self::UnknownTopic {
                nearest: Some(nearest),
                ..
            } => suggest::did_you_mean(nearest),
            Self::UnknownTopic {
                topic,
                built_in: true,
                ..
            } => format!("the built-in broker has the topics of its start: `kpipe broker --topic {topic}`"),
            Self::UnknownTopic { topic, .. } => format!(
                "kpipe never makes topics by itself: `kpipe topic create {topic}`, or where \
                 topics need approval `kpipe topic request {topic} --by YOU`"
            ),
            Self::TopicExists(topic) => format!("`kpipe topic describe {topic}` shows it"),
            Self::NoMatchingTopic(_) => "`^` begins a regular expression; leave `$` out to find longer names".into(),
            Self::OtherLog { .. } => {
                "the topic was deleted and made anew, or this is another cluster: choose another file, or `--rebuild`"
                    .into()
            }
            Self::InvalidTopic(_) => {
                "letters, digits, `.`, `_` and `-`, 249 at most; a pattern begins with `^`".into()
            }
            Self::MixedGroup(_) => {
                "add `-X partition.assignment.strategy=range,roundrobin` to join them as they are"
                    .into()
            }
            Self::Authorization { .. } => {
                "ask for the access, or use other credentials; `kpipe config show` says which are used"
                    .into()
            }
            Self::UnknownGroup(_) => "`kpipe group list` shows those there are".into(),
            Self::GroupHasMembers(group) => {
                format!("`kpipe group describe {group}` shows them; stop them first")
            }
            Self::NotOnBuiltInBroker(_) => "try it on real Kafka".into(),
            Self::UnknownPartition { .. }
            | Self::TopicDeleted(_)
            | Self::Kept(_)
            | Self::Interrupted
            | Self::Other { .. } => return None,
        })
    }
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        let (status, hint) = (error.status(), error.hint());
        Self {
            hint,
            ..Self::new(status, error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_timings_are_taken_off_librdkafkas_words() {
        assert_eq!(
            plain(
                "localhost:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)"
            ),
            "localhost:1/bootstrap: Connect to 127.0.0.1:1 failed: Connection refused"
        );
    }
}
