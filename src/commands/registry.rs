//! Which registry, and who speaks: what the commands that use one have in common.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::database;
use crate::error::CommandError;
use crate::registry::{Actor, Error, Registry};

/// Where the registry is.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct RegistryArgs {
    /// The registry [default: `$XDG_DATA_HOME/kpipe/registry.db`] [env: `KPIPE_REGISTRY`]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Registry")]
    registry: Option<PathBuf>,
}

impl RegistryArgs {
    /// The registry that `--registry` would name.
    pub(crate) fn at(registry: Option<PathBuf>) -> Self {
        Self { registry }
    }

    /// Opens the registry, and makes it if it is not there. Its folder is made only where nobody could
    /// have mistyped it.
    pub(crate) fn open(&self, context: &Context) -> Result<Registry, CommandError> {
        let path = self.path(context)?;
        if self.named(context).is_none()
            && let Some(folder) = path.parent()
        {
            database::create_folder(folder).map_err(Error::from)?;
        }
        settled(Registry::open(&path)?, context)
    }

    /// Opens the registry, which has to be there.
    pub(crate) fn open_existing(&self, context: &Context) -> Result<Registry, CommandError> {
        settled(Registry::open_existing(&self.path(context)?)?, context)
    }

    /// Opens the registry, if it is there and has a place to be.
    pub(crate) fn open_if_there(
        &self,
        context: &Context,
    ) -> Result<Option<Registry>, CommandError> {
        let Ok(path) = self.path(context) else {
            return Ok(None);
        };
        match Registry::open_existing(&path) {
            Err(Error::File(database::Error::Absent { .. })) => Ok(None),
            opened => settled(opened?, context).map(Some),
        }
    }

    /// Where somebody said that it is.
    fn named(&self, context: &Context) -> Option<PathBuf> {
        let named = self.registry.clone();
        named.or_else(|| context.variable("KPIPE_REGISTRY").map(PathBuf::from))
    }

    /// The XDG Base Directory Specification wants a relative `XDG_DATA_HOME` ignored.
    pub(crate) fn path(&self, context: &Context) -> Result<PathBuf, CommandError> {
        let data = || {
            let folder = context.variable("XDG_DATA_HOME").map(PathBuf::from);
            folder.filter(|folder| folder.is_absolute())
        };
        let home = || Some(PathBuf::from(context.variable("HOME")?).join(".local/share"));
        self.named(context)
            .or_else(|| Some(data().or_else(home)?.join("kpipe/registry.db")))
            .ok_or_else(|| {
                CommandError::usage(
                    "no registry: none of KPIPE_REGISTRY, XDG_DATA_HOME and HOME is set",
                )
                .hint("--registry FILE")
            })
    }
}

/// Nobody is to see a request as PENDING that has expired.
fn settled(mut registry: Registry, context: &Context) -> Result<Registry, CommandError> {
    registry.expire(context.clock.now())?;
    Ok(registry)
}

/// The key that activating topics may need.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct ProducerKeyArgs {
    /// Read the producer key from a file [env: `KPIPE_PRODUCER_KEY` is the key itself]
    #[arg(long, value_name = "FILE")]
    producer_key_file: Option<PathBuf>,
}

/// A key has some fifty characters; what is longer is none.
const LONGEST_KEY_FILE: u64 = 4096;

#[derive(Debug, thiserror::Error)]
#[error("cannot read the producer key from {}", path.display())]
struct UnreadableKey {
    path: PathBuf,
    source: io::Error,
}

impl ProducerKeyArgs {
    pub(crate) fn read(&self, context: &Context) -> Result<Option<String>, CommandError> {
        let Some(path) = &self.producer_key_file else {
            return Ok(context.environment.get("KPIPE_PRODUCER_KEY").cloned());
        };
        let text = beginning(path).map_err(|source| {
            CommandError::usage(UnreadableKey {
                path: path.clone(),
                source,
            })
        })?;
        Ok(Some(text.trim_end().to_owned()))
    }
}

fn beginning(path: &Path) -> io::Result<String> {
    io::read_to_string(File::open(path)?.take(LONGEST_KEY_FILE))
}

/// Who acts.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct ByArgs {
    /// Who you are; kept with your login [default: the login] [env: `KPIPE_ACTOR`]
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
}

impl ByArgs {
    pub(crate) fn actor(&self, context: &Context) -> Result<Actor, CommandError> {
        context.actor(self.by.as_deref())
    }
}
