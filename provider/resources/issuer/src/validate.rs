//! What a configuration must not say, before anybody is asked.

use ffe_session::check_ignored;
use ffe_session::issuers::rules::{self, exclude, none_given};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use crate::model::{Acme, Http01, Issuer, Solver, Vault};

pub(crate) fn validate(config: &Issuer) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let kinds = [
        ("acme", config.acme.as_ref().map(drop)),
        ("ca", config.ca.as_ref().map(drop)),
        ("self_signed", config.self_signed.as_ref().map(drop)),
        ("vault", config.vault.as_ref().map(drop)),
    ];
    if none_given(&kinds) {
        diagnostics.push(Diagnostic::error(
            "Nothing says what the issuer is",
            "Set exactly one of acme, ca, self_signed and vault. An issuer that exists already needs no resource to be referred \
             to: an endpoint names it.",
        ));
    }
    diagnostics.extend(exclude(&kinds, "", "An issuer is of one kind; remove one of them.", &Path::root()));
    diagnostics.extend(place(config));
    if let Some(acme) = config.acme.known() {
        diagnostics.extend(check_acme(acme, &Path::attribute("acme")));
    }
    if let Some(vault) = config.vault.known() {
        diagnostics.extend(check_vault(vault, &Path::attribute("vault")));
    }
    if let Some(settings) = config.drift.known() {
        let off = "an issuer as a whole is always compared";
        diagnostics.extend(check_ignored(&settings.ignore, &Path::attribute("drift").child("ignore"), off));
    }
    diagnostics
}

/// An Issuer has a namespace, a ClusterIssuer has none.
fn place(config: &Issuer) -> Option<Diagnostic> {
    match (config.kind.as_str().unwrap_or("ClusterIssuer"), &config.namespace, &config.secret_namespace) {
        _ if config.kind.is_unknown() => None,
        ("Issuer", Attr::Null, _) => Some(
            Diagnostic::error(
                "An Issuer is in a namespace",
                "Set namespace to that of the endpoints that refer to it.",
            )
            .at(Path::attribute("namespace")),
        ),
        ("Issuer", _, Attr::Known(_)) => Some(
            Diagnostic::error(
                "secret_namespace is for a ClusterIssuer",
                "cert-manager reads the Secrets of an Issuer in the Issuer's own namespace. Remove it.",
            )
            .at(Path::attribute("secret_namespace")),
        ),
        ("ClusterIssuer", Attr::Known(_), _) => Some(
            Diagnostic::error(
                "A ClusterIssuer is in no namespace",
                "Remove namespace, or set kind = \"Issuer\" for one that serves this namespace alone.",
            )
            .at(Path::attribute("namespace")),
        ),
        _ => None,
    }
}

fn check_acme(acme: &Acme, at: &Path) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    if let Some(account) = acme.external_account_binding.known()
        && account.key_wo.is_null()
    {
        diagnostics.push(
            Diagnostic::error(
                "external_account_binding needs its key",
                "Set key_wo to the HMAC key that the authority has given together with key_id. It is written into the Secret that \
                 cert-manager reads, and stored nowhere else.",
            )
            .at(at.child("external_account_binding").child("key_wo")),
        );
    }
    let solvers = acme.solvers.known().map(Vec::as_slice).unwrap_or_default();
    for (index, solver) in solvers.iter().enumerate() {
        let at = at.child("solvers").index(index);
        diagnostics.extend(check_solver(solver, &at));
        let same = solvers[..index].iter().position(|other| is_same_selector(other, solver));
        if let Some(first) = same {
            diagnostics.push(
                Diagnostic::warning(
                    format!("solvers[{index}] is never used"),
                    format!(
                        "It is for the same hosts as solvers[{first}], which comes first. Remove one of them, or say with selector \
                         which hosts each is for."
                    ),
                )
                .at(at),
            );
        }
    }
    diagnostics
}

/// Whether two solvers are for the same hosts, for sure.
fn is_same_selector(one: &Solver, other: &Solver) -> bool {
    let known = |solver: &Solver| {
        solver.selector.is_null()
            || solver.selector.known().is_some_and(|selector| {
                !(selector.dns_names.is_unknown()
                    || selector.dns_zones.is_unknown()
                    || selector.match_labels.is_unknown())
            })
    };
    // HTTP-01 does not take wildcards, so that a second one for those is of use.
    let by_http = |solver: &Solver| solver.http01.is_known();
    known(one) && known(other) && one.selector == other.selector && by_http(one) == by_http(other)
}

fn check_solver(solver: &Solver, at: &Path) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let ways = [
        ("http01", solver.http01.as_ref().map(drop)),
        ("dns01_cloudflare", solver.dns01_cloudflare.as_ref().map(drop)),
        ("dns01_rfc2136", solver.dns01_rfc2136.as_ref().map(drop)),
        ("dns01_route53", solver.dns01_route53.as_ref().map(drop)),
        ("dns01_acme_dns", solver.dns01_acme_dns.as_ref().map(drop)),
        ("dns01_webhook", solver.dns01_webhook.as_ref().map(drop)),
    ];
    if none_given(&ways) {
        diagnostics.push(
            Diagnostic::error(
                "The solver says no way to prove control",
                "Set exactly one of http01 (http01 = {} for a file at port 80) and dns01_cloudflare, dns01_rfc2136, dns01_route53, \
                 dns01_acme_dns, dns01_webhook for a DNS record.",
            )
            .at(at.clone()),
        );
    }
    diagnostics.extend(exclude(&ways, "", "A solver goes one way; make it two solvers.", at));
    if let Some(http01) = solver.http01.known() {
        diagnostics.extend(check_http(http01, solver, at));
    }
    if let Some(rfc2136) = solver.dns01_rfc2136.known() {
        diagnostics.extend(rules::tsig(rfc2136, &at.child("dns01_rfc2136")));
    }
    if let Some(route53) = solver.dns01_route53.known() {
        let at = at.child("dns01_route53");
        let (id, secret) = (&route53.access_key_id, &route53.secret_access_key_wo);
        if id.is_known() && secret.is_null() {
            diagnostics.push(missing("access_key_id", "secret_access_key_wo", "the secret of that key", &at));
        } else if id.is_null() && secret.is_known() {
            diagnostics.push(missing("secret_access_key_wo", "access_key_id", "the identifier of that key", &at));
        }
    }
    if let Some(acme_dns) = solver.dns01_acme_dns.known()
        && acme_dns.accounts_wo.is_null()
    {
        let at = at.child("dns01_acme_dns");
        diagnostics.push(missing("dns01_acme_dns", "accounts_wo", "the JSON with the account of each host", &at));
    }
    diagnostics
}

fn missing(what: &str, needs: &str, is: &str, at: &Path) -> Diagnostic {
    Diagnostic::error(format!("{what} needs {needs}"), format!("Set it to {is}.")).at(at.child(needs))
}

fn check_http(http01: &Http01, solver: &Solver, at: &Path) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    if http01.ingress_class.is_known() && http01.parent_refs.is_known() {
        diagnostics.push(
            Diagnostic::error(
                "ingress_class and parent_refs of the solver exclude each other",
                "The file is served by an ingress or by a route; remove one of them.",
            )
            .at(at.child("http01").child("parent_refs")),
        );
    }
    if http01.parent_refs.known().is_some_and(Vec::is_empty) {
        diagnostics.push(
            Diagnostic::error("parent_refs is empty", "Name a Gateway, or remove it for an ingress.")
                .at(at.child("http01").child("parent_refs")),
        );
    }
    if solver.cname_strategy.is_known() {
        diagnostics.push(
            Diagnostic::error(
                "cname_strategy is for DNS-01",
                "HTTP-01 asks the host itself, wherever a CNAME leads. Remove it.",
            )
            .at(at.child("cname_strategy")),
        );
    }
    let names = solver.selector.known().and_then(|selector| selector.dns_names.known()).into_iter().flatten();
    for (index, name) in names.enumerate() {
        if let Some(name) = name.as_str().filter(|name| name.starts_with("*.")) {
            diagnostics.push(
                Diagnostic::error(
                    format!("{name} cannot be shown to be ours by HTTP-01"),
                    "A file at one host shows nothing about the others below a wildcard, so ACME servers do not take it. Make a \
                     solver of its own for it that goes by DNS-01.",
                )
                .at(at.child("selector").child("dns_names").index(index)),
            );
        }
    }
    diagnostics
}

fn check_vault(vault: &Vault, at: &Path) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let logins = [
        ("token_wo", vault.token_wo.as_ref().map(drop)),
        ("app_role", vault.app_role.as_ref().map(drop)),
        ("kubernetes", vault.kubernetes.as_ref().map(drop)),
    ];
    if none_given(&logins) {
        diagnostics.push(
            Diagnostic::error(
                "Nothing says how cert-manager logs in at Vault",
                "Set exactly one of token_wo, app_role and kubernetes.",
            )
            .at(at.clone()),
        );
    }
    diagnostics.extend(exclude(&logins, "", "cert-manager logs in in one way; remove one of them.", at));
    if let Some(role) = vault.app_role.known()
        && role.secret_id_wo.is_null()
    {
        diagnostics.push(missing("app_role", "secret_id_wo", "the secret of the role", &at.child("app_role")));
    }
    diagnostics
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::testing::{acme, issuer};

    fn said(config: Json) -> Vec<String> {
        validate(&issuer(config))
            .into_iter()
            .map(|one| format!("{}: {}", one.path.clone().unwrap_or_default(), one.summary))
            .collect()
    }

    fn solvers(all: Json) -> Json {
        acme(json!({ "solvers": all }))
    }

    #[test]
    fn what_people_write_is_taken() {
        for config in [
            acme(json!({})),
            json!({ "name": "own", "self_signed": {} }),
            json!({ "name": "own", "kind": "Issuer", "namespace": "ffe", "ca": { "secret_name": "root" } }),
            json!({ "name": "v", "secret_namespace": "cm", "vault": { "server": "https://v:8200", "path": "pki/sign/x", "token_wo": "t" } }),
            acme(json!({ "external_account_binding": { "key_id": "k", "key_wo": "s" } })),
            // Plain names by a file, wildcards by a record.
            solvers(json!([{ "http01": {} }, { "dns01_cloudflare": { "api_token_wo": "t" } }])),
            solvers(json!([{ "dns01_route53": {} }])),
            // The provider's own token.
            solvers(json!([{ "dns01_cloudflare": {} }])),
            solvers(
                json!([{ "dns01_webhook": { "group_name": "acme.example.com", "solver_name": "x", "config": "{}" } }]),
            ),
            // Nothing of it is known yet.
            json!({ "name": "?", "kind": "?", "namespace": "?", "acme": "?" }),
            solvers(json!("?")),
            solvers(json!([{ "selector": "?", "http01": {} }, { "selector": "?", "http01": {} }])),
            solvers(json!([{ "dns01_cloudflare": { "api_token_wo": "?" } }])),
        ] {
            assert_eq!(said(config.clone()), Vec::<String>::new(), "{config}");
        }
    }

    #[test]
    fn what_cannot_be_is_said_at_its_attribute() {
        for (config, expected) in [
            (json!({ "name": "x" }), ": Nothing says what the issuer is"),
            (
                json!({ "name": "x", "self_signed": {}, "ca": { "secret_name": "r" } }),
                "self_signed: ca and self_signed exclude",
            ),
            (json!({ "name": "x", "kind": "Issuer", "self_signed": {} }), "namespace: An Issuer is in a namespace"),
            (
                json!({ "name": "x", "namespace": "ffe", "self_signed": {} }),
                "namespace: A ClusterIssuer is in no namespace",
            ),
            (
                json!({ "name": "x", "kind": "Issuer", "namespace": "ffe", "secret_namespace": "cm", "self_signed": {} }),
                "secret_namespace: secret_namespace is for a ClusterIssuer",
            ),
            (acme(json!({ "external_account_binding": { "key_id": "k" } })), "acme.external_account_binding.key_wo: "),
            (solvers(json!([{}])), "acme.solvers[0]: The solver says no way"),
            (
                solvers(json!([{ "http01": {}, "dns01_route53": {} }])),
                "acme.solvers[0].dns01_route53: http01 and dns01_route53 exclude",
            ),
            (
                solvers(json!([{ "http01": { "ingress_class": "a", "parent_refs": [{ "name": "g" }] } }])),
                "acme.solvers[0].http01.parent_refs: ",
            ),
            (
                solvers(json!([{ "http01": { "parent_refs": [] } }])),
                "acme.solvers[0].http01.parent_refs: parent_refs is empty",
            ),
            (solvers(json!([{ "http01": {}, "cname_strategy": "Follow" }])), "acme.solvers[0].cname_strategy: "),
            (
                solvers(json!([{ "http01": {}, "selector": { "dns_names": ["a.b", "*.a.b"] } }])),
                "acme.solvers[0].selector.dns_names[1]: *.a.b cannot be shown",
            ),
            (
                solvers(json!([{ "dns01_route53": { "access_key_id": "a" } }])),
                "acme.solvers[0].dns01_route53.secret_access_key_wo: ",
            ),
            (
                solvers(json!([{ "dns01_route53": { "secret_access_key_wo": "a" } }])),
                "acme.solvers[0].dns01_route53.access_key_id: ",
            ),
            (
                solvers(json!([{ "dns01_acme_dns": { "host": "https://a.b" } }])),
                "acme.solvers[0].dns01_acme_dns.accounts_wo: ",
            ),
            (
                solvers(json!([{ "dns01_rfc2136": { "nameserver": "10.0.0.53", "tsig_key_name": "k" } }])),
                "acme.solvers[0].dns01_rfc2136.tsig_secret_wo: ",
            ),
            (solvers(json!([{ "http01": {} }, { "http01": {} }])), "acme.solvers[1]: solvers[1] is never used"),
            (json!({ "name": "v", "vault": { "server": "https://v", "path": "p" } }), "vault: Nothing says how"),
            (
                json!({ "name": "v", "vault": { "server": "https://v", "path": "p", "app_role": { "role_id": "r" } } }),
                "vault.app_role.secret_id_wo: ",
            ),
            (
                json!({ "name": "v", "vault": { "server": "https://v", "path": "p", "token_wo": "t", "kubernetes": { "role": "r", "service_account": "s" } } }),
                "vault.kubernetes: token_wo and kubernetes exclude",
            ),
        ] {
            let said = said(config.clone());
            assert!(said.len() == 1 && said[0].starts_with(expected), "{config}: {said:?}");
        }
    }
}
