//! `kpipe topic plan`: what reconcile would do, and where Kafka has drifted.

use serde::Serialize;

use crate::approval::{self, Difference, Surveyed, Verdict};
use crate::commands::registry::RegistryArgs;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::Admin;
use crate::registry::State;
use crate::sink::output;
use crate::ui::rows;

/// Show what reconcile would do, and where Kafka has drifted from what was approved
///
/// Changes nothing. Leaves with status 0 when there is nothing to do, and with 1 when there is.
/// `safe` says whether Kafka can be made to agree without losing anything: partitions
/// can be added and never taken away, a shorter retention deletes records.
///
/// A row's action is what reconcile does about it: `create` and `change` are done, `adopt`
/// takes a topic in that is just as it was approved. Of a `conflict`, something else under
/// the name of an approved topic, and of `drift`, an active topic that is not as it was
/// approved, it only tells; what the built-in broker cannot do is `unsupported`.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic plan
  kpipe topic plan | jq 'select(.safe | not)'
  kpipe topic plan -q >/dev/null || echo 'Kafka is not as approved'")]
pub(crate) struct Args {
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: rows::Output,
}

/// One thing to be done, or to be told.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    state: State,
    action: &'static str,
    safe: bool,
    /// `topic` for all of it.
    field: Option<String>,
    kafka: Option<String>,
    asked: Option<String>,
}

pub(crate) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let registry = registry.open_existing(context)?;
    let survey = approval::survey(&registry, &Admin::new(&context.cluster()?)?)?;
    let rows: Vec<Row> = survey
        .topics
        .iter()
        .flat_map(|topic| rows_of(topic, survey.is_built_in_broker))
        .collect();
    let mut out = output::stdout().map_err(CommandError::failed)?;
    let is_terminal = context.ui.stdout_is_terminal();
    output::tolerate_closed(rows::write(&rows, args.output, is_terminal, &mut out))?;
    Ok(Outcome::Exit(if rows.is_empty() {
        Status::Done
    } else {
        Status::Failed
    }))
}

fn rows_of(topic: &Surveyed, is_built_in_broker: bool) -> Vec<Row> {
    let (create, change) = if is_built_in_broker {
        ("unsupported", "unsupported")
    } else {
        ("create", "change")
    };
    let row = |action, difference: Difference| Row {
        name: topic.request.spec.name.clone(),
        state: topic.request.state,
        action,
        safe: difference.safe,
        field: Some(difference.field),
        kafka: difference.kafka,
        asked: difference.asked,
    };
    let each = |action, differences: &[Difference]| {
        let differences = differences.iter().cloned();
        differences.map(|one| row(action, one)).collect()
    };
    match &topic.verdict {
        Verdict::Agrees if topic.request.state == State::Active => Vec::new(),
        Verdict::Agrees => vec![Row {
            name: topic.request.spec.name.clone(),
            state: topic.request.state,
            action: "adopt",
            safe: true,
            field: None,
            kafka: None,
            asked: None,
        }],
        Verdict::Create => {
            let lacks = Difference::absent(&topic.request.spec, false);
            vec![row(create, lacks)]
        }
        Verdict::Change { differences, .. } => each(change, differences),
        Verdict::Conflict(differences) => each("conflict", differences),
        Verdict::Drift(differences) => each("drift", differences),
    }
}
