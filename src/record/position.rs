//! Where a record is, in words that the next command takes.

use std::fmt;

/// A record's place in a topic: `-p 2 -o 4711`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub partition: i32,
    pub offset: i64,
}

/// A record's place in a cluster as `kpipe tail` takes it, `orders -p 2 -o 4711`. The topic's name is as it came:
/// whoever prints it looks after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position<'a> {
    pub topic: &'a str,
    pub place: Place,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "-p {} -o {}", self.partition, self.offset)
    }
}

impl fmt::Display for Position<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.topic, self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_what_tail_takes() {
        let place = Place {
            partition: 2,
            offset: 4711,
        };
        let topic = "orders";
        assert_eq!(Position { topic, place }.to_string(), "orders -p 2 -o 4711");
    }
}
