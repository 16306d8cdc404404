//! A block with the records found in it, ready to be handed to a producer.
//!
//! Parsing borrows from the block where it can; what crosses to the next thread is
//! places in the block, or in a side store for text that had to be unescaped.

use std::borrow::Cow;
use std::ops::Range;

use crate::record::{Header, LineError, Outgoing};
use crate::rules::Violation;
use crate::source::lines::{Block, Span, span};

/// A block and, line by line, the record in it or why there is none.
#[derive(Debug)]
pub struct Parsed {
    /// The lines themselves.
    pub block: Block,
    records: Vec<Result<Slot, Box<Rejected>>>,
    headers: Vec<HeaderSlot>,
    unescaped: Vec<u8>,
}

/// Why a line has no record that is to be sent.
#[derive(Debug)]
pub enum Rejected {
    /// It holds none.
    Malformed(LineError),
    /// Its record is not what it has to be.
    Invalid(Violation),
}

impl From<LineError> for Rejected {
    fn from(error: LineError) -> Self {
        Self::Malformed(error)
    }
}

impl From<Violation> for Rejected {
    fn from(violation: Violation) -> Self {
        Self::Invalid(violation)
    }
}

/// Where bytes are: in the block, or in the side store.
#[derive(Clone, Copy, Debug)]
enum Place {
    Block(Span),
    Unescaped(Span),
}

#[derive(Debug)]
struct Slot {
    topic: Option<Place>,
    partition: Option<i32>,
    timestamp: Option<i64>,
    key: Option<Place>,
    value: Option<Place>,
    headers: Range<u32>,
}

#[derive(Debug)]
struct HeaderSlot {
    name: Place,
    value: Option<Place>,
}

/// One record of a [`Parsed`] block.
#[derive(Clone, Copy, Debug)]
pub struct Ready<'a> {
    pub topic: Option<&'a str>,
    pub partition: Option<i32>,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [Header<'a>],
}

impl Parsed {
    /// Parses each line of `block`.
    pub fn new<'p>(
        block: Block,
        mut parse: impl FnMut(&[u8], usize) -> Result<Outgoing<'_>, Rejected> + 'p,
    ) -> Self {
        let mut headers = Vec::new();
        let mut unescaped = Vec::new();
        let records = (0..block.len())
            .map(|index| {
                let record = parse(block.line(index), index).map_err(Box::new)?;
                let mut keep = |bytes: &Cow<'_, [u8]>| place(bytes, &block.bytes, &mut unescaped);
                let first = headers.len();
                for header in &record.headers {
                    headers.push(HeaderSlot {
                        name: keep(&header.name),
                        value: header.value.as_ref().map(&mut keep),
                    });
                }
                Ok(Slot {
                    topic: record.topic.map(|topic| match topic {
                        Cow::Borrowed(topic) => keep(&Cow::Borrowed(topic.as_bytes())),
                        Cow::Owned(topic) => keep(&Cow::Owned(topic.into_bytes())),
                    }),
                    partition: record.partition,
                    timestamp: record.timestamp,
                    key: record.key.as_ref().map(&mut keep),
                    value: record.value.as_ref().map(&mut keep),
                    headers: narrow(first)..narrow(headers.len()),
                })
            })
            .collect();
        Self {
            block,
            records,
            headers,
            unescaped,
        }
    }

    /// The record in line `index`; `room` lends the space for its headers.
    pub fn record<'a>(
        &'a self,
        index: usize,
        room: &'a mut Vec<Header<'a>>,
    ) -> Result<Ready<'a>, &'a Rejected> {
        let slot = self.records[index].as_ref().map_err(Box::as_ref)?;
        let bytes = |place| self.bytes(place);
        let headers = slot.headers.start as usize..slot.headers.end as usize;
        room.clear();
        room.extend(self.headers[headers].iter().map(|header| Header {
            name: bytes(header.name),
            value: header.value.map(bytes),
        }));
        Ok(Ready {
            topic: slot
                .topic
                // It was text before it was taken apart.
                .and_then(|topic| std::str::from_utf8(bytes(topic)).ok()),
            partition: slot.partition,
            timestamp: slot.timestamp,
            key: slot.key.map(bytes),
            value: slot.value.map(bytes),
            headers: room,
        })
    }

    /// The record in line `index`, if there is one and it has no headers.
    pub fn without_headers(&self, index: usize) -> Option<Ready<'_>> {
        let slot = self.records[index].as_ref().ok()?;
        let bytes = |place| self.bytes(place);
        slot.headers.is_empty().then(|| Ready {
            topic: self.topic(index),
            partition: slot.partition,
            timestamp: slot.timestamp,
            key: slot.key.map(bytes),
            value: slot.value.map(bytes),
            headers: &[],
        })
    }

    /// The topic that line `index` names.
    pub fn topic(&self, index: usize) -> Option<&str> {
        let topic = self.records[index].as_ref().ok()?.topic?;
        std::str::from_utf8(self.bytes(topic)).ok()
    }

    fn bytes(&self, place: Place) -> &[u8] {
        match place {
            Place::Block(span) => span.of(&self.block.bytes),
            Place::Unescaped(span) => span.of(&self.unescaped),
        }
    }

    /// The lines without a record, and why.
    pub fn errors(&self) -> impl Iterator<Item = (usize, &Rejected)> {
        let records = self.records.iter().enumerate();
        records.filter_map(|(index, record)| Some((index, record.as_ref().err()?.as_ref())))
    }
}

#[expect(clippy::ptr_arg, reason = "whether it was borrowed is the question")]
fn place(bytes: &Cow<'_, [u8]>, block: &[u8], unescaped: &mut Vec<u8>) -> Place {
    if let Cow::Borrowed(bytes) = bytes {
        let start = bytes.as_ptr().addr().wrapping_sub(block.as_ptr().addr());
        if start
            .checked_add(bytes.len())
            .is_some_and(|end| end <= block.len())
        {
            return Place::Block(span(start, bytes.len()));
        }
    }
    let start = unescaped.len();
    unescaped.extend_from_slice(bytes);
    Place::Unescaped(span(start, bytes.len()))
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("a block has fewer than 4 billion headers")
}
