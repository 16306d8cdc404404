//! Who runs the process, as the operating system knows it.

use std::process::{Command, Stdio};

/// The user's login, where the system has one for them.
///
/// Asked of `id` (POSIX), because only the system's own libraries know the users of LDAP and the like.
pub(crate) fn login() -> Option<String> {
    let output = Command::new("id")
        .arg("-un")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let login = String::from_utf8(output.stdout).ok()?;
    let login = login.trim_end();
    (output.status.success() && !login.is_empty()).then(|| login.to_owned())
}

/// The real user id, which no name can lie about.
pub(crate) fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// The name of the machine.
pub(crate) fn host() -> String {
    let names = rustix::system::uname();
    names.nodename().to_string_lossy().into_owned()
}
