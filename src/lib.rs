//! Kafka for shell pipelines: the library under the `kpipe` executable.
//!
//! `commands` renders and nothing else does; `kafka` speaks to Kafka and nothing else
//! does; `record`, `pipeline`, `source` and `sink` know neither.

pub mod approval;
mod cli;
mod clock;
mod commands;
pub mod config;
mod context;
mod counted;
pub mod database;
pub mod dead_letters;
#[cfg(test)]
mod documented;
pub mod error;
pub mod exit;
pub mod generate;
pub mod handler;
mod identity;
pub mod kafka;
pub mod names;
pub mod pattern;
pub mod pipeline;
pub mod record;
pub mod registry;
pub mod rules;
mod shell;
pub mod sink;
pub mod source;
pub mod stats;
pub mod stop;
pub mod store;
mod suggest;
pub mod syntax;
pub mod time;
pub mod trace;
pub mod ui;
mod usage;
pub mod wait;

use std::ffi::OsString;

use clap::{CommandFactory, Parser};

use cli::{Cli, Command};
use context::Context;
use error::CommandError;
use exit::{Outcome, Status};
use stop::Stop;
use ui::Ui;

/// Runs kpipe with the process's arguments and reports on stderr.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Outcome {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let error = usage::in_our_words(error);
            let printed = error.print();
            if error.use_stderr() {
                return Outcome::Exit(Status::Usage);
            }
            // Help and version are data, and go to stdout.
            return match sink::output::tolerate_closed(printed) {
                Ok(()) => Outcome::DONE,
                Err(error) => {
                    Ui::new(false, ui::Color::Auto).error(&error);
                    Outcome::Exit(error.status)
                }
            };
        }
    };
    let ui = Ui::new(cli.quiet, cli.color);
    log_to_stderr(cli.verbose, ui);
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => {
            ui.error(&CommandError::failed(error));
            return Outcome::Exit(Status::Failed);
        }
    };
    let mut context = match Context::new(ui, stop, cli.connection) {
        Ok(context) => context,
        Err(error) => {
            ui.error(&error);
            return Outcome::Exit(error.status);
        }
    };
    match dispatch(cli.command, &mut context) {
        Ok(outcome) => outcome,
        Err(error) => {
            let interrupted = error.error.downcast_ref::<kafka::Error>();
            if !matches!(interrupted, Some(kafka::Error::Interrupted)) {
                context.ui.error(&error);
            }
            let signal = context.stop.signal().map(Outcome::Signal);
            signal.unwrap_or(Outcome::Exit(error.status))
        }
    }
}

fn dispatch(command: Command, context: &mut Context) -> Result<Outcome, CommandError> {
    match command {
        Command::Send(args) => commands::send::run(&args, context),
        Command::Tail(args) => commands::tail::run(&args, context),
        Command::Subscription(args) => commands::subscription::run(&args, context),
        Command::Trace(args) => commands::trace::run(&args, context),
        Command::Generate(args) => commands::generate::run(&args, context),
        Command::Topic(args) => commands::topic::run(&args, context),
        Command::Expect(args) => commands::expect::run(&args, context),
        Command::Wait(args) => commands::wait::run(&args, context),
        Command::Ping(args) => commands::ping::run(&args, context),
        Command::Handle(args) => commands::handle::run(&args, context),
        Command::Store(args) => commands::store::run(&args, context),
        Command::Dlq(args) => commands::dlq::run(&args, context),
        Command::Broker(args) => commands::broker::run(&args, context),
        Command::Group(args) => commands::group::run(&args, context),
        Command::Stats(args) => commands::stats::run(&args, context),
        Command::Config(args) => commands::config::run(&args, context),
        Command::Completions(args) => commands::completions::run(&args, context),
        Command::Man(args) => commands::man::run(&args, context),
        Command::Complete(args) => commands::complete::run(&args, context),
        Command::Help(args) => commands::help::run(&args, context),
        // What users of other tools type by habit.
        Command::Renamed(_) => Err(CommandError::usage("no such command").hint(
            "records go in with `kpipe send TOPIC` and come out with `kpipe tail TOPIC`; \
             `kpipe --help` lists the commands",
        )),
    }
}

/// All that can be typed.
fn grammar() -> clap::Command {
    Cli::command()
}

/// The client library's log is shown on request only; `KPIPE_LOG` filters it finely.
fn log_to_stderr(verbose: u8, ui: Ui) {
    let filter = std::env::var("KPIPE_LOG").unwrap_or_else(|_| {
        match verbose {
            0 => "off",
            1 => "info",
            _ => "debug",
        }
        .to_owned()
    });
    if filter == "off" {
        return;
    }
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_ansi(ui.colors_stderr())
        .with_writer(std::io::stderr)
        .try_init();
}
