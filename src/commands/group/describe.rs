//! `kpipe group describe`: a group's state, its members, and what each has.

use std::io::Write;

use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::kafka::{Admin, Error, Group, GroupKind, GroupLag, GroupState};
use crate::sink::output::cannot_write;
use crate::ui::rows::{self, Output};
use crate::ui::sanitize::OneLine;

/// Show a group: its state, its members, and where it is in each partition
///
/// In a pipe it is one line of JSON, with the members and with the partitions of which
/// something was committed or which a member has.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe group describe billing
  kpipe group describe billing | jq '.members[].host'")]
pub(crate) struct Args {
    /// The group
    group: String,

    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

#[derive(Serialize)]
struct Description<'a> {
    group: &'a str,
    kind: GroupKind,
    state: GroupState,
    assignor: Option<&'a str>,
    coordinator: Option<i32>,
    members: Vec<MemberRow<'a>>,
    partitions: Vec<PartitionRow<'a>>,
}

#[derive(Serialize)]
struct MemberRow<'a> {
    member: &'a str,
    instance: Option<&'a str>,
    client: &'a str,
    host: &'a str,
    partitions: usize,
}

#[derive(Serialize)]
struct PartitionRow<'a> {
    topic: &'a str,
    partition: i32,
    committed: Option<i64>,
    end: Option<i64>,
    lag: Option<i64>,
    member: Option<&'a str>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let admin = Admin::new(&context.cluster()?)?;
    let mut lags = admin.lag(&[&args.group])?;
    let lag = lags
        .remove(0)
        .map_err(|error| super::explained(error, &admin))?;
    let Some(group) = &lag.description else {
        return Err(Error::NotOnBuiltInBroker("describe groups").into());
    };
    let description = describe(group, &lag);
    if args.output.is_table(context.ui.stdout_is_terminal()) {
        super::print_bytes(&table(&description).map_err(cannot_write)?)?;
    } else {
        super::print(&[description], Output::Json, context)?;
    }
    Ok(Outcome::DONE)
}

fn describe<'a>(group: &'a Group, lag: &'a GroupLag) -> Description<'a> {
    let members = group.members.iter().map(|member| MemberRow {
        member: &member.member,
        instance: member.instance.as_deref(),
        client: &member.client,
        host: &member.host,
        partitions: member.partitions.len(),
    });
    let partitions = lag.partitions.iter().map(|one| PartitionRow {
        topic: &one.topic,
        partition: one.partition,
        committed: one.committed,
        end: one.end,
        lag: one.lag(),
        member: one
            .member
            .and_then(|index| group.members.get(index))
            .map(|member| member.member.as_str()),
    });
    Description {
        group: &group.group,
        kind: group.kind,
        state: group.state,
        assignor: Some(group.assignor.as_str()).filter(|name| !name.is_empty()),
        coordinator: group.coordinator,
        members: members.collect(),
        partitions: partitions.collect(),
    }
}

fn table(group: &Description<'_>) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    write!(
        text,
        "{}: {}, {} protocol",
        OneLine(group.group),
        group.state,
        serde_json::to_value(group.kind)?
            .as_str()
            .unwrap_or_default()
    )?;
    if let Some(assignor) = group.assignor {
        write!(text, ", {}", OneLine(assignor))?;
    }
    if let Some(broker) = group.coordinator {
        write!(text, ", coordinator {broker}")?;
    }
    writeln!(text)?;
    if group.members.is_empty() {
        writeln!(text, "no members")?;
    } else {
        writeln!(text)?;
        rows::write(&group.members, Output::Table, true, &mut text)?;
    }
    if group.partitions.is_empty() {
        writeln!(text, "nothing committed")?;
    } else {
        writeln!(text)?;
        rows::write(&group.partitions, Output::Table, true, &mut text)?;
    }
    Ok(text)
}
