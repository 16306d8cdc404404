//! `kpipe ping`: whether every broker answers, and how fast.

mod deep;

use std::time::{Duration, Instant};

use serde::Serialize;

use self::deep::Echo;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::kafka::{Probe, Reached};
use crate::sink::output;
use crate::time;
use crate::ui::rows::{self, Output};

/// Check that every broker answers, and how fast
///
/// Connects, asks which brokers there are, and connects to each of them at the address that it
/// advertises, encryption and credentials included. With --deep it also sends a record to a topic
/// and reads it back. Prints what it measured, in milliseconds, and leaves with status 0 when all
/// answer, with 3 when one does not, with 4 when Kafka refuses. With -q it prints nothing, as a health check
/// likes it.
///
/// When the address that was given answers and an advertised one does not, that is said in those
/// words: clients connect, and then hang.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe ping
  kpipe ping -q --timeout 3s                a health check of a container
  kpipe ping --deep health --count 10       a record out and back, ten times
  kpipe ping | jq .latency_ms")]
pub(crate) struct Args {
    /// Send a record to this topic and read it back
    #[arg(long, value_name = "TOPIC")]
    deep: Option<String>,

    /// How often, a second apart
    #[arg(
        short = 'n',
        long,
        default_value_t = 1,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    count: u32,

    /// How long each time may take
    #[arg(
        long,
        default_value = "5s",
        value_name = "DURATION",
        value_parser = parse_timeout
    )]
    timeout: Duration,

    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

fn parse_timeout(text: &str) -> Result<Duration, PingError> {
    match time::parse_duration(text) {
        Ok(timeout) if !timeout.is_zero() => Ok(timeout),
        Ok(_) => Err(PingError::NoTime),
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug, thiserror::Error)]
enum PingError {
    #[error("without any time no broker can answer")]
    NoTime,
    #[error(transparent)]
    Time(#[from] time::TimeError),
}

/// Between two times.
const INTERVAL: Duration = Duration::from_secs(1);

/// A broker, as it is printed.
#[derive(Debug, Serialize)]
struct BrokerRow {
    broker: i32,
    /// What it advertises.
    address: String,
    answers: bool,
    /// Of the last request to it that was measured.
    latency_ms: Option<f64>,
}

impl From<&Reached> for BrokerRow {
    fn from(reached: &Reached) -> Self {
        Self {
            broker: reached.id,
            address: reached.address.clone(),
            answers: reached.answer.is_ok(),
            latency_ms: reached.answer.as_ref().ok().copied().flatten().map(millis),
        }
    }
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let cluster = context.cluster()?;
    let mut probe = Probe::new(&cluster)?;
    let mut echo = None;
    let mut round_trips = Vec::new();
    for number in 1..=args.count {
        let brokers = probe.reach(Some(Instant::now() + args.timeout))?;
        if args.deep.is_none() {
            let rows: Vec<BrokerRow> = brokers.iter().map(BrokerRow::from).collect();
            print(args, number, &rows, context)?;
        }
        if let Some(error) = brokers.iter().find_map(|broker| probe.error(broker)) {
            return Err(error.into());
        }
        if let Some(topic) = &args.deep {
            if echo.is_none() {
                echo = Some(Echo::new(&cluster, topic, args.timeout)?);
            }
            if let Some(echo) = &mut echo {
                let row = echo.send(number, context)?;
                round_trips.push(row.round_trip_ms);
                print(args, number, &[row], context)?;
            }
        }
        if number < args.count && context.stop.wait(INTERVAL) {
            break;
        }
    }
    round_trips.sort_by(f64::total_cmp);
    if let [fastest, .., slowest] = round_trips[..] {
        let median = round_trips[round_trips.len() / 2];
        context.ui.status(format_args!(
            "{} round trips: fastest {fastest} ms, median {median} ms, slowest {slowest} ms.",
            round_trips.len()
        ));
    }
    Ok(context.stop.signal().map_or(Outcome::DONE, Outcome::Signal))
}

/// Prints the rows of one time; a table has its head the first time only.
fn print(
    args: &Args,
    number: u32,
    rows: &[impl Serialize],
    context: &Context,
) -> Result<(), CommandError> {
    if context.ui.is_quiet() {
        return Ok(());
    }
    let is_terminal = context.ui.stdout_is_terminal();
    let is_table = args.output == Output::Table || (args.output == Output::Auto && is_terminal);
    let mut text = Vec::new();
    rows::write(rows, args.output, is_terminal, &mut text).map_err(CommandError::failed)?;
    let head = text
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let shown = if is_table && number > 1 {
        &text[head..]
    } else {
        &text[..]
    };
    let mut out = output::stdout().map_err(CommandError::failed)?;
    output::tolerate_closed(output::write_all(&mut out, shown))
}

/// Milliseconds, to the microsecond.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
