//! Certificates that cert-manager makes by itself for an Ingress, because of annotations: while one of them is there,
//! cert-manager undoes what others change of the Certificate, and makes another one for each Secret that the Ingress names.

use std::collections::BTreeMap;

use crate::names::{IssuerKind, IssuerRef};

const ISSUER: &str = "cert-manager.io/issuer";
const CLUSTER_ISSUER: &str = "cert-manager.io/cluster-issuer";
const ISSUER_KIND: &str = "cert-manager.io/issuer-kind";
const ISSUER_GROUP: &str = "cert-manager.io/issuer-group";
/// Asks the issuer that cert-manager was told at its start.
const TLS_ACME: &str = "kubernetes.io/tls-acme";

/// The annotations of an Ingress that make cert-manager act, with their values. The others only say how.
pub fn triggers(annotations: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let acts = |key: &str, value: &str| match key {
        ISSUER | CLUSTER_ISSUER => true,
        TLS_ACME => value == "true",
        _ => false,
    };
    annotations
        .iter()
        .filter(|(key, value)| acts(key, value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The issuer that such annotations name; none where they leave it to cert-manager.
pub fn asked(annotations: &BTreeMap<String, String>) -> Option<IssuerRef> {
    if let Some(name) = annotations.get(CLUSTER_ISSUER) {
        return Some(IssuerRef::cluster_issuer(name));
    }
    let name = annotations.get(ISSUER)?;
    let kind = annotations.get(ISSUER_KIND).map_or(IssuerKind::Issuer.as_str(), String::as_str);
    let kind = IssuerKind::of(annotations.get(ISSUER_GROUP).map(String::as_str), kind).ok()?;
    Some(IssuerRef { name: name.clone(), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_makes_cert_manager_act_is_told_from_what_says_how() {
        for (given, acting, asks) in [
            (&[("cert-manager.io/issuer", "web")][..], 1, Some(IssuerRef::issuer("web"))),
            (&[("cert-manager.io/cluster-issuer", "le")], 1, Some(IssuerRef::cluster_issuer("le"))),
            (
                &[("cert-manager.io/issuer", "le"), ("cert-manager.io/issuer-kind", "ClusterIssuer")],
                1,
                Some(IssuerRef::cluster_issuer("le")),
            ),
            (
                &[
                    ("cert-manager.io/issuer", "aws"),
                    ("cert-manager.io/issuer-kind", "AWSPCAIssuer"),
                    ("cert-manager.io/issuer-group", "awspca.cert-manager.io"),
                ],
                1,
                Some(IssuerRef {
                    name: "aws".to_owned(),
                    kind: IssuerKind::External {
                        group: "awspca.cert-manager.io".to_owned(),
                        kind: "AWSPCAIssuer".to_owned(),
                    },
                }),
            ),
            (&[("cert-manager.io/issuer", "odd"), ("cert-manager.io/issuer-kind", "Odd")], 1, None),
            (&[("kubernetes.io/tls-acme", "true")], 1, None),
            (&[("kubernetes.io/tls-acme", "false")], 0, None),
            (&[("cert-manager.io/duration", "24h"), ("cert-manager.io/common-name", "a.example")], 0, None),
        ] {
            let given = annotations(given);
            assert_eq!((triggers(&given).len(), asked(&given)), (acting, asks), "{given:?}");
        }
    }
}
