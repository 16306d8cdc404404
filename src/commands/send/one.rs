//! One record from the command line, and its receipt.

use std::time::{Duration, Instant};

use super::prepare::Preparation;
use super::{Args, Receipts};
use crate::commands::tracing;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::{Acknowledged, Error, NotTaken, Outgoing, Producer, Report, is_topic_name};
use crate::pipeline::milestones::Traced;
use crate::record::{self, Header};
use crate::sink::output;
use crate::sink::receipt::{Failure, Receipt};
use crate::trace;

/// A value so large that the topic's limit matters; asking for it takes a round trip.
const LARGE: usize = 900_000;

pub(super) fn run(
    args: &Args,
    value: Option<&str>,
    context: &mut Context,
) -> Result<Outcome, CommandError> {
    let topic = topic(args, context)?;
    let mut record = args.record.read(context)?;
    record.value = value.map(|value| value.as_bytes().into());
    let reporter = args.trace.start("kpipe-send", None, context)?;
    let prepared = match &mut Preparation::new(args, args.rules.read()?, context, reporter.clone())?
    {
        Some(preparation) => preparation.prepare(&mut record),
        None => Ok(()),
    };
    let headers = record.lend_headers();
    let traced = reporter.as_ref().map(|reporter| Traced {
        reporter,
        topic: Some(topic),
        headers: &headers,
        value: record.value.as_deref(),
    });
    let sent = match prepared {
        Ok(()) => send(args, topic, &record, &headers, traced, context),
        Err(violation) => Ok(Err(Failure::from(&violation))),
    };
    let result = match sent {
        Ok(result) => result,
        Err(error) => {
            if let Some(traced) = traced {
                let failure = Failure::not_sent(error.error.to_string());
                traced.published(record.partition, Some(&failure));
            }
            tracing::finish(reporter.as_ref(), context);
            return Err(error);
        }
    };
    let message_id = traced.and_then(|traced| trace::message_id(traced.headers, traced.value));
    let receipt = Receipt {
        file: None,
        line: None,
        topic: Some(topic),
        message_id: message_id.as_deref(),
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
    tracing::finish(reporter.as_ref(), context);
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
        return Ok(Outcome::Exit(if failure.may_pass {
            Status::Unavailable
        } else {
            Status::Failed
        }));
    }
    Ok(Outcome::DONE)
}

/// Sends the record and waits for what becomes of it.
fn send(
    args: &Args,
    topic: &str,
    record: &record::Outgoing<'_>,
    headers: &[Header<'_>],
    traced: Option<Traced<'_>>,
    context: &Context,
) -> Result<Result<Acknowledged, Failure>, CommandError> {
    let record = Outgoing {
        partition: record.partition,
        timestamp: record.timestamp,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers,
    };
    let size = record.value.map_or(0, <[u8]>::len);
    let mut producer = Producer::new(context.cluster()?, args.settings(Duration::ZERO))?;
    producer.prepare(topic, size > LARGE)?;
    let failure = match producer.send(topic, &record, 0) {
        Ok(()) => None,
        Err(NotTaken::Refused(refusal)) => Some(Failure::from(refusal)),
        Err(NotTaken::UnknownPartition { partitions }) => {
            return Err(Error::UnknownPartition {
                topic: topic.to_owned(),
                partition: record.partition.unwrap_or_default(),
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
    if let Some(traced) = traced {
        traced.published(record.partition, failure.as_ref());
    }
    if let Some(failure) = failure {
        return Ok(Err(failure));
    }
    let (result, took) = acknowledgement(&mut producer, context)?;
    if let Some(traced) = traced {
        traced.persisted(result.as_ref().copied(), took);
    }
    Ok(result)
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

/// Waits for the broker, as long as the delivery timeout allows; perhaps with how long it took.
fn acknowledgement(
    producer: &mut Producer,
    context: &Context,
) -> Result<(Result<Acknowledged, Failure>, Option<Duration>), CommandError> {
    let mut report: Option<Report> = None;
    let mut stopped: Option<Instant> = None;
    loop {
        producer.serve(Duration::from_millis(100), |one| report = Some(one));
        if let Some(report) = report {
            return Ok((report.result.map_err(Failure::from), report.latency));
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
