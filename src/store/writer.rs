//! Writes records, what a user's statements make of them, and the offsets, in one transaction.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{CachedStatement, Connection, ErrorCode, Transaction, TransactionBehavior, params};

use super::buffer::{Buffer, Place, Row};
use super::error::problem;
use super::statements::{Parameter, Step, Steps};
use super::{Error, Kept, Script, kept, of_file, open};
use crate::pipeline::pump::Sink;
use crate::record::Record;
use crate::sink::stages::Reporter;
use crate::trace::{Stage, StageEvent};

/// Records that wait for their transaction are no more than this, in bytes.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// How long to wait while others write.
const PATIENCE: Duration = Duration::from_secs(10);

const INSERT: &str = "INSERT INTO main.records \
    (topic, partition, offset, timestamp, timestamp_type, key, value, headers, consumed_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (topic, partition, offset) DO NOTHING";

const REACH: &str = "INSERT INTO main.kpipe_offsets VALUES (?1, ?2, ?3, ?4) \
    ON CONFLICT DO UPDATE SET next = max(next, excluded.next)";

/// How records are stored.
pub struct Manner {
    /// Whose offsets are kept; nobody's where the records are no member's.
    pub group: Option<String>,
    /// Statements that run for each record.
    pub scripts: Vec<Script>,
    /// Records of one transaction are no more than this.
    pub batch: usize,
    /// How long a record waits until its transaction is full.
    pub flush_interval: Duration,
    /// Milliseconds since the epoch.
    pub now: Box<dyn Fn() -> i64 + Send>,
}

/// What became of the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Were not there and are.
    pub stored: u64,
    /// Were there already, and nothing ran for them.
    pub there: u64,
}

/// Stores records.
pub struct Writer {
    connection: Connection,
    path: PathBuf,
    /// Which file the path led to when it was opened.
    identity: (u64, u64),
    manner: Manner,
    steps: Steps,
    buffer: Buffer,
    places: Vec<Place>,
    /// Where the last record came from: most come in runs.
    last: usize,
    counts: Counts,
    /// Where partitions are begun, in a group.
    kept: Option<Arc<Kept>>,
    /// Who is told of what is stored.
    reporter: Option<Reporter>,
    /// What is told of the records that wait, once they are stored.
    untold: Vec<StageEvent>,
}

impl Writer {
    /// Opens the file, makes it where there is none, and prepares the statements: what is wrong with them is told before
    /// anything is read.
    pub fn open(path: &Path, manner: Manner) -> Result<Self, Error> {
        Self::over(open(path)?, path, manner)
    }

    pub(super) fn over(
        mut connection: Connection,
        path: &Path,
        manner: Manner,
    ) -> Result<Self, Error> {
        let steps = Steps::prepare(&mut connection, path, &manner.scripts)?;
        Ok(Self {
            identity: identity(path),
            path: path.to_owned(),
            connection,
            manner,
            steps,
            buffer: Buffer::default(),
            places: Vec::new(),
            last: 0,
            counts: Counts::default(),
            kept: None,
            reporter: None,
            untold: Vec::new(),
        })
    }

    /// Makes sure that what is stored of a partition reaches to where `kept` lets it begin.
    pub fn follow(&mut self, kept: Arc<Kept>) {
        self.kept = Some(kept);
    }

    /// Tells `reporter`, if there is one, of each record when it was consumed and that it is stored.
    pub fn report_to(&mut self, reporter: Option<Reporter>) {
        self.reporter = reporter;
    }

    /// What was committed so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn into_connection(self) -> Connection {
        self.connection
    }

    /// Takes a record, and stores what has come when that is a transaction's worth.
    pub fn take(&mut self, record: &Record<'_>) -> Result<(), Error> {
        let place = self.place(record.topic, record.partition);
        self.reach(place, record.offset);
        self.buffer.push(place, record, &self.steps);
        if let Some(reporter) = &self.reporter {
            let event = StageEvent::of_record(Stage::Consumed, reporter.now(), record);
            self.untold.push(event);
        }
        if self.buffer.rows.len() >= self.manner.batch || self.buffer.size() >= MOST_BYTES {
            self.commit()?;
        }
        Ok(())
    }

    fn place(&mut self, topic: &str, partition: i32) -> usize {
        let is_it = |place: &Place| place.partition == partition && place.topic == topic;
        if !self.places.get(self.last).is_some_and(is_it) {
            let found = self.places.iter().position(is_it);
            self.last = found.unwrap_or_else(|| {
                self.places.push(Place {
                    topic: topic.to_owned(),
                    partition,
                    next: 0,
                    known: None,
                    is_touched: false,
                });
                self.places.len() - 1
            });
        }
        self.last
    }

    fn reach(&mut self, place: usize, offset: i64) {
        let place = &mut self.places[place];
        place.next = place.next.max(offset + 1);
        place.is_touched = true;
    }

    /// Stores what has come, and says how far it is, in one transaction.
    pub fn commit(&mut self) -> Result<(), Error> {
        if !self.places.iter().any(|place| place.is_touched) {
            return Ok(());
        }
        if let Some(kept) = &self.kept {
            for place in self.places.iter_mut().filter(|place| place.is_touched) {
                place.known = place.known.max(kept.begun(&place.topic, place.partition));
            }
        }
        let committed = Batch {
            path: &self.path,
            identity: self.identity,
            manner: &self.manner,
            steps: &self.steps,
            buffer: &self.buffer,
            places: &self.places,
        }
        .store(&mut self.connection);
        let counts = committed?;
        // Here, and nowhere else, these rows are known to be stored.
        self.counts.stored += counts.stored;
        self.counts.there += counts.there;
        for place in self.places.iter_mut().filter(|place| place.is_touched) {
            place.known = Some(place.next);
            place.is_touched = false;
        }
        self.buffer.clear();
        self.report();
        Ok(())
    }

    /// Moves all that is stored into the file itself, so that it can be copied alone. Nothing is amiss
    /// where somebody else uses the file just now: whoever comes last does it.
    pub fn settle(&self) {
        let settled = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = settled {
            tracing::info!("{}: {error}", self.path.display());
        }
    }

    fn report(&mut self) {
        let Some(reporter) = &self.reporter else {
            return;
        };
        let at = reporter.now();
        for consumed in self.untold.drain(..) {
            let stored = StageEvent {
                stage: Stage::Stored,
                at,
                ..consumed.clone()
            };
            reporter.report(consumed);
            reporter.report(stored);
        }
    }

    /// The same within a time; says whether it is done, as it is not while somebody else keeps the file locked.
    fn commit_until(&mut self, until: Option<Instant>) -> Result<bool, Error> {
        let Some(until) = until else {
            return self.commit().map(|()| true);
        };
        let left = until.saturating_duration_since(Instant::now());
        let fault = |source| of_file(&self.path, source);
        self.connection
            .busy_timeout(left.min(PATIENCE))
            .map_err(fault)?;
        let committed = match self.commit() {
            Err(Error::File(crate::database::Error::Locked { .. })) => Ok(false),
            other => other.map(|()| true),
        };
        let fault = |source| of_file(&self.path, source);
        self.connection.busy_timeout(PATIENCE).map_err(fault)?;
        committed
    }
}

/// The pump's errors are those of the file, as they are in [`io::Error::downcast`].
impl Sink for Writer {
    fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.take(record).map_err(io::Error::other)
    }

    fn pass(&mut self, topic: &str, partition: i32, offset: i64) {
        let place = self.place(topic, partition);
        self.reach(place, offset);
    }

    fn end_batch(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self, until: Option<Instant>) -> io::Result<bool> {
        self.commit_until(until).map_err(io::Error::other)
    }

    fn flush_interval(&self) -> Duration {
        self.manner.flush_interval
    }

    fn is_closed(&self) -> bool {
        false
    }
}

/// The identity of a file that is not there.
const NOWHERE: (u64, u64) = (0, 0);

/// Which file is at `path`.
fn identity(path: &Path) -> (u64, u64) {
    let metadata = path.metadata();
    metadata.map_or(NOWHERE, |metadata| (metadata.dev(), metadata.ino()))
}

/// What one transaction stores.
struct Batch<'a> {
    path: &'a Path,
    identity: (u64, u64),
    manner: &'a Manner,
    steps: &'a Steps,
    buffer: &'a Buffer,
    places: &'a [Place],
}

impl Batch<'_> {
    fn store(&self, connection: &mut Connection) -> Result<Counts, Error> {
        let fault = |source| of_file(self.path, source);
        // Nobody else writes from here on, so what is read now stays true.
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(fault)?;
        // Whoever made the file may have taken it back when we had just opened it.
        if self.identity == NOWHERE || identity(self.path) != self.identity {
            return Err(Error::Replaced {
                path: self.path.to_owned(),
            });
        }
        let fences = self.fences(&transaction)?;
        let counts = self.rows(&transaction, &fences)?;
        self.reach(&transaction).map_err(fault)?;
        transaction.commit().map_err(fault)?;
        Ok(counts)
    }

    /// Before which offset everything is stored, partition by partition: by us, or by who had the partition meanwhile.
    fn fences(&self, transaction: &Transaction<'_>) -> Result<Vec<i64>, Error> {
        let fence = |place: &Place| {
            let Some(group) = &self.manner.group else {
                return Ok(i64::MIN);
            };
            let stored = kept::next(transaction, group, &place.topic, place.partition)
                .map_err(|source| of_file(self.path, source))?;
            match (stored, place.known) {
                // To go on would leave out what is between the two.
                (stored, Some(known)) if stored.is_none_or(|stored| stored < known) => {
                    Err(Error::SetBack {
                        path: self.path.to_owned(),
                        topic: place.topic.clone(),
                        partition: place.partition,
                        stored: stored.unwrap_or_default(),
                        known,
                    })
                }
                (stored, _) => Ok(stored.unwrap_or(i64::MIN)),
            }
        };
        self.places.iter().map(fence).collect()
    }

    fn rows(&self, transaction: &Transaction<'_>, fences: &[i64]) -> Result<Counts, Error> {
        let fault = |source| of_file(self.path, source);
        let mut insert = transaction.prepare_cached(INSERT).map_err(fault)?;
        let mut steps = Vec::new();
        for step in &self.steps.steps {
            let prepared = transaction.prepare_cached(&step.statement.sql);
            steps.push((step, prepared.map_err(fault)?));
        }
        let consumed_at = (self.manner.now)();
        let mut counts = Counts::default();
        for row in &self.buffer.rows {
            let is_new = row.offset >= fences[row.place]
                && self.insert(row, consumed_at, &mut insert).map_err(fault)?;
            if !is_new {
                counts.there += 1;
                continue;
            }
            counts.stored += 1;
            for (step, prepared) in &mut steps {
                let is_meant = |number| self.buffer.is_of_type(row, number);
                if step.only.is_none_or(is_meant) {
                    self.run(row, consumed_at, step, prepared)
                        .map_err(|error| self.not_stored(row, step, error))?;
                }
            }
        }
        Ok(counts)
    }

    /// Says whether the record was not there.
    fn insert(
        &self,
        row: &Row,
        consumed_at: i64,
        insert: &mut CachedStatement<'_>,
    ) -> rusqlite::Result<bool> {
        let place = &self.places[row.place];
        insert.raw_bind_parameter(1, &place.topic)?;
        insert.raw_bind_parameter(2, place.partition)?;
        insert.raw_bind_parameter(3, row.offset)?;
        insert.raw_bind_parameter(4, row.timestamp())?;
        insert.raw_bind_parameter(5, row.timestamp_type())?;
        insert.raw_bind_parameter(6, self.buffer.key(row))?;
        insert.raw_bind_parameter(7, self.buffer.value(row))?;
        insert.raw_bind_parameter(8, self.buffer.headers(row))?;
        insert.raw_bind_parameter(9, consumed_at)?;
        Ok(insert.raw_execute()? == 1)
    }

    fn run(
        &self,
        row: &Row,
        consumed_at: i64,
        step: &Step,
        prepared: &mut CachedStatement<'_>,
    ) -> rusqlite::Result<()> {
        let place = &self.places[row.place];
        for (index, parameter) in step.parameters.iter().enumerate() {
            let number = index + 1;
            match parameter {
                Parameter::Topic => prepared.raw_bind_parameter(number, &place.topic),
                Parameter::Partition => prepared.raw_bind_parameter(number, place.partition),
                Parameter::Offset => prepared.raw_bind_parameter(number, row.offset),
                Parameter::Timestamp => prepared.raw_bind_parameter(number, row.timestamp()),
                Parameter::Key => prepared.raw_bind_parameter(number, self.buffer.key(row)),
                Parameter::Value => prepared.raw_bind_parameter(number, self.buffer.value(row)),
                Parameter::Headers => prepared.raw_bind_parameter(number, self.buffer.headers(row)),
                Parameter::ConsumedAt => prepared.raw_bind_parameter(number, consumed_at),
            }?;
        }
        // A query has rows, and what is in them is nobody's.
        let mut rows = prepared.raw_query();
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// A statement failed, unless it is the file that did.
    fn not_stored(&self, row: &Row, step: &Step, error: rusqlite::Error) -> Error {
        let place = &self.places[row.place];
        match error.sqlite_error_code() {
            Some(
                ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::DatabaseBusy,
            ) => of_file(self.path, error),
            _ => Error::Record {
                record: format!("{}[{}]@{}", place.topic, place.partition, row.offset),
                place: step.statement.place(0),
                problem: problem(&error),
            },
        }
    }

    fn reach(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let Some(group) = &self.manner.group else {
            return Ok(());
        };
        let mut reach = transaction.prepare_cached(REACH)?;
        for place in self.places.iter().filter(|place| place.is_touched) {
            reach.execute(params![group, place.topic, place.partition, place.next])?;
        }
        Ok(())
    }
}
