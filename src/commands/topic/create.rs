//! `kpipe topic create`: a topic in Kafka, at once.

use std::fmt::Write as _;

use super::{acting, request};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::kafka::{Admin, NewTopic};

/// Create a topic in Kafka, at once
///
/// Returns when records can be sent to it. Where the profile says `approval = "enforce"`,
/// topics are asked for with `kpipe topic request` instead.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic create orders
  kpipe topic create orders --partitions 12 --replication 3
  kpipe topic create users --config cleanup.policy=compact --config min.insync.replicas=2")]
pub(crate) struct Args {
    /// The topic's name
    name: String,

    /// How many partitions [default: the cluster's]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,

    /// How many copies of each partition [default: the cluster's]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..=32767))]
    replication: Option<i32>,

    /// Set one of the topic's settings (can be repeated)
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = request::setting)]
    config: Vec<(String, String)>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    acting::check(&args.name, acting::Act::Create, &args.as_request(), context)?;
    let topic = NewTopic {
        name: args.name.clone(),
        partitions: args.partitions,
        replication: args.replication,
        config: request::settings(&args.config)?,
    };
    let results = Admin::new(&context.cluster()?)?.create(&[topic])?;
    for result in results {
        result?;
    }
    context
        .ui
        .status(format_args!("Created topic `{}`.", args.name));
    Ok(Outcome::DONE)
}

impl Args {
    /// The command that asks for the same topic.
    fn as_request(&self) -> String {
        // A String takes all that is written to it.
        let mut command = format!("kpipe topic request {}", self.name);
        let numbers = [
            ("partitions", self.partitions),
            ("replication", self.replication),
        ];
        for (flag, number) in numbers {
            if let Some(number) = number {
                let _ = write!(command, " --{flag} {number}");
            }
        }
        for (key, value) in &self.config {
            let _ = write!(command, " --config {key}={value}");
        }
        command
    }
}
