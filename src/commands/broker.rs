//! `kpipe broker`: a Kafka in memory, for a tour or a test.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Child, Command};
use std::str::FromStr;
use std::time::Duration;

use rustix::process::{self, Pid, Signal, WaitOptions};
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::Broker;
use crate::sink::output;

/// Run a Kafka in memory, for a tour, a smoke test of scripts, a test suite
///
/// It is librdkafka's mock cluster: good for sending and tailing, alone and in groups.
/// It keeps everything in memory, about 5 MiB a partition, and ends with this process.
/// It has no admin requests, no limits of topics and no lookup by time, its receipts have
/// no time, it shows what an aborted transaction wrote, and Java clients cannot connect to
/// it. kpipe sends to topics of `--topic` only; other clients may have it make more.
///
/// Prints its address as one line of JSON and runs until interrupted. With a command
/// after `--`, runs that with `KPIPE_BROKERS` and `KAFKA_BROKERS` set and leaves with its
/// status.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe broker --topic orders --topic audit:1 -- ./smoke-test.sh
  kpipe broker --topic orders -- bash             a shell in which every kpipe finds it
  kpipe broker --topic orders --nodes 3 | jq -r .brokers")]
pub(crate) struct Args {
    /// Make a topic (can be repeated) [default: 3 partitions, replication 1]
    #[arg(long = "topic", value_name = "NAME[:PARTITIONS[:REPLICATION]]")]
    topics: Vec<NewTopic>,

    /// How many brokers
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=100))]
    nodes: i32,

    /// Run this while the broker is up
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<std::ffi::OsString>,
}

#[derive(Clone, Debug)]
struct NewTopic {
    name: String,
    partitions: i32,
    replication: i32,
}

impl FromStr for NewTopic {
    type Err = NewTopicError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let mut number = |default| match parts.next() {
            None => Ok(default),
            Some(part) => match part.parse() {
                Ok(number) if (1..=10_000).contains(&number) => Ok(number),
                _ => Err(NewTopicError::Number),
            },
        };
        let (partitions, replication) = (number(3)?, number(1)?);
        if parts.next().is_some() {
            return Err(NewTopicError::TooMany);
        }
        if !crate::kafka::is_topic_name(name) {
            return Err(NewTopicError::Name);
        }
        Ok(Self {
            name: name.to_owned(),
            partitions,
            replication,
        })
    }
}

#[derive(Debug, thiserror::Error)]
enum NewTopicError {
    #[error("a topic name has 1 to 249 letters, digits, `.`, `_` and `-`")]
    Name,
    #[error("partitions and replication are numbers from 1 to 10000")]
    Number,
    #[error("expected NAME:PARTITIONS:REPLICATION at most")]
    TooMany,
}

#[derive(Debug, thiserror::Error)]
#[error("topic `{0}` is given twice")]
struct GivenTwice(String);

/// How often a waiting loop looks around.
const GLANCE: Duration = Duration::from_millis(20);

#[derive(Serialize)]
struct Address<'a> {
    brokers: &'a str,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let mut names = BTreeSet::new();
    for topic in &args.topics {
        if !names.insert(&topic.name) {
            return Err(CommandError::usage(GivenTwice(topic.name.clone())));
        }
    }
    let broker = Broker::start(args.nodes)?;
    for topic in &args.topics {
        broker.create_topic(&topic.name, topic.partitions, topic.replication)?;
    }
    let brokers = broker.brokers();
    if let Some((program, arguments)) = args.command.split_first() {
        let child = Command::new(program)
            .args(arguments)
            .env("KPIPE_BROKERS", &brokers)
            .env("KAFKA_BROKERS", &brokers)
            .spawn()
            .map_err(|error| cannot_run(program, error))?;
        return wait(&child, &broker, context);
    }
    let mut out = output::stdout().map_err(CommandError::failed)?;
    let line =
        serde_json::to_string(&Address { brokers: &brokers }).map_err(CommandError::failed)?;
    output::tolerate_closed(writeln!(out, "{line}"))?;
    while !context.stop.wait(Duration::from_secs(1)) {
        broker.serve(Duration::ZERO);
    }
    Ok(context.stop.signal().map_or(Outcome::DONE, Outcome::Signal))
}

/// Waits for the command; hands a signal of ours on to it, and its end on to our caller.
///
/// Waits for any child, so that as process 1 of a container nobody's orphans pile up.
fn wait(child: &Child, broker: &Broker, context: &Context) -> Result<Outcome, CommandError> {
    let command = Pid::from_child(child);
    let mut told = false;
    loop {
        match process::wait(WaitOptions::NOHANG) {
            Ok(Some((ended, status))) if ended == command => {
                let code = status
                    .exit_status()
                    .and_then(|code| u8::try_from(code).ok());
                return Ok(match (code, status.terminating_signal()) {
                    (Some(code), _) => Outcome::Passed(code),
                    (None, Some(signal)) => Outcome::Signal(signal),
                    (None, None) => Outcome::Exit(Status::Failed),
                });
            }
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => continue,
            Ok(None) => {}
            Err(error) => return Err(CommandError::failed(std::io::Error::from(error))),
        }
        if told {
            std::thread::sleep(GLANCE);
        } else if context.stop.wait(GLANCE) {
            told = true;
            // An interrupt from the terminal has reached the command already, and a second
            // would end it at once.
            let from_terminal = rustix::termios::tcgetsid(std::io::stdin()).is_ok();
            let signal = context.stop.signal().and_then(Signal::from_named_raw);
            let signal = signal.filter(|signal| *signal != Signal::INT || !from_terminal);
            if let Some(signal) = signal {
                let _ = process::kill_process(command, signal);
            }
        }
        broker.serve(Duration::ZERO);
    }
}

fn cannot_run(program: &std::ffi::OsStr, error: std::io::Error) -> CommandError {
    CommandError::usage(CannotRun {
        program: program.to_string_lossy().into_owned(),
        error,
    })
}

#[derive(Debug, thiserror::Error)]
#[error("cannot run `{program}`")]
struct CannotRun {
    program: String,
    #[source]
    error: std::io::Error,
}
