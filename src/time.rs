//! Points in time as users type them.
