//! `kpipe topic reconcile`: makes Kafka have the topics that were approved.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::approval::{Action, Pass, Told};
use crate::commands::registry::{ByArgs, ProducerKeyArgs, RegistryArgs};
use crate::context::Context;
use crate::database;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::Admin;
use crate::registry::{self, Actor, Registry};
use crate::sink::output;
use crate::time;
use crate::ui::rows::Output;
use crate::ui::sanitize::OneLine;
use crate::ui::{Ui, in_one_line};

/// Make Kafka have the topics that were approved
///
/// Looks first. An approved topic that Kafka lacks is created, one that it has just so is
/// adopted, and both become ACTIVE. One that it has as something else stays APPROVED, with
/// the difference shown: nothing of Kafka's is overwritten. Approved changes of ACTIVE topics
/// are applied: more partitions, other settings. Where an ACTIVE topic is not, or no longer,
/// as it was approved, that is told and left as it is.
///
/// Prints what it did and what stands against it, each when it changes; the latter on stderr too, where
/// stdout is no terminal. Without --watch it makes one pass and leaves with status 1 if anything stands
/// against it. With --watch it goes on, also when the brokers are away or nobody has made the registry
/// yet, until it is interrupted; what failed is tried again after a
/// second, then two, then four, up to five minutes.
///
/// Once `kpipe topic key new` was run, the key that it printed must be in `KPIPE_PRODUCER_KEY` or
/// in --producer-key-file. One reconciler works on a registry at a time.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic reconcile                  one pass, as from cron
  kpipe topic reconcile --watch          a daemon that looks every 5 seconds
  kpipe topic reconcile --watch=30s --producer-key-file /run/secrets/kpipe")]
pub(crate) struct Args {
    /// Go on, looking so often [default: 5s]
    #[arg(
        long,
        value_name = "DURATION",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "5s",
        value_parser = time::parse_interval
    )]
    watch: Option<Duration>,

    #[command(flatten)]
    key: ProducerKeyArgs,

    #[command(flatten)]
    by: ByArgs,

    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

#[derive(Debug, Error)]
enum ReconcileError {
    #[error("another reconciler is at work on {}", .0.display())]
    Held(PathBuf),
    #[error("cannot lock {}", path.display())]
    Lock { path: PathBuf, source: io::Error },
}

impl From<ReconcileError> for CommandError {
    fn from(error: ReconcileError) -> Self {
        match error {
            ReconcileError::Held(_) => Self::new(Status::Unavailable, error)
                .hint("it ends with its process; `kpipe topic list` shows what it has done"),
            ReconcileError::Lock { .. } => Self::failed(error),
        }
    }
}

/// How often it is told what is waited for.
const REMINDER: Duration = Duration::from_mins(1);

pub(crate) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let (actor, key) = (args.by.actor(context)?, args.key.read(context)?);
    let cluster = context.cluster()?;
    let mut reminder = Reminder::default();
    let registry = match args.watch {
        None => Some(registry.open_existing(context)?),
        Some(interval) => awaited(registry, interval, &mut reminder, context)?,
    };
    let Some(mut registry) = registry else {
        return Ok(context.stop.signal().map_or(Outcome::DONE, Outcome::Signal));
    };
    let _lock = lock(registry.path())?;
    let mut reconciler = Reconciler {
        admin: Admin::new(&cluster)?,
        actor,
        key,
        is_patient: args.watch.is_some(),
        random: ChaCha8Rng::from_seed(context.random()?),
    };
    let mut printer = Printer::new(args.output, context).map_err(CommandError::failed)?;
    loop {
        match reconciler.pass(&mut registry, &mut printer, context) {
            Err(error) if args.watch.is_some() && error.status == Status::Unavailable => {
                reminder.remind(in_one_line(&*error.error), context);
            }
            Ok(()) => reminder.is_over(context),
            Err(error) => return Err(error),
        }
        if printer.is_closed {
            return Ok(Outcome::DONE);
        }
        let is_over = match args.watch {
            Some(interval) => context.stop.wait(interval),
            None => true,
        };
        if is_over {
            break;
        }
    }
    Ok(match context.stop.signal() {
        Some(signal) => Outcome::Signal(signal),
        None if printer.open.is_empty() => Outcome::DONE,
        None => Outcome::Exit(Status::Failed),
    })
}

/// Waits for the registry, which the first request makes; `None` when it is to stop before.
///
/// A daemon may be started before anybody asked for anything. It makes no registry itself, because it would
/// then never say that its path is mistyped.
fn awaited(
    registry: &RegistryArgs,
    interval: Duration,
    reminder: &mut Reminder,
    context: &Context,
) -> Result<Option<Registry>, CommandError> {
    let path = registry.path(context)?;
    loop {
        // Whoever is making it has made the file first, and nothing in it yet. Looked at before it is
        // opened, for it may be whole afterwards.
        let is_to_be_made = match path.metadata() {
            Ok(file) => file.is_file() && file.len() == 0,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        match Registry::open_existing(&path) {
            Ok(registry) => return Ok(Some(registry)),
            Err(registry::Error::File(
                database::Error::Absent { .. } | database::Error::Foreign { .. },
            )) if is_to_be_made => {
                let path = path.display();
                reminder.remind(format_args!("there is no registry at {path} yet"), context);
            }
            Err(error) => return Err(error.into()),
        }
        if context.stop.wait(interval) {
            return Ok(None);
        }
    }
}

/// Holds the right to reconcile for as long as the file is open; it dies with the process.
fn lock(registry: &Path) -> Result<File, ReconcileError> {
    let mut path = registry.as_os_str().to_owned();
    path.push(".reconcile");
    let path = PathBuf::from(path);
    let cannot = |source| ReconcileError::Lock {
        path: path.clone(),
        source,
    };
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(false);
    let file = file.open(&path).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ReconcileError::Held(registry.to_owned())),
        Err(TryLockError::Error(source)) => Err(cannot(source)),
    }
}

/// What makes a pass, and lasts from one to the next.
struct Reconciler {
    admin: Admin,
    actor: Actor,
    key: Option<String>,
    is_patient: bool,
    random: ChaCha8Rng,
}

impl Reconciler {
    fn pass(
        &mut self,
        registry: &mut Registry,
        printer: &mut Printer,
        context: &Context,
    ) -> Result<(), CommandError> {
        let mut written = Ok(());
        let random = &mut self.random;
        let passed = Pass {
            registry,
            admin: &self.admin,
            actor: &self.actor,
            producer_key: self.key.as_deref(),
            now: &|| context.clock.now(),
            random: &mut || f64::from(random.next_u32()) / f64::from(u32::MAX),
            stop: &context.stop,
            is_patient: self.is_patient,
            tell: &mut |told| {
                if written.is_ok() {
                    written = printer.print(told);
                }
            },
        }
        .run();
        output::tolerate_closed(written)?;
        Ok(passed?)
    }
}

/// Prints what is news.
struct Printer {
    out: File,
    ui: Ui,
    is_terminal: bool,
    is_for_people: bool,
    /// The last word on each request that something stands against.
    open: BTreeMap<String, Told>,
    /// Nobody reads on.
    is_closed: bool,
}

impl Printer {
    fn new(output: Output, context: &Context) -> io::Result<Self> {
        let is_terminal = context.ui.stdout_is_terminal();
        Ok(Self {
            out: output::stdout()?,
            ui: context.ui,
            is_terminal,
            is_for_people: output == Output::Table || (output == Output::Auto && is_terminal),
            open: BTreeMap::new(),
            is_closed: false,
        })
    }

    fn print(&mut self, told: Told) -> io::Result<()> {
        let before = self.open.remove(&told.request_id);
        let is_news = !before.is_some_and(|before| is_same(before, &told));
        let written = if is_news { self.write(&told) } else { Ok(()) };
        if !told.ready {
            if is_news && written.is_ok() {
                self.say(&told);
            }
            self.open.insert(told.request_id.clone(), told);
        }
        let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        self.is_closed = written.as_ref().is_err_and(is_closed);
        written
    }

    /// Says on stderr what stands against a topic: cron mails that, and not what a script does with stdout.
    /// Who sees stdout on a terminal has read it already.
    fn say(&self, told: &Told) {
        if self.is_terminal {
            return;
        }
        let how = match told.action {
            Action::Conflict => "is in conflict",
            Action::Drift => "has drifted",
            _ => "failed",
        };
        let why = in_words(told);
        self.ui
            .item_error(format_args!("topic `{}` {how}: {why}", told.name));
    }

    fn write(&mut self, told: &Told) -> io::Result<()> {
        let mut line = if self.is_for_people {
            let why = in_words(told);
            let text = format!("{:<9} {}  {why}", told.action.name(), told.name);
            OneLine(text.trim_end()).to_string().into_bytes()
        } else {
            serde_json::to_vec(told)?
        };
        line.push(b'\n');
        self.out.write_all(&line)
    }
}

/// The message, and what to do where trying again is in vain.
fn in_words(told: &Told) -> String {
    let message = told.message.clone().unwrap_or_default();
    if told.is_hopeless {
        let name = &told.name;
        format!("{message}; `kpipe topic cancel {name}` makes room for another request")
    } else {
        message
    }
}

/// Whether the same stands against a topic, though perhaps at another attempt.
fn is_same(before: Told, now: &Told) -> bool {
    let next_attempt_at = now.next_attempt_at;
    *now == Told {
        next_attempt_at,
        ..before
    }
}

/// Tells that the brokers are away, or that there is no registry yet, once a minute.
#[derive(Default)]
struct Reminder(Option<Instant>);

impl Reminder {
    fn remind(&mut self, what: impl Display, context: &Context) {
        if self.is_due(Instant::now()) {
            context.ui.warning(what);
        }
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self
            .0
            .is_none_or(|last| now.duration_since(last) >= REMINDER);
        if is_due {
            self.0 = Some(now);
        }
        is_due
    }

    fn is_over(&mut self, context: &Context) {
        if self.0.take().is_some() {
            context.ui.status("Going on.");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(message: &str, second: i64) -> Told {
        Told {
            request_id: "1".to_owned(),
            name: "orders".to_owned(),
            action: Action::Failed,
            state: registry::State::Approved,
            ready: false,
            reason: Some(registry::Reason::KafkaError),
            message: Some(message.to_owned()),
            is_hopeless: false,
            next_attempt_at: jiff::Timestamp::from_second(second).ok(),
        }
    }

    #[test]
    fn what_is_tried_in_vain_for_ever_is_told_with_the_way_out() {
        let hopeless = Told {
            is_hopeless: true,
            ..failed("unknown setting", 1)
        };
        assert_eq!(
            in_words(&hopeless),
            "unknown setting; `kpipe topic cancel orders` makes room for another request"
        );
        assert_eq!(in_words(&failed("no", 1)), "no");
    }

    #[test]
    fn the_same_failure_is_printed_once_however_often_it_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut printer = Printer {
            out: File::create(&path).unwrap(),
            ui: Ui::new(true, crate::ui::Color::Never),
            is_terminal: true,
            is_for_people: true,
            open: BTreeMap::new(),
            is_closed: false,
        };
        for (message, second) in [("no", 1), ("no", 2), ("no", 4), ("never", 8), ("no", 16)] {
            printer.print(failed(message, second)).unwrap();
        }
        let out = std::fs::read_to_string(path).unwrap();
        let messages = out.lines().map(|line| line.rsplit(' ').next());
        let messages: Vec<_> = messages.map(Option::unwrap).collect();
        assert_eq!(messages, ["no", "never", "no"]);
    }

    #[test]
    fn an_outage_is_told_once_a_minute() {
        let start = Instant::now();
        let mut reminder = Reminder::default();
        let mut told = |seconds| reminder.is_due(start + Duration::from_secs(seconds));
        let due = [0, 5, 59, 60, 61, 119, 120].map(&mut told);
        assert_eq!(due, [true, false, false, true, false, false, true]);
    }
}
