//! `kpipe topic`: topics by approval, and topics of the cluster.

mod acting;
mod approve;
mod backup;
mod cancel;
mod create;
mod deactivate;
mod delete;
mod describe;
mod described;
mod history;
mod import;
mod key;
mod list;
mod many;
mod plan;
mod reconcile;
mod reject;
mod request;
mod stats;

pub(crate) use acting::{Act, check};
use clap::Subcommand;
use serde::Serialize;

use super::registry::RegistryArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::registry::Request;
use crate::sink::output;
use crate::ui::rows;

/// Look after topics: ask for them, decide, see what there is
///
/// A topic that was asked for is PENDING; approved by somebody else it is APPROVED, and
/// `kpipe topic reconcile` creates it in Kafka: then it is ACTIVE. Requests, decisions and
/// their history are in the registry, one file.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    registry: RegistryArgs,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Describe(describe::Args),
    Create(create::Args),
    Delete(delete::Args),
    Request(request::Args),
    Approve(approve::Args),
    Reject(reject::Args),
    Cancel(cancel::Args),
    Plan(plan::Args),
    Reconcile(reconcile::Args),
    Deactivate(deactivate::Args),
    Import(import::Args),
    History(history::Args),
    Stats(stats::Args),
    Key(key::Args),
    Backup(backup::Args),
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let registry = &args.registry;
    match &args.command {
        Command::List(args) => list::run(args, registry, context),
        Command::Describe(args) => describe::run(args, registry, context),
        Command::Create(args) => create::run(args, context),
        Command::Delete(args) => delete::run(args, registry, context),
        Command::Request(args) => request::run(args, registry, context),
        Command::Approve(args) => approve::run(args, registry, context),
        Command::Reject(args) => reject::run(args, registry, context),
        Command::Cancel(args) => cancel::run(args, registry, context),
        Command::Plan(args) => plan::run(args, registry, context),
        Command::Reconcile(args) => reconcile::run(args, registry, context),
        Command::Import(args) => import::run(args, registry, context),
        Command::Deactivate(args) => deactivate::run(args, registry, context),
        Command::History(args) => history::run(args, registry, context),
        Command::Stats(args) => stats::run(args, registry, context),
        Command::Key(args) => key::run(args, registry, context),
        Command::Backup(args) => backup::run(args, registry, context),
    }
}

/// A request as people look for it.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    request: &'a Request,
    /// In place of the request's own, which is Kafka's alone.
    #[serde(rename = "reason")]
    why: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn of(request: &'a Request) -> Self {
        let kafkas = || Some(request.observation.reason?.name());
        Self {
            request,
            why: request.why_ended().or_else(kafkas),
        }
    }
}

/// Prints requests: all of each in JSON, in a table what people look for.
fn print(
    requests: &[Request],
    output: rows::Output,
    context: &Context,
) -> Result<(), CommandError> {
    if !output.is_table(context.ui.stdout_is_terminal()) {
        return print_columns(requests, &[], output, context);
    }
    let columns = [
        "name",
        "state",
        "created_by",
        "partitions",
        "replication",
        "requested_at",
        "decided_by",
        "reason_code",
        "reason",
    ];
    let rows: Vec<Row<'_>> = requests.iter().map(Row::of).collect();
    print_columns(&rows, &columns, output, context)
}

fn print_columns(
    rows: &[impl Serialize],
    columns: &[&str],
    output: rows::Output,
    context: &Context,
) -> Result<(), CommandError> {
    let mut out = output::stdout().map_err(CommandError::failed)?;
    let is_terminal = context.ui.stdout_is_terminal();
    output::tolerate_closed(rows::write_columns(
        rows,
        columns,
        output,
        is_terminal,
        &mut out,
    ))
}
