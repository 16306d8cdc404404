//! Moves records from a source to a sink, and keeps the order of promises: what is
//! reported as finished has been flushed before.
//!
//! The source runs on a thread of its own; filter, limit and sink on the caller's.
//! Between them wait two batches at most.

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::kafka::{Commits, Error, Handover, Hold, Messages, Notice, Source, Step};
use crate::pipeline::filter::Filter;
use crate::record::Record;
use crate::stop::Stop;

/// How often a waiting thread looks whether it is to stop.
pub const GLANCE: Duration = Duration::from_millis(50);

/// How often what is written is flushed and reported as finished, unless the sink knows better.
const FINISH_INTERVAL: Duration = Duration::from_millis(500);

/// How long a sink may take to write out the rest when the run is interrupted.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a source waits for the sink before it gives partitions up.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(10);

/// Where records go. A closed pipe is an error of that kind; the pump makes it an end.
pub trait Sink {
    /// Takes one record.
    fn write(&mut self, record: &Record<'_>) -> io::Result<()>;
    /// A record at this place was seen, and is not wanted.
    fn pass(&mut self, _topic: &str, _partition: i32, _offset: i64) {}
    /// No more records just now: what was taken should move on.
    fn end_batch(&mut self) -> io::Result<()>;
    /// Waits until all that was taken is written, or `until`; says whether it is.
    fn flush(&mut self, until: Option<Instant>) -> io::Result<bool>;
    /// How often what was taken is flushed and reported as finished.
    fn flush_interval(&self) -> Duration {
        FINISH_INTERVAL
    }
    /// Whether nobody reads what is written, noticed also when nothing is.
    fn is_closed(&self) -> bool;
}

/// What a source sends to the pump.
pub enum Flow {
    Batch(Messages),
    /// Of these partitions there is nothing more before each offset; see [`Source::reached`].
    Reached(Vec<((String, i32), i64)>),
    Notices(Vec<Notice>),
    /// Finish all that came before of these partitions, then answer.
    Drain(Handover, Sender<()>),
    End(Result<(), Error>),
}

/// Asks whoever reads `flow` to finish what it has; see [`crate::kafka::Member::join`].
pub fn drain<E: From<Flow> + Send + 'static>(
    flow: SyncSender<E>,
) -> impl Fn(Handover) + Send + Sync + 'static {
    move |handover| {
        let (done, is_done) = channel();
        if flow.send(Flow::Drain(handover, done).into()).is_ok() {
            let _ = is_done.recv_timeout(HANDOVER_TIMEOUT);
        }
    }
}

/// The channel between a source and the pump.
pub fn channel_of_batches() -> (SyncSender<Flow>, Receiver<Flow>) {
    sync_channel(2)
}

/// A source at work on its thread.
pub struct Running<S> {
    thread: Option<JoinHandle<S>>,
    stop: Stop,
    /// What the source has not been told yet.
    hold: Arc<Mutex<Option<Hold>>>,
}

impl<S: Source + Send + 'static> Running<S> {
    /// Starts to move batches from `source` into `flow`.
    pub fn start<E: From<Flow> + Send + 'static>(
        mut source: S,
        flow: SyncSender<E>,
    ) -> io::Result<Self> {
        let stop = Stop::default();
        let told = stop.clone();
        let hold = Arc::new(Mutex::new(None));
        let wanted = hold.clone();
        let thread = thread::Builder::new()
            .name("source".into())
            .spawn(move || {
                let mut at_end = false;
                let error = loop {
                    if told.is_asked() {
                        return source;
                    }
                    let told_to_hold = lock(&wanted).take();
                    if let Some(hold) = told_to_hold {
                        source.hold(&hold);
                    }
                    let mut batch = Messages::default();
                    let came = source.next(&mut batch, GLANCE);
                    let notices = source.notices();
                    if !notices.is_empty() && flow.send(Flow::Notices(notices).into()).is_err() {
                        return source;
                    }
                    if !batch.is_empty() {
                        at_end = false;
                        if flow.send(Flow::Batch(batch).into()).is_err() {
                            return source;
                        }
                    }
                    let reached = source.reached();
                    if !reached.is_empty() && flow.send(Flow::Reached(reached).into()).is_err() {
                        return source;
                    }
                    match came {
                        Ok(Step::Records | Step::Idle) => {}
                        // While what came is worked off, a group wants to be asked on.
                        Ok(Step::End) if at_end => {
                            told.wait(GLANCE);
                        }
                        Ok(Step::End) => {
                            at_end = true;
                            if flow.send(Flow::End(Ok(())).into()).is_err() {
                                return source;
                            }
                        }
                        Err(error) => break error,
                    }
                };
                let _ = flow.send(Flow::End(Err(error)).into());
                source
            })?;
        Ok(Self {
            thread: Some(thread),
            stop,
            hold,
        })
    }

    /// Lets the source stop to fetch, or go on; it is asked all the same, so that a group keeps it.
    pub fn hold(&self, hold: Hold) {
        *lock(&self.hold) = Some(hold);
    }

    /// Stops the source and gives it back; whoever held the other end of its flow must have let go.
    pub fn finish(mut self) -> Option<S> {
        self.stop.ask();
        self.thread.take()?.join().ok()
    }

    /// The same, unless it is not done by `until`: it may be waiting for a broker.
    pub fn finish_by(mut self, until: Instant) -> Option<S> {
        self.stop.ask();
        let thread = self.thread.take()?;
        while !thread.is_finished() {
            if Instant::now() >= until {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
        thread.join().ok()
    }
}

fn lock(hold: &Mutex<Option<Hold>>) -> MutexGuard<'_, Option<Hold>> {
    hold.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S> Drop for Running<S> {
    fn drop(&mut self) {
        self.stop.ask();
    }
}

/// Why the pump came to its end.
#[derive(Debug)]
pub enum End {
    /// The source has nothing more.
    Source,
    /// So many records as were asked for.
    Limit,
    /// Nothing came for as long as was allowed.
    Idle,
    /// Time is up.
    Timeout,
    /// Somebody asked.
    Stopped,
    /// The reader of our output went away.
    ClosedPipe,
    /// Reading failed.
    Failed(Error),
}

/// Bounds of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// Records to write, after the filter.
    pub limit: Option<u64>,
    /// Without a record from Kafka for so long, the run ends.
    pub idle: Option<Duration>,
    /// The run ends after so long, whatever comes.
    pub timeout: Option<Duration>,
}

/// One run of the pump.
pub struct Pump<'a, S> {
    pub flow: &'a Receiver<Flow>,
    pub filter: &'a Filter,
    pub bounds: Bounds,
    pub sink: &'a mut S,
    /// Where finished offsets are reported, in a group.
    pub commits: Option<&'a Commits>,
    pub stop: &'a Stop,
    /// Is told what the user should know.
    pub notice: &'a mut dyn FnMut(&Notice),
    /// When the run began.
    pub start: Instant,
}

impl<S: Sink> Pump<'_, S> {
    /// Moves records until there is a reason to end; says which, and how many were written.
    ///
    /// Errors are those of the sink. What is reported as finished was flushed before, and
    /// after an end that the sink is not the cause of that is all.
    pub fn run(mut self) -> io::Result<(End, u64)> {
        let mut written = 0;
        let mut unreported = HashMap::new();
        let end = self.pass(&mut written, &mut unreported);
        let stop = self.stop;
        let closed = |error: io::Error| match error.kind() {
            io::ErrorKind::BrokenPipe => Ok(End::ClosedPipe),
            // The reader of our output held up the end of the run for too long.
            io::ErrorKind::TimedOut if stop.is_asked() => Ok(End::Stopped),
            io::ErrorKind::TimedOut => Ok(End::Timeout),
            _ => Err(error),
        };
        let end = match end {
            Ok(end) => end,
            // What was not written is not finished either.
            Err(error) => return Ok((closed(error)?, written)),
        };
        let until =
            matches!(end, End::Stopped | End::Timeout).then(|| Instant::now() + DRAIN_TIMEOUT);
        match self.finish(&mut unreported, until) {
            Ok(()) => Ok((end, written)),
            Err(error) => Ok((closed(error)?, written)),
        }
    }

    fn pass(
        &mut self,
        written: &mut u64,
        unreported: &mut HashMap<(String, i32), i64>,
    ) -> io::Result<End> {
        if self.bounds.limit == Some(0) {
            return Ok(End::Limit);
        }
        let mut last_record = Instant::now();
        let mut last_finish = Instant::now();
        loop {
            if self.stop.is_asked() {
                return Ok(End::Stopped);
            }
            if self
                .bounds
                .timeout
                .is_some_and(|most| self.start.elapsed() >= most)
            {
                return Ok(End::Timeout);
            }
            match self.flow.recv_timeout(GLANCE) {
                Ok(Flow::Batch(batch)) => {
                    let limit_reached = self.write(&batch, written, unreported)?;
                    self.sink.end_batch()?;
                    if limit_reached {
                        return Ok(End::Limit);
                    }
                    last_record = Instant::now();
                }
                Ok(Flow::Reached(reached)) => {
                    for ((topic, partition), next) in &reached {
                        self.sink.pass(topic, *partition, next - 1);
                    }
                    if self.commits.is_some() {
                        unreported.extend(reached);
                    }
                }
                Ok(Flow::Notices(notices)) => notices.iter().for_each(&mut *self.notice),
                Ok(Flow::Drain(handover, done)) => {
                    if !handover.lost {
                        self.finish(unreported, Some(Instant::now() + DRAIN_TIMEOUT))?;
                    }
                    let _ = done.send(());
                }
                Ok(Flow::End(Err(error))) => return Ok(End::Failed(error)),
                Err(RecvTimeoutError::Timeout) if self.sink.is_closed() => {
                    return Ok(End::ClosedPipe);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Flow::End(Ok(()))) | Err(RecvTimeoutError::Disconnected) => {
                    return Ok(End::Source);
                }
            }
            if self
                .bounds
                .idle
                .is_some_and(|most| last_record.elapsed() >= most)
            {
                return Ok(End::Idle);
            }
            if !unreported.is_empty() && last_finish.elapsed() >= self.sink.flush_interval() {
                self.finish(unreported, None)?;
                last_finish = Instant::now();
            }
        }
    }

    /// Writes the records that the filter lets through; says whether the limit is reached.
    fn write(
        &mut self,
        batch: &Messages,
        written: &mut u64,
        unreported: &mut HashMap<(String, i32), i64>,
    ) -> io::Result<bool> {
        let mut room = Vec::new();
        let unfiltered = self.filter.is_empty();
        // Records come in runs of one partition; only the last of a run is noted.
        let mut run: Option<((&str, i32), i64)> = None;
        let mut note = |run: Option<((&str, i32), i64)>| {
            if let Some(((topic, partition), next)) = run {
                unreported.insert((topic.to_owned(), partition), next);
            }
        };
        let mut reached = false;
        for message in batch.iter() {
            let record = message.record(&mut room);
            if unfiltered || self.filter.matches(&record) {
                self.sink.write(&record)?;
                *written += 1;
                reached = self.bounds.limit == Some(*written);
            } else {
                self.sink
                    .pass(record.topic, record.partition, record.offset);
            }
            if self.commits.is_some() {
                let place = (message.topic(), message.partition());
                if run.is_some_and(|(last, _)| last != place) {
                    note(run.take());
                }
                run = Some((place, message.offset() + 1));
            }
            if reached {
                break;
            }
        }
        note(run);
        Ok(reached)
    }

    /// Flushes what was written and reports it as finished; what is not flushed in time is not.
    fn finish(
        &mut self,
        unreported: &mut HashMap<(String, i32), i64>,
        until: Option<Instant>,
    ) -> io::Result<()> {
        self.sink.end_batch()?;
        if self.sink.flush(until)?
            && let Some(commits) = self.commits
        {
            commits.finished(unreported.drain());
        }
        Ok(())
    }
}
