//! Whether Kafka has what was approved, and what would make it so: compared, and nothing done.
//!
//! Only what a request says is compared: its partitions, its replication, and the settings
//! that it names. What else a topic has is nobody's drift.

mod backoff;
mod compare;
mod reconcile;
mod survey;

use std::collections::BTreeMap;

use backoff::delay;
use compare::differences;
pub use compare::{Difference, summary};
pub use reconcile::{Action, Pass, Told};
pub use survey::{Survey, Surveyed, survey};

use crate::error::CommandError;
use crate::kafka::{self, TopicConfig};
use crate::registry::{self, Spec};

/// Which of the two sides would not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Registry(#[from] registry::Error),
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        match error {
            Error::Registry(error) => error.into(),
            Error::Kafka(error) => error.into(),
        }
    }
}

/// A topic as Kafka has it, as far as it is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub partitions: i32,
    pub replication: i32,
    /// The settings that were asked for; `None` where settings cannot be asked for at all, as
    /// on the built-in broker.
    pub config: Option<TopicConfig>,
}

/// What a request is to Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// APPROVED, and the name has no ACTIVE topic.
    New,
    /// APPROVED, for a topic that is ACTIVE as this.
    Change(&'a Spec),
    /// ACTIVE.
    Kept,
}

/// What is to be done about a request, or to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Kafka has it just so.
    Agrees,
    /// Kafka lacks the topic, and it is to be created.
    Create,
    /// These changes make it so.
    Change {
        /// As many partitions as there are to be, if more than there are.
        partitions: Option<i32>,
        /// The settings to set, or with `None` to take back.
        config: BTreeMap<String, Option<String>>,
        differences: Vec<Difference>,
    },
    /// It stands against the request, and is left as it is.
    Conflict(Vec<Difference>),
    /// Kafka had it otherwise, or has lost it since it was ACTIVE.
    Drift(Vec<Difference>),
}

/// Decides what is to be done so that Kafka has what `asked` says.
pub fn verdict(asked: &Spec, purpose: Purpose<'_>, found: Option<&Found>) -> Verdict {
    let Some(found) = found else {
        let lacks = vec![Difference::absent(asked, true)];
        return match purpose {
            Purpose::New => Verdict::Create,
            // It was deleted behind our back; to make it again would hide that its records are lost.
            Purpose::Change(_) => Verdict::Conflict(lacks),
            Purpose::Kept => Verdict::Drift(lacks),
        };
    };
    let mut differences = differences(asked, found);
    if let Purpose::Change(from) = purpose {
        differences.extend(compare::taken_back(from, asked, found));
    }
    if differences.is_empty() {
        return Verdict::Agrees;
    }
    match purpose {
        Purpose::New => Verdict::Conflict(differences),
        Purpose::Kept => Verdict::Drift(differences),
        Purpose::Change(_)
            if asked.partitions < found.partitions || asked.replication != found.replication =>
        {
            Verdict::Conflict(differences)
        }
        Purpose::Change(_) => Verdict::Change {
            partitions: Some(asked.partitions).filter(|asked| *asked > found.partitions),
            config: differences
                .iter()
                .filter_map(|one| Some((one.setting()?.to_owned(), one.asked.clone())))
                .collect(),
            differences,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Setting;

    fn config(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
        let settings = settings.iter();
        settings
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn asked(partitions: i32, settings: &[(&str, &str)]) -> Spec {
        Spec {
            name: "orders".to_owned(),
            created_by: "alice".to_owned(),
            partitions,
            replication: 1,
            config: config(settings),
            description: None,
            kind: None,
        }
    }

    fn found(partitions: i32, settings: &[(&str, &str)]) -> Found {
        let setting = |(key, value): &(&str, &str)| {
            let setting = Setting {
                value: Some((*value).to_owned()),
                is_of_topic: true,
            };
            ((*key).to_owned(), setting)
        };
        Found {
            partitions,
            replication: 1,
            config: Some(settings.iter().map(setting).collect()),
        }
    }

    #[test]
    fn what_kafka_lacks_is_created_only_when_it_is_new() {
        let asked = asked(3, &[]);
        assert_eq!(verdict(&asked, Purpose::New, None), Verdict::Create);
        let Verdict::Conflict(lacks) = verdict(&asked, Purpose::Change(&asked), None) else {
            panic!("a topic that was deleted is not made again in silence");
        };
        assert_eq!((lacks[0].field.as_str(), lacks[0].safe), ("topic", false));
        assert_eq!(verdict(&asked, Purpose::Kept, None), Verdict::Drift(lacks));
    }

    #[test]
    fn what_kafka_has_just_so_agrees() {
        let asked = asked(3, &[("retention.ms", "1000")]);
        let found = found(3, &[("retention.ms", "1000")]);
        for purpose in [Purpose::New, Purpose::Change(&asked), Purpose::Kept] {
            assert_eq!(verdict(&asked, purpose, Some(&found)), Verdict::Agrees);
        }
    }

    #[test]
    fn what_kafka_has_otherwise_is_a_conflict_for_a_new_request_and_drift_of_an_old_one() {
        let (asked, found) = (asked(3, &[]), found(2, &[]));
        let verdict = |purpose| verdict(&asked, purpose, Some(&found));
        assert!(matches!(verdict(Purpose::New), Verdict::Conflict(_)));
        assert!(matches!(verdict(Purpose::Kept), Verdict::Drift(_)));
    }

    #[test]
    fn a_change_adds_partitions_and_sets_only_what_differs() {
        let asked = asked(5, &[("retention.ms", "1000"), ("cleanup.policy", "delete")]);
        let found = found(3, &[("retention.ms", "500"), ("cleanup.policy", "delete")]);
        let Verdict::Change {
            partitions,
            config: set,
            differences,
        } = verdict(&asked, Purpose::Change(&asked), Some(&found))
        else {
            panic!("it can be applied");
        };
        assert_eq!(partitions, Some(5));
        let retention = Some("1000".to_owned());
        assert_eq!(set, [("retention.ms".to_owned(), retention)].into());
        assert_eq!(differences.len(), 2);
    }

    #[test]
    fn a_change_that_kafka_cannot_make_is_a_conflict() {
        let (from, found) = (asked(3, &[]), found(3, &[]));
        let fewer = verdict(&asked(2, &[]), Purpose::Change(&from), Some(&found));
        assert!(matches!(fewer, Verdict::Conflict(_)));
        let mut replicated = asked(3, &[]);
        replicated.replication = 3;
        let other = verdict(&replicated, Purpose::Change(&from), Some(&found));
        assert!(matches!(other, Verdict::Conflict(_)));
    }
    #[test]
    fn a_change_takes_back_what_it_no_longer_sets_and_nothing_else() {
        let from = asked(3, &[("retention.ms", "1000"), ("segment.ms", "7")]);
        let to = asked(3, &[("segment.ms", "7")]);
        let mut found = found(
            3,
            &[("retention.ms", "1000"), ("segment.ms", "7"), ("x", "y")],
        );
        let Verdict::Change { config, .. } = verdict(&to, Purpose::Change(&from), Some(&found))
        else {
            panic!("it can be applied");
        };
        assert_eq!(config, [("retention.ms".to_owned(), None)].into());
        let config = found.config.as_mut().unwrap();
        config.get_mut("retention.ms").unwrap().is_of_topic = false;
        let again = verdict(&to, Purpose::Change(&from), Some(&found));
        assert_eq!(
            again,
            Verdict::Agrees,
            "what is inherited is nobody's to take back"
        );
    }
}
