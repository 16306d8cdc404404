//! One connection to a cluster: made from settings, watched for troubles, asked for metadata.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::types::{RDKafkaErrorCode as Code, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};

use super::context::{Context, TokenSource, Trouble};
use super::error::{Cause, Error};
use super::ffi::{self, Delivery, Queue, Role, Said};
use super::revival::Revival;
use crate::stop::Stop;

/// How long a command waits for its first answer.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a topic that is being made is left alone before it is asked for again.
const MAKING: Duration = Duration::from_millis(20);

/// How long a question may keep us from noticing that we are to stop.
const LONGEST_SLICE: Duration = Duration::from_millis(800);

/// The cluster to speak to and how: what `config` resolved, without its origins.
#[derive(Clone)]
pub struct Cluster {
    /// librdkafka's properties, `bootstrap.servers` among them.
    pub properties: BTreeMap<String, String>,
    /// Where OAUTHBEARER tokens come from.
    pub token_source: Option<TokenSource>,
    /// Ends the wait for a first answer.
    pub stop: Stop,
    /// No answer is waited for longer than this, nor longer than [`CONNECT_TIMEOUT`].
    pub deadline: Option<Instant>,
    /// Hears every list of names that the cluster gives, whoever asked for it.
    pub listener: Option<Listener>,
}

/// What hears the names that a cluster lists.
pub type Listener = Arc<dyn Fn(Listed, &[&str]) + Send + Sync>;

/// What names are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    Topics,
    Groups,
}

impl Cluster {
    /// The addresses as the user gave them.
    pub fn brokers(&self) -> &str {
        self.properties
            .get("bootstrap.servers")
            .map_or("", String::as_str)
    }

    /// Whether librdkafka takes each of the properties, found out without connecting.
    pub fn check(&self) -> Result<(), Error> {
        let config: ClientConfig = self.properties.clone().into_iter().collect();
        match config.create_native_config() {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::Configuration {
                cause: error.into(),
            }),
        }
    }
}

/// Settings of every client: librdkafka's own where nothing better is known.
///
/// `reconnect.backoff.ms` is also, halved, the wait between two connections that
/// nothing else asked for; 50 ms of it would be most of a short command's time.
pub const COMMON: [(&str, &str); 5] = [
    ("client.id", "kpipe"),
    ("allow.auto.create.topics", "false"),
    ("reconnect.backoff.ms", "20"),
    ("socket.keepalive.enable", "true"),
    // OpenSSL is built in, so it does not know where this system keeps its authorities.
    ("ssl.ca.location", "probe"),
];

/// Connects to every broker at once instead of one each 11 ms as they are needed, which
/// is half of a short command's time; a hidden property of librdkafka.
pub(super) const EAGER_CONNECTIONS: (&str, &str) = ("enable.sparse.connections", "false");

/// A live client.
///
/// It is never destroyed: librdkafka waits in that for its threads, and these for every
/// record that is still somewhere in a queue. It ends with the process.
pub(super) struct Client {
    pub(super) native: ManuallyDrop<rdkafka::client::Client<Context>>,
    main: Queue,
    brokers: String,
    stop: Stop,
    listener: Option<Listener>,
    deadline: Mutex<Option<Instant>>,
    /// `security.protocol`, in lower case.
    protocol: String,
    /// Who asks for a topic has the broker make it, where the broker may.
    makes_topics: bool,
    /// Something was answered, so credentials and certificates are right.
    answered: AtomicBool,
    /// It is the built-in broker that answers, or not; set when that is known.
    built_in: OnceLock<bool>,
    /// Reports that came while something else was asked.
    early: Mutex<Vec<Delivery>>,
    revival: Revival,
}

/// Whether the same question may be answered soon: a broker is away, starts, or knows less of the
/// leaders than we do or more (Kafka's retriable errors).
pub(super) fn will_pass(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::OperationTimedOut
            | Code::Resolve
            | Code::AllBrokersDown
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::OffsetNotAvailable
            | Code::ReplicaNotAvailable
            | Code::NetworkException
            | Code::RequestTimedOut
            // It answered that there is none: see `revival`.
            | Code::DestroyBroker
    )
}

/// The partitions of a topic, by what the cluster says of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TopicMetadata {
    pub(super) name: String,
    pub(super) partitions: i32,
}

impl Client {
    /// Makes a client; `defaults` give way to the user's properties, `fixed` do not.
    pub(super) fn new(
        cluster: &Cluster,
        role: Role,
        defaults: &[(&str, &str)],
        fixed: &[(&str, &str)],
    ) -> Result<Arc<Self>, Error> {
        let mut config = ClientConfig::new();
        for (key, value) in COMMON.iter().chain(defaults) {
            config.set(*key, *value);
        }
        for (key, value) in &cluster.properties {
            config.set(key, value);
        }
        for (key, value) in fixed {
            config.set(*key, *value);
        }
        let level = if tracing::enabled!(tracing::Level::DEBUG) {
            rdkafka::config::RDKafkaLogLevel::Debug
        } else {
            rdkafka::config::RDKafkaLogLevel::Info
        };
        config.set_log_level(level);
        let context = Context::new(cluster.token_source.clone());
        let native = ffi::client(&config, role, context).map_err(|error| Error::Configuration {
            cause: error.into(),
        })?;
        Ok(Arc::new(Self {
            main: Queue::main(&native),
            native: ManuallyDrop::new(native),
            brokers: cluster.brokers().to_owned(),
            stop: cluster.stop.clone(),
            listener: cluster.listener.clone(),
            deadline: Mutex::new(cluster.deadline),
            protocol: config
                .get("security.protocol")
                .unwrap_or("plaintext")
                .to_ascii_lowercase(),
            makes_topics: config.get("allow.auto.create.topics").is_some_and(is_true),
            answered: AtomicBool::new(false),
            built_in: OnceLock::new(),
            early: Mutex::default(),
            revival: Revival::default(),
        }))
    }

    /// Serves log lines, errors, token requests, and hands delivery reports on;
    /// waits `timeout` for the first event and not at all for the rest.
    pub(super) fn serve(&self, timeout: Duration, mut delivered: impl FnMut(Delivery)) {
        self.revival.look(&self.native, &self.brokers);
        let mut timeout = timeout;
        while let Some(event) = self.main.event(timeout) {
            timeout = Duration::ZERO;
            match event.read() {
                Some(Said::Deliveries(deliveries)) => deliveries.for_each(&mut delivered),
                Some(Said::Log(level, facility, line)) => {
                    log(level, &facility, &line);
                    if facility == "FAIL"
                        && let Some(text) = self.hung_up_on(&line)
                    {
                        self.native.context().remember(Trouble {
                            code: Code::BrokerTransportFailure,
                            text,
                            fatal: false,
                        });
                    }
                }
                Some(Said::Error(code, fatal, text)) => {
                    tracing::debug!(target: "librdkafka", "{code:?}: {text}");
                    if code == Code::AllBrokersDown {
                        self.revival.lost();
                    }
                    let text = self.hung_up_on(&text).unwrap_or(text);
                    self.native
                        .context()
                        .remember(Trouble { code, text, fatal });
                }
                Some(Said::TokenWanted) => {
                    let token = self.native.context().token();
                    ffi::answer_token(
                        &self.native,
                        token
                            .as_ref()
                            .map(|(token, until, principal)| {
                                (token.as_str(), *until, principal.as_str())
                            })
                            .map_err(String::as_str),
                    );
                }
                Some(Said::Statistics(json)) => self.native.context().keep_statistics(json),
                None => {}
            }
        }
    }

    /// What a line tells of a listener that wants something else, until something was answered.
    fn hung_up_on(&self, line: &str) -> Option<String> {
        let unknown = !self.answered.load(Ordering::Relaxed);
        unknown.then(|| hung_up_on(line, &self.protocol)).flatten()
    }

    /// Serves events and keeps delivery reports for [`Client::take_early`].
    pub(super) fn serve_keeping(&self, timeout: Duration) {
        self.serve(timeout, |delivery| {
            self.early
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(delivery);
        });
    }

    /// Moves the reports kept so far into `deliveries`.
    pub(super) fn take_early(&self, deliveries: &mut Vec<Delivery>) {
        deliveries.append(&mut self.early.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Why the connections failed, if they did and trying again cannot help.
    ///
    /// Once a broker has answered, a refused handshake is one of many brokers being
    /// restarted or given new certificates, which passes.
    pub(super) fn decided(&self) -> Option<Error> {
        let trouble = self.native.context().trouble()?;
        if trouble.fatal {
            return Some(Error::other("go on", Cause::from(&trouble)));
        }
        (Context::decides(trouble.code) && !self.answered.load(Ordering::Relaxed))
            .then(|| Error::connection(&self.brokers, CONNECT_TIMEOUT, Some(&trouble)))
    }

    /// What went wrong last, when all brokers have been away since [`Client::forget_trouble`].
    pub(super) fn outage(&self) -> Option<String> {
        let context = self.native.context();
        let trouble = context.all_down().then(|| context.trouble())?;
        Some(trouble.map_or_else(
            || "all brokers are down".to_owned(),
            |trouble| Cause::from(&trouble).to_string(),
        ))
    }

    /// Whether the run is to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_asked()
    }

    pub(super) fn forget_trouble(&self) {
        self.native.context().forget();
    }

    /// Asks until there is an answer, an error that decides, or time is up: [`CONNECT_TIMEOUT`],
    /// or the cluster's deadline before it.
    ///
    /// Asks in slices, because librdkafka reports troubles only where they are served.
    pub(super) fn ask<T>(
        &self,
        what: &str,
        mut question: impl FnMut(Duration) -> Result<T, KafkaError>,
    ) -> Result<T, Error> {
        let start = Instant::now();
        let patience = self.deadline().map_or(CONNECT_TIMEOUT, |deadline| {
            CONNECT_TIMEOUT.min(deadline.saturating_duration_since(start))
        });
        let mut slice = Duration::from_millis(200);
        loop {
            let left = patience.saturating_sub(start.elapsed());
            let answer = question(slice.min(left));
            self.serve_keeping(Duration::ZERO);
            let error = match answer {
                Ok(answer) => {
                    self.answered.store(true, Ordering::Relaxed);
                    self.forget_trouble();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            if let Some(error) = self.decided() {
                return Err(error);
            }
            if self.stop.is_asked() {
                return Err(Error::Interrupted);
            }
            let code = error.rdkafka_error_code();
            if !code.is_some_and(will_pass) {
                return Err(Error::other(what, error));
            }
            if left <= slice {
                return Err(self.unreachable(patience));
            }
            slice = (slice * 2).min(LONGEST_SLICE);
        }
    }

    /// Why no broker could be used for so long.
    pub(super) fn unreachable(&self, within: Duration) -> Error {
        let trouble = self.native.context().trouble();
        Error::connection(&self.brokers, within, trouble.as_ref())
    }

    /// The addresses as the user gave them.
    pub(super) fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Whether the cluster's deadline has passed.
    pub(super) fn is_late(&self) -> bool {
        let now = Instant::now();
        self.deadline().is_some_and(|deadline| now >= deadline)
    }

    fn deadline(&self) -> Option<Instant> {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the deadline anew.
    pub(super) fn set_deadline(&self, deadline: Option<Instant>) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
    }

    /// Whether the run is to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_asked()
    }

    /// Waits for something that is under way elsewhere.
    pub(super) fn pause(&self, time: Duration) -> Result<(), Error> {
        if self.stop.wait(time) {
            return Err(Error::Interrupted);
        }
        Ok(())
    }

    /// The partitions of `topic`.
    ///
    /// A broker that makes it because we ask says meanwhile that there is none.
    pub(super) fn topic(&self, topic: &str) -> Result<TopicMetadata, Error> {
        let start = Instant::now();
        loop {
            let error = match self.look_for(topic)? {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let Error::UnknownTopic { topic, .. } = error else {
                return Err(error);
            };
            if !self.makes_topics || start.elapsed() >= CONNECT_TIMEOUT || self.is_late() {
                return Err(Error::UnknownTopic {
                    nearest: self.nearest_topic(&topic),
                    built_in: self.has_shown_built_in_broker(),
                    topic,
                });
            }
            self.pause(MAKING)?;
        }
    }

    /// The partitions of `topic`, or why it cannot be read or written.
    fn look_for(&self, topic: &str) -> Result<Result<TopicMetadata, Error>, Error> {
        let what = format!("ask for topic `{topic}`");
        self.ask(&what, |timeout| {
            let metadata = self.native.fetch_metadata(Some(topic), timeout)?;
            let Some(found) = metadata.topics().first() else {
                return Ok(Err(unknown_topic(topic)));
            };
            // A topic just made may have no leaders yet.
            let leaderless = RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
            if found.error() == Some(leaderless) && found.partitions().is_empty() {
                return Err(KafkaError::MetadataFetch(leaderless.into()));
            }
            Ok(read_topic(found))
        })
    }

    /// The topic that was most likely meant.
    fn nearest_topic(&self, name: &str) -> Option<String> {
        self.topics()
            .unwrap_or_default()
            .into_iter()
            .map(|topic| (strsim::jaro_winkler(name, &topic.name), topic.name))
            .filter(|(likeness, _)| *likeness > 0.85)
            .max_by(|(one, _), (other, _)| one.total_cmp(other))
            .map(|(_, name)| name)
    }

    /// Every topic of the cluster that may be seen.
    pub(super) fn topics(&self) -> Result<Vec<TopicMetadata>, Error> {
        let metadata = self.all_metadata()?;
        Ok(metadata
            .topics()
            .iter()
            .filter_map(|topic| read_topic(topic).ok())
            .collect())
    }

    /// Asks for everything, and tells the listener which topics there are.
    pub(super) fn all_metadata(&self) -> Result<Metadata, Error> {
        let metadata = self.ask("ask for the topics", |timeout| {
            self.native.fetch_metadata(None, timeout)
        })?;
        let topics = metadata.topics().iter();
        let there = topics.filter(|topic| !topic.partitions().is_empty());
        let names: Vec<&str> = there.map(MetadataTopic::name).collect();
        self.tell(Listed::Topics, &names);
        Ok(metadata)
    }

    /// Tells the listener names that the cluster listed.
    pub(super) fn tell(&self, listed: Listed, names: &[&str]) {
        if let Some(listener) = &self.listener {
            listener(listed, names);
        }
    }

    /// Whether this is the built-in broker, by its cluster id; `None` when there is no id.
    pub(super) fn is_built_in_broker(&self) -> Option<bool> {
        self.cluster_is_built_in(Duration::from_secs(1))
    }

    /// Whether the answers so far show that this is the built-in broker.
    pub(super) fn has_shown_built_in_broker(&self) -> bool {
        self.cluster_is_built_in(Duration::ZERO) == Some(true)
    }

    fn cluster_is_built_in(&self, patience: Duration) -> Option<bool> {
        if let Some(known) = self.built_in.get() {
            return Some(*known);
        }
        let id = self.native.fetch_cluster_id(patience)?;
        Some(*self.built_in.get_or_init(|| id.starts_with("mockCluster")))
    }

    /// Looks up one offset for each of `partitions`.
    pub(super) fn offsets(
        &self,
        partitions: &[(String, i32)],
        at: Lookup,
    ) -> Result<Vec<i64>, Error> {
        let list = self.look_up(partitions, at, |_| false)?;
        Ok(list
            .into_iter()
            .map(|offset| offset.unwrap_or(-1))
            .collect())
    }

    /// Looks up one offset for each of `partitions`; `None` for those that are gone.
    pub(super) fn offsets_of_those_there(
        &self,
        partitions: &[(String, i32)],
        at: Lookup,
    ) -> Result<Vec<Option<i64>>, Error> {
        self.look_up(partitions, at, |code| {
            matches!(
                code,
                Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition
            )
        })
    }

    /// `None` where an error is tolerated and where there is no such offset.
    fn look_up(
        &self,
        partitions: &[(String, i32)],
        at: Lookup,
        tolerates: impl Fn(Code) -> bool,
    ) -> Result<Vec<Option<i64>>, Error> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let list = self.ask("look up offsets", |timeout| {
            let mut list = TopicPartitionList::with_capacity(partitions.len());
            for (topic, partition) in partitions {
                list.add_partition_offset(topic, *partition, at.offset())?;
            }
            let asked = ffi::offsets_for_times(&self.native, &list, timeout);
            let refused = list.elements().into_iter().filter_map(|element| {
                let error = element.error().err()?;
                (!error.rdkafka_error_code().is_some_and(&tolerates)).then_some(error)
            });
            match asked.err().or_else(|| refused.last()) {
                None => Ok(list),
                // The partition was there a moment ago: librdkafka says this of one without a
                // leader too.
                Some(error) if error.rdkafka_error_code() == Some(Code::UnknownPartition) => {
                    Err(KafkaError::OffsetFetch(Code::LeaderNotAvailable))
                }
                Some(error) => Err(error),
            }
        })?;
        // The answer keeps the order of the question.
        Ok(list
            .elements()
            .iter()
            .map(|element| match (element.error(), element.offset()) {
                (Ok(()), Offset::Offset(offset)) => Some(offset),
                _ => None,
            })
            .collect())
    }
}

/// Which offset is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    Beginning,
    /// Of what may be read: behind it are open transactions.
    End,
    /// Of the first record at or after this time in milliseconds; -1 when there is none.
    Time(i64),
}

impl Lookup {
    /// The `ListOffsets` request's own values for its two ends.
    fn offset(self) -> Offset {
        match self {
            Self::Beginning => Offset::Beginning,
            Self::End => Offset::End,
            Self::Time(millis) => Offset::Offset(millis),
        }
    }
}

/// Whether librdkafka takes this text for true.
fn is_true(text: &str) -> bool {
    text == "1"
        || ["true", "t"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word))
}

fn unknown_topic(topic: &str) -> Error {
    Error::UnknownTopic {
        topic: topic.to_owned(),
        nearest: None,
        built_in: false,
    }
}

fn read_topic(topic: &rdkafka::metadata::MetadataTopic) -> Result<TopicMetadata, Error> {
    let name = topic.name().to_owned();
    match topic.error().map(Code::from) {
        None | Some(Code::NoError | Code::LeaderNotAvailable) => {}
        Some(Code::InvalidTopic) => return Err(Error::InvalidTopic(name)),
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => {
            return Err(unknown_topic(&name));
        }
        Some(code) => return Err(Error::other(format!("see topic `{name}`"), code)),
    }
    Ok(TopicMetadata {
        name,
        partitions: i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX),
    })
}

/// What a line of librdkafka's tells of a listener that hangs up because it wants TLS and
/// gets plain text, or the other way round, or wants SASL and gets a question.
///
/// librdkafka 2.12.1 means to say so itself, but often takes its own words for a broker that
/// was restarted, which is only worth a line in its log.
fn hung_up_on(line: &str, protocol: &str) -> Option<String> {
    let (early, guess) = if line.contains("in state UP") && !protocol.starts_with("sasl") {
        // Kafka tells anybody which requests it knows, and no more without credentials.
        (
            "in state UP",
            "is it a SASL listener, and `security.protocol` to be set?",
        )
    } else if protocol.ends_with("ssl") {
        (
            "in state SSL_HANDSHAKE",
            "connecting to a PLAINTEXT broker listener?",
        )
    } else {
        (
            "in state APIVERSION_QUERY",
            "is it an SSL listener, and `security.protocol` to be set?",
        )
    };
    let closed = ["closed by peer", "reset by peer", "Broken pipe"];
    let told = line.contains(early)
        && closed.iter().any(|closed| line.contains(closed))
        && !line.contains(guess);
    told.then(|| {
        // The name of the thread comes first in the log.
        let line = line.split_once("]: ").map_or(line, |(_, rest)| rest);
        let line = line.split(" (after ").next().unwrap_or(line);
        format!("{line}: {guess}")
    })
}

/// librdkafka's log lines are talk for `-v`; the levels are syslog's.
fn log(level: i32, facility: &str, line: &str) {
    match level {
        ..=3 => tracing::error!(target: "librdkafka", "{facility}: {line}"),
        4 => tracing::warn!(target: "librdkafka", "{facility}: {line}"),
        5 | 6 => tracing::info!(target: "librdkafka", "{facility}: {line}"),
        _ => tracing::debug!(target: "librdkafka", "{facility}: {line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: &str = "[thrd:localhost:1/bootstrap]: localhost:1/bootstrap: Disconnected: \
        connection closed by peer: receive 0 after POLLIN (after 3ms in state APIVERSION_QUERY)";

    #[test]
    fn a_listener_that_hangs_up_on_plain_text_may_want_tls() {
        let told = hung_up_on(CLOSED, "plaintext").unwrap();
        assert!(told.starts_with("localhost:1/bootstrap: Disconnected: "));
        assert!(told.contains("`security.protocol`") && !told.contains("after 3ms"));
        assert_eq!(hung_up_on(CLOSED, "ssl"), None);
    }

    #[test]
    fn a_listener_that_hangs_up_on_the_first_question_may_want_credentials() {
        let closed = CLOSED.replace("APIVERSION_QUERY", "UP");
        for protocol in ["plaintext", "ssl"] {
            let told = hung_up_on(&closed, protocol).unwrap();
            assert!(told.contains("a SASL listener"), "{told}");
        }
        assert_eq!(hung_up_on(&closed, "sasl_plaintext"), None);
    }

    #[test]
    fn a_listener_that_hangs_up_on_a_handshake_may_want_plain_text() {
        let line = "ssl://localhost:1/bootstrap: Disconnected: SSL connection closed by peer \
            (after 2ms in state SSL_HANDSHAKE)";
        let told = hung_up_on(line, "sasl_ssl").unwrap();
        assert!(told.ends_with("closed by peer: connecting to a PLAINTEXT broker listener?"));
        assert_eq!(hung_up_on(line, "plaintext"), None);
    }

    #[test]
    fn what_a_broker_says_that_has_just_started_is_asked_again_and_a_refusal_is_not() {
        for code in [Code::UnknownLeaderEpoch, Code::OffsetNotAvailable] {
            assert!(will_pass(code), "{code:?}");
        }
        for code in [
            Code::UnknownTopicOrPartition,
            Code::TopicAuthorizationFailed,
        ] {
            assert!(!will_pass(code), "{code:?}");
        }
    }
}
