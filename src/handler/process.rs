//! Runs one handler, whatever it does: hangs, forks, ignores TERM, never reads, prints for ever.
//!
//! Everything is one loop on one thread around non-blocking pipes, so nothing here can wait for a
//! handler that waits for us. A second thread waits for its end, before which it is not reaped, so
//! that its number is still its own when its group is killed.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, ioctl_fionbio, read, write};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::verdict::Ending;
use super::wake::{Bell, Wake, timespec};

/// How long a handler has between TERM and KILL.
const GRACE: Duration = Duration::from_secs(5);

/// The same when it is not its own fault, and somebody waits for its end.
pub(super) const SHORT_GRACE: Duration = Duration::from_millis(500);

/// Read at a time.
const CHUNK: usize = 16 * 1024;

/// What a handler left in its pipes at its end is read up to here: another that it left behind may
/// go on writing.
const LEFTOVERS: usize = 1024 * 1024;

/// What is run, and in which environment.
#[derive(Clone, Debug)]
pub struct Program {
    /// Found by `PATH` where it has no slash.
    pub program: OsString,
    /// What it is told.
    pub arguments: Vec<OsString>,
    /// Variables that it does not inherit.
    pub hidden: Vec<String>,
}

impl Program {
    /// Starts it in a process group of its own, with these variables besides those it inherits.
    pub fn spawn(&self, variables: &[(&str, Vec<u8>)]) -> io::Result<Child> {
        use std::os::unix::ffi::OsStringExt;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        for name in &self.hidden {
            command.env_remove(name);
        }
        for (name, value) in variables {
            command.env(name, OsString::from_vec(value.clone()));
        }
        command.spawn()
    }
}

/// Who is told what a handler prints while it runs.
pub(super) trait Listener {
    /// It wrote this to stdout. Says whether to let it run on.
    fn stdout(&mut self, bytes: &[u8]) -> bool;
    /// It wrote this to stderr.
    fn stderr(&mut self, bytes: &[u8]);
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself, or by time.
    Ending(Ending),
    /// Somebody wanted it to end; it says nothing of the record.
    Cancelled,
    /// The listener did not want more.
    Refused,
}

/// A running handler.
pub(super) struct Process {
    child: Child,
    pid: Pid,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// It ended, and was not reaped.
    has_ended: Arc<AtomicBool>,
    herd: Herd,
}

/// The handlers that run at this moment; clones share them.
#[derive(Clone, Default)]
pub struct Herd(Arc<Mutex<Vec<Pid>>>);

impl Herd {
    /// Kills all of them and all that they started.
    pub fn kill(&self) {
        for pid in self.lock().iter() {
            let _ = kill_process_group(*pid, Signal::KILL);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the ends of processes, one after another, and rings.
pub(super) struct Waiter {
    started: Sender<(Pid, Arc<AtomicBool>)>,
    herd: Herd,
}

impl Waiter {
    /// Rings `bell` at each end; what runs is in `herd`.
    pub(super) fn start(bell: Bell, herd: Herd) -> io::Result<Self> {
        let (started, to_watch) = channel::<(Pid, Arc<AtomicBool>)>();
        thread::Builder::new().name("wait".into()).spawn(move || {
            for (pid, has_ended) in to_watch {
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while matches!(waitid(WaitId::Pid(pid), options), Err(Errno::INTR)) {}
                has_ended.store(true, Ordering::SeqCst);
                bell.ring();
            }
        })?;
        Ok(Self { started, herd })
    }
}

impl Process {
    /// Takes over a child that was just started.
    pub(super) fn new(mut child: Child, waiter: &Waiter) -> io::Result<Self> {
        let has_ended = Arc::new(AtomicBool::new(false));
        let process = Self {
            pid: Pid::from_child(&child),
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            has_ended: has_ended.clone(),
            herd: waiter.herd.clone(),
            child,
        };
        waiter.herd.lock().push(process.pid);
        // When the waiter is gone, so is the run.
        let _ = waiter.started.send((process.pid, has_ended));
        if let Some(stdin) = &process.stdin {
            ioctl_fionbio(stdin, true)?;
        }
        if let Some(stdout) = &process.stdout {
            ioctl_fionbio(stdout, true)?;
        }
        if let Some(stderr) = &process.stderr {
            ioctl_fionbio(stderr, true)?;
        }
        Ok(process)
    }

    /// Gives it `input` and the end of it, and waits for its own, `timeout` at most.
    pub(super) fn run(
        mut self,
        input: &[u8],
        timeout: Duration,
        wake: &Wake,
        listener: &mut impl Listener,
    ) -> io::Result<Ended> {
        let mut input = input;
        let mut end = End::Natural(Instant::now() + timeout);
        while !self.has_ended() {
            if wake.is_cancelled() {
                end.hasten(&self, Ended::Cancelled, SHORT_GRACE);
            }
            end.come(&self);
            if !self.step(&mut input, true, end.deadline(), wake, listener) {
                end.hasten(&self, Ended::Refused, SHORT_GRACE);
            }
        }
        let refused = !self.read_leftovers(listener);
        let own = self.reap(&end)?;
        Ok(match end {
            End::Natural(_) if refused => Ended::Refused,
            End::Natural(_) => Ended::Ending(own),
            End::Hastened(why, ..) => why,
        })
    }

    /// Waits, until `deadline` at most, and does what can be done then: writes of `input`, reads,
    /// or takes notice of a bell. Says whether the listener still wants to hear.
    ///
    /// With `closes` the end of the input is the end of stdin.
    pub(super) fn step(
        &mut self,
        input: &mut &[u8],
        closes: bool,
        deadline: Option<Instant>,
        wake: &Wake,
        listener: &mut impl Listener,
    ) -> bool {
        if input.is_empty() && closes {
            self.stdin = None;
        }
        let wants_input = self.stdin.as_ref().filter(|_| !input.is_empty());
        let all = [
            (Some(wake.fd()), PollFlags::IN),
            (wants_input.map(AsFd::as_fd), PollFlags::OUT),
            (self.stdout.as_ref().map(AsFd::as_fd), PollFlags::IN),
            (self.stderr.as_ref().map(AsFd::as_fd), PollFlags::IN),
        ];
        let open = all
            .iter()
            .filter_map(|(fd, flags)| Some((*fd.as_ref()?, *flags)));
        let mut descriptors: Vec<PollFd<'_>> = open
            .map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags))
            .collect();
        let left = deadline.map(|until| timespec(until.saturating_duration_since(Instant::now())));
        if poll(&mut descriptors, left.as_ref()).is_err() {
            return true;
        }
        let mut events = descriptors.iter().map(PollFd::revents);
        let ready = all.map(|(fd, _)| fd.is_some() && events.next().is_some_and(|e| !e.is_empty()));
        drop(descriptors);
        let [rung, stdin, stdout, stderr] = ready;
        if rung {
            wake.hush();
        }
        if stdin {
            self.write(input);
        }
        let wanted = !stdout || self.read_stdout(listener).unwrap_or(true);
        if stderr {
            self.read_stderr(listener);
        }
        wanted
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    /// Whether it still takes input.
    pub(super) fn takes_input(&self) -> bool {
        self.stdin.is_some()
    }

    fn write(&mut self, input: &mut &[u8]) {
        let Some(stdin) = &self.stdin else { return };
        match write(stdin, input) {
            Ok(count) => *input = &input[count..],
            Err(Errno::AGAIN | Errno::INTR) => {}
            // It wants no more, which is its own affair.
            Err(_) => {
                self.stdin = None;
                *input = &[];
            }
        }
    }

    /// Reads once; `None` when there is nothing to read just now.
    fn read_stdout(&mut self, listener: &mut impl Listener) -> Option<bool> {
        let mut chunk = [0; CHUNK];
        match read(self.stdout.as_ref()?, &mut chunk) {
            Ok(0) => self.stdout = None,
            Ok(count) => return Some(listener.stdout(&chunk[..count])),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.stdout = None,
        }
        None
    }

    /// Reads once; `None` when there is nothing to read just now.
    fn read_stderr(&mut self, listener: &mut impl Listener) -> Option<()> {
        let mut chunk = [0; CHUNK];
        match read(self.stderr.as_ref()?, &mut chunk) {
            Ok(0) => self.stderr = None,
            Ok(count) => {
                listener.stderr(&chunk[..count]);
                return Some(());
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.stderr = None,
        }
        None
    }

    /// Reads what it wrote before it ended, and does not wait for those it left behind.
    pub(super) fn read_leftovers(&mut self, listener: &mut impl Listener) -> bool {
        let mut wanted = true;
        for _ in 0..LEFTOVERS / CHUNK {
            match self.read_stdout(listener) {
                Some(more) => wanted &= more,
                None => break,
            }
        }
        for _ in 0..LEFTOVERS / CHUNK {
            if self.read_stderr(listener).is_none() {
                break;
            }
        }
        wanted
    }

    /// Signals it and all that it started.
    pub(super) fn signal(&self, signal: Signal) {
        // Fails only when all of them have ended.
        let _ = kill_process_group(self.pid, signal);
    }

    /// Takes how it ended; what it left behind after a signal of ours is killed.
    pub(super) fn reap(mut self, end: &End) -> io::Result<Ending> {
        if let End::Hastened(..) = end {
            self.signal(Signal::KILL);
        }
        // Once it is reaped its number may be another's.
        self.herd.lock().retain(|pid| *pid != self.pid);
        Ok(self.child.wait()?.into())
    }
}

/// The end that a run is coming to.
pub(super) enum End {
    /// Its own, unless that takes longer than until then.
    Natural(Instant),
    /// Ours: TERM was sent, and KILL follows then.
    Hastened(Ended, Option<Instant>),
}

impl End {
    /// When there is something to do again; `None` when all was done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Natural(until) => Some(*until),
            Self::Hastened(_, kill) => *kill,
        }
    }

    /// Brings the end about, unless that was done.
    pub(super) fn hasten(&mut self, process: &Process, why: Ended, grace: Duration) {
        if let Self::Natural(_) = self {
            process.signal(Signal::TERM);
            *self = Self::Hastened(why, Some(Instant::now() + grace));
        }
    }

    /// Does what is due.
    pub(super) fn come(&mut self, process: &Process) {
        if self.deadline().is_none_or(|until| Instant::now() < until) {
            return;
        }
        match self {
            Self::Natural(_) => self.hasten(process, Ended::Ending(Ending::Timeout), GRACE),
            Self::Hastened(_, kill) => {
                process.signal(Signal::KILL);
                *kill = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a test waits for what must come.
    const PATIENCE: Duration = Duration::from_mins(1);

    #[derive(Default)]
    struct Heard {
        stdout: Vec<u8>,
        stderr: usize,
        /// So much and no more.
        most: Option<usize>,
    }

    impl Listener for Heard {
        fn stdout(&mut self, bytes: &[u8]) -> bool {
            self.stdout.extend_from_slice(bytes);
            self.most.is_none_or(|most| self.stdout.len() <= most)
        }

        fn stderr(&mut self, bytes: &[u8]) {
            self.stderr += bytes.len();
        }
    }

    struct Bench {
        wake: Wake,
        waiter: Waiter,
        herd: Herd,
    }

    impl Bench {
        fn new() -> Self {
            let (wake, herd) = (Wake::new().unwrap(), Herd::default());
            let waiter = Waiter::start(wake.bell(), herd.clone()).unwrap();
            Self { wake, waiter, herd }
        }

        fn spawn(&self, script: &str) -> Process {
            let program = Program {
                program: "sh".into(),
                arguments: vec!["-c".into(), script.into()],
                hidden: Vec::new(),
            };
            Process::new(program.spawn(&[]).unwrap(), &self.waiter).unwrap()
        }

        fn run(&self, script: &str, input: &[u8], timeout: Duration) -> (Ended, Heard) {
            let mut heard = Heard::default();
            let process = self.spawn(script);
            let ended = process.run(input, timeout, &self.wake, &mut heard);
            assert!(self.herd.lock().is_empty(), "nothing runs any more");
            (ended.unwrap(), heard)
        }
    }

    fn exit(status: i32) -> Ended {
        Ended::Ending(Ending::Exit(status))
    }

    #[test]
    fn it_gets_its_input_to_the_end_and_is_heard_to_the_end() {
        let input = b"a line\n".repeat(100_000);
        let (ended, heard) = Bench::new().run("tee /dev/stderr; exit 7", &input, PATIENCE);
        assert_eq!(ended, exit(7));
        assert!(heard.stdout == input);
        assert_eq!(heard.stderr, input.len());
    }

    #[test]
    fn who_reads_nothing_or_closes_stdin_fails_nothing() {
        let (bench, input) = (Bench::new(), vec![0; 1_000_000]);
        assert_eq!(bench.run("exit 0", &input, PATIENCE).0, exit(0));
        let closes = "exec <&-; echo closed; exit 3";
        assert_eq!(bench.run(closes, &input, PATIENCE).0, exit(3));
    }

    #[test]
    fn a_death_by_signal_is_told_apart() {
        let (ended, _) = Bench::new().run("kill -SEGV $$", b"", PATIENCE);
        assert_eq!(ended, Ended::Ending(Ending::Signal(libc::SIGSEGV)));
    }

    #[test]
    fn who_leaves_a_child_with_its_pipes_is_not_waited_for() {
        let start = Instant::now();
        let (ended, heard) = Bench::new().run("sleep 100 & echo $!", b"", PATIENCE);
        assert_eq!(ended, exit(0));
        assert!(start.elapsed() < Duration::from_secs(90));
        let child: i32 = String::from_utf8(heard.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        rustix::process::kill_process(Pid::from_raw(child).unwrap(), Signal::KILL).unwrap();
    }

    #[test]
    fn who_takes_too_long_is_ended() {
        let (ended, _) = Bench::new().run("sleep 100", b"", Duration::from_millis(10));
        assert_eq!(ended, Ended::Ending(Ending::Timeout));
    }

    #[test]
    fn who_ignores_that_it_is_to_end_is_killed() {
        let bench = Bench::new();
        let mut process = bench.spawn("trap '' TERM; echo ready; while :; do sleep 100; done");
        let (mut heard, mut nothing) = (Heard::default(), &b""[..]);
        while heard.stdout.is_empty() {
            process.step(&mut nothing, true, None, &bench.wake, &mut heard);
        }
        bench.wake.bell().cancel();
        let ended = process.run(b"", PATIENCE, &bench.wake, &mut heard).unwrap();
        assert_eq!(ended, Ended::Cancelled);
    }

    #[test]
    fn who_prints_without_end_is_ended_when_nobody_wants_more() {
        let bench = Bench::new();
        let mut heard = Heard {
            most: Some(100_000),
            ..Heard::default()
        };
        let process = bench.spawn("yes");
        let ended = process.run(b"", PATIENCE, &bench.wake, &mut heard).unwrap();
        assert_eq!(ended, Ended::Refused);
        assert!(heard.stdout.len() < 100_000 + LEFTOVERS + 2 * CHUNK);
    }

    #[test]
    fn a_herd_is_killed_with_all_that_it_started() {
        let bench = Bench::new();
        let process = bench.spawn("sleep 100 & sleep 100");
        bench.herd.kill();
        let mut heard = Heard::default();
        let ended = process.run(b"", PATIENCE, &bench.wake, &mut heard).unwrap();
        assert_eq!(ended, Ended::Ending(Ending::Signal(libc::SIGKILL)));
    }
}
