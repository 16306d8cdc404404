//! What reaches the user: stdout, status lines, errors.

pub mod pretty;
pub mod sanitize;
