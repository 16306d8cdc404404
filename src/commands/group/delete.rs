//! `kpipe group delete`: groups without members gone, with what they committed.

use crate::commands::confirmation::is_confirmed;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::Admin;

/// Delete groups that have no members, with what they committed
///
/// There is no way back. Asks on a terminal; elsewhere it needs `--yes`.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe group delete billing-test --yes
  kpipe group list '^test-' | jq -r .group | xargs kpipe group delete --yes")]
pub(crate) struct Args {
    /// The groups
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let mut groups: Vec<&str> = args.groups.iter().map(String::as_str).collect();
    groups.sort_unstable();
    groups.dedup();
    let question = format!("Delete {} for ever?", quoted(&groups));
    let hint = format!("`kpipe group delete {} --yes` does it", groups.join(" "));
    if !is_confirmed(args.yes, &question, &hint, context)? {
        return Ok(Outcome::Exit(Status::Failed));
    }
    let admin = Admin::new(&context.cluster()?)?;
    let results = admin.delete_groups(&groups)?;
    let mut errors = Vec::new();
    for (group, result) in groups.iter().zip(results) {
        match result {
            Ok(()) => context.ui.status(format_args!("Deleted group `{group}`.")),
            Err(error) => errors.push(super::explained(error, &admin)),
        }
    }
    super::report(errors, context)
}

fn quoted(groups: &[&str]) -> String {
    match groups {
        [group] => format!("group `{group}`"),
        groups => format!("{} groups", groups.len()),
    }
}
