//! The solver of a challenge, as far as a diagnosis speaks of it.

use serde_json::Value;

use super::evidence::Evidence;
use crate::issuer::SecretKey;

/// One entry of `spec.acme.solvers`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Solver {
    /// Of an HTTP-01 solver by Ingress
    pub(crate) ingress_class: Option<String>,
    /// Of an HTTP-01 solver by Gateway API
    pub(crate) gateway: Option<String>,
    /// `Cloudflare`, or the address of the name server
    pub(crate) provider: Option<String>,
    /// Name of the TSIG key
    pub(crate) tsig_key: Option<String>,
    /// The token, or the TSIG key
    pub(crate) secret: Option<SecretKey>,
}

impl Solver {
    pub(crate) fn of(solver: &Value) -> Self {
        let text = |pointer: &str| solver.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let secret = |pointer: &str| {
            let name = text(&format!("{pointer}/name"))?;
            Some(SecretKey { name, key: text(&format!("{pointer}/key")).unwrap_or_default() })
        };
        let cloudflare = solver.pointer("/dns01/cloudflare").map(|_| "Cloudflare".to_owned());
        let other = [("route53", "Route 53"), ("acmeDNS", "acme-dns"), ("webhook", "the webhook for DNS-01")];
        let other = other.iter().find(|(field, _)| solver.pointer(&format!("/dns01/{field}")).is_some());
        let other = other.map(|(_, name)| (*name).to_owned());
        let nameserver = text("/dns01/rfc2136/nameserver").map(|server| format!("the name server {server}"));
        Self {
            ingress_class: text("/http01/ingress/ingressClassName").or_else(|| text("/http01/ingress/class")),
            gateway: text("/http01/gatewayHTTPRoute/parentRefs/0/name"),
            provider: cloudflare.or(nameserver).or(other),
            tsig_key: text("/dns01/rfc2136/tsigKeyName"),
            secret: secret("/dns01/cloudflare/apiTokenSecretRef")
                .or_else(|| secret("/dns01/cloudflare/apiKeySecretRef"))
                .or_else(|| secret("/dns01/rfc2136/tsigSecretSecretRef"))
                .or_else(|| secret("/dns01/route53/secretAccessKeySecretRef"))
                .or_else(|| secret("/dns01/acmeDNS/accountSecretRef")),
        }
    }
}

/// cert-manager follows a changed solver by itself, but it first takes the DNS record of the former one away, and where it
/// cannot, the order stands still. True when an open DNS-01 challenge goes by none of the issuer's present solvers.
pub(crate) fn is_superseded(evidence: &Evidence) -> bool {
    let Some(acme) = evidence.issuer.as_ref().and_then(|issuer| issuer.spec.acme.as_ref()) else { return false };
    let solvers: Vec<Solver> = acme.solvers.iter().map(Solver::of).collect();
    let open = evidence.challenges.iter().filter(|challenge| challenge.status.state != "valid");
    let mut by_dns = open.filter(|challenge| challenge.spec.kind == "DNS-01");
    by_dns.any(|challenge| !solvers.contains(&Solver::of(&challenge.spec.solver)))
}
