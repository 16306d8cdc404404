//! `kpipe generate --active`: data for every topic that is open, as they come and go.

use std::time::{Duration, Instant};

use super::arguments::RunArgs;
use super::files;
use super::pen::Pen;
use crate::context::Context;
use crate::counted::Counted;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::generate::kinds::{self, Because};
use crate::generate::{
    self, Arrival, Change, Envelope, Event, Lines, Manifest, Mix, Moment, Recorder, Run, Schedule,
    Seed, pointers,
};
use crate::registry::{Registry, State};
use crate::sink::output::{cannot_write, tolerate_closed};
use crate::time;

/// How often the registry is asked which topics are ACTIVE.
const LOOK: Duration = Duration::from_secs(1);

/// How often a record is made unless somebody says otherwise, in seconds.
const EVERY: (f64, f64) = (0.5, 1.5);

/// What stands in the manifest for the kinds of all topics.
const KIND: &str = "active";

pub(super) fn run(args: &RunArgs, context: &Context) -> Result<Outcome, CommandError> {
    let registry = args.registry.open_existing(context)?;
    let _lock = args.lock.as_deref().map(files::lock).transpose()?;
    let asked = args.faults.faults();
    let schemas: Vec<_> = kinds::all().iter().map(|kind| kind.schema()).collect();
    let nulls = pointers(&asked.null, &serde_json::json!({"oneOf": schemas}));
    let nulls = nulls.map_err(CommandError::usage)?;
    let now = context.clock.now();
    let start = Moment::from(now);
    let until = args.until.as_deref();
    let until = until.map(|text| time::parse(text, now, context.clock.zone()));
    let until = until.transpose().map_err(CommandError::usage)?;
    let number = match args.seed {
        Some(number) => number,
        None => u32::from_le_bytes(context.random()?).into(),
    };
    let seed = Seed::new(number);
    let of_run = seed.of_run(start);
    let name = Run::new(seed, KIND, start);
    let size = args.size.unwrap_or_default();
    let lines = Lines::new(&name, KIND, Envelope::Data, None, size, of_run);
    let recorder = Recorder::new(lines, asked.clone(), nulls, of_run, args.manifest.is_some());
    let mut active = Active {
        mix: Mix::new(of_run, args.entities),
        pen: Pen::new(recorder, &context.stop).map_err(cannot_write)?,
        registry,
        looked: None,
        arrival: match args.rate {
            None => {
                let (low, high) = args.every.unwrap_or(EVERY);
                Arrival::Uniform(low, high)
            }
            Some(_) => args.arrival(),
        },
        shape: args.shape(),
        end: until
            .map(Moment::from)
            .or(args.duration.map(|duration| start.plus(duration))),
        left: args.count.unwrap_or(u64::MAX),
        of_run,
        context,
    };
    let ended = active.write();
    let pen = &mut active.pen;
    let written = match ended {
        Ok(()) => pen.finish(),
        Err(Trouble::Output(error)) => Err(error),
        Err(Trouble::Command(error)) => {
            tolerate_closed(pen.finish())?;
            return Err(error);
        }
    };
    let tally = pen.recorder.tally();
    if let Some(path) = &args.manifest {
        let manifest = Manifest::new(
            &name,
            KIND,
            number,
            start,
            asked,
            tally,
            pen.recorder.hash(),
        );
        files::write(path, &manifest)?;
    }
    let is_written = written.is_ok();
    tolerate_closed(written)?;
    if is_written {
        context.ui.status(format_args!(
            "Generated {} (seed {number}, run {}).",
            Counted(tally.lines, "line"),
            name.as_str()
        ));
    }
    Ok(context.stop.signal().map_or(Outcome::DONE, Outcome::Signal))
}

/// Why a run breaks off.
enum Trouble {
    Output(std::io::Error),
    Command(CommandError),
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<CommandError> for Trouble {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

struct Active<'a> {
    mix: Mix,
    pen: Pen,
    registry: Registry,
    /// When the registry was asked last.
    looked: Option<Instant>,
    arrival: Arrival,
    shape: generate::Shape,
    end: Option<Moment>,
    left: u64,
    of_run: Seed,
    context: &'a Context,
}

impl Active<'_> {
    fn write(&mut self) -> Result<(), Trouble> {
        let mut event = Event::default();
        let mut said_that_none_is = false;
        for stretch in 0.. {
            // Time without topics is not made up for: what comes then begins then.
            let start = Moment::from(self.context.clock.now());
            let begin = Instant::now();
            self.look(start)?;
            if self.mix.is_empty() {
                if !said_that_none_is {
                    let path = self.registry.path().display();
                    let ui = self.context.ui;
                    ui.status(format_args!(
                        "No topic is ACTIVE in {path}; waiting for one."
                    ));
                    said_that_none_is = true;
                }
                let is_over = self.end.is_some_and(|end| start >= end) || self.left == 0;
                if is_over || !self.pen.rest(begin, LOOK)? {
                    return Ok(());
                }
                continue;
            }
            said_that_none_is = false;
            let seed = self.of_run.part("stretch", stretch);
            let mut schedule = Schedule::new(self.arrival, self.shape, start, seed);
            while !self.mix.is_empty() {
                let at = schedule.next(0);
                if self.left == 0 || self.end.is_some_and(|end| at >= end) {
                    return Ok(());
                }
                let micros = at.micros().saturating_sub(start.micros());
                let offset = Duration::from_micros(micros.cast_unsigned());
                if !self.pen.rest(begin, offset)? {
                    return Ok(());
                }
                self.look(at)?;
                if let Some(topic) = self.mix.next(at, &mut event) {
                    let recorder = &mut self.pen.recorder;
                    recorder.turn_to(&topic.name, &topic.kind, topic.envelope);
                    self.pen.write(&event)?;
                    self.left -= 1;
                }
            }
        }
        Ok(())
    }

    /// Follows the registry, unless it was asked just now.
    fn look(&mut self, at: Moment) -> Result<(), CommandError> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(());
        }
        let requests = self.registry.requests(Some(State::Active))?;
        let wanted: Vec<_> = requests
            .into_iter()
            .map(|request| (request.spec.name, request.spec.kind))
            .collect();
        let changes = self.mix.follow(&wanted, at).map_err(CommandError::failed)?;
        self.looked = Some(Instant::now());
        for change in changes {
            self.tell(&change, &wanted);
        }
        Ok(())
    }

    fn tell(&self, change: &Change, wanted: &[(String, Option<String>)]) {
        let ui = self.context.ui;
        match change {
            Change::Ends { topic } => ui.status(format_args!("{topic}: no longer ACTIVE.")),
            Change::Begins {
                topic,
                kind,
                because,
            } => {
                let asked = wanted.iter().find(|(name, _)| name == topic);
                let unknown = asked.and_then(|(_, kind)| kind.as_deref());
                match (because, unknown) {
                    (Because::Type, _) | (Because::Name, None) => {
                        ui.status(format_args!("{topic}: {kind}."));
                    }
                    (_, Some(unknown)) => ui.warning(format_args!(
                        "{topic}: no kind is called `{unknown}` as its type is; it gets {kind}"
                    )),
                    (Because::Nothing, None) => ui.warning(format_args!(
                        "{topic}: neither type nor name says what it is for; it gets general events"
                    )),
                }
            }
        }
    }
}
