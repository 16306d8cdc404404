//! An error as the user meets it: what happened, why, and what to type next.

use std::error::Error;

use crate::exit::Status;

/// Why a command failed.
#[derive(Debug)]
pub struct CommandError {
    /// The status to leave with.
    pub status: Status,
    /// What happened; its sources are the causes.
    pub error: Box<dyn Error + Send + Sync>,
    /// Commands to type next.
    pub hint: Option<String>,
}

impl CommandError {
    /// An error of the given status.
    pub fn new(status: Status, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            status,
            error: error.into(),
            hint: None,
        }
    }

    /// Wrong usage, configuration or input.
    pub fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Status::Usage, error)
    }

    /// Something was tried and did not succeed.
    pub fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Status::Failed, error)
    }

    /// Adds what to type next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
