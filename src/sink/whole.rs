//! A small file that is written as a whole or not at all, so that nobody ever reads a part of it.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Makes `bytes` the content of the file at `path`, which has `mode` where it is new.
///
/// A file is replaced by renaming, on the disk before, where a symbolic link leads. What is no file,
/// such as a pipe or a device, is written to as it is: a rename would put a file in its place.
///
/// # Errors
/// Whatever the system says; the file is as it was then.
pub fn write(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if real.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let folder = real
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut next = tempfile::Builder::new()
        .prefix(".kpipe-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    next.write_all(bytes)?;
    // Renamed before it is on the disk, it might be empty after a power cut.
    next.as_file().sync_all()?;
    next.persist(&real)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::{FileTypeExt, symlink};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn a_file_is_replaced_where_a_link_leads() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        write(&file, 0o640, b"one").unwrap();
        symlink(&file, &link).unwrap();
        write(&link, 0o640, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert!(link.is_symlink());
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_no_file_stays_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        // Open at both ends, so that nobody waits for the other.
        let mut reader = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&pipe)
            .unwrap();
        write(&pipe, 0o600, b"text").unwrap();
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
        let mut text = [0; 4];
        reader.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"text");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
