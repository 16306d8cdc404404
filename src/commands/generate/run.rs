//! `kpipe generate KIND`: a run from its first event to its manifest.

use std::io;
use std::time::{Duration, Instant};

use super::arguments::{Arrival, FaultArgs, RunArgs, Shape};
use super::files;
use super::pen::Pen;
use super::spec;
use super::stretch::{self, Stretch};
use crate::context::Context;
use crate::counted::Counted;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::generate::{
    self, AnyKind, Event, Events, Faults, Lines, Manifest, Moment, Plan, Recorder, Run, Schedule,
    Seed, State, kinds,
};
use crate::sink::output::{cannot_write, tolerate_closed};
use crate::suggest::{did_you_mean, nearest};

pub(super) fn run(args: &RunArgs, context: &Context) -> Result<Outcome, CommandError> {
    let kind = kind(args)?;
    let (name, schema) = (kind.name().to_owned(), kind.schema());
    let asked = args.faults.faults();
    let nulls = generate::pointers(&asked.null, &schema).map_err(|error| {
        let kind = args
            .spec
            .as_ref()
            .map_or_else(|| name.clone(), |spec| format!("--spec {}", spec.display()));
        let hint = format!("`kpipe generate describe {kind}` shows the fields");
        CommandError::usage(error).hint(hint)
    })?;
    let _lock = args.lock.as_deref().map(files::lock).transpose()?;
    let entities = args.entities.unwrap_or_else(|| kind.entities());
    let pause = kind.interval().div_f64(entities.into());
    let state = stretch::state(args, &name)?;
    let number = stretch::number(args, state.as_ref(), context)?;
    let before = state.as_ref().map(State::end);
    let stretch = Stretch::new(args, pause, before, number, context)?;
    let saved = stretch.resume(state, context);
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
    let written = write(events.as_mut(), &mut pen, &stretch, begin)
        .and_then(|end| pen.finish().map(|()| end));
    let tally = pen.recorder.tally();
    // Also when not all of it could be written: what is missing then is to be found.
    if let Some(path) = &args.manifest {
        let hash = pen.recorder.hash();
        let manifest = Manifest::new(&run, &name, number, stretch.start, asked, tally, hash);
        files::write(path, &manifest)?;
    }
    let end = match written {
        Ok(end) => Some(end),
        Err(error) => tolerate_closed(Err(error)).map(|()| None)?,
    };
    if let (Some(path), Some(end)) = (&args.state, end) {
        let after = events.save(end).map_err(CommandError::failed)?;
        let state = State::new(name.clone(), number, (stretch.start, saved), (end, after));
        files::write(path, &state)?;
    }
    if end.is_some() {
        context.ui.status(format_args!(
            "Generated {} of {name} in {:.1} s (seed {number}, run {}).",
            Counted(tally.lines, "line"),
            begin.elapsed().as_secs_f64(),
            run.as_str(),
        ));
    }
    Ok(context.stop.signal().map_or(Outcome::DONE, Outcome::Signal))
}

/// Writes events until a bound is reached or somebody asks to stop; returns where event time ended.
fn write(
    events: &mut dyn Events,
    pen: &mut Pen,
    stretch: &Stretch,
    begin: Instant,
) -> io::Result<Moment> {
    let (mut event, mut last) = (Event::default(), stretch.start);
    let mut left = stretch.count.unwrap_or(u64::MAX);
    while left > 0 {
        let due = events.due();
        if let Some(end) = stretch.end.filter(|end| due >= *end) {
            return Ok(end);
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
        last = event.at;
        left -= 1;
    }
    Ok(last)
}

/// The kind that is asked for.
pub(super) fn kind(args: &RunArgs) -> Result<Box<dyn AnyKind>, CommandError> {
    if let Some(path) = &args.spec {
        return Ok(Box::new(spec::read(path)?));
    }
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
        Some(suggestion) => did_you_mean(suggestion),
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
