//! `kpipe topic history`: all that ever happened.

use serde::Serialize;
use serde_json::Value;

use crate::commands::registry::RegistryArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::registry::{Error, Event};
use crate::ui::rows;

/// Show who asked, decided and did what, the oldest first
///
/// Of one topic, or of all and of the registry itself. The history only ever grows. ACTOR is who
/// they said they were, LOGIN who they were to the operating system; both are empty where nobody
/// did it but time. DETAILS has what was asked for, found or changed.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic history orders
  kpipe topic history | jq -c 'select(.actor != .login)'")]
pub(super) struct Args {
    /// Only this topic
    name: Option<String>,

    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: rows::Output,
}

/// An event as a table has it.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    event: &'a Event,
    details: Option<String>,
}

pub(super) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let registry = registry.open_existing(context)?;
    let events = registry.history(args.name.as_deref())?;
    if let (Some(name), true) = (&args.name, events.is_empty()) {
        let error = Error::Unknown {
            name: name.clone(),
            nearest: registry.nearest(name)?,
        };
        return Err(error.into());
    }
    if !args.output.is_table(context.ui.stdout_is_terminal()) {
        super::print_columns(&events, &[], args.output, context)?;
        return Ok(Outcome::DONE);
    }
    let columns = [
        "at",
        "actor",
        "login",
        "action",
        "name",
        "from_state",
        "to_state",
        "reason_code",
        "comment",
        "details",
    ];
    let rows: Vec<Row<'_>> = events
        .iter()
        .map(|event| Row {
            event,
            details: event.detail.as_ref().and_then(in_one_line),
        })
        .collect();
    super::print_columns(&rows, &columns, args.output, context)?;
    Ok(Outcome::DONE)
}

/// What `detail` says, as `name=value, …`; what it leaves open is not mentioned.
fn in_one_line(detail: &Value) -> Option<String> {
    let mut said = Vec::new();
    gather("", detail, &mut said);
    (!said.is_empty()).then(|| said.join(", "))
}

fn gather(name: &str, value: &Value, said: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (field, value) in fields {
                let dot = if name.is_empty() { "" } else { "." };
                gather(&format!("{name}{dot}{field}"), value, said);
            }
        }
        Value::Array(items) => {
            for item in items {
                gather(name, item, said);
            }
        }
        Value::String(text) => said.push(format!("{name}={text}")),
        other => said.push(format!("{name}={other}")),
    }
}
