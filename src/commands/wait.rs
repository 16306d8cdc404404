//! `kpipe wait`: until a broker, a topic or a group is as it is to be.

use std::time::{Duration, Instant};

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::kafka::{Admin, Cluster, Error, Probe, is_topic_name};
use crate::time;
use crate::wait::{
    GroupCondition, Obstacle, TopicCondition, Wait, WaitError, look_at_group, look_at_topic,
};

/// Wait until a broker, a topic or a group is as it is to be
///
/// Waits out a broker that is not up yet, a name that does not resolve yet and a topic that
/// is not there yet, looking again after a tenth of a second and then less and less often,
/// every two seconds at last. Leaves with status 0 as soon as all that is waited for is so,
/// with 3 when time is up, with 4 when Kafka refuses, and with 2 at once for what is wrong
/// however long one waits.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe wait broker --timeout 60s
  kpipe wait topic orders
  kpipe wait topic orders --for partitions=3 --for leaders,isr
  kpipe wait topic orders --for messages=100 --timeout 2m
  kpipe wait topic orders-test --for deleted
  kpipe wait group billing --for lag=0 --timeout 5m
  kpipe wait topic orders --timeout 0 && echo it is there")]
pub(crate) struct Args {
    /// How long to wait; 0 looks once
    #[arg(
        long,
        global = true,
        default_value = "30s",
        value_name = "DURATION",
        value_parser = time::parse_duration
    )]
    timeout: Duration,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Wait until every broker answers at the address that it advertises
    Broker,
    /// Wait until a topic exists, or more
    ///
    /// `partitions=N` and `messages=N` are met by more than N, too. Messages are counted by
    /// offsets, so transaction markers, open transactions and what compaction removed
    /// count as well; `kpipe expect` counts records. `isr` is met when all replicas are in sync.
    Topic {
        /// The topic's name
        name: String,
        /// What is to be so: exists partitions=N leaders isr messages=N deleted (repeated: all)
        #[arg(
            long = "for",
            value_name = "CONDITION",
            value_delimiter = ',',
            default_value = "exists"
        )]
        conditions: Vec<TopicCondition>,
    },
    /// Wait until a group's members are at work, or it has none, or has caught up
    ///
    /// `lag=N` is met when the group is N offsets behind or fewer, all partitions together, and
    /// has committed something.
    Group {
        /// The group's name
        name: String,
        /// What is to be so: stable empty lag=N (repeated: all)
        #[arg(
            long = "for",
            value_name = "CONDITION",
            value_delimiter = ',',
            default_value = "stable"
        )]
        conditions: Vec<GroupCondition>,
    },
}

/// A broker that is not there yet is looked for twice a second, not after ten seconds at last
/// as librdkafka does by default.
const LONGEST_RECONNECT_PAUSE: (&str, &str) = ("reconnect.backoff.max.ms", "500");

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let cluster = patient(context.cluster()?, args.timeout);
    let start = Instant::now();
    match &args.what {
        What::Broker => {
            let mut probe = Probe::new(&cluster)?;
            let count = until(args.timeout, start, context, || {
                all_answer(&mut probe, cluster.deadline)
            })?;
            let brokers = if count == 1 {
                "broker answers"
            } else {
                "brokers answer"
            };
            context.ui.status(format_args!("{count} {brokers}."));
        }
        What::Topic { name, conditions } => {
            check(name, conditions)?;
            let admin = Admin::new(&cluster)?;
            until(args.timeout, start, context, || {
                look_at_topic(&admin, name, conditions)
            })?;
            context
                .ui
                .status(format_args!("Topic `{name}`: {}.", listed(conditions)));
        }
        What::Group { name, conditions } => {
            let both = [GroupCondition::Stable, GroupCondition::Empty];
            if both.iter().all(|one| conditions.contains(one)) {
                return Err(CommandError::usage(
                    "a group with members at work is never empty",
                ));
            }
            let admin = Admin::new(&cluster)?;
            until(args.timeout, start, context, || {
                look_at_group(&admin, name, conditions)
            })?;
            context
                .ui
                .status(format_args!("Group `{name}`: {}.", listed(conditions)));
        }
    }
    Ok(Outcome::DONE)
}

/// The cluster, for somebody who waits for it.
pub(super) fn patient(mut cluster: Cluster, timeout: Duration) -> Cluster {
    let (key, value) = LONGEST_RECONNECT_PAUSE;
    let properties = &mut cluster.properties;
    properties
        .entry(key.to_owned())
        .or_insert_with(|| value.to_owned());
    cluster.deadline = (!timeout.is_zero()).then(|| Instant::now() + timeout);
    cluster
}

/// Looks until `look` finds what is wanted, or `timeout` has passed since `start`.
pub(super) fn until<T>(
    timeout: Duration,
    start: Instant,
    context: &Context,
    look: impl FnMut() -> Result<T, Obstacle>,
) -> Result<T, WaitError> {
    let random = || {
        let byte = context.random::<1>().map_or(u8::MAX, |[byte]| byte);
        f64::from(byte) / f64::from(u8::MAX)
    };
    Wait {
        start,
        timeout,
        random: &mut { random },
        stop: &context.stop,
    }
    .until(look)
}

fn listed(conditions: &[impl ToString]) -> String {
    let listed: Vec<String> = conditions.iter().map(ToString::to_string).collect();
    listed.join(", ")
}

/// What no wait can bring about.
fn check(name: &str, conditions: &[TopicCondition]) -> Result<(), CommandError> {
    if !is_topic_name(name) {
        return Err(Error::InvalidTopic(name.to_owned()).into());
    }
    if conditions.contains(&TopicCondition::Deleted) && conditions.len() > 1 {
        return Err(
            CommandError::usage("a topic that is deleted is nothing else as well")
                .hint(format!("kpipe wait topic {name} --for deleted")),
        );
    }
    Ok(())
}

/// How many brokers there are, when each of them answers.
fn all_answer(probe: &mut Probe, deadline: Option<Instant>) -> Result<usize, Obstacle> {
    let brokers = probe.reach(deadline)?;
    let error = brokers.iter().find_map(|broker| probe.error(broker));
    error.map_or(Ok(brokers.len()), |error| Err(error.into()))
}
