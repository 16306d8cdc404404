//! The stages of a message's life, in the order in which they usually happen.

use std::fmt;
use std::str::FromStr;

use crate::suggest::nearest;

/// One step in a message's life.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Stage {
    /// The record was made, or read by whoever sends it.
    Created,
    /// It is what it should be.
    Validated,
    /// Fields were added to it.
    Enriched,
    /// It was handed to the client library.
    Published,
    /// The broker acknowledged it.
    Persisted,
    /// A consumer took it out of Kafka.
    Consumed,
    /// That consumer did its work on it.
    Processed,
    /// It is in a database.
    Stored,
    /// It was sent on to whoever listens.
    Broadcasted,
    /// Somebody can see it.
    Displayed,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::Validated,
        Self::Enriched,
        Self::Published,
        Self::Persisted,
        Self::Consumed,
        Self::Processed,
        Self::Stored,
        Self::Broadcasted,
        Self::Displayed,
    ];

    /// The stage's name, in capitals.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Validated => "VALIDATED",
            Self::Enriched => "ENRICHED",
            Self::Published => "PUBLISHED",
            Self::Persisted => "PERSISTED",
            Self::Consumed => "CONSUMED",
            Self::Processed => "PROCESSED",
            Self::Stored => "STORED",
            Self::Broadcasted => "BROADCASTED",
            Self::Displayed => "DISPLAYED",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Why a text is no stage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a stage{}", DidYouMean(*suggestion))]
pub struct UnknownStage {
    name: String,
    suggestion: Option<&'static str>,
}

struct DidYouMean(Option<&'static str>);

impl fmt::Display for DidYouMean {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(formatter, ", did you mean `{name}`?"),
            None => write!(
                formatter,
                "; the stages are {}",
                Stage::ALL.map(Stage::name).join(", ")
            ),
        }
    }
}

impl FromStr for Stage {
    type Err = UnknownStage;

    /// Reads a stage's name in capitals or not.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_meant = |stage: &Self| stage.name().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(is_meant).ok_or_else(|| {
            let capitals = text.to_ascii_uppercase();
            UnknownStage {
                suggestion: nearest(&capitals, Self::ALL.into_iter().map(Self::name)),
                name: text.to_owned(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_its_name_in_capitals() {
        for stage in Stage::ALL {
            assert_eq!(stage.name().parse(), Ok(stage));
            assert_eq!(stage.name().to_lowercase().parse(), Ok(stage));
            let json = serde_json::to_string(&stage).unwrap();
            assert_eq!(json, format!("\"{stage}\""));
            assert_eq!(serde_json::from_str::<Stage>(&json).unwrap(), stage);
        }
    }

    #[test]
    fn stages_have_an_order() {
        assert!(Stage::ALL.is_sorted());
        assert!(Stage::Persisted < Stage::Consumed);
    }

    #[test]
    fn a_typo_is_told_what_it_was_meant_to_be() {
        let told = |text: &str| text.parse::<Stage>().unwrap_err().to_string();
        assert_eq!(
            told("store"),
            "`store` is not a stage, did you mean `STORED`?"
        );
        assert_eq!(
            told("BROADCAST"),
            "`BROADCAST` is not a stage, did you mean `BROADCASTED`?"
        );
        assert!(told("x").contains("; the stages are CREATED, VALIDATED, ENRICHED, "));
    }
}
