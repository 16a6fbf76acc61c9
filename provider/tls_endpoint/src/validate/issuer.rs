//! The issuer: refers to one, or owns one.

use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use super::hosts;
use crate::model::{Acme, Dns01Rfc2136, Issuer, Solver, TlsEndpoint};
use crate::settle::owns_issuer;

pub(super) fn check(config: &TlsEndpoint) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let Some(issuer) = config.issuer.known() else { return diagnostics };
    let at = Path::attribute("issuer");
    let kinds = [
        ("acme", issuer.acme.is_known()),
        ("ca", issuer.ca.is_known()),
        ("self_signed", issuer.self_signed.is_known()),
    ];
    let given: Vec<&str> = kinds.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    if let [first, second, ..] = given.as_slice() {
        diagnostics.push(
            Diagnostic::error(
                format!("issuer.{first} and issuer.{second} exclude each other"),
                "An issuer is of one kind; remove one of them.",
            )
            .at(at.child(*second)),
        );
    }
    if owns_issuer(issuer) == Attr::Known(false) && issuer.name.is_null() {
        diagnostics.push(
            Diagnostic::error(
                "No issuer is configured",
                "Name one that exists with issuer.name, or describe one with acme, ca or self_signed, which then belongs to \
                 the endpoint.",
            )
            .at(at.child("name")),
        );
    }
    if let Some(acme) = issuer.acme.known() {
        diagnostics.extend(check_acme(config, issuer, acme, &at.child("acme")));
    }
    diagnostics
}

fn check_acme(config: &TlsEndpoint, _issuer: &Issuer, acme: &Acme, at: &Path) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let Some(solver) = acme.solver.known() else { return diagnostics };
    let at = at.child("solver");
    let ways = ways(solver);
    let given: Vec<&str> = ways.iter().filter(|(_, way)| way.is_known()).map(|(name, _)| *name).collect();
    match given.as_slice() {
        [] if ways.iter().all(|(_, way)| way.is_null()) => diagnostics.push(
            Diagnostic::error(
                "No ACME solver is configured",
                "Say how the hosts are shown to be ours: http01 = {} for a file at their port 80, or dns01_cloudflare or \
                 dns01_rfc2136 for a DNS record.",
            )
            .at(at.clone()),
        ),
        [first, second, ..] => diagnostics.push(
            Diagnostic::error(
                format!("{first} and {second} exclude each other"),
                "The hosts are shown to be ours in one way; remove one of them.",
            )
            .at(at.child(*second)),
        ),
        _ => {}
    }
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
    if let Some(cloudflare) = solver.dns01_cloudflare.known()
        && cloudflare.api_token_wo.is_null()
    {
        diagnostics.push(
            Diagnostic::error(
                "dns01_cloudflare needs a token",
                "Set api_token_wo to an API token with Zone.Zone:Read and Zone.DNS:Edit on the hosts' zone. It is written \
                 into the Secret that cert-manager reads, and stored nowhere else.",
            )
            .at(at.child("dns01_cloudflare").child("api_token_wo")),
        );
    }
    if let Some(rfc2136) = solver.dns01_rfc2136.known() {
        diagnostics.extend(check_tsig(rfc2136, &at.child("dns01_rfc2136")));
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

/// A key has a name and a secret.
fn check_tsig(rfc2136: &Dns01Rfc2136, at: &Path) -> Option<Diagnostic> {
    let (name, secret) = (&rfc2136.tsig_key_name, &rfc2136.tsig_secret_wo);
    if name.is_known() && secret.is_null() {
        return Some(
            Diagnostic::error(
                "tsig_key_name needs tsig_secret_wo",
                "Set it to the key itself, in base64 as it stands in the name server's configuration. It is written into the \
                 Secret that cert-manager reads, and stored nowhere else.",
            )
            .at(at.child("tsig_secret_wo")),
        );
    }
    let of_a_key = [
        ("tsig_secret_wo", secret.is_known()),
        ("tsig_secret_wo_version", rfc2136.tsig_secret_wo_version.is_known()),
        ("tsig_algorithm", rfc2136.tsig_algorithm.is_known()),
    ];
    let (given, _) = of_a_key.into_iter().find(|(_, given)| *given && name.is_null())?;
    Some(
        Diagnostic::error(
            format!("{given} needs tsig_key_name"),
            "Set it to the name of the key in the name server's configuration; without a key updates are not signed.",
        )
        .at(at.child("tsig_key_name")),
    )
}
