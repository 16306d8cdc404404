//! What reaches the user: stdout, status lines, errors.

mod indent;
pub mod pretty;
pub mod sanitize;
