//! What is done with a record before it is sent: it is checked, completed and named, and that is
//! reported.

use std::path::{Path, PathBuf};

use super::{Args, RulesArgs};
use crate::context::Context;
use crate::error::CommandError;
use crate::identity;
use crate::record::{Outgoing, OutgoingHeader};
use crate::rules::{Maker, Rules, Schema, SchemaError, Violation};
use crate::sink::stages::Reporter;
use crate::trace::{MESSAGE_ID, Stage, StageEvent, TRACEPARENT, TraceContext, message_id};

/// Prepares the records of a run.
pub(super) struct Preparation {
    rules: Rules,
    maker: Maker,
    reporter: Option<Reporter>,
    /// Where every record goes, when that is one topic.
    topic: Option<String>,
    /// Records have no time of their own.
    now: bool,
    /// Whether records are to have an id and a trace.
    names: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read the schema `{path}`")]
struct CannotRead {
    path: PathBuf,
    #[source]
    error: std::io::Error,
}

#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be checked against")]
struct NoSchema {
    path: PathBuf,
    #[source]
    error: SchemaError,
}

impl RulesArgs {
    /// The rules; the schema is read once, because it may be a pipe.
    pub(super) fn read(&self) -> Result<Rules, CommandError> {
        Ok(Rules {
            required: self.require.clone(),
            schema: self.schema.as_deref().map(read).transpose()?,
            defaults: self.default.clone(),
            assigned: self.assign.clone(),
        })
    }
}

impl Preparation {
    /// What is to be done, or `None` for nothing.
    pub(super) fn new(
        args: &Args,
        rules: Rules,
        context: &Context,
        reporter: Option<Reporter>,
    ) -> Result<Option<Self>, CommandError> {
        let names = args.trace.is_asked_for();
        if rules.is_empty() && !names {
            return Ok(None);
        }
        let maker = Maker::new(context.clock.clone(), context.random()?, identity::host());
        Ok(Some(Self {
            rules,
            maker,
            reporter,
            topic: args.topic.clone(),
            now: args.input.now,
            names,
        }))
    }

    /// Checks and completes `record`, gives it an id and a trace where it has none, and reports that.
    pub(super) fn prepare(&mut self, record: &mut Outgoing<'_>) -> Result<(), Violation> {
        let read = self.moment();
        let checked = self.rules.check(record.value.as_deref());
        let validated = self.moment();
        if let Err(violation) = checked {
            self.report(
                record,
                read,
                validated,
                Some((Stage::Validated, &violation)),
            );
            return Err(violation);
        }
        if self.rules.completes() {
            let completed = self
                .rules
                .complete(record.value.as_deref(), &mut self.maker);
            match completed.map(|value| value.map(std::borrow::Cow::into_owned)) {
                Ok(value) => record.value = value.map(Into::into),
                Err(violation) => {
                    self.report(record, read, validated, Some((Stage::Enriched, &violation)));
                    return Err(violation);
                }
            }
        }
        if self.names {
            self.name(record);
        }
        self.report(record, read, validated, None);
        Ok(())
    }

    fn moment(&self) -> i64 {
        self.reporter.as_ref().map_or(0, Reporter::now)
    }

    /// Adds the headers that are missing; what is there stays as it is.
    fn name(&mut self, record: &mut Outgoing<'_>) {
        let headers = record.lend_headers();
        let has_id = message_id(&headers, record.value.as_deref()).is_some();
        // What we cannot read is somebody's trace all the same.
        let has_trace = TraceContext::of(&headers).is_some()
            || headers
                .iter()
                .any(|header| header.name == TRACEPARENT.as_bytes());
        if !has_id {
            let id = self.maker.uuid().to_string();
            record.headers.push(header(MESSAGE_ID, id));
        }
        if !has_trace {
            let context = TraceContext::random(self.maker.bytes());
            record
                .headers
                .push(header(TRACEPARENT, context.traceparent()));
        }
    }

    /// Reports how far a record has come. One that is refused is of interest if it has an id.
    fn report(
        &self,
        record: &Outgoing<'_>,
        read: i64,
        validated: i64,
        refused: Option<(Stage, &Violation)>,
    ) {
        let Some(reporter) = &self.reporter else {
            return;
        };
        let headers = record.lend_headers();
        let created = record.timestamp.filter(|_| !self.now);
        let event = StageEvent {
            topic: (self.topic.clone()).or_else(|| record.topic.as_deref().map(ToOwned::to_owned)),
            ..StageEvent::of(
                Stage::Created,
                created.map_or(read, |millis| millis.saturating_mul(1000)),
                &headers,
                record.value.as_deref(),
            )
        };
        if event.key().is_none() {
            return;
        }
        reporter.report(event.clone());
        let reach = |stage, at| {
            let event = StageEvent {
                stage,
                at,
                ..event.clone()
            };
            match refused {
                Some((failed, why)) if failed == stage => {
                    reporter.report(event.failed(why.to_string()));
                    false
                }
                _ => {
                    reporter.report(event);
                    true
                }
            }
        };
        if reach(Stage::Validated, validated) && self.rules.completes() {
            reach(Stage::Enriched, reporter.now());
        }
    }
}

fn read(path: &Path) -> Result<Schema, CommandError> {
    let path = path.to_owned();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => return Err(CommandError::usage(CannotRead { path, error })),
    };
    text.parse()
        .map_err(|error| CommandError::usage(NoSchema { path, error }))
}

fn header<'a>(name: &'static str, value: String) -> OutgoingHeader<'a> {
    OutgoingHeader {
        name: name.as_bytes().into(),
        value: Some(value.into_bytes().into()),
    }
}
