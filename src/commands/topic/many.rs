//! Several requests in one run: from arguments or lines of stdin, each accounted for.

use std::io::Read;
use std::path::Path;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::registry::{Error, LineError, Meant, NamedLine, Request, line};
use crate::source::lines::Input;
use crate::suggest;
use crate::ui::rows;

/// Which topics.
#[derive(clap::Args, Debug)]
pub(super) struct Names {
    /// Topics; `-` reads lines with `name`, as `kpipe topic list` prints them
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,

    /// How to print what became of them
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) output: rows::Output,
}

/// Reads why something is done; blanks say nothing.
pub(super) fn reason(text: &str) -> Result<String, NoReason> {
    match text.trim() {
        "" => Err(NoReason),
        said => Ok(said.to_owned()),
    }
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("expected a reason")]
pub(super) struct NoReason;

/// One of several, and where it stands in the input.
pub(super) struct Item<T> {
    pub(super) value: T,
    /// Number of the line of stdin, from 1.
    line: Option<usize>,
}

impl Names {
    /// Reads all of stdin, where it is asked for, before anything is done.
    pub(super) fn read(&self, context: &Context) -> Result<Vec<Item<NamedLine>>, CommandError> {
        let mut items = Vec::new();
        for name in &self.names {
            if name == "-" {
                items.extend(lines(line::named, context)?);
            } else {
                let (name, id) = (name.clone(), None);
                items.push(one(NamedLine { name, id }));
            }
        }
        Ok(items)
    }
}

/// What came as an argument.
pub(super) fn one<T>(value: T) -> Item<T> {
    Item { value, line: None }
}

/// The lines of stdin; one that cannot be read ends the run before anything was done.
pub(super) fn lines<T>(
    read: fn(&[u8]) -> Result<T, LineError>,
    context: &Context,
) -> Result<Vec<Item<T>>, CommandError> {
    let mut input = Vec::new();
    let stdin = Input::open(Path::new("-")).and_then(|stdin| stdin.rereadable(&context.stop));
    let copied = stdin.and_then(|mut stdin| stdin.rewind()?.read_to_end(&mut input));
    copied.map_err(CommandError::failed)?;
    if context.stop.is_asked() {
        return Ok(Vec::new());
    }
    let mut items = Vec::new();
    for (number, line) in (1..).zip(input.split(|byte| *byte == b'\n')) {
        if !line.trim_ascii().is_empty() {
            let value = read(line).map_err(|error| {
                CommandError::usage(BadLine { number, error })
                    .hint("each line is one JSON object with `name`; nothing was done")
            })?;
            items.push(Item {
                value,
                line: Some(number),
            });
        }
    }
    Ok(items)
}

#[derive(Debug, thiserror::Error)]
#[error("stdin:{number}{}: {error}", Column(error.column()))]
struct BadLine {
    number: usize,
    error: LineError,
}

struct Column(Option<usize>);

impl std::fmt::Display for Column {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .map_or(Ok(()), |column| write!(formatter, ":{column}"))
    }
}

impl NamedLine {
    pub(super) fn meant(&self) -> Meant<'_> {
        Meant {
            name: &self.name,
            id: self.id.as_deref(),
        }
    }
}

/// Does `act` for each, prints the requests as they are then, and says which failed. What the registry
/// refuses is told for each; trouble with its file ends the run.
pub(super) fn each<T>(
    items: &[Item<T>],
    output: rows::Output,
    context: &Context,
    mut act: impl FnMut(&T) -> Result<Request, Error>,
) -> Result<Outcome, CommandError> {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    let mut ended = None;
    if let Some(signal) = context.stop.signal() {
        return Ok(Outcome::Signal(signal));
    }
    for item in items {
        if let Some(signal) = context.stop.signal() {
            ended = Some(Ok(Outcome::Signal(signal)));
            break;
        }
        match act(&item.value) {
            Ok(request) => done.push(request),
            Err(error) if items.len() == 1 || error.is_of_file() => {
                ended = Some(Err(error.into()));
                break;
            }
            Err(error) => {
                let nearest = error.nearest();
                let meant = nearest.map(|nearest| format!("; {}", suggest::did_you_mean(nearest)));
                let meant = meant.unwrap_or_default();
                match item.line {
                    Some(line) => context
                        .ui
                        .item_error(format_args!("stdin:{line}: {error}{meant}")),
                    None => context.ui.item_error(format_args!("{error}{meant}")),
                }
                failed.push(error.status());
            }
        }
    }
    super::print(&done, output, context)?;
    if done.len() < items.len() && items.len() > 1 {
        let (done, all, failed) = (done.len(), items.len(), failed.len());
        let left = match all - done - failed {
            0 => String::new(),
            left => format!(", {left} not tried"),
        };
        context.ui.status(format_args!(
            "Done: {done} of {all}; {failed} failed{left}."
        ));
    }
    ended.unwrap_or(Ok(Outcome::Exit(status(done.len(), &failed))))
}

/// The status of what failed, where all did in the same way; else that not everything succeeded.
fn status(done: usize, failed: &[Status]) -> Status {
    match failed.first() {
        None => Status::Done,
        Some(first) if done == 0 && failed.iter().all(|status| status == first) => *first,
        Some(_) => Status::Failed,
    }
}
