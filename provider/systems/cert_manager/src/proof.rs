//! How an issuer has hosts shown to be their owner's.

use ffe_cluster::Cluster;
use serde_json::Value;

use crate::names::IssuerRef;

/// Whether an issuer has hosts asked by HTTP (HTTP-01), so that they must lead to the cluster before it issues. None where
/// that cannot be known: the issuer is not there yet, or may not be looked at.
pub async fn asks_hosts(cluster: &Cluster, issuer: &IssuerRef, namespace: &str) -> Option<bool> {
    if issuer.kind.is_external() {
        return None;
    }
    match cluster.find_ref(&issuer.object(namespace)).await {
        Ok(found) => found.map(|found| solves_by_http(&found.data["spec"])),
        Err(error) => {
            tracing::info!(%error, %issuer, "how it has hosts shown is not known");
            None
        }
    }
}

fn solves_by_http(spec: &Value) -> bool {
    let solvers = spec["acme"]["solvers"].as_array().into_iter().flatten();
    solvers.into_iter().any(|solver| solver["http01"].is_object())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_solver_by_http_is_enough() {
        for (spec, asks) in [
            (json!({"acme": {"solvers": [{"http01": {"ingress": {}}}]}}), true),
            (json!({"acme": {"solvers": [{"dns01": {}, "selector": {}}, {"http01": {}}]}}), true),
            (json!({"acme": {"solvers": [{"dns01": {"rfc2136": {}}}]}}), false),
            (json!({"selfSigned": {}}), false),
            (json!({"ca": {"secretName": "root"}}), false),
        ] {
            assert_eq!(solves_by_http(&spec), asks, "{spec}");
        }
    }
}
