//! Where so many events begin that the last of them has just happened.

use std::time::Duration;

use super::arguments::RunArgs;
use super::run::kind;
use crate::error::CommandError;
use crate::generate::{Event, Moment, Plan, Schedule, Seed};

/// How many events are made for their times alone, before it is taken that the rest comes as fast.
const MOST: u64 = 200_000;

/// How often another beginning is tried.
const TRIES: usize = 8;

/// Returns where `count` events at their own pace begin so that none is yet to come, which brokers refuse
/// (`message.timestamp.after.max.ms`), and the last is about `now`.
///
/// What entities do depends on the hour and on the start, so it is tried out: `guess` first, and then
/// what the last try took.
pub(super) fn beginning(
    args: &RunArgs,
    number: u64,
    count: u64,
    guess: Duration,
    now: Moment,
) -> Result<Moment, CommandError> {
    let mut start = now.minus(guess);
    let mut best: Option<(Moment, Moment)> = None;
    for _ in 0..TRIES {
        let span = span(args, number, count, start)?;
        let last = start.plus(span);
        if last <= now {
            if best.is_none_or(|(_, other)| other < last) {
                best = Some((start, last));
            }
            if last >= now.minus(span / 50) {
                break;
            }
        }
        start = now.minus(span + span / 100);
    }
    Ok(best.map_or(start, |(start, _)| start))
}

/// How long `count` events from `start` on take.
fn span(args: &RunArgs, number: u64, count: u64, start: Moment) -> Result<Duration, CommandError> {
    let seed = Seed::new(number);
    let of_run = seed.of_run(start);
    let plan = Plan {
        seed,
        start,
        entities: args.entities,
        schedule: Schedule::new(args.arrival(), args.shape(), start, of_run),
        saved: None,
    };
    let mut events = kind(args)?.start(plan).map_err(CommandError::usage)?;
    let (mut event, made) = (Event::default(), count.min(MOST));
    for _ in 0..made {
        events.next(&mut event);
    }
    let micros = event.at.micros().saturating_sub(start.micros()).max(0);
    let span = Duration::from_micros(micros.unsigned_abs());
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    Ok(span.mul_f64(count.max(1) as f64 / made.max(1) as f64))
}
