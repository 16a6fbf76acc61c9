//! A door to an ACME server at which names are refused as public authorities do.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;

use anyhow::{Result, bail};

use super::{Server, ZONE};
use crate::bed::Bed;
use crate::host;
use crate::process::Process;

/// Its process and its binary.
pub(super) const NAME: &str = "pebble-strict";
const PORT: u16 = 14020;

/// The URL that clients begin with.
pub(super) fn directory() -> Result<String> {
    Ok(format!("https://{}:{PORT}/dir", host::node_ip()?))
}

/// Starts it unless it runs, with the server's own certificate, which is in the folder.
pub(super) fn start(bed: &Bed<'_>, folder: &Path, node_ip: Ipv4Addr, server: &Server) -> Result<()> {
    let process = Process::new(bed.paths, NAME);
    if process.pid().is_some() {
        return Ok(());
    }
    let address = SocketAddr::V4(SocketAddrV4::new(node_ip, PORT));
    if host::is_taken_at(address) {
        bail!("something else listens on {address}, where the ACME server would: stop it first");
    }
    process.start(&bed.paths.binary(NAME), &arguments(folder, node_ip, server))?;
    process.wait_until_listening(address)?;
    bed.say(format!("{NAME} listens on {address}: names below limited.{ZONE} and caa.{ZONE} are refused"));
    Ok(())
}

fn arguments(folder: &Path, node_ip: Ipv4Addr, server: &Server) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("-listen={}", SocketAddrV4::new(node_ip, PORT)),
        format!("-server=https://{}", SocketAddrV4::new(node_ip, server.directory_port)),
        format!("-authority={}", file("ca.crt")),
        format!("-certificate={}", file("server.crt")),
        format!("-key={}", file("server.key")),
        format!("-limited=limited.{ZONE}"),
        format!("-caa=caa.{ZONE}"),
    ]
}
