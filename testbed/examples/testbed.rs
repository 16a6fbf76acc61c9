//! `cargo run -p ffe-testbed --example testbed -- up|ensure|down|status|environment [PART…]`: the library by itself.
//! Without names, every part but the other cluster, the S3 server and what TLS is tested with, which `tls` stands for.
//! `environment` prints what tests of the latter are told, for a shell.

#![allow(clippy::print_stdout)]

use anyhow::{Result, bail};
use ffe_testbed::{Part, Testbed, ToStderr};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let testbed = Testbed::locate()?;
    let (command, names) = match arguments.split_first() {
        Some((command, names)) => (command.as_str(), names),
        None => ("status", [].as_slice()),
    };
    let named = |part: Part| {
        names
            .iter()
            .any(|name| *name == format!("{part:?}").to_lowercase() || name == "tls" && Part::TLS.contains(&part))
    };
    let parts: Vec<Part> = if names.is_empty() {
        let more = |part: &Part| matches!(part, Part::OtherCluster | Part::S3) || Part::TLS.contains(part);
        Part::ALL.into_iter().filter(|part| !more(part)).collect()
    } else {
        Part::ALL.into_iter().filter(|part| named(*part)).collect()
    };
    match command {
        "up" => testbed.up(&parts, &ToStderr),
        "ensure" => testbed.ensure(&parts, &ToStderr),
        "down" => testbed.down(&ToStderr),
        "status" => {
            eprintln!("{}", testbed.status());
            Ok(())
        }
        "environment" => {
            for (name, value) in testbed.tls_environment() {
                println!("export {name}='{value}'");
            }
            Ok(())
        }
        other => bail!("unknown command {other}: up, ensure, down, status or environment"),
    }
}
