//! `kpipe topic describe`: all there is to know of a topic, from the registry and from Kafka.

use std::collections::BTreeMap;

use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;
use serde_json::{Map, Value};

use super::described;
use crate::approval::{self, Difference, Found, Purpose, Verdict};
use crate::commands::registry::RegistryArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::kafka::{Admin, Error, Topic};
use crate::registry::{Registry, Request, State};
use crate::sink::output;
use crate::ui::rows::Output;

/// Show all there is to know of a topic
///
/// Who asked for it, who decided and why, what Kafka has (leaders, in-sync replicas,
/// watermarks, records, settings of its own), and in what the two differ. As JSON it has the
/// fields name, state, request, decision, kafka and drift; what there is not is null.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic describe orders
  kpipe topic describe orders | jq .kafka.records
  kpipe topic describe orders | jq -e '.drift == []'")]
pub(crate) struct Args {
    /// The topic's name
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    name: String,

    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

/// What is printed.
#[derive(Debug, Serialize)]
pub(super) struct Description {
    pub(super) name: String,
    pub(super) state: Option<State>,
    pub(super) request: Option<Value>,
    pub(super) decision: Option<Value>,
    pub(super) kafka: Option<InKafka>,
    /// `None` where nothing was approved that Kafka could differ from.
    pub(super) drift: Option<Vec<Difference>>,
}

/// The topic as Kafka has it.
#[derive(Debug, Serialize)]
pub(super) struct InKafka {
    pub(super) cluster_id: String,
    pub(super) replication: i32,
    /// Offsets in use; compaction and transactions leave fewer records.
    pub(super) records: i64,
    pub(super) partitions: Vec<PartitionRow>,
    /// The settings that are the topic's own; `None` where they cannot be asked for.
    pub(super) config: Option<BTreeMap<String, Option<String>>>,
}

/// A partition as Kafka has it.
#[derive(Debug, Serialize)]
pub(super) struct PartitionRow {
    pub(super) partition: i32,
    pub(super) leader: Option<i32>,
    pub(super) replicas: Vec<i32>,
    pub(super) in_sync: Vec<i32>,
    /// `None`, like `high`, while there is no leader to ask.
    pub(super) low: Option<i64>,
    pub(super) high: Option<i64>,
}

pub(crate) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let registry = registry.open_if_there(context)?;
    let request = match &registry {
        Some(registry) => registry.topic(&args.name)?,
        None => None,
    };
    let admin = Admin::new(&context.cluster()?)?;
    let topic = match admin.topic(&args.name) {
        Ok(topic) => Some(topic),
        Err(Error::UnknownTopic { .. } | Error::InvalidTopic(_)) if request.is_some() => None,
        // The registry may know what was meant where Kafka does not.
        Err(Error::UnknownTopic {
            topic,
            nearest: None,
            built_in,
        }) => {
            let nearest = match &registry {
                Some(registry) => registry.nearest(&topic)?,
                None => None,
            };
            return Err(Error::UnknownTopic {
                topic,
                nearest,
                built_in,
            }
            .into());
        }
        Err(error) => return Err(error.into()),
    };
    let (kafka, found) = topic
        .map(|topic| in_kafka(&topic, &admin))
        .transpose()?
        .unzip();
    let description = Description {
        name: args.name.clone(),
        state: request.as_ref().map(|request| request.state),
        drift: request
            .as_ref()
            .and_then(|request| drift(request, found.as_ref())),
        decision: request.as_ref().map(decision).transpose()?.flatten(),
        request: match (&request, &registry) {
            (Some(request), Some(registry)) => Some(asked(request, registry)?),
            _ => None,
        },
        kafka,
    };
    let is_terminal = context.ui.stdout_is_terminal();
    let text = match args.output {
        Output::Json => described::json(&description),
        Output::Auto if !is_terminal => described::json(&description),
        _ => Ok(described::text(&description)),
    };
    let text = text.map_err(CommandError::failed)?;
    let mut out = output::stdout().map_err(CommandError::failed)?;
    output::tolerate_closed(std::io::Write::write_all(&mut out, text.as_bytes()))?;
    Ok(Outcome::DONE)
}

fn in_kafka(topic: &Topic, admin: &Admin) -> Result<(InKafka, Found), Error> {
    let led = topic.partitions.iter().filter(|one| one.leader.is_some());
    let led: Vec<i32> = led.map(|partition| partition.id).collect();
    let wanted: Vec<_> = led.iter().map(|id| (topic.name.clone(), *id)).collect();
    let marks: BTreeMap<i32, _> = led.into_iter().zip(admin.watermarks(&wanted)?).collect();
    let config = if admin.is_built_in_broker()? {
        None
    } else {
        let asked = [(topic.name.as_str(), Vec::new())];
        Some(admin.configs(&asked)?.remove(0)?)
    };
    let found = Found {
        partitions: topic.partition_count(),
        replication: topic.replication(),
        config: config.clone(),
    };
    let rows = topic.partitions.iter().map(|partition| {
        let marks = marks.get(&partition.id);
        PartitionRow {
            partition: partition.id,
            leader: partition.leader,
            replicas: partition.replicas.clone(),
            in_sync: partition.in_sync.clone(),
            low: marks.map(|marks| marks.low),
            high: marks.map(|marks| marks.high),
        }
    });
    let in_kafka = InKafka {
        cluster_id: admin.cluster_id()?,
        replication: topic.replication(),
        records: marks.values().map(|marks| marks.high - marks.low).sum(),
        partitions: rows.collect(),
        config: config.map(|config| {
            let own = config.into_iter().filter(|(_, one)| one.is_of_topic);
            own.map(|(key, one)| (key, one.value)).collect()
        }),
    };
    Ok((in_kafka, found))
}

/// In what Kafka differs from what was approved.
fn drift(request: &Request, found: Option<&Found>) -> Option<Vec<Difference>> {
    if request.state != State::Active {
        return None;
    }
    match approval::verdict(&request.spec, Purpose::Kept, found) {
        Verdict::Drift(differences) => Some(differences),
        _ => Some(Vec::new()),
    }
}

/// The fields of a request that tell how it was decided, and how it ended.
const DECISION: [&str; 7] = [
    "decided_at",
    "decided_by",
    "comment",
    "ended_at",
    "ended_by",
    "reason_code",
    "ended_comment",
];

fn fields(request: &Request) -> Result<Map<String, Value>, CommandError> {
    match serde_json::to_value(request).map_err(CommandError::failed)? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

/// What was asked and what came of it, with the change of it that waits, if there is one.
fn asked(request: &Request, registry: &Registry) -> Result<Value, CommandError> {
    let mut fields = fields(request)?;
    fields.retain(|key, _| key != "name" && key != "state" && !DECISION.contains(&key.as_str()));
    let change = registry
        .open_request(&request.spec.name)?
        .filter(|open| open.id != request.id);
    let change = serde_json::to_value(change).map_err(CommandError::failed)?;
    fields.insert("change".to_owned(), change);
    Ok(Value::Object(fields))
}

fn decision(request: &Request) -> Result<Option<Value>, CommandError> {
    let mut fields = fields(request)?;
    fields.retain(|key, _| DECISION.contains(&key.as_str()));
    let is_decided = fields.values().any(|value| !value.is_null());
    Ok(is_decided.then_some(Value::Object(fields)))
}
