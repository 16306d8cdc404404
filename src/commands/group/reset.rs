//! `kpipe group reset`: a group that goes on elsewhere.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Serialize;

use crate::commands::confirmation::is_confirmed;
use crate::context::Context;
use crate::counted::Counted;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::{Admin, Committed, Error, OffsetBounds, Target};
use crate::ui::rows;

/// Make a group go on elsewhere
///
/// Prints what would change. Asks on a terminal; elsewhere it needs `--yes`. The group
/// must have no members: they would go on where they are, and commit that.
///
/// TO is one of
///   earliest, latest    the first record that is there, the end
///   N                   this offset
///   +N, -N              so many offsets on or back from where the group is
///   @TIME               the first record at or after TIME, or the end
///   GROUP               where another group is
/// and never leads outside of what is there. Without `--topic`, all is moved that the
/// group has committed; with it, all partitions of those topics.
#[derive(clap::Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_long_help = "\
Examples:
  kpipe group reset billing --to earliest
  kpipe group reset billing --to @2h --topic orders --yes
  kpipe group reset billing --to -100 --topic orders --partition 3
  kpipe group reset billing-copy --to billing --topic orders --yes

TIME is RFC 3339, a date, seconds or milliseconds since the epoch, or a time ago (`2h`, `7d`)."
)]
pub(crate) struct Args {
    /// The group
    group: String,

    /// Where to
    #[arg(long, value_name = "TO", allow_hyphen_values = true)]
    to: String,

    /// Only these topics (can be repeated)
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,

    /// Only these partitions (can be repeated)
    #[arg(
        short,
        long = "partition",
        value_name = "PARTITION",
        value_delimiter = ',',
        value_parser = clap::value_parser!(i32).range(0..)
    )]
    partitions: Vec<i32>,

    /// Do not ask
    #[arg(short, long, visible_alias = "execute")]
    yes: bool,

    /// How to print the plan
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: rows::Output,
}

#[derive(Serialize)]
struct Row {
    group: String,
    topic: String,
    partition: i32,
    from: Option<i64>,
    to: i64,
    lag: i64,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let (now, zone) = (context.clock.now(), context.clock.zone());
    let target = Target::parse(&args.to, now, zone).map_err(CommandError::usage)?;
    let admin = Admin::new(&context.cluster()?)?;
    let current = args.current(&admin)?;
    let plan = args.plan(&target, &current, &admin)?;
    super::print(&plan, args.output, context)?;
    let moves: Committed = plan
        .iter()
        .filter(|row| row.from != Some(row.to))
        .map(|row| ((row.topic.clone(), row.partition), row.to))
        .collect();
    if moves.is_empty() {
        context
            .ui
            .status(format_args!("Group `{}` is there already.", args.group));
        return Ok(Outcome::DONE);
    }
    let partitions = Counted(moves.len(), "partition");
    let question = format!("Move group `{}` in {partitions}?", args.group);
    let hint = format!("`{} --yes` does it", args.command());
    if !is_confirmed(args.yes, &question, &hint, context)? {
        return Ok(Outcome::Exit(Status::Failed));
    }
    admin.move_group(&args.group, &moves)?;
    context.ui.status(format_args!(
        "Moved group `{}` in {partitions}.",
        args.group
    ));
    Ok(Outcome::DONE)
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("nothing to move: group `{0}` has committed nothing there")]
    Nothing(String),
    #[error(
        "group `{group}` has committed nothing in {topic}[{partition}], so nothing says where to"
    )]
    Nowhere {
        group: String,
        topic: String,
        partition: i32,
    },
}

impl Args {
    /// As it was typed: without its limits it would move more than was planned.
    fn command(&self) -> String {
        let mut command = format!("kpipe group reset {} --to {}", self.group, self.to);
        for topic in &self.topics {
            let _ = write!(command, " --topic {topic}");
        }
        for partition in &self.partitions {
            let _ = write!(command, " --partition {partition}");
        }
        command
    }

    /// Where the group is, once it is known to have no members.
    fn current(&self, admin: &Admin) -> Result<Committed, CommandError> {
        for described in admin.describe_groups(&[&self.group])? {
            match described {
                Ok(group) if group.members.is_empty() => {}
                Ok(group) => return Err(Error::GroupHasMembers(group.group).into()),
                // With topics named, the group is made.
                Err(Error::UnknownGroup(_)) if !self.topics.is_empty() => {}
                Err(error) => return Err(super::explained(error, admin)),
            }
        }
        one(admin.committed(&[&self.group])?)
    }

    fn plan(
        &self,
        target: &Target,
        current: &Committed,
        admin: &Admin,
    ) -> Result<Vec<Row>, CommandError> {
        let mut partitions: BTreeSet<(String, i32)> = BTreeSet::new();
        if self.topics.is_empty() {
            partitions.extend(current.keys().cloned());
        }
        for name in &self.topics {
            let topic = admin.topic(name)?;
            partitions.extend(topic.partitions.iter().map(|one| (name.clone(), one.id)));
            let last = topic.partition_count() - 1;
            if let Some(partition) = self.partitions.iter().find(|one| **one > last) {
                return Err(Error::UnknownPartition {
                    topic: name.clone(),
                    partition: *partition,
                    last,
                }
                .into());
            }
        }
        partitions.retain(|(_, one)| self.partitions.is_empty() || self.partitions.contains(one));
        let partitions: Vec<(String, i32)> = partitions.into_iter().collect();
        let low = admin.beginnings(partitions.clone())?;
        let high = admin.ends(partitions.clone())?;
        let found = match target {
            Target::Time(time) => admin.at_time(partitions.clone(), time.as_millisecond())?,
            Target::Group(other) => self.of_other(other, admin)?,
            _ => Committed::new(),
        };
        let mut rows = Vec::new();
        for key in partitions {
            // A topic that is gone has no place to go on at.
            let (Some(low), Some(high)) = (low.get(&key), high.get(&key)) else {
                continue;
            };
            let bounds = OffsetBounds {
                low: *low,
                high: *high,
            };
            let from = current.get(&key).copied();
            match target.resolve(bounds, from, found.get(&key).copied()) {
                Some(to) => rows.push(Row {
                    group: self.group.clone(),
                    topic: key.0,
                    partition: key.1,
                    from,
                    to,
                    lag: high - to,
                }),
                // What the other group does not read stays as it is.
                None if matches!(target, Target::Group(_)) => {}
                None => {
                    return Err(CommandError::failed(Trouble::Nowhere {
                        group: self.group.clone(),
                        topic: key.0,
                        partition: key.1,
                    })
                    .hint(
                        "`--to earliest`, `latest`, an offset or a time needs no earlier place",
                    ));
                }
            }
        }
        if rows.is_empty() {
            return Err(CommandError::failed(Trouble::Nothing(self.group.clone()))
                .hint("`--topic TOPIC` says what the group is to read"));
        }
        Ok(rows)
    }

    fn of_other(&self, other: &str, admin: &Admin) -> Result<Committed, CommandError> {
        let other = one(admin.describe_groups(&[other])?)
            .map(|group| group.group)
            .map_err(|error| {
                let hint = format!(
                    "`--to` takes earliest, latest, N, +N, -N, @TIME or a group; `kpipe group reset {} --help` says more",
                    self.group
                );
                error.hint(hint)
            })?;
        one(admin.committed(&[&other])?)
    }
}

/// The result for the only group that was asked about.
fn one<T>(mut results: Vec<Result<T, Error>>) -> Result<T, CommandError> {
    Ok(results.remove(0)?)
}
