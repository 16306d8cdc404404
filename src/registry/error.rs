//! Why the registry did not do what it was asked, with a status and what to type next.

use std::fmt;

use super::name;
use super::policy::Violation;
use super::state::State;
use crate::database;
use crate::error::CommandError;
use crate::exit::Status;
use crate::suggest;

/// Why the registry did not do what it was asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Trouble with the file.
    #[error(transparent)]
    File(#[from] database::Error),

    /// Nobody ever asked for it.
    #[error("nobody has asked for topic `{name}`")]
    Unknown {
        name: String,
        /// Which topic of the registry was most likely meant.
        nearest: Option<String>,
    },
    /// Another state than the one that this is possible in, perhaps since a moment ago.
    #[error("`{name}` is {state}, not {}", OneOf(wanted))]
    InState {
        name: String,
        state: State,
        wanted: &'static [State],
    },
    /// The requester wanted to decide.
    #[error("`{name}` was requested by {by}, so somebody else decides")]
    FourEyes { name: String, by: String },
    /// The requester was named as who has approved it, and nothing was kept.
    #[error("`{name}` is not requested: {by} asks for it, so somebody else approves it")]
    OwnApproval { name: String, by: String },
    /// Nobody was named who may approve that it is taken in, and nothing was kept.
    #[error("`{name}` is not taken in: somebody else than {by} approves it")]
    NotTakenIn { name: String, by: String },
    /// Somebody else wanted to cancel.
    #[error("`{name}` was requested by {created_by}, so {by} cannot cancel it")]
    NotRequester {
        name: String,
        created_by: String,
        by: String,
    },
    /// Since it was seen, another request took its place.
    #[error("`{name}` is another request by now: {standing}, not {seen}")]
    Another {
        name: String,
        seen: String,
        standing: String,
    },
    /// Kafka's rules for names, or those of the profile.
    #[error("`{name}`: {}", Listed(broken))]
    Broken {
        name: String,
        broken: Vec<Violation>,
    },
    /// Another request for the name is open.
    #[error("`{name}` is {state} already, with {}", Listed(differences))]
    Differs {
        name: String,
        state: State,
        differences: Vec<Difference>,
    },
    /// Kafka never takes partitions away.
    #[error("`{name}` has {has} partitions, and Kafka never takes any away: {asked} is fewer")]
    FewerPartitions { name: String, has: i32, asked: i32 },
    /// A change that no request can bring about.
    #[error("`{name}` has a replication of {has}, which a request cannot change to {asked}")]
    Replication { name: String, has: i32, asked: i32 },
    /// Kafka would refuse the second of the two.
    #[error("`{name}` collides with topic `{other}`: in metrics `.` and `_` are the same")]
    Collides { name: String, other: String },
    /// The registry is for another cluster.
    #[error("the registry is for cluster {pinned}, and this is {found}")]
    OtherCluster { pinned: String, found: String },
    /// A producer key was made, and none was given.
    #[error("activating a topic needs the producer key")]
    KeyMissing,
    /// Not the key whose hash is kept.
    #[error("the producer key is not the one of this registry")]
    KeyWrong,
    /// As [`Error::NotActive`], where there is no request: a topic that is not approved, and no more.
    #[error("nobody has asked for topic `{topic}`, and subscriptions are to ACTIVE topics")]
    NotAsked {
        topic: String,
        /// Which topic of the registry was most likely meant.
        nearest: Option<String>,
    },
    /// Subscriptions are to ACTIVE topics only.
    #[error("`{topic}` is {state}, and subscriptions are to ACTIVE topics")]
    NotActive { topic: String, state: State },
}

/// One thing that was asked differently before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// As in the JSON of a request; `config.KEY` for a part of the configuration.
    pub field: String,
    /// What stands.
    pub has: Option<String>,
    /// What was asked now.
    pub asked: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let (has, asked) = (shown(&self.has), shown(&self.asked));
        write!(formatter, "{} {has}, not {asked}", self.field)
    }
}

struct Listed<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(formatter, "{separator}{item}")?;
        }
        Ok(())
    }
}

struct OneOf<'a>(&'a [State]);

impl fmt::Display for OneOf<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, state) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { " or " };
            write!(formatter, "{separator}{state}")?;
        }
        Ok(())
    }
}

impl Error {
    /// Says whether it is trouble with the file, which the next request would have too.
    pub fn is_of_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Returns which topic was most likely meant, where the name is unknown.
    pub fn nearest(&self) -> Option<&str> {
        match self {
            Self::Unknown { nearest, .. } => nearest.as_deref(),
            _ => None,
        }
    }

    /// Returns the status that a run which ends with this error leaves with.
    pub fn status(&self) -> Status {
        let is_kafkas = |rule: &Violation| matches!(rule, Violation::Kafka(_));
        match self {
            Self::Broken { broken, .. } if broken.iter().any(is_kafkas) => Status::Usage,
            Self::File(error) => error.status(),
            Self::Collides { .. } | Self::OtherCluster { .. } => Status::Usage,
            Self::Unknown { .. } => Status::Failed,
            Self::InState { .. }
            | Self::FourEyes { .. }
            | Self::OwnApproval { .. }
            | Self::NotTakenIn { .. }
            | Self::NotRequester { .. }
            | Self::Another { .. }
            | Self::Broken { .. }
            | Self::Differs { .. }
            | Self::FewerPartitions { .. }
            | Self::Replication { .. }
            | Self::KeyMissing
            | Self::KeyWrong
            | Self::NotAsked { .. }
            | Self::NotActive { .. } => Status::Refused,
        }
    }

    /// Returns what to type next, where there is something.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::File(error) => return of_file(error),
            Self::Unknown { name, nearest }
            | Self::NotAsked {
                topic: name,
                nearest,
            } => return unknown(name, nearest.as_deref()),
            Self::InState { name, .. } => format!("`kpipe topic history {name}` says who moved it"),
            Self::FourEyes { .. } => {
                "--by or KPIPE_ACTOR says who you are; `four_eyes = \"off\"` in the profile lifts the rule"
                    .to_owned()
            }
            Self::OwnApproval { .. } => {
                "without --approved-by it waits for `kpipe topic approve`; `four_eyes = \"off\"` in the profile lifts the rule"
                    .to_owned()
            }
            Self::NotTakenIn { .. } => {
                "--approved-by WHO says who has; `four_eyes = \"off\"` in the profile lifts the rule"
                    .to_owned()
            }
            Self::NotRequester { name, .. } => {
                format!("kpipe topic reject {name} --reason TEXT")
            }
            Self::Another { name, .. } => {
                format!("kpipe topic list '^{name}$' --state PENDING")
            }
            Self::Broken { .. } if self.status() == Status::Usage => {
                "for example `shop.orders`, `shop-orders` or `shop_orders`".to_owned()
            }
            Self::Broken { .. } => {
                "`kpipe config show` has the policy and where it is from".to_owned()
            }
            Self::Differs { name, state, .. } if *state == State::Pending => {
                format!("`kpipe topic cancel {name}` makes room, or wait until it is decided")
            }
            // Where Kafka has something else, it never becomes ACTIVE.
            Self::Differs { name, .. } => {
                format!("`kpipe topic cancel {name}` makes room, or ask again when it is ACTIVE")
            }
            Self::Collides { .. } => "choose a name with the other of the two signs".to_owned(),
            Self::OtherCluster { .. } => {
                "each cluster has a registry of its own; --registry or KPIPE_REGISTRY chooses".to_owned()
            }
            Self::KeyMissing | Self::KeyWrong => {
                "set KPIPE_PRODUCER_KEY or pass --producer-key-file; `kpipe topic key new` makes a new one"
                    .to_owned()
            }
            Self::NotActive { topic, state: State::Pending } => {
                format!("`kpipe topic approve {topic}` is what it waits for")
            }
            Self::NotActive { topic, state: State::Approved } => {
                format!("`kpipe topic reconcile` creates `{topic}`")
            }
            Self::NotActive { topic, .. } => format!("kpipe topic request {topic}"),
            Self::FewerPartitions { .. }
            | Self::Replication { .. } => return None,
        })
    }
}

/// What to type next where nobody has asked for a topic.
pub(super) fn unknown(name: &str, nearest: Option<&str>) -> Option<String> {
    match nearest {
        Some(nearest) => Some(suggest::did_you_mean(nearest)),
        // Only a name that a topic can have is safe to paste into a shell.
        None if !name::check(name).is_empty() => None,
        None => Some(format!("kpipe topic request {name}")),
    }
}

/// What to type next where the file is the trouble.
fn of_file(error: &database::Error) -> Option<String> {
    let hint = match error {
        database::Error::Absent { .. } => {
            "`kpipe topic request` makes one; --registry or KPIPE_REGISTRY says where"
        }
        database::Error::NoFolder { .. } => return error.command(),
        database::Error::Create { .. } | database::Error::ReadOnly { .. } => {
            "choose another place with --registry or KPIPE_REGISTRY"
        }
        database::Error::Foreign { .. } => {
            "nothing was changed in it; choose another file with --registry or KPIPE_REGISTRY"
        }
        database::Error::Newer { .. } => "use the newer kpipe that wrote it",
        database::Error::Damaged { .. } => {
            "nothing was changed in it; put the last `kpipe topic backup` in its place"
        }
        database::Error::BackupExists { .. } => "choose a name that is not taken",
        database::Error::Locked { .. } => "try again",
        database::Error::Full { .. } | database::Error::Sqlite { .. } => return None,
    };
    Some(hint.to_owned())
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
