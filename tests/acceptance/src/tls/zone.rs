//! The testbed's zone, changed as its administrator would.

use anyhow::Result;

use super::surroundings;
use crate::Stage;

/// Gives a name in the zone an address of its own, until the case is over.
///
/// # Errors
/// When the name server refuses.
pub(crate) fn set_address(stage: &mut Stage, name: &str, address: &str) -> Result<()> {
    let tls = surroundings(stage)?;
    let server = tls.dns_server.replace(':', " ");
    let update = |change: &str| {
        format!("printf '%s\\n' 'server {server}' '{change}' send | nsupdate -k {}", tls.key_file.display())
    };
    stage.afterwards(&update(&format!("update delete {name}. A")));
    stage.shell(&update(&format!("update add {name}. 1 A {address}")))?.ok().map(|_| ())
}
