//! A record that is still to be sent, borrowed from the line it was read from.

use std::borrow::Cow;

use super::Header;

/// One record to send; whatever is `None` is left to the producer or to the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// Name of the topic, when the line names one.
    pub topic: Option<Cow<'a, str>>,
    /// Number of the partition, never negative; `None` leaves it to the partitioner.
    pub partition: Option<i32>,
    /// Milliseconds since the epoch, never 0; `None` is the time of sending.
    pub timestamp: Option<i64>,
    /// `None` is a null key, which is not the empty key.
    pub key: Option<Cow<'a, [u8]>>,
    /// `None` is a tombstone, which is not the empty value.
    pub value: Option<Cow<'a, [u8]>>,
    /// In order; a name may repeat and a value may be null.
    pub headers: Vec<OutgoingHeader<'a>>,
}

impl Outgoing<'_> {
    /// Returns its headers as a record in Kafka has them.
    pub fn lend_headers(&self) -> Vec<Header<'_>> {
        let headers = self.headers.iter();
        headers
            .map(|header| Header {
                name: &header.name,
                value: header.value.as_deref(),
            })
            .collect()
    }
}

/// One header of a record to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingHeader<'a> {
    /// Any bytes but NUL, at which librdkafka cuts a name off when it reads.
    pub name: Cow<'a, [u8]>,
    /// `None` is a null value, which is not the empty value.
    pub value: Option<Cow<'a, [u8]>>,
}
