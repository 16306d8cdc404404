//! Until the registry's own commands say where it is and who acts.
#![allow(clippy::unnecessary_wraps)]

use std::path::PathBuf;

use crate::context::Context;
use crate::error::CommandError;
use crate::registry::{Actor, Error, Registry};

fn path(context: &Context) -> PathBuf {
    PathBuf::from(
        context
            .environment
            .get("KPIPE_REGISTRY")
            .cloned()
            .unwrap_or_default(),
    )
}

pub(super) fn open(context: &Context) -> Result<Registry, CommandError> {
    Ok(Registry::open(&path(context))?)
}

pub(super) fn open_if_any(context: &Context) -> Result<Option<Registry>, CommandError> {
    match Registry::open_existing(&path(context)) {
        Ok(registry) => Ok(Some(registry)),
        Err(Error::Absent { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn actor(_by: Option<&str>, context: &Context) -> Result<Actor, CommandError> {
    Ok(Actor {
        name: context
            .environment
            .get("KPIPE_ACTOR")
            .cloned()
            .unwrap_or_default(),
        login: None,
        uid: 0,
        host: "here".to_owned(),
    })
}

pub(super) fn random(_context: &Context) -> f64 {
    0.5
}
