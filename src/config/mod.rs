//! Where the connection settings come from.
