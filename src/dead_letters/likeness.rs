//! Error messages that differ in an id, a time or an address alone, made equal.

/// The longest likeness, in bytes.
const LONGEST: usize = 200;

/// So many digits in a row are no status any more, but somebody's number.
const NUMBER: usize = 4;

/// Returns the first line of a message, with `#` for what makes each different: long numbers, times,
/// hexadecimal ids. Numbers of up to three digits stay, because statuses are such.
pub(super) fn likeness(message: &str) -> String {
    let mut rest = beginning(message);
    let mut like = String::with_capacity(rest.len());
    while let Some(first) = rest.chars().next() {
        let is_part =
            |character: char| character.is_ascii_alphanumeric() || "-.:".contains(character);
        if is_part(first) {
            let end = rest
                .find(|character| !is_part(character))
                .unwrap_or(rest.len());
            append(&rest[..end], &mut like);
            rest = &rest[end..];
        } else {
            like.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    like
}

/// Returns the first line of a message that is not empty, as much of it as is worth showing.
pub(super) fn beginning(message: &str) -> &str {
    let mut lines = message.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    &line[..line.floor_char_boundary(LONGEST)]
}

fn append(token: &str, like: &mut String) {
    // A colon or a full stop behind a word is punctuation.
    let word = token.trim_end_matches(['-', '.', ':']);
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_hex = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    let begins_with_digit = word.starts_with(|first: char| first.is_ascii_digit());
    if begins_with_digit && digits >= NUMBER
        || digits > 0 && word.len() >= 8 && word.bytes().all(is_hex)
    {
        like.push('#');
    } else {
        let mut rest = word;
        while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
            like.push_str(&rest[..start]);
            let number = &rest[start..];
            let end = number
                .find(|character: char| !character.is_ascii_digit())
                .unwrap_or(number.len());
            like.push_str(if end < NUMBER { &number[..end] } else { "#" });
            rest = &number[end..];
        }
        like.push_str(rest);
    }
    like.push_str(&token[word.len()..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_each_message_different_is_left_out() {
        for (message, like) in [
            ("no customer 48151623 in orders", "no customer # in orders"),
            ("order-48151: gone", "order-#: gone"),
            ("at 2026-11-20T10:00:00.123Z: no", "at #: no"),
            ("id 0190a1b2-77aa-7bbb-8ccc-0123456789ab.", "id #."),
            ("trace deadbeef01", "trace #"),
            ("10.0.0.17:9092 hung up", "# hung up"),
            (
                "https://api.example.com:8443/v1/orders/123456",
                "https://api.example.com:#/v1/orders/#",
            ),
            ("took 12345ms", "took #"),
        ] {
            assert_eq!(likeness(message), like);
        }
    }

    #[test]
    fn statuses_and_words_stay_as_they_are() {
        for message in [
            "exit 22: curl: (22) The requested URL returned error: 422",
            "java.lang.IllegalStateException: é 日本",
            "facade decade",
            "",
        ] {
            assert_eq!(likeness(message), message);
        }
        assert_eq!(likeness("\n  first\nsecond"), "first");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(likeness(&"ä".repeat(LONGEST)).len(), LONGEST);
    }
}
