//! Errors of cert-manager as diagnostics, at the attribute that they are about.

use ffe_cert_manager::Cause;
use tfplugin::{Diagnostic, Path};

/// An error of cert-manager while doing what `summary` says: cause and remedy are in its text.
pub(crate) fn cert_manager(error: &ffe_cert_manager::Error, summary: &str) -> Diagnostic {
    if let Some(error) = error.cluster() {
        return ffe_session::diagnostic(error, summary);
    }
    if let ffe_cert_manager::Error::NoClusterNamespace { .. } = error {
        return Diagnostic::error(
            summary,
            format!(
                "{error}.\n\nSet secret_namespace to what cert-manager was started with (--cluster-resource-namespace; with its chart \
                 the namespace that it is installed in), or allow list on deployments in all namespaces. An Issuer (kind = \
                 \"Issuer\") reads its Secrets in its own namespace."
            ),
        )
        .at(Path::attribute("secret_namespace"));
    }
    let mut detail = error.to_string();
    if let Some(advice) = error.advice().filter(|advice| !detail.contains(advice)) {
        detail.push_str(&format!("\n\n{advice}"));
    }
    let told = Diagnostic::error(summary, detail);
    match error.diagnosis().and_then(|diagnosis| path_of(&diagnosis.cause)) {
        Some(path) => told.at(path),
        None => told,
    }
}

/// The attribute that a cause is about; none where it is nothing of the configuration, or not one place in it.
fn path_of(cause: &Cause) -> Option<Path> {
    let acme = Path::attribute("acme");
    match cause {
        Cause::InvalidContact => Some(acme.child("email")),
        Cause::AcmeUnreachable => Some(acme.child("server")),
        Cause::AcmeUntrusted => Some(acme.child("ca_bundle")),
        Cause::Account => Some(acme),
        _ => None,
    }
}
