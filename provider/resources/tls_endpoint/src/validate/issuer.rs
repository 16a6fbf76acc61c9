//! The issuer: refers to one, or owns one.

use ffe_cert_manager::IssuerKind;
use ffe_session::issuers::rules::{self, exclude, none_given};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use super::hosts;
use crate::model::{Acme, Issuer, Solver, TlsEndpoint};
use crate::settle::owns_issuer;

pub(super) fn check(config: &TlsEndpoint) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let Some(issuer) = config.issuer.known() else { return diagnostics };
    let at = Path::attribute("issuer");
    let kinds = [
        ("acme", issuer.acme.as_ref().map(drop)),
        ("ca", issuer.ca.as_ref().map(drop)),
        ("self_signed", issuer.self_signed.as_ref().map(drop)),
    ];
    diagnostics.extend(exclude(&kinds, "issuer.", "An issuer is of one kind; remove one of them.", &at));
    diagnostics.extend(kind(issuer, &at));
    if owns_issuer(issuer) == Attr::Known(false) && issuer.name.is_null() {
        diagnostics.push(
            Diagnostic::error(
                "No issuer is configured",
                "Name one that exists with issuer.name, or set issuer to the issuer_ref of an ffe_issuer, or describe one with acme, \
                 ca or self_signed, which then belongs to the endpoint.",
            )
            .at(at.child("name")),
        );
    }
    if let Some(acme) = issuer.acme.known() {
        diagnostics.extend(check_acme(config, acme, &at.child("acme")));
    }
    diagnostics
}

fn check_acme(config: &TlsEndpoint, acme: &Acme, at: &Path) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let Some(solver) = acme.solver.known() else { return diagnostics };
    let at = at.child("solver");
    let ways = ways(solver);
    if none_given(&ways) {
        diagnostics.push(
            Diagnostic::error(
                "No ACME solver is configured",
                "Say how the hosts are shown to be ours: http01 = {} for a file at their port 80, or dns01_cloudflare or \
                 dns01_rfc2136 for a DNS record.",
            )
            .at(at.clone()),
        );
    }
    diagnostics.extend(exclude(&ways, "", "The hosts are shown to be ours in one way; remove one of them.", &at));
    if let Some(http01) = solver.http01.known() {
        if http01.ingress_class.is_known() && http01.gateway.is_known() {
            diagnostics.push(
                Diagnostic::error(
                    "ingress_class and gateway of the solver exclude each other",
                    "The file is served by an ingress or by a route; remove one of them.",
                )
                .at(at.child("http01").child("gateway")),
            );
        }
        for (host, at) in hosts(config).filter(|(host, _)| host.starts_with("*.")) {
            diagnostics.push(
                Diagnostic::error(
                    format!("{host} cannot be shown to be ours by HTTP-01"),
                    "A file at one host shows nothing about the others below a wildcard, so ACME servers do not take it. Use \
                     solver dns01_cloudflare or dns01_rfc2136, or name the hosts one by one.",
                )
                .at(at),
            );
        }
    }
    if let Some(rfc2136) = solver.dns01_rfc2136.known() {
        diagnostics.extend(rules::tsig(rfc2136, &at.child("dns01_rfc2136")));
    }
    diagnostics
}

fn ways(solver: &Solver) -> [(&'static str, Attr<()>); 3] {
    [
        ("http01", solver.http01.as_ref().map(drop)),
        ("dns01_cloudflare", solver.dns01_cloudflare.as_ref().map(drop)),
        ("dns01_rfc2136", solver.dns01_rfc2136.as_ref().map(drop)),
    ]
}

/// cert-manager's own kinds are two; another group has its own, and is only referred to.
fn kind(issuer: &Issuer, at: &Path) -> Option<Diagnostic> {
    if issuer.group.is_unknown() {
        return None;
    }
    let kind = IssuerKind::of(issuer.group.as_str(), issuer.kind.as_str().unwrap_or("Issuer"));
    match kind {
        Err(_) if issuer.kind.is_unknown() => None,
        Err(error) => Some(
            Diagnostic::error(
                "issuer.kind is not a kind of cert-manager",
                format!("{error}. An issuer that another controller signs for has its API group in issuer.group."),
            )
            .at(at.child("kind")),
        ),
        Ok(kind) if kind.is_external() && owns_issuer(issuer) == Attr::Known(true) => Some(
            Diagnostic::error(
                "An issuer of another group is not made here",
                "acme, ca and self_signed describe an issuer of cert-manager's own. Remove issuer.group, or refer to the issuer \
                 that exists by name, kind and group alone.",
            )
            .at(at.child("group")),
        ),
        Ok(_) => None,
    }
}
