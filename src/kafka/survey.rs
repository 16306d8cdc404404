//! What may be searched: asked of the cluster before it is decided where to look.

use std::sync::Arc;

use super::client::{Client, Cluster};
use super::error::Error;
use super::ffi::Role;
use super::offset_spec::{OffsetSpec, Start, Stop};
use super::plan::{self, Range, Topics};
use super::reader::{self, Reader};

/// A connection that tells where records may be, and then reads them; joins no group.
pub struct Survey {
    client: Arc<Client>,
    topics: Topics,
    found: Vec<(String, i32)>,
    follows: bool,
}

impl Survey {
    /// Connects, and asks which topics there are, of those named and of those that match.
    pub fn new(cluster: &Cluster, topics: Topics) -> Result<Self, Error> {
        let survey = Self::of(cluster, topics, true)?;
        if survey.found.is_empty() {
            let pattern = survey.topics.first_pattern().unwrap_or_default();
            return Err(Error::NoMatchingTopic(pattern.to_owned()));
        }
        Ok(survey)
    }

    /// The same for topics that are read on and on.
    pub fn to_follow(cluster: &Cluster, topics: Topics) -> Result<Self, Error> {
        Self::of(cluster, topics, false)
    }

    fn of(cluster: &Cluster, topics: Topics, bounded: bool) -> Result<Self, Error> {
        let (defaults, fixed) = (reader::defaults(bounded), reader::fixed(bounded));
        let client = Client::new(cluster, Role::Reader, &defaults, &fixed)?;
        let found = topics.find(&client)?;
        let found = found
            .into_iter()
            .map(|topic| (topic.name, topic.partitions));
        Ok(Self {
            found: found.collect(),
            client,
            topics,
            follows: !bounded,
        })
    }

    /// The topics found, and how many partitions each has.
    pub fn topics(&self) -> &[(String, i32)] {
        &self.found
    }

    /// Every partition of the topics found.
    pub fn partitions(&self) -> Vec<(String, i32)> {
        let all = |(topic, count): &(String, i32)| {
            let topic = topic.clone();
            (0..*count).map(move |partition| (topic.clone(), partition))
        };
        self.found.iter().flat_map(all).collect()
    }

    /// Whether offsets can be looked up by time, which the built-in broker cannot.
    pub fn knows_times(&self) -> bool {
        self.client.is_built_in_broker() != Some(true)
    }

    /// Where `spec` begins and ends in each of `partitions`; all ends are of one moment.
    ///
    /// Where times cannot be looked up, they are the beginning and the end of all there is.
    pub fn ranges(
        &self,
        partitions: &[(String, i32)],
        mut spec: OffsetSpec,
    ) -> Result<Vec<Range>, Error> {
        let has_time =
            matches!(spec.from, Some(Start::Time(_))) || matches!(spec.until, Some(Stop::Time(_)));
        if has_time && !self.knows_times() {
            spec.from = spec.from.map(|from| match from {
                Start::Time(_) => Start::Beginning,
                other => other,
            });
            spec.until = spec.until.map(|until| match until {
                Stop::Time(_) => Stop::End,
                other => other,
            });
        }
        plan::ranges(&self.client, partitions, &spec)
    }

    /// Reads these ranges; the connection is the one that looked for them.
    pub fn read(self, ranges: Vec<Range>) -> Result<Reader, Error> {
        Reader::of_ranges(self.client, self.topics, ranges, self.follows)
    }
}
