//! Where server and supervisor meet: a Unix socket in the directory.
//!
//! The path of such a socket may have 107 bytes at most, and data folders may lie deeper. So the directory is opened, and the socket is
//! named by way of its descriptor.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

const NAME: &str = "socket";

/// Listens, in place of a socket that a dead supervisor left.
pub(super) fn listen(directory: &Path) -> io::Result<UnixListener> {
    remove(directory);
    let folder = File::open(directory)?;
    UnixListener::bind(by_descriptor(&folder))
}

/// Connects.
pub(super) fn connect(directory: &Path) -> io::Result<UnixStream> {
    let folder = File::open(directory)?;
    UnixStream::connect(by_descriptor(&folder))
}

/// Takes the socket away.
pub(super) fn remove(directory: &Path) {
    // That it is not there is what is wanted.
    let _was_absent = std::fs::remove_file(directory.join(NAME));
}

fn by_descriptor(folder: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()))
}
