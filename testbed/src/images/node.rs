//! Handing images to the node's containerd.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::oci::{Image, Store};
use crate::bed::Bed;
use crate::command;
use crate::host;
use crate::paths::Paths;

/// containerd's own client, on our socket and in the namespace that the kubelet uses.
pub(crate) fn ctr(paths: &Paths) -> Command {
    let mut command = host::system("ctr");
    command.arg("-a").arg(paths.containerd_socket()).args(["-n", "k8s.io"]);
    command
}

/// Imports those images that the node lacks or has with another content.
pub(crate) fn import(bed: &Bed<'_>, images: &[Image]) -> Result<()> {
    let there = parse_list(&command::output(ctr(bed.paths).args(["images", "ls"]))?);
    let missing: Vec<Image> =
        images.iter().filter(|image| there.get(&image.name) != Some(&image.manifest.digest)).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|i| i.name.rsplit('/').next().unwrap_or(&i.name)).collect();
    bed.say(format!("importing images: {}", names.join(", ")));
    let content: BTreeSet<String> =
        command::output(ctr(bed.paths).args(["content", "ls", "-q"]))?.lines().map(str::to_owned).collect();
    // By a pipe: the layers are many megabytes, and the store has them on disk already.
    let mut child = ctr(bed.paths)
        .args(["images", "import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run ctr")?;
    let input = child.stdin.take().context("no pipe to ctr")?;
    let written = Store::open(&bed.paths.images())?.archive(&missing, &content, input);
    let done = child.wait_with_output().context("waiting for ctr")?;
    if !done.status.success() {
        bail!("ctr images import failed ({}): {}", done.status, String::from_utf8_lossy(&done.stderr).trim());
    }
    written
}

/// Name and digest of each image in a table of `ctr images ls`.
fn parse_list(table: &str) -> BTreeMap<String, String> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.nth(1)?.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_table_of_images_is_read() {
        let table = "REF TYPE DIGEST SIZE PLATFORMS LABELS\n\
            ffe-testbed.local/pause:1 application/vnd.oci.image.manifest.v1+json sha256:aa 2.1 MiB linux/amd64 -\n";
        let list = parse_list(table);
        assert_eq!(list.get("ffe-testbed.local/pause:1").unwrap(), "sha256:aa");
        assert_eq!(list.len(), 1);
    }
}
