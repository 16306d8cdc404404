//! `kpipe handle`: a command per record, or for many.

mod args;
mod report;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::commands::tracing;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::handler::{
    self, Attempts, Breaker, Dispatch, Error, Herd, LastResort, Manner, Outlet, Program, Queue,
    Stdout, Tools, Transactions, Witness, chatter,
};
use crate::kafka::{Cluster, Commit, Member, Membership, Producer, Settings, Topics};
use crate::pipeline::pump::{End, Running};
use crate::record::Record;
use crate::sink::output::cannot_write;
use crate::sink::stages::Reporter;
use crate::trace::Stage;

pub(crate) use args::Args;

/// How long the broker lets a transaction be open: output is sent when it is complete.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a record of our own may wait for its acknowledgement.
const DELIVERY_TIMEOUT: Duration = Duration::from_mins(1);

/// How long leaving the group may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The same after a signal when no more of the time to drain is left.
const LAST_MOMENT: Duration = Duration::from_millis(500);

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Outcome, CommandError> {
    let start = Instant::now();
    let manner = args.manner()?;
    let offsets = args.selection.offsets(true, false, context)?;
    let topics = Topics::new(&args.topics).map_err(CommandError::usage)?;
    let attempts = attempts(args)?;
    let cluster = context.cluster()?;
    let outlet = outlet(args, &manner, &cluster, context)?;
    let outlet = outlet.map(|outlet| Arc::new(Mutex::new(outlet)));
    let (chatter, lines) = chatter();
    let report = report::Report::start(args, context, lines, start)?;
    let reporter = (args.trace).start("kpipe-handle", Some(args.group.clone()), context)?;
    let herd = Herd::default();
    let running = herd.clone();
    context.stop.before_sudden_end(move || running.kill());
    let tools = Arc::new(Tools {
        program: program(args, context),
        herd,
        queue: Queue::new(args.concurrency.get(), manner.batch),
        breaker: Breaker::new(args.breaker, args.backoff),
        chatter,
        stdout: Stdout::open().map_err(cannot_write)?,
        metrics: Arc::default(),
        outlet: outlet.clone(),
        attempts: attempts.map(Mutex::new),
        witness: witness(reporter.clone()),
        manner,
    });
    let (sender, events) = handler::channel_of_events();
    let membership = Membership {
        group: args.group.clone(),
        topics,
        offsets,
        commit: match outlet {
            Some(outlet) if args.exactly_once => Commit::With(Arc::new(Transactions(outlet))),
            _ => Commit::Group,
        },
    };
    let member = Member::join(&cluster, membership, handler::drain(sender.clone()))?;
    let commits = member.commits();
    let source = Running::start(member, sender.clone()).map_err(CommandError::failed)?;
    let ended = Dispatch {
        tools: tools.clone(),
        source: &source,
        events,
        sender,
        commits,
        workers: args.concurrency.get(),
        by_partition: args.order == args::Order::Partition,
        filter: args.selection.filter(),
        bounds: args.selection.bounds(),
        start,
        drain: args.drain,
        stop: context.stop.clone(),
        seed: uuid::Uuid::now_v7().as_u64_pair().1,
        notice: &mut |notice| report.warn(notice),
        observe: &mut |metrics, lags, last| report.observe(metrics, lags, last),
    }
    .run();
    // Who has it still when the run has ended will not be waited for.
    if let Some(Ok(outlet)) = tools.outlet.as_ref().map(|outlet| outlet.try_lock()) {
        outlet.settle();
    }
    let until = leave_by(args, context);
    let member = source.finish_by(until);
    let closed = member.map_or(Ok(()), |mut member| member.close_by(until));
    let metrics = tools.metrics.clone();
    // Whoever speaks to the report is gone with it.
    drop(tools);
    report.finish(&metrics);
    tracing::finish(reporter.as_ref(), context);
    let end = ended?;
    match closed {
        // What was asked is to end; that some will come again is worth a word.
        Err(error) if matches!(end, End::Stopped) => {
            context.ui.warning(crate::ui::in_one_line(&error));
        }
        closed => closed?,
    }
    match end {
        End::Failed(error) => Err(error.into()),
        End::Timeout => Err(CommandError::new(Status::Unavailable, TimeIsUp)),
        End::Stopped => Ok(context.stop.signal().map_or(Outcome::DONE, Outcome::Signal)),
        _ => Ok(Outcome::DONE),
    }
}

/// Tells of each record what stages it reached, if anybody wants to know.
fn witness(reporter: Option<Reporter>) -> Option<Box<dyn Witness>> {
    struct Stages(Reporter);

    impl Witness for Stages {
        fn consumed(&self, record: &Record<'_>) {
            self.0.reached(Stage::Consumed, record);
        }

        fn accepted(&self, record: &Record<'_>) {
            self.0.reached(Stage::Processed, record);
        }

        fn failed(&self, record: &Record<'_>, why: &str) {
            self.0.failed(Stage::Processed, record, why);
        }
    }

    reporter.map(|reporter| Box::new(Stages(reporter)) as Box<dyn Witness>)
}

/// When the group is left at the latest: after a signal, what is left of the time to drain.
fn leave_by(args: &Args, context: &Context) -> Instant {
    let now = Instant::now();
    match context.stop.asked_at() {
        Some(asked) => (asked + args.drain).max(now + LAST_MOMENT),
        None => now + LEAVE_TIMEOUT,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("time is up")]
struct TimeIsUp;

/// What CMD is, and what of our environment it must not see: passwords that are for kpipe alone, and
/// the place of another record when kpipe was itself started by a handler.
fn program(args: &Args, context: &Context) -> Program {
    let secrets = context.environment.keys().filter(|name| {
        let may_be_secret = ["PASSWORD", "SECRET", "TOKEN", "JAAS", "PRIVATE", "_KEY"];
        name.starts_with("KPIPE_X_")
            || ((name.starts_with("KPIPE_") || name.starts_with("KAFKA_"))
                && may_be_secret.iter().any(|word| name.contains(word)))
    });
    let places = [
        "KAFKA_TOPIC",
        "KAFKA_PARTITION",
        "KAFKA_OFFSET",
        "KAFKA_TIMESTAMP",
        "KAFKA_TOMBSTONE",
        "KAFKA_KEY",
    ];
    let (program, arguments) = args.command.split_first().map_or_else(
        || (std::ffi::OsString::new(), Vec::new()),
        |(program, arguments)| (program.clone(), arguments.to_vec()),
    );
    Program {
        program,
        arguments,
        hidden: secrets.cloned().chain(places.map(str::to_owned)).collect(),
    }
}

fn attempts(args: &Args) -> Result<Option<Attempts>, CommandError> {
    let opened = args.attempts_file.as_deref().map(|path| {
        Attempts::open(path, &args.group).map_err(|source| Error::AttemptsFile {
            path: path.to_owned(),
            source,
        })
    });
    Ok(opened.transpose()?)
}

/// Where output and dead letters go, and whether their topics are there.
fn outlet(
    args: &Args,
    manner: &Manner,
    cluster: &Cluster,
    context: &Context,
) -> Result<Option<Outlet>, CommandError> {
    let dead_letters = matches!(manner.last_resort, LastResort::DeadLetter(_));
    if manner.to.is_none() && !dead_letters {
        return Ok(None);
    }
    let settings = Settings {
        acks: None,
        compression: None,
        delivery_timeout: if args.exactly_once {
            TRANSACTION_TIMEOUT
        } else {
            DELIVERY_TIMEOUT
        },
        linger: Duration::ZERO,
        // A new id each time: the group decides whose offsets count (KIP-447).
        transactional_id: args
            .exactly_once
            .then(|| format!("kpipe-{}-{}", args.group, uuid::Uuid::now_v7())),
        transaction_timeout: TRANSACTION_TIMEOUT,
    };
    let producer = Producer::new(cluster.clone(), settings)?;
    let mut outlet = Outlet::new(producer, context.stop.clone());
    if let Some(target) = &manner.to {
        outlet.prepare(&target.topic)?;
    }
    for topic in args.dead_letter_topics() {
        outlet
            .prepare(&topic)
            .map_err(|source| Error::NoDeadLetters {
                topic,
                source: Box::new(source),
            })?;
    }
    Ok(Some(outlet))
}
