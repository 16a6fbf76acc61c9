//! An issuer with everything decided: what the objects are built from.

use std::collections::BTreeMap;
use std::time::Duration;

use ffe_cert_manager::{
    Acme, AwsKeys, DnsProvider, ExternalAccount, IssuerSpec, ParentGateway, PodTemplate, SecretKey, Selector, Solver,
    Toleration, Vault, VaultLogin, Way, credentials_secret,
};
use ffe_cluster::parse_duration;
use tfplugin::Attr;

use crate::model::{self, Issuer};
use crate::names::Names;
use crate::secrets::{EAB_KEY, VAULT_LOGIN, of_solver};

/// A wholly known issuer, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) names: Names,
    /// What it is.
    pub(crate) what: IssuerSpec,
    /// Where cert-manager reads a ClusterIssuer's Secrets, as the configuration says.
    pub(crate) secret_namespace: Option<String>,
    pub(crate) keep_account_key: bool,
    /// Until it is ready.
    pub(crate) timeout: Duration,
}

impl Spec {
    /// From a plan or a state; `None` where something is not known, as in the state of an issuer that was imported and is not
    /// taken over yet.
    pub(crate) fn of(model: &Issuer) -> Option<Spec> {
        let names = names(model)?;
        Some(Spec {
            what: what(model, &names)?,
            secret_namespace: optional(&model.secret_namespace)?,
            keep_account_key: model.keep_account_key.unwrap_or(true),
            timeout: timeout(model),
            names,
        })
    }

    /// Whether it reads a Secret that we write.
    pub(crate) fn has_credentials(&self) -> bool {
        !matches!(self.what, IssuerSpec::Ca { .. }) && !self.what.secrets().is_empty()
    }

    /// The name of that Secret.
    pub(crate) fn credentials_secret(&self) -> String {
        credentials_secret(&self.names.name)
    }

    /// Its entries.
    pub(crate) fn entries(&self) -> Vec<String> {
        if self.has_credentials() { self.what.secrets().into_iter().map(|one| one.key).collect() } else { Vec::new() }
    }
}

/// What an issuer is called, and where it is; `None` where that is not known.
pub(crate) fn names(model: &Issuer) -> Option<Names> {
    let namespace = match model.kind.as_str()? {
        "Issuer" => Some(model.namespace.as_str()?),
        _ => None,
    };
    Some(Names::new(namespace, model.name.as_str()?))
}

pub(crate) fn timeout(model: &Issuer) -> Duration {
    // Checked by the schema; the default is there for a state without one.
    model.timeout.as_str().and_then(|text| parse_duration(text).ok()).unwrap_or(Duration::from_secs(300))
}

/// Known text, or nothing where it is null; `None` where it is unknown.
fn optional(attribute: &Attr<String>) -> Option<Option<String>> {
    match attribute {
        Attr::Unknown => None,
        attribute => Some(attribute.as_str().map(str::to_owned)),
    }
}

fn texts(attribute: &Attr<Vec<Attr<String>>>) -> Option<Vec<String>> {
    match attribute {
        Attr::Unknown => None,
        attribute => attribute.known().into_iter().flatten().map(|text| text.as_str().map(str::to_owned)).collect(),
    }
}

fn pairs(attribute: &Attr<BTreeMap<String, Attr<String>>>) -> Option<BTreeMap<String, String>> {
    match attribute {
        Attr::Unknown => None,
        attribute => {
            let all = attribute.known().into_iter().flatten();
            all.map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        }
    }
}

fn what(model: &Issuer, names: &Names) -> Option<IssuerSpec> {
    if let Some(given) = model.acme.known() {
        return acme(given, names).map(|acme| IssuerSpec::Acme(Box::new(acme)));
    }
    if let Some(ca) = model.ca.known() {
        return Some(IssuerSpec::Ca { secret_name: ca.secret_name.as_str()?.to_owned() });
    }
    if let Some(given) = model.vault.known() {
        return vault(given, names).map(IssuerSpec::Vault);
    }
    model.self_signed.is_known().then_some(IssuerSpec::SelfSigned)
}

fn acme(given: &model::Acme, names: &Names) -> Option<Acme> {
    let secret = |entry: &str| SecretKey::new(&credentials_secret(&names.name), entry);
    let external_account = match &given.external_account_binding {
        Attr::Unknown => return None,
        Attr::Null => None,
        Attr::Known(account) => {
            Some(ExternalAccount { key_id: account.key_id.as_str()?.to_owned(), key: secret(EAB_KEY) })
        }
    };
    let solvers = given.solvers.known()?.iter().enumerate();
    Some(Acme {
        server: given.server.as_str()?.to_owned(),
        email: optional(&given.email)?,
        ca_bundle: optional(&given.ca_bundle)?,
        profile: optional(&given.profile)?,
        preferred_chain: optional(&given.preferred_chain)?,
        account_key_secret: given.private_key_secret.as_str()?.to_owned(),
        external_account,
        solvers: solvers.map(|(index, one)| solver(one, secret(&of_solver(index)))).collect::<Option<_>>()?,
    })
}

fn solver(given: &model::Solver, secret: SecretKey) -> Option<Solver> {
    let selector = match &given.selector {
        Attr::Unknown => return None,
        Attr::Null => Selector::default(),
        Attr::Known(selector) => Selector {
            dns_names: texts(&selector.dns_names)?,
            dns_zones: texts(&selector.dns_zones)?,
            match_labels: pairs(&selector.match_labels)?,
        },
    };
    Some(Solver { selector, way: way(given, secret)? })
}

fn way(given: &model::Solver, secret: SecretKey) -> Option<Way> {
    if let Some(http01) = given.http01.known() {
        return http(http01);
    }
    let provider = if given.dns01_cloudflare.is_known() {
        DnsProvider::Cloudflare { token: secret }
    } else if let Some(rfc2136) = given.dns01_rfc2136.known() {
        rfc2136.provider(secret)?
    } else if let Some(route53) = given.dns01_route53.known() {
        DnsProvider::Route53 {
            region: optional(&route53.region)?,
            hosted_zone_id: optional(&route53.hosted_zone_id)?,
            role: optional(&route53.role)?,
            keys: optional(&route53.access_key_id)?
                .map(|access_key_id| AwsKeys { access_key_id, secret_access_key: secret }),
        }
    } else if let Some(acme_dns) = given.dns01_acme_dns.known() {
        DnsProvider::AcmeDns { host: acme_dns.host.as_str()?.to_owned(), accounts: secret }
    } else {
        let webhook = given.dns01_webhook.known()?;
        DnsProvider::Webhook {
            group_name: webhook.group_name.as_str()?.to_owned(),
            solver_name: webhook.solver_name.as_str()?.to_owned(),
            config: optional(&webhook.config)?.and_then(|text| serde_json::from_str(&text).ok()),
        }
    };
    Some(Way::Dns01 { provider, follow_cname: optional(&given.cname_strategy)?.as_deref() == Some("Follow") })
}

fn http(given: &model::Http01) -> Option<Way> {
    let pod = match &given.pod_template {
        Attr::Unknown => return None,
        Attr::Null => None,
        Attr::Known(template) => Some(pod(template)?),
    };
    if given.parent_refs.is_null() {
        return Some(Way::Http01Ingress { class: optional(&given.ingress_class)?, pod });
    }
    let parent = |parent: &model::ParentRef| {
        Some(ParentGateway {
            name: parent.name.as_str()?.to_owned(),
            namespace: optional(&parent.namespace)?,
            section: optional(&parent.section_name)?,
        })
    };
    Some(Way::Http01Gateway { gateways: given.parent_refs.known()?.iter().map(parent).collect::<Option<_>>()?, pod })
}

fn pod(given: &model::PodTemplate) -> Option<PodTemplate> {
    let toleration = |one: &model::Toleration| {
        Some(Toleration {
            key: optional(&one.key)?,
            operator: optional(&one.operator)?,
            value: optional(&one.value)?,
            effect: optional(&one.effect)?,
        })
    };
    let tolerations = match &given.tolerations {
        Attr::Unknown => return None,
        all => all.known().into_iter().flatten().map(toleration).collect::<Option<_>>()?,
    };
    Some(PodTemplate {
        labels: pairs(&given.labels)?,
        annotations: pairs(&given.annotations)?,
        node_selector: pairs(&given.node_selector)?,
        tolerations,
        priority_class: optional(&given.priority_class_name)?,
        service_account: optional(&given.service_account_name)?,
    })
}

fn vault(given: &model::Vault, names: &Names) -> Option<Vault> {
    let secret = || SecretKey::new(&credentials_secret(&names.name), VAULT_LOGIN);
    let login = if let Some(role) = given.app_role.known() {
        VaultLogin::AppRole {
            path: optional(&role.path)?.unwrap_or_else(|| "approle".to_owned()),
            role_id: role.role_id.as_str()?.to_owned(),
            secret_id: secret(),
        }
    } else if let Some(login) = given.kubernetes.known() {
        VaultLogin::Kubernetes {
            mount_path: optional(&login.mount_path)?.unwrap_or_else(|| "/v1/auth/kubernetes".to_owned()),
            role: login.role.as_str()?.to_owned(),
            service_account: login.service_account.as_str()?.to_owned(),
        }
    } else {
        VaultLogin::Token(secret())
    };
    Some(Vault {
        server: given.server.as_str()?.to_owned(),
        path: given.path.as_str()?.to_owned(),
        namespace: optional(&given.namespace)?,
        ca_bundle: optional(&given.ca_bundle)?,
        login,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::testing::{acme, settled};

    fn spec(config: Json) -> Spec {
        Spec::of(&settled(config)).unwrap()
    }

    #[test]
    fn several_solvers_each_have_their_names_and_their_secret() {
        let solvers = json!([
            { "http01": { "ingress_class": "traefik" } },
            { "selector": { "dns_zones": ["example.com"] }, "dns01_cloudflare": { "api_token_wo": "t" }, "cname_strategy": "Follow" },
            { "selector": { "dns_names": ["*.example.org"] },
              "dns01_route53": { "region": "eu-central-1", "access_key_id": "AKIA", "secret_access_key_wo": "s" } },
        ]);
        let spec = spec(acme(json!({ "solvers": solvers })));
        assert_eq!(spec.entries(), ["solver-1", "solver-2"]);
        let object = ffe_cert_manager::issuer_object(&spec.names.issuer(), "", &spec.what);
        assert_eq!(
            object["spec"]["acme"]["solvers"],
            json!([
                { "http01": { "ingress": { "ingressClassName": "traefik" } } },
                { "dns01": { "cloudflare": { "apiTokenSecretRef": { "name": "le-credentials", "key": "solver-1" } }, "cnameStrategy": "Follow" },
                  "selector": { "dnsZones": ["example.com"] } },
                { "dns01": { "route53": { "region": "eu-central-1", "accessKeyID": "AKIA",
                    "secretAccessKeySecretRef": { "name": "le-credentials", "key": "solver-2" } } },
                  "selector": { "dnsNames": ["*.example.org"] } },
            ])
        );
    }

    #[test]
    fn what_is_not_known_makes_no_issuer() {
        for unknown in [
            acme(json!({ "server": "?" })),
            acme(json!({ "solvers": "?" })),
            acme(json!({ "solvers": [{ "http01": "?" }] })),
            acme(json!({ "external_account_binding": "?" })),
            json!({ "name": "?", "self_signed": {} }),
            json!({ "name": "le", "kind": "Issuer", "namespace": "?", "self_signed": {} }),
            json!({ "name": "le", "vault": "?" }),
        ] {
            assert_eq!(Spec::of(&settled(unknown.clone())), None, "{unknown}");
        }
    }

    #[test]
    fn vault_is_logged_in_to_as_it_is_said() {
        let login = |more: Json| {
            let mut vault = json!({ "server": "https://vault:8200", "path": "pki/sign/ffe" });
            vault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let spec = spec(json!({ "name": "v", "vault": vault }));
            let IssuerSpec::Vault(vault) = &spec.what else { unreachable!("it is Vault") };
            (vault.login.clone(), spec.entries())
        };
        let secret = SecretKey::new("v-credentials", "vault");
        assert_eq!(login(json!({ "token_wo": "t" })), (VaultLogin::Token(secret), vec!["vault".to_owned()]));
        let (role, entries) = login(json!({ "app_role": { "role_id": "r", "secret_id_wo": "s" } }));
        assert!(matches!(role, VaultLogin::AppRole { path, .. } if path == "approle"));
        assert_eq!(entries, ["vault"]);
        let (account, entries) = login(json!({ "kubernetes": { "role": "r", "service_account": "a" } }));
        assert!(matches!(account, VaultLogin::Kubernetes { mount_path, .. } if mount_path == "/v1/auth/kubernetes"));
        assert!(entries.is_empty());
    }

    #[test]
    fn an_authority_of_ones_own_reads_a_secret_that_is_not_ours() {
        let spec = spec(json!({ "name": "internal", "ca": { "secret_name": "root" } }));
        assert!(!spec.has_credentials() && spec.entries().is_empty());
    }
}
