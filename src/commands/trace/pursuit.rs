//! Where a message may be, the cheapest place first: stage events, the time in its id, the
//! partition of its key, everything.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::index::Index;
use super::lookup::{CutShort, LookupArgs, NotFound};
use super::scan::{Cut, Passes, Scanned, Scanner, offsets};
use crate::commands::selection;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::offset_spec::{OffsetSpec, Start, Stop};
use crate::kafka::{Cluster, Partitioner, Range, Survey, Topics};
use crate::record::Record;
use crate::trace::{Id, Match, Sighting, StageEvent, Timeline, Wanted, uuid_millis};

/// Seconds before and after the time in an id within which its record is looked for first: clocks
/// differ, and a producer may be slow.
const WINDOWS: [(i64, i64); 2] = [(2, 5), (60, 600)];

/// Records that are fetched, or asked for in the index, one by one.
const ONE_BY_ONE: usize = 16;

/// More records than this are not kept by `--all`.
const MOST: usize = 1000;

/// A place in Kafka.
type Place = (String, i32, i64);

/// The pursuit of one message.
pub(super) struct Pursuit<'a> {
    pub(super) args: &'a LookupArgs,
    pub(super) context: &'a Context,
    pub(super) cluster: Cluster,
    pub(super) spec: OffsetSpec,
    /// What `--topics` names.
    topics: Topics,
    pub(super) scanner: Scanner<'a>,
    pub(super) index: Index<'a>,
    pub(super) begun: Timestamp,
    pub(super) events: Vec<StageEvent>,
    pub(super) sightings: Vec<Sighting>,
    /// Why not everything was searched.
    pub(super) cut: Option<Cut>,
    /// Ids that the index was asked for.
    pub(super) known: BTreeSet<String>,
    /// Offsets, and partitions, that topics were searched in.
    searched: (u64, BTreeSet<(String, i32)>),
    /// Partitions where the key does not belong were left out.
    is_narrow: bool,
}

impl<'a> Pursuit<'a> {
    /// Nothing was looked at yet.
    pub(super) fn new(args: &'a LookupArgs, context: &'a Context) -> Result<Self, CommandError> {
        let mut spec = selection::joined(&args.offsets, [&args.since, &args.until], context)?;
        if spec.from == Some(Start::Stored) {
            return Err(CommandError::usage(
                "`-o stored` asks for what a group has committed, but there is no group",
            ));
        }
        let topics = Topics::new(&args.topics).map_err(CommandError::usage)?;
        let cluster = context.cluster()?;
        let index = Index::new(&args.index, cluster.clone(), spec, context);
        spec.from.get_or_insert(Start::Beginning);
        spec.until.get_or_insert(Stop::End);
        // A wait is bounded by itself; see `follow`.
        let timeout = args.timeout.filter(|_| !args.follow);
        Ok(Self {
            args,
            context,
            cluster,
            spec,
            topics,
            scanner: Scanner::new(context, timeout, args.limit),
            index,
            begun: context.clock.now(),
            events: Vec::new(),
            sightings: Vec::new(),
            cut: None,
            known: BTreeSet::new(),
            searched: (0, BTreeSet::new()),
            is_narrow: false,
        })
    }

    /// Looks everywhere until it is found.
    pub(super) fn find(&mut self) -> Result<(), CommandError> {
        match &self.args.id {
            Some(Id::Message(id)) => {
                let events = self.index.look_up(id, &mut self.scanner)?;
                self.take(events);
                self.known.insert(id.clone());
                if self.args.index.trace_file.is_none() {
                    self.fetch(self.told_places())?;
                }
            }
            Some(Id::Place {
                topic,
                partition,
                offset,
            }) => self.fetch(vec![(topic.clone(), *partition, *offset)])?,
            None => {}
        }
        if self.cut.is_none() && !self.args.topics.is_empty() {
            self.search()?;
        }
        self.look_up_found()
    }

    /// What is known, message by message.
    pub(super) fn timelines(&self) -> Vec<Timeline> {
        Timeline::of(&self.events, &self.sightings)
    }

    fn take(&mut self, events: Vec<StageEvent>) {
        self.events.extend(events);
        self.cut = self.cut.take().or_else(|| self.index.cut.take());
    }

    /// Asks the index for the messages that were found by something else than their id.
    pub(super) fn look_up_found(&mut self) -> Result<(), CommandError> {
        let mut ids = BTreeSet::new();
        for sighting in &self.sightings {
            // An event has the first of them that whoever reported it knew.
            ids.extend(sighting.message_id.clone());
            if sighting.message_id.is_none() {
                ids.extend(sighting.trace_id.map(|id| id.to_string()));
                ids.insert(format!(
                    "{}:{}:{}",
                    sighting.topic, sighting.partition, sighting.offset
                ));
            }
        }
        for id in ids.into_iter().take(ONE_BY_ONE) {
            if self.cut.is_none() && self.known.insert(id.clone()) {
                let events = self.index.of_message(&id, &mut self.scanner)?;
                self.take(events);
            }
        }
        Ok(())
    }

    /// Where events say that records are.
    fn told_places(&self) -> Vec<Place> {
        let place =
            |event: &StageEvent| Some((event.topic.clone()?, event.partition?, event.offset?));
        let places: BTreeSet<Place> = self.events.iter().filter_map(place).collect();
        places.into_iter().take(ONE_BY_ONE).collect()
    }

    /// Takes a look at the records at these places; one that is gone is none.
    fn fetch(&mut self, places: Vec<Place>) -> Result<(), CommandError> {
        for (topic, partition, offset) in places {
            let topics = Topics::new(std::slice::from_ref(&topic)).map_err(CommandError::usage)?;
            let survey = match Survey::new(&self.cluster, topics) {
                Ok(survey) => survey,
                // An event may well outlive the topic that it tells of.
                Err(error) if self.events.is_empty() => return Err(error.into()),
                Err(error) => {
                    self.context.ui.warning(crate::ui::in_one_line(&error));
                    continue;
                }
            };
            let here = [(topic.clone(), partition)];
            if !survey.partitions().contains(&here[0]) {
                continue;
            }
            let spec = OffsetSpec {
                from: Some(Start::Offset(offset)),
                until: Some(Stop::Offset(offset.saturating_add(1))),
            };
            let mut ranges = survey.ranges(&here, spec)?;
            // What was removed, or is not there yet, is clamped to what is.
            ranges.retain(|range| range.start == offset);
            self.note_searched(&ranges);
            let mut found = Vec::new();
            let (ended, _) = self
                .scanner
                .scan(Passes::Ahead(survey), ranges, &mut |record| {
                    found.push(Sighting::of(record, None));
                    true
                })?;
            self.sightings.append(&mut found);
            if let Scanned::Cut(cut) = ended {
                self.cut = Some(cut);
                return Ok(());
            }
        }
        Ok(())
    }

    /// What a record must be.
    pub(super) fn wanted(&self) -> Wanted {
        let wanted = Wanted::new(
            self.args.key.clone().map(String::into_bytes),
            self.args.headers.clone(),
            self.args.conditions.clone(),
        );
        match &self.args.id {
            Some(Id::Message(id)) => wanted.with_id(id),
            // The same message in other topics.
            Some(Id::Place { .. }) => match self.sightings.first() {
                Some(Sighting {
                    message_id: Some(id),
                    ..
                }) => wanted.with_id(id),
                _ => wanted,
            },
            None => wanted,
        }
    }

    /// Searches the topics, pass by pass, the likeliest first.
    fn search(&mut self) -> Result<(), CommandError> {
        let survey = Survey::new(&self.cluster, self.topics.clone())?;
        let mut open: BTreeSet<String> = survey.topics().iter().map(|one| one.0.clone()).collect();
        if !self.args.all {
            open.retain(|topic| !self.sightings.iter().any(|found| found.topic == *topic));
        }
        if let (Some(Id::Place { topic, .. }), None) = (
            &self.args.id,
            self.sightings
                .first()
                .and_then(|found| found.message_id.as_ref()),
        ) {
            self.context.ui.warning(format_args!(
                "the record has no message id: it cannot be followed out of `{topic}`"
            ));
            return Ok(());
        }
        let wanted = self.wanted();
        let passes = self.passes(&survey)?;
        let times = self.times_to_compare(&survey);
        let (args, known) = (self.args, self.sightings.clone());
        let (mut found, mut mentions) = (Vec::new(), BTreeMap::new());
        let mut state = Passes::Ahead(survey);
        for mut ranges in passes {
            ranges.retain(|range| open.contains(&range.topic));
            self.note_searched(&ranges);
            let (ended, next) = self.scanner.scan(state, ranges, &mut |record| {
                if !times.hold(record) || !open.contains(record.topic) {
                    return false;
                }
                match wanted.look(record) {
                    None => false,
                    Some(Match::Is) => {
                        let sighting = Sighting::of(record, None);
                        if known.contains(&sighting) {
                            return false;
                        }
                        found.push(sighting);
                        if args.all {
                            return found.len() >= MOST;
                        }
                        open.remove(record.topic);
                        open.is_empty()
                    }
                    Some(Match::Mentions(mention)) => {
                        mentions
                            .entry(record.topic.to_owned())
                            .or_insert_with(|| Sighting::of(record, Some(mention)));
                        false
                    }
                }
            })?;
            state = next;
            match ended {
                Scanned::Whole => {}
                Scanned::Enough => break,
                Scanned::Cut(cut) => {
                    self.cut = Some(cut);
                    break;
                }
            }
        }
        if found.len() >= MOST {
            self.context
                .ui
                .warning(format_args!("only the first {MOST} are shown"));
        }
        mentions.retain(|topic, _| !found.iter().any(|found| found.topic == *topic));
        self.sightings.extend(found);
        self.sightings.extend(mentions.into_values());
        Ok(())
    }

    /// Which ranges to search, in which order; no offset is searched twice.
    fn passes(&mut self, survey: &Survey) -> Result<Vec<Vec<Range>>, CommandError> {
        let partitions = survey.partitions();
        let whole = survey.ranges(&partitions, self.spec)?;
        let mut pieces = vec![whole.clone()];
        if let Some(millis) = self.made().filter(|_| self.is_unbounded()) {
            if survey.knows_times() {
                let mut windows = Vec::new();
                for (before, after) in WINDOWS {
                    let at = |seconds: i64| {
                        let made = Timestamp::from_millisecond(millis).ok()?;
                        made.checked_add(SignedDuration::from_secs(seconds)).ok()
                    };
                    if let (Some(from), Some(until)) = (at(-before), at(after)) {
                        let spec = OffsetSpec {
                            from: Some(Start::Time(from)),
                            until: Some(Stop::Time(until)),
                        };
                        windows.push(survey.ranges(&partitions, spec)?);
                    }
                }
                pieces = outwards(&whole, &windows);
            } else {
                self.context
                    .ui
                    .status("the built-in broker cannot look up times: everything is searched");
            }
        }
        let Some(key) = self.args.key.as_ref().map(String::as_bytes) else {
            return Ok(pieces);
        };
        let counts: BTreeMap<&str, i32> = survey
            .topics()
            .iter()
            .map(|(topic, count)| (topic.as_str(), *count))
            .collect();
        let rank = |range: &Range| {
            let count = counts.get(range.topic.as_str()).copied().unwrap_or(1);
            Partitioner::COMMON
                .iter()
                .position(|one| one.partition(key, count) == range.partition)
                .unwrap_or(Partitioner::COMMON.len())
        };
        let most = Partitioner::COMMON.len();
        let ranks = if self.args.all_partitions {
            most + 1
        } else {
            most
        };
        self.is_narrow = ranks == most && whole.iter().any(|range| rank(range) == most);
        Ok((0..ranks)
            .flat_map(|wanted| {
                pieces.iter().map(move |piece| {
                    let piece = piece.iter().filter(|range| rank(range) == wanted);
                    piece.cloned().collect()
                })
            })
            .collect())
    }

    /// When the message was made, as its id says.
    fn made(&self) -> Option<i64> {
        match &self.args.id {
            Some(Id::Message(id)) => uuid_millis(id),
            Some(Id::Place { .. }) => uuid_millis(self.sightings.first()?.message_id.as_ref()?),
            None => None,
        }
    }

    fn is_unbounded(&self) -> bool {
        self.spec.from == Some(Start::Beginning) && self.spec.until == Some(Stop::End)
    }

    /// The times that records are to be compared with one by one, where Kafka cannot.
    fn times_to_compare(&self, survey: &Survey) -> Times {
        let mut times = Times::default();
        if let Some(Start::Time(time)) = self.spec.from {
            times.from = Some(time.as_millisecond());
        }
        if let Some(Stop::Time(time)) = self.spec.until {
            times.until = Some(time.as_millisecond());
        }
        if times != Times::default() && !survey.knows_times() {
            self.context.ui.status(
                "the built-in broker cannot look up times: everything is searched for them",
            );
            return times;
        }
        Times::default()
    }

    fn note_searched(&mut self, ranges: &[Range]) {
        self.searched.0 += offsets(ranges);
        let places = ranges.iter().map(|one| (one.topic.clone(), one.partition));
        self.searched.1.extend(places);
    }

    /// What was looked for, in words.
    fn what(&self) -> String {
        match (&self.args.id, &self.args.key) {
            (Some(id), _) => format!("`{id}`"),
            (None, Some(key)) => format!("a record with the key `{key}`"),
            (None, None) => "a record like this".to_owned(),
        }
    }

    /// Says which records only mention the id.
    pub(super) fn tell_mentions(&self) {
        for sighting in &self.sightings {
            if let Some(mention) = &sighting.mention {
                self.context.ui.warning(format_args!(
                    "{} is not the id of {}:{}:{}, but stands there {mention}",
                    self.what(),
                    sighting.topic,
                    sighting.partition,
                    sighting.offset
                ));
            }
        }
    }

    /// How a run ends that found nothing.
    pub(super) fn not_found(&mut self) -> Result<Outcome, CommandError> {
        if self.cut.is_some() {
            return self.incomplete();
        }
        let what = self.what();
        if let Some(Id::Place { .. }) = self.args.id {
            return Err(CommandError::failed(NoSuchRecord { what }));
        }
        if self.args.topics.is_empty() {
            let error = NoEvents {
                index: self.index.name(),
                what,
            };
            if self.args.follow {
                return Err(CommandError::failed(error));
            }
            // Where there was nothing to be searched, the answer is not no.
            let error = if self.index.is_absent() {
                CommandError::usage(error)
            } else {
                CommandError::failed(error)
            };
            let id = self.args.id.as_ref().map_or(String::new(), Id::to_string);
            return Err(error.hint(format!(
                "say which topics to search: `kpipe trace {id} --topics TOPIC,…`"
            )));
        }
        let (offsets, places) = &self.searched;
        let error = CommandError::failed(NotFound {
            what,
            offsets: *offsets,
            places: match places.len() {
                1 => "1 partition".to_owned(),
                count => format!("{count} partitions"),
            },
        });
        Err(if self.is_narrow {
            error.hint(
                "only partitions where the key belongs were searched: `--all-partitions` searches all",
            )
        } else {
            error
        })
    }

    /// How a run ends that did not search everything.
    pub(super) fn incomplete(&mut self) -> Result<Outcome, CommandError> {
        let cut = self.cut.take().unwrap_or(Cut::Stopped);
        let hint = match &cut {
            Cut::Timeout => {
                Some("a longer `--timeout`, or `--since`, `--key` or `-o` to search less")
            }
            Cut::Limit => Some("a higher `--limit`, or `--since`, `--key` or `-o` to search less"),
            _ => None,
        };
        let signal = self.context.stop.signal();
        let status = match &cut {
            Cut::Failed(error) if error.status() == Status::Refused => Status::Refused,
            _ => Status::Unavailable,
        };
        let error = CommandError {
            hint: hint.map(str::to_owned),
            ..CommandError::new(
                status,
                CutShort {
                    what: self.what(),
                    records: self.scanner.records,
                    cut,
                },
            )
        };
        match signal {
            Some(signal) => {
                self.context.ui.error(&error);
                Ok(Outcome::Signal(signal))
            }
            None => Err(error),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("not found: there is no record at {what}")]
struct NoSuchRecord {
    what: String,
}

#[derive(Debug, thiserror::Error)]
#[error("no stage event of {what} in {index}")]
struct NoEvents {
    index: String,
    what: String,
}

/// Milliseconds since the epoch that a record's time must be between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    from: Option<i64>,
    until: Option<i64>,
}

impl Times {
    fn hold(self, record: &Record<'_>) -> bool {
        let Some(timestamp) = record.timestamp else {
            return true;
        };
        self.from.is_none_or(|from| timestamp.millis >= from)
            && self.until.is_none_or(|until| timestamp.millis < until)
    }
}

/// The first of `windows`, then what each larger one has more, at last the rest of `whole`: always
/// what comes after before what comes before, since a record is rather late than early.
fn outwards(whole: &[Range], windows: &[Vec<Range>]) -> Vec<Vec<Range>> {
    let cut = |range: &Range, start: i64, stop: i64| {
        Range::new(&range.topic, range.partition, start, Some(stop))
    };
    // Within the whole, and around what was there before.
    let mut done: Vec<(i64, i64)> = Vec::new();
    let mut passes = Vec::new();
    for window in windows.iter().map(Vec::as_slice).chain([whole]) {
        let (mut after, mut before, mut next) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (range, all)) in window.iter().zip(whole).enumerate() {
            let end = all.stop.unwrap_or(all.start);
            let start = range.start.clamp(all.start, end.max(all.start));
            let stop = range.stop.unwrap_or(end).clamp(start, end.max(start));
            match done.get(index) {
                None => {
                    after.push(cut(range, start, stop));
                    next.push((start, stop));
                }
                Some(&(from, to)) => {
                    after.push(cut(range, to, stop.max(to)));
                    before.push(cut(range, start.min(from), from));
                    next.push((start.min(from), stop.max(to)));
                }
            }
        }
        passes.push(after);
        passes.push(before);
        done = next;
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(spans: &[(i64, i64)]) -> Vec<Range> {
        spans
            .iter()
            .zip(0..)
            .map(|(span, partition)| Range::new("t", partition, span.0, Some(span.1)))
            .collect()
    }

    #[test]
    fn every_offset_is_searched_once_the_nearest_first() {
        let whole = ranges(&[(0, 100), (50, 60), (7, 7)]);
        let windows = [
            ranges(&[(40, 50), (50, 50), (7, 7)]),
            ranges(&[(30, 45), (0, 70), (3, 9)]),
        ];
        let passes = outwards(&whole, &windows);
        let first: Vec<(i64, Option<i64>)> =
            passes[0].iter().map(|one| (one.start, one.stop)).collect();
        assert_eq!(first, [(40, Some(50)), (50, Some(50)), (7, Some(7))]);
        for (index, all) in whole.iter().enumerate() {
            let mut seen: Vec<i64> = passes
                .iter()
                .filter_map(|pass| pass.get(index))
                .flat_map(|range| range.start..range.stop.unwrap())
                .collect();
            let count = seen.len();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), count, "twice in {index}");
            assert_eq!(seen, (all.start..all.stop.unwrap()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn without_a_window_the_whole_is_searched() {
        let whole = ranges(&[(0, 3)]);
        assert_eq!(outwards(&whole, &[])[0], whole);
    }
}
