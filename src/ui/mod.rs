//! What reaches the user: status lines, warnings, errors on stderr.

mod confirm;
pub mod dead_letters;
mod fold;
mod json;
mod labelled;
pub mod pretty;
pub mod rows;
pub mod sanitize;

use std::error::Error;
use std::fmt::{Display, Write as _};
use std::io::{IsTerminal, Write as _};

use anstyle::{AnsiColor, Style};

use crate::error::CommandError;
use sanitize::OneLine;

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`
    #[default]
    Auto,
    Always,
    Never,
}

/// How we speak; nothing here is data.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    quiet: bool,
    color: Color,
}

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

impl Ui {
    /// `quiet` leaves only errors.
    pub fn new(quiet: bool, color: Color) -> Self {
        anstream::ColorChoice::write_global(match color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        });
        Self { quiet, color }
    }

    /// Whether stdout shows colour.
    pub fn colors_stdout(&self) -> bool {
        self.colors(&std::io::stdout())
    }

    /// Whether stderr shows colour.
    pub fn colors_stderr(&self) -> bool {
        self.colors(&std::io::stderr())
    }

    fn colors(self, stream: &impl anstream::stream::RawStream) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never,
        }
    }

    /// Whether people read stdout, rather than a program.
    pub fn stdout_is_terminal(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// Whether something that moves may be drawn on stderr.
    pub fn shows_progress(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// Whether nothing but errors is to be said.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Says what was done.
    pub fn status(&self, text: impl Display) {
        if !self.quiet {
            Self::say(format_args!("{}", OneLine(&text.to_string())));
        }
    }

    /// Says what may need attention.
    pub fn warning(&self, text: impl Display) {
        if !self.quiet {
            let text = text.to_string();
            Self::say(format_args!(
                "{WARNING}warning:{WARNING:#} {}",
                OneLine(&text)
            ));
        }
    }

    /// Says that one of many failed.
    pub fn item_error(&self, text: impl Display) {
        let text = text.to_string();
        Self::say(format_args!("{ERROR}error:{ERROR:#} {}", OneLine(&text)));
    }

    /// Says why a command failed: one block.
    pub fn error(&self, error: &CommandError) {
        let mut block = format!(
            "{ERROR}error:{ERROR:#} {}",
            OneLine(&error.error.to_string())
        );
        let mut cause = error.error.source();
        while let Some(error) = cause {
            let _ = write!(block, "\n  caused by: {}", OneLine(&error.to_string()));
            cause = error.source();
        }
        if let Some(hint) = &error.hint {
            let _ = write!(block, "\n\n{HINT}hint:{HINT:#} {}", OneLine(hint));
        }
        Self::say(format_args!("{block}"));
    }

    /// Nobody is left to tell when stderr is closed.
    fn say(text: std::fmt::Arguments<'_>) {
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }
}

/// The chain of causes in one line, for places with room for one.
pub fn in_one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
