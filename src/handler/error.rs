//! Why a run of handlers ends before its time, with the status and what to type next.

use std::io;
use std::path::PathBuf;

use crate::error::CommandError;
use crate::exit::Status;
use crate::kafka;

/// Why nothing more is handled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such program, or it is none.
    #[error("cannot run `{program}`")]
    CannotRun {
        program: String,
        #[source]
        source: io::Error,
    },
    /// The handler says that a program is not there, with the status of shells.
    #[error("the handler ended with status {status}: its program {}", what(*.status))]
    NoProgram { status: i32 },
    /// A record could not be handled and nothing was said of what to do then.
    #[error("{place} was not handled in {}: {failure}", in_words(*.attempts))]
    NotHandled {
        place: String,
        attempts: u32,
        failure: String,
    },
    /// A dead letter was not acknowledged.
    #[error("cannot write the dead letter of {place} to topic `{topic}`")]
    DeadLetter {
        place: String,
        topic: String,
        #[source]
        source: Box<kafka::Error>,
    },
    /// Dead letters could not be written when there are any.
    #[error("cannot write dead letters to topic `{topic}`")]
    NoDeadLetters {
        topic: String,
        #[source]
        source: Box<kafka::Error>,
    },
    /// A dead letter that dies again would follow itself for ever.
    #[error("{place} is a dead letter already")]
    DeadAlready { place: String },
    /// What the handler printed could not be sent.
    #[error("cannot send the handler's output to topic `{topic}`")]
    Output {
        topic: String,
        #[source]
        source: Box<kafka::Error>,
    },
    /// Nobody here knows whether a transaction was committed.
    #[error("cannot tell whether the last transaction was committed")]
    Transaction {
        #[source]
        source: Box<kafka::Error>,
    },
    /// The file that remembers attempts failed.
    #[error("cannot use the attempts file")]
    Attempts {
        #[source]
        source: rusqlite::Error,
    },
    /// The file that is to remember attempts is none, or cannot be made.
    #[error("cannot open the attempts file `{}`", path.display())]
    AttemptsFile {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    /// What handlers print cannot be passed on.
    #[error("cannot write to stdout")]
    Stdout {
        #[source]
        source: io::Error,
    },
    /// The system did something that it does not do.
    #[error("cannot watch the handler")]
    System {
        #[source]
        source: io::Error,
    },
}

/// So many attempts, in words.
pub(super) fn in_words(count: u32) -> String {
    format!("{count} attempt{}", if count == 1 { "" } else { "s" })
}

fn what(status: i32) -> &'static str {
    if status == 126 {
        "cannot be executed"
    } else {
        "is not found"
    }
}

impl Error {
    /// The status that the run leaves with.
    pub fn status(&self) -> Status {
        match self {
            Self::CannotRun { .. }
            | Self::NoProgram { .. }
            | Self::DeadAlready { .. }
            | Self::AttemptsFile { .. } => Status::Usage,
            Self::NotHandled { .. }
            | Self::Attempts { .. }
            | Self::Stdout { .. }
            | Self::System { .. } => Status::Failed,
            // What is missing at the start nobody will mend by waiting.
            Self::NoDeadLetters { source, .. } => source.status(),
            Self::DeadLetter { .. } | Self::Output { .. } | Self::Transaction { .. } => {
                Status::Unavailable
            }
        }
    }

    /// What to type next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::CannotRun { .. } => "the program and its arguments come after `--`".into(),
            Self::NoProgram { status } => format!(
                "nothing was dead-lettered or skipped; `--on {status}=retry` takes the status for \
                 a failure of the record"
            ),
            Self::NotHandled { .. } => {
                "`--dlq` sets such records aside, `--skip` passes over them; its offset is not \
                 committed"
                    .into()
            }
            Self::DeadLetter { topic, source, .. } | Self::NoDeadLetters { topic, source }
                if matches!(
                    **source,
                    kafka::Error::UnknownTopic {
                        built_in: false,
                        ..
                    }
                ) =>
            {
                format!("make it, `kpipe topic create {topic}`, or name another with `--dlq=TOPIC`")
            }
            Self::DeadLetter { topic, source, .. } if source.is_too_large() => format!(
                "raise `max.message.bytes` of `{topic}`: its headers say why the record died; or \
                 pass over such records with `--skip`"
            ),
            Self::DeadLetter { source, .. }
            | Self::NoDeadLetters { source, .. }
            | Self::Output { source, .. } => return source.hint(),
            Self::DeadAlready { .. } => {
                "name a topic of their own with `--dlq=TOPIC`, or pass over them with `--skip`"
                    .into()
            }
            Self::Transaction { .. } => {
                "run it again: it goes on where the group's offsets say".into()
            }
            Self::AttemptsFile { .. } => {
                "name a file that kpipe made or is to make, in a directory that is there and can \
                 be written to"
                    .into()
            }
            Self::Attempts { .. } | Self::Stdout { .. } | Self::System { .. } => return None,
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
