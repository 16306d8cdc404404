//! The exit status of [`kpipe::run`], or the death of its signal.

fn main() {
    kpipe::exit::leave(kpipe::run(std::env::args_os()))
}
