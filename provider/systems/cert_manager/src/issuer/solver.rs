//! How an ACME server is shown that a name is ours.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{SecretKey, set};

/// A way, and the names that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solver {
    /// Of what names; empty: of all
    pub selector: Selector,
    /// How
    pub way: Way,
}

/// Which names a solver is for. All of what is given has to fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// Exactly these; says more than a zone
    pub dns_names: Vec<String>,
    /// These and what is below them; the longest says most
    pub dns_zones: Vec<String>,
    /// Labels of the Certificate
    pub match_labels: BTreeMap<String, String>,
}

/// A way to show that a name is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// A file below `/.well-known/acme-challenge/`, by an Ingress
    Http01Ingress {
        /// Name of an IngressClass; None: the cluster's default class
        class: Option<String>,
        /// Of the pod that serves the file
        pod: Option<PodTemplate>,
    },
    /// The same by an HTTPRoute
    Http01Gateway {
        /// The Gateways that the route is attached to
        gateways: Vec<ParentGateway>,
        /// Of the pod that serves the file
        pod: Option<PodTemplate>,
    },
    /// A TXT record `_acme-challenge.<name>`
    Dns01 {
        /// Who keeps the records
        provider: DnsProvider,
        /// Where `_acme-challenge.<name>` is a CNAME, the record is made at its target
        follow_cname: bool,
    },
}

/// A Gateway that the route of a challenge is attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentGateway {
    /// Its name
    pub name: String,
    /// Its namespace; None: that of the certificate
    pub namespace: Option<String>,
    /// The listener of port 80; None: any
    pub section: Option<String>,
}

/// What the pod of a challenge has beside cert-manager's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodTemplate {
    /// For NetworkPolicies and meshes
    pub labels: BTreeMap<String, String>,
    /// The same
    pub annotations: BTreeMap<String, String>,
    /// On which nodes
    pub node_selector: BTreeMap<String, String>,
    /// Whose taints it bears
    pub tolerations: Vec<Toleration>,
    /// Its importance
    pub priority_class: Option<String>,
    /// Its service account
    pub service_account: Option<String>,
}

/// A taint that a pod bears.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Toleration {
    /// None: every key
    pub key: Option<String>,
    /// `Exists` or `Equal`
    pub operator: Option<String>,
    /// Of `Equal`
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule`, `NoExecute`; None: all
    pub effect: Option<String>,
}

/// Who keeps the records of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsProvider {
    /// Cloudflare
    Cloudflare {
        /// An API token with Zone:Read and DNS:Edit
        token: SecretKey,
    },
    /// A server that takes dynamic updates
    Rfc2136 {
        /// IP address or host name, with or without port
        nameserver: String,
        /// None: unsigned updates
        tsig: Option<Tsig>,
    },
    /// Amazon Route 53
    Route53 {
        /// Of the API; None: the one of cert-manager's surroundings
        region: Option<String>,
        /// None: found by the name
        hosted_zone_id: Option<String>,
        /// A role that is assumed
        role: Option<String>,
        /// None: those of cert-manager's surroundings
        keys: Option<AwsKeys>,
    },
    /// A server of acme-dns, to which `_acme-challenge.<name>` is delegated
    AcmeDns {
        /// URL of its API
        host: String,
        /// JSON with an account for each name
        accounts: SecretKey,
    },
    /// A webhook of somebody else's
    Webhook {
        /// API group that it serves
        group_name: String,
        /// What it calls the solver
        solver_name: String,
        /// Its own settings
        config: Option<Value>,
    },
}

/// The key that signs RFC 2136 updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tsig {
    /// As the name server calls it
    pub key_name: String,
    /// `HMACSHA256`; also `HMACSHA512`, `HMACSHA1`, `HMACMD5`
    pub algorithm: String,
    /// Where the key stands, in base64 as the name server's configuration has it
    pub secret: SecretKey,
}

/// Keys of a user of AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsKeys {
    /// No secret
    pub access_key_id: String,
    /// The secret
    pub secret_access_key: SecretKey,
}

impl Solver {
    /// For all names.
    pub fn of(way: Way) -> Self {
        Self { selector: Selector::default(), way }
    }

    pub(super) fn secret(&self) -> Option<SecretKey> {
        let Way::Dns01 { provider, .. } = &self.way else { return None };
        match provider {
            DnsProvider::Cloudflare { token } => Some(token.clone()),
            DnsProvider::Rfc2136 { tsig, .. } => tsig.as_ref().map(|tsig| tsig.secret.clone()),
            DnsProvider::Route53 { keys, .. } => keys.as_ref().map(|keys| keys.secret_access_key.clone()),
            DnsProvider::AcmeDns { accounts, .. } => Some(accounts.clone()),
            DnsProvider::Webhook { .. } => None,
        }
    }

    pub(super) fn to_value(&self) -> Value {
        let mut solver = match &self.way {
            Way::Http01Ingress { class, pod } => {
                let mut ingress = json!({});
                set(&mut ingress, [("ingressClassName", class.as_deref())]);
                if let Some(pod) = pod {
                    ingress["podTemplate"] = pod.to_value();
                }
                json!({"http01": {"ingress": ingress}})
            }
            Way::Http01Gateway { gateways, pod } => {
                let parents: Vec<Value> = gateways.iter().map(ParentGateway::to_value).collect();
                let mut route = json!({"parentRefs": parents});
                if let Some(pod) = pod {
                    route["podTemplate"] = pod.to_value();
                }
                json!({"http01": {"gatewayHTTPRoute": route}})
            }
            Way::Dns01 { provider, follow_cname } => {
                let mut dns01 = provider.to_value();
                if *follow_cname {
                    dns01["cnameStrategy"] = Value::from("Follow");
                }
                json!({"dns01": dns01})
            }
        };
        if self.selector != Selector::default() {
            solver["selector"] = self.selector.to_value();
        }
        solver
    }
}

impl Selector {
    fn to_value(&self) -> Value {
        let mut selector = json!({});
        if !self.dns_names.is_empty() {
            selector["dnsNames"] = json!(self.dns_names);
        }
        if !self.dns_zones.is_empty() {
            selector["dnsZones"] = json!(self.dns_zones);
        }
        if !self.match_labels.is_empty() {
            selector["matchLabels"] = json!(self.match_labels);
        }
        selector
    }
}

impl ParentGateway {
    fn to_value(&self) -> Value {
        let mut parent = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": self.name});
        set(&mut parent, [("namespace", self.namespace.as_deref()), ("sectionName", self.section.as_deref())]);
        parent
    }
}

impl PodTemplate {
    fn to_value(&self) -> Value {
        let mut template = json!({});
        for (field, entries) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            if !entries.is_empty() {
                template["metadata"][field] = json!(entries);
            }
        }
        let mut spec = json!({});
        if !self.node_selector.is_empty() {
            spec["nodeSelector"] = json!(self.node_selector);
        }
        if !self.tolerations.is_empty() {
            spec["tolerations"] = self.tolerations.iter().map(Toleration::to_value).collect();
        }
        set(
            &mut spec,
            [
                ("priorityClassName", self.priority_class.as_deref()),
                ("serviceAccountName", self.service_account.as_deref()),
            ],
        );
        if spec.as_object().is_some_and(|spec| !spec.is_empty()) {
            template["spec"] = spec;
        }
        template
    }
}

impl Toleration {
    fn to_value(&self) -> Value {
        let mut toleration = json!({});
        let fields =
            [("key", &self.key), ("operator", &self.operator), ("value", &self.value), ("effect", &self.effect)];
        set(&mut toleration, fields.map(|(field, text)| (field, text.as_deref())));
        toleration
    }
}

impl DnsProvider {
    fn to_value(&self) -> Value {
        match self {
            Self::Cloudflare { token } => json!({"cloudflare": {"apiTokenSecretRef": token.selector()}}),
            Self::Rfc2136 { nameserver, tsig } => {
                let mut rfc2136 = json!({"nameserver": nameserver});
                if let Some(tsig) = tsig {
                    rfc2136["tsigKeyName"] = Value::from(tsig.key_name.as_str());
                    rfc2136["tsigAlgorithm"] = Value::from(tsig.algorithm.as_str());
                    rfc2136["tsigSecretSecretRef"] = tsig.secret.selector();
                }
                json!({"rfc2136": rfc2136})
            }
            Self::Route53 { region, hosted_zone_id, role, keys } => {
                let mut route53 = json!({});
                set(
                    &mut route53,
                    [
                        ("region", region.as_deref()),
                        ("hostedZoneID", hosted_zone_id.as_deref()),
                        ("role", role.as_deref()),
                    ],
                );
                if let Some(keys) = keys {
                    route53["accessKeyID"] = Value::from(keys.access_key_id.as_str());
                    route53["secretAccessKeySecretRef"] = keys.secret_access_key.selector();
                }
                json!({"route53": route53})
            }
            Self::AcmeDns { host, accounts } => {
                json!({"acmeDNS": {"host": host, "accountSecretRef": accounts.selector()}})
            }
            Self::Webhook { group_name, solver_name, config } => {
                let mut webhook = json!({"groupName": group_name, "solverName": solver_name});
                if let Some(config) = config {
                    webhook["config"] = config.clone();
                }
                json!({"webhook": webhook})
            }
        }
    }
}
