//! A question to whoever is at the terminal, before something that has no way back.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Write};

use super::Ui;
use super::sanitize::OneLine;

impl Ui {
    /// Whether a person can be asked: stdin and stderr are a terminal.
    pub fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks a question whose answer is no, unless it begins with a y.
    pub fn confirms(&self, question: impl Display) -> io::Result<bool> {
        let mut stderr = anstream::stderr().lock();
        write!(stderr, "{} [y/N] ", OneLine(&question.to_string()))?;
        stderr.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(answer.trim_start().starts_with(['y', 'Y']))
    }
}
