//! How stages are reported: the flags that `send`, `tail` and `trace mark` share.

use std::path::PathBuf;

use crate::context::Context;
use crate::error::CommandError;
use crate::identity;
use crate::sink::stages::{Destination, Origin, Reporter};
use crate::trace::{STAGES_TOPIC, Sample};

/// Whether stages are reported, and how.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Tracing")]
pub(crate) struct TraceArgs {
    /// Report the stages of each record; see `kpipe help tracing`
    #[arg(long)]
    trace: bool,

    #[command(flatten)]
    report: ReportArgs,
}

/// Where stage events go, and of which messages.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Tracing")]
pub(crate) struct ReportArgs {
    /// Send stage events to this topic [default: kpipe.stages]
    #[arg(
        long = "trace-topic",
        value_name = "TOPIC",
        conflicts_with = "trace_file"
    )]
    trace_topic: Option<String>,

    /// Append stage events to this file instead
    #[arg(long = "trace-file", value_name = "FILE")]
    trace_file: Option<PathBuf>,

    /// Report this share of all messages, chosen by their ids: alike everywhere
    #[arg(long = "trace-sample", value_name = "SHARE")]
    trace_sample: Option<Sample>,

    /// Who reports, as stage events name it
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot append to `{path}`")]
struct CannotAppend {
    path: PathBuf,
    #[source]
    error: std::io::Error,
}

impl TraceArgs {
    /// Whether stages are to be reported.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.trace
    }

    /// Starts to report as `service`, if that was asked for.
    pub(crate) fn start(
        &self,
        service: &str,
        group: Option<String>,
        context: &Context,
    ) -> Result<Option<Reporter>, CommandError> {
        if self.trace {
            return self.report.start(service, group, context).map(Some);
        }
        let report = &self.report;
        if report.trace_topic.is_some()
            || report.trace_file.is_some()
            || report.trace_sample.is_some()
            || report.service.is_some()
        {
            return Err(CommandError::usage(
                "`--trace-topic`, `--trace-file`, `--trace-sample` and `--service` say how stages \
                 are reported, but they are not",
            )
            .hint("add `--trace`"));
        }
        Ok(None)
    }
}

impl ReportArgs {
    /// Starts to report as `service`, unless another name was given.
    pub(crate) fn start(
        &self,
        service: &str,
        group: Option<String>,
        context: &Context,
    ) -> Result<Reporter, CommandError> {
        let destination = match &self.trace_file {
            Some(path) => Destination::file(path).map_err(|error| {
                let path = path.clone();
                CommandError::usage(CannotAppend { path, error })
            })?,
            None => Destination::Topic {
                cluster: context.cluster()?,
                name: topic(self.trace_topic.as_deref())?.to_owned(),
            },
        };
        let origin = Origin {
            service: self.service.as_deref().unwrap_or(service).to_owned(),
            host: identity::host(),
            group,
        };
        let sample = self.trace_sample.unwrap_or(Sample::ALL);
        let clock = context.clock.clone();
        Reporter::start(destination, origin, sample, clock).map_err(CommandError::failed)
    }
}

/// The topic of stage events.
pub(crate) fn topic(named: Option<&str>) -> Result<&str, CommandError> {
    let name = named.unwrap_or(STAGES_TOPIC);
    if crate::kafka::is_topic_name(name) {
        Ok(name)
    } else {
        Err(crate::kafka::Error::InvalidTopic(name.to_owned()).into())
    }
}

/// Waits for the last stage events, and says what was lost: a warning, because what was traced is done.
pub(crate) fn finish(reporter: Option<&Reporter>, context: &Context) {
    if let Some(lost) = reporter.and_then(|reporter| reporter.finish(&context.stop)) {
        context.ui.warning(lost);
    }
}
