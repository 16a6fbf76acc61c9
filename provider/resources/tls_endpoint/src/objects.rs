//! The objects of an endpoint as they should be: pure functions of its specification, of what the cluster has for
//! its route, and of where its issuer reads Secrets.

use std::collections::{BTreeMap, BTreeSet};

use ffe_cert_manager::{IssuerKind, IssuerSpec, SecretKey};
use ffe_cluster::{Error, ObjectRef, Originals, Result};
use ffe_routing::Resolved;
use ffe_session::issuers::credentials::{Credential, secret};
use serde_json::{Value as Json, json};

use crate::desired::{DESCRIPTIVE, Desired, Part};
use crate::names::Names;
use crate::spec::{CLOUDFLARE, OwnIssuer, Spec};

/// Key of the record: the inputs as written, which an import knows the endpoint from. No annotation, because certificates
/// of authorities may be among them, and annotations have room for less.
pub(crate) const INPUTS: &str = "inputs";
/// Key of the record: who keeps them, where that is not Cloudflare.
const PROVIDER: &str = "dns-provider";
/// Key of the record: the [`Records`].
const RECORDS: &str = "dns-records";
/// Key of the record: the Gateways that have, or may have, listeners of the endpoint.
const GATEWAYS: &str = "gateways";
/// Key of the record: what was taken off an Ingress that had been there before.
const TAKEN_OFF: &str = "taken-off";
/// Key of the record: names under which the endpoint may be too.
const ALSO_NAMED: &str = "also-named";
/// The longest common name of a certificate (RFC 5280, ub-common-name).
const LONGEST_COMMON_NAME: usize = 64;

/// The DNS records that an apply has made, or was about to make: the host, and the zone that was configured for it. A host
/// whose zone changes has two of them until the former one is removed.
pub(crate) type Records = BTreeSet<(String, Option<String>)>;

/// What the record remembers beside the inputs: what lies elsewhere, or cannot be seen any more. It is written before
/// anything is done, so that a run that dies leaves nothing that nobody knows of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// What there is, or may be, at a provider of DNS.
    pub(crate) records: Records,
    /// Who keeps them; none: Cloudflare.
    pub(crate) provider: Option<String>,
    /// Gateways that have, or may have, listeners of the endpoint: namespace and name.
    pub(crate) gateways: BTreeSet<(String, String)>,
    /// What was taken off an Ingress that had been there before, for the day on which it is given back.
    pub(crate) taken_off: TakenOff,
    /// Names in the same namespace under which the endpoint is, or may be, too: that of before while it is renamed, and that of
    /// afterwards.
    pub(crate) also_named: BTreeSet<String>,
}

impl Memory {
    /// Who keeps the records.
    pub(crate) fn provider(&self) -> &str {
        self.provider.as_deref().unwrap_or(CLOUDFLARE)
    }
}

/// What was taken off an Ingress of somebody else's.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct TakenOff {
    /// The annotations by which cert-manager makes a Certificate for it.
    pub(crate) annotations: BTreeMap<String, String>,
    /// The Secret that it named.
    pub(crate) secret_name: Option<String>,
}

/// What the objects depend on beside the specification.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// What the cluster has for the route.
    pub(crate) resolved: Resolved,
    /// Where the issuer reads Secrets; `None` where nobody knows.
    pub(crate) secrets: Option<String>,
}

/// Every object but the record and the alert, in the order in which they are made. The Secret is without its content,
/// which the specification does not have.
///
/// # Errors
/// When one of them is malformed.
pub(crate) fn all(spec: &Spec, around: &Surroundings) -> Result<Vec<Desired>> {
    let mut objects = routes(spec, around)?;
    objects.extend(credentials(spec, around, None)?);
    objects.extend(issuer(spec, around)?);
    objects.push(certificate(spec)?);
    Ok(objects)
}

/// The ingresses or routes and what belongs to them.
///
/// # Errors
/// When one of them is malformed.
pub(crate) fn routes(spec: &Spec, around: &Surroundings) -> Result<Vec<Desired>> {
    as_routes(spec, ffe_routing::objects(&spec.route, &around.resolved))
}

/// Objects of a route as parts of the endpoint.
///
/// # Errors
/// When one of them is malformed.
pub(crate) fn as_routes(spec: &Spec, objects: Vec<Json>) -> Result<Vec<Desired>> {
    objects.into_iter().map(|object| Desired::new(Part::Route, labelled(spec, object))).collect()
}

/// What stands for the endpoint: made first, removed last.
///
/// # Errors
/// Never, as names are checked.
pub(crate) fn record(names: &Names, inputs: Option<&str>, memory: &Memory) -> Result<Desired> {
    let mut object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": names.record(), "namespace": names.namespace, "labels": labels(names, "endpoint") },
    });
    if let Some(inputs) = inputs {
        object["data"][INPUTS] = Json::from(inputs);
    }
    if !memory.records.is_empty() {
        object["data"][RECORDS] = Json::from(json!(memory.records).to_string());
        if memory.provider() != CLOUDFLARE {
            object["data"][PROVIDER] = Json::from(json!(memory.provider()).to_string());
        }
    }
    if !memory.gateways.is_empty() {
        object["data"][GATEWAYS] = Json::from(json!(memory.gateways).to_string());
    }
    if memory.taken_off != TakenOff::default() {
        object["data"][TAKEN_OFF] = Json::from(json!(memory.taken_off).to_string());
    }
    if !memory.also_named.is_empty() {
        object["data"][ALSO_NAMED] = Json::from(json!(memory.also_named).to_string());
    }
    Desired::new(Part::Record, object)
}

/// The Secret that an owned issuer reads; `None` where it needs none.
///
/// # Errors
/// Never, as names are checked.
pub(crate) fn credentials(spec: &Spec, around: &Surroundings, content: Option<&Credential>) -> Result<Option<Desired>> {
    let (Some(namespace), Some(key)) = (around.secrets.as_deref(), credentials_key(spec)) else { return Ok(None) };
    let mut object = match content {
        Some(content) => secret(&key.name, namespace, std::slice::from_ref(content)),
        None => json!({ "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": { "name": key.name, "namespace": namespace } }),
    };
    object["metadata"]["labels"] = labels(&spec.names, "issuer");
    Desired::new(Part::Credentials, object).map(Some)
}

/// Whether an owned issuer reads a Secret of ours.
pub(crate) fn has_credentials(spec: &Spec) -> bool {
    spec.own_issuer.as_ref().is_some_and(OwnIssuer::has_credentials)
}

/// That Secret and its entry.
pub(crate) fn credentials_key(spec: &Spec) -> Option<SecretKey> {
    spec.own_issuer.as_ref().and_then(OwnIssuer::credentials)
}

/// The issuer of the endpoint's own.
///
/// # Errors
/// Never, as names are checked.
pub(crate) fn issuer(spec: &Spec, around: &Surroundings) -> Result<Option<Desired>> {
    let Some(own) = &spec.own_issuer else { return Ok(None) };
    let mut object = ffe_cert_manager::issuer_object(&spec.issuer, &spec.names.namespace, &own.what);
    if own.by_its_route {
        object["spec"]["acme"]["solvers"][0]["http01"] = ffe_routing::http01(&around.resolved).to_value();
    }
    Desired::new(Part::Issuer, labelled(spec, object)).map(Some)
}

/// The Certificate. It has the name of its Secret: so is the one called that cert-manager makes by an ingress's
/// annotations, and there are never two for one Secret.
///
/// # Errors
/// Never, as names are checked.
pub(crate) fn certificate(spec: &Spec) -> Result<Desired> {
    let mut object =
        ffe_cert_manager::certificate_object(&spec.names.namespace, &spec.certificate.secret_name, &spec.certificate);
    if spec.own_issuer.as_ref().is_some_and(|own| own.what == IssuerSpec::SelfSigned)
        && let Some(name) = spec.hosts.iter().find(|host| host.len() <= LONGEST_COMMON_NAME)
    {
        // It is its own issuer, and an issuer without a name is refused by clients (RFC 5280 4.1.2.4).
        object["spec"]["commonName"] = Json::from(name.clone());
    }
    Desired::new(Part::Certificate, labelled(spec, object))
}

/// The alert; `None` where there is to be none.
///
/// # Errors
/// Never, as names are checked.
pub(crate) fn alert(spec: &Spec) -> Result<Option<Desired>> {
    let Some(alert) = &spec.alert else { return Ok(None) };
    let (names, secret) = (&spec.names, &spec.certificate.secret_name);
    let object = ffe_cert_manager::renewal_alert(&names.namespace, &names.alert(), secret, alert.before, &alert.labels);
    Desired::new(Part::Alert, labelled(spec, object)).map(Some)
}

fn labels(names: &Names, component: &str) -> Json {
    let [whole, part] = DESCRIPTIVE;
    json!({ whole: names.name, part: component })
}

fn labelled(spec: &Spec, mut object: Json) -> Json {
    let component = object["kind"].as_str().unwrap_or_default().to_lowercase();
    let Json::Object(own) = labels(&spec.names, &component) else { return object };
    let metadata = &mut object["metadata"];
    if !metadata["labels"].is_object() {
        metadata["labels"] = json!({});
    }
    for (key, value) in own {
        // What the configuration says wins.
        if metadata["labels"][&key].is_null() {
            metadata["labels"][key] = value;
        }
    }
    object
}

/// Whether the issuer's Secrets are in the endpoint's own namespace.
pub(crate) fn reads_here(spec: &Spec) -> bool {
    spec.issuer.kind == IssuerKind::Issuer
}

/// Where it is kept what objects were before the endpoint took them over.
pub(crate) fn originals(names: &Names) -> Originals {
    Originals::new(&names.namespace, &names.owner())
}

/// What the endpoint's record remembers.
///
/// # Errors
/// When an entry is there and cannot be read: what it names is not known then, which is not nothing.
pub(crate) fn recorded(record: Option<&Json>) -> Result<Memory> {
    let Some(record) = record else { return Ok(Memory::default()) };
    Ok(Memory {
        records: entry(record, RECORDS)?,
        provider: entry(record, PROVIDER)?,
        gateways: entry(record, GATEWAYS)?,
        taken_off: entry(record, TAKEN_OFF)?,
        also_named: entry(record, ALSO_NAMED)?,
    })
}

fn entry<T: serde::de::DeserializeOwned + Default>(record: &Json, key: &str) -> Result<T> {
    let Some(text) = record["data"][key].as_str() else { return Ok(T::default()) };
    serde_json::from_str(text).map_err(|error| Error::Malformed {
        what: ObjectRef::from_value(record).map_or_else(|_| "record".to_owned(), |record| record.to_string()),
        message: format!(
            "its entry {key:?} is not what an endpoint writes (line {}, column {}). It says what the endpoint has elsewhere, \
             and without it that would be left behind. Put the entry back as it was; or remove it, and see to what it named \
             yourself",
            error.line(),
            error.column()
        ),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_routing::{Dialect, Served};

    use super::*;
    use crate::spec::API_TOKEN;
    use crate::testing::{minimal, settled};

    fn around() -> Surroundings {
        let served = Served { class: "traefik".to_owned(), controller: None, dialect: Dialect::Traefik };
        Surroundings { resolved: Resolved::Ingress(served), secrets: Some("ffe".to_owned()) }
    }

    fn spec(more: Json) -> Spec {
        Spec::of(&settled(minimal(more))).unwrap()
    }

    fn acme(solver: Json) -> Spec {
        spec(json!({ "issuer": { "acme": {
            "server": "letsencrypt-staging", "email": "ops@example.com", "profile": "shortlived", "solver": solver,
        } } }))
    }

    fn issuer_spec(spec: &Spec) -> Json {
        issuer(spec, &around()).unwrap().unwrap().object["spec"].clone()
    }

    #[test]
    fn an_issuer_that_is_referred_to_is_not_made() {
        let all = all(&spec(json!({})), &around()).unwrap();
        assert!(all.iter().all(|one| !matches!(one.part, Part::Issuer | Part::Credentials)));
        assert_eq!(all.last().unwrap().reference.to_string(), "Certificate ffe/api-tls");
        assert_eq!(all[0].reference.namespace.as_deref(), Some("ffe"));
    }

    #[test]
    fn an_acme_issuer_solves_by_what_serves_the_endpoint_or_by_what_it_is_told() {
        let own = issuer_spec(&acme(json!({ "http01": {} })));
        assert_eq!(own["acme"]["solvers"][0]["http01"]["ingress"]["ingressClassName"], "traefik");
        assert_eq!(own["acme"]["profile"], "shortlived");
        assert_eq!(own["acme"]["privateKeySecretRef"]["name"], "api-account");
        let told = issuer_spec(&acme(json!({ "http01": { "ingress_class": "other" } })));
        assert_eq!(told["acme"]["solvers"][0]["http01"]["ingress"]["ingressClassName"], "other");
        let signed = json!({ "nameserver": "10.0.0.53:53", "tsig_key_name": "k.", "tsig_secret_wo": "cw==" });
        let signed = issuer_spec(&acme(json!({ "dns01_rfc2136": signed })));
        let solver = &signed["acme"]["solvers"][0]["dns01"]["rfc2136"];
        assert_eq!(solver["tsigSecretSecretRef"], json!({ "name": "api-credentials", "key": "tsig-secret" }));
        assert_eq!(solver["tsigAlgorithm"], "HMACSHA256");
    }

    #[test]
    fn the_secret_is_where_the_issuer_reads_it_and_has_content_only_when_given() {
        let cloudflare = acme(json!({ "dns01_cloudflare": { "api_token_wo": "x" } }));
        let secret = credentials(&cloudflare, &around(), None).unwrap().unwrap();
        assert_eq!(secret.reference.to_string(), "Secret ffe/api-credentials");
        assert!(secret.object.get("data").is_none());
        let token = Credential {
            entry: API_TOKEN.to_owned(),
            path: tfplugin::Path::root(),
            value: "t0ken".into(),
            version: tfplugin::Attr::Null,
            is_at_cloudflare: true,
        };
        let filled = credentials(&cloudflare, &around(), Some(&token)).unwrap().unwrap();
        assert_eq!(filled.object["data"], json!({ "api-token": "dDBrZW4=" }));
        assert!(credentials(&acme(json!({ "http01": {} })), &around(), None).unwrap().is_none());
        let nowhere = Surroundings { secrets: None, ..around() };
        assert!(credentials(&cloudflare, &nowhere, None).unwrap().is_none());
    }

    #[test]
    fn what_signs_itself_has_a_name_to_be_found_by() {
        let name = |more: Json| certificate(&spec(more)).unwrap().object["spec"]["commonName"].clone();
        let long = format!("{}.example.com", "a".repeat(60));
        let own = json!({ "issuer": { "self_signed": {} }, "hosts": [long, "api.example.com"] });
        assert_eq!(name(own), "api.example.com");
        assert_eq!(name(json!({})), Json::Null);
    }

    #[test]
    fn the_record_remembers_what_was_written() {
        let names = Names::new("ffe", "api");
        let records = Records::from([
            ("a.example.com".to_owned(), None),
            ("b.example.com".to_owned(), Some("example.com".to_owned())),
            ("b.example.com".to_owned(), Some("b.example.com".to_owned())),
        ]);
        let annotations = BTreeMap::from([("cert-manager.io/issuer".to_owned(), "theirs".to_owned())]);
        let memory = Memory {
            records,
            provider: Some("rfc2136".to_owned()),
            gateways: BTreeSet::from([("web".to_owned(), "shared".to_owned())]),
            taken_off: TakenOff { annotations, secret_name: Some("old-tls".to_owned()) },
            also_named: BTreeSet::from(["web".to_owned()]),
        };
        let made = record(&names, Some("{}"), &memory).unwrap();
        assert_eq!(recorded(Some(&made.object)).unwrap(), memory);
        assert_eq!(made.object["data"][INPUTS], "{}");
        let bare = record(&names, None, &Memory::default()).unwrap();
        assert_eq!(recorded(Some(&bare.object)).unwrap(), Memory::default());
        assert_eq!(recorded(None).unwrap(), Memory::default());
        assert!(bare.object.get("data").is_none());
    }

    #[test]
    fn a_record_that_cannot_be_read_is_not_an_empty_one() {
        let names = Names::new("ffe", "api");
        for key in [RECORDS, GATEWAYS, TAKEN_OFF, ALSO_NAMED] {
            for text in ["", "{", "[1]", "\"a\"", "null"] {
                let mut made = record(&names, Some("{}"), &Memory::default()).unwrap().object;
                made["data"][key] = Json::from(text);
                let error = recorded(Some(&made)).unwrap_err().to_string();
                assert!(error.contains(&format!("{key:?}")) && error.contains("ConfigMap ffe/"), "{error}");
            }
        }
    }
}
