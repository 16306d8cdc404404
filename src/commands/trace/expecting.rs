//! `--expect` and `--budget`: whether a message's life is as it should be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::rows::Row;
use super::span;
use crate::error::CommandError;
use crate::time;
use crate::trace::{Expectation, ExpectationError, Shortfall, Timeline, exceeds};

/// How a message's life should be.
#[derive(clap::Args, Debug)]
pub(super) struct ExpectingArgs {
    /// Expect the stages and topics of this file (TOML or JSON), and that it is in time
    #[arg(long, value_name = "FILE", help_heading = "Verdict")]
    expect: Option<PathBuf>,

    /// Expect that it took no longer than this from the first stage to the last
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = time::parse_interval,
        help_heading = "Verdict"
    )]
    budget: Option<Duration>,
}

/// What is expected of each message.
pub(super) struct Expecting {
    expectation: Option<Expectation>,
    budget: Option<Duration>,
}

impl ExpectingArgs {
    /// Reads the file.
    pub(super) fn read(&self) -> Result<Expecting, CommandError> {
        let expectation = self.expect.as_deref().map(read).transpose()?;
        Ok(Expecting {
            expectation,
            budget: self.budget,
        })
    }
}

fn read(path: &Path) -> Result<Expectation, CommandError> {
    let path = path.display().to_string();
    let text = std::fs::read_to_string(&path).map_err(|source| {
        CommandError::usage(CannotRead {
            path: path.clone(),
            source,
        })
    })?;
    Expectation::parse(&text).map_err(|source| {
        CommandError::usage(NotAnExpectation { path, source })
            .hint("`kpipe help tracing` shows one")
    })
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
struct CannotRead {
    path: String,
    source: std::io::Error,
}

#[derive(Debug, thiserror::Error)]
#[error("{path} does not say what to expect")]
struct NotAnExpectation {
    path: String,
    source: ExpectationError,
}

impl Expecting {
    /// Whether the total is more than `--budget`.
    pub(super) fn is_over_budget(&self, timeline: &Timeline) -> bool {
        let total = timeline.total();
        self.budget
            .is_some_and(|budget| total.is_some_and(|total| exceeds(total, budget)))
    }

    /// Whether nothing is to be waited for any more: all is there, or it is too late for it.
    pub(super) fn is_settled(&self, timeline: &Timeline) -> bool {
        match &self.expectation {
            Some(expectation) => !matches!(
                expectation.shortfall(timeline),
                Some(Shortfall::Missing(_) | Shortfall::NotIn(_))
            ),
            None => timeline.missing().next().is_none(),
        }
    }

    /// What is not as it should be, if anything is.
    pub(super) fn verdict(&self, timeline: &Timeline) -> Option<Row> {
        let shortfall = self
            .expectation
            .as_ref()
            .and_then(|expectation| expectation.shortfall(timeline));
        let row = |what: &str, status, why| Some(Row::verdict(timeline, what, status, why));
        match shortfall {
            Some(Shortfall::Missing(stage)) => {
                row(stage.name(), "missing", "it was expected".to_owned())
            }
            Some(Shortfall::Failed(stage, error)) => row(
                stage.name(),
                "error",
                error.unwrap_or_else(|| "it was expected to succeed".to_owned()),
            ),
            Some(Shortfall::Late(stage, took, within)) => row(
                stage.name(),
                "late",
                format!(
                    "{} rather than {}",
                    span::in_words(took),
                    time::in_words(within)
                ),
            ),
            Some(Shortfall::NotIn(topic)) => row(
                "PERSISTED",
                "missing",
                format!("it was expected in topic `{topic}`"),
            ),
            None if self.is_over_budget(timeline) => {
                let (total, budget) = (timeline.total()?, self.budget?);
                row(
                    "TOTAL",
                    "late",
                    format!(
                        "{} rather than {}",
                        span::in_words(total),
                        time::in_words(budget)
                    ),
                )
            }
            None => None,
        }
    }
}
