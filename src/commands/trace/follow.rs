//! `--follow`: waits for the stages of a message that are still to come.

use std::time::{Duration, Instant};

use jiff::SignedDuration;

use super::expecting::Expecting;
use super::pursuit::Pursuit;
use super::scan::{Cut, Passes, Scanned, Scanner};
use crate::error::CommandError;
use crate::kafka::offset_spec::{OffsetSpec, Start};
use crate::kafka::{Survey, Topics};
use crate::trace::{Id, Match, Sighting, StageEvent, Timeline, TraceId};

/// How long is waited when it is not said.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came so long before the search began is read again: it may have come meanwhile, and
/// clocks differ.
const OVERLAP: SignedDuration = SignedDuration::from_secs(60);

impl Pursuit<'_> {
    /// Waits until nothing is missing, or time is up.
    pub(super) fn follow(&mut self, expecting: &Expecting) -> Result<(), CommandError> {
        let deadline = Instant::now() + self.args.timeout.unwrap_or(PATIENCE);
        while !is_settled(&self.timelines(), expecting) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.wait(left, expecting)? {
                return Ok(());
            }
            // What was found may be a message that no event was looked for yet.
            self.look_up_found()?;
        }
        Ok(())
    }

    /// Waits for something new; says whether anything came.
    fn wait(&mut self, left: Duration, expecting: &Expecting) -> Result<bool, CommandError> {
        let stages = self.args.index.trace_topic.clone();
        let names = [std::slice::from_ref(&stages), &self.args.topics].concat();
        let topics = Topics::new(&names).map_err(CommandError::usage)?;
        let survey = Survey::to_follow(&self.cluster, topics)?;
        let from = self.begun.checked_sub(OVERLAP);
        let spec = OffsetSpec {
            from: from.ok().map(Start::Time),
            until: None,
        };
        let ranges = survey.ranges(&survey.partitions(), spec)?;
        let wanted = self.wanted();
        let trace: Option<TraceId> = match &self.args.id {
            Some(Id::Message(id)) => id.parse().ok(),
            _ => None,
        };
        tracing::info!("waiting for what is missing");
        let mut scanner = Scanner::new(self.context, Some(left), None);
        let (events, sightings) = (&mut self.events, &mut self.sightings);
        let known = &self.known;
        let names_it = |event: &StageEvent| {
            event.key().is_some_and(|key| known.contains(&key))
                || (trace.is_some() && event.trace_id == trace)
        };
        let (ended, _) = scanner.scan(Passes::Ahead(survey), ranges, &mut |record| {
            if record.topic == stages {
                let event = record.value.and_then(|value| StageEvent::parse(value).ok());
                let Some(event) = event.filter(|event| names_it(event)) else {
                    return false;
                };
                if events.contains(&event) {
                    return false;
                }
                events.push(event);
            } else {
                let Some(Match::Is) = wanted.look(record) else {
                    return false;
                };
                let sighting = Sighting::of(record, None);
                if sightings.contains(&sighting) {
                    return false;
                }
                let is_new = !known.contains(sighting.message_id.as_deref().unwrap_or_default());
                sightings.push(sighting);
                if is_new {
                    return true;
                }
            }
            is_settled(&Timeline::of(events, sightings), expecting)
        })?;
        match ended {
            Scanned::Enough => Ok(true),
            // All there was has been read: what is missing is missing.
            Scanned::Whole | Scanned::Cut(Cut::Timeout) => Ok(false),
            Scanned::Cut(cut) => {
                self.cut = Some(cut);
                Ok(false)
            }
        }
    }
}

fn is_settled(timelines: &[Timeline], expecting: &Expecting) -> bool {
    let settled = |timeline| expecting.is_settled(timeline);
    !timelines.is_empty() && timelines.iter().all(settled)
}
