//! A place to run kpipe in: a home of its own, a broker of its own, and a deadline.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use std::os::unix::process::ExitStatusExt;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Only a hung kpipe takes so long.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// A home directory, and a broker that ends with it.
pub(crate) struct Place {
    home: TempDir,
    broker: Option<Running>,
    brokers: String,
}

impl Place {
    /// With a broker that has these topics, in the form that `kpipe broker --topic` takes.
    pub(crate) fn with(topics: &[&str]) -> Self {
        let mut place = Self::at("127.0.0.1:1");
        let mut arguments = vec!["broker"];
        for topic in topics {
            arguments.extend(["--topic", topic]);
        }
        let mut broker = place.kpipe(&arguments).start();
        let address: Value = serde_json::from_str(&broker.line()).unwrap();
        address["brokers"]
            .as_str()
            .unwrap()
            .clone_into(&mut place.brokers);
        place.broker = Some(broker);
        place
    }

    /// Without a broker of its own.
    pub(crate) fn at(brokers: &str) -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            broker: None,
            brokers: brokers.to_owned(),
        }
    }

    /// Ends its broker.
    pub(crate) fn lose_broker(&mut self) {
        self.broker = None;
    }

    pub(crate) fn brokers(&self) -> &str {
        &self.brokers
    }

    /// A file in the home directory, also the working directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    /// What a file holds; nothing when it is not there.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn kpipe(&self, arguments: &[&str]) -> Invocation {
        self.program(env!("CARGO_BIN_EXE_kpipe"))
            .arguments(arguments)
    }

    /// A script for bash, under pipefail, in which `kpipe` is the executable.
    pub(crate) fn bash(&self, script: &str) -> Invocation {
        self.program("bash")
            .arguments(&["-o", "pipefail", "-c", script])
    }

    fn program(&self, program: &str) -> Invocation {
        let mut command = Command::new(program);
        let home = self.home.path();
        let kpipe = Path::new(env!("CARGO_BIN_EXE_kpipe"));
        let mut search = OsString::from(kpipe.parent().unwrap());
        search.push(":");
        search.push(std::env::var_os("PATH").unwrap_or_default());
        command
            .env_clear()
            .env("PATH", search)
            .env("HOME", home)
            .env("TMPDIR", home)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("TZ", "UTC")
            .env("COLUMNS", "100")
            .env("KPIPE_BROKERS", &self.brokers)
            .current_dir(home);
        Invocation {
            command,
            input: Vec::new(),
        }
    }

    /// Takes topics into the registry as ACTIVE, as they are in Kafka.
    pub(crate) fn active(&self, topics: &[&str]) -> &Self {
        let these = format!("^({})$", topics.join("|"));
        let _ = self
            .kpipe(&["topic", "import", &these, "--by", "alice", "-q"])
            .run()
            .ends(0)
            .errors("");
        self
    }

    /// Sends each value as a record, to partition 0 where there is but one.
    pub(crate) fn send(&self, topic: &str, values: &[&str]) -> &Self {
        let mut lines = values.join("\n");
        lines.push('\n');
        self.kpipe(&["send", topic, "--lines", "-q"])
            .input(lines)
            .run()
            .ends(0)
            .errors("");
        self
    }

    /// The values of a topic that readers of committed records see, one a line.
    pub(crate) fn values(&self, topic: &str) -> String {
        self.kpipe(&["tail", topic, "-e", "--values"])
            .run()
            .ends(0)
            .out()
    }

    /// The record lines of a topic, as JSON.
    pub(crate) fn records(&self, topic: &str) -> Vec<Value> {
        self.kpipe(&["tail", topic, "-e"]).run().ends(0).json()
    }
}

/// A program that is yet to run.
#[must_use]
pub(crate) struct Invocation {
    command: Command,
    input: Vec<u8>,
}

impl Invocation {
    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// What it finds on stdin, which is empty otherwise.
    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// For a terminal.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    /// Starts it, with stdin left open.
    pub(crate) fn start(mut self) -> Running {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Running {
            stdin: child.stdin.take(),
            stdout: follow(child.stdout.take().unwrap()),
            stderr: follow(child.stderr.take().unwrap()),
            child,
            seen: Vec::new(),
            said: String::new(),
            deadline: Instant::now() + DEADLINE,
        }
    }

    /// Runs it to its end.
    #[must_use]
    pub(crate) fn run(mut self) -> Ended {
        let input = std::mem::take(&mut self.input);
        let mut running = self.start();
        let mut stdin = running.stdin.take().unwrap();
        // Who does not read all of it closes the pipe.
        let writer = thread::spawn(move || stdin.write_all(&input));
        let ended = running.ended();
        let _ = writer.join();
        ended
    }
}

/// A program at work; it is killed when dropped.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    seen: Vec<u8>,
    said: String,
    deadline: Instant,
}

/// Reads line by line on a thread; the channel closes at the end.
fn follow(stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = Vec::new();
            match stream.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if sender.send(line).is_err() => return,
                Ok(_) => {}
            }
        }
    });
    lines
}

impl Running {
    /// The next line on stdout.
    pub(crate) fn line(&mut self) -> String {
        match self.stdout.recv_timeout(self.left()) {
            Ok(line) => {
                self.seen.extend_from_slice(&line);
                String::from_utf8(line).unwrap()
            }
            Err(error) => panic!(
                "no line on stdout: {error}; stderr: {:?}",
                self.stderr
                    .try_iter()
                    .map(|line| String::from_utf8_lossy(&line).into_owned())
                    .collect::<String>()
            ),
        }
    }

    /// The next line on stdout, if it comes soon; for trying something again until it does.
    pub(crate) fn line_within(&mut self, time: Duration) -> Option<String> {
        match self.stdout.recv_timeout(time) {
            Ok(line) => {
                self.seen.extend_from_slice(&line);
                Some(String::from_utf8(line).unwrap())
            }
            Err(error) => {
                assert!(!self.left().is_zero(), "no line on stdout: {error}");
                None
            }
        }
    }

    /// Waits until it has said `text` on stderr.
    pub(crate) fn until_it_says(&mut self, text: &str) {
        while !self.said.contains(text) {
            match self.stderr.recv_timeout(self.left()) {
                Ok(line) => self.said.push_str(&String::from_utf8_lossy(&line)),
                Err(error) => panic!("it never said {text:?}: {error}; but: {}", self.said),
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for it to end by itself, after its stdin was closed.
    #[must_use]
    pub(crate) fn ended(mut self) -> Ended {
        drop(self.stdin.take());
        let mut stdout = std::mem::take(&mut self.seen);
        let on_time = self.collect(true, &mut stdout);
        let mut stderr = std::mem::take(&mut self.said).into_bytes();
        let on_time = on_time && self.collect(false, &mut stderr);
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                on_time && !self.left().is_zero(),
                "it does not end; stdout: {:?}, stderr: {stderr}",
                String::from_utf8_lossy(&stdout)
            );
            thread::yield_now();
        };
        Ended {
            status,
            stdout,
            stderr,
        }
    }

    /// Hands out its stdin, which stays open until that is dropped.
    pub(crate) fn with_input(mut self) -> (Self, ChildStdin) {
        let stdin = self.stdin.take().unwrap();
        (self, stdin)
    }

    /// Reads to the end; says whether that came before the deadline.
    fn collect(&self, stdout: bool, into: &mut Vec<u8>) -> bool {
        let lines = if stdout { &self.stdout } else { &self.stderr };
        loop {
            match lines.recv_timeout(self.left()) {
                Ok(line) => into.extend_from_slice(&line),
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program left behind.
pub(crate) struct Ended {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: String,
}

impl Ended {
    /// For who minds a few statuses alone.
    pub(crate) fn status(&self) -> ExitStatus {
        self.status
    }

    #[track_caller]
    pub(crate) fn ends(self, status: i32) -> Self {
        assert_eq!(self.status.code(), Some(status), "{}", self.told());
        self
    }

    #[track_caller]
    pub(crate) fn dies_of(self, signal: Signal) -> Self {
        assert_eq!(
            self.status.signal(),
            Some(signal.as_raw()),
            "{}",
            self.told()
        );
        self
    }

    fn told(&self) -> String {
        format!(
            "status {:?}, stdout: {:?}, stderr: {}",
            self.status,
            String::from_utf8_lossy(&self.stdout),
            self.stderr
        )
    }

    #[track_caller]
    pub(crate) fn prints(self, stdout: impl AsRef<[u8]>) -> Self {
        let stdout = stdout.as_ref();
        assert!(
            self.stdout == stdout,
            "expected stdout {:?}; {}",
            String::from_utf8_lossy(stdout),
            self.told()
        );
        self
    }

    #[track_caller]
    pub(crate) fn errors(self, stderr: &str) -> Self {
        assert_eq!(self.stderr, stderr, "{}", self.told());
        self
    }

    /// All of these are on stderr.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?}; {}", self.told());
        }
        self
    }

    /// None of these is on stderr.
    #[track_caller]
    pub(crate) fn hides(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(!self.stderr.contains(part), "{part:?}; {}", self.told());
        }
        self
    }

    /// stderr is one error, its causes, and a hint: nothing else.
    #[track_caller]
    pub(crate) fn says_one_block(self) -> Self {
        let mut lines = self.stderr.lines();
        let first = lines.next().unwrap_or_default();
        assert!(first.starts_with("error: "), "{}", self.told());
        let rest: Vec<&str> = lines
            .skip_while(|line| line.starts_with("  caused by: "))
            .collect();
        let is_hint = rest.is_empty()
            || (rest.len() == 2 && rest[0].is_empty() && rest[1].starts_with("hint: "));
        assert!(is_hint, "{}", self.told());
        self
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.stdout
    }

    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }

    /// stdout as JSON Lines.
    pub(crate) fn json(&self) -> Vec<Value> {
        let lines = self.stdout.split_inclusive(|byte| *byte == b'\n');
        lines
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }
}

/// `field` of each, for comparing.
pub(crate) fn each<'a>(rows: &'a [Value], field: &str) -> Vec<&'a Value> {
    rows.iter().map(|row| &row[field]).collect()
}
