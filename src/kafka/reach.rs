//! Whether every broker answers where it says it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaErrorCode as Code;
use serde::Deserialize;

use super::client::{CONNECT_TIMEOUT, Client, Cluster, EAGER_CONNECTIONS};
use super::error::{Cause, Error};
use super::ffi::Role;

/// How long a connection that failed is tried again: a name may stand for several addresses
/// of which one answers, `localhost` for one.
const SECOND_TRIES: Duration = Duration::from_secs(1);

/// How often the connections are looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// A topic that need not be there: asked for it, a broker names the brokers, and not every
/// topic of a large cluster with them.
const ANY_TOPIC: &str = "__consumer_offsets";

/// A broker, as another one names it.
#[derive(Clone, Debug)]
pub struct Reached {
    pub id: i32,
    /// Host and port that it advertises.
    pub address: String,
    /// The round trip of a request, where one was measured; or why there is no connection.
    pub answer: Result<Option<Duration>, Option<Cause>>,
}

/// A connection to every broker of a cluster, kept up for looking at.
pub struct Probe {
    client: Arc<Client>,
    /// Brokers that were named, with their addresses.
    named: Vec<(i32, String)>,
}

/// The part of librdkafka's statistics that is read.
#[derive(Deserialize)]
struct Statistics {
    brokers: BTreeMap<String, Connection>,
}

#[derive(Deserialize)]
struct Connection {
    nodeid: i32,
    state: String,
    rtt: RoundTrips,
}

/// In microseconds, since the statistics before.
#[derive(Deserialize)]
struct RoundTrips {
    avg: u64,
    cnt: u64,
}

/// What became of a broker's requests, from the beginning.
#[derive(Deserialize)]
struct Requests {
    brokers: BTreeMap<String, Errors>,
}

#[derive(Deserialize)]
struct Errors {
    /// While sending, while receiving, and those that were not answered in time.
    txerrs: u64,
    rxerrs: u64,
    req_timeouts: u64,
}

/// How many requests failed or timed out, by librdkafka's statistics.
pub(super) fn request_errors(json: &str) -> Option<u64> {
    let requests: Requests = serde_json::from_str(json).ok()?;
    let brokers = requests.brokers.values();
    Some(
        brokers
            .map(|one| one.txerrs + one.rxerrs + one.req_timeouts)
            .sum(),
    )
}

impl Probe {
    /// Makes connections, which [`Probe::reach`] waits for.
    ///
    /// # Errors
    /// [`Error::Configuration`].
    pub fn new(cluster: &Cluster) -> Result<Self, Error> {
        let interval = GLANCE.as_millis().to_string();
        let client = Client::new(
            cluster,
            Role::Probe,
            &[],
            &[EAGER_CONNECTIONS, ("statistics.interval.ms", &interval)],
        )?;
        Ok(Self {
            client,
            named: Vec::new(),
        })
    }

    /// Asks which brokers there are, and waits until each is connected, TLS and credentials
    /// included, has failed for a second, or `deadline` has come; by id.
    ///
    /// # Errors
    /// Those of asking; a broker that does not answer is none.
    pub fn reach(&mut self, deadline: Option<Instant>) -> Result<Vec<Reached>, Error> {
        self.client.set_deadline(deadline);
        match self.ask() {
            Ok(named) => self.named = named,
            // The client library has given the first connection up for those to the brokers
            // that were named, and that is where the trouble is.
            Err(Error::Unreachable { .. }) if !self.named.is_empty() => {}
            Err(error) => return Err(error),
        }
        let client = &self.client;
        let start = Instant::now();
        let mut brokers: Vec<Reached> = self
            .named
            .iter()
            .map(|(id, address)| Reached {
                id: *id,
                address: address.clone(),
                answer: Err(None),
            })
            .collect();
        loop {
            client.serve_keeping(GLANCE);
            for json in client.native.context().take_statistics() {
                self.look(&json, &mut brokers)?;
            }
            let waits = |broker: &Reached| match &broker.answer {
                Ok(_) => false,
                Err(None) => true,
                Err(Some(_)) => start.elapsed() < SECOND_TRIES,
            };
            let is_late = start.elapsed() >= CONNECT_TIMEOUT || client.is_late();
            if is_late || !brokers.iter().any(waits) {
                return Ok(brokers);
            }
            if client.is_stopped() {
                return Err(Error::Interrupted);
            }
        }
    }

    /// The brokers and their addresses, by id.
    fn ask(&self) -> Result<Vec<(i32, String)>, Error> {
        let native = &self.client.native;
        let metadata = self.client.ask("ask for the brokers", |timeout| {
            native.fetch_metadata(Some(ANY_TOPIC), timeout)
        })?;
        let brokers = metadata.brokers().iter();
        let mut named: Vec<(i32, String)> = brokers
            .map(|broker| (broker.id(), format!("{}:{}", broker.host(), broker.port())))
            .collect();
        named.sort_unstable();
        Ok(named)
    }

    /// Notes who is connected, and why others are not.
    fn look(&self, json: &str, brokers: &mut [Reached]) -> Result<(), Error> {
        let statistics: Statistics = serde_json::from_str(json)
            .map_err(|_| Error::other("read the client library's statistics", Code::Fail))?;
        for broker in brokers {
            let mut connections = statistics.brokers.iter();
            let Some((name, connection)) = connections.find(|(_, one)| one.nodeid == broker.id)
            else {
                continue;
            };
            let is_up = connection.state == "UP";
            let measured = (connection.rtt.cnt > 0).then_some(connection.rtt.avg);
            broker.answer = match (is_up, &broker.answer) {
                (true, Ok(before)) => Ok(measured.map(Duration::from_micros).or(*before)),
                (true, Err(_)) => Ok(measured.map(Duration::from_micros)),
                (false, _) => {
                    let trouble = self.client.native.context().trouble_of(name);
                    Err(trouble.as_ref().map(Cause::from))
                }
            };
        }
        Ok(())
    }

    /// What to say of a broker that does not answer.
    pub fn error(&self, broker: &Reached) -> Option<Error> {
        let cause = broker.answer.as_ref().err()?;
        Some(Error::Advertised {
            brokers: self.client.brokers().to_owned(),
            id: broker.id,
            address: broker.address.clone(),
            cause: cause.clone(),
        })
    }
}
