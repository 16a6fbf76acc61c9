//! A door to an ACME server at which names are refused as public authorities do.

use std::path::Path;

use anyhow::Result;

use super::{Server, ZONE};
use crate::bed::Bed;
use crate::node::Node;
use crate::paths::Paths;
use crate::process::Process;

/// Its process and its binary.
pub(super) const NAME: &str = "pebble-strict";
const PORT: u16 = 14020;

/// The URL that clients begin with.
pub(super) fn directory(paths: &Paths) -> String {
    format!("https://{}/dir", Node::first(paths).socket(PORT))
}

/// Starts it unless it runs, with the server's own certificate, which is in the folder.
pub(super) fn start(bed: &Bed<'_>, folder: &Path, node: &Node, server: &Server) -> Result<()> {
    let process = Process::new(bed.paths, NAME);
    if process.pid().is_some() {
        return Ok(());
    }
    let address = node.socket(PORT);
    process.start_on(node, &bed.paths.binary(NAME), &arguments(folder, node, server))?;
    process.wait_until_listening(address)?;
    bed.say(format!("{NAME} listens on {address}: names below limited.{ZONE} and caa.{ZONE} are refused"));
    Ok(())
}

fn arguments(folder: &Path, node: &Node, server: &Server) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("-listen={}", node.socket(PORT)),
        format!("-server=https://{}", node.socket(server.directory_port)),
        format!("-authority={}", file("ca.crt")),
        format!("-certificate={}", file("server.crt")),
        format!("-key={}", file("server.key")),
        format!("-limited=limited.{ZONE}"),
        format!("-caa=caa.{ZONE}"),
    ]
}
