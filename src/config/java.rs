//! Turns the properties of Java clients into librdkafka's, and leaves out what only Java clients need.
//!
//! Names are those of Kafka's `ProducerConfig`, `ConsumerConfig`, `AdminClientConfig`, `SslConfigs` and
//! `SaslConfigs`. What is in neither list goes on to librdkafka, which refuses what it does not know.

use super::properties_file::{Entry, Reading};
use super::{ConfigError, MECHANISM, Note, Origin, PASSWORD, Property, StoreUse, jaas, property};

/// Same meaning and unit, another name.
const RENAMED: [(&str, &str); 5] = [
    ("fetch.max.wait.ms", "fetch.wait.max.ms"),
    ("max.request.size", "message.max.bytes"),
    ("ssl.keystore.certificate.chain", "ssl.certificate.pem"),
    ("ssl.keystore.key", "ssl.key.pem"),
    ("ssl.truststore.certificates", "ssl.ca.pem"),
];

/// Properties that no librdkafka client has and that say nothing about the connection.
const JAVA_ONLY: [&str; 41] = [
    "auto.include.jmx.reporter",
    "buffer.memory",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "config.providers",
    "default.api.timeout.ms",
    "exclude.internal.topics",
    "group.remote.assignor.class",
    "interceptor.classes",
    "key.deserializer",
    "key.serializer",
    "max.block.ms",
    "max.poll.records",
    "metadata.max.idle.ms",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "partitioner.adaptive.partitioning.enable",
    "partitioner.availability.timeout.ms",
    "partitioner.class",
    "partitioner.ignore.keys",
    "receive.buffer.bytes",
    "sasl.client.callback.handler.class",
    "sasl.kerberos.ticket.renew.jitter",
    "sasl.kerberos.ticket.renew.window.factor",
    "security.providers",
    "send.buffer.bytes",
    "socket.connection.setup.timeout.max.ms",
    "ssl.enabled.protocols",
    "ssl.engine.factory.class",
    "ssl.keymanager.algorithm",
    "ssl.keystore.type",
    "ssl.protocol",
    "ssl.provider",
    "ssl.secure.random.implementation",
    "ssl.trustmanager.algorithm",
    "ssl.truststore.password",
    "transaction.two.phase.commit.enable",
    "value.deserializer",
];

/// Beginnings of such names.
const JAVA_ONLY_PREFIXES: [&str; 6] = [
    "key.",
    "value.",
    "sasl.login.",
    "ssl.truststore.",
    "confluent.",
    "sasl.jaas.",
];

/// Properties of other clients: registries, and confluent-kafka-go.
const OTHERS_PREFIXES: [&str; 4] = ["schema.registry.", "basic.auth.", "bearer.auth.", "go."];

/// Returns whether a file with this key was written for a Java client.
pub(super) fn is_java_only(key: &str) -> bool {
    JAVA_ONLY.contains(&key)
        || JAVA_ONLY_PREFIXES
            .iter()
            .any(|prefix| key.starts_with(prefix))
        || RENAMED.iter().any(|(name, _)| *name == key)
}

/// Makes librdkafka's properties of the lines of a file; of a repeated key the last line counts.
pub(super) fn translate(entries: &[Entry]) -> Result<Reading, ConfigError> {
    let mut reading = Reading::default();
    for entry in entries.iter().rev() {
        let keep =
            |key: &str, value: &str| Property::new(key, value.to_owned(), entry.origin.clone());
        match entry.key.as_str() {
            "sasl.jaas.config" => reading.properties.extend(log_in(entry)?),
            "ssl.truststore.location" => {
                let path = entry.value.as_str();
                match store_format(entries, "ssl.truststore.type", path)
                    .as_deref()
                    .unwrap_or("JKS")
                {
                    "PEM" => reading.properties.push(keep("ssl.ca.location", path)?),
                    format => return Err(java_store(StoreUse::Trust, entry, format)),
                }
            }
            "ssl.keystore.location" => {
                let path = entry.value.as_str();
                // Without a type and a suffix that tells, it is librdkafka's own property of that name.
                match store_format(entries, "ssl.keystore.type", path)
                    .as_deref()
                    .unwrap_or("PKCS12")
                {
                    "PKCS12" => reading
                        .properties
                        .push(keep("ssl.keystore.location", path)?),
                    "PEM" => {
                        reading.properties.push(keep("ssl.key.location", path)?);
                        reading
                            .properties
                            .push(keep("ssl.certificate.location", path)?);
                    }
                    format => return Err(java_store(StoreUse::Key, entry, format)),
                }
            }
            // Read with the location.
            "ssl.truststore.type" | "ssl.keystore.type" => {}
            "ssl.endpoint.identification.algorithm" if entry.value.is_empty() => {
                reading.properties.push(keep(&entry.key, "none")?);
            }
            key if steers_others(key, &entry.value) => reading.notes.push(Note::OtherClientsOnly {
                key: entry.key.clone(),
                origin: entry.origin.clone(),
            }),
            key => {
                if let Some(flag) = property::decided_by(key) {
                    let (key, origin) = (entry.key.clone(), entry.origin.clone());
                    reading
                        .notes
                        .push(Note::DecidedByKpipe { key, origin, flag });
                } else {
                    let renamed = RENAMED
                        .iter()
                        .find(|(name, _)| *name == key)
                        .map_or(key, |(_, name)| name);
                    reading.properties.push(keep(renamed, &entry.value)?);
                }
            }
        }
    }
    reading.notes.reverse();
    Ok(reading)
}

/// A key of other clients, a Java class where librdkafka has a name of its own, or a way to fetch
/// tokens that librdkafka has only with libcurl.
fn steers_others(key: &str, value: &str) -> bool {
    let renamed = RENAMED.iter().any(|(name, _)| *name == key);
    (!renamed && is_java_only(key))
        || OTHERS_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
        || (key == "partition.assignment.strategy" && value.contains('.'))
        || (key.starts_with("sasl.oauthbearer.") && key != "sasl.oauthbearer.config")
}

fn log_in(entry: &Entry) -> Result<Vec<Property>, ConfigError> {
    let origin = &entry.origin;
    let mut login = jaas::parse(&entry.value).map_err(|source| ConfigError::Jaas {
        origin: origin.clone(),
        source,
    })?;
    let class = login.module.rsplit('.').next().unwrap_or_default();
    match class {
        "PlainLoginModule" | "ScramLoginModule" => {
            [("username", "sasl.username"), ("password", PASSWORD)]
                .into_iter()
                .filter_map(|(option, key)| Some((key, login.options.remove(option)?)))
                .map(|(key, value)| Property::new(key, value, origin.clone()))
                .collect()
        }
        // Its options tell a Java class how to fetch a token; here a command does.
        "OAuthBearerLoginModule" => Ok(vec![Property::new(
            MECHANISM,
            "OAUTHBEARER".to_owned(),
            origin.clone(),
        )?]),
        _ => Err(ConfigError::LoginModule {
            origin: origin.clone(),
            module: login.module,
        }),
    }
}

/// The format as given, else as the suffix tells.
fn store_format(entries: &[Entry], type_key: &str, path: &str) -> Option<String> {
    let given = entries
        .iter()
        .rfind(|entry| entry.key == type_key && !entry.value.is_empty());
    if let Some(given) = given {
        return Some(given.value.to_ascii_uppercase());
    }
    let format = match path.rsplit('.').next()?.to_ascii_lowercase().as_str() {
        "p12" | "pfx" => "PKCS12",
        "pem" | "crt" => "PEM",
        "jks" | "keystore" => "JKS",
        _ => return None,
    };
    Some(format.to_owned())
}

fn java_store(store: StoreUse, entry: &Entry, format: &str) -> ConfigError {
    ConfigError::JavaStore {
        origin: Origin::clone(&entry.origin),
        store,
        path: entry.value.clone(),
        format: format.to_owned(),
    }
}
