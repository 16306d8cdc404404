//! `kpipe generate list` and `describe`: what kinds there are, and what their values look like.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::run::unknown_kind;
use super::spec;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::generate::{AnyKind, kinds};
use crate::sink::output;
use crate::ui::rows;

/// List the kinds there are
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:\n  kpipe generate list")]
pub(super) struct ListArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: rows::Output,
}

/// Print the JSON Schema of a kind's values
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "Examples:\n  kpipe generate describe sensor | jq .properties.payload\n  kpipe generate describe --spec parcel.toml"
)]
pub(super) struct DescribeArgs {
    /// A name of `kpipe generate list`
    #[arg(required_unless_present = "spec")]
    kind: Option<String>,

    /// Describe a kind of your own
    #[arg(long, value_name = "FILE", conflicts_with = "kind")]
    spec: Option<PathBuf>,
}

#[derive(Serialize)]
struct Row<'a> {
    kind: &'a str,
    entities: u32,
    /// All entities together, at their own pace.
    per_second: f64,
    about: &'a str,
}

pub(super) fn list(args: &ListArgs, context: &Context) -> Result<Outcome, CommandError> {
    let kinds = kinds::all();
    let rows: Vec<Row<'_>> = kinds
        .iter()
        .map(|kind| Row {
            kind: kind.name(),
            entities: kind.entities(),
            per_second: (f64::from(kind.entities()) / kind.interval().as_secs_f64() * 1000.0)
                .round()
                / 1000.0,
            about: kind.about(),
        })
        .collect();
    let mut out = output::stdout().map_err(CommandError::failed)?;
    let is_terminal = context.ui.stdout_is_terminal();
    output::tolerate_closed(rows::write(&rows, args.output, is_terminal, &mut out))?;
    Ok(Outcome::DONE)
}

pub(super) fn describe(args: &DescribeArgs) -> Result<Outcome, CommandError> {
    let kind: Box<dyn AnyKind> = match (&args.spec, &args.kind) {
        (Some(path), _) => Box::new(spec::read(path)?),
        (None, name) => {
            let name = name.as_deref().unwrap_or_default();
            kinds::named(name).ok_or_else(|| unknown_kind(name))?
        }
    };
    let mut out = output::stdout().map_err(CommandError::failed)?;
    let text = format!("{:#}\n", kind.schema());
    output::tolerate_closed(out.write_all(text.as_bytes()))?;
    Ok(Outcome::DONE)
}
