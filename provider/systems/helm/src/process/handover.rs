//! Handing a secret file to a child: a memory file on Linux, a private file elsewhere. It is never on disk where memory
//! files exist, and never readable by others.

use std::io::{self, Write};
use std::path::PathBuf;

use tokio::process::Command;

/// The first descriptor that is given to children; beyond what a program's own start uses.
#[cfg(target_os = "linux")]
const FIRST_DESCRIPTOR: i32 = 10;

/// Content that one child can read under a path.
pub(crate) struct Handover {
    #[cfg(target_os = "linux")]
    file: std::os::fd::OwnedFd,
    #[cfg(not(target_os = "linux"))]
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Handover {
    /// Keeps `content` for a child. `position` numbers the handovers of one child from 0.
    #[cfg(target_os = "linux")]
    pub(crate) fn new(content: &[u8], position: usize) -> io::Result<Self> {
        use rustix::fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create};
        let descriptor = memfd_create("ffe", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        // Helm warns of a kubeconfig that others could read; a memory file's mode is 0777 to begin with.
        fchmod(&descriptor, Mode::RUSR | Mode::WUSR)?;
        let mut file = std::fs::File::from(descriptor);
        file.write_all(content)?;
        fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        let number = FIRST_DESCRIPTOR + i32::try_from(position).map_err(io::Error::other)?;
        Ok(Self { file: file.into(), path: format!("/proc/self/fd/{number}").into() })
    }

    /// Keeps `content` for a child.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new(content: &[u8], _position: usize) -> io::Result<Self> {
        // Made with mode 0600, removed when dropped.
        let mut file = tempfile::Builder::new().prefix("ffe-").tempfile()?;
        file.write_all(content)?;
        file.flush()?;
        let path = file.path().to_owned();
        Ok(Self { file, path })
    }

    /// Where the child finds it.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }
}

/// Gives the files to `command`'s child. What is returned must live until the child has ended.
#[cfg(target_os = "linux")]
pub(super) fn attach(files: Vec<Handover>, command: &mut Command) -> io::Result<Vec<Handover>> {
    use command_fds::{CommandFdExt, FdMapping};
    let mappings = files
        .into_iter()
        .zip(FIRST_DESCRIPTOR..)
        .map(|(file, child_fd)| FdMapping { parent_fd: file.file, child_fd })
        .collect();
    command.fd_mappings(mappings).map_err(io::Error::other)?;
    Ok(Vec::new())
}

/// Gives the files to `command`'s child. What is returned must live until the child has ended.
#[cfg(not(target_os = "linux"))]
pub(super) fn attach(files: Vec<Handover>, _command: &mut Command) -> io::Result<Vec<Handover>> {
    Ok(files)
}
