//! One record from the command line, and its receipt.

use std::time::{Duration, Instant};

use super::{Args, Receipts};
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::{Error, NotTaken, Outgoing, Producer, Report, is_topic_name};
use crate::record::Header;
use crate::sink::output;
use crate::sink::receipt::{Failure, Receipt};
use crate::time;

/// A value so large that the topic's limit matters; asking for it takes a round trip.
const LARGE: usize = 900_000;

pub(super) fn run(
    args: &Args,
    value: Option<&str>,
    context: &mut Context,
) -> Result<Outcome, CommandError> {
    let topic = topic(args, context)?;
    let headers: Vec<Header<'_>> = args
        .record
        .headers
        .iter()
        .map(|text| header(text))
        .collect();
    if headers.iter().any(|header| header.name.is_empty()) {
        return Err(CommandError::usage("a header needs a name").hint("-H NAME=VALUE"));
    }
    let timestamp = args.record.timestamp.as_deref().map(|text| {
        time::parse(text, context.clock.now(), context.clock.zone()).map_err(CommandError::usage)
    });
    let timestamp = timestamp.transpose()?.map(jiff::Timestamp::as_millisecond);
    if timestamp == Some(0) {
        return Err(CommandError::usage(
            "the client library cannot carry a timestamp of 0, which it takes for now",
        ));
    }
    let record = Outgoing {
        partition: args.record.partition,
        timestamp,
        key: args.record.key.as_deref().map(str::as_bytes),
        value: value.map(str::as_bytes),
        headers: &headers,
    };
    let size = value.map_or(0, str::len);
    let mut producer = Producer::new(context.cluster()?, args.settings(Duration::ZERO))?;
    producer.prepare(topic, size > LARGE)?;
    let result = match producer.send(topic, &record, 0) {
        Ok(()) => acknowledgement(&mut producer, context)?,
        Err(NotTaken::Refused(refusal)) => Err(refusal.into()),
        Err(NotTaken::UnknownPartition { partitions }) => {
            return Err(Error::UnknownPartition {
                topic: topic.to_owned(),
                partition: args.record.partition.unwrap_or_default(),
                last: partitions - 1,
            }
            .into());
        }
        Err(NotTaken::Topic(error) | NotTaken::Unreachable(error) | NotTaken::Fatal(error)) => {
            return Err(error.into());
        }
        Err(NotTaken::QueueFull) => {
            return Err(CommandError::failed("the record is larger than the queue")
                .hint("raise `-X queue.buffering.max.kbytes`"));
        }
    };
    let receipt = Receipt {
        file: None,
        line: None,
        topic: Some(topic),
        fate: match &result {
            Ok(place) => (*place).into(),
            Err(failure) => failure.into(),
        },
    };
    let wanted = match args.delivery.receipts {
        None | Some(Receipts::All) => true,
        Some(Receipts::Failed) => result.is_err(),
        Some(Receipts::None) => false,
    };
    if wanted {
        let mut out = Vec::new();
        let written = receipt
            .write(&mut out)
            .and_then(|()| output::write_all(&mut output::stdout()?, &out));
        output::tolerate_closed(written)?;
    }
    if let (Err(_), Some(signal)) = (&result, context.stop.signal()) {
        return Ok(Outcome::Signal(signal));
    }
    if let Err(failure) = result {
        context.ui.item_error(format_args!(
            "not sent: {}{}",
            failure.text,
            if failure.maybe_persisted {
                " (it may be in the log all the same)"
            } else {
                ""
            }
        ));
        return Ok(Outcome::Exit(Status::Failed));
    }
    Ok(Outcome::DONE)
}

/// Where the record goes, which may go there.
fn topic<'a>(args: &'a Args, context: &Context) -> Result<&'a str, CommandError> {
    let Some(topic) = args.topic.as_deref() else {
        return Err(CommandError::usage("no TOPIC to send to").hint("kpipe send TOPIC VALUE"));
    };
    if !is_topic_name(topic) {
        return Err(Error::InvalidTopic(topic.to_owned()).into());
    }
    if args.input.is_asked_for() || args.delivery.is_for_many() {
        return Err(CommandError::usage(
            "there is a VALUE, and a flag that is for many records: of the input, \
             `--transaction`, `--failed` or `--rate`",
        )
        .hint("leave the VALUE out to read stdin, or the flag to send one record"));
    }
    if let Some(mut gate) = args.gate(context)?
        && let Some(refusal) = gate.refusal(topic)?
    {
        return Err(refusal.clone().into());
    }
    Ok(topic)
}

/// Waits for the broker, as long as the delivery timeout allows.
fn acknowledgement(
    producer: &mut Producer,
    context: &Context,
) -> Result<Result<crate::kafka::Acknowledged, Failure>, CommandError> {
    let mut report: Option<Report> = None;
    let mut stopped: Option<Instant> = None;
    loop {
        producer.serve(Duration::from_millis(100), |one| report = Some(one));
        if let Some(report) = report {
            return Ok(report.result.map_err(Failure::from));
        }
        if let Some(error) = producer.decided() {
            return Err(error.into());
        }
        if context.stop.is_asked()
            && stopped.get_or_insert_with(Instant::now).elapsed().as_secs() >= 1
        {
            producer.purge();
        }
    }
}

/// `NAME=VALUE`, or `NAME` for a null value.
fn header(text: &str) -> Header<'_> {
    match text.split_once('=') {
        Some((name, value)) => Header {
            name: name.as_bytes(),
            value: Some(value.as_bytes()),
        },
        None => Header {
            name: text.as_bytes(),
            value: None,
        },
    }
}
