//! The part of the schema that is about Vault.

use ffe_session::checks::{dns_subdomain, url};
use ffe_session::issuers::checks::{not_blank, pem_certificates};
use tfplugin::{Attr, Model};

use crate::checks::mount_path;

/// Vault's PKI. cert-manager logs in with exactly one of `token_wo`, `app_role` and `kubernetes`.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Vault {
    /// The URL of Vault.
    #[attr(required, check = url())]
    pub server: Attr<String>,
    /// Where it signs, such as `pki/sign/ffe`: `sign` with the role of the PKI.
    #[attr(required, check = not_blank())]
    pub path: Attr<String>,
    /// The namespace of Vault Enterprise.
    #[attr(optional, check = not_blank())]
    pub namespace: Attr<String>,
    /// Certificates of the authorities that Vault's own certificate is checked against, PEM. Default: those of cert-manager's
    /// system.
    #[attr(optional, check = pem_certificates())]
    pub ca_bundle: Attr<String>,
    /// A token. It is not renewed. Kept in a Secret that only cert-manager needs to read.
    #[attr(optional, write_only, sensitive, check = not_blank())]
    pub token_wo: Attr<String>,
    /// When set, `token_wo` counts as changed only when this changes.
    #[attr(optional)]
    pub token_wo_version: Attr<String>,
    /// A role and its secret.
    #[attr(optional)]
    pub app_role: Attr<AppRole>,
    /// A service account of the cluster.
    #[attr(optional)]
    pub kubernetes: Attr<KubernetesLogin>,
}

/// Vault's AppRole.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct AppRole {
    /// Where the method is mounted. Default: `approle`.
    #[attr(optional, check = not_blank())]
    pub path: Attr<String>,
    /// The identifier of the role.
    #[attr(required, check = not_blank())]
    pub role_id: Attr<String>,
    /// The secret of the role. Kept in a Secret that only cert-manager needs to read.
    #[attr(optional, write_only, sensitive, check = not_blank())]
    pub secret_id_wo: Attr<String>,
    /// When set, `secret_id_wo` counts as changed only when this changes.
    #[attr(optional)]
    pub secret_id_wo_version: Attr<String>,
}

/// Vault's Kubernetes authentication.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct KubernetesLogin {
    /// Where the method is mounted. Default: `/v1/auth/kubernetes`.
    #[attr(optional, check = mount_path())]
    pub mount_path: Attr<String>,
    /// Vault's role.
    #[attr(required, check = not_blank())]
    pub role: Attr<String>,
    /// A service account in the issuer's namespace, for a ClusterIssuer in cert-manager's cluster resource namespace. cert-manager
    /// must be allowed to make tokens for it.
    #[attr(required, check = dns_subdomain())]
    pub service_account: Attr<String>,
}
