//! What is said of an issuer of cert-manager wherever one is described: a resource of its own, or a part of another one.
//!
//! The parts of the schema, what goes together in them and what does not (`rules`), what they come to, and the write-only
//! values that an issuer reads (`credentials`).

pub mod checks;
pub mod credentials;
pub mod rules;

use ffe_cert_manager::{DnsProvider, SecretKey, Tsig};
use tfplugin::{Attr, Model};

use crate::checks::dns_subdomain;
use checks::{nameserver, not_blank};

/// DNS-01 at Cloudflare.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Dns01Cloudflare {
    /// A token that may edit the zone's records. Kept in a Secret that only cert-manager needs to read. Default: the provider's own,
    /// `cloudflare.api_token`.
    #[attr(optional, write_only, sensitive, check = not_blank())]
    pub api_token_wo: Attr<String>,
    /// When set, `api_token_wo` counts as changed only when this changes.
    #[attr(optional)]
    pub api_token_wo_version: Attr<String>,
}

/// DNS-01 by dynamic updates.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Dns01Rfc2136 {
    /// The server that takes the updates: host or address, with a port where it is not 53.
    #[attr(required, check = nameserver())]
    pub nameserver: Attr<String>,
    /// The name of the key that signs the updates (TSIG).
    #[attr(optional, check = not_blank())]
    pub tsig_key_name: Attr<String>,
    /// The algorithm of the key. Default: `HMACSHA256`.
    #[attr(optional, one_of("HMACMD5", "HMACSHA1", "HMACSHA256", "HMACSHA512"))]
    pub tsig_algorithm: Attr<String>,
    /// The key, as it stands in the server's configuration (base64). Kept in a Secret that only cert-manager needs to read.
    #[attr(optional, write_only, sensitive, check = not_blank())]
    pub tsig_secret_wo: Attr<String>,
    /// When set, `tsig_secret_wo` counts as changed only when this changes.
    #[attr(optional)]
    pub tsig_secret_wo_version: Attr<String>,
}

/// An authority whose certificate and key are in a Secret.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct CertificateAuthority {
    /// The Secret with `tls.crt` and `tls.key`; for a ClusterIssuer in cert-manager's own namespace.
    #[attr(required, check = dns_subdomain())]
    pub secret_name: Attr<String>,
}

/// Nothing to say about it.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct SelfSigned {}

impl Dns01Rfc2136 {
    /// What it comes to, with its key where `secret` says; none where something is not known.
    pub fn provider(&self, secret: SecretKey) -> Option<DnsProvider> {
        let tsig = match &self.tsig_key_name {
            Attr::Unknown => return None,
            name => name.as_str().map(|name| Tsig {
                key_name: name.to_owned(),
                algorithm: self.tsig_algorithm.as_str().unwrap_or("HMACSHA256").to_owned(),
                secret,
            }),
        };
        Some(DnsProvider::Rfc2136 { nameserver: self.nameserver.as_str()?.to_owned(), tsig })
    }

    /// Whether updates are signed.
    pub fn is_signed(&self) -> Attr<bool> {
        self.tsig_key_name.as_ref().map(|_| true).or(Attr::Known(false))
    }
}
