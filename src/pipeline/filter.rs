//! Which records are wanted: `--grep` and `--where`.
