//! What a user writes, and what comes back: the schema of `ffe_issuer`.

mod solver;
mod vault;

pub use ffe_session::DriftSettings;
use ffe_session::checks::{dns_label, dns_subdomain, duration};
use ffe_session::issuers::checks::{acme_server, email, not_blank, pem_certificates};
use ffe_session::issuers::{CertificateAuthority, SelfSigned};
use tfplugin::{Attr, Model};

pub use solver::{
    Dns01AcmeDns, Dns01Route53, Dns01Webhook, Http01, ParentRef, PodTemplate, Selector, Solver, Toleration,
};
pub use vault::{AppRole, KubernetesLogin, Vault};

/// Who issues certificates, for any number of endpoints: a ClusterIssuer or Issuer of cert-manager, with one ACME account for
/// all of them. An `ffe_tls_endpoint` refers to it by `issuer = ffe_issuer.<name>.issuer_ref`.
///
/// An apply ends when cert-manager says that the issuer is ready; otherwise the error has the cause and what to do about it. What
/// exists already and was not made by this provider is refused unless it is imported or `adopt` is set. Destroying it is refused
/// while certificates refer to it, or while it is not known whether some do.
///
/// cert-manager (1.15 or later) must be installed. Secrets are kept where cert-manager reads them: for a ClusterIssuer in its
/// cluster resource namespace, which is found out by its Deployment.
///
/// Import takes the name of a ClusterIssuer, or `<namespace>/<name>` of an Issuer. One that an `ffe_tls_endpoint` has made can be
/// imported too: it belongs to the `ffe_issuer` then, and no certificate is ordered for that.
#[derive(Model, Clone, Debug)]
#[model(version = 0)]
pub struct Issuer {
    /// The name of the issuer.
    #[attr(required, replace, check = dns_subdomain())]
    pub name: Attr<String>,
    /// `ClusterIssuer`, which serves all namespaces, or `Issuer`, which serves its own.
    #[attr(default = "ClusterIssuer", replace, one_of("ClusterIssuer", "Issuer"))]
    pub kind: Attr<String>,
    /// The namespace of an `Issuer`. It must exist.
    #[attr(optional, replace, check = dns_label())]
    pub namespace: Attr<String>,
    /// Where cert-manager reads the Secrets of a ClusterIssuer (its `--cluster-resource-namespace`). Default: found out by its
    /// Deployment. Say it where that may not be looked at.
    #[attr(optional, check = dns_label())]
    pub secret_namespace: Attr<String>,
    /// Take over an issuer of this name that exists already and belongs to nobody else. It stays when this resource is
    /// destroyed.
    #[attr(default = false)]
    pub adopt: Attr<bool>,
    /// Keep the Secret with the key of the ACME account when the issuer is destroyed, so that one that is made again has the same
    /// account. A key that was there before, or that another issuer uses, is never deleted.
    #[attr(default = true)]
    pub keep_account_key: Attr<bool>,
    /// How long it may take until the issuer is ready.
    #[attr(default = "5m", check = duration())]
    pub timeout: Attr<String>,
    /// An ACME server, such as Let's Encrypt.
    #[attr(optional)]
    pub acme: Attr<Acme>,
    /// A certificate authority of one's own, for services that are not public.
    #[attr(optional)]
    pub ca: Attr<CertificateAuthority>,
    /// Every certificate signs itself.
    #[attr(optional, may_be_empty)]
    pub self_signed: Attr<SelfSigned>,
    /// The PKI of Vault or OpenBao.
    #[attr(optional)]
    pub vault: Attr<Vault>,
    /// What is no drift of the issuer.
    #[attr(optional)]
    pub drift: Attr<DriftSettings>,

    /// The API group of the issuer: `cert-manager.io`.
    #[attr(computed)]
    pub group: Attr<String>,
    /// The issuer as `issuer` of an `ffe_tls_endpoint` takes it.
    #[attr(computed)]
    pub issuer_ref: Attr<IssuerRef>,
    /// The URL by which the ACME server knows the account.
    #[attr(computed)]
    pub acme_account_uri: Attr<String>,
    /// Changes when write-only values do. Cannot be used to find them out.
    #[attr(computed)]
    pub credentials_revision: Attr<String>,
    /// What differs in the cluster from what was applied. Shown in the plan as what the apply will put right. What a webhook makes
    /// of it is no difference, nor what `drift.ignore` names.
    #[attr(computed)]
    pub drifted: Attr<Vec<Drift>>,
}

/// An issuer, referred to.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct IssuerRef {
    /// Its name.
    #[attr(computed)]
    pub name: Attr<String>,
    /// `ClusterIssuer` or `Issuer`.
    #[attr(computed)]
    pub kind: Attr<String>,
    /// `cert-manager.io`.
    #[attr(computed)]
    pub group: Attr<String>,
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
    /// The common name of the root that the chain shall lead to, where the server offers several chains.
    #[attr(optional, check = not_blank())]
    pub preferred_chain: Attr<String>,
    /// The Secret in which cert-manager keeps the key of the account; it makes one where there is none. Default: `<name>-account`.
    #[attr(optional, computed, check = dns_subdomain())]
    pub private_key_secret: Attr<String>,
    /// The customer's account that the ACME account is bound to, for authorities that ask for it (ZeroSSL, Google, Sectigo).
    #[attr(optional)]
    pub external_account_binding: Attr<ExternalAccountBinding>,
    /// How control of the hosts is proved to the ACME server. Of several, cert-manager takes for each host the one whose `selector`
    /// says most.
    #[attr(required, check = crate::checks::some_solvers())]
    pub solvers: Attr<Vec<Solver>>,
}

/// External account binding (EAB).
#[derive(Model, Clone, Debug, PartialEq)]
pub struct ExternalAccountBinding {
    /// What the authority calls the key.
    #[attr(required, check = not_blank())]
    pub key_id: Attr<String>,
    /// The key itself (HMAC), in base64url as the authority gives it. Kept in a Secret that only cert-manager needs to read.
    #[attr(optional, write_only, sensitive, check = not_blank())]
    pub key_wo: Attr<String>,
    /// When set, `key_wo` counts as changed only when this changes.
    #[attr(optional)]
    pub key_wo_version: Attr<String>,
}

/// Something in the cluster that differs from what was applied.
#[derive(Model, Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Kind, namespace and name.
    #[attr(computed)]
    pub object: Attr<String>,
    /// The field that differs; `(missing)` when the object is gone.
    #[attr(computed)]
    pub field: Attr<String>,
}
