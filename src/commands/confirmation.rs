//! Asking before what has no way back.

use crate::context::Context;
use crate::error::CommandError;

/// Asks, unless `--yes` was given; says whether to go on. `hint` is for where nobody can be asked.
pub(crate) fn is_confirmed(
    yes: bool,
    question: &str,
    hint: &str,
    context: &Context,
) -> Result<bool, CommandError> {
    if yes {
        return Ok(true);
    }
    if !context.ui.can_ask() {
        return Err(CommandError::usage(Unconfirmed).hint(hint));
    }
    context.ui.confirms(question).map_err(CommandError::failed)
}

#[derive(Debug, thiserror::Error)]
#[error("nothing was done: there is nobody to ask")]
struct Unconfirmed;
