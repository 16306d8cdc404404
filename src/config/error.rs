//! What can be wrong with the settings, and what to type instead.

use std::io;
use std::path::PathBuf;

use super::{JaasError, Origin, RunError};
use crate::shell::quoted;
use crate::suggest::{did_you_mean, nearest};

/// A wrong configuration: exit status 2. Never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An `-X` without `=` or without a name; only what can be a name is kept.
    #[error("-X {key}: expected property=value")]
    NotAProperty { key: String },
    /// A secret in argv, where every user of the machine can read it.
    #[error("-X {key}: a secret does not belong on the command line, where others can read it")]
    SecretInArguments { key: String },
    /// `user:password@host` among the brokers.
    #[error("{origin}: brokers are host:port, without credentials")]
    CredentialsInBrokers { origin: Origin },
    /// Brokers were asked for and none were named, as by `-b "$UNSET"`.
    #[error("{origin}: no brokers are named")]
    EmptyBrokers { origin: Origin },
    /// A profile that has none is to be connected by, and nobody else names any.
    #[error("{origin}: no brokers are named")]
    ProfileWithoutBrokers { origin: Origin },
    /// A port that no broker can have.
    #[error("{origin}: `{broker}` has no port from 1 to 65535")]
    BrokerPort { origin: Origin, broker: String },
    /// A property that loads code or runs commands.
    #[error(
        "{origin}: {key} is refused: it loads code, runs commands or replaces parts of the client"
    )]
    UnsafeProperty { key: String, origin: Origin },
    /// A property on which kpipe's guarantees rest.
    #[error("{origin}: {key} is refused: kpipe decides it, so that what it reports is true")]
    DecidedByKpipe {
        key: String,
        origin: Origin,
        flag: &'static str,
    },
    /// A NUL, which ends a text in C.
    #[error("{origin}: a property with a NUL in it")]
    Nul { origin: Origin },
    /// OAUTHBEARER, and nothing that fetches tokens.
    #[error("{origin}: OAUTHBEARER needs a command that prints a token")]
    OauthWithoutCommand { origin: Origin },

    /// The `-F` file or stdin cannot be read.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A line of the `-F` file is no property.
    #[error("{origin}: expected property=value")]
    NotAPropertyLine { origin: Origin },
    /// A `\u` escape of a Java properties file is broken.
    #[error("{origin}: broken escape")]
    BrokenEscape { origin: Origin },
    /// The `-F` file is not text.
    #[error("{}: not UTF-8", path.display())]
    NotUtf8 { path: PathBuf },
    /// `sasl.jaas.config` cannot be understood.
    #[error("{origin}: sasl.jaas.config")]
    Jaas { origin: Origin, source: JaasError },
    /// A login module that needs Java or a mechanism that is not compiled in.
    #[error("{origin}: sasl.jaas.config: {module} is not a login module that kpipe knows")]
    LoginModule { origin: Origin, module: String },
    /// A store that only Java reads.
    #[error("{origin}: {store} {path} is a {format} store, which only Java reads", store = store.key())]
    JavaStore {
        origin: Origin,
        store: StoreUse,
        path: String,
        format: String,
    },

    /// There is no place to look for config.toml.
    #[error("no config.toml: none of KPIPE_CONFIG, XDG_CONFIG_HOME and HOME is set")]
    NoConfigFile,
    /// config.toml is not what it should be.
    #[error("{}:{line}:{column}: {message}", path.display())]
    ConfigFile {
        path: PathBuf,
        line: usize,
        column: usize,
        message: String,
        nearest: Option<String>,
    },
    /// No such profile.
    #[error("{}: no profile {name}", path.display())]
    UnknownProfile {
        path: PathBuf,
        name: String,
        known: Vec<String>,
    },
    /// config.toml names commands, and others could change them.
    #[error("{}: names commands and is writable by others", path.display())]
    WritableByOthers { path: PathBuf },
    /// config.toml holds a secret, and others can read it.
    #[error("{}: holds a secret and is readable by others", path.display())]
    ReadableByOthers { path: PathBuf },
    /// A profile says in two ways where its password is.
    #[error("{origin}: give one of sasl.password, password_file and password_command")]
    SeveralPasswords { origin: Origin },
    /// The `password_command` gave no password.
    #[error("{origin}: password_command")]
    PasswordCommand { origin: Origin, source: RunError },
}

/// What a Java key store is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreUse {
    /// `ssl.truststore.location`: the certificates that vouch for the brokers.
    Trust,
    /// `ssl.keystore.location`: the client's own key and certificates.
    Key,
}

impl StoreUse {
    /// Returns Java's name of the property that holds the path.
    pub fn key(self) -> &'static str {
        match self {
            Self::Trust => "ssl.truststore.location",
            Self::Key => "ssl.keystore.location",
        }
    }
}

impl ConfigError {
    /// Returns what to type instead, where there is something.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotAProperty { .. } => "for example -X client.id=me".to_owned(),
            Self::SecretInArguments { key } if key == "sasl.jaas.config" => {
                "put it into a file and give that with -F".to_owned()
            }
            Self::SecretInArguments { key } => {
                let variable = key.to_ascii_uppercase().replace('.', "_");
                format!(
                    "set KPIPE_X_{variable}, put it into a file for -F (or -F <(command)), or give the profile a password_file"
                )
            }
            Self::CredentialsInBrokers { .. } => {
                "use -X sasl.username=… and KPIPE_X_SASL_PASSWORD, or a profile".to_owned()
            }
            Self::EmptyBrokers { .. } | Self::BrokerPort { .. } => "for example --brokers localhost:9092".to_owned(),
            Self::ProfileWithoutBrokers { .. } => {
                "`brokers = \"kafka:9092\"` in the profile, or --brokers or KPIPE_BROKERS".to_owned()
            }
            Self::DecidedByKpipe { flag, .. } => format!("see {flag}"),
            Self::OauthWithoutCommand { .. } | Self::LoginModule { .. } => {
                "in a profile: oauth_token_command = [\"command\", \"that\", \"prints\", \"a\", \"token\"]".to_owned()
            }
            Self::JavaStore { store, path, format, .. } => convert(*store, path, format),
            Self::ConfigFile { nearest: Some(nearest), .. } => did_you_mean(nearest),
            Self::UnknownProfile { known, .. } if known.is_empty() => {
                "a profile begins with [profiles.NAME]".to_owned()
            }
            Self::UnknownProfile { name, known, .. } => match nearest(name, known.iter().map(String::as_str)) {
                Some(nearest) => did_you_mean(nearest),
                None => format!("there are: {}", known.join(", ")),
            },
            Self::WritableByOthers { path } => format!("chmod go-w {}", quoted(&path.to_string_lossy())),
            Self::ReadableByOthers { path } => {
                format!("chmod 600 {}, or use password_file or password_command", quoted(&path.to_string_lossy()))
            }
            _ => return None,
        })
    }
}

/// The command that makes of a Java store what librdkafka reads.
///
/// A trust store becomes PEM at once: `-list -rfc` prints every certificate, and readers of PEM skip
/// the text between. A key store becomes PKCS12, which librdkafka reads, so that the key is never
/// written in clear.
fn convert(store: StoreUse, path: &str, format: &str) -> String {
    let stem = path.rsplit_once('.').map_or(
        path,
        |(stem, suffix)| if suffix.contains('/') { path } else { stem },
    );
    let (pem, pkcs12) = (format!("{stem}.pem"), format!("{stem}.p12"));
    match store {
        StoreUse::Trust if format == "PKCS12" => format!(
            "make a PEM of it with `openssl pkcs12 -nokeys -in {} -out {}`, and in its place set \
             `ssl.ca.location={pem}`",
            quoted(path),
            quoted(&pem)
        ),
        StoreUse::Trust => format!(
            "make a PEM of it with `keytool -list -rfc -keystore {} > {}`, and in its place set \
             `ssl.ca.location={pem}`",
            quoted(path),
            quoted(&pem)
        ),
        StoreUse::Key => format!(
            "make PKCS12 of it with `keytool -importkeystore -srckeystore {} -destkeystore {} \
             -deststoretype PKCS12`, and in its place set `ssl.keystore.location={pkcs12}` and \
             `ssl.keystore.type=PKCS12`",
            quoted(path),
            quoted(&pkcs12)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_converted_beside_itself() {
        let hint = convert(StoreUse::Trust, "/a b/client.truststore.jks", "JKS");
        assert!(hint.contains(
            "`keytool -list -rfc -keystore '/a b/client.truststore.jks' > '/a b/client.truststore.pem'`"
        ));
        assert!(
            convert(StoreUse::Key, "/etc.d/store", "JKS")
                .contains("-destkeystore /etc.d/store.p12 ")
        );
        assert!(
            convert(StoreUse::Trust, "t.p12", "PKCS12")
                .contains("`openssl pkcs12 -nokeys -in t.p12 -out t.pem`")
        );
    }
}
