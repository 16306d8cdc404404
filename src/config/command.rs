//! Runs a command of the profile for the little text it prints: bounded in time and size.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(30);
const MOST_BYTES: u64 = 64 * 1024;

/// Why a command gave no text; names the program, never its arguments or its output.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An argv without a program.
    #[error("the command is empty")]
    Empty,
    /// The program cannot be started or read from.
    #[error("cannot run {program}")]
    Run { program: String, source: io::Error },
    /// It ended with another status than 0.
    #[error("{program} ended with {status}")]
    Failed { program: String, status: ExitStatus },
    /// It took too long and was killed.
    #[error("{program} did not end within {} s", timeout.as_secs())]
    TimedOut { program: String, timeout: Duration },
    /// It printed too much.
    #[error("{program} printed more than {MOST_BYTES} bytes")]
    TooLong { program: String },
    /// It printed something else than text.
    #[error("{program} printed something that is not UTF-8")]
    NotUtf8 { program: String },
}

/// Returns what the argv prints on stdout; its stdin is empty, its stderr is ours.
pub(super) fn output(argv: &[String]) -> Result<String, RunError> {
    output_within(argv, TIMEOUT)
}

fn output_within(argv: &[String], timeout: Duration) -> Result<String, RunError> {
    let (program, arguments) = argv.split_first().ok_or(RunError::Empty)?;
    let deadline = Instant::now() + timeout;
    let broken = |source| RunError::Run {
        program: program.clone(),
        source,
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(broken)?;

    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.take(MOST_BYTES + 1).read_to_end(&mut bytes);
            // Nobody listens any more when the time is over.
            let _ = sender.send(read.map(|_| bytes));
        });
    }
    let outcome = receiver.recv_timeout(timeout);
    let too_long = matches!(&outcome, Ok(Ok(bytes)) if bytes.len() as u64 > MOST_BYTES);
    let status = if too_long {
        None
    } else {
        end(&mut child, deadline)
    };
    if status.is_none() {
        // Both fail only when it has just ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }

    let program = program.clone();
    match (outcome, status) {
        _ if too_long => Err(RunError::TooLong { program }),
        (Ok(Err(source)), _) => Err(RunError::Run { program, source }),
        (Err(_), _) | (_, None) => Err(RunError::TimedOut { program, timeout }),
        (_, Some(status)) if !status.success() => Err(RunError::Failed { program, status }),
        (Ok(Ok(bytes)), _) => String::from_utf8(bytes).map_err(|_| RunError::NotUtf8 { program }),
    }
}

/// Waits for the end until the deadline. A command ends as it closes its stdout, so the first look
/// nearly always finds it; the standard library cannot wait with a timeout.
fn end(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(1)),
            Ok(None) | Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<String, RunError> {
        output_within(
            &["sh", "-c", script].map(str::to_owned),
            Duration::from_millis(300),
        )
    }

    #[test]
    fn what_a_command_prints_is_returned() {
        assert_eq!(shell("cat; printf 'a\\nb'").unwrap(), "a\nb");
    }

    #[test]
    fn a_command_that_fails_says_so() {
        assert_eq!(
            shell("echo x; exit 3").unwrap_err().to_string(),
            "sh ended with exit status: 3"
        );
        assert!(matches!(
            output(&["/nowhere/x".to_owned()]),
            Err(RunError::Run { .. })
        ));
        assert!(matches!(output(&[]), Err(RunError::Empty)));
        assert!(matches!(
            shell("printf '\\377'"),
            Err(RunError::NotUtf8 { .. })
        ));
    }

    #[test]
    fn a_command_that_never_ends_is_killed() {
        assert!(matches!(
            shell("exec sleep 100"),
            Err(RunError::TimedOut { .. })
        ));
        assert!(matches!(
            shell("exec >&-; exec sleep 100"),
            Err(RunError::TimedOut { .. })
        ));
    }

    #[test]
    fn a_command_that_never_stops_printing_is_killed() {
        assert!(matches!(
            output_within(&["yes".to_owned()], Duration::from_secs(20)),
            Err(RunError::TooLong { .. })
        ));
    }
}
