//! The part of the schema that is about issuers.

use ffe_session::checks::{dns_label, dns_subdomain};
use ffe_session::issuers::checks::{acme_server, email, not_blank, pem_certificates};
use ffe_session::issuers::{CertificateAuthority, Dns01Cloudflare, Dns01Rfc2136, SelfSigned};
use tfplugin::{Attr, Model};

/// Who issues the certificate. With none of `acme`, `ca` and `self_signed` it refers to one that exists, `issuer_ref` of an
/// `ffe_issuer` fits; with one of them it is made, and removed with the endpoint.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Issuer {
    /// Its name; required where it refers to one that exists. Default for an issuer of the endpoint's own: the endpoint's `name`, for a ClusterIssuer
    /// `<namespace>-<name>`.
    #[attr(optional, computed, check = dns_subdomain())]
    pub name: Attr<String>,
    /// `Issuer`, of the endpoint's namespace, or `ClusterIssuer`, which serves all. A ClusterIssuer belongs to the endpoint that made it;
    /// others refer to it by name. It is not deleted while other certificates use it. Of another `group`, that group's kind.
    #[attr(default = "Issuer", check = not_blank())]
    pub kind: Attr<String>,
    /// The API group of an issuer that a controller of its own signs for, such as `awspca.cert-manager.io`. Default:
    /// cert-manager's own.
    #[attr(optional, check = dns_subdomain())]
    pub group: Attr<String>,
    /// An ACME server, such as Let's Encrypt.
    #[attr(optional)]
    pub acme: Attr<Acme>,
    /// A certificate authority of one's own, for services that are not public.
    #[attr(optional)]
    pub ca: Attr<CertificateAuthority>,
    /// Every certificate signs itself.
    #[attr(optional, may_be_empty)]
    pub self_signed: Attr<SelfSigned>,
}

/// An issuer by ACME.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Acme {
    /// `letsencrypt`, `letsencrypt-staging`, or the URL of another server's directory; `ffe_environment`'s `tls.acme_server`
    /// fits.
    #[attr(required, check = acme_server())]
    pub server: Attr<String>,
    /// Where the server may write to about the account.
    #[attr(optional, check = email())]
    pub email: Attr<String>,
    /// Certificates of the authorities that the server's own certificate is checked against, PEM. Default: those of
    /// cert-manager's system.
    #[attr(optional, check = pem_certificates())]
    pub ca_bundle: Attr<String>,
    /// The kind of certificate, where the server offers several (such as Let's Encrypt's `shortlived`). Default: the
    /// server's own. Needs cert-manager 1.18.
    #[attr(optional, check = not_blank())]
    pub profile: Attr<String>,
    /// How control of the hosts is proved to the ACME server: in exactly one of these ways.
    #[attr(required)]
    pub solver: Attr<Solver>,
}

/// A way to show that a host is ours. Exactly one.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Solver {
    /// By a file at port 80 of the host. Not for wildcards.
    #[attr(optional, may_be_empty)]
    pub http01: Attr<Http01>,
    /// By a DNS record at Cloudflare.
    #[attr(optional, may_be_empty)]
    pub dns01_cloudflare: Attr<Dns01Cloudflare>,
    /// By a DNS record at a server that takes dynamic updates (RFC 2136).
    #[attr(optional)]
    pub dns01_rfc2136: Attr<Dns01Rfc2136>,
}

/// HTTP-01.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Http01 {
    /// The ingress class that serves the file. Default: what the endpoint itself uses.
    #[attr(optional, check = dns_subdomain())]
    pub ingress_class: Attr<String>,
    /// The Gateway that serves the file. Default: what the endpoint itself uses.
    #[attr(optional)]
    pub gateway: Attr<SolverGateway>,
}

/// A Gateway with a listener for HTTP.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct SolverGateway {
    /// The name of the Gateway.
    #[attr(required, check = dns_subdomain())]
    pub name: Attr<String>,
    /// Its namespace. Default: the endpoint's.
    #[attr(optional, check = dns_label())]
    pub namespace: Attr<String>,
}
