//! `kpipe trace init`: the topic of stage events.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::commands::topic::{Act, check};
use crate::commands::tracing;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::kafka::{Admin, Error, NewTopic};
use crate::time;

/// Create the topic that stage events go to
///
/// Stage events of one message are in one partition. Events are kept for seven days unless told
/// otherwise. A topic that is there already is left as it is.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe trace init
  kpipe trace init --partitions 12 --replication 3 --retention 30d
  kpipe broker --topic kpipe.stages             on the built-in broker, which creates none later")]
pub(crate) struct Args {
    /// The topic [default: kpipe.stages]
    #[arg(long = "trace-topic", value_name = "TOPIC")]
    trace_topic: Option<String>,

    /// How many partitions
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 6,
        value_parser = clap::value_parser!(i32).range(1..)
    )]
    partitions: i32,

    /// How many copies of each partition [default: the cluster's]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..=32767))]
    replication: Option<i32>,

    /// How long events are kept
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = time::parse_duration)]
    retention: Duration,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let name = tracing::topic(args.trace_topic.as_deref())?;
    let retention = args.retention.as_millis();
    let partitions = args.partitions;
    let instead = format!(
        "kpipe topic request {name} --partitions {partitions} --config retention.ms={retention}"
    );
    check(name, Act::Create, &instead, context)?;
    let topic = NewTopic {
        name: name.to_owned(),
        partitions: Some(partitions),
        replication: args.replication,
        config: BTreeMap::from([
            ("cleanup.policy".to_owned(), "delete".to_owned()),
            ("retention.ms".to_owned(), retention.to_string()),
        ]),
    };
    let admin = Admin::new(&context.cluster()?)?;
    let is_there = format!("Topic `{name}` is there already.");
    if admin.is_built_in_broker()? {
        if admin.topics()?.contains_key(name) {
            context.ui.status(is_there);
            return Ok(Outcome::DONE);
        }
        let error = CommandError::from(Error::NotOnBuiltInBroker("create topics"));
        return Err(error.hint(format!("kpipe broker --topic {name}")));
    }
    for result in admin.create(&[topic])? {
        match result {
            Ok(()) => context.ui.status(format_args!("Created topic `{name}`.")),
            Err(Error::TopicExists(_)) => context.ui.status(&is_there),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Outcome::DONE)
}
