//! The commands: one file each, with its arguments, whose docs are its help, and `run`.

pub(crate) mod broker;
pub(crate) mod complete;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod confirmation;
pub(crate) mod dlq;
pub(crate) mod expect;
pub(crate) mod generate;
pub(crate) mod group;
pub(crate) mod handle;
pub(crate) mod help;
pub(crate) mod man;
pub(crate) mod ping;
pub(crate) mod registry;
pub(crate) mod selection;
pub(crate) mod send;
pub(crate) mod stats;
pub(crate) mod store;
pub(crate) mod subscription;
pub(crate) mod tail;
pub(crate) mod topic;
pub(crate) mod trace;
pub(crate) mod tracing;
pub(crate) mod wait;

use clap::Command;

/// The commands below `command` that users are to know.
fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    // clap's own `help` repeats what `--help` says, but for ours, which prints pages.
    let own = command.get_name() == "kpipe";
    command
        .get_subcommands()
        .filter(move |below| !below.is_hide_set() && (own || below.get_name() != "help"))
}
