//! What the scripts in `completions/` ask at TAB: a hidden command, because its answer is for them.
//!
//! Prints a candidate a line, with what it is behind a tab; `:files` asks for the shell's own
//! completion of files. Nothing waits for a network, nothing is run, and nothing is said on stderr:
//! whoever presses TAB is still typing.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Arg, Command, ValueHint};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate, complete};

use super::help;
use super::registry::RegistryArgs;
use crate::config;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::generate::kinds;
use crate::names::{Names, is_plain};
use crate::registry::{Registry, State};
use crate::sink::output;

/// What asks a shell for files.
const FILES: &str = ":files";

/// Print what can stand at a place of a command line
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The place, from 0
    index: usize,

    /// The words, the command first
    #[arg(last = true, required = true)]
    words: Vec<OsString>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    // Behind `--` is the command of `handle` and `broker`.
    let escaped = args.words.iter().take(args.index).any(|word| word == "--");
    if escaped {
        return print(&format!("{FILES}\n"));
    }
    let known = Arc::new(Known::by(&args.words, context));
    let mut grammar = knowing(crate::grammar(), &mut Vec::new(), &known);
    let folder = std::env::current_dir().ok();
    let found = complete(
        &mut grammar,
        args.words.clone(),
        args.index,
        folder.as_deref(),
    );
    let mut found = found.unwrap_or_default();
    // Who has typed nothing yet does not look for a flag, of which there are dozens.
    let is_flag = |candidate: &CompletionCandidate| {
        candidate.get_value().as_encoded_bytes().starts_with(b"-")
    };
    let typed_nothing = args
        .words
        .get(args.index)
        .is_some_and(|word| word.is_empty());
    if typed_nothing && !found.iter().all(is_flag) {
        found.retain(|candidate| !is_flag(candidate));
    }
    let mut text = String::new();
    for candidate in found {
        let value = candidate.get_value().to_string_lossy();
        let is_files = candidate
            .get_tag()
            .is_some_and(|tag| tag.to_string() == FILES);
        text.push_str(if is_files { FILES } else { &value });
        if let Some(help) = candidate.get_help() {
            let help = help.to_string();
            text.push('\t');
            text.push_str(help.lines().next().unwrap_or_default());
        }
        text.push('\n');
    }
    print(&text)
}

fn print(text: &str) -> Result<Outcome, CommandError> {
    let mut out = output::stdout().map_err(CommandError::failed)?;
    output::tolerate_closed(out.write_all(text.as_bytes()))?;
    Ok(Outcome::DONE)
}

/// What an argument's value names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Topics,
    /// Topics of the registry in one of these states.
    Requests(&'static [State]),
    Groups,
    Profiles,
    Kinds,
    Users,
    Help,
    Files,
}

/// What the value of `argument` of the command at `path` names, told by how help calls it; so a new
/// command's TOPIC is completed like every other.
fn source(path: &[String], argument: &Arg) -> Option<Source> {
    if !argument.get_possible_values().is_empty() {
        return None;
    }
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let value = argument.get_value_names()?.first()?;
    let value = value.trim_end_matches(",…");
    match (path.as_slice(), argument.get_id().as_str(), value) {
        (_, "profile", _) => Some(Source::Profiles),
        (["help"], _, "TOPIC") => Some(Source::Help),
        (["topic", "request" | "create" | "import"], _, "NAME") => None,
        (["topic", "approve" | "reject"], _, "NAME") => Some(Source::Requests(&[State::Pending])),
        (["topic", "cancel"], _, "NAME") => {
            Some(Source::Requests(&[State::Pending, State::Approved]))
        }
        (["topic", "deactivate"], _, "NAME") => Some(Source::Requests(&[State::Active])),
        (["topic", "history"], _, "NAME") => Some(Source::Requests(&State::ALL)),
        (["topic", ..] | ["wait", "topic"], _, "NAME")
        | (["generate"], "topic", _)
        | (_, _, "TOPIC" | "TOPICS") => Some(Source::Topics),
        (["wait", "group"], _, "NAME") | (_, _, "GROUP" | "GROUPS") => Some(Source::Groups),
        (_, _, "KIND" | "KINDS") => Some(Source::Kinds),
        (_, _, "USER") => Some(Source::Users),
        (_, _, "CMD" | "COMMAND" | "FILE" | "DIR") => Some(Source::Files),
        _ => match argument.get_value_hint() {
            ValueHint::Unknown => None,
            _ => Some(Source::Files),
        },
    }
}

/// `command` with what each argument's value can be.
fn knowing(command: Command, path: &mut Vec<String>, known: &Arc<Known>) -> Command {
    let command = command.mut_args(|argument| match source(path, &argument) {
        None => argument,
        Some(Source::Files) => argument.add(ArgValueCompleter::new(|_: &std::ffi::OsStr| {
            vec![CompletionCandidate::new(FILES).tag(Some(FILES.into()))]
        })),
        Some(source) => {
            let known = known.clone();
            argument.add(ArgValueCandidates::new(move || known.candidates(source)))
        }
    });
    command.mut_subcommands(|subcommand| {
        path.push(subcommand.get_name().to_owned());
        let subcommand = knowing(subcommand, path, known);
        path.pop();
        subcommand
    })
}

/// All that is known without a network, read when it is asked for.
struct Known {
    names: Box<dyn Fn() -> Names + Send + Sync>,
    registry: Box<dyn Fn() -> Option<Registry> + Send + Sync>,
    profiles: Vec<String>,
}

impl Known {
    /// Finds the cluster and the registry that the words so far speak of.
    fn by(words: &[OsString], context: &Context) -> Self {
        let typed = |flags: &[&str]| typed(words, flags);
        let file = typed(&["-F", "--properties"]).map(PathBuf::from);
        let environment = &context.environment;
        let brokers = config::brokers(&config::Inputs {
            brokers: typed(&["-b", "--brokers", "--bootstrap-server"]).as_deref(),
            properties: &[],
            // Reading stdin or a pipe would wait, and take from the command what it is to read.
            file: file.as_deref().filter(|file| file.is_file()),
            profile: typed(&["-C", "--profile"]).as_deref(),
            environment,
        });
        let cache = context.names();
        let registry = RegistryArgs::at(typed(&["--registry"]).map(PathBuf::from));
        let registry = registry.path(context).ok();
        Self {
            names: Box::new(move || match (&cache, &brokers) {
                (Some(cache), Ok(brokers)) => cache.read(brokers),
                _ => Names::default(),
            }),
            registry: Box::new(move || Registry::open_existing(registry.as_deref()?).ok()),
            profiles: config::profiles(environment).unwrap_or_default(),
        }
    }

    fn candidates(&self, source: Source) -> Vec<CompletionCandidate> {
        let mut names = BTreeSet::new();
        match source {
            Source::Topics => {
                names.extend((self.names)().topics);
                names.extend(self.requests(&[State::Active]));
            }
            Source::Requests(states) => names.extend(self.requests(states)),
            Source::Groups => names.extend((self.names)().groups),
            Source::Profiles => names.extend(self.profiles.iter().cloned()),
            Source::Users => {
                let registry = (self.registry)();
                let all = registry.and_then(|registry| registry.subscriptions(None).ok());
                names.extend(all.into_iter().flatten().map(|each| each.user));
            }
            Source::Kinds => {
                return kinds::all()
                    .iter()
                    .map(|kind| {
                        CompletionCandidate::new(kind.name())
                            .help(Some(kind.about().to_owned().into()))
                    })
                    .collect();
            }
            Source::Help => {
                return help::known()
                    .into_iter()
                    .map(|(name, about)| CompletionCandidate::new(name).help(Some(about.into())))
                    .collect();
            }
            Source::Files => {}
        }
        names.retain(|name| is_plain(name));
        names.into_iter().map(CompletionCandidate::new).collect()
    }

    fn requests(&self, states: &[State]) -> Vec<String> {
        let all = (self.registry)().and_then(|registry| registry.requests(None).ok());
        all.unwrap_or_default()
            .into_iter()
            .filter(|request| states.contains(&request.state))
            .map(|request| request.spec.name)
            .collect()
    }
}

/// The value that was typed last for one of `flags`, also as `--flag=value` and `-fvalue`. What is
/// typed is not a whole command yet, so it is not parsed as one.
fn typed(words: &[OsString], flags: &[&str]) -> Option<String> {
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let joined = words.iter().filter_map(|word| {
        flags.iter().find_map(|flag| {
            let rest = word.strip_prefix(flag)?;
            match rest.strip_prefix('=') {
                Some(value) => Some(value),
                None => (!flag.starts_with("--") && !rest.is_empty()).then_some(rest),
            }
        })
    });
    let apart = words
        .windows(2)
        .filter(|pair| flags.contains(&pair[0]))
        .map(|pair| pair[1]);
    joined.chain(apart).last().map(str::to_owned)
}
