//! The machine itself, which the testbed leaves as it is.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::command::{self, SYSTEM_PATH};

/// A command of the system, found also where a user's PATH does not look.
pub(crate) fn system(program: &str) -> Command {
    let mut command = Command::new("env");
    command.arg(format!("PATH={SYSTEM_PATH}")).arg(program);
    command
}

/// Whether anybody listens on this address.
pub(crate) fn is_taken_at(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// Unmounts everything below a folder, the innermost first.
pub(crate) fn unmount_below(folder: &Path) -> Result<()> {
    let mounts = std::fs::read_to_string("/proc/mounts").context("reading /proc/mounts")?;
    for mount in mounts_below(&mounts, folder) {
        command::output(system("umount").arg("-l").arg(&mount))?;
    }
    Ok(())
}

fn mounts_below(mounts: &str, folder: &Path) -> Vec<PathBuf> {
    let mut below: Vec<PathBuf> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(|escaped| PathBuf::from(unescape(escaped)))
        .filter(|path| path.starts_with(folder))
        .collect();
    below.sort();
    below.reverse();
    below
}

/// Blanks and the like stand in /proc/mounts as a backslash and three octal digits.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn mounts_below_a_folder_come_innermost_first() {
        let mounts = "\
proc /proc proc rw 0 0
tmpfs /cache/testbed/run/kubelet/pods/1/volumes/a\\040b tmpfs rw 0 0
overlay /cache/testbed/run/x overlay rw 0 0
overlay /cache/testbed/run/x/y overlay rw 0 0
overlay /cache/testbed/runner overlay rw 0 0
";
        let below = mounts_below(mounts, Path::new("/cache/testbed/run"));
        let expected = ["run/x/y", "run/x", "run/kubelet/pods/1/volumes/a b"];
        assert_eq!(below, expected.map(|path| Path::new("/cache/testbed").join(path)));
    }

    #[test]
    fn an_address_is_taken_while_somebody_listens_on_it() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(is_taken_at(listener.local_addr().unwrap()));
        // A caller's own port is in use, so that nobody else gets it, and nobody listens there.
        let caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(!is_taken_at(caller.local_addr().unwrap()));
    }
}
