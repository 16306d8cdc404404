//! `send --failed` that is ended in the middle: every line that it read is on the log or in the file.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::numbered::{MANY, check_all, lines, numbers, on_log};
use crate::support::eventually;
use crate::support::executable::{Finished, Kpipe, Running, bash, kpipe};
use crate::support::kafka::{Topic, node, topic};

/// Lines a second: the input lasts long after the signal.
const RATE: &str = "20000/s";

struct Place {
    topic: Topic,
    folder: TempDir,
    input: Vec<u8>,
}

impl Place {
    fn new(name: &str) -> Self {
        Self {
            topic: topic(name).partitions(3).create(),
            folder: tempfile::tempdir().unwrap(),
            input: lines(0..MANY),
        }
    }

    fn failed(&self) -> PathBuf {
        self.folder.path().join("failed")
    }

    fn send(&self) -> Kpipe {
        kpipe(["send", &self.topic, "--rate", RATE])
            .args(["--failed".as_ref(), self.failed().as_os_str()])
    }

    fn send_file(&self) -> Running {
        let file = self.folder.path().join("input");
        std::fs::write(&file, &self.input).unwrap();
        let send = self.send().args(["--file".as_ref(), file.as_os_str()]);
        send.start()
    }

    /// What is on the log and what is in the failed file.
    fn found(&self) -> (BTreeSet<usize>, Vec<u8>) {
        let log: BTreeSet<_> = on_log(&self.topic).into_iter().collect();
        assert!(!log.is_empty(), "it was killed before it began");
        assert!(log.len() < MANY, "it was done before it was killed");
        (log, std::fs::read(self.failed()).unwrap())
    }

    fn end_in_the_middle(&self, send: Running, signal: Signal) -> Finished {
        self.topic.until_it_holds(1000);
        send.signal(signal);
        send.wait().dies_of(signal)
    }

    /// Sending the failed file completes the job.
    fn complete(&self) {
        let failed = self.failed();
        kpipe(["send", &self.topic])
            .args(["--file".as_ref(), failed.as_os_str()])
            .run()
            .ok();
    }
}

/// A pipe into kpipe, and how to get back what kpipe did not read of it.
struct Pipe {
    /// The test's own handle keeps the pipe open when kpipe is gone.
    reader: std::io::PipeReader,
    writer: JoinHandle<()>,
}

impl Pipe {
    fn of(input: &[u8]) -> Self {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let input = input.to_vec();
        Self {
            reader,
            writer: thread::spawn(move || writer.write_all(&input).unwrap()),
        }
    }

    fn feed(&self, kpipe: Kpipe) -> Running {
        kpipe.input_from(self.reader.try_clone().unwrap()).start()
    }

    /// Waits until kpipe takes nothing more.
    fn until_full(&self) {
        let mut last = (0, Instant::now());
        eventually("the pipe stays full", || {
            let held = rustix::io::ioctl_fionread(&self.reader).unwrap();
            if held != last.0 {
                last = (held, Instant::now());
            }
            (held > 0 && last.1.elapsed() > Duration::from_secs(1)).then_some(())
        });
    }

    /// What was not read.
    fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).unwrap();
        self.writer.join().unwrap();
        rest
    }
}

#[test]
fn a_terminated_send_of_a_file_leaves_every_line_that_it_did_not_send() {
    let place = Place::new("file-terminated");
    place.end_in_the_middle(place.send_file(), Signal::TERM);
    let (mut found, failed) = place.found();
    found.extend(numbers(&failed));
    check_all(&found, MANY);
    place.complete();
    check_all(&on_log(&place.topic).into_iter().collect(), MANY);
}

#[test]
fn a_killed_send_of_a_file_leaves_every_line_that_it_had_read() {
    let place = Place::new("file-killed");
    place.end_in_the_middle(place.send_file(), Signal::KILL);
    let (mut found, failed) = place.found();
    let in_file = numbers(&failed);
    let last = *in_file
        .last()
        .expect("lines were at work when it was killed");
    found.extend(in_file);
    found.extend(last + 1..MANY);
    check_all(&found, MANY);
}

#[test]
fn a_terminated_send_of_a_pipe_leaves_every_line_that_it_had_read() {
    let place = Place::new("pipe-terminated");
    let pipe = Pipe::of(&place.input);
    let send = pipe.feed(place.send());
    place.end_in_the_middle(send, Signal::TERM);
    check_what_was_read(&place, &pipe.rest());
}

#[test]
fn a_killed_send_of_a_pipe_leaves_every_line_that_it_had_read() {
    let place = Place::new("pipe-killed");
    let pipe = Pipe::of(&place.input);
    let send = pipe.feed(place.send());
    place.topic.until_it_holds(1000);
    // Nothing moves any more: all queues in kpipe are full.
    node("stop", 1);
    pipe.until_full();
    send.signal(Signal::KILL);
    send.wait().dies_of(Signal::KILL);
    node("start", 1);
    check_what_was_read(&place, &pipe.rest());
}

/// Of what kpipe read, each whole line is on the log or in the failed file, and the part of a
/// line at the end is at the end of the file.
fn check_what_was_read(place: &Place, rest: &[u8]) {
    assert!(!rest.is_empty(), "it had read all");
    let read = &place.input[..place.input.len() - rest.len()];
    let whole = memchr::memrchr(b'\n', read).map_or(0, |end| end + 1);
    let (mut found, failed) = place.found();
    found.extend(numbers(&failed));
    check_all(&found, numbers(&read[..whole]).len());
    let part = &read[whole..];
    let end = failed.strip_suffix(b"\n").unwrap_or(&failed);
    assert!(end.ends_with(part), "{}", String::from_utf8_lossy(part));
}

#[test]
fn a_failed_file_that_cannot_grow_ends_the_run_before_more_is_sent() {
    let place = Place::new("file-full");
    let (input, failed) = (place.folder.path().join("input"), place.failed());
    std::fs::write(&input, &place.input).unwrap();
    // A limit of 1 MiB, which without its signal is an error like a full disk.
    let script = format!(
        "trap '' XFSZ; ulimit -f 1024; exec kpipe send {} --failed '{}' --file '{}'",
        place.topic,
        failed.display(),
        input.display()
    );
    let ended = bash(&script).run().exits(1).says_one_error();
    assert!(
        ended.stderr.contains("cannot write") && ended.stderr.contains("failed`"),
        "{}",
        ended.stderr
    );
    let log: BTreeSet<_> = on_log(&place.topic).into_iter().collect();
    let kept = numbers(&std::fs::read(&failed).unwrap());
    assert!(log.len() < MANY, "it did not end");
    assert!(log.is_subset(&kept), "a line was sent before it was kept");
}
