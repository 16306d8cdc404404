//! What reaches the user: stdout, status lines, errors.

pub mod sanitize;
