//! Text of strangers, made fit for a terminal.
