//! How a run ends: the statuses of `docs/exit-status.md`.

use std::process::ExitCode;

/// The status that a run reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Status {
    /// All that was asked for is done.
    Done = 0,
    /// Not everything succeeded, or the answer is no.
    Failed = 1,
    /// Wrong usage or configuration, or malformed input that stopped the run.
    Usage = 2,
    /// Kafka cannot be reached or time is up; trying again may help.
    Unavailable = 3,
    /// Refused: authentication, authorisation, approval.
    Refused = 4,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

/// What is left to do when a command returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exit with this status.
    Exit(Status),
    /// Exit with the status of another program, handed on.
    Passed(u8),
    /// Die of this signal, so that the shell sees how it ended.
    Signal(i32),
}

impl Outcome {
    /// Nothing went wrong.
    pub const DONE: Self = Self::Exit(Status::Done);
}

/// Leaves the process as `outcome` says, without waiting for the Kafka client's threads.
pub fn leave(outcome: Outcome) -> ! {
    match outcome {
        Outcome::Exit(status) => crate::kafka::leave(i32::from(status as u8)),
        Outcome::Passed(status) => crate::kafka::leave(i32::from(status)),
        Outcome::Signal(signal) => {
            // The kernel gives no default action to process 1, and the emulation aborts
            // where the signal did not end the process.
            if std::process::id() != 1 {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            crate::kafka::leave(128 + signal)
        }
    }
}
