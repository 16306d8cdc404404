//! `kpipe completions`: what makes a shell ask kpipe at TAB.

use std::io::Write;

use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Outcome;
use crate::sink::output;

/// Print a script that makes a shell complete kpipe's arguments
///
/// Commands, flags and their values; names of profiles, of kinds of generated records, of topics
/// and users in the registry, and of the topics and groups that the cluster listed when a command
/// last asked it for all of them (kept in `$XDG_CACHE_HOME/kpipe/names`). TAB never waits for Kafka.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  source <(kpipe completions bash)
  kpipe completions bash > ~/.local/share/bash-completion/completions/kpipe
  kpipe completions zsh > ~/.zfunc/_kpipe
  kpipe completions fish > ~/.config/fish/completions/kpipe.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn run(args: &Args, _context: &Context) -> Result<Outcome, CommandError> {
    let script = match args.shell {
        Shell::Bash => include_str!("../../completions/kpipe.bash"),
        Shell::Zsh => include_str!("../../completions/_kpipe"),
        Shell::Fish => include_str!("../../completions/kpipe.fish"),
    };
    let mut out = output::stdout().map_err(CommandError::failed)?;
    output::tolerate_closed(out.write_all(script.as_bytes()))?;
    Ok(Outcome::DONE)
}
