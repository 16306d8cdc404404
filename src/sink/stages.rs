//! Stage events on their way to a topic or to a file, on a thread of their own.
//!
//! Tracing changes nothing about what is traced: [`Reporter::report`] never waits and never fails.
//! What the queue has no room for, Kafka does not take or the disk has no room for is counted, and
//! told once at the end.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::kafka::{Cluster, Error, NotTaken, Outgoing, Producer, Settings};
use crate::record::Record;
use crate::stop::Stop;
use crate::trace::{Sample, Stage, StageEvent};
use crate::ui::in_one_line;

/// Events that may wait: some tens of megabytes at the very most.
const QUEUE: usize = 64 * 1024;

/// How long the end of a run waits for the events that are on their way.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same for a run that was interrupted.
const HURRY: Duration = Duration::from_secs(1);

/// How often a waiting thread looks whether there is something else to do.
const GLANCE: Duration = Duration::from_millis(20);

/// Where events go.
pub enum Destination {
    Topic { cluster: Cluster, name: String },
    File(File),
}

impl Destination {
    /// A file that several processes may append to.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self::File(file))
    }
}

/// Who reports.
#[derive(Clone, Debug)]
pub struct Origin {
    pub service: String,
    pub host: String,
    /// The consumer group, where there is one.
    pub group: Option<String>,
}

/// Reports stages; clones report to the same place.
#[derive(Clone)]
pub struct Reporter(Arc<Shared>);

impl fmt::Debug for Reporter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Reporter")
    }
}

struct Shared {
    events: SyncSender<Box<StageEvent>>,
    tally: Arc<Tally>,
    sample: Sample,
    /// The topic that events go to.
    topic: Option<String>,
    clock: Clock,
    done: Mutex<Receiver<()>>,
}

/// What became of events so far.
#[derive(Default)]
struct Tally {
    reported: AtomicU64,
    kept: AtomicU64,
    /// Why the first that was lost was lost.
    trouble: Mutex<Option<String>>,
    /// Until when the thread may take, once the run ends.
    end: OnceLock<Instant>,
}

impl Tally {
    fn trouble(&self, why: impl FnOnce() -> String) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.get_or_insert_with(why);
    }

    fn is_late(&self) -> bool {
        self.end.get().is_some_and(|end| Instant::now() >= *end)
    }
}

/// Events that nobody will ever see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    pub lost: u64,
    pub reported: u64,
    pub trouble: String,
}

impl fmt::Display for Lost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            lost,
            reported,
            trouble,
        } = self;
        let events = if *reported == 1 {
            "event was"
        } else {
            "events were"
        };
        write!(
            formatter,
            "{lost} of {reported} stage {events} lost: {trouble}"
        )
    }
}

impl Reporter {
    /// Starts to take events.
    pub(crate) fn start(
        destination: Destination,
        origin: Origin,
        sample: Sample,
        clock: Clock,
    ) -> io::Result<Self> {
        let topic = match &destination {
            Destination::Topic { name, .. } => Some(name.clone()),
            Destination::File(_) => None,
        };
        let (events, to_keep) = sync_channel(QUEUE);
        let (is_done, done) = sync_channel(1);
        let tally = Arc::new(Tally::default());
        let mut keeper = Keeper {
            outlet: None,
            origin,
            tally: tally.clone(),
            line: Vec::new(),
        };
        thread::Builder::new().name("trace".into()).spawn(move || {
            keeper.run(destination, &to_keep);
            let _ = is_done.send(());
        })?;
        Ok(Self(Arc::new(Shared {
            events,
            tally,
            sample,
            topic,
            clock,
            done: Mutex::new(done),
        })))
    }

    /// The present moment, in microseconds since the epoch.
    pub fn now(&self) -> i64 {
        self.0.clock.now().as_microsecond()
    }

    /// Reports that `record` reached `stage`, just now.
    pub fn reached(&self, stage: Stage, record: &Record<'_>) {
        self.report(StageEvent::of_record(stage, self.now(), record));
    }

    /// Reports that `record` failed at `stage`, just now, and why.
    pub fn failed(&self, stage: Stage, record: &Record<'_>, why: impl Into<String>) {
        self.report(StageEvent::of_record(stage, self.now(), record).failed(why));
    }

    /// Reports an event, if its message is in the sample; who reports is added to it.
    pub fn report(&self, event: StageEvent) {
        let Shared { tally, events, .. } = &*self.0;
        // What would be reported of stage events would be stage events, without an end.
        if event.topic.is_some() && event.topic == self.0.topic {
            return;
        }
        let Some(key) = event.key() else {
            tally.reported.fetch_add(1, Ordering::Relaxed);
            tally.trouble(|| "a record has neither an id nor a place in Kafka".to_owned());
            return;
        };
        if !self.0.sample.holds(&key) {
            return;
        }
        tally.reported.fetch_add(1, Ordering::Relaxed);
        if let Err(TrySendError::Full(_)) = events.try_send(Box::new(event)) {
            tally.trouble(|| {
                "they came faster than they could be kept; `--trace-sample 0.1` is for every \
                 tenth message"
                    .to_owned()
            });
        }
    }

    /// Waits until what was reported is kept, but not for long; tells what is lost.
    pub fn finish(&self, stop: &Stop) -> Option<Lost> {
        let Shared { tally, done, .. } = &*self.0;
        let begin = Instant::now();
        let _ = tally.end.set(begin + PATIENCE);
        let done = done.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let patience = if stop.is_asked() { HURRY } else { PATIENCE };
            match done.recv_timeout(GLANCE) {
                Err(RecvTimeoutError::Timeout) if begin.elapsed() < patience => {}
                _ => break,
            }
        }
        let reported = tally.reported.load(Ordering::Relaxed);
        let lost = reported.saturating_sub(tally.kept.load(Ordering::Relaxed));
        let trouble = tally.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        (lost > 0).then(|| Lost {
            lost,
            reported,
            trouble: (trouble.clone())
                .unwrap_or_else(|| "Kafka did not acknowledge them in time".to_owned()),
        })
    }
}

/// The thread's side.
struct Keeper {
    outlet: Option<Outlet>,
    origin: Origin,
    tally: Arc<Tally>,
    line: Vec<u8>,
}

enum Outlet {
    Topic {
        producer: Box<Producer>,
        name: String,
    },
    File {
        file: File,
        is_torn: bool,
    },
}

impl Keeper {
    fn run(&mut self, destination: Destination, events: &Receiver<Box<StageEvent>>) {
        self.outlet = match destination {
            Destination::File(file) => Some(Outlet::File {
                file,
                is_torn: false,
            }),
            Destination::Topic { mut cluster, name } => {
                // A transaction is about what is sent, not about what is told of it.
                cluster.properties.remove("transactional.id");
                match Producer::new(cluster, settings()) {
                    Ok(producer) => Some(Outlet::Topic {
                        producer: Box::new(producer),
                        name,
                    }),
                    Err(error) => {
                        self.tally.trouble(|| told(&error));
                        None
                    }
                }
            }
        };
        while !self.tally.is_late() {
            match events.try_recv() {
                Ok(event) => {
                    self.keep(*event);
                    continue;
                }
                Err(_) if self.waits_for_reports() => self.take_reports(GLANCE / 4),
                Err(_) if self.tally.end.get().is_some() => return,
                Err(_) => match events.recv_timeout(GLANCE) {
                    Ok(event) => self.keep(*event),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                },
            }
            self.take_reports(Duration::ZERO);
        }
    }

    fn waits_for_reports(&self) -> bool {
        matches!(&self.outlet, Some(Outlet::Topic { producer, .. }) if producer.in_flight() > 0)
    }

    fn take_reports(&mut self, timeout: Duration) {
        let tally = &self.tally;
        if let Some(Outlet::Topic { producer, .. }) = &mut self.outlet {
            producer.serve(timeout, |report| match report.result {
                Ok(_) => {
                    tally.kept.fetch_add(1, Ordering::Relaxed);
                }
                Err(refusal) => tally.trouble(|| refusal.text()),
            });
        }
    }

    fn keep(&mut self, mut event: StageEvent) {
        let key = event.key().unwrap_or_default();
        let Origin {
            service,
            host,
            group,
        } = &self.origin;
        event.service.get_or_insert_with(|| service.clone());
        event.host.get_or_insert_with(|| host.clone());
        event.group = event.group.or_else(|| group.clone());
        self.line.clear();
        match &mut self.outlet {
            None => {}
            Some(Outlet::Topic { .. }) => {
                event.write(&mut self.line);
                self.send(&key);
            }
            Some(Outlet::File { file, is_torn }) => {
                if *is_torn {
                    self.line.push(b'\n');
                }
                event.write(&mut self.line);
                self.line.push(b'\n');
                // One write, so that lines of several processes do not mix.
                let written = write_once(file, &self.line);
                if let Ok(length) = written {
                    *is_torn = length < self.line.len();
                }
                match written {
                    Ok(length) if length == self.line.len() => {
                        self.tally.kept.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(_) => self
                        .tally
                        .trouble(|| "the file took a part of a line".to_owned()),
                    Err(error) => self.tally.trouble(|| error.to_string()),
                }
            }
        }
    }

    /// Sends the line that is written, as soon as Kafka takes it and as long as there is time.
    fn send(&mut self, key: &str) {
        loop {
            let Some(Outlet::Topic { producer, name }) = &mut self.outlet else {
                return;
            };
            let record = Outgoing {
                partition: None,
                // An event may be of a time long ago, and is to be kept from now on.
                timestamp: None,
                key: Some(key.as_bytes()),
                value: Some(&self.line),
                headers: &[],
            };
            let trouble = match producer.send(name, &record, 0) {
                // Nobody asks for a partition.
                Ok(()) | Err(NotTaken::UnknownPartition { .. }) => return,
                Err(NotTaken::QueueFull) => None,
                Err(NotTaken::Unreachable(error) | NotTaken::Fatal(error))
                    if matches!(error, Error::Unreachable { .. }) =>
                {
                    Some(told(&error))
                }
                Err(
                    NotTaken::Topic(error) | NotTaken::Unreachable(error) | NotTaken::Fatal(error),
                ) => return self.tally.trouble(|| told(&error)),
                Err(NotTaken::Refused(refusal)) => return self.tally.trouble(|| refusal.text()),
            };
            if let Some(trouble) = trouble {
                self.tally.trouble(|| trouble);
            }
            self.take_reports(GLANCE);
            if self.tally.is_late() {
                return;
            }
        }
    }
}

fn write_once(file: &mut File, line: &[u8]) -> io::Result<usize> {
    loop {
        match file.write(line) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn settings() -> Settings {
    Settings {
        acks: None,
        compression: None,
        delivery_timeout: Duration::from_mins(1),
        linger: Duration::from_millis(5),
        transactional_id: None,
        transaction_timeout: Duration::from_mins(1),
    }
}

fn told(error: &Error) -> String {
    let text = in_one_line(error);
    match error {
        Error::UnknownTopic { .. } => format!("{text}; `kpipe trace init` creates it"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Header;

    fn reporter(file: &Path, sample: &str) -> Reporter {
        let origin = Origin {
            service: "billing".into(),
            host: "h".into(),
            group: Some("g".into()),
        };
        let destination = Destination::file(file).unwrap();
        Reporter::start(
            destination,
            origin,
            sample.parse().unwrap(),
            Clock::system(),
        )
        .unwrap()
    }

    fn record<'a>(headers: &'a [Header<'a>]) -> Record<'a> {
        Record {
            topic: "orders",
            partition: 1,
            offset: 7,
            timestamp: None,
            key: None,
            value: None,
            headers,
        }
    }

    fn lines(file: &Path) -> Vec<StageEvent> {
        let text = std::fs::read(file).unwrap();
        let lines = text.split_inclusive(|byte| *byte == b'\n');
        lines.map(|line| StageEvent::parse(line).unwrap()).collect()
    }

    #[test]
    fn an_event_says_which_message_where_and_who() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stages");
        let reporter = reporter(&file, "1");
        let id = [Header {
            name: b"message-id",
            value: Some(b"m-1"),
        }];
        let before = reporter.now();
        reporter.reached(Stage::Stored, &record(&id));
        reporter.failed(Stage::Displayed, &record(&[]), "no screen");
        assert_eq!(reporter.finish(&Stop::default()), None);
        let events = lines(&file);
        let at = events[0].at;
        assert!(before <= at && at <= reporter.now());
        let place = StageEvent {
            service: Some("billing".into()),
            host: Some("h".into()),
            topic: Some("orders".into()),
            partition: Some(1),
            offset: Some(7),
            group: Some("g".into()),
            ..StageEvent::new(Stage::Stored, at)
        };
        let stored = StageEvent {
            message_id: Some("m-1".into()),
            ..place.clone()
        };
        let failed = StageEvent {
            stage: Stage::Displayed,
            at: events[1].at,
            ..place
        };
        assert_eq!(events, [stored, failed.failed("no screen")]);
    }

    #[test]
    fn only_the_sample_is_kept_and_nothing_of_it_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stages");
        let reporter = reporter(&file, "0.5");
        let sample: Sample = "0.5".parse().unwrap();
        let ids: Vec<String> = (0..100).map(|number| format!("m-{number}")).collect();
        for id in &ids {
            reporter.report(StageEvent {
                message_id: Some(id.clone()),
                ..StageEvent::new(Stage::Created, 1)
            });
        }
        assert_eq!(reporter.finish(&Stop::default()), None);
        let kept: Vec<String> = lines(&file)
            .into_iter()
            .filter_map(|event| event.message_id)
            .collect();
        let expected: Vec<String> = ids.into_iter().filter(|id| sample.holds(id)).collect();
        assert!(!expected.is_empty() && expected.len() < 100);
        assert_eq!(kept, expected);
    }

    #[test]
    fn what_is_lost_is_counted_and_told_why() {
        let reporter = reporter(Path::new("/dev/full"), "1");
        for _ in 0..3 {
            reporter.reached(Stage::Consumed, &record(&[]));
        }
        reporter.report(StageEvent::new(Stage::Created, 1));
        let lost = reporter.finish(&Stop::default()).unwrap();
        assert_eq!((lost.lost, lost.reported), (4, 4));
        assert!(
            lost.trouble.contains("No space left")
                || lost.trouble.contains("neither an id nor a place"),
            "{lost}"
        );
    }
}
