//! What happens to records between source and sink.

pub mod filter;
pub mod pump;
pub mod ledger;
pub mod deliver;
pub mod last;
