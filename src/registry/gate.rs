//! Which topics may be sent to where approval is enforced: the ACTIVE ones.

use std::collections::HashMap;

use super::request::Request;
use super::state::State;
use super::{Error, Registry};
use crate::error::CommandError;
use crate::exit::Status;
use crate::suggest;

/// Why a topic is not sent to: status 4.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    /// There is no request.
    #[error("topic `{topic}` is not approved: nobody has asked for it")]
    Unknown {
        topic: String,
        /// Which topic of the registry was most likely meant.
        nearest: Option<String>,
    },
    /// Its request waits for a decision.
    #[error("topic `{topic}` is PENDING: request {id} of {created_by} waits for a decision")]
    Pending {
        topic: String,
        id: String,
        created_by: String,
    },
    /// Its request waits for the reconciler.
    #[error("topic `{topic}` is APPROVED: request {id} of {created_by} waits to be activated")]
    Approved {
        topic: String,
        id: String,
        created_by: String,
    },
    /// It was rejected or taken out of use.
    #[error("topic `{topic}` is {state}{}", why.as_ref().map_or(String::new(), |why| format!(": {why}")))]
    Ended {
        topic: String,
        state: State,
        /// In the words of whoever ended it.
        why: Option<String>,
    },
}

impl NotApproved {
    /// Says why the topic of `request` is not to be sent to; `None` when it is ACTIVE.
    fn of(topic: &str, request: Request) -> Option<Self> {
        let topic = topic.to_owned();
        let why = request.why_ended().map(str::to_owned);
        let (id, created_by) = (request.id, request.spec.created_by);
        match request.state {
            State::Active => None,
            State::Pending => Some(Self::Pending {
                topic,
                id,
                created_by,
            }),
            State::Approved => Some(Self::Approved {
                topic,
                id,
                created_by,
            }),
            state @ (State::Inactive | State::Rejected) => Some(Self::Ended { topic, state, why }),
        }
    }

    /// Returns what to type next.
    pub fn hint(&self) -> String {
        match self {
            Self::Pending { topic, .. } => format!("kpipe topic approve {topic}"),
            Self::Approved { .. } => "kpipe topic reconcile".to_owned(),
            Self::Unknown {
                nearest: Some(nearest),
                ..
            } => suggest::did_you_mean(nearest),
            Self::Unknown { topic, .. } | Self::Ended { topic, .. } => {
                format!("kpipe topic request {topic}")
            }
        }
    }
}

impl From<NotApproved> for CommandError {
    fn from(refusal: NotApproved) -> Self {
        let hint = refusal.hint();
        Self::new(Status::Refused, refusal).hint(hint)
    }
}

/// Lets records through to ACTIVE topics alone.
#[derive(Debug)]
pub struct Gate {
    registry: Registry,
    /// What was found out when a topic first appeared; it holds for the whole run.
    known: HashMap<String, Option<NotApproved>>,
    has_refused: bool,
}

impl Gate {
    /// Asks `registry`.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            known: HashMap::new(),
            has_refused: false,
        }
    }

    /// Returns why `topic` may not be sent to; `None` when it may.
    ///
    /// # Errors
    /// Those of the file, with which nothing may be sent.
    pub fn refusal(&mut self, topic: &str) -> Result<Option<&NotApproved>, Error> {
        if !self.known.contains_key(topic) {
            let refusal = match self.registry.topic(topic)? {
                Some(request) => NotApproved::of(topic, request),
                None => Some(NotApproved::Unknown {
                    topic: topic.to_owned(),
                    nearest: self.registry.nearest(topic)?,
                }),
            };
            self.known.insert(topic.to_owned(), refusal);
        }
        let refusal = self.known.get(topic).and_then(Option::as_ref);
        self.has_refused |= refusal.is_some();
        Ok(refusal)
    }

    /// Returns whether any topic was refused.
    pub fn has_refused(&self) -> bool {
        self.has_refused
    }
}
