//! Dead letters as a whole: what they died of, and how they go back where they came from.
//!
//! What one of them says is read by [`crate::record::dead_letter`]. [`Tally`] counts many in memory
//! that does not grow with them. [`Replay`] sends them back; a dead letter is committed when what
//! was sent of it is acknowledged, or when it is one that never goes and that was said.

mod likeness;
mod plan;
mod replay;
mod tally;
mod told;

pub use plan::{Fate, Plan, Reason};
pub use replay::Replay;
pub use tally::{Kind, Sum, Tally};
pub use told::{Counts, Told};
