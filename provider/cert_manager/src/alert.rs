//! A Prometheus alert before a certificate ends.

use std::collections::BTreeMap;
use std::time::Duration;

use ffe_cluster::Cluster;
use serde_json::{Value, json};

use crate::error::Error;
use crate::requests::kinds_of;

/// Of the Prometheus operator.
const MONITORING_API: &str = "monitoring.coreos.com/v1";
/// cert-manager's own: the end of a certificate's life in Unix seconds.
const METRIC: &str = "certmanager_certificate_expiration_timestamp_seconds";

/// Whether the API server serves PrometheusRule.
///
/// # Errors
/// Those of requests.
pub async fn alerts_supported(cluster: &Cluster) -> Result<bool, Error> {
    Ok(kinds_of(cluster, MONITORING_API).await?.iter().any(|kind| kind == "PrometheusRule"))
}

/// A PrometheusRule with the alert `CertificateExpiryWarning`: less than `before` is left of the
/// certificate's life, for an hour. `labels` are those by which a Prometheus picks its rules.
///
/// Scraped with labels of its own, Prometheus calls the metric's namespace `exported_namespace`; both
/// are asked for.
pub fn expiry_alert(
    namespace: &str,
    name: &str,
    certificate: &str,
    before: Duration,
    labels: &BTreeMap<String, String>,
) -> Value {
    let selected = |label: &str| format!("{METRIC}{{name=\"{certificate}\",{label}=\"{namespace}\"}}");
    let expression =
        format!("({} or {}) - time() < {}", selected("namespace"), selected("exported_namespace"), before.as_secs());
    json!({
        "apiVersion": MONITORING_API,
        "kind": "PrometheusRule",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"groups": [{"name": format!("{name}-certificate"), "rules": [{
            "alert": "CertificateExpiryWarning",
            "expr": expression,
            "for": "1h",
            "labels": {"severity": "warning"},
            "annotations": {
                "summary": format!("Certificate {namespace}/{certificate} ends soon"),
                "description": "It ends in {{ $value | humanizeDuration }} and has not been renewed.",
            },
        }]}]},
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_cluster::testing::FakeApi;

    use super::*;

    #[test]
    fn the_alert_fires_a_week_before_the_end() {
        let labels = BTreeMap::from([("release".to_owned(), "prometheus".to_owned())]);
        let object = expiry_alert("ffe", "api-tls", "api", Duration::from_secs(168 * 3600), &labels);
        assert_eq!(object["kind"], "PrometheusRule");
        assert_eq!(object["metadata"]["labels"], json!({"release": "prometheus"}));
        let rule = &object["spec"]["groups"][0]["rules"][0];
        assert_eq!(rule["alert"], "CertificateExpiryWarning");
        assert_eq!(
            rule["expr"],
            "(certmanager_certificate_expiration_timestamp_seconds{name=\"api\",namespace=\"ffe\"} or \
             certmanager_certificate_expiration_timestamp_seconds{name=\"api\",exported_namespace=\"ffe\"}) - time() < 604800"
        );
        assert_eq!(rule["for"], "1h");
        assert_eq!(rule["labels"]["severity"], "warning");
    }

    #[tokio::test]
    async fn alerts_need_the_operators_kind() {
        let api = FakeApi::new();
        assert!(!alerts_supported(&api.cluster()).await.unwrap());
        api.register(MONITORING_API, "PrometheusRule", "prometheusrules", true);
        assert!(alerts_supported(&api.cluster()).await.unwrap());
    }
}
