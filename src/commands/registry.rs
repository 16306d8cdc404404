//! Which registry, and who speaks: what the commands that use one have in common.

use std::path::PathBuf;

use crate::context::Context;
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
    /// Opens the registry, and makes it if it is not there.
    pub(crate) fn open(&self, context: &Context) -> Result<Registry, CommandError> {
        settled(Registry::open(&self.path(context)?)?, context)
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
            Err(Error::Absent { .. }) => Ok(None),
            opened => settled(opened?, context).map(Some),
        }
    }

    /// The XDG Base Directory Specification wants a relative `XDG_DATA_HOME` ignored.
    fn path(&self, context: &Context) -> Result<PathBuf, CommandError> {
        let named = self.registry.clone();
        let named = named.or_else(|| context.variable("KPIPE_REGISTRY").map(PathBuf::from));
        let data = || {
            let folder = context.variable("XDG_DATA_HOME").map(PathBuf::from);
            folder.filter(|folder| folder.is_absolute())
        };
        let home = || Some(PathBuf::from(context.variable("HOME")?).join(".local/share"));
        named
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
