//! Microseconds in words.

/// Such as `850µs`, `12.3ms`, `4.21s`, `2m03s`, `1h04m`, and with a minus where clocks differ.
pub(super) fn in_words(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let (seconds, minutes) = (micros / 1_000_000, micros / 60_000_000);
    let text = match micros {
        0..1_000 => format!("{micros}µs"),
        1_000..1_000_000 => with_digits(micros, 1_000, "ms"),
        1_000_000..60_000_000 => with_digits(micros, 1_000_000, "s"),
        60_000_000..3_600_000_000 => format!("{minutes}m{:02}s", seconds % 60),
        _ => format!("{}h{:02}m", minutes / 60, minutes % 60),
    };
    format!("{sign}{text}")
}

/// Three digits, cut off rather than rounded up into the next unit.
fn with_digits(micros: u64, unit: u64, name: &str) -> String {
    let (whole, rest) = (micros / unit, micros % unit);
    match whole {
        0..10 => format!("{whole}.{:02}{name}", rest * 100 / unit),
        10..100 => format!("{whole}.{}{name}", rest * 10 / unit),
        _ => format!("{whole}{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn spans_have_three_digits_at_most() {
        for (micros, expected) in [
            (0, "0µs"),
            (-850, "-850µs"),
            (1_000, "1.00ms"),
            (12_345, "12.3ms"),
            (-999_999, "-999ms"),
            (4_219_000, "4.21s"),
            (59_999_999, "59.9s"),
            (123_000_000, "2m03s"),
            (3_840_000_000, "1h04m"),
            (360_000_000_000, "100h00m"),
        ] {
            assert_eq!(in_words(micros), expected);
        }
    }
}
