//! What is expected of the records of a topic, and how far those that were seen are from it.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::filter::{Difference, Filter, json_of};
use crate::counted::Counted;
use crate::record::{Place, Pointer, Record};

/// How many records are to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Exactly(u64),
    AtLeast(u64),
}

/// How many different values a part of the matching records is to have.
#[derive(Clone, Debug)]
pub struct Distinct {
    part: Part,
    /// As it was typed.
    name: String,
    count: usize,
}

#[derive(Clone, Debug)]
enum Part {
    Key,
    /// Inside the value.
    Value(Pointer),
}

/// Why a text is no [`Distinct`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected `/pointer=N` or `key=N`")]
pub struct NotADistinct;

impl FromStr for Distinct {
    type Err = NotADistinct;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, count) = text.rsplit_once('=').ok_or(NotADistinct)?;
        Ok(Self {
            part: match name {
                "key" => Part::Key,
                pointer => Part::Value(pointer.parse().map_err(|_| NotADistinct)?),
            },
            name: name.to_owned(),
            count: count.parse().map_err(|_| NotADistinct)?,
        })
    }
}

/// What is expected.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Which records match.
    pub filter: Filter,
    pub count: Count,
    pub distinct: Vec<Distinct>,
}

/// What the records so far say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, and no further record can change that.
    HoldsForGood,
    /// It holds so far.
    Holds,
    /// It does not hold yet.
    Open,
    /// It does not hold, and no further record can change that.
    Refuted,
}

/// The record that held the most of what `--subset` asks for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the closest is at {place}, where {difference}{}", Others(*.differences - 1))]
pub struct Closest {
    pub place: Place,
    differences: usize,
    /// The first of them.
    difference: Difference,
}

struct Others(usize);

impl fmt::Display for Others {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            others => write!(formatter, ", and {others} more"),
        }
    }
}

/// How what was seen differs from what is expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Shortfall {
    #[error("expected {}, found {found}{}", Expected(*.wanted, *.is_filtered), Among(*.among))]
    Count {
        wanted: Count,
        is_filtered: bool,
        found: u64,
        /// Records that were looked at, where not all match.
        among: Option<u64>,
        #[source]
        closest: Option<Closest>,
    },
    #[error("expected {wanted} distinct values of {part}, found {found}")]
    Distinct {
        part: String,
        wanted: usize,
        found: usize,
    },
}

struct Expected(Count, bool);

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (quantity, number) = match self.0 {
            Count::Exactly(0) => ("no", 0),
            Count::Exactly(number) => ("exactly", number),
            Count::AtLeast(number) => ("at least", number),
        };
        formatter.write_str(quantity)?;
        if number > 0 {
            write!(formatter, " {number}")?;
        }
        let matching = if self.1 { " matching" } else { "" };
        let plural = if number == 1 { "" } else { "s" };
        write!(formatter, "{matching} record{plural}")
    }
}

struct Among(Option<u64>);

impl fmt::Display for Among {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(seen) => write!(formatter, " among {seen}"),
            None => Ok(()),
        }
    }
}

/// What was seen so far.
///
/// Of distinct values it keeps digests, and no more of them than are expected and one.
#[derive(Debug)]
pub struct Tally<'a> {
    expectation: &'a Expectation,
    seen: u64,
    matched: u64,
    distinct: Vec<HashSet<[u8; 32]>>,
    closest: Option<Closest>,
    last: Option<Place>,
}

impl<'a> Tally<'a> {
    /// Nothing was seen yet.
    pub fn new(expectation: &'a Expectation) -> Self {
        Self {
            expectation,
            seen: 0,
            matched: 0,
            distinct: vec![HashSet::new(); expectation.distinct.len()],
            closest: None,
            last: None,
        }
    }

    /// Records that were looked at.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The record that does not match and comes closest to it, where that is asked.
    pub fn closest(&self) -> Option<&Closest> {
        self.closest.as_ref()
    }

    /// What was found, in words.
    pub fn found(&self) -> String {
        let matched = self.matched;
        if self.expectation.filter.is_empty() {
            format!("Found {}.", Counted(matched, "record"))
        } else {
            let matching = Counted(matched, "matching record");
            format!("Found {matching} among {}.", self.seen)
        }
    }

    /// The record that was looked at last.
    pub fn last(&self) -> Option<Place> {
        self.last
    }

    /// Counts one record in.
    pub fn see(&mut self, record: &Record<'_>) {
        let place = record.position().place;
        self.seen += 1;
        self.last = Some(place);
        if !self.expectation.filter.matches(record) {
            self.compare(record, place);
            return;
        }
        self.matched += 1;
        for (wanted, found) in self.expectation.distinct.iter().zip(&mut self.distinct) {
            if found.len() <= wanted.count
                && let Some(digest) = wanted.part.digest(record)
            {
                found.insert(digest);
            }
        }
    }

    /// Notes a record that does not match, if it comes closer than those before.
    fn compare(&mut self, record: &Record<'_>, place: Place) {
        let Some(subset) = &self.expectation.filter.subset else {
            return;
        };
        let (differences, first) = subset.differences(json_of(record));
        let is_closer = |closest: &Closest| differences < closest.differences;
        if let Some(difference) = first
            && self.closest.as_ref().is_none_or(is_closer)
        {
            self.closest = Some(Closest {
                place,
                differences,
                difference,
            });
        }
    }

    /// What the records so far say.
    pub fn verdict(&self) -> Verdict {
        let pairs = || self.expectation.distinct.iter().zip(&self.distinct);
        let is_over = match self.expectation.count {
            Count::Exactly(wanted) => self.matched > wanted,
            Count::AtLeast(_) => false,
        };
        if is_over || pairs().any(|(wanted, found)| found.len() > wanted.count) {
            return Verdict::Refuted;
        }
        let (Count::Exactly(wanted) | Count::AtLeast(wanted)) = self.expectation.count;
        if self.matched < wanted || pairs().any(|(wanted, found)| found.len() < wanted.count) {
            return Verdict::Open;
        }
        match self.expectation.count {
            Count::AtLeast(_) if self.distinct.is_empty() => Verdict::HoldsForGood,
            _ => Verdict::Holds,
        }
    }

    /// How what was seen differs from what is expected; `None` when it does not.
    pub fn shortfall(&self) -> Option<Shortfall> {
        let (is_short, is_over) = match self.expectation.count {
            Count::Exactly(wanted) => (self.matched < wanted, self.matched > wanted),
            Count::AtLeast(wanted) => (self.matched < wanted, false),
        };
        if is_short || is_over {
            return Some(Shortfall::Count {
                wanted: self.expectation.count,
                is_filtered: !self.expectation.filter.is_empty(),
                found: self.matched,
                among: Some(self.seen).filter(|seen| *seen > self.matched),
                closest: self.closest.clone().filter(|_| is_short),
            });
        }
        let mut pairs = self.expectation.distinct.iter().zip(&self.distinct);
        let (wanted, found) = pairs.find(|(wanted, found)| wanted.count != found.len())?;
        Some(Shortfall::Distinct {
            part: wanted.name.clone(),
            wanted: wanted.count,
            found: found.len(),
        })
    }
}

impl Part {
    /// What stands for this part of a record; `None` where it is not there.
    fn digest(&self, record: &Record<'_>) -> Option<[u8; 32]> {
        let part: &[u8] = match self {
            Self::Key => record.key?,
            Self::Value(pointer) => {
                let json = pointer.find(json_of(record)?).ok()??.get();
                if json.starts_with('"')
                    && json.contains('\\')
                    && let Ok(text) = serde_json::from_str::<String>(json)
                {
                    // However its characters are escaped.
                    return Some(Sha256::digest(serde_json::to_string(&text).ok()?).into());
                }
                json.as_bytes()
            }
        };
        Some(Sha256::digest(part).into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expectation(count: Count, distinct: &[&str]) -> Expectation {
        Expectation {
            filter: Filter::default(),
            count,
            distinct: distinct.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    fn record<'a>(key: &'a str, value: &'a str) -> Record<'a> {
        Record {
            topic: "orders",
            partition: 2,
            offset: 4711,
            timestamp: None,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers: &[],
        }
    }

    /// The verdict after each record, beginning with none.
    fn verdicts(expectation: &Expectation, records: &[(&str, &str)]) -> Vec<Verdict> {
        let mut tally = Tally::new(expectation);
        let mut verdicts = vec![tally.verdict()];
        for (key, value) in records {
            tally.see(&record(key, value));
            verdicts.push(tally.verdict());
        }
        verdicts
    }

    fn told(expectation: &Expectation, records: &[(&str, &str)]) -> Option<String> {
        let mut tally = Tally::new(expectation);
        for (key, value) in records {
            tally.see(&record(key, value));
        }
        tally
            .shortfall()
            .map(|shortfall| crate::ui::in_one_line(&shortfall))
    }

    const THREE: [(&str, &str); 3] = [
        ("a", r#"{"n":1}"#),
        ("b", r#"{"n":2}"#),
        ("a", r#"{"n":1.0}"#),
    ];

    #[test]
    fn at_least_holds_for_good_as_soon_as_it_does() {
        use Verdict::{HoldsForGood, Open};
        let two = expectation(Count::AtLeast(2), &[]);
        assert_eq!(
            verdicts(&two, &THREE),
            [Open, Open, HoldsForGood, HoldsForGood]
        );
    }

    #[test]
    fn exactly_holds_until_there_is_one_more() {
        use Verdict::{Holds, Open, Refuted};
        let two = expectation(Count::Exactly(2), &[]);
        assert_eq!(verdicts(&two, &THREE), [Open, Open, Holds, Refuted]);
        let none = expectation(Count::Exactly(0), &[]);
        assert_eq!(verdicts(&none, &THREE[..1]), [Holds, Refuted]);
    }

    #[test]
    fn distinct_values_are_counted_as_they_are_written() {
        use Verdict::{Holds, Open, Refuted};
        let keys = expectation(Count::AtLeast(0), &["key=2"]);
        assert_eq!(verdicts(&keys, &THREE), [Open, Open, Holds, Holds]);
        let values = expectation(Count::AtLeast(0), &["/n=2"]);
        assert_eq!(verdicts(&values, &THREE), [Open, Open, Holds, Refuted]);
        let escaped = expectation(Count::AtLeast(0), &["/s=1"]);
        let records = [
            ("", r#"{"s":"a"}"#),
            ("", r#"{"s":"\u0061"}"#),
            ("", r#"{"t":1}"#),
            ("", "x"),
        ];
        assert_eq!(verdicts(&escaped, &records)[4], Holds);
    }

    #[test]
    fn a_shortfall_says_what_was_expected_and_what_there_is() {
        let of = |count| expectation(count, &[]);
        assert_eq!(
            told(&of(Count::AtLeast(4)), &THREE).unwrap(),
            "expected at least 4 records, found 3"
        );
        assert_eq!(
            told(&of(Count::AtLeast(1)), &[]).unwrap(),
            "expected at least 1 record, found 0"
        );
        assert_eq!(
            told(&of(Count::Exactly(2)), &THREE).unwrap(),
            "expected exactly 2 records, found 3"
        );
        assert_eq!(
            told(&of(Count::Exactly(0)), &THREE[..1]).unwrap(),
            "expected no records, found 1"
        );
        assert_eq!(
            told(&expectation(Count::AtLeast(0), &["key=3"]), &THREE).unwrap(),
            "expected 3 distinct values of key, found 2"
        );
        assert_eq!(told(&of(Count::Exactly(3)), &THREE), None);
    }

    #[test]
    fn the_record_that_comes_closest_is_told() {
        let mut wanted = expectation(Count::AtLeast(1), &[]);
        wanted.filter.subset = Some(r#"{"n":7,"m":1}"#.parse().unwrap());
        assert_eq!(
            told(
                &wanted,
                &[("", "text"), ("", r#"{"n":8,"m":1}"#), ("", r#"{"n":1}"#)]
            )
            .unwrap(),
            "expected at least 1 matching record, found 0 among 3: \
             the closest is at -p 2 -o 4711, where /n is 8, not 7"
        );
        assert!(
            told(&wanted, &[("", r#"{"o":8}"#)])
                .unwrap()
                .ends_with("where /m is not there, wanted 1, and 1 more")
        );
    }

    #[test]
    fn what_says_nothing_of_distinct_values_is_refused() {
        for text in ["", "/n", "/n=", "/n=x", "n=1", "key=-1", "/a~=1", "/n=1 "] {
            assert_eq!(text.parse::<Distinct>().err(), Some(NotADistinct), "{text}");
        }
        let inside: Distinct = "/a=b=3".parse().unwrap();
        assert_eq!((inside.name.as_str(), inside.count), ("/a=b", 3));
    }

    proptest! {
        #[test]
        fn the_last_verdict_agrees_with_a_count_of_all(
            keys in prop::collection::vec("[abc]", 0..8), wanted in 0_u64..6, distinct in 0_usize..5,
        ) {
            let different: HashSet<&String> = keys.iter().collect();
            let records: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "{}")).collect();
            let expected = expectation(Count::Exactly(wanted), &[&format!("key={distinct}")]);
            let last = *verdicts(&expected, &records).last().unwrap();
            let holds = keys.len() as u64 == wanted && different.len() == distinct;
            prop_assert_eq!(last == Verdict::Holds, holds);
            prop_assert_eq!(told(&expected, &records).is_none(), holds);
            let over = keys.len() as u64 > wanted || different.len() > distinct;
            prop_assert_eq!(last == Verdict::Refuted, over);
        }
    }
}
