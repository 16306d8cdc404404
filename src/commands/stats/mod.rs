//! `kpipe stats`: what goes through topics, and who keeps up with it.

mod cluster;
mod metrics;
mod row;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;

use cluster::ClusterState;
use row::{Arrived, Health, Row};

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::{Outcome, Status};
use crate::kafka::offset_spec::{OffsetSpec, Start, Stop};
use crate::kafka::{
    Admin, Cluster, Error, Messages, Probe, Reader, Selection, Source, Step, Topics,
};
use crate::record::{Record, dead_letter};
use crate::sink::output::{self, cannot_write};
use crate::stats::traffic::{Seen, Traffic};
use crate::time;
use crate::ui::rows::{self, Output};

/// Every topic but Kafka's own.
const EVERY_TOPIC: &str = "^([^_]|_[^_])";

/// How often the client library tells what became of its requests.
const STATISTICS: (&str, &str) = ("statistics.interval.ms", "500");

/// Failures are counted for so many topics; their names come out of records.
const FAILED_TOPICS: usize = 4096;

/// How often it is looked whether the run is to end.
const SLICE: Duration = Duration::from_millis(100);

/// Show what goes through topics, and who keeps up with it
///
/// Reads the records of the last five minutes (`--window`), alone, without a group, and
/// tells of each topic: records and bytes a second, the sizes that half and 95 of 100
/// records do not exceed, how many keys, the share of the most frequent one, records of
/// each partition, partitions without a leader or with too few replicas, and by how much
/// groups are behind. A record belongs to the time of its timestamp.
///
/// Who only reads sees errors where they leave a trace. `failed` counts the dead letters, in all
/// topics that are read, whose headers say that they come from this topic (those of kpipe, Kafka
/// Connect, Kafka Streams, share groups and Spring); `dead_letters` those in this topic.
/// `brokers_unreachable` are brokers that Kafka names and that take no connection from here,
/// `request_errors_per_second` requests of this run that failed or timed out, and `troubles` how
/// often reading was disturbed. What a producer failed to send, nobody can read.
///
/// With `--watch` it goes on reading, and rates are those since the last line.
/// With `--metrics` it also writes a file for Prometheus, with the names of
/// `kafka_exporter`, whole or not at all: a textfile collector never reads half of it.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  kpipe stats
  kpipe stats orders '^logs-' --watch=2s
  kpipe stats --window 1h | jq -r 'select(.top_key_share > 0.5).topic'
  kpipe stats -q --watch=15s --metrics /var/lib/node_exporter/kafka.prom > /dev/null")]
pub(crate) struct Args {
    /// Topics; a regular expression begins with `^` [default: all but Kafka's own]
    #[arg(value_name = "TOPIC", value_parser = NonEmptyStringValueParser::new())]
    topics: Vec<String>,

    /// Go on, and tell again and again
    #[arg(
        long,
        value_name = "INTERVAL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2s",
        value_parser = time::parse_interval
    )]
    watch: Option<Duration>,

    /// Count the records of so long
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5m",
        value_parser = time::parse_interval
    )]
    window: Duration,

    /// Write metrics for Prometheus into this file too
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,

    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Outcome, CommandError> {
    let every = [EVERY_TOPIC.to_owned()];
    let named = if args.topics.is_empty() {
        &every[..]
    } else {
        &args.topics
    };
    let topics = Topics::new(named).map_err(CommandError::usage)?;
    let cluster = context.cluster()?;
    let admin = Admin::new(&cluster)?;
    let started = context.clock.now();
    let from = if admin.is_built_in_broker()? {
        // It finds no offsets by time; what is too old is left out all the same.
        Start::Beginning
    } else {
        Start::Time(started.checked_sub(args.window).unwrap_or(Timestamp::MIN))
    };
    let mut probe = Probe::new(&cluster)?;
    let selection = Selection {
        topics: topics.clone(),
        partitions: Vec::new(),
        offsets: OffsetSpec {
            from: Some(from),
            until: args.watch.is_none().then_some(Stop::End),
        },
        window: None,
    };
    let mut run = Run {
        args,
        context,
        reader: Reader::new(&telling_of_requests(cluster), selection)
            .map_err(|error| explained(error, args))?,
        traffic: BTreeMap::new(),
        failed: BTreeMap::new(),
        arrived: BTreeMap::new(),
        request_errors: 0,
        away: Vec::new(),
        troubles: 0,
        last: Instant::now(),
    };
    let mut is_first = true;
    loop {
        run.read()?;
        if let Some(signal) = context.stop.signal() {
            return Ok(Outcome::Signal(signal));
        }
        match ClusterState::ask(&admin, &mut probe, &topics) {
            Ok(state) => {
                run.tell_of_brokers(&state, &probe);
                if !run.tell(&state, is_first)? {
                    return Ok(Outcome::DONE);
                }
                is_first = false;
            }
            // A watch outlives a broker.
            Err(error) if !is_first && error.status == Status::Unavailable => {
                context.ui.warning(crate::ui::in_one_line(&*error.error));
            }
            Err(error) => return Err(error),
        }
        if args.watch.is_none() {
            return Ok(Outcome::DONE);
        }
    }
}

/// The cluster, for a client that counts its requests.
fn telling_of_requests(mut cluster: Cluster) -> Cluster {
    let (key, value) = STATISTICS;
    let properties = &mut cluster.properties;
    properties
        .entry(key.to_owned())
        .or_insert_with(|| value.to_owned());
    cluster
}

fn explained(error: Error, args: &Args) -> CommandError {
    match error {
        // The pattern was ours.
        Error::NoMatchingTopic(_) if args.topics.is_empty() => CommandError::failed(
            "there is no topic to be seen but Kafka's own",
        )
        .hint(
            "`kpipe topic create NAME` makes one; `kpipe config show` says with which credentials \
                 this looked",
        ),
        error => error.into(),
    }
}

struct Run<'a> {
    args: &'a Args,
    context: &'a Context,
    reader: Reader,
    traffic: BTreeMap<String, Traffic>,
    /// Dead letters by the topic that they come from.
    failed: BTreeMap<String, Traffic>,
    /// What came of each topic since it was last told.
    arrived: BTreeMap<String, Arrived>,
    /// Those that were told, since the run began.
    request_errors: u64,
    /// The brokers that were last said to be unreachable.
    away: Vec<i32>,
    /// What the reader had to say, which is never good.
    troubles: u64,
    last: Instant,
}

impl Run<'_> {
    /// Reads to the end, or for an interval.
    fn read(&mut self) -> Result<(), CommandError> {
        let until = self.args.watch.map(|interval| Instant::now() + interval);
        loop {
            let left = until.map_or(SLICE, |until| {
                until.saturating_duration_since(Instant::now())
            });
            if left.is_zero() || self.context.stop.is_asked() {
                return Ok(());
            }
            let mut batch = Messages::default();
            let step = self.reader.next(&mut batch, left.min(SLICE))?;
            self.count(&batch);
            for notice in self.reader.notices() {
                self.troubles += 1;
                self.context.ui.warning(notice);
            }
            if step == Step::End {
                return Ok(());
            }
        }
    }

    fn count(&mut self, batch: &Messages) {
        let now = self.context.clock.now().as_millisecond();
        for message in batch.iter().filter(|message| message.error().is_none()) {
            let mut headers = Vec::new();
            let record = message.record(&mut headers);
            let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
            let headers = record.headers.iter();
            let headers: usize = headers
                .map(|header| header.name.len() + length(header.value))
                .sum();
            let size = (length(record.key) + length(record.value) + headers) as u64;
            let at = record.timestamp.map_or(now, |timestamp| timestamp.millis);
            let seen = Seen {
                partition: record.partition,
                at,
                key: record.key,
                size,
                is_dead: self.bury(&record, at, now),
            };
            if !self.traffic.contains_key(record.topic) {
                let traffic = Traffic::new(self.args.window);
                self.traffic.insert(record.topic.to_owned(), traffic);
            }
            if let Some(traffic) = self.traffic.get_mut(record.topic) {
                traffic.add(seen, now);
            }
            let arrived = self.arrived_of(record.topic);
            arrived.records += 1;
            arrived.bytes += size;
        }
    }

    /// Counts a dead letter for the topic that it comes from; says whether it is one.
    fn bury(&mut self, record: &Record<'_>, at: i64, now: i64) -> bool {
        let Some((_, death)) = dead_letter::read(record.headers) else {
            return false;
        };
        let Some(origin) = death.topic.as_deref() else {
            return true;
        };
        if !self.failed.contains_key(origin) {
            if self.failed.len() >= FAILED_TOPICS {
                return true;
            }
            let traffic = Traffic::new(self.args.window);
            self.failed.insert(origin.to_owned(), traffic);
        }
        if let Some(failed) = self.failed.get_mut(origin) {
            let seen = Seen {
                partition: death.partition.unwrap_or(0),
                at,
                key: None,
                size: 0,
                is_dead: true,
            };
            failed.add(seen, now);
        }
        self.arrived_of(origin).failed += 1;
        true
    }

    fn arrived_of(&mut self, topic: &str) -> &mut Arrived {
        self.arrived.entry(topic.to_owned()).or_default()
    }

    /// Says once which brokers take no connection, and why.
    fn tell_of_brokers(&mut self, state: &ClusterState, probe: &Probe) {
        let mut away = Vec::new();
        for broker in &state.brokers {
            if let Some(error) = probe.error(broker) {
                if !self.away.contains(&broker.id) {
                    self.context.ui.warning(crate::ui::in_one_line(&error));
                }
                away.push(broker.id);
            }
        }
        self.away = away;
    }

    /// Prints, and writes the file; says whether somebody still reads.
    fn tell(&mut self, state: &ClusterState, is_first: bool) -> Result<bool, CommandError> {
        let now = self.context.clock.now();
        let elapsed = self.last.elapsed();
        self.last = Instant::now();
        let errors = self.reader.request_errors();
        let new_errors = errors - std::mem::replace(&mut self.request_errors, errors);
        let health = Health {
            request_errors_per_second: row::rate(new_errors, elapsed),
            troubles: self.troubles,
        };
        let mut rows = Vec::new();
        for (name, topic) in &state.topics {
            let numbers = self
                .traffic
                .get_mut(name)
                .map(|traffic| traffic.numbers(now.as_millisecond()));
            let numbers = numbers.unwrap_or_default();
            let failed = self
                .failed
                .get_mut(name)
                .map_or(0, |failed| failed.numbers(now.as_millisecond()).dead);
            let arrived = self.arrived.remove(name).unwrap_or_default();
            // What was there when it began did not come within an interval.
            let arrived = if is_first {
                let (records, bytes) = (numbers.records, numbers.bytes);
                let arrived = Arrived {
                    records,
                    bytes,
                    failed,
                };
                (arrived, self.args.window)
            } else {
                (arrived, elapsed)
            };
            rows.push(Row::new(
                now, topic, numbers, failed, arrived, state, health,
            ));
        }
        if let Some(path) = &self.args.metrics {
            metrics::write(path, state, &rows, health)?;
        }
        let is_terminal = self.context.ui.stdout_is_terminal();
        let mut text = Vec::new();
        let written = if self.args.output.is_table(is_terminal) {
            if self.args.watch.is_some() && is_terminal {
                // From the top left, over what was there.
                text.extend_from_slice(b"\x1b[H\x1b[J");
            }
            let shown: Vec<_> = rows.iter().map(Row::shown).collect();
            rows::write(&shown, Output::Table, true, &mut text)
        } else {
            rows::write(&rows, Output::Json, false, &mut text)
        };
        written.map_err(cannot_write)?;
        let mut out = output::stdout().map_err(CommandError::failed)?;
        let written = output::write_all(&mut out, &text);
        let is_open = written.is_ok();
        output::tolerate_closed(written)?;
        Ok(is_open)
    }
}
