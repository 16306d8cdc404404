//! `kpipe group list`: the groups there are.

use regex::Regex;
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::kafka::{Admin, GroupKind, GroupState};
use crate::ui::rows;

/// List the groups
///
/// Share groups and those of Kafka Streams (KIP-932, KIP-1071) and Kafka Connect are named,
/// by what little of them the cluster tells.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe group list
  kpipe group list '^billing-'
  kpipe group list | jq -r 'select(.state == \"Empty\").group'")]
pub(crate) struct Args {
    /// Only groups whose name matches
    #[arg(value_name = "REGEX")]
    pattern: Option<Regex>,

    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: rows::Output,
}

#[derive(Serialize)]
struct Row {
    group: String,
    kind: GroupKind,
    /// `None` where the cluster does not tell.
    state: Option<GroupState>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let groups = Admin::new(&context.cluster()?)?.groups()?;
    let rows: Vec<Row> = groups
        .into_iter()
        .filter(|group| {
            let pattern = args.pattern.as_ref();
            pattern.is_none_or(|pattern| pattern.is_match(&group.group))
        })
        .map(|group| Row {
            group: group.group,
            state: (!matches!(group.kind, GroupKind::Other(_))).then_some(group.state),
            kind: group.kind,
        })
        .collect();
    super::print(&rows, args.output, context)?;
    Ok(Outcome::DONE)
}
