//! The part of the schema that is about proving control of hosts.

use std::collections::BTreeMap;

use ffe_session::checks::{dns_label, dns_subdomain, url};
use ffe_session::issuers::checks::not_blank;
use ffe_session::issuers::{Dns01Cloudflare, Dns01Rfc2136};
use tfplugin::{Attr, Model};

use crate::checks::{host_names, json_object, zone_names};

/// A way to show that hosts are ours, and for which of them: exactly one of `http01` and those that begin with `dns01_`.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Solver {
    /// For which hosts it is. Default: for all.
    #[attr(optional)]
    pub selector: Attr<Selector>,
    /// By a file at port 80 of the host. Not for wildcards.
    #[attr(optional, may_be_empty)]
    pub http01: Attr<Http01>,
    /// By a DNS record at Cloudflare.
    #[attr(optional, may_be_empty)]
    pub dns01_cloudflare: Attr<Dns01Cloudflare>,
    /// By a DNS record at a server that takes dynamic updates (RFC 2136).
    #[attr(optional)]
    pub dns01_rfc2136: Attr<Dns01Rfc2136>,
    /// By a DNS record at Amazon Route 53.
    #[attr(optional)]
    pub dns01_route53: Attr<Dns01Route53>,
    /// By a DNS record at a server of acme-dns, to which `_acme-challenge.<host>` is delegated.
    #[attr(optional)]
    pub dns01_acme_dns: Attr<Dns01AcmeDns>,
    /// By a DNS record that a webhook for cert-manager makes.
    #[attr(optional)]
    pub dns01_webhook: Attr<Dns01Webhook>,
    /// `Follow`: where `_acme-challenge.<host>` is a CNAME, the record is made at its target, so that another zone than the host's
    /// may be the one that is changed. Default: `None`.
    #[attr(optional, one_of("None", "Follow"))]
    pub cname_strategy: Attr<String>,
}

/// Which hosts a solver is for. All of what is given has to fit.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Selector {
    /// Exactly these names; wildcards as they are written. Says more than `dns_zones`.
    #[attr(optional, check = host_names())]
    pub dns_names: Attr<Vec<Attr<String>>>,
    /// These names and all below them; of several the longest counts.
    #[attr(optional, check = zone_names())]
    pub dns_zones: Attr<Vec<Attr<String>>>,
    /// Labels of the Certificate.
    #[attr(optional)]
    pub match_labels: Attr<BTreeMap<String, Attr<String>>>,
}

/// HTTP-01.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Http01 {
    /// The ingress class that serves the file. Default, without `parent_refs`: the cluster's default class.
    #[attr(optional, check = dns_subdomain())]
    pub ingress_class: Attr<String>,
    /// The Gateways that serve the file, instead of an ingress. cert-manager must be told to use the Gateway API.
    #[attr(optional)]
    pub parent_refs: Attr<Vec<ParentRef>>,
    /// What the pod that serves the file has beside cert-manager's own.
    #[attr(optional)]
    pub pod_template: Attr<PodTemplate>,
}

/// A Gateway with a listener for HTTP.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct ParentRef {
    /// The name of the Gateway.
    #[attr(required, check = dns_subdomain())]
    pub name: Attr<String>,
    /// Its namespace. Default: that of the certificate.
    #[attr(optional, check = dns_label())]
    pub namespace: Attr<String>,
    /// Its listener for port 80. Default: any.
    #[attr(optional, check = dns_subdomain())]
    pub section_name: Attr<String>,
}

/// A pod, as far as cert-manager lets it be said.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct PodTemplate {
    /// Labels, for NetworkPolicies and service meshes.
    #[attr(optional)]
    pub labels: Attr<BTreeMap<String, Attr<String>>>,
    /// Annotations.
    #[attr(optional)]
    pub annotations: Attr<BTreeMap<String, Attr<String>>>,
    /// Labels of the nodes that it may run on.
    #[attr(optional)]
    pub node_selector: Attr<BTreeMap<String, Attr<String>>>,
    /// Taints of nodes that it bears.
    #[attr(optional)]
    pub tolerations: Attr<Vec<Toleration>>,
    /// Its priority class.
    #[attr(optional, check = dns_subdomain())]
    pub priority_class_name: Attr<String>,
    /// Its service account.
    #[attr(optional, check = dns_subdomain())]
    pub service_account_name: Attr<String>,
}

/// A taint that is borne.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Toleration {
    /// The taint's key. Default: every key.
    #[attr(optional)]
    pub key: Attr<String>,
    /// How `value` is compared. Default: `Equal`.
    #[attr(optional, one_of("Equal", "Exists"))]
    pub operator: Attr<String>,
    /// The taint's value.
    #[attr(optional)]
    pub value: Attr<String>,
    /// The taint's effect. Default: every effect.
    #[attr(optional, one_of("NoSchedule", "PreferNoSchedule", "NoExecute"))]
    pub effect: Attr<String>,
}

/// DNS-01 at Amazon Route 53.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Dns01Route53 {
    /// The region of the API. Default: as cert-manager's surroundings say.
    #[attr(optional, check = not_blank())]
    pub region: Attr<String>,
    /// The hosted zone. Default: found by the host.
    #[attr(optional, check = not_blank())]
    pub hosted_zone_id: Attr<String>,
    /// A role that is assumed.
    #[attr(optional, check = not_blank())]
    pub role: Attr<String>,
    /// The key of a user. Default: what cert-manager's surroundings give (IRSA, an instance's profile).
    #[attr(optional, check = not_blank())]
    pub access_key_id: Attr<String>,
    /// The secret of that key. Kept in a Secret that only cert-manager needs to read.
    #[attr(optional, write_only, sensitive, check = not_blank())]
    pub secret_access_key_wo: Attr<String>,
    /// When set, `secret_access_key_wo` counts as changed only when this changes.
    #[attr(optional)]
    pub secret_access_key_wo_version: Attr<String>,
}

/// DNS-01 at acme-dns.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Dns01AcmeDns {
    /// The URL of its API.
    #[attr(required, check = url())]
    pub host: Attr<String>,
    /// The accounts, JSON as acme-dns clients keep it: an object with an entry for each host. Kept in a Secret that only
    /// cert-manager needs to read.
    #[attr(optional, write_only, sensitive, check = json_object())]
    pub accounts_wo: Attr<String>,
    /// When set, `accounts_wo` counts as changed only when this changes.
    #[attr(optional)]
    pub accounts_wo_version: Attr<String>,
}

/// DNS-01 by a webhook.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Dns01Webhook {
    /// The API group that the webhook serves.
    #[attr(required, check = dns_subdomain())]
    pub group_name: Attr<String>,
    /// What the webhook calls its solver.
    #[attr(required, check = not_blank())]
    pub solver_name: Attr<String>,
    /// Its settings, JSON (`jsonencode`). Secrets go into a Secret of their own that it refers to.
    #[attr(optional, check = json_object())]
    pub config: Attr<String>,
}
