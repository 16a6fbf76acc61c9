//! What a user writes, and what comes back: the schema of `ffe_tls_endpoint`.

mod issuer;

use std::collections::BTreeMap;

pub use ffe_session::DriftSettings;
use ffe_session::checks::{dns_label, dns_subdomain, duration, url_path};
use tfplugin::{Attr, Check, Model};

pub use issuer::{Acme, Http01, Issuer, Solver, SolverGateway};

use crate::checks::{
    annotation_pairs, dns_target, header_value, hosts, label_pairs, pem_certificates, port, record_ttl, resolve_to,
    zone_name,
};

/// How the world reaches a service: its route, its DNS records, its certificate and the issuer of it, and the proof
/// that HTTPS works, in one resource.
///
/// The steps in their order: the ingress or route is made; its controller gives it an address; the issuer is ready; the
/// certificate is ordered, and issued; the DNS records point to the address (before the issuer where it solves by HTTP-01); the
/// names resolve; HTTPS is looked at as a client sees it (status, chain, names, redirect, headers); the alert on its expiry is
/// set. When a certificate is not issued, the error names the cause that the chain from Certificate to Challenge shows, and
/// what to do about it.
///
/// A change takes nothing away before what takes its place works: the former Secret, class, Gateway and records serve until
/// then, also when the apply fails. What does interrupt is a warning in the plan.
///
/// cert-manager (1.15 or later) issues the certificates and must be installed. What exists already and was not made by
/// this provider is refused unless it is imported or `adopt` is set. The Secret with certificate and key is kept when
/// the endpoint is destroyed or replaced, so that making it again orders nothing anew.
///
/// Import takes `<namespace>/<name>`. Of an ingress that this provider did not make, the first apply takes over what is
/// there and makes what is missing. A Certificate that cert-manager made for it because of its annotations is used as it is where
/// the configuration says the same; otherwise those annotations are taken off until the endpoint is destroyed.
#[derive(Model, Clone, Debug)]
#[model(version = 0)]
pub struct TlsEndpoint {
    /// The namespace of the backend's service; everything is made there. It must exist. Another namespace is another endpoint.
    #[attr(required, replace, check = dns_label())]
    pub namespace: Attr<String>,
    /// The name of the endpoint, and of its ingress or route. Another name is a change in place: what has the former one serves
    /// until what has the new one was made, and goes then. With `gateway.manage_listener` at the same Gateway it is replaced.
    #[attr(required, check = dns_label())]
    pub name: Attr<String>,
    /// The host names, the main one first. `*.example.com` stands for every name below it and needs a DNS-01 solver.
    #[attr(required, check = hosts())]
    pub hosts: Attr<Vec<Attr<String>>>,
    /// The service that answers; an element of `services` of an `ffe_release` fits. Several services: `backends` in its place.
    #[attr(optional)]
    pub backend: Attr<Backend>,
    /// Several services of the hosts, each below a path of its own, in place of `backend`, `path` and `path_type`. A request goes to
    /// the longest path that fits. One host has one endpoint: what another one would serve below another path belongs here.
    #[attr(optional)]
    pub backends: Attr<Vec<PathBackend>>,
    /// The Secret for certificate and key; the Certificate has the same name. Default: `<name>-tls`.
    #[attr(optional, computed, check = dns_subdomain())]
    pub secret_name: Attr<String>,
    /// The path below which requests go to `backend`.
    #[attr(default = "/", check = url_path())]
    pub path: Attr<String>,
    /// How `path` is compared. `ImplementationSpecific` is for ingresses only.
    #[attr(default = "Prefix", one_of("Prefix", "Exact", "ImplementationSpecific"))]
    pub path_type: Attr<String>,
    /// Take over an ingress or route, a Certificate and an issuer that exist already under these names and belong to
    /// nobody else. They stay when the endpoint is destroyed, and get back what they had before: what they were is kept in the
    /// Secret `ffe-originals-…` of the namespace. An endpoint that is complete and in another state is imported instead.
    #[attr(default = false)]
    pub adopt: Attr<bool>,
    /// Let a Secret named `secret_name` that cert-manager did not write be overwritten, with the certificate and the key in it. Keep
    /// a copy: nothing brings it back.
    #[attr(default = false)]
    pub overwrite_secret: Attr<bool>,
    /// Keep the Secrets with the certificate and with the ACME account's key when the endpoint is destroyed or replaced.
    /// They are lost with their namespace, as when the `ffe_environment` that made it is destroyed.
    #[attr(default = true)]
    pub keep_secret: Attr<bool>,
    /// How long it may take until the certificate is issued. `verify.timeout` is counted on its own.
    #[attr(default = "10m", check = duration())]
    pub timeout: Attr<String>,
    /// The class of the ingress, such as `traefik` or `nginx`. Default, without `gateway`: the cluster's default class.
    #[attr(optional, check = dns_subdomain())]
    pub ingress_class: Attr<String>,
    /// The Gateway that routes are attached to (Gateway API), instead of an ingress.
    #[attr(optional)]
    pub gateway: Attr<Gateway>,
    /// Who issues the certificate: one that exists (`name` and `kind`), or one that belongs to the endpoint (one of `acme`,
    /// `ca`, `self_signed`).
    #[attr(required)]
    pub issuer: Attr<Issuer>,
    /// The DNS records, one for each host. Left out: they are made elsewhere and only looked at.
    #[attr(optional, may_be_empty)]
    pub dns: Attr<Dns>,
    /// Redirect, response headers and rate limit for every request. What the class cannot do is a warning in the plan. What is
    /// left out has the defaults below; of a site that was taken over (imported, or by `adopt`) it stays as it was.
    #[attr(optional, computed)]
    pub security: Attr<Security>,
    /// What every request goes through beside that, in this order and after it: authentication, for instance. Made elsewhere, and
    /// there before the endpoint is applied. At a Gateway they are filters of the routes (`ExtensionRef`); with ingress-nginx
    /// `annotations` say such things.
    #[attr(optional)]
    pub middlewares: Attr<Vec<Middleware>>,
    /// Annotations of the ingress or the routes, for what no attribute says. Refused are those that say what an attribute says,
    /// cert-manager's, snippets, and the notes of tools. Ours and those of others stay beside them.
    #[attr(optional, check = annotation_pairs())]
    pub annotations: Attr<BTreeMap<String, Attr<String>>>,
    /// Labels of the ingress or the routes, and of what belongs to them.
    #[attr(optional, check = label_pairs())]
    pub labels: Attr<BTreeMap<String, Attr<String>>>,
    /// Whom a Gateway trusts behind backends with `protocol = "HTTPS"`: a BackendTLSPolicy of the endpoint's own for them. Left out:
    /// what a policy of somebody else's says of them.
    #[attr(optional)]
    pub backend_tls: Attr<BackendTls>,
    /// The certificate.
    #[attr(optional)]
    pub certificate: Attr<Certificate>,
    /// The alert `CertificateExpiryWarning`, a PrometheusRule: the certificate was not renewed when it should have been. Left
    /// out: made with its defaults where the cluster has that kind.
    #[attr(optional, may_be_empty)]
    pub alert: Attr<Alert>,
    /// The HTTPS checks at the end of each apply. Left out: with the defaults.
    #[attr(optional)]
    pub verify: Attr<Verify>,
    /// What is no drift of the endpoint.
    #[attr(optional)]
    pub drift: Attr<DriftSettings>,

    /// `https://` and the first host that is no wildcard.
    #[attr(computed)]
    pub url: Attr<String>,
    /// The same for every host that is no wildcard.
    #[attr(computed)]
    pub urls: Attr<Vec<Attr<String>>>,
    /// The address that the controller has given to the route: an IP address or a host name.
    #[attr(computed)]
    pub address: Attr<String>,
    /// The records that are managed, by host: their identifiers at the provider of DNS.
    #[attr(computed)]
    pub dns_records: Attr<BTreeMap<String, Attr<String>>>,
    /// What the last apply has seen of HTTPS, at every address of every host.
    #[attr(computed)]
    pub verify_results: Attr<Vec<VerifyResult>>,
    /// The certificate as it is now; looked at in every refresh.
    #[attr(computed)]
    pub certificate_status: Attr<CertificateStatus>,
    /// What a site that was taken over sent before, and how: what `security` leaves out stays so. Null for an endpoint that
    /// was made here.
    #[attr(computed, keep)]
    pub security_before: Attr<SecurityBefore>,
    /// Changes when the credentials of an owned issuer (`api_token_wo`, `tsig_secret_wo`) do. Says nothing about them.
    #[attr(computed)]
    pub credentials_revision: Attr<String>,
    /// What differs in the cluster, or in DNS, from what was applied. Shown in the plan as what the apply will put right. What a
    /// webhook or a controller makes of it is no difference, nor what `drift.ignore` names.
    #[attr(computed)]
    pub drifted: Attr<Vec<Drift>>,
}

/// A service and one of its ports.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Backend {
    /// The name of the service.
    #[attr(required, check = dns_label())]
    pub service: Attr<String>,
    /// Number of its port, or, for an ingress, the port's name.
    #[attr(required, check = port())]
    pub port: Attr<String>,
    /// What it speaks. Default: what the controller takes it to speak, which is HTTP mostly. The service itself is not changed: where
    /// a controller goes by it, the plan says what it has to have.
    #[attr(optional, one_of("HTTP", "HTTPS", "H2C", "GRPC"))]
    pub protocol: Attr<String>,
}

/// What requests go through, made elsewhere.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Middleware {
    /// Its name. With `@` and the name of a provider one that Traefik knows from elsewhere, such as `login@file`.
    #[attr(required)]
    pub name: Attr<String>,
    /// Its namespace. Default: the endpoint's, which at a Gateway it must be.
    #[attr(optional, check = dns_label())]
    pub namespace: Attr<String>,
    /// Its kind. Default: `Middleware`.
    #[attr(optional)]
    pub kind: Attr<String>,
    /// Its API group. Default: `traefik.io`. Another one is for a Gateway whose controller knows it.
    #[attr(optional, check = dns_subdomain())]
    pub group: Attr<String>,
}

/// Whom a Gateway trusts behind it.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct BackendTls {
    /// The name for which the backends have certificates.
    #[attr(required, check = dns_subdomain())]
    pub hostname: Attr<String>,
    /// The ConfigMap of the endpoint's namespace with their authority, in `ca.crt`. Default: the authorities that the controller's
    /// system trusts.
    #[attr(optional, check = dns_subdomain())]
    pub ca_config_map: Attr<String>,
}

/// A path, and the service that answers below it.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct PathBackend {
    /// The path below which requests go to the service. It is handed on as it is.
    #[attr(required, check = url_path())]
    pub path: Attr<String>,
    /// How it is compared. Default: `Prefix`. `ImplementationSpecific` is for ingresses only.
    #[attr(optional, one_of("Prefix", "Exact", "ImplementationSpecific"))]
    pub path_type: Attr<String>,
    /// The name of the service.
    #[attr(required, check = dns_label())]
    pub service: Attr<String>,
    /// Number of its port, or, for an ingress, the port's name.
    #[attr(required, check = port())]
    pub port: Attr<String>,
    /// What it speaks, as in `backend`.
    #[attr(optional, one_of("HTTP", "HTTPS", "H2C", "GRPC"))]
    pub protocol: Attr<String>,
}

/// A Gateway of the Gateway API.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Gateway {
    /// The name of the Gateway.
    #[attr(required, check = dns_subdomain())]
    pub name: Attr<String>,
    /// Its namespace. Default: the endpoint's.
    #[attr(optional, computed, check = dns_label())]
    pub namespace: Attr<String>,
    /// Add a listener of the endpoint's own with the certificate to the Gateway. Otherwise the Gateway's owner keeps a
    /// listener for the hosts that refers to `secret_name`; without one the apply says which is missing.
    #[attr(default = false)]
    pub manage_listener: Attr<bool>,
}

/// Records at a provider of DNS.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Dns {
    /// Who keeps the records: `cloudflare`, with the provider's `cloudflare.api_token`; or `rfc2136`, a name server of one's own
    /// (BIND, Knot, PowerDNS and others) that takes dynamic updates, with the provider's `rfc2136`. There a TXT record beside each
    /// host's says whose it is: `_ffe-owner.<host>`.
    #[attr(default = "cloudflare", one_of("cloudflare", "rfc2136"))]
    pub provider: Attr<String>,
    /// The zone of the hosts, such as `example.com`. Default: for each host the longest zone name that is a suffix of the
    /// host.
    #[attr(optional, check = zone_name())]
    pub zone: Attr<String>,
    /// What the records point to: an IPv4 or IPv6 address, a host name, or `ingress` for the address that the
    /// ingress controller gives to the route.
    #[attr(default = "ingress", check = dns_target())]
    pub target: Attr<String>,
    /// Let Cloudflare answer for the hosts. Its edge has a certificate of its own then: trust and names are checked
    /// there, issuer and serial number at the origin.
    #[attr(default = false)]
    pub proxied: Attr<bool>,
    /// How long resolvers may remember a record, in seconds; 1 leaves it to Cloudflare, as `proxied` demands, and is 300 at a name
    /// server of one's own.
    #[attr(default = 1, check = record_ttl())]
    pub ttl: Attr<i64>,
    /// Take over records of these names that exist already and were not made by another endpoint. They stay when the endpoint is
    /// destroyed.
    #[attr(default = false)]
    pub adopt: Attr<bool>,
    /// Take over the record of another endpoint, by the name that the record's comment, or its mark, gives it, such as `ffe/api@1a2b3c4d`: to
    /// move a host from one cluster to another. Remove it after the apply.
    #[attr(optional)]
    pub adopt_from: Attr<String>,
}

/// What goes for every request.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Security {
    /// Send requests by HTTP to HTTPS. Default: true.
    #[attr(optional, computed)]
    pub ssl_redirect: Attr<bool>,
    /// For how many seconds browsers shall insist on HTTPS (Strict-Transport-Security); 0: no such header. Default: one
    /// year.
    #[attr(optional, computed, check = Check::between(0, 63_072_000))]
    pub hsts_max_age: Attr<i64>,
    /// The same for every name below the hosts. Default: false.
    #[attr(optional, computed)]
    pub hsts_subdomains: Attr<bool>,
    /// X-Frame-Options, in place of what the application sends; an empty text: none is set. Default: none is set.
    /// `ffe_environment`'s `tls.frame_options` fits.
    #[attr(optional, computed, one_of("DENY", "SAMEORIGIN", ""))]
    pub frame_options: Attr<String>,
    /// Content-Security-Policy, in place of what the application sends; an empty text: none is set. Default: none is set. Try
    /// it out before: a policy that does not know the application breaks its pages. `ffe_environment`'s
    /// `tls.content_security_policy` fits.
    #[attr(optional, computed, check = header_value())]
    pub content_security_policy: Attr<String>,
    /// Send `X-Content-Type-Options: nosniff`. Default: true.
    #[attr(optional, computed)]
    pub content_type_nosniff: Attr<bool>,
    /// Requests that one client may make in a minute, as `ffe_environment`'s `tls.requests_per_minute` says it; 0: no bound.
    /// Default: no bound. Clients are told apart by their addresses: where the controller does not see them (a service load
    /// balancer with `externalTrafficPolicy: Cluster`, as in k3s; a proxy in front), all of them together have this bound.
    #[attr(optional, computed, check = Check::between(0, 1_000_000))]
    pub requests_per_minute: Attr<i64>,
}

/// What a site that was taken over sent before, and how.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct SecurityBefore {
    /// Requests by HTTP were sent to HTTPS.
    #[attr(computed)]
    pub ssl_redirect: Attr<bool>,
    /// Strict-Transport-Security, in seconds; 0: no such header.
    #[attr(computed)]
    pub hsts_max_age: Attr<i64>,
    /// The same for every name below the hosts.
    #[attr(computed)]
    pub hsts_subdomains: Attr<bool>,
    /// X-Frame-Options; empty: none was set.
    #[attr(computed)]
    pub frame_options: Attr<String>,
    /// Content-Security-Policy; empty: none was set.
    #[attr(computed)]
    pub content_security_policy: Attr<String>,
    /// `X-Content-Type-Options: nosniff` was sent.
    #[attr(computed)]
    pub content_type_nosniff: Attr<bool>,
    /// Requests that one client might make in a minute; 0: no bound.
    #[attr(computed)]
    pub requests_per_minute: Attr<i64>,
}

/// What is asked of the issuer.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Certificate {
    /// How long before its end a certificate is renewed. Default: cert-manager's own, when a third of its life is left, which
    /// fits certificates of any length.
    #[attr(optional, check = duration())]
    pub renew_before: Attr<String>,
    /// How long the certificate shall be valid. Default: what the issuer gives. ACME servers decide it themselves.
    #[attr(optional, check = duration())]
    pub duration: Attr<String>,
    /// The private key. Default: as cert-manager makes it.
    #[attr(optional)]
    pub private_key: Attr<PrivateKey>,
}

/// The key of the certificate.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct PrivateKey {
    /// The algorithm.
    #[attr(optional, one_of("RSA", "ECDSA", "Ed25519"))]
    pub algorithm: Attr<String>,
    /// Its size in bits: 2048 to 8192 for RSA; 256, 384 or 521 for ECDSA; none for Ed25519.
    #[attr(optional)]
    pub size: Attr<i64>,
    /// Whether a renewal makes a new key.
    #[attr(optional, one_of("Always", "Never"))]
    pub rotation: Attr<String>,
}

/// The alert on a certificate that was not renewed when it should have been.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Alert {
    /// Whether there is one.
    #[attr(default = true)]
    pub enabled: Attr<bool>,
    /// Fire only when no more than this is left of the certificate's life. It never fires before the renewal is overdue.
    /// Default: as soon as a tenth of the time between renewal and end has passed without a renewal.
    #[attr(optional, check = duration())]
    pub expiry_warning: Attr<String>,
    /// Labels of the PrometheusRule, by which the Prometheus operator selects it.
    #[attr(optional, check = label_pairs())]
    pub labels: Attr<BTreeMap<String, Attr<String>>>,
}

/// How the endpoint is looked at.
#[derive(Model, Clone, Debug)]
pub struct Verify {
    /// Whether it is looked at.
    #[attr(default = true)]
    pub enabled: Attr<bool>,
    /// The path that is asked for on every host, below the endpoint's `path`, or a path of `backends`. Default: `/health`; for an
    /// endpoint that does not serve everything below `/`, its (first) path. Each other path of `backends` is asked for too, unless
    /// one of `checks` goes to its service: any status below 500 will do, but 404 and 429.
    #[attr(optional, computed, check = url_path())]
    pub path: Attr<String>,
    /// The status that is expected of it: 401 where a middleware asks who it is. Default: 200; where the path is the endpoint's own because none is named, any that
    /// shows that the application answers: below 500, and neither 404 nor 429.
    #[attr(optional, computed, check = Check::between(100, 599))]
    pub status: Attr<i64>,
    /// What stands for the star of a wildcard host when that is looked at. Default: a made-up name, which an application
    /// may not know.
    #[attr(optional, check = dns_label())]
    pub wildcard_label: Attr<String>,
    /// Expect that HTTP is redirected to HTTPS (301 or 308). Default: `security.ssl_redirect`.
    #[attr(optional)]
    pub redirect: Attr<bool>,
    /// Text that the name of the certificate's issuer must contain, such as `Let's Encrypt`.
    #[attr(optional)]
    pub issuer: Attr<String>,
    /// From where it is looked at: `here`, where Terraform runs, `inside` the cluster through the ingress controller, or
    /// `auto`: from here, and from inside where the hosts do not resolve or nothing answers.
    #[attr(default = "auto", one_of("auto", "here", "inside"))]
    pub from: Attr<String>,
    /// The address to connect to instead of what the hosts resolve to: an IP address or host name, with a port where HTTPS
    /// is not at 443.
    #[attr(optional, check = resolve_to())]
    pub resolve_to: Attr<String>,
    /// The ingress controller's service, for looking from inside. Default: found by the address that it gives.
    #[attr(optional)]
    pub controller: Attr<Controller>,
    /// Certificates of the authorities that are trusted, PEM. Default: those of this system, and the one that an internal
    /// CA or a self-signed issuer puts into the Secret. Let's Encrypt's staging server is not trusted by anybody: where the
    /// issuer asks that one, the chain is not checked without a bundle. An issuer that is referred to is judged like one of the
    /// endpoint's own.
    #[attr(optional, check = pem_certificates())]
    pub ca_bundle: Attr<String>,
    /// How long the endpoint may take until everything is as expected. It ends after two minutes where a controller that
    /// takes up changes at once answers the same all that time, and waiting would change nothing.
    #[attr(default = "10m", check = duration())]
    pub timeout: Attr<String>,
    /// Further requests on the first host. One below a path of `backends` is asked for in place of that path.
    #[attr(optional)]
    pub checks: Attr<Vec<ExtraCheck>>,
}

/// The ingress controller's service.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Controller {
    /// Its namespace.
    #[attr(required, check = dns_label())]
    pub namespace: Attr<String>,
    /// Its name.
    #[attr(required, check = dns_label())]
    pub service: Attr<String>,
    /// Its port for HTTPS: number or name.
    #[attr(default = "443", check = port())]
    pub port: Attr<String>,
    /// Its port for HTTP: number or name.
    #[attr(default = "80", check = port())]
    pub http_port: Attr<String>,
}

/// One more request.
#[derive(Model, Clone, Debug)]
pub struct ExtraCheck {
    /// The path.
    #[attr(required, check = url_path())]
    pub path: Attr<String>,
    /// A token for the request's `Authorization: Bearer`. Changing it alone never causes a plan.
    #[attr(optional, write_only, sensitive)]
    pub bearer_wo: Attr<String>,
    /// The status that is expected. Default: 200.
    #[attr(optional, check = Check::between(100, 599))]
    pub status: Attr<i64>,
}

/// One thing that was looked at.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct VerifyResult {
    /// The host.
    #[attr(computed)]
    pub host: Attr<String>,
    /// What was looked at: `resolved`, `chain`, `names`, `issuer`, `status`, `redirect`, a header, …
    #[attr(computed)]
    pub check: Attr<String>,
    /// `passed`, `failed` or `skipped`.
    #[attr(computed)]
    pub outcome: Attr<String>,
    /// What was seen.
    #[attr(computed)]
    pub detail: Attr<String>,
}

/// A certificate as it is.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct CertificateStatus {
    /// From when it is valid (RFC 3339).
    #[attr(computed)]
    pub not_before: Attr<String>,
    /// Until when it is valid (RFC 3339).
    #[attr(computed)]
    pub not_after: Attr<String>,
    /// When cert-manager renews it (RFC 3339).
    #[attr(computed)]
    pub renewal_time: Attr<String>,
    /// The distinguished name of its issuer.
    #[attr(computed)]
    pub issuer: Attr<String>,
    /// Its serial number, hexadecimal.
    #[attr(computed)]
    pub serial: Attr<String>,
    /// The names in it.
    #[attr(computed)]
    pub sans: Attr<Vec<Attr<String>>>,
    /// SHA-256 of the certificate, hexadecimal.
    #[attr(computed)]
    pub fingerprint_sha256: Attr<String>,
    /// Whether cert-manager calls it ready.
    #[attr(computed)]
    pub ready: Attr<bool>,
    /// What cert-manager says about it.
    #[attr(computed)]
    pub message: Attr<String>,
}

/// Something that differs from what was applied.
#[derive(Model, Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Kind, namespace and name.
    #[attr(computed)]
    pub object: Attr<String>,
    /// The field that differs; `(missing)` when the object is gone.
    #[attr(computed)]
    pub field: Attr<String>,
}
