//! What handlers write to stderr, line by line, with the place of the record; bounded, whatever they
//! write and however slowly it is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// A line is cut off here, in bytes.
const LONGEST_LINE: usize = 4096;

/// Lines that may wait to be shown; more are counted and dropped.
const WAITING: usize = 1024;

/// Puts lines together.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    /// The rest of this line is left out.
    overlong: bool,
    /// The last line that was not blank, for whoever asks why.
    last: Vec<u8>,
}

impl Lines {
    /// Takes more bytes, and hands on each line that is whole.
    pub(super) fn push(&mut self, bytes: &[u8], mut whole: impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = LONGEST_LINE - self.line.len();
            if text.len() > room && !self.overlong {
                self.line.extend_from_slice(&text[..room]);
                self.overlong = true;
            } else if !self.overlong {
                self.line.extend_from_slice(text);
            }
            if ends {
                self.end(&mut whole);
            }
        }
    }

    /// No more comes: what is there is a line.
    pub(super) fn finish(&mut self, mut whole: impl FnMut(&[u8])) {
        if !self.line.is_empty() {
            self.end(&mut whole);
        }
    }

    fn end(&mut self, whole: &mut impl FnMut(&[u8])) {
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        if std::mem::take(&mut self.overlong) {
            self.line.extend_from_slice("…".as_bytes());
        }
        whole(&self.line);
        if !self.line.trim_ascii().is_empty() {
            std::mem::swap(&mut self.last, &mut self.line);
        }
        self.line.clear();
    }

    /// Takes the last line that was not blank.
    pub(super) fn take_last(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.last))
            .trim()
            .to_owned()
    }
}

/// Where lines go; clones share it.
#[derive(Clone)]
pub struct Chatter {
    lines: SyncSender<String>,
    dropped: Arc<AtomicU64>,
}

/// Where they come out, on a thread that may wait for who reads them.
pub struct Heard {
    pub lines: Receiver<String>,
    dropped: Arc<AtomicU64>,
}

/// Makes the two ends.
pub fn chatter() -> (Chatter, Heard) {
    let (sender, lines) = sync_channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let chatter = Chatter {
        lines: sender,
        dropped: dropped.clone(),
    };
    (chatter, Heard { lines, dropped })
}

impl Chatter {
    /// Hands on a line of the handler of the record at `place`, or drops it where too many wait.
    pub fn say(&self, place: &str, line: &[u8]) {
        let line = format!("{place}: {}", String::from_utf8_lossy(line));
        if self.lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Heard {
    /// Takes how many lines were dropped since last asked.
    pub fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> (Vec<String>, String) {
        let (mut lines, mut whole) = (Lines::default(), Vec::new());
        let mut keep = |line: &[u8]| whole.push(String::from_utf8_lossy(line).into_owned());
        for chunk in chunks {
            lines.push(chunk, &mut keep);
        }
        lines.finish(&mut keep);
        let last = lines.take_last();
        (whole, last)
    }

    #[test]
    fn lines_are_put_together_across_chunks() {
        let (whole, last) = lines(&[b"on", b"e\ntwo\r\n\n", b"three"]);
        assert_eq!(whole, ["one", "two", "", "three"]);
        assert_eq!(last, "three");
    }

    #[test]
    fn the_last_line_is_the_last_that_says_something() {
        assert_eq!(lines(&[b"why\n \n\n"]).1, "why");
        assert_eq!(lines(&[]).1, "");
    }

    #[test]
    fn an_endless_line_is_cut_off_and_the_next_is_whole() {
        let endless = vec![b'x'; 10 * LONGEST_LINE];
        let (whole, _) = lines(&[&endless, &endless, b"\nnext\n"]);
        assert_eq!(whole.len(), 2);
        assert_eq!(whole[0].len(), LONGEST_LINE + "…".len());
        assert_eq!(whole[1], "next");
    }

    #[test]
    fn what_nobody_reads_is_counted_and_dropped() {
        let (chatter, heard) = chatter();
        for _ in 0..WAITING + 5 {
            chatter.say("t[0]@1", b"x");
        }
        assert_eq!(heard.take_dropped(), 5);
        assert_eq!(heard.take_dropped(), 0);
        assert_eq!(heard.lines.try_iter().count(), WAITING);
    }
}
