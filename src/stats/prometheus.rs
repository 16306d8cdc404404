//! The text format of Prometheus (exposition format 0.0.4): families of samples.

use std::fmt::{Display, Write};

/// A page of metrics under construction.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// Adds a gauge with its samples, each the labels and the number; nothing when there are none.
    pub fn gauge<N: Display, L: AsRef<str>>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Vec<(&'static str, L)>, N)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        // Writing to a `String` does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, number) in samples {
            self.0.push_str(name);
            for (index, (label, value)) in labels.iter().enumerate() {
                let _ = write!(self.0, "{}{label}=\"", if index == 0 { '{' } else { ',' });
                self.escape(value.as_ref());
                self.0.push('"');
            }
            if !labels.is_empty() {
                self.0.push('}');
            }
            let _ = writeln!(self.0, " {number}");
        }
    }

    fn escape(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                character => self.0.push(character),
            }
        }
    }

    /// The text.
    pub fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_head_once() {
        let mut page = Page::default();
        page.gauge(
            "lag",
            "How far.",
            [(vec![("g", "a"), ("t", "b")], 1), (vec![("g", "c")], -2)],
        );
        page.gauge("brokers", "How many.", [(Vec::<(_, &str)>::new(), 3)]);
        page.gauge("none", "Nothing.", Vec::<(Vec<(_, &str)>, i32)>::new());
        assert_eq!(
            page.finish(),
            "# HELP lag How far.\n# TYPE lag gauge\nlag{g=\"a\",t=\"b\"} 1\nlag{g=\"c\"} -2\n\
             # HELP brokers How many.\n# TYPE brokers gauge\nbrokers 3\n"
        );
    }

    #[test]
    fn what_would_end_a_label_is_escaped() {
        let mut page = Page::default();
        page.gauge("m", "M.", [(vec![("g", "a\"b\\c\nd")], 0)]);
        assert!(page.finish().ends_with("m{g=\"a\\\"b\\\\c\\nd\"} 0\n"));
    }
}
