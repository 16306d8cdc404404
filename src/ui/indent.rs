//! JSON spread over lines, every number, name and string as it was.

/// Levels that are indented; deeper ones would be white space alone.
const INDENT_LIMIT: usize = 16;

/// Spreads `json`, which must be valid, over lines without reading it into values: those would round numbers and
/// drop repeated names.
pub(super) fn indented(json: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut bytes = json.bytes().peekable();
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.resize(out.len() + depth.min(INDENT_LIMIT) * 2, b' ');
    };
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                out.push(byte);
                while let Some(byte) = bytes.next() {
                    out.push(byte);
                    match byte {
                        b'\\' => out.extend(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b'{' | b'[' => {
                out.push(byte);
                while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
                if let Some(close) = bytes.next_if(|byte| matches!(byte, b'}' | b']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            b' ' | b'\t' | b'\r' => {}
            _ => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_element_has_its_line_and_nothing_is_rewritten() {
        let json = r#"{"n" : 1.50,"n":9007199254740993,"o":{ },"a":[],"s":"a, {\"b\\","l":[1,{"x":null}]}"#;
        let expected = r#"{
  "n": 1.50,
  "n": 9007199254740993,
  "o": {},
  "a": [],
  "s": "a, {\"b\\",
  "l": [
    1,
    {
      "x": null
    }
  ]
}"#;
        assert_eq!(String::from_utf8(indented(json)).unwrap(), expected);
    }

    #[test]
    fn depth_does_not_multiply_the_length() {
        let deep = "[".repeat(2000) + &"]".repeat(2000);
        assert!(indented(&deep).len() < 200_000);
    }

    proptest! {
        #[test]
        fn indented_json_means_the_same(
            texts in prop::collection::vec(".{0,8}", 0..4),
            number: i64,
            nested in prop::collection::vec(prop::collection::vec(any::<bool>(), 0..3), 0..3),
        ) {
            let mut value = serde_json::json!({ "a": texts, "n": number, "b": nested });
            for text in texts {
                value[&text] = Value::from(text.as_str());
            }
            let again: Value = serde_json::from_slice(&indented(&value.to_string())).unwrap();
            prop_assert_eq!(again.to_string(), value.to_string());
        }
    }
}
