//! What can be wrong with a spec, and where.

/// Why a spec is none.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// It is no TOML.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        line: usize,
        column: usize,
        message: String,
    },
    /// A setting that nothing reads; a typing mistake must not be ignored.
    #[error("{}: unknown setting `{name}`", Place(place))]
    UnknownSetting {
        place: String,
        name: String,
        /// The one that was most likely meant.
        suggestion: Option<&'static str>,
        /// Those that there are.
        known: &'static [&'static str],
    },
    /// No generator has this name.
    #[error("{}: no generator `{name}`", Place(place))]
    UnknownGenerator {
        place: String,
        name: String,
        suggestion: Option<&'static str>,
    },
    /// The key is of no field, or of one whose value is not always text or a whole number.
    #[error("`key`: no field `{name}` that can be a key")]
    Key {
        name: String,
        suggestion: Option<String>,
    },
    /// A setting is needed.
    #[error("{}: `{setting}` is missing", Place(place))]
    Missing {
        place: String,
        setting: &'static str,
    },
    /// A setting has another form.
    #[error("{}: `{setting}` is {expected}", Place(place))]
    Form {
        place: String,
        setting: &'static str,
        expected: &'static str,
    },
    /// A chain goes to where nothing is said about.
    #[error("{}: the chain has no state `{name}`", Place(place))]
    UnknownState {
        place: String,
        name: String,
        suggestion: Option<String>,
    },
    /// It says nothing of the payload.
    #[error("there are no `[fields]`")]
    NoFields,
    /// Objects in objects without end.
    #[error("{}: more than {most} objects inside each other", Place(place))]
    TooDeep { place: String, most: usize },
}

impl SpecError {
    /// Says where in `text` it stops being TOML.
    pub(super) fn syntax(error: &toml::de::Error, text: &str) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start));
        let before = before.unwrap_or_default();
        let in_line = before.rsplit('\n').next().unwrap_or_default();
        Self::Syntax {
            line: before.matches('\n').count() + 1,
            column: in_line.chars().count() + 1,
            message: error.message().to_owned(),
        }
    }

    /// Returns what to write instead.
    pub fn hint(&self) -> String {
        let meant = match self {
            Self::UnknownSetting { suggestion, .. } | Self::UnknownGenerator { suggestion, .. } => {
                suggestion.map(str::to_owned)
            }
            Self::Key { suggestion, .. } | Self::UnknownState { suggestion, .. } => {
                suggestion.clone()
            }
            _ => None,
        };
        match (meant, self) {
            (Some(meant), _) => crate::suggest::did_you_mean(&meant),
            (None, Self::UnknownSetting { known, .. }) => {
                format!("the settings here are {}", known.join(", "))
            }
            _ => "`kpipe help generate` has an example".to_owned(),
        }
    }
}

/// A place in a spec, of which the top has no name.
struct Place<'a>(&'a str);

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            "" => formatter.write_str("at the top"),
            place => write!(formatter, "`{place}`"),
        }
    }
}
