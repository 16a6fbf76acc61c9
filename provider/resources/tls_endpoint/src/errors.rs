//! Errors of the wrapped systems as diagnostics, at the attribute that they are about.

use ffe_cert_manager::Cause;
use ffe_cluster::Kind;
use ffe_routing::Problem;
use tfplugin::{Diagnostic, Diagnostics, Path, Step as PathStep};

use crate::run::Stop;

/// An error of cert-manager while doing what `summary` says: cause and remedy are in its text.
pub(crate) fn cert_manager(error: &ffe_cert_manager::Error, summary: &str) -> Stop {
    if let Some(error) = error.cluster() {
        return Stop::cluster(error, summary);
    }
    let mut detail = error.to_string();
    if let Some(advice) = error.advice().filter(|advice| !detail.contains(advice)) {
        detail.push_str(&format!("\n\n{advice}"));
    }
    let told = Diagnostic::error(summary, detail);
    let path = match (error.diagnosis().map(|diagnosis| diagnosis.cause), error) {
        (Some(cause), _) => cause_path(&cause),
        (None, ffe_cert_manager::Error::NoClusterNamespace { .. }) => Some(Path::attribute("issuer").child("kind")),
        _ => None,
    };
    Stop::failed(match path {
        Some(path) => told.at(path),
        None => told,
    })
}

/// The attribute that a cause is about; none where it is nothing of the configuration.
fn cause_path(cause: &Cause) -> Option<Path> {
    let issuer = Path::attribute("issuer");
    match cause {
        Cause::DnsMissing | Cause::Port80Closed | Cause::Port80WrongAnswer | Cause::Caa | Cause::NameRefused => {
            Some(Path::attribute("hosts"))
        }
        Cause::IssuerMissing => Some(issuer.child("name")),
        Cause::TokenRefused
        | Cause::WrongZone
        | Cause::NoSolver
        | Cause::WrongSolver
        | Cause::IssuerNotReady
        | Cause::SecretMissing
        | Cause::InvalidContact
        | Cause::Account
        | Cause::AcmeUnreachable
        | Cause::AcmeUntrusted => Some(issuer),
        Cause::SecretShared => Some(Path::attribute("secret_name")),
        _ => None,
    }
}

/// An error of routing while doing what `summary` says.
pub(crate) fn routing(error: &ffe_routing::Error, summary: &str) -> Stop {
    if let Some(cluster) = error.cluster().filter(|cluster| cluster.kind() == Kind::Cancelled) {
        return Stop::cluster(cluster, summary);
    }
    Stop::failed(routing_diagnostic(error, summary))
}

/// The same as a message.
pub(crate) fn routing_diagnostic(error: &ffe_routing::Error, summary: &str) -> Diagnostic {
    let mut detail = error.to_string();
    if let Some(advice) = error.advice().filter(|advice| !detail.contains(advice)) {
        detail.push_str(&format!("\n\n{advice}"));
    }
    let told = Diagnostic::error(summary, detail);
    match error.attribute() {
        Some(attribute) => told.at(path(&attribute)),
        None => told,
    }
}

/// What cannot be of a route, each at its attribute.
pub(crate) fn refused(problems: &[Problem]) -> Diagnostics {
    let told = problems.iter().map(|problem| {
        let summary = format!("{} cannot be as it is written", problem.attribute);
        Diagnostic::error(summary, problem.message.clone()).at(path(&problem.attribute))
    });
    told.collect()
}

/// An error of a provider of DNS while doing what `summary` says.
pub(crate) fn dns(error: &ffe_dns::Error, summary: &str) -> Stop {
    if matches!(error, ffe_dns::Error::Cancelled { .. }) {
        Stop::Cancelled
    } else {
        Stop::failed(dns_diagnostic(error, summary))
    }
}

/// The same as a message.
pub(crate) fn dns_diagnostic(error: &ffe_dns::Error, summary: &str) -> Diagnostic {
    let path = match error {
        ffe_dns::Error::Wish { attribute: "hosts", .. } => Path::attribute("hosts"),
        ffe_dns::Error::Refused { .. } => Path::attribute("dns").child("adopt"),
        _ => Path::attribute("dns"),
    };
    ffe_session::dns_diagnostic(error, summary).at(path)
}

/// The path that a text such as `security.hsts_max_age` or `hosts[0]` names.
pub(crate) fn path(text: &str) -> Path {
    text.split('.').fold(Path::root(), |path, part| match part.split_once('[') {
        Some((name, index)) => {
            let index = index.trim_end_matches(']').parse().unwrap_or(0);
            path.child(name).with(PathStep::Index(index))
        }
        None => path.child(part),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_they_are_written() {
        for text in ["security.hsts_max_age", "hosts[1]", "ingress_class"] {
            assert_eq!(path(text).to_string(), text);
        }
    }
}
