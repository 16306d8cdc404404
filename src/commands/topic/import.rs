//! `kpipe topic import`: topics that Kafka has, taken into the registry as ACTIVE.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Serialize;
use thiserror::Error;

use super::{many, request};
use crate::commands::registry::{ByArgs, ProducerKeyArgs, RegistryArgs};
use crate::config::{Approval, Governance};
use crate::context::Context;
use crate::counted::Counted;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::{self, Admin, Topic};
use crate::registry::{
    Approver, FourEyes, Import, Imported, Registry, Spec, Stamp, State, Wish, line, name,
};
use crate::sink::output;
use crate::suggest;
use crate::ui::rows;

/// Take topics that Kafka has into the registry
///
/// All that match become ACTIVE, in one transaction, with the partitions, the replication and
/// the settings of their own that they have in Kafka. Kafka's own topics are left out, and
/// what the registry knows already stays as it is, so that it can be run again. What is against
/// the policy is taken in all the same, and recorded. Once `kpipe topic key new` was run, it
/// needs the producer key, as `kpipe topic reconcile` does. Where the profile says
/// `approval = "enforce"`, somebody else approves what is new, as --approved-by says.
///
/// `-` reads lines of JSON with `name` and, where they differ from one to the next,
/// `created_by`, `description` and `type`; what `kpipe topic list` prints will do.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic import . --by platform --dry-run     what it would take in
  kpipe topic import '^(orders|billing)' --by alice --approved-by bob
  jq -c '{name, created_by: .owner}' owners.json | kpipe topic import - --by alice")]
pub(crate) struct Args {
    /// A regular expression that finds the names; `-` reads lines from stdin
    #[arg(value_name = "REGEX")]
    which: String,

    #[command(flatten)]
    by: ByArgs,

    /// Who has approved it: somebody else
    #[arg(long, value_name = "WHO", value_parser = request::who)]
    approved_by: Option<String>,

    #[command(flatten)]
    key: ProducerKeyArgs,

    /// Only show what it would take in
    #[arg(long)]
    dry_run: bool,

    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: rows::Output,
}

#[derive(Debug, Error)]
#[error("`{regex}` is not a regular expression")]
struct NotAPattern {
    regex: String,
    source: regex::Error,
}

/// One topic that was found.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// Whether it is news to the registry.
    imported: bool,
    state: State,
    partitions: i32,
    replication: i32,
    created_by: String,
    /// What the policy has against it.
    violations: Option<String>,
}

pub(crate) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let governance = context.governance()?;
    let policy = &governance.rules.policy;
    let actor = args.by.actor(context)?;
    let lines = match args.which.as_str() {
        "-" => Some(many::lines(line::wish, context)?),
        _ => None,
    };
    if let Some(signal) = context.stop.signal() {
        return Ok(Outcome::Signal(signal));
    }
    let admin = Admin::new(&context.cluster()?)?;
    let topics = admin.topics()?;
    let specs = match lines {
        Some(lines) => named(lines, &topics, &actor.name)?,
        None => matching(&args.which, &topics, &actor.name)?,
    };
    let mut imports = Vec::new();
    for spec in with_configs(specs, &admin)? {
        let violations = policy.check(&spec);
        imports.push(Import {
            id: context.new_id()?,
            violations: violations.iter().map(ToString::to_string).collect(),
            spec,
        });
    }
    let imported = if args.dry_run {
        let registry = registry.open_if_there(context)?;
        foreseen(&imports, registry.as_ref())?
    } else {
        let mut registry = registry.open(context)?;
        registry.check_producer_key(args.key.read(context)?.as_deref())?;
        let stamp = Stamp {
            actor: &actor,
            at: context.clock.now(),
        };
        if !admin.is_built_in_broker()? {
            registry.pin_cluster(&admin.cluster_id()?, stamp)?;
        }
        registry.import(&imports, args.approver(&governance), stamp)?
    };
    let rows: Vec<Row> = imports.into_iter().zip(imported).map(row).collect();
    let mut out = output::stdout().map_err(CommandError::failed)?;
    let is_terminal = context.ui.stdout_is_terminal();
    output::tolerate_closed(rows::write(&rows, args.output, is_terminal, &mut out))?;
    let new = rows.iter().filter(|row| row.imported).count();
    let verb = if args.dry_run { "Would take" } else { "Took" };
    context.ui.status(format_args!(
        "{verb} {} in; {} were known.",
        Counted(new, "topic"),
        rows.len() - new
    ));
    Ok(Outcome::Exit(Status::Done))
}

impl Args {
    fn approver(&self, governance: &Governance) -> Approver<'_> {
        let four_eyes = governance.rules.four_eyes;
        Approver {
            name: self.approved_by.as_deref(),
            is_needed: governance.approval == Approval::Enforce && four_eyes == FourEyes::On,
            four_eyes,
        }
    }
}

fn row((import, imported): (Import, Imported)) -> Row {
    let Import {
        spec, violations, ..
    } = import;
    Row {
        name: spec.name,
        imported: imported == Imported::New,
        state: match imported {
            Imported::New => State::Active,
            Imported::Known(state) => state,
        },
        partitions: spec.partitions,
        replication: spec.replication,
        created_by: spec.created_by,
        violations: (!violations.is_empty()).then(|| violations.join("; ")),
    }
}

fn spec(topic: &Topic, created_by: &str) -> Spec {
    Spec {
        name: topic.name.clone(),
        created_by: created_by.to_owned(),
        partitions: topic.partition_count(),
        replication: topic.replication(),
        config: BTreeMap::new(),
        description: None,
        kind: None,
    }
}

/// The topics of these lines, all of which Kafka must have; what they have is Kafka's to say.
fn named(
    lines: Vec<many::Item<Wish>>,
    topics: &BTreeMap<String, Topic>,
    by: &str,
) -> Result<Vec<Spec>, CommandError> {
    let mut specs = Vec::new();
    for many::Item { value: line, .. } in lines {
        if name::is_internal(&line.name) {
            continue;
        }
        let Some(topic) = topics.get(&line.name) else {
            let nearest = suggest::nearest(&line.name, topics.keys().map(String::as_str));
            let nearest = nearest.map(str::to_owned);
            let is_like_none = nearest.is_none();
            let error = CommandError::from(kafka::Error::UnknownTopic {
                topic: line.name,
                nearest,
                built_in: false,
            });
            return Err(if is_like_none {
                error.hint("`kpipe topic list` shows those there are")
            } else {
                error
            });
        };
        specs.push(Spec {
            description: line.description,
            kind: line.kind,
            ..spec(
                topic,
                Some(line.created_by.as_str())
                    .filter(|by| !by.is_empty())
                    .unwrap_or(by),
            )
        });
    }
    Ok(specs)
}

/// The topics whose names `regex` finds, without Kafka's own.
fn matching(
    regex: &str,
    topics: &BTreeMap<String, Topic>,
    by: &str,
) -> Result<Vec<Spec>, CommandError> {
    let pattern = Regex::new(regex).map_err(|source| {
        CommandError::usage(NotAPattern {
            regex: regex.to_owned(),
            source,
        })
    })?;
    let found = topics
        .values()
        .filter(|topic| pattern.is_match(&topic.name));
    let specs = found.filter(|topic| !name::is_internal(&topic.name));
    let specs: Vec<Spec> = specs.map(|topic| spec(topic, by)).collect();
    if specs.is_empty() {
        return Err(kafka::Error::NoMatchingTopic(regex.to_owned()).into());
    }
    Ok(specs)
}

/// Adds the settings that are the topics' own; the built-in broker cannot tell them.
fn with_configs(mut specs: Vec<Spec>, admin: &Admin) -> Result<Vec<Spec>, kafka::Error> {
    if admin.is_built_in_broker()? {
        return Ok(specs);
    }
    let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
    let asked: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), Vec::new()))
        .collect();
    for (spec, config) in specs.iter_mut().zip(admin.configs(&asked)?) {
        let own = config?.into_iter().filter(|(_, one)| one.is_of_topic);
        spec.config = own
            .filter_map(|(key, one)| Some((key, one.value?)))
            .collect();
    }
    Ok(specs)
}

/// What [`Registry::import`] would answer.
fn foreseen(
    imports: &[Import],
    registry: Option<&Registry>,
) -> Result<Vec<Imported>, CommandError> {
    let mut known = BTreeMap::new();
    if let Some(registry) = registry {
        for state in [State::Pending, State::Approved, State::Active] {
            for request in registry.requests(Some(state))? {
                known.insert(request.spec.name, state);
            }
        }
    }
    let answer = |import: &Import| match known.get(&import.spec.name) {
        Some(state) => Imported::Known(*state),
        None => Imported::New,
    };
    Ok(imports.iter().map(answer).collect())
}
