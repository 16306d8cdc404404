//! What can be typed: global flags and the list of commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    broker, complete, completions, config, dlq, expect, generate, group, handle, help, man, ping,
    send, stats, store, subscription, tail, topic, trace, wait,
};
use crate::ui::Color;

/// Kafka for shell pipelines
///
/// Records go in and out as JSON Lines, one record a line, without losing a byte:
/// `kpipe tail a -e | kpipe send b` makes b an exact copy of a.
#[derive(Debug, Parser)]
#[command(
    name = "kpipe",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "See `kpipe help record-line` and `kpipe help exit-status`."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Say nothing but errors
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,

    /// Show the Kafka client's log; twice for all of it
    #[arg(
        short,
        long,
        global = true,
        action = clap::ArgAction::Count,
        conflicts_with = "quiet",
        help_heading = "Global options"
    )]
    pub verbose: u8,

    /// When to use colour
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Global options"
    )]
    pub color: Color,

    #[command(subcommand)]
    pub command: Command,
}

/// Which cluster, and how.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// Brokers to connect to first [default: localhost:9092] [env: `KPIPE_BROKERS`]
    #[arg(
        short,
        long,
        global = true,
        visible_alias = "bootstrap-server",
        alias = "bootstrap-servers",
        value_name = "HOST:PORT,…"
    )]
    pub brokers: Option<String>,

    /// Set a librdkafka property (can be repeated; for secrets see `-F` and `-C`)
    #[arg(short = 'X', long = "set", global = true, value_name = "KEY=VALUE")]
    pub properties: Vec<String>,

    /// Read properties from a file: a kcat.conf or a Java client.properties; `-` is stdin
    #[arg(short = 'F', long = "properties", global = true, value_name = "FILE")]
    pub properties_file: Option<PathBuf>,

    /// Use a profile of config.toml [env: `KPIPE_PROFILE`]
    #[arg(short = 'C', long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Send(Box<send::Args>),
    Tail(Box<tail::Args>),
    Handle(Box<handle::Args>),
    Store(Box<store::Args>),
    Dlq(dlq::Args),
    Generate(Box<generate::Args>),
    Topic(topic::Args),
    Subscription(subscription::Args),
    Trace(Box<trace::Args>),
    Expect(expect::Args),
    Wait(wait::Args),
    Ping(ping::Args),
    Broker(broker::Args),
    Group(group::Args),
    Stats(stats::Args),
    Config(config::Args),
    Completions(completions::Args),
    Man(man::Args),
    Help(help::Args),
    #[command(hide = true)]
    Complete(complete::Args),
    /// Other tools' words for `send` and `tail`
    #[command(hide = true, name = "produce", alias = "consume")]
    Renamed(Renamed),
}

/// Whatever follows a word of another tool.
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(crate) struct Renamed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<String>,
}
