//! `kpipe man`: the manual, a page for each command, made of the arguments' own help.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::visible;
use crate::context::Context;
use crate::counted::Counted;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::sink::output;

/// Print a manual page, or write all of them into a folder
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe man topic approve > approve.1
  kpipe man --dir ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// The command that the page is of, such as `topic approve`; without one, kpipe itself
    #[arg(conflicts_with = "dir")]
    command: Vec<String>,

    /// Write a page for each command into this folder, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
#[error("there is no command `{0}`")]
struct NoSuchCommand(String);

#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
struct Unwritable {
    path: PathBuf,
    source: io::Error,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let mut grammar = crate::grammar();
    grammar.build();
    let Some(folder) = &args.dir else {
        let mut command = &grammar;
        for name in &args.command {
            let found = visible(command).find(|below| below.get_name() == name);
            command = found.ok_or_else(|| {
                CommandError::usage(NoSuchCommand(args.command.join(" ")))
                    .hint("`kpipe --help` lists the commands")
            })?;
        }
        let mut out = output::stdout().map_err(CommandError::failed)?;
        output::tolerate_closed(out.write_all(&page(command).map_err(CommandError::failed)?))?;
        return Ok(Outcome::DONE);
    };
    let unwritable = |path: &Path, source| {
        let path = path.to_owned();
        CommandError::failed(Unwritable { path, source })
    };
    std::fs::create_dir_all(folder).map_err(|source| unwritable(folder, source))?;
    let mut commands = vec![&grammar];
    let mut written = 0_usize;
    while let Some(command) = commands.pop() {
        let path = folder.join(format!("{}.1", title(command)));
        page(command)
            .and_then(|page| std::fs::write(&path, page))
            .map_err(|source| unwritable(&path, source))?;
        commands.extend(visible(command));
        written += 1;
    }
    context.ui.status(format_args!(
        "wrote {} to {}",
        Counted(written, "page"),
        folder.display()
    ));
    Ok(Outcome::DONE)
}

/// `kpipe-topic-approve`.
fn title(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    name.replace(' ', "-")
}

/// The page of `command`, without a date: the same source is the same page.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let is_kpipe = name == "kpipe";
    let mut page = Vec::new();
    let man = Man::new(command.clone())
        .title(title(command))
        .source(concat!("kpipe ", env!("CARGO_PKG_VERSION")))
        .manual("kpipe");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;

    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    // Not all the flags in a row, as clap_mangen has it: they are some forty.
    let usage = command.clone().render_usage().to_string();
    for line in usage.lines() {
        roff.text([roman(line.trim_start_matches("Usage:").trim_start())]);
        roff.control("br", []);
    }
    if let Some(about) = command.get_long_about().or(command.get_about()) {
        roff.control("SH", ["DESCRIPTION"]);
        prose(&mut roff, &about.to_string());
    }
    roff.to_writer(&mut page)?;
    if command
        .get_arguments()
        .any(|argument| !argument.is_hide_set())
    {
        let mut options = Vec::new();
        man.render_options_section(&mut options)?;
        // The headings of help are parts of the options here, not sections beside them.
        let options = String::from_utf8(options).map_err(io::Error::other)?;
        for line in options.split_inclusive('\n') {
            let heading = line.strip_prefix(".SH ");
            match heading.filter(|heading| heading.trim_end() != "OPTIONS") {
                Some(heading) => write!(page, ".SS {heading}")?,
                None => page.write_all(line.as_bytes())?,
            }
        }
    }

    let mut roff = Roff::new();
    if visible(command).next().is_some() {
        roff.control("SH", ["COMMANDS"]);
        for below in visible(command) {
            roff.control("TP", []);
            let page = format!("{}(1)", title(below));
            roff.text([bold(page)]);
            let about = below.get_about().map(ToString::to_string);
            roff.text([roman(about.unwrap_or_default())]);
        }
    }
    if let Some(after) = command.get_after_long_help().or(command.get_after_help()) {
        prose(&mut roff, &after.to_string());
    }
    table(&mut roff, "EXIT STATUS", STATUSES);
    if is_kpipe {
        table(&mut roff, "ENVIRONMENT", VARIABLES);
        table(&mut roff, "FILES", PLACES);
    }
    roff.control("SH", ["SEE ALSO"]);
    let above = name.rsplit_once(' ').map_or("", |(above, _)| above);
    let mut pages: Vec<String> = vec!["kpipe(1)".to_owned()];
    if above.contains(' ') {
        pages.push(format!("{}(1)", above.replace(' ', "-")));
    }
    if is_kpipe {
        pages = vec!["kcat(1)".to_owned(), "jq(1)".to_owned()];
    } else {
        roff.text([roman(
            "Options of every command, variables and files are in kpipe(1).",
        )]);
        roff.control("PP", []);
    }
    roff.text([roman(pages.join(", "))]);
    roff.to_writer(&mut page)?;
    Ok(page)
}

/// Help as a page has it: what is indented stands as it is, and a line such as `Examples:` is the head
/// of a section of its own.
fn prose(roff: &mut Roff, text: &str) {
    let mut as_it_is = false;
    for line in text.lines() {
        let indented = line.starts_with("  ");
        match (as_it_is, indented) {
            (false, true) => {
                roff.control("RS", ["4"]);
                roff.control("nf", []);
            }
            (true, false) => {
                roff.control("fi", []);
                roff.control("RE", []);
            }
            _ => {}
        }
        as_it_is = indented;
        let heading = line.strip_suffix(':').filter(|head| !head.contains(' '));
        match heading {
            _ if line.trim().is_empty() => roff.control("PP", []),
            Some(heading) if !indented => roff.control("SH", [heading.to_uppercase().as_str()]),
            _ => roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]),
        };
    }
    if as_it_is {
        roff.control("fi", []);
        roff.control("RE", []);
    }
}

fn table(roff: &mut Roff, heading: &str, rows: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (name, what) in rows {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text([roman(*what)]);
    }
}

const STATUSES: &[(&str, &str)] = &[
    (
        "0",
        "Done; also when the reader of standard output closed it.",
    ),
    ("1", "Not everything succeeded, or the answer is no."),
    (
        "2",
        "Wrong usage or configuration, or malformed input that stopped the run.",
    ),
    (
        "3",
        "Kafka is unreachable, time is up, or another process holds the lock: trying again may help.",
    ),
    (
        "4",
        "Refused: authentication, authorisation, a topic that is not approved, four eyes.",
    ),
    (
        "130, 143",
        "Interrupted, after what was at work was brought to its end.",
    ),
];

const VARIABLES: &[(&str, &str)] = &[
    (
        "KPIPE_BROKERS, KAFKA_BROKERS, KAFKA_BOOTSTRAP_SERVERS",
        "The brokers to connect to first, where no flag names them.",
    ),
    (
        "KPIPE_X_…",
        "Any property of librdkafka: KPIPE_X_SASL_PASSWORD is sasl.password.",
    ),
    ("KPIPE_PROFILE", "The profile to use; see --profile."),
    ("KPIPE_CONFIG", "The file of profiles; see FILES."),
    (
        "KPIPE_REGISTRY",
        "The registry of topics by approval; see FILES.",
    ),
    (
        "KPIPE_ACTOR",
        "Who asks, approves and rejects; the login otherwise.",
    ),
    (
        "KPIPE_PRODUCER_KEY",
        "The key that activating topics may need.",
    ),
    (
        "KPIPE_LOG",
        "What is logged, as a filter of tracing: debug, librdkafka=info.",
    ),
    (
        "NO_COLOR, CLICOLOR_FORCE",
        "No colour, or colour also where it is not a terminal.",
    ),
];

const PLACES: &[(&str, &str)] = &[
    (
        "$XDG_CONFIG_HOME/kpipe/config.toml",
        "Profiles of clusters; ~/.config where XDG_CONFIG_HOME is not set.",
    ),
    (
        "$XDG_DATA_HOME/kpipe/registry.db",
        "Requests, decisions and subscriptions; ~/.local/share where XDG_DATA_HOME is not set.",
    ),
    (
        "$XDG_CACHE_HOME/kpipe/names/",
        "Names of topics and groups for completion; ~/.cache where XDG_CACHE_HOME is not set. May be removed.",
    ),
];
