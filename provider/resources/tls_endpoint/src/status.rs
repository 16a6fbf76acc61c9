//! A certificate as it is: what cert-manager says of it, and what stands in its Secret.

use ffe_cert_manager::Certificate;
use ffe_cluster::k8s_openapi::api::core::v1::Secret;
use ffe_cluster::{Cluster, Error};
use ffe_https::CertificateFacts;
use jiff::Timestamp;
use tfplugin::Attr;

use crate::model::CertificateStatus;

/// What a Secret has of a certificate, without its key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pair {
    /// The chain, PEM.
    pub(crate) chain: Vec<u8>,
    /// The authority's certificate, PEM, where the issuer has put it there.
    pub(crate) authority: Option<Vec<u8>>,
    /// What the chain says, leaf first; empty when it cannot be read.
    pub(crate) facts: Vec<CertificateFacts>,
}

impl Pair {
    /// The certificate itself.
    pub(crate) fn leaf(&self) -> Option<&CertificateFacts> {
        self.facts.first()
    }
}

/// Reads a Secret of type `kubernetes.io/tls`; none where it is not there or has no certificate.
///
/// # Errors
/// Those of a request.
pub(crate) async fn pair(cluster: &Cluster, namespace: &str, secret: &str) -> Result<Option<Pair>, Error> {
    let found: Option<Secret> = cluster.find(Some(namespace), secret).await?;
    let Some(data) = found.and_then(|secret| secret.data) else { return Ok(None) };
    let entry = |key: &str| data.get(key).map(|value| value.0.clone()).filter(|value| !value.is_empty());
    let Some(chain) = entry("tls.crt") else { return Ok(None) };
    let facts = ffe_https::facts_of_pem(&chain).unwrap_or_default();
    Ok(Some(Pair { facts, chain, authority: entry("ca.crt") }))
}

/// The output of both. Times are those of the certificate in the Secret; cert-manager's own where there is none.
pub(crate) fn status(certificate: &Certificate, pair: Option<&Pair>) -> CertificateStatus {
    let leaf = pair.and_then(Pair::leaf);
    let said = &certificate.status;
    let time = |of_leaf: Option<Timestamp>, said: Option<Timestamp>| text(of_leaf.or(said));
    CertificateStatus {
        not_before: time(leaf.map(|leaf| leaf.not_before), said.not_before),
        not_after: time(leaf.map(|leaf| leaf.not_after), said.not_after),
        renewal_time: text(said.renewal_time),
        issuer: leaf.map(|leaf| leaf.issuer.clone()).into(),
        serial: leaf.map(|leaf| leaf.serial.clone()).into(),
        sans: leaf.map(|leaf| leaf.sans.iter().cloned().map(Attr::Known).collect()).into(),
        fingerprint_sha256: leaf.map(|leaf| leaf.fingerprint_sha256.clone()).into(),
        ready: Attr::Known(said.ready),
        message: said.message.clone().into(),
    }
}

/// RFC 3339, in seconds.
pub(crate) fn text(time: Option<Timestamp>) -> Attr<String> {
    time.map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).into()
}
