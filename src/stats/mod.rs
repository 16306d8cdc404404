//! Numbers over time, computed from what was seen; asks nobody and knows no clock.

pub mod lag;
pub mod prometheus;
pub mod traffic;

/// The eighths of a bar.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar for each number, the largest the highest; nothing but a line where all are 0.
pub fn sparkline(numbers: &[u64]) -> String {
    let largest = numbers.iter().copied().max().unwrap_or(0).max(1);
    let height = |number: u64| {
        // The smallest that is not 0 stands out from 0.
        let eighths = u128::from(number) * 7;
        usize::try_from(eighths.div_ceil(u128::from(largest))).unwrap_or(7)
    };
    numbers.iter().map(|number| BARS[height(*number)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_numbers() {
        assert_eq!(sparkline(&[0, 1, 50, 100]), "▁▂▅█");
        assert_eq!(sparkline(&[0, 0]), "▁▁");
        assert_eq!(sparkline(&[u64::MAX, 1]), "█▂");
        assert_eq!(sparkline(&[]), "");
    }
}
