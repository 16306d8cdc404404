//! Stage events: of the topic that has them, by the id of the message, or of a file.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::scan::{Cut, Passes, Scanned, Scanner};
use crate::context::Context;
use crate::error::CommandError;
use crate::kafka::offset_spec::{OffsetSpec, Start, Stop};
use crate::kafka::{Cluster, Error, Partitioner, Survey, Topics};
use crate::time;
use crate::trace::{STAGES_TOPIC, StageEvent, TraceId, uuid_millis};

/// By how much clocks may differ before an event is missed for it.
const SLACK_MILLIS: i64 = 60_000;

/// How far back a trace is looked for when it is not said.
const TRACE_WINDOW: &str = "24h";

/// Where stage events are.
#[derive(clap::Args, Debug)]
pub(super) struct IndexArgs {
    /// The topic with the stage events
    #[arg(
        long,
        value_name = "TOPIC",
        default_value = STAGES_TOPIC,
        conflicts_with = "trace_file",
        help_heading = "Stage events"
    )]
    pub(super) trace_topic: String,

    /// Read stage events from this file instead
    #[arg(long, value_name = "FILE", help_heading = "Stage events")]
    pub(super) trace_file: Option<PathBuf>,
}

/// What the events must be about.
#[derive(Clone, Copy)]
enum About<'a> {
    Message(&'a str),
    Trace(TraceId),
}

impl About<'_> {
    fn is(self, event: &StageEvent) -> bool {
        match self {
            Self::Message(id) => event.key().as_deref() == Some(id),
            Self::Trace(id) => event.trace_id == Some(id),
        }
    }
}

/// Looks up stage events.
pub(super) struct Index<'a> {
    args: &'a IndexArgs,
    cluster: Cluster,
    context: &'a Context,
    /// Where `--since` and `--until` say to look.
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    /// The topic is not there.
    is_absent: bool,
    /// Why not everything was looked at.
    pub(super) cut: Option<Cut>,
}

impl<'a> Index<'a> {
    pub(super) fn new(
        args: &'a IndexArgs,
        cluster: Cluster,
        spec: OffsetSpec,
        context: &'a Context,
    ) -> Self {
        Self {
            args,
            cluster,
            context,
            from: match spec.from {
                Some(Start::Time(time)) => Some(time),
                _ => None,
            },
            until: match spec.until {
                Some(Stop::Time(time)) => Some(time),
                _ => None,
            },
            is_absent: false,
            cut: None,
        }
    }

    /// Whether there is none.
    pub(super) fn is_absent(&self) -> bool {
        self.is_absent
    }

    /// What it is called in words.
    pub(super) fn name(&self) -> String {
        match &self.args.trace_file {
            Some(path) => path.display().to_string(),
            None if self.is_absent => {
                format!("`{}`, which does not exist", self.args.trace_topic)
            }
            None => format!("`{}`", self.args.trace_topic),
        }
    }

    /// The events of the message with this id; and, if there are none and it may be that of
    /// a trace, those of the trace.
    pub(super) fn look_up(
        &mut self,
        id: &str,
        scanner: &mut Scanner<'_>,
    ) -> Result<Vec<StageEvent>, CommandError> {
        let events = self.of_message(id, scanner)?;
        match id.parse() {
            Ok(trace) if events.is_empty() && self.cut.is_none() => self.of_trace(trace, scanner),
            _ => Ok(events),
        }
    }

    /// The events of the message with this id.
    pub(super) fn of_message(
        &mut self,
        id: &str,
        scanner: &mut Scanner<'_>,
    ) -> Result<Vec<StageEvent>, CommandError> {
        let made = uuid_millis(id).and_then(|millis| {
            let earliest = millis.saturating_sub(SLACK_MILLIS);
            Timestamp::from_millisecond(earliest).ok()
        });
        self.find(About::Message(id), self.from.or(made), scanner)
    }

    fn of_trace(
        &mut self,
        trace: TraceId,
        scanner: &mut Scanner<'_>,
    ) -> Result<Vec<StageEvent>, CommandError> {
        let from = match self.from {
            Some(from) => from,
            None => time::parse(
                TRACE_WINDOW,
                self.context.clock.now(),
                self.context.clock.zone(),
            )
            .map_err(CommandError::usage)?,
        };
        self.find(About::Trace(trace), Some(from), scanner)
    }

    fn find(
        &mut self,
        about: About<'_>,
        from: Option<Timestamp>,
        scanner: &mut Scanner<'_>,
    ) -> Result<Vec<StageEvent>, CommandError> {
        if let Some(path) = &self.args.trace_file {
            return in_file(path, about, self.context);
        }
        let Some(survey) = self.survey()? else {
            return Ok(Vec::new());
        };
        let mut partitions = survey.partitions();
        if let About::Message(id) = about {
            let count = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
            let partition = Partitioner::Murmur2.partition(id.as_bytes(), count);
            partitions.retain(|(_, other)| *other == partition);
        }
        let spec = OffsetSpec {
            from: Some(from.map_or(Start::Beginning, Start::Time)),
            until: Some(self.until.map_or(Stop::End, Stop::Time)),
        };
        let ranges = survey.ranges(&partitions, spec)?;
        let mut events = Vec::new();
        let (ended, _) = scanner.scan(Passes::Ahead(survey), ranges, &mut |record| {
            // The key is the id, so all other messages are passed over unread.
            if let About::Message(id) = about
                && record.key != Some(id.as_bytes())
            {
                return false;
            }
            let parsed = record.value.and_then(|value| StageEvent::parse(value).ok());
            events.extend(parsed.filter(|event| about.is(event)));
            false
        })?;
        if let Scanned::Cut(cut) = ended {
            self.cut = Some(cut);
        }
        Ok(events)
    }

    /// `None` when the topic is not there, which is no error unless it was named.
    fn survey(&mut self) -> Result<Option<Survey>, CommandError> {
        if self.is_absent {
            return Ok(None);
        }
        let topic = &self.args.trace_topic;
        let topics = Topics::new(std::slice::from_ref(topic)).map_err(CommandError::usage)?;
        match Survey::new(&self.cluster, topics) {
            Ok(survey) => Ok(Some(survey)),
            Err(Error::UnknownTopic { .. }) if topic == STAGES_TOPIC => {
                self.is_absent = true;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn in_file(
    path: &Path,
    about: About<'_>,
    context: &Context,
) -> Result<Vec<StageEvent>, CommandError> {
    let mut events = Vec::new();
    read_file(path, context, |event| {
        if about.is(&event) {
            events.push(event);
        }
    })?;
    Ok(events)
}

/// Shows each event of a file to `look`; says how many lines are none.
pub(super) fn read_file(
    path: &Path,
    context: &Context,
    mut look: impl FnMut(StageEvent),
) -> Result<(), CommandError> {
    let cannot_read = |source| {
        CommandError::usage(CannotRead {
            path: path.display().to_string(),
            source,
        })
    };
    let mut lines = BufReader::new(File::open(path).map_err(cannot_read)?);
    let (mut line, mut strange) = (Vec::new(), 0_u64);
    while lines.read_until(b'\n', &mut line).map_err(cannot_read)? > 0 {
        match StageEvent::parse(&line) {
            Ok(event) => look(event),
            Err(_) if line.trim_ascii().is_empty() => {}
            Err(_) => strange += 1,
        }
        line.clear();
    }
    if strange > 0 {
        let lines = if strange == 1 { "line is" } else { "lines are" };
        context.ui.warning(format_args!(
            "{}: {strange} {lines} no stage event",
            path.display()
        ));
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
struct CannotRead {
    path: String,
    source: std::io::Error,
}
