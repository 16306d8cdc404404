//! What clap says of a wrong command line, for who knows another tool, or no programming language.

use std::num::{IntErrorKind, ParseFloatError, ParseIntError};

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

const BROKERS: &str = "the brokers are `-b HOST:PORT`";
const PROPERTY: &str = "a property of the client is `-X KEY=VALUE`";
const PROPERTIES: &str = "a file of properties is `-F FILE`";
const KEYS: &str = "`-J` prints all of a record, `-f '%k %s\\n'` key and value; \
                    `kpipe send TOPIC --lines -K :` reads keys";
const PATTERN: &str = "a pattern is an argument: `kpipe tail '^orders'`";
const COUNT: &str = "`-n 5` ends after 5 records";
const TOPIC: &str = "the topic is an argument: records go in with `kpipe send TOPIC` and come out \
                     with `kpipe tail TOPIC`";
const LIST: &str = "`kpipe topic list` lists topics, `kpipe group list` groups";

/// Flags of kcat and of Kafka's own console tools, and what to type here.
pub(crate) const ELSEWHERE: &[(&str, &str)] = &[
    ("-t", TOPIC),
    ("--topic", TOPIC),
    ("-P", "records go in with `kpipe send TOPIC`"),
    ("-G", "a group reads with `kpipe tail TOPIC -g GROUP`"),
    (
        "-L",
        "`kpipe topic list` lists topics, `kpipe ping` brokers",
    ),
    (
        "-Q",
        "`kpipe tail TOPIC --since TIME` reads from a time on; `kpipe stats TOPIC` shows the offsets",
    ),
    ("-c", COUNT),
    ("-D", "`-f '%s;'` prints a `;` behind each value"),
    ("-O", "`-f '%o %s\\n'` prints the offset before each value"),
    ("-u", "output never waits for more: leave it out"),
    (
        "--from-beginning",
        "all that is there begins at `-o beginning`",
    ),
    ("--max-messages", COUNT),
    (
        "--timeout-ms",
        "`--idle 5s` exits when nothing came for so long",
    ),
    ("--broker-list", BROKERS),
    ("--zookeeper", BROKERS),
    ("--consumer-property", PROPERTY),
    ("--producer-property", PROPERTY),
    ("--command-property", PROPERTY),
    (
        "--isolation-level",
        "`-X isolation.level=read_uncommitted` is not the default",
    ),
    ("--consumer.config", PROPERTIES),
    ("--producer.config", PROPERTIES),
    ("--consumer-config", PROPERTIES),
    ("--producer-config", PROPERTIES),
    ("--command-config", PROPERTIES),
    ("--property", KEYS),
    ("--formatter-property", KEYS),
    ("--reader-property", KEYS),
    ("--formatter", "a template is `-f '%k %s\\n'`"),
    ("--whitelist", PATTERN),
    ("--include", PATTERN),
    ("--compression-codec", "a codec is `-z zstd`"),
    (
        "--request-required-acks",
        "acknowledgements are `--acks all`",
    ),
    (
        "--replication-factor",
        "the number of replicas is `--replication 3`",
    ),
    ("--list", LIST),
    (
        "--describe",
        "`kpipe topic describe NAME` shows a topic, `kpipe group describe GROUP` a group",
    ),
    ("--create", "`kpipe topic create NAME` makes a topic"),
    (
        "--delete",
        "`kpipe topic delete NAME` deletes a topic, `kpipe group delete GROUP` a group",
    ),
    (
        "--reset-offsets",
        "`kpipe group reset GROUP --to earliest` makes a group begin again",
    ),
];

/// kcat's mode of consuming is a flag of ours, of which clap says what it lacks.
pub(crate) const CONSUMING: &str =
    "`-C NAME` chooses a profile; kcat's mode of consuming is `kpipe tail TOPIC`";

/// Returns the error with what to type instead, or with the reason in plain words.
pub(crate) fn in_our_words(error: Error) -> Error {
    if let Some(tip) = tip(&error) {
        return tipped(error, tip);
    }
    match reason(&error) {
        Some(reason) => of_number(&error, reason),
        None => error,
    }
}

fn tip(error: &Error) -> Option<&'static str> {
    let typed = text(error, ContextKind::InvalidArg)?;
    match error.kind() {
        ErrorKind::UnknownArgument => ELSEWHERE
            .iter()
            .find_map(|(flag, tip)| (*flag == typed).then_some(*tip)),
        ErrorKind::InvalidValue
            if typed.starts_with("--profile ")
                && text(error, ContextKind::InvalidValue).is_none_or(str::is_empty) =>
        {
            Some(CONSUMING)
        }
        _ => None,
    }
}

/// What clap itself guesses is of no use to who knows what is meant.
fn tipped(mut error: Error, tip: &'static str) -> Error {
    error.remove(ContextKind::SuggestedArg);
    error.insert(
        ContextKind::Suggested,
        ContextValue::StyledStrs(vec![tip.into()]),
    );
    error
}

/// Why a text is no number, which the standard library tells to programmers.
fn reason(error: &Error) -> Option<&'static str> {
    let source = std::error::Error::source(error)?;
    if source.is::<ParseFloatError>() {
        return Some("expected a number");
    }
    Some(match source.downcast_ref::<ParseIntError>()?.kind() {
        IntErrorKind::PosOverflow => "too large a number",
        IntErrorKind::NegOverflow => "too small a number",
        IntErrorKind::Zero => "expected more than 0",
        _ => "expected a whole number",
    })
}

/// As clap lays it out: the source of an error of its own cannot be set.
fn of_number(error: &Error, reason: &str) -> Error {
    let flag = text(error, ContextKind::InvalidArg).unwrap_or_default();
    let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
    Error::raw(
        error.kind(),
        format_args!(
            "invalid value '{value}' for '{flag}': {reason}\n\nFor more information, try '--help'.\n"
        ),
    )
    .with_cmd(&crate::grammar())
}

fn text(error: &Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text),
        _ => None,
    }
}
