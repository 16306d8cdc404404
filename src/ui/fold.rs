//! Text folded at a terminal's width.
//!
//! What would run over the right edge goes on in the next line, indented. A terminal that wrapped
//! it would go on in the first column, where a payload could pass for what kpipe says.

use std::io::Write;

use anstyle::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::sanitize::one_line_into;

/// Where a terminal does not tell how wide it is.
pub(super) const USUAL_WIDTH: usize = 80;
/// A narrower one is written to as if it had so much.
const LEAST_WIDTH: usize = 20;
/// Columns from one tab stop to the next.
const TAB: usize = 8;

/// Lines for a terminal, being written.
pub(super) struct Sheet<'a> {
    out: &'a mut Vec<u8>,
    width: usize,
    color: bool,
    column: usize,
    /// The column where the line began.
    indent: usize,
    /// The column where it goes on when it was folded.
    hang: usize,
    /// How many more lines may begin.
    lines: usize,
    is_full: bool,
}

impl<'a> Sheet<'a> {
    /// Appends to `out`, from a first column on.
    pub(super) fn new(out: &'a mut Vec<u8>, width: usize, color: bool) -> Self {
        Self {
            out,
            width: width.max(LEAST_WIDTH),
            color,
            column: 0,
            indent: 0,
            hang: 0,
            lines: usize::MAX,
            is_full: false,
        }
    }

    /// Lets only so many lines begin from now on, this one among them.
    pub(super) fn limit_lines(&mut self, lines: usize) {
        self.lines = lines.saturating_sub(1);
        self.is_full = false;
    }

    /// Whether a line was not begun because there were too many.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Moves to a column of this line, which is a first line's, and goes on at another when it is folded.
    pub(super) fn indent(&mut self, indent: usize, hang: usize) {
        // Half the width is left for text, however deep it is.
        self.indent = indent.min(self.width / 2);
        self.hang = hang.min(self.width / 2);
        self.fill(self.indent);
    }

    /// Begins a line, if one more may begin.
    pub(super) fn begin_line(&mut self, indent: usize, hang: usize) {
        if self.lines == 0 {
            self.is_full = true;
        }
        if self.is_full {
            return;
        }
        self.lines -= 1;
        self.end_line();
        self.indent(indent, hang);
    }

    /// Ends the line, however many there were.
    pub(super) fn end_line(&mut self) {
        self.out.push(b'\n');
        self.column = 0;
    }

    /// Writes text, a line break of which begins a line; tells how many bytes of it there was
    /// room for.
    pub(super) fn write_lines(&mut self, style: Style, text: &str) -> usize {
        let mut written = 0;
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.begin_line(self.indent, self.hang);
                if self.is_full {
                    break;
                }
                written += 1;
            }
            written += self.write(style, line);
            if self.is_full {
                break;
            }
        }
        written
    }

    /// Writes text in this line and those that it is folded into, what is unfit for a terminal
    /// escaped, line breaks included; tells how many bytes of it there was room for.
    pub(super) fn write(&mut self, style: Style, text: &str) -> usize {
        if self.is_full || text.is_empty() {
            return 0;
        }
        let style = if self.color { style } else { Style::new() };
        self.print(format_args!("{style}"));
        let mut written = 0;
        let mut piece = Vec::new();
        for cluster in text.graphemes(true) {
            piece.clear();
            if cluster == "\t" {
                let column = self.column.saturating_sub(self.indent);
                piece.resize(TAB - column % TAB, b' ');
            } else {
                one_line_into(cluster.as_bytes(), &mut piece);
            }
            // What was made fit for a terminal is UTF-8.
            self.put(style, str::from_utf8(&piece).unwrap_or_default());
            if self.is_full {
                break;
            }
            written += cluster.len();
        }
        self.print(format_args!("{style:#}"));
        written
    }

    /// Writes a few words as [`Sheet::write`] does, all of them in the next line where they do not
    /// fit into this one.
    pub(super) fn write_together(&mut self, style: Style, words: &str) {
        let columns = columns(words);
        let is_sole = columns > self.width - self.hang;
        if !is_sole && self.column + columns > self.width {
            self.fold(Style::new());
        }
        self.write(style, words);
    }

    /// Writes what belongs together, in the next line where it does not fit into this one.
    fn put(&mut self, style: Style, piece: &str) {
        let columns = columns(piece);
        if columns > self.width - self.hang && piece.chars().nth(1).is_some() {
            for (start, character) in piece.char_indices() {
                self.put(style, &piece[start..start + character.len_utf8()]);
            }
            return;
        }
        if self.column + columns > self.width {
            self.fold(style);
        }
        if !self.is_full {
            self.out.extend_from_slice(piece.as_bytes());
            self.column += columns;
        }
    }

    fn fold(&mut self, style: Style) {
        if self.lines == 0 {
            self.is_full = true;
        }
        if self.is_full {
            return;
        }
        self.lines -= 1;
        self.print(format_args!("{style:#}"));
        self.end_line();
        self.fill(self.hang);
        self.print(format_args!("{style}"));
    }

    fn fill(&mut self, column: usize) {
        let spaces = column.saturating_sub(self.column);
        self.out.resize(self.out.len() + spaces, b' ');
        self.column += spaces;
    }

    fn print(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a `Vec` does not fail.
        let _ = self.out.write_fmt(arguments);
    }
}

/// How many columns text takes at most: terminals differ in whether they join the parts of an emoji.
pub(super) fn columns(text: &str) -> usize {
    let apart: usize = text.chars().map(|one| one.width().unwrap_or(0)).sum();
    apart.max(text.width())
}

#[cfg(test)]
mod tests {
    use anstyle::AnsiColor;
    use proptest::prelude::*;

    use super::*;

    const PLAIN: Style = Style::new();

    fn folded(width: usize, lines: usize, text: &str) -> (String, usize) {
        let mut out = Vec::new();
        let mut sheet = Sheet::new(&mut out, width, false);
        sheet.limit_lines(lines);
        sheet.indent(2, 4);
        let written = sheet.write_lines(PLAIN, text);
        (String::from_utf8(out).unwrap(), written)
    }

    #[test]
    fn what_runs_over_the_edge_goes_on_below_indented() {
        let text = "123456789012345678901234567890";
        assert_eq!(
            folded(20, 9, text).0,
            "  123456789012345678\n    901234567890"
        );
        assert_eq!(folded(32, 9, text).0, format!("  {text}"));
        assert_eq!(folded(20, 9, "a\n\nb").0, "  a\n  \n  b");
    }

    #[test]
    fn wide_characters_take_two_columns_and_marks_none() {
        let wide = "漢".repeat(10);
        assert_eq!(folded(20, 9, &wide).0, "  漢漢漢漢漢漢漢漢漢\n    漢");
        // One column is left, which a wide character does not fit into.
        let odd = format!("a{wide}");
        assert_eq!(folded(20, 9, &odd).0, "  a漢漢漢漢漢漢漢漢\n    漢漢");
        let marked = "e\u{301}".repeat(18);
        assert_eq!(folded(20, 9, &marked).0, format!("  {marked}"));
        assert_eq!(
            folded(20, 9, &format!("{marked}e\u{301}")).0,
            format!("  {marked}\n    e\u{301}")
        );
    }

    #[test]
    fn what_is_one_character_to_a_reader_stays_in_one_line() {
        let family = "👨\u{200d}👩\u{200d}👧";
        let text = format!("1234567890123456{family}");
        assert_eq!(
            folded(20, 9, &text).0,
            format!("  1234567890123456\n    {family}")
        );
        // Unless no line has room for it.
        let crowd = ["👨"; 20].join("\u{200d}");
        assert!(
            folded(20, 9, &crowd)
                .0
                .lines()
                .all(|line| columns(line) <= 20)
        );
        // An escape is not torn either.
        assert_eq!(
            folded(20, 9, "1234567890123456\u{1b}x").0,
            "  1234567890123456\n    \\x1bx"
        );
    }

    #[test]
    fn tabs_reach_the_stops_of_the_text() {
        assert_eq!(folded(40, 9, "a\tb\n\tc").0, "  a       b\n          c");
    }

    #[test]
    fn it_tells_how_much_there_was_room_for() {
        assert_eq!(
            folded(20, 1, "12345678901234567890"),
            ("  123456789012345678".into(), 18)
        );
        assert_eq!(folded(20, 2, "a\nb\nc"), ("  a\n  b".into(), 3));
        assert_eq!(folded(20, 3, "a\nb\nc"), ("  a\n  b\n  c".into(), 5));
    }

    #[test]
    fn colour_ends_with_the_line_and_begins_again() {
        let mut out = Vec::new();
        let mut sheet = Sheet::new(&mut out, 20, true);
        sheet.indent(0, 2);
        let style = AnsiColor::Red.on_default();
        sheet.write(style, &"x".repeat(21));
        let (x, end) = ("x".repeat(20), format!("{style:#}"));
        let expected = format!("{style}{x}{end}\n  {style}x{end}");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(width in 20_usize..60, text: String, any in "\\PC*") {
            for text in [text, any] {
                let (folded, written) = folded(width, usize::MAX, &text);
                prop_assert_eq!(written, text.len());
                for line in folded.split('\n') {
                    prop_assert!(columns(line) <= width, "{:?}", line);
                }
            }
        }
    }
}
