//! One sentence of cause and one of remedy, in the terms of cert-manager and Kubernetes.

use super::cause::Cause;
use super::evidence::Evidence;
use super::judge::{secret_title, utc};
use super::solver::Solver;
use crate::model::{ChallengeItem, Item};

/// What the words speak of.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    evidence: &'a Evidence,
    challenge: Option<&'a ChallengeItem>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(evidence: &'a Evidence) -> Self {
        Self { evidence, challenge: None }
    }

    /// The same about one challenge.
    pub(crate) fn at(self, challenge: &'a ChallengeItem) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    /// The name that it is about, or all of the certificate's.
    fn host(&self) -> String {
        let names = self.evidence.certificate.as_ref().map(|found| found.spec.dns_names.join(", "));
        let host = self.challenge.map(|challenge| challenge.spec.dns_name.clone());
        host.or(names).filter(|host| !host.is_empty()).unwrap_or_else(|| "the name".to_owned())
    }

    fn issuer(&self) -> String {
        let named = self.evidence.issuer_ref.as_ref();
        let namespace = self.evidence.object.namespace.as_deref().unwrap_or_default();
        named.map_or_else(|| "the issuer".to_owned(), |issuer| issuer.object(namespace).to_string())
    }

    fn server(&self) -> String {
        let acme = self.evidence.issuer.as_ref().and_then(|issuer| issuer.spec.acme.as_ref());
        match acme {
            Some(acme) if !acme.server.is_empty() => format!("the ACME server {}", acme.server),
            _ => "the ACME server".to_owned(),
        }
    }

    /// The solver of the challenge, or of the issuer where it has only one.
    fn solver(&self) -> Solver {
        let of_issuer = || {
            let solvers = &self.evidence.issuer.as_ref()?.spec.acme.as_ref()?.solvers;
            match solvers.as_slice() {
                [one] => Some(Solver::of(one)),
                _ => None,
            }
        };
        let of_challenge = self.challenge.map(|challenge| Solver::of(&challenge.spec.solver));
        of_challenge.or_else(of_issuer).unwrap_or_default()
    }

    fn is_letsencrypt(&self) -> bool {
        self.server().contains("letsencrypt.org")
    }

    /// Sentence without a full stop, and remedy.
    pub(crate) fn words(&self, cause: Cause, detail: &str) -> (String, String) {
        match cause {
            Cause::Ready => ("nothing is wrong with it".to_owned(), "Nothing needs to be done.".to_owned()),
            Cause::InProgress => (detail.to_owned(), "Wait: nothing complains so far.".to_owned()),
            Cause::RateLimited { until } => self.rate_limited(until.map(utc), detail),
            Cause::DnsMissing
            | Cause::DnsNotPropagated
            | Cause::DnsFailing
            | Cause::WrongZone
            | Cause::TokenRefused
            | Cause::DnsProviderAway
            | Cause::Caa => self.dns(cause, detail),
            Cause::Port80Closed
            | Cause::Port80WrongAnswer
            | Cause::SolverPod
            | Cause::WrongSolver
            | Cause::NoSolver => self.http(cause, detail),
            Cause::IssuerMissing
            | Cause::IssuerNotReady
            | Cause::SecretMissing
            | Cause::BadKeyPair
            | Cause::InvalidContact
            | Cause::Account
            | Cause::AcmeUnreachable
            | Cause::AcmeUntrusted => self.issuing(cause, detail),
            Cause::WebhookAway | Cause::ControllerAway | Cause::NotInstalled => system(cause, detail),
            _ => self.request(cause, detail),
        }
    }

    fn rate_limited(&self, until: Option<String>, detail: &str) -> (String, String) {
        let server = self.server();
        if detail.contains("/unpause") {
            return (
                format!("{server} has paused this account for {} after too many failures: {detail}", self.host()),
                "Mend what made the checks fail, open the link that the server gives to end the pause, and begin a new attempt."
                    .to_owned(),
            );
        }
        if detail.contains("registrations") {
            let again = until.unwrap_or_else(|| "some hours from now".to_owned());
            return (
                format!("{server} registers no account before {again}: {detail}"),
                format!(
                    "Each issuer with a key of its own registers an account. Let endpoints share one issuer (an ffe_issuer), and apply \
                     again after {again}."
                ),
            );
        }
        let advice = if self.is_letsencrypt() {
            " Let's Encrypt's staging server has far larger limits, for trying things out."
        } else {
            ""
        };
        match until {
            Some(until) => (
                format!("{server} takes no order for {} before {until}: {detail}", self.host()),
                format!(
                    "Wait until {until}, then begin a new attempt; each one before only fails again. Keep the certificate and its Secret.{advice}"
                ),
            ),
            None => (
                format!("{server} takes no order for {} for now, and does not say until when: {detail}", self.host()),
                format!(
                    "Wait at least an hour, then begin a new attempt. Keep the certificate and its Secret.{advice}"
                ),
            ),
        }
    }

    fn dns(&self, cause: Cause, detail: &str) -> (String, String) {
        let host = self.host();
        let solver = self.solver();
        let provider = solver.provider.clone().unwrap_or_else(|| "the DNS provider".to_owned());
        let secret = solver.secret.as_ref().map(|secret| secret_title(self.evidence, &secret.name));
        match cause {
            Cause::DnsMissing => (
                format!("{host} does not resolve: {detail}"),
                format!(
                    "Make an A, AAAA or CNAME record for {host} that leads to the ingress controller; resolvers may remember for some minutes that there was none."
                ),
            ),
            Cause::DnsNotPropagated => (
                format!("the TXT record _acme-challenge.{host} is not seen on all name servers of its zone: {detail}"),
                format!(
                    "Wait, name servers may take minutes. If it stays so, see that the zone that the solver writes to is the one that the world asks (`dig NS`), and that no CNAME at _acme-challenge.{host} leads elsewhere."
                ),
            ),
            Cause::DnsFailing => (
                format!("the name servers for {host} do not answer as they should: {detail}"),
                format!(
                    "See with `dig {host}` and `dig SOA` what they answer, to cert-manager's pods too; broken DNSSEC and a firewall before port 53 are the usual reasons."
                ),
            ),
            Cause::WrongZone => (
                format!("{provider} has no zone for {host} that the solver may change: {detail}"),
                format!(
                    "See that {provider} is the one that serves the zone of {host}, and that {} may read and change just that zone; then begin a new attempt.",
                    solver.tsig_key.as_ref().map_or_else(|| "the credential".to_owned(), |key| format!("key {key}"))
                ),
            ),
            Cause::TokenRefused => {
                let with = match (&solver.tsig_key, &secret) {
                    (Some(key), Some(secret)) => format!("the update signed with key {key} ({secret})"),
                    (None, Some(secret)) if solver.provider.as_deref() == Some("Cloudflare") => {
                        format!("the token in {secret}")
                    }
                    _ => "the credential of the solver".to_owned(),
                };
                let remedy = if solver.provider.as_deref() == Some("Cloudflare") {
                    format!(
                        "Put an API token into {} that is valid and has Zone:Read and DNS:Edit for the zone of {host}, then begin a new attempt.",
                        secret.unwrap_or_else(|| "the solver's Secret".to_owned())
                    )
                } else {
                    format!(
                        "Compare the key's name, algorithm and content with the name server's configuration, and see that it may update TXT records of _acme-challenge.{host}; then begin a new attempt."
                    )
                };
                (format!("{provider} refuses {with}: {detail}"), remedy)
            }
            Cause::DnsProviderAway => (
                format!("{provider} cannot be reached by cert-manager: {detail}"),
                format!("See that {provider} is up, and that cert-manager's pods may connect to it."),
            ),
            _ => (
                format!("a CAA record forbids this authority to issue for {host}: {detail}"),
                format!(
                    "Add a CAA record that allows it{} at the name that the message gives, or remove the one that forbids it; then begin a new attempt.",
                    if self.is_letsencrypt() { " (`0 issue \"letsencrypt.org\"`)" } else { "" }
                ),
            ),
        }
    }

    fn http(&self, cause: Cause, detail: &str) -> (String, String) {
        let host = self.host();
        let solver = self.solver();
        let way = match (&solver.gateway, &solver.ingress_class) {
            (Some(gateway), _) => format!("Gateway {gateway}"),
            (None, Some(class)) => format!("the controller of ingress class {class}"),
            (None, None) => "the ingress controller".to_owned(),
        };
        match cause {
            Cause::Port80Closed => (
                format!("port 80 of {host} cannot be reached: {detail}"),
                format!(
                    "See that {host} leads to {way} and that port 80 is open all the way (firewall, load balancer, Service); HTTP-01 always begins there. Where it must stay closed, use a DNS-01 solver."
                ),
            ),
            Cause::Port80WrongAnswer => (
                format!("port 80 of {host} answers, but not with the challenge: {detail}"),
                format!(
                    "See that {host} leads to {way}, that this one serves the solver's {}, and that no NetworkPolicy keeps it from the solver pods (label acme.cert-manager.io/http01-solver=true, port 8089); proxies before it must hand on /.well-known/acme-challenge/.",
                    self.solver_route()
                ),
            ),
            Cause::SolverPod => (
                format!("the pod that answers the challenge for {host} does not run: {detail}"),
                "Mend what keeps the pod from running: quota, Pod Security, an image that is not found, no node with room.".to_owned(),
            ),
            Cause::WrongSolver => (
                format!("the solver of {} cannot work here: {detail}", self.issuer()),
                format!(
                    "Name an ingress class that exists in the solver of {}; for a Gateway, start cert-manager with the Gateway API enabled.",
                    self.issuer()
                ),
            ),
            _ => (
                format!("no solver of {} fits {host}: {detail}", self.issuer()),
                format!(
                    "Give {} a solver without selector, or one whose dnsNames or dnsZones cover {host}; names with * need DNS-01.",
                    self.issuer()
                ),
            ),
        }
    }

    fn solver_route(&self) -> String {
        let names: Vec<&str> =
            self.evidence.solver_ingresses.iter().filter_map(|ingress| ingress.metadata.name.as_deref()).collect();
        if self.solver().gateway.is_some() {
            "HTTPRoute".to_owned()
        } else if names.is_empty() {
            "Ingress".to_owned()
        } else {
            format!("Ingress {}", names.join(", "))
        }
    }

    fn issuing(&self, cause: Cause, detail: &str) -> (String, String) {
        let issuer = self.issuer();
        let server = self.server();
        match cause {
            Cause::IssuerMissing => (
                format!("{issuer} does not exist"),
                "Make the issuer, or refer to one that exists; an Issuer must be in the certificate's namespace.".to_owned(),
            ),
            Cause::SecretMissing => (
                format!("a Secret that {issuer} reads is missing: {detail}"),
                "Make the Secret with this entry: a ClusterIssuer reads it in cert-manager's cluster resource namespace, an Issuer in its own.".to_owned(),
            ),
            Cause::BadKeyPair => (
                format!("the key pair of {issuer} cannot sign: {detail}"),
                "Put the certificate of an authority (basicConstraints CA:TRUE) and its key into the Secret.".to_owned(),
            ),
            Cause::InvalidContact => (
                format!("{server} refuses the e-mail address of {issuer}: {detail}"),
                "Give a real address, or none; reserved domains such as example.com are refused.".to_owned(),
            ),
            Cause::Account => (
                format!("{server} refuses the account of {issuer}: {detail}"),
                "See what the server asks for: an external account binding, new terms, or another account key (delete the issuer's account key Secret to have a new one made).".to_owned(),
            ),
            Cause::AcmeUnreachable => (
                format!("{server} cannot be reached by cert-manager, or does not work: {detail}"),
                "See that the URL is that of an ACME directory, that the server is up, and that cert-manager's pods may connect to it.".to_owned(),
            ),
            Cause::AcmeUntrusted => (
                format!("cert-manager does not trust the certificate of {server}: {detail}"),
                "Give the issuer the bundle of the authorities that signed the server's certificate (caBundle).".to_owned(),
            ),
            _ => (
                format!("{issuer} is not ready: {detail}"),
                format!("Mend what the status of {issuer} names."),
            ),
        }
    }

    fn request(&self, cause: Cause, detail: &str) -> (String, String) {
        let certificate = self.evidence.certificate.as_ref();
        let secret = certificate.map(|found| found.spec.secret_name.clone()).unwrap_or_default();
        let title = certificate.map_or_else(|| self.evidence.object.to_string(), Item::title);
        match cause {
            Cause::NameRefused => (
                format!("{} does not issue for {}: {detail}", self.server(), self.host()),
                "Use a public name, or an internal authority for names that are not.".to_owned(),
            ),
            Cause::RequestRefused => (
                format!("the request for {} is refused: {detail}", self.host()),
                "Choose a key and a life that the authority signs: RSA of 2048 bits or more, or ECDSA P-256 or P-384.".to_owned(),
            ),
            Cause::ValidationFailed => (
                format!("the check of {} failed: {detail}", self.host()),
                "Mend what the message names, then begin a new attempt.".to_owned(),
            ),
            Cause::Denied => (
                format!("an approver denied the request: {detail}"),
                "Ask whoever runs the approval policy of this cluster; then begin a new attempt.".to_owned(),
            ),
            Cause::NotApproved => (
                format!("nobody has approved {detail}"),
                "cert-manager approves by itself unless that is switched off; then the approval policy of this cluster must cover the issuer.".to_owned(),
            ),
            Cause::SecretShared => (
                format!("the Secret {secret} is written by another certificate too: {detail}"),
                "Give each certificate a Secret of its own, or delete the other one.".to_owned(),
            ),
            Cause::KeyKept => (
                format!("the key in Secret {secret} does not fit and may not be replaced: {detail}"),
                "Set rotationPolicy Always, or delete the Secret.".to_owned(),
            ),
            Cause::CertificateMissing => {
                (format!("there is no {title}"), "Make it again.".to_owned())
            }
            _ => (detail.to_owned(), format!("See what stands below, mend what it names, and begin a new attempt for {title}.")),
        }
    }
}

pub(super) fn system(cause: Cause, detail: &str) -> (String, String) {
    match cause {
        Cause::WebhookAway => (
            format!("cert-manager's webhook does not answer, so the API server takes no change of its objects: {detail}"),
            "See why the pods of the webhook do not run or cannot be reached from the API server, and that the CA injector runs; `kubectl -n cert-manager get pods` shows both.".to_owned(),
        ),
        Cause::ControllerAway => (
            format!("cert-manager's controller is not at work, so nothing is issued: {detail}"),
            "See why the pods of cert-manager's controller do not run, or scale it up; `kubectl -n cert-manager get pods` shows them.".to_owned(),
        ),
        _ => (
            format!("cert-manager is not installed: the API server does not serve {detail}"),
            crate::error::INSTALL.to_owned(),
        ),
    }
}
