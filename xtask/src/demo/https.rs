//! HTTPS on the testbed: its ACME server issues the certificate, its ingress controller serves it at the node's address.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::workspace::Workspace;

/// What the example is told so that it ends with HTTPS.
#[derive(Debug)]
pub(super) struct Https {
    host: String,
    address: IpAddr,
    directory: String,
    /// By which the ACME server itself is trusted.
    server_ca: String,
    /// By which its certificates are trusted.
    roots: PathBuf,
    roots_text: String,
}

impl Https {
    pub(super) fn of(workspace: &Workspace) -> Result<Https> {
        let testbed = &workspace.testbed;
        let read = |path: PathBuf| {
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            anyhow::Ok((path, text))
        };
        let dns = testbed.dns();
        let (roots, roots_text) = read(testbed.acme_roots())?;
        let (_, server_ca) = read(testbed.acme_ca())?;
        let host = format!("demo.{}", dns.zone.trim_end_matches('.'));
        Ok(Https {
            host,
            address: (*dns.server.ip()).into(),
            directory: testbed.acme_directory(),
            server_ca,
            roots,
            roots_text,
        })
    }

    /// The example's variables.
    pub(super) fn variables(&self) -> [(&'static str, String); 5] {
        let acme = json!({ "server": self.directory, "ca_bundle": self.server_ca });
        [
            ("TF_VAR_host", self.host.clone()),
            ("TF_VAR_ingress_class", "traefik".to_owned()),
            ("TF_VAR_acme", acme.to_string()),
            ("TF_VAR_resolve_to", self.address.to_string()),
            ("TF_VAR_trusted_roots", self.roots_text.clone()),
        ]
    }

    /// How the user asks by hand; the name is known to nobody but the testbed's own DNS.
    pub(super) fn by_hand(&self) -> String {
        let Https { host, address, roots, .. } = self;
        format!("curl --resolve {host}:443:{address} --cacert {} https://{host}/health", roots.display())
    }
}
