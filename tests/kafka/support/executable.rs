//! The executable under test, which never hangs a test.

use std::ffi::OsStr;
use std::io::{PipeReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::{PATIENCE, eventually, told};

/// `kpipe` with these arguments, its brokers those of the plaintext listener.
pub(crate) fn kpipe<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Kpipe {
    Kpipe::new(Command::new(env!("CARGO_BIN_EXE_kpipe")), arguments)
}

/// The same as process 1 of its own pid namespace.
pub(crate) fn kpipe_as_pid_1<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Kpipe {
    let mut command = Command::new("unshare");
    // Process 1 does not outlive the test either.
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child", "--"]);
    command.arg(env!("CARGO_BIN_EXE_kpipe"));
    Kpipe::new(command, arguments)
}

/// A script of bash in which `kpipe` is on the path and a pipe fails when any part of it does.
pub(crate) fn bash(script: &str) -> Kpipe {
    let folder = Path::new(env!("CARGO_BIN_EXE_kpipe")).parent().unwrap();
    let mut path = folder.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let run = Kpipe::new(Command::new("bash"), ["-o", "pipefail", "-c", script]);
    run.env("PATH", path)
}

/// A run that has not begun.
pub(crate) struct Kpipe {
    command: Command,
    input: Input,
    home: TempDir,
    patience: Duration,
}

enum Input {
    Bytes(Vec<u8>),
    Open,
    Pipe(PipeReader),
}

impl Kpipe {
    fn new<A: AsRef<OsStr>>(mut command: Command, arguments: impl IntoIterator<Item = A>) -> Self {
        let home = tempfile::tempdir().unwrap();
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("TZ", "UTC")
            .env("KPIPE_BROKERS", told("KAFKA_BROKERS"));
        Self {
            command,
            input: Input::Bytes(Vec::new()),
            home,
            patience: PATIENCE,
        }
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// More arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// What it reads on stdin, to its end.
    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Input::Bytes(bytes.into());
        self
    }

    /// Stdin stays open, for [`Running::write`].
    pub(crate) fn open_input(mut self) -> Self {
        self.input = Input::Open;
        self
    }

    /// Stdin is a pipe of the test's own.
    pub(crate) fn input_from(mut self, pipe: PipeReader) -> Self {
        self.input = Input::Pipe(pipe);
        self
    }

    /// How long the run may last, where 90 seconds would prove nothing.
    pub(crate) fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Finished {
        self.start().wait()
    }

    /// Starts it, and captures what it prints.
    pub(crate) fn start(self) -> Running {
        let mut running = self.start_unread();
        let stdout = running.unread.take().unwrap();
        running.stdout.fill_from(stdout);
        running
    }

    /// Starts it, and does not read its output: [`Running::read_on`] does.
    pub(crate) fn start_unread(mut self) -> Running {
        let stdin = match &self.input {
            Input::Pipe(pipe) => Stdio::from(pipe.try_clone().unwrap()),
            _ => Stdio::piped(),
        };
        let mut child = self
            .command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take();
        if let Input::Bytes(bytes) = self.input {
            let mut stdin = stdin.take().unwrap();
            // A run that ends early does not read all of it.
            thread::spawn(move || stdin.write_all(&bytes));
        }
        let stderr = Captured::default();
        stderr.fill_from(child.stderr.take().unwrap());
        Running {
            unread: child.stdout.take(),
            stdout: Captured::default(),
            stderr,
            stdin,
            child,
            patience: self.patience,
            _home: self.home,
        }
    }
}

/// What has been printed so far.
#[derive(Clone, Default)]
struct Captured(Arc<(Mutex<(Vec<u8>, bool)>, Condvar)>);

impl Captured {
    fn fill_from(&self, mut source: impl Read + Send + 'static) {
        let captured = self.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let read = source.read(&mut buffer).unwrap_or(0);
                let mut state = captured.0.0.lock().unwrap();
                state.0.extend_from_slice(&buffer[..read]);
                state.1 = read == 0;
                captured.0.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
    }

    /// Waits until `look` is content or the stream has ended; false when neither happens.
    fn wait(&self, patience: Duration, look: impl Fn(&[u8]) -> bool) -> bool {
        let state = self.0.0.lock().unwrap();
        let (state, _) = self
            .0
            .1
            .wait_timeout_while(state, patience, |(bytes, ended)| !look(bytes) && !*ended)
            .unwrap();
        look(&state.0) || state.1
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.0.lock().unwrap().0.clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

/// A run under way; ends with the test.
pub(crate) struct Running {
    child: Child,
    unread: Option<ChildStdout>,
    stdout: Captured,
    stderr: Captured,
    stdin: Option<ChildStdin>,
    patience: Duration,
    _home: TempDir,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its stdin.
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        stdin.write_all(bytes.as_ref()).unwrap();
    }

    /// Takes its stdin out, which stays open for as long as that is kept.
    pub(crate) fn keep_input(&mut self) -> ChildStdin {
        self.stdin.take().expect("stdin is open")
    }

    /// Ends its stdin.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Waits until its output, left unread, fills the pipe.
    pub(crate) fn until_it_is_blocked(&self) {
        let pipe = self.unread.as_ref().expect("the output is left unread");
        // A pipe holds 64 KiB; the next line may not fit into the rest.
        eventually("it is blocked", || {
            (rustix::io::ioctl_fionread(pipe).unwrap() >= 32 * 1024).then_some(())
        });
    }

    /// Reads so much of the output that was left unread, or less at its end.
    pub(crate) fn read_some(&mut self, bytes: u64) {
        let mut read = Vec::new();
        let unread = self.unread.as_mut().unwrap();
        unread.take(bytes).read_to_end(&mut read).unwrap();
        self.stdout.0.0.lock().unwrap().0.extend_from_slice(&read);
    }

    /// Reads the output that was left unread.
    pub(crate) fn read_on(&mut self) {
        self.stdout.fill_from(self.unread.take().unwrap());
    }

    /// Waits until `count` lines were printed, and returns all there are.
    pub(crate) fn lines(&self, count: usize) -> Vec<Value> {
        let full = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count() >= count;
        self.stdout.wait(self.patience, full);
        let bytes = self.stdout.bytes();
        assert!(
            full(&bytes),
            "fewer than {count} lines were printed: {}\nstderr: {}",
            String::from_utf8_lossy(&bytes),
            self.stderr.text()
        );
        parse_lines(&bytes)
    }

    /// The lines printed so far.
    pub(crate) fn lines_so_far(&self) -> Vec<Value> {
        parse_lines(&self.stdout.bytes())
    }

    /// Waits until it has said `text` on stderr.
    pub(crate) fn until_it_says(&self, text: &str) {
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text);
        self.stderr.wait(self.patience, said);
        let bytes = self.stderr.bytes();
        assert!(
            said(&bytes),
            "it never said {text:?}, but: {}",
            String::from_utf8_lossy(&bytes)
        );
    }

    /// What it has said on stderr so far.
    pub(crate) fn said(&self) -> String {
        self.stderr.text()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its most memory so far, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Waits until its memory has not grown for a second, and returns the most it was, in KiB.
    pub(crate) fn settled_memory(&self) -> u64 {
        let mut last = (0, Instant::now());
        eventually("its memory settles", || {
            let peak = self.peak_memory();
            if peak != last.0 {
                last = (peak, Instant::now());
            }
            (last.1.elapsed() > Duration::from_secs(1)).then_some(peak)
        })
    }

    /// The pid of the process that this one started.
    pub(crate) fn only_child(&self) -> Pid {
        let path = format!("/proc/{0}/task/{0}/children", self.pid());
        let children = std::fs::read_to_string(path).unwrap();
        Pid::from_raw(children.trim().parse().unwrap()).unwrap()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Finished {
        if self.unread.is_some() {
            self.read_on();
        }
        self.stdin = None;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                start.elapsed() < self.patience,
                "it did not end within {:?}; stderr: {}",
                self.patience,
                self.stderr.text()
            );
            thread::sleep(Duration::from_millis(2));
        };
        self.stdout.wait(PATIENCE, |_| false);
        self.stderr.wait(PATIENCE, |_| false);
        Finished {
            status,
            stdout: self.stdout.bytes(),
            stderr: self.stderr.text(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let ended = self.child.try_wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let state = match ended {
                Ok(Some(status)) => status.to_string(),
                _ => "still running".to_owned(),
            };
            let said = self.stderr.text();
            let _ = writeln!(std::io::stderr(), "kpipe, {state}, had said: {said}");
        }
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Finished {
    /// Status 0 is what was expected.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub(crate) fn exits(self, status: i32) -> Self {
        assert_eq!(self.status.code(), Some(status), "stderr: {}", self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn dies_of(self, signal: Signal) -> Self {
        assert_eq!(
            self.status.signal(),
            Some(signal.as_raw()),
            "stderr: {}",
            self.stderr
        );
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "it did not say {text:?}, but: {}",
            self.stderr
        );
        self
    }

    /// Exactly one error block.
    #[track_caller]
    pub(crate) fn says_one_error(self) -> Self {
        let errors = self
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .count();
        assert_eq!(errors, 1, "stderr: {}", self.stderr);
        let strange = self.stderr.lines().find(|line| {
            !["error: ", "  caused by: ", "hint: "]
                .iter()
                .any(|start| line.starts_with(start))
                && !line.is_empty()
        });
        assert_eq!(strange, None, "stderr: {}", self.stderr);
        self
    }

    /// The printed lines of JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        parse_lines(&self.stdout)
    }

    /// The offsets of the printed record lines.
    pub(crate) fn offsets(&self) -> Vec<i64> {
        offsets(&self.lines())
    }

    /// The values of the printed record lines, which are text.
    pub(crate) fn values(&self) -> Vec<String> {
        values(&self.lines())
    }
}

pub(crate) fn offsets(lines: &[Value]) -> Vec<i64> {
    lines
        .iter()
        .map(|line| line["offset"].as_i64().unwrap())
        .collect()
}

pub(crate) fn values(lines: &[Value]) -> Vec<String> {
    lines
        .iter()
        .map(|line| line["value"].as_str().unwrap().to_owned())
        .collect()
}

/// The whole lines in `bytes`; a killed run may have left a part of one behind.
fn parse_lines(bytes: &[u8]) -> Vec<Value> {
    let whole = memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1);
    bytes[..whole]
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}
