//! Rows as a table for people or as JSON Lines for programs, from one value.

use std::io::{self, BufWriter, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;

use super::sanitize::OneLine;

/// How a list is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// A table on a terminal, JSON Lines in a pipe
    #[default]
    Auto,
    Table,
    Json,
}

impl Output {
    /// Whether a table is printed, rather than JSON Lines.
    pub fn is_table(self, is_terminal: bool) -> bool {
        self == Self::Table || (self == Self::Auto && is_terminal)
    }
}

/// Writes `rows`; in a table, the fields of the first name the columns.
pub fn write(
    rows: &[impl Serialize],
    output: Output,
    is_terminal: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    write_columns(rows, &[], output, is_terminal, out)
}

/// Writes `rows`; a table has these columns alone, in their order, unless none are named.
pub fn write_columns(
    rows: &[impl Serialize],
    columns: &[&str],
    output: Output,
    is_terminal: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    // JSON is written token by token.
    let mut out = BufWriter::new(out);
    if !output.is_table(is_terminal) {
        for row in rows {
            serde_json::to_writer(&mut out, row)?;
            out.write_all(b"\n")?;
        }
        return out.flush();
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    for (index, row) in rows.iter().enumerate() {
        let Value::Object(mut fields) = serde_json::to_value(row)? else {
            continue;
        };
        if !columns.is_empty() {
            let named = |name: &&str| Some(((*name).to_owned(), fields.remove(*name)?));
            fields = columns.iter().filter_map(named).collect();
        }
        if index == 0 {
            table.set_header(
                fields
                    .keys()
                    .map(|name| name.replace('_', "-").to_uppercase()),
            );
        }
        table.add_row(fields.values().map(|value| match value {
            Value::String(text) => OneLine(text).to_string(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        }));
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim())?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts how often it is written to.
    #[derive(Default)]
    struct Calls(usize);

    impl Write for Calls {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn rows_are_written_many_at_a_time() {
        let rows = vec![serde_json::json!({"name": "orders", "state": "ACTIVE"}); 100];
        for output in [Output::Json, Output::Table] {
            let mut calls = Calls::default();
            write(&rows, output, false, &mut calls).unwrap();
            assert_eq!(calls.0, 1);
        }
    }
}
