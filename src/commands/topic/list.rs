//! `kpipe topic list`: topics and the requests for them.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Serialize;

use crate::commands::registry::RegistryArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::kafka::{Admin, Topic};
use crate::registry::{Request, Spec, State, name};
use crate::ui::rows;

/// List topics, and the requests for them
///
/// The topics that Kafka has, with what the registry knows of them: the state and who asked.
/// Requests that are not in Kafka, or not yet, follow; of those that came to their end, the last
/// word on each name. With --state the registry alone is asked, and no broker is needed.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic list
  kpipe topic list '^shop\\.' | jq -r 'select(.state == null).name'
  kpipe topic list --state PENDING | jq -r '.name + \" by \" + .created_by'")]
pub(super) struct Args {
    /// Only names that this matches
    #[arg(value_name = "REGEX")]
    pattern: Option<Regex>,

    /// Only requests in this state, from the registry alone
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<State>,

    /// Kafka's own topics too
    #[arg(long, conflicts_with = "state")]
    internal: bool,

    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: rows::Output,
}

/// A topic of Kafka's, or a request for one.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Row {
    name: String,
    /// `None`, like the state, where the registry does not know it.
    id: Option<String>,
    state: Option<State>,
    /// Whether Kafka has it; else the numbers are those asked for.
    in_kafka: bool,
    partitions: i32,
    replication: i32,
    created_by: Option<String>,
    config: Option<BTreeMap<String, String>>,
    description: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

pub(super) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let matches = |name: &str| {
        let pattern = args.pattern.as_ref();
        pattern.is_none_or(|pattern| pattern.is_match(name))
    };
    if args.state.is_some() {
        let mut requests = registry.open_existing(context)?.requests(args.state)?;
        requests.retain(|request| matches(&request.spec.name));
        super::print(&requests, args.output, context)?;
        return Ok(Outcome::DONE);
    }
    let requests = match registry.open_if_there(context)? {
        Some(registry) => registry.requests(None)?,
        None => Vec::new(),
    };
    let topics = Admin::new(&context.cluster()?)?.topics()?;
    let mut rows = rows(topics.into_values(), requests);
    rows.retain(|row| matches(&row.name) && (args.internal || !name::is_internal(&row.name)));
    let columns = [
        "name",
        "state",
        "in_kafka",
        "partitions",
        "replication",
        "created_by",
    ];
    super::print_columns(&rows, &columns, args.output, context)?;
    Ok(Outcome::DONE)
}

/// The topics, each with the request that counts for it, and then the other requests.
fn rows(topics: impl Iterator<Item = Topic>, requests: Vec<Request>) -> Vec<Row> {
    // Of two for a name, the ACTIVE one is the older, and comes first.
    let mut others: Vec<Request> = Vec::new();
    let mut counting: BTreeMap<String, Request> = BTreeMap::new();
    for request in requests {
        match counting.get(&request.spec.name) {
            Some(_) => others.push(request),
            None => {
                counting.insert(request.spec.name.clone(), request);
            }
        }
    }
    let mut rows: Vec<Row> = topics
        .map(|topic| {
            let request = counting.remove(&topic.name);
            let (partitions, replication) = (topic.partition_count(), topic.replication());
            match request {
                Some(request) => Row {
                    in_kafka: true,
                    partitions,
                    replication,
                    ..row(request)
                },
                None => Row {
                    name: topic.name,
                    id: None,
                    state: None,
                    in_kafka: true,
                    partitions,
                    replication,
                    created_by: None,
                    config: None,
                    description: None,
                    kind: None,
                },
            }
        })
        .collect();
    others.extend(counting.into_values());
    others.sort_by(|one, other| one.spec.name.cmp(&other.spec.name));
    rows.extend(others.into_iter().map(row));
    rows
}

fn row(request: Request) -> Row {
    let Spec {
        name,
        created_by,
        partitions,
        replication,
        config,
        description,
        kind,
    } = request.spec;
    Row {
        name,
        id: Some(request.id),
        state: Some(request.state),
        in_kafka: false,
        partitions,
        replication,
        created_by: Some(created_by),
        config: Some(config),
        description,
        kind,
    }
}

/// In any case of letters.
fn state(text: &str) -> Result<State, NotAState> {
    text.to_ascii_uppercase().parse().map_err(|_| NotAState)
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("expected PENDING, APPROVED, ACTIVE, INACTIVE or REJECTED")]
struct NotAState;
