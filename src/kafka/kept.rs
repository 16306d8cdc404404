//! Positions that are kept beside what was read, and not by the group: where they are known, they decide.

use std::error::Error as StdError;
use std::sync::Arc;

use super::Notice;
use super::client::{Client, Lookup};
use super::error::Error;

/// Whoever keeps positions, asked on the thread that asks for records.
pub trait Kept: Send + Sync {
    /// The next offset wanted of each partition, where it is known.
    fn next(&self, partitions: &[(String, i32)]) -> Result<Vec<Option<i64>>, Trouble>;
    /// Partitions of which nothing was known begin there.
    fn begin(&self, begins: &[((String, i32), i64)]) -> Result<(), Trouble>;
}

/// Why positions are not known.
pub type Trouble = Box<dyn StdError + Send + Sync>;

/// The positions of some partitions.
pub(super) struct Positions(pub(super) Vec<Option<i64>>);

impl Positions {
    /// Asks `kept`, and makes sure that the logs reach as far: one that does not is another than it was.
    pub(super) fn of(
        kept: &dyn Kept,
        client: &Client,
        partitions: &[(String, i32)],
    ) -> Result<Self, Error> {
        let next = kept.next(partitions).map_err(failed)?;
        let ends = client.offsets(partitions, Lookup::End)?;
        for (((topic, partition), next), end) in partitions.iter().zip(&next).zip(ends) {
            if let Some(next) = next.filter(|next| *next > end) {
                return Err(Error::OtherLog {
                    topic: topic.clone(),
                    partition: *partition,
                    next,
                    end,
                });
            }
        }
        Ok(Self(next))
    }

    /// What is to be told where the group has committed something else.
    pub(super) fn differences(
        &self,
        partitions: &[(String, i32)],
        committed: &[Option<i64>],
    ) -> Option<Notice> {
        let of_each = partitions.iter().zip(&self.0).zip(committed);
        let mut differing = of_each.filter_map(|((place, kept), committed)| {
            let committed = committed.filter(|committed| *kept != Some(*committed))?;
            Some((place, *kept, committed))
        });
        let ((topic, partition), kept, committed) = differing.next()?;
        Some(Notice::Differs {
            topic: topic.clone(),
            partition: *partition,
            kept,
            committed,
            more: differing.count(),
        })
    }
}

/// Writes down where the partitions begin of which nothing was known.
pub(super) fn pin(
    kept: &dyn Kept,
    partitions: &[(String, i32)],
    known: &Positions,
    starts: &[i64],
) -> Result<(), Error> {
    let of_each = partitions.iter().zip(&known.0).zip(starts);
    let begins: Vec<_> = of_each
        .filter(|((_, known), _)| known.is_none())
        .map(|((place, _), start)| (place.clone(), *start))
        .collect();
    if begins.is_empty() {
        return Ok(());
    }
    kept.begin(&begins).map_err(failed)
}

fn failed(trouble: Trouble) -> Error {
    Error::Kept(Arc::from(trouble))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_once_for_all_partitions() {
        let partitions: Vec<_> = (0..4).map(|number| ("t".to_owned(), number)).collect();
        let kept = Positions(vec![Some(5), Some(7), None, Some(3)]);
        let same = kept.differences(&partitions, &[Some(5), Some(7), None, None]);
        assert_eq!(same, None);
        let told = kept.differences(&partitions, &[Some(5), Some(6), Some(1), None]);
        assert_eq!(
            told.map(|told| told.to_string()).as_deref(),
            Some(
                "t[1] goes on at offset 7, as the file has it, though the group is at 6; 1 more partition differs"
            )
        );
        let told = kept.differences(&partitions, &[None, None, Some(1), None]);
        assert_eq!(
            told.map(|told| told.to_string()).as_deref(),
            Some("t[2] begins anew, as the file has nothing of it, though the group is at 1")
        );
    }
}
