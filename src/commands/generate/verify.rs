//! `kpipe generate verify`: whether what arrived is what was made.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::sync_channel;
use std::thread;

use super::files;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::generate::{Manifest, Report, Verifier};
use crate::record::{self, UnknownFields};
use crate::sink::output;
use crate::source::lines::{Block, Input, Piece, Reader};
use crate::stop::Stop;
use crate::ui::rows;

/// The longest record line.
const LONGEST_LINE: usize = 256 * 1024 * 1024;

/// Blocks of lines that may wait.
const BLOCKS: usize = 2;

/// Compare record lines on stdin with what a run made
///
/// Prints how many records were lost, repeated, reordered (within their partition) and changed,
/// without those that were asked for with `--drop`, `--dup`, `--late` and `--ooo`. Status 1 when
/// there is any. Records of other runs are counted and passed over.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe generate payment -n 1000 --manifest made.json --topic payments | kpipe send
  kpipe tail payments -e | kpipe generate verify made.json")]
pub(super) struct VerifyArgs {
    /// What `--manifest` wrote
    file: PathBuf,

    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: rows::Output,
}

pub(super) fn run(args: &VerifyArgs, context: &Context) -> Result<Outcome, CommandError> {
    let manifest = files::read::<Manifest>(&args.file, "a manifest")?.ok_or_else(|| {
        CommandError::usage(NoManifest(args.file.clone()))
            .hint("`kpipe generate KIND --manifest FILE` writes one")
    })?;
    let mut verifier = Verifier::new(manifest);
    read(&context.stop, &mut verifier)?;
    if let Some(signal) = context.stop.signal() {
        return Ok(Outcome::Signal(signal));
    }
    let other_run = verifier.other_run().map(str::to_owned);
    let report = verifier.finish();
    let mut out = output::stdout().map_err(CommandError::failed)?;
    let is_terminal = context.ui.stdout_is_terminal();
    output::tolerate_closed(rows::write(
        std::slice::from_ref(&report),
        args.output,
        is_terminal,
        &mut out,
    ))?;
    if report.is_clean() {
        return Ok(Outcome::DONE);
    }
    let error = CommandError::failed(Unlike(describe(&report)));
    Err(match other_run {
        Some(run) if report.received == 0 => error.hint(format!(
            "no record is of run {}, but there are some of run {run}: is it another manifest?",
            report.run
        )),
        _ => error,
    })
}

#[derive(Debug, thiserror::Error)]
#[error("there is no {}", .0.display())]
struct NoManifest(PathBuf);

#[derive(Debug, thiserror::Error)]
#[error("what arrived is not what was made: {0}")]
struct Unlike(String);

/// What is wrong, each with the first few events of it.
fn describe(report: &Report) -> String {
    let troubles = [
        ("lost", report.lost),
        ("repeated", report.repeated),
        ("reordered", report.reordered),
        ("changed", report.changed),
    ];
    let mut text = String::new();
    for (trouble, count) in troubles.into_iter().filter(|(_, count)| *count > 0) {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}{count} {trouble}");
        let Some(examples) = report.examples.get(trouble) else {
            continue;
        };
        let numbers: Vec<String> = examples.iter().map(u64::to_string).collect();
        let _ = write!(text, " (gen-seq {}", numbers.join(", "));
        let more = count > examples.len() as u64;
        text.push_str(if more { ", …)" } else { ")" });
    }
    text
}

/// Shows all lines of stdin to the verifier.
fn read(stop: &Stop, verifier: &mut Verifier) -> Result<(), CommandError> {
    let input = Input::open(Path::new("-")).map_err(CommandError::usage)?;
    let reader = Reader {
        longest_line: LONGEST_LINE,
        finish_reading: false,
        bytes_read: Arc::new(AtomicU64::new(0)),
        stop: stop.clone(),
        journal: None,
    };
    let (sender, pieces) = sync_channel(BLOCKS);
    thread::Builder::new()
        .name("read".into())
        .spawn(move || reader.run(vec![input], &sender))
        .map_err(CommandError::failed)?;
    for piece in pieces {
        match piece {
            Piece::Lines(block) => see(&block, verifier)?,
            Piece::Overlong { input, line, .. } => {
                return Err(CommandError::usage(Overlong { input, line }));
            }
            Piece::Broken { error, .. } => return Err(CommandError::failed(error)),
            Piece::NotKept(error) => return Err(CommandError::failed(error)),
        }
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("{input}:{line}: longer than {LONGEST_LINE} bytes")]
struct Overlong {
    input: Arc<str>,
    line: u64,
}

fn see(block: &Block, verifier: &mut Verifier) -> Result<(), CommandError> {
    for (index, number) in (0..block.len()).zip(block.first_line..) {
        let record = record::parse(block.line(index), UnknownFields::Refuse).map_err(|error| {
            let hint = error.hint();
            let error = CommandError::usage(BadLine {
                input: block.input.clone(),
                line: number,
                error,
            });
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })?;
        verifier
            .see(&record)
            .map_err(|error| CommandError::new(Status::Failed, error))?;
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("{input}:{line}:{}: {error}", error.column())]
struct BadLine {
    input: Arc<str>,
    line: u64,
    error: record::LineError,
}
