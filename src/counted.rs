//! So many of something, as a person says it.

use std::fmt;

/// A number and what there is so much of: `1 record`, `2 records`.
pub(crate) struct Counted<'a, N>(pub N, pub &'a str);

impl<N: fmt::Display + PartialEq + From<u8>> fmt::Display for Counted<'_, N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, noun) = self;
        let plural = if *number == N::from(1) { "" } else { "s" };
        write!(formatter, "{number} {noun}{plural}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_is_singular() {
        let told = [0_u64, 1, 2].map(|number| Counted(number, "record").to_string());
        assert_eq!(told, ["0 records", "1 record", "2 records"]);
    }
}
