//! What happens to records between source and sink.

pub mod deliver;
pub mod filter;
pub mod last;
pub mod ledger;
pub mod milestones;
pub mod pace;
pub mod pump;
pub mod tally;
pub(crate) mod tracker;
