//! `kpipe generate KIND`: a run from its first event to its manifest.

use std::io;
use std::time::{Duration, Instant};

use super::arguments::{Arrival, FaultArgs, RunArgs, Shape};
use super::files;
use super::pen::Pen;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::generate::{
    self, AnyKind, Event, Events, Faults, Lines, Manifest, Moment, Plan, Recorder, Resumed, Run,
    Saved, Schedule, Seed, State, Window, kinds,
};
use crate::sink::output::{cannot_write, tolerate_closed};
use crate::suggest::nearest;
use crate::time;

pub(super) fn run(args: &RunArgs, context: &Context) -> Result<Outcome, CommandError> {
    let kind = kind(args)?;
    let (name, schema) = (kind.name().to_owned(), kind.schema());
    let asked = args.faults.faults();
    let nulls = generate::pointers(&asked.null, &schema).map_err(|error| {
        let hint = format!("`kpipe generate describe {name}` shows the fields");
        CommandError::usage(error).hint(hint)
    })?;
    let _lock = args.lock.as_deref().map(files::lock).transpose()?;
    let stretch = Stretch::new(args, context)?;
    let (number, saved) = resume(args, &name, &stretch, context)?;
    let seed = Seed::new(number);
    let run = Run::new(seed, &name, stretch.start);
    let of_run = seed.of_run(stretch.start);
    let lines = Lines::new(
        &run,
        &name,
        kind.envelope(),
        args.topic.as_deref(),
        args.size.unwrap_or_default(),
        of_run,
    );
    let plan = Plan {
        seed,
        start: stretch.start,
        entities: args.entities,
        schedule: Schedule::new(args.arrival(), args.shape(), stretch.start, of_run),
        saved: saved.clone(),
    };
    let mut events = kind.start(plan).map_err(CommandError::usage)?;
    let recorder = Recorder::new(lines, asked.clone(), nulls, of_run, args.manifest.is_some());
    let mut pen = Pen::new(recorder, &context.stop).map_err(cannot_write)?;

    let begin = Instant::now();
    let written = write(events.as_mut(), &mut pen, &stretch, begin).and_then(|()| pen.finish());
    let is_written = written.is_ok();
    tolerate_closed(written)?;

    let tally = pen.recorder.tally();
    if let Some(path) = &args.manifest {
        let hash = pen.recorder.hash();
        let manifest = Manifest::new(&run, &name, number, stretch.start, asked, tally, hash);
        files::write(path, &manifest)?;
    }
    if let Some(path) = args.state.as_ref().filter(|_| is_written) {
        let ended = stretch.end.filter(|_| context.stop.signal().is_none());
        let end = ended.or(tally.last).unwrap_or(stretch.start);
        let after = events.save(end).map_err(CommandError::failed)?;
        let state = State::new(name.clone(), number, (stretch.start, saved), (end, after));
        files::write(path, &state)?;
    }
    if is_written {
        context.ui.status(format_args!(
            "Generated {} lines of {name} in {:.1} s (seed {number}, run {}).",
            tally.lines,
            begin.elapsed().as_secs_f64(),
            run.as_str(),
        ));
    }
    Ok(context.stop.signal().map_or(Outcome::DONE, Outcome::Signal))
}

/// Writes events until a bound is reached, somebody asks to stop, or nobody reads any more.
fn write(
    events: &mut dyn Events,
    pen: &mut Pen,
    stretch: &Stretch,
    begin: Instant,
) -> io::Result<()> {
    let mut event = Event::default();
    let mut left = stretch.count.unwrap_or(u64::MAX);
    while left > 0 {
        let due = events.due();
        if stretch.end.is_some_and(|end| due >= end) {
            break;
        }
        let go_on = if stretch.paced {
            let micros = due.micros().saturating_sub(stretch.start.micros());
            let offset = Duration::from_micros(micros.cast_unsigned());
            pen.rest(begin, offset)?
        } else {
            !pen.is_stopped()
        };
        if !go_on {
            break;
        }
        events.next(&mut event);
        pen.write(&event)?;
        left -= 1;
    }
    Ok(())
}

/// From when to when, and how fast.
struct Stretch {
    start: Moment,
    /// Events are before this.
    end: Option<Moment>,
    /// At most so many events.
    count: Option<u64>,
    is_window: bool,
    /// Whether a record waits until its time has come.
    paced: bool,
}

impl Stretch {
    fn new(args: &RunArgs, context: &Context) -> Result<Self, CommandError> {
        let (now, zone) = (context.clock.now(), context.clock.zone());
        if let Some(window) = &args.window {
            let window = Window::parse(window, now).map_err(CommandError::usage)?;
            return Ok(Self {
                start: window.start,
                end: Some(window.end),
                count: args.count,
                is_window: true,
                paced: false,
            });
        }
        let moment = |text: &String| {
            let time = time::parse(text, now, zone).map_err(CommandError::usage)?;
            Ok::<_, CommandError>(Moment::from(time))
        };
        let start = args.start.as_ref().map_or(Ok(now.into()), moment)?;
        let until = args.until.as_ref().map(moment).transpose()?;
        Ok(Self {
            start,
            end: until.or(args.duration.map(|duration| start.plus(duration))),
            count: args.count,
            is_window: false,
            paced: args.rate.is_some(),
        })
    }
}

/// Returns the seed and the entities that the run goes on with.
fn resume(
    args: &RunArgs,
    kind: &str,
    stretch: &Stretch,
    context: &Context,
) -> Result<(u64, Option<Saved>), CommandError> {
    let state = match &args.state {
        Some(path) => files::read::<State>(path, "--state")?.map(|state| (path, state)),
        None => None,
    };
    let Some((path, state)) = state else {
        let number = match args.seed {
            Some(number) => number,
            None if stretch.is_window => 0,
            None => u32::from_le_bytes(context.random()?).into(),
        };
        return Ok((number, None));
    };
    let seed = state.seed;
    if state.kind != kind || args.seed.is_some_and(|asked| asked != seed) {
        return Err(CommandError::usage(OtherState {
            path: path.clone(),
            kind: state.kind,
            seed,
        })
        .hint("give each kind and seed a file of its own"));
    }
    let saved = match state.resume(stretch.is_window.then_some(stretch.start)) {
        Resumed::GoesOn(saved) | Resumed::Again(saved) => saved,
        Resumed::Anew => {
            context.ui.warning(format_args!(
                "{} is of another window than the one before; entities begin anew",
                path.display()
            ));
            None
        }
    };
    Ok((seed, saved))
}

#[derive(Debug, thiserror::Error)]
#[error("{} is the state of {kind} with seed {seed}", path.display())]
struct OtherState {
    path: std::path::PathBuf,
    kind: String,
    seed: u64,
}

fn kind(args: &RunArgs) -> Result<Box<dyn AnyKind>, CommandError> {
    let Some(name) = &args.kind else {
        return Err(CommandError::usage("what to generate is missing").hint(kinds_there_are()));
    };
    kinds::named(name).ok_or_else(|| unknown_kind(name))
}

/// No kind has this name.
pub(super) fn unknown_kind(name: &str) -> CommandError {
    let kinds = kinds::all();
    let suggestion = nearest(name, kinds.iter().map(|kind| kind.name()));
    let error = CommandError::usage(UnknownKind { name: name.into() });
    error.hint(match suggestion {
        Some(suggestion) => format!("did you mean `{suggestion}`?"),
        None => kinds_there_are(),
    })
}

fn kinds_there_are() -> String {
    let kinds = kinds::all();
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    format!(
        "`kpipe generate {}`; there are: {}",
        names[0],
        names.join(", ")
    )
}

#[derive(Debug, thiserror::Error)]
#[error("no kind `{name}`")]
struct UnknownKind {
    name: String,
}

impl RunArgs {
    pub(super) fn arrival(&self) -> generate::Arrival {
        match (self.rate, self.arrival) {
            (None, _) => generate::Arrival::Own,
            (Some(rate), Arrival::Const) => generate::Arrival::Constant(rate),
            (Some(rate), Arrival::Poisson) => generate::Arrival::Poisson(rate),
        }
    }

    pub(super) fn shape(&self) -> generate::Shape {
        match self.shape {
            Shape::Flat => generate::Shape::Flat,
            Shape::Daily => generate::Shape::Daily,
        }
    }
}

impl FaultArgs {
    pub(super) fn faults(&self) -> Faults {
        Faults {
            duplicate: self.duplicate.unwrap_or_default(),
            dropped: self.dropped.unwrap_or_default(),
            late: self.late,
            out_of_order: self.out_of_order.unwrap_or_default(),
            malformed: self.malformed.unwrap_or_default(),
            tombstone: self.tombstone.unwrap_or_default(),
            null: self.nulls.clone(),
        }
    }
}
