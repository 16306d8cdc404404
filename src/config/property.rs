//! One connection property: spelled one way, allowed from where it came, its secret never shown.

use std::fmt;
use std::path::PathBuf;

use super::ConfigError;

/// One librdkafka property and where its value came from.
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    /// librdkafka's name, of several the one that Java clients share where there is one.
    pub key: String,
    /// The value for librdkafka, in its unit, a secret in clear.
    pub value: String,
    /// Who set it.
    pub origin: Origin,
}

/// Who set a value, as `kpipe config show` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag of this command line.
    Flag(&'static str),
    /// A line of the `-F` file, counted from 1.
    File { path: PathBuf, line: usize },
    /// A profile of config.toml.
    Profile { name: String, file: PathBuf },
    /// An environment variable.
    Environment(String),
    /// kpipe itself.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => formatter.write_str(flag),
            Self::File { path, line } if path.as_os_str() == "-" => {
                write!(formatter, "stdin:{line}")
            }
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::Profile { name, file } => {
                write!(formatter, "profile {name} in {}", file.display())
            }
            Self::Environment(variable) => formatter.write_str(variable),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// librdkafka's other names (`_RK_C_ALIAS` in `rdkafka_conf.c`) and the one used here, so that a
/// stronger source overrides a weaker one that spells it differently.
const ALIASES: [(&str, &str); 12] = [
    ("auto.commit.enable", "enable.auto.commit"),
    ("compression.codec", "compression.type"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("message.send.max.retries", "retries"),
    ("metadata.broker.list", "bootstrap.servers"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("request.required.acks", "acks"),
    ("sasl.mechanism", "sasl.mechanisms"),
    (
        "sasl.oauthbearer.client.credentials.client.id",
        "sasl.oauthbearer.client.id",
    ),
    (
        "sasl.oauthbearer.client.credentials.client.secret",
        "sasl.oauthbearer.client.secret",
    ),
];

/// Properties that load code, run commands, or are pointers that no text can hold.
const UNSAFE: [&str; 14] = [
    "builtin.features",
    "default_topic_conf",
    "enabled_events",
    "interceptors",
    "internal.termination.signal",
    "opaque",
    "plugin.library.paths",
    "sasl.kerberos.kinit.cmd",
    "ssl.engine.id",
    "ssl.engine.location",
    "ssl.providers",
    "ssl_engine_callback_data",
    "msg_order_cmp",
    "log.queue",
];

/// Properties that would make kpipe's promises false (commits follow the output, every record is
/// accounted for), and the flag that has the say instead.
const DECIDED: [(&str, &str); 9] = [
    ("auto.commit.interval.ms", "--commit"),
    ("auto.offset.reset", "--offset"),
    ("delivery.report.only.error", "--receipts"),
    ("enable.auto.commit", "--commit"),
    ("enable.auto.offset.store", "--commit"),
    ("enable.partition.eof", "--exit"),
    ("group.id", "--group"),
    ("log_level", "-v"),
    ("transactional.id", "--transaction"),
];

/// Returns the one spelling of a property; kcat's `topic.` prefix is dropped.
pub(super) fn canonical(key: &str) -> &str {
    let key = match key.strip_prefix("topic.") {
        Some(rest) if !rest.starts_with("metadata.") && rest != "blacklist" => rest,
        _ => key,
    };
    ALIASES
        .iter()
        .find(|(alias, _)| *alias == key)
        .map_or(key, |(_, name)| name)
}

/// Returns the flag that decides this property in kpipe.
pub(super) fn decided_by(key: &str) -> Option<&'static str> {
    let key = canonical(key);
    DECIDED
        .iter()
        .find(|(name, _)| *name == key)
        .map(|(_, flag)| *flag)
}

/// Returns whether the value may not be shown; unknown properties are judged by their name.
pub(super) fn is_secret(key: &str) -> bool {
    let named = [
        "password",
        "passphrase",
        "secret",
        "user.info",
        "private.key.pem",
        "token",
    ];
    let whole = [
        "sasl.jaas.config",
        "sasl.oauthbearer.config",
        "ssl.key.pem",
        "ssl.keystore.key",
    ];
    whole.contains(&key) || named.iter().any(|word| key.ends_with(word))
}

fn is_unsafe(key: &str) -> bool {
    UNSAFE.contains(&key)
        || key.ends_with("_cb")
        || key.starts_with("test.")
        || key.starts_with("ut_")
}

/// Returns whether the port of `broker` can be one: `[scheme://]host[:port]`, an IPv6 address in
/// brackets or without a port.
fn has_port(broker: &str) -> bool {
    let broker = broker.trim();
    let address = broker.split_once("://").map_or(broker, |(_, rest)| rest);
    let host_ends = address.rfind(']').map_or(0, |end| end + 1);
    match address[host_ends..].split_once(':') {
        Some((_, port)) if host_ends > 0 || !port.contains(':') => {
            port.parse::<u16>().is_ok_and(|port| port > 0)
        }
        _ => true,
    }
}

impl Property {
    /// Makes a property that may be used; the same rules hold for every source.
    pub(super) fn new(key: &str, value: String, origin: Origin) -> Result<Self, ConfigError> {
        let key = canonical(key).to_owned();
        if is_unsafe(&key) {
            return Err(ConfigError::UnsafeProperty { key, origin });
        }
        if let Some(flag) = decided_by(&key) {
            return Err(ConfigError::DecidedByKpipe { key, origin, flag });
        }
        if matches!(origin, Origin::Flag(_)) && is_secret(&key) {
            return Err(ConfigError::SecretInArguments { key });
        }
        if key.contains('\0') || value.contains('\0') {
            return Err(ConfigError::Nul { origin });
        }
        if key == super::BROKERS {
            if value.trim().is_empty() {
                return Err(ConfigError::EmptyBrokers { origin });
            }
            if value.contains('@') {
                return Err(ConfigError::CredentialsInBrokers { origin });
            }
            if let Some(broker) = value.split(',').find(|broker| !has_port(broker)) {
                let broker = broker.trim().to_owned();
                return Err(ConfigError::BrokerPort { origin, broker });
            }
        }
        Ok(Self { key, value, origin })
    }

    /// Returns the value as it may be shown: a secret as `********`.
    pub fn masked(&self) -> &str {
        if is_secret(&self.key) {
            "********"
        } else {
            &self.value
        }
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}={:?} from {}",
            self.key,
            self.masked(),
            self.origin
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(key: &str, value: &str) -> Result<Property, ConfigError> {
        Property::new(key, value.to_owned(), Origin::Flag("-X"))
    }

    fn inherited(key: &str, value: &str) -> Result<Property, ConfigError> {
        Property::new(
            key,
            value.to_owned(),
            Origin::Environment("KPIPE_X".to_owned()),
        )
    }

    #[test]
    fn secrets_are_refused_in_arguments_only() {
        for key in [
            "sasl.password",
            "ssl.key.password",
            "ssl.keystore.password",
            "ssl.key.pem",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.client.credentials.client.secret",
            "sasl.oauthbearer.assertion.private.key.pem",
            "sasl.oauthbearer.assertion.private.key.passphrase",
            "sasl.oauthbearer.config",
            "sasl.jaas.config",
        ] {
            let error = typed(key, "hunter2").unwrap_err();
            assert!(
                matches!(error, ConfigError::SecretInArguments { .. }),
                "{key}: {error}"
            );
            assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("hunter2"));
            let property = inherited(key, "hunter2").unwrap();
            assert!(
                !format!("{property:?} {}", property.masked()).contains("hunter2"),
                "{key}"
            );
        }
    }

    #[test]
    fn what_loads_code_or_belies_kpipe_is_refused_from_every_source() {
        for key in [
            "plugin.library.paths",
            "ssl.engine.location",
            "ssl.providers",
            "log_cb",
            "test.mock.num.brokers",
        ] {
            for refused in [typed(key, "x"), inherited(key, "x")] {
                assert!(
                    matches!(refused, Err(ConfigError::UnsafeProperty { .. })),
                    "{key}"
                );
            }
        }
        for key in [
            "enable.auto.commit",
            "topic.auto.commit.enable",
            "group.id",
            "delivery.report.only.error",
        ] {
            for refused in [typed(key, "x"), inherited(key, "x")] {
                assert!(
                    matches!(refused, Err(ConfigError::DecidedByKpipe { .. })),
                    "{key}"
                );
            }
        }
    }

    #[test]
    fn brokers_hold_no_credentials_and_are_not_empty() {
        let error = typed("metadata.broker.list", "ann:hunter2@kafka:9092").unwrap_err();
        assert!(matches!(error, ConfigError::CredentialsInBrokers { .. }));
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        assert!(matches!(
            typed("bootstrap.servers", " "),
            Err(ConfigError::EmptyBrokers { .. })
        ));
        assert!(matches!(
            inherited("client.id", "a\0b"),
            Err(ConfigError::Nul { .. })
        ));
    }

    #[test]
    fn a_port_is_one_that_there_can_be() {
        for broker in [
            "a",
            "a:1",
            "PLAINTEXT://a:65535",
            "[::1]:9092",
            "::1",
            "[::1]",
            " a:1 ",
        ] {
            assert!(has_port(broker), "{broker}");
        }
        for broker in ["a:", "a:0", "a:65536", "a:x", "[::1]:0", "ssl://a:-1"] {
            assert!(!has_port(broker), "{broker}");
        }
    }

    #[test]
    fn every_spelling_becomes_one() {
        for (given, key) in [
            ("metadata.broker.list", "bootstrap.servers"),
            ("sasl.mechanism", "sasl.mechanisms"),
            ("topic.acks", "acks"),
            ("topic.request.required.acks", "acks"),
            (
                "topic.metadata.refresh.interval.ms",
                "topic.metadata.refresh.interval.ms",
            ),
        ] {
            assert_eq!(typed(given, "1").unwrap().key, key);
        }
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        for key in [
            "ssl.ca.location",
            "sasl.username",
            "sasl.oauthbearer.token.endpoint.url",
            "ssl.certificate.pem",
        ] {
            assert!(!is_secret(key), "{key}");
        }
    }
}
