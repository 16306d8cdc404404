//! From when to when a run goes, how fast, and from which state on.

use std::path::PathBuf;
use std::time::Duration;

use super::arguments::RunArgs;
use super::files;
use super::past;
use crate::context::Context;
use crate::error::CommandError;
use crate::generate::{Moment, Resumed, Saved, State, Window};
use crate::time;

/// How far back events begin that are so many that they would begin before Kafka did, in seconds.
const LONGEST: f64 = 15.0 * 365.25 * 86_400.0;

/// From when to when, and how fast.
pub(super) struct Stretch {
    pub(super) start: Moment,
    /// Events are before this.
    pub(super) end: Option<Moment>,
    /// At most so many events.
    pub(super) count: Option<u64>,
    is_window: bool,
    /// Whether a record waits until its time has come.
    pub(super) paced: bool,
}

impl Stretch {
    /// `pause` is about the time between two events at the entities' own pace, `before` where the run
    /// ended that this one goes on from, `number` the seed.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) fn new(
        args: &RunArgs,
        pause: Duration,
        before: Option<Moment>,
        number: u64,
        context: &Context,
    ) -> Result<Self, CommandError> {
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
        let until = args.until.as_ref().map(moment).transpose()?;
        let start = match (&args.start, before) {
            (Some(start), _) => moment(start)?,
            (None, Some(before)) if args.rate.is_none() => before,
            // What nobody waits for has happened already: a broker keeps times to come for longer.
            (None, _) if args.rate.is_none() && until.is_none() => {
                let now = Moment::from(now);
                let by_count = |count| {
                    let guess = (pause.as_secs_f64() * count as f64).min(LONGEST);
                    past::beginning(args, number, count, Duration::from_secs_f64(guess), now)
                };
                let by_count = args.count.map(by_count).transpose()?;
                let by_duration = args.duration.map(|duration| now.minus(duration));
                by_count.into_iter().chain(by_duration).max().unwrap_or(now)
            }
            (None, _) => now.into(),
        };
        Ok(Self {
            start,
            end: until.or(args.duration.map(|duration| start.plus(duration))),
            count: args.count,
            is_window: false,
            paced: args.rate.is_some(),
        })
    }

    /// Returns the entities that the run goes on with.
    pub(super) fn resume(&self, state: Option<State>, context: &Context) -> Option<Saved> {
        match state?.resume(self.is_window.then_some(self.start)) {
            Resumed::GoesOn(saved) | Resumed::Again(saved) => saved,
            Resumed::Anew => {
                context.ui.warning(
                    "the state is of another window than the one before; entities begin anew",
                );
                None
            }
        }
    }
}

/// Returns the seed of the run.
pub(super) fn number(
    args: &RunArgs,
    state: Option<&State>,
    context: &Context,
) -> Result<u64, CommandError> {
    Ok(match (state, args.seed) {
        (Some(state), _) => state.seed,
        (None, Some(number)) => number,
        (None, None) if args.window.is_some() => 0,
        (None, None) => u32::from_le_bytes(context.random()?).into(),
    })
}

/// Returns the state of the last run, if one was kept, and whether it is of this kind and seed.
pub(super) fn state(args: &RunArgs, kind: &str) -> Result<Option<State>, CommandError> {
    let Some(path) = &args.state else {
        return Ok(None);
    };
    let state = files::read::<State>(path, "--state")?;
    if let Some(state) = &state
        && (state.kind != kind || args.seed.is_some_and(|asked| asked != state.seed))
    {
        let other = OtherState {
            path: path.clone(),
            kind: state.kind.clone(),
            seed: state.seed,
        };
        let hint = "give each kind and seed a file of its own";
        return Err(CommandError::usage(other).hint(hint));
    }
    Ok(state)
}

#[derive(Debug, thiserror::Error)]
#[error("{} is the state of {kind} with seed {seed}", path.display())]
struct OtherState {
    path: PathBuf,
    kind: String,
    seed: u64,
}
