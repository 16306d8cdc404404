//! The order of JSON numbers, exact at any size: 9007199254740993 is not 9007199254740992.0.

use std::cmp::Ordering;
use std::iter;

/// Compares two texts that are JSON numbers (RFC 8259 §6) by their value.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (Decimal::new(left), Decimal::new(right));
    match (left.sign(), right.sign()) {
        (1, 1) => left.compare_magnitude(&right),
        (-1, -1) => right.compare_magnitude(&left),
        (left, right) => left.cmp(&right),
    }
}

struct Decimal<'a> {
    negative: bool,
    /// Digits and perhaps a point, without leading zeros; empty for zero.
    digits: &'a str,
    /// Power of ten above the first digit: 5 has 1, 0.05 has -1.
    magnitude: i64,
}

impl<'a> Decimal<'a> {
    fn new(text: &'a str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let point = mantissa.find('.').unwrap_or(mantissa.len());
        let digits = mantissa.trim_start_matches(['0', '.']);
        let skipped = mantissa.len() - digits.len();
        // Counted from the point, which itself is skipped where the number begins with `0.`
        let distance = if skipped > point {
            offset(point + 1, skipped)
        } else {
            offset(point, skipped)
        };
        // An exponent that does not fit is beyond every mantissa that does.
        let exponent = exponent
            .parse()
            .unwrap_or(match exponent.strip_prefix('-') {
                Some(_) => i64::MIN,
                None => i64::MAX,
            });
        Decimal {
            negative,
            digits,
            magnitude: exponent.saturating_add(distance),
        }
    }

    fn sign(&self) -> i8 {
        match (self.significant().all(|digit| digit == b'0'), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    fn significant(&self) -> impl Iterator<Item = u8> {
        self.digits.bytes().filter(|byte| *byte != b'.')
    }

    fn compare_magnitude(&self, other: &Self) -> Ordering {
        let zeros = || iter::repeat(b'0');
        let length = self.digits.len().max(other.digits.len());
        self.magnitude.cmp(&other.magnitude).then_with(|| {
            let left = self.significant().chain(zeros()).take(length);
            left.cmp(other.significant().chain(zeros()).take(length))
        })
    }
}

/// `to - from`; lengths of texts in memory fit.
fn offset(to: usize, from: usize) -> i64 {
    i64::try_from(to).unwrap_or(i64::MAX) - i64::try_from(from).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_compare_by_value_and_not_by_text() {
        for (left, right, expected) in [
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            ("9007199254740993", "9007199254740992.9", Ordering::Greater),
            ("9007199254740993", "9007199254740993.0", Ordering::Equal),
            (
                "18446744073709551616",
                "18446744073709551615",
                Ordering::Greater,
            ),
            ("0", "-0", Ordering::Equal),
            ("0.00", "-0e9", Ordering::Equal),
            ("0", "0.0001", Ordering::Less),
            ("-0.0001", "0", Ordering::Less),
            ("1.50", "1.5", Ordering::Equal),
            ("100", "1e2", Ordering::Equal),
            ("0.01", "1E-2", Ordering::Equal),
            ("0.05", "0.5", Ordering::Less),
            ("10.05", "1005e-2", Ordering::Equal),
            ("1e+3", "1000", Ordering::Equal),
            ("9", "10", Ordering::Less),
            ("-9", "-10", Ordering::Greater),
            ("-5", "3", Ordering::Less),
            ("1e400", "2e400", Ordering::Less),
            ("1e400", "1e401", Ordering::Less),
            ("1e-400", "0", Ordering::Greater),
            ("1e99999999999999999999", "9", Ordering::Greater),
            ("1e-99999999999999999999", "1e-9", Ordering::Less),
        ] {
            assert_eq!(compare(left, right), expected, "{left} {right}");
            assert_eq!(compare(right, left), expected.reverse(), "{right} {left}");
        }
    }

    proptest! {
        #[test]
        fn integers_compare_as_integers(left: i128, right: i128, shift in 0_u32..127) {
            let (left, right) = (left >> shift, right >> shift);
            prop_assert_eq!(compare(&left.to_string(), &right.to_string()), left.cmp(&right));
        }

        #[test]
        fn a_shifted_point_and_an_exponent_cancel_out(
            left in -10_000_i64..10_000, right in -10_000_i64..10_000, places in 0_usize..8,
        ) {
            let scale = 10_f64.powi(i32::try_from(places).unwrap());
            #[allow(clippy::cast_precision_loss)] // far below 2^53
            let scaled = format!("{:.places$}", left as f64 / scale);
            prop_assert_eq!(compare(&scaled, &format!("{right}e-{places}")), left.cmp(&right));
            prop_assert_eq!(compare(&format!("{scaled}e{places}"), &right.to_string()), left.cmp(&right));
        }
    }
}
