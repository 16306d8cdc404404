//! `kpipe topic request`: asks for a topic, or for a change of one.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::many;
use crate::commands::registry::{ByArgs, RegistryArgs};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::registry::{Asked, Request, Requested, Stamp, Wish, line, person, setting};
use crate::time;
use crate::ui::rows;

/// Ask for a topic, or for a change of an ACTIVE one
///
/// Somebody else approves it (`kpipe topic approve`), and `kpipe topic reconcile` creates it in
/// Kafka. Of an ACTIVE topic, what is not said stays as it is; partitions can be added, never
/// taken away. Asking again for the same gives the same request.
///
/// The name keeps to Kafka's rules, and all of it to the policy of the profile.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe topic request orders --by alice --partitions 6 --description 'what the shop sells'
  kpipe topic request users --by alice --config cleanup.policy=compact
  kpipe topic request orders --by alice --partitions 12      a change, once it is ACTIVE
  kpipe topic list --state ACTIVE | kpipe topic request - --registry other.db --approved-by bob")]
pub(super) struct Args {
    /// The topic's name; `-` reads lines, as `kpipe topic list` prints them
    name: String,

    #[command(flatten)]
    by: ByArgs,

    /// Who has approved it: a decision made elsewhere
    #[arg(long, value_name = "WHO", value_parser = who)]
    approved_by: Option<String>,

    /// Reject it by itself when nobody has decided by then
    #[arg(long, value_name = "DURATION", value_parser = time::parse_interval)]
    expires: Option<Duration>,

    /// How to print the request
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: rows::Output,

    #[command(flatten)]
    topic: Topic,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "The topic")]
struct Topic {
    /// How many partitions [default: 3]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..=i64::from(line::MOST_PARTITIONS)))]
    partitions: Option<i32>,

    /// How many copies of each partition [default: 1]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..=32767))]
    replication: Option<i32>,

    /// A setting that it shall have (can be repeated; of a change, all of them)
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = setting)]
    config: Vec<(String, String)>,

    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    /// What its records are, as in `kpipe generate`
    #[arg(long = "type", value_name = "KIND")]
    kind: Option<String>,
}

impl Topic {
    fn says_nothing(&self) -> bool {
        self.partitions.is_none()
            && self.replication.is_none()
            && self.config.is_empty()
            && self.description.is_none()
            && self.kind.is_none()
    }
}

pub(super) fn run(
    args: &Args,
    registry: &RegistryArgs,
    context: &Context,
) -> Result<Outcome, CommandError> {
    let rules = context.governance()?.rules;
    let actor = args.by.actor(context)?;
    let mut wishes = args.wishes(context)?;
    for wish in &mut wishes {
        if wish.value.created_by.is_empty() {
            wish.value.created_by.clone_from(&actor.name);
        }
    }
    let mut registry = registry.open(context)?;
    let ids = wishes.iter().map(|_| context.new_id());
    let mut ids = ids.collect::<Result<Vec<_>, _>>()?.into_iter();
    many::each(&wishes, args.output, context, |wish| {
        let at = context.clock.now();
        let asked = Asked {
            id: ids.next().unwrap_or_default(),
            wish,
            expires_at: args
                .expires
                .map(|expires| at.checked_add(expires).unwrap_or(Timestamp::MAX)),
            approved_by: args.approved_by.as_deref(),
        };
        let requested = registry.request(&asked, &rules, Stamp { actor: &actor, at })?;
        Ok(match requested {
            Requested::New(request) => {
                // What a house allows, its brokers know.
                if !rules.policy.names_settings() {
                    warn_of_unknown_settings(&request, context);
                }
                request
            }
            Requested::Known(request) => {
                context.ui.status(format_args!(
                    "`{}` is {} already; {} asked for it.",
                    request.spec.name, request.state, request.spec.created_by
                ));
                request
            }
        })
    })
}

/// Kafka is not asked before it is approved, which may be days from now.
fn warn_of_unknown_settings(request: &Request, context: &Context) {
    for unknown in setting::unknown(&request.spec.config) {
        context
            .ui
            .warning(format_args!("`{}`: {unknown}", request.spec.name));
    }
}

impl Args {
    fn wishes(&self, context: &Context) -> Result<Vec<many::Item<Wish>>, CommandError> {
        let topic = &self.topic;
        if self.name == "-" {
            if topic.says_nothing() {
                return many::lines(line::wish, context);
            }
            return Err(
                CommandError::usage("each line says itself what its topic shall be")
                    .hint("leave out the flags that describe a topic"),
            );
        }
        let config = settings(&topic.config)?;
        Ok(vec![many::one(Wish {
            name: self.name.clone(),
            created_by: String::new(),
            partitions: topic.partitions,
            replication: topic.replication,
            config: (!config.is_empty()).then_some(config),
            description: topic.description.clone(),
            kind: topic.kind.clone(),
        })])
    }
}

pub(super) fn who(text: &str) -> Result<String, NotAName> {
    person(text).map(str::to_owned).ok_or(NotAName)
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("expected a name without control characters")]
pub(super) struct NotAName;

/// Refuses a setting that is there twice: which one is meant?
pub(super) fn settings(
    pairs: &[(String, String)],
) -> Result<BTreeMap<String, String>, CommandError> {
    let mut settings = BTreeMap::new();
    for (key, value) in pairs {
        if settings.insert(key.clone(), value.clone()).is_some() {
            return Err(CommandError::usage(SettingTwice(key.clone())));
        }
    }
    Ok(settings)
}

#[derive(Debug, thiserror::Error)]
#[error("`--config {0}=` is there twice")]
struct SettingTwice(String);

pub(super) fn setting(text: &str) -> Result<(String, String), NotASetting> {
    match text.split_once('=') {
        Some((key, value)) if line::is_setting(key, value) => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err(NotASetting),
    }
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("expected KEY=VALUE, without control characters")]
pub(super) struct NotASetting;
