//! A Prometheus alert on a certificate that is not renewed when it should be.

use std::collections::BTreeMap;
use std::time::Duration;

use ffe_cluster::Cluster;
use serde_json::{Value, json};

use crate::error::Error;
use crate::requests::kinds_of;

/// Of the Prometheus operator.
const MONITORING_API: &str = "monitoring.coreos.com/v1";
/// cert-manager's own: when a certificate is to be renewed, in Unix seconds.
const RENEWAL: &str = "certmanager_certificate_renewal_timestamp_seconds";
/// The same for the end of its life.
const EXPIRATION: &str = "certmanager_certificate_expiration_timestamp_seconds";
/// Which part of the time between the two may pass without a renewal: of Let's Encrypt's 90 days three, of six days five
/// hours, of an hour two minutes.
const TENTH: u32 = 10;

/// Whether the API server serves PrometheusRule.
///
/// # Errors
/// Those of requests.
pub async fn alerts_supported(cluster: &Cluster) -> Result<bool, Error> {
    Ok(kinds_of(cluster, MONITORING_API).await?.iter().any(|kind| kind == "PrometheusRule"))
}

/// A PrometheusRule with the alert `CertificateExpiryWarning`: the certificate was not renewed when it should have been. It
/// fires once a tenth of the time between renewal and end is over, which fits certificates of six days as well as those of a
/// year and needs no length to be known; with `before`, not earlier than when so much is left. `labels` are those by which a
/// Prometheus picks its rules.
///
/// Scraped with labels of its own, Prometheus calls the metric's namespace `exported_namespace`; both are asked for. A
/// certificate that was never issued has the renewal time 0.
pub fn renewal_alert(
    namespace: &str,
    name: &str,
    certificate: &str,
    before: Option<Duration>,
    labels: &BTreeMap<String, String>,
) -> Value {
    let time = |metric: &str| {
        let selected = |label: &str| format!("{metric}{{name=\"{certificate}\",{label}=\"{namespace}\"}}");
        format!("max(({} or {}) > 0)", selected("namespace"), selected("exported_namespace"))
    };
    let (renewal, end) = (time(RENEWAL), time(EXPIRATION));
    let mut expression = format!("time() - {renewal} > ({end} - {renewal}) / {TENTH}");
    if let Some(before) = before {
        expression = format!("{expression} and {end} - time() < {}", before.as_secs());
    }
    json!({
        "apiVersion": MONITORING_API,
        "kind": "PrometheusRule",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"groups": [{"name": format!("{name}-certificate"), "rules": [{
            "alert": "CertificateExpiryWarning",
            "expr": expression,
            "labels": {"severity": "warning", "namespace": namespace, "certificate": certificate},
            "annotations": {
                "summary": format!("Certificate {namespace}/{certificate} was not renewed in time"),
                "description": "It should have been renewed {{ $value | humanizeDuration }} ago. See why: kubectl describe \
                                certificate, or the data source ffe_certificate.",
            },
        }]}]},
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_cluster_testing::FakeApi;

    use super::*;

    #[test]
    fn the_alert_goes_by_the_renewal_and_not_by_a_length() {
        let labels = BTreeMap::from([("release".to_owned(), "prometheus".to_owned())]);
        let object = renewal_alert("ffe", "api-tls", "api", None, &labels);
        assert_eq!(object["kind"], "PrometheusRule");
        assert_eq!(object["metadata"]["labels"], json!({"release": "prometheus"}));
        let rule = &object["spec"]["groups"][0]["rules"][0];
        assert_eq!(rule["alert"], "CertificateExpiryWarning");
        let of = |time: &str| {
            let metric = format!("certmanager_certificate_{time}_timestamp_seconds");
            format!(
                "max(({metric}{{name=\"api\",namespace=\"ffe\"}} or {metric}{{name=\"api\",exported_namespace=\"ffe\"}}) > 0)"
            )
        };
        let (renewal, end) = (of("renewal"), of("expiration"));
        let overdue = format!("time() - {renewal} > ({end} - {renewal}) / 10");
        assert_eq!(rule["expr"], overdue);
        assert_eq!(rule["for"], Value::Null, "an hour would outlive a short certificate");
        assert_eq!(rule["labels"], json!({"severity": "warning", "namespace": "ffe", "certificate": "api"}));
        let week = renewal_alert("ffe", "api-tls", "api", Some(Duration::from_secs(168 * 3600)), &labels);
        assert_eq!(week["spec"]["groups"][0]["rules"][0]["expr"], format!("{overdue} and {end} - time() < 604800"));
    }

    #[tokio::test]
    async fn alerts_need_the_operators_kind() {
        let api = FakeApi::new();
        assert!(!alerts_supported(&api.cluster()).await.unwrap());
        api.register(MONITORING_API, "PrometheusRule", "prometheusrules", true);
        assert!(alerts_supported(&api.cluster()).await.unwrap());
    }
}
