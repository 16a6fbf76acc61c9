//! `cargo run -p ffe-testbed --example testbed -- up|ensure|down|status [PART…]`: the library by itself.
//! Without names, every part but the other cluster and the S3 server.

use anyhow::{Result, bail};
use ffe_testbed::{Part, Testbed, ToStderr};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let testbed = Testbed::locate()?;
    let (command, names) = match arguments.split_first() {
        Some((command, names)) => (command.as_str(), names),
        None => ("status", [].as_slice()),
    };
    let parts: Vec<Part> = if names.is_empty() {
        Part::ALL.into_iter().filter(|part| !matches!(part, Part::OtherCluster | Part::S3)).collect()
    } else {
        Part::ALL.into_iter().filter(|part| names.contains(&format!("{part:?}").to_lowercase())).collect()
    };
    match command {
        "up" => testbed.up(&parts, &ToStderr),
        "ensure" => testbed.ensure(&parts, &ToStderr),
        "down" => testbed.down(&ToStderr),
        "status" => {
            eprintln!("{}", testbed.status());
            Ok(())
        }
        other => bail!("unknown command {other}: up, ensure, down or status"),
    }
}
