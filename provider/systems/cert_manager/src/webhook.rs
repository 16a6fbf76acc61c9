//! cert-manager's webhook, as it shows in the errors of the API server.

use std::time::Duration;

use ffe_cluster::kube::api::DynamicObject;
use ffe_cluster::{ApplyOptions, Cluster, ObjectRef};
use ffe_workloads::WaitOptions;
use serde_json::Value;
use tokio::time::Instant;

use crate::diagnose::{Cause, Diagnosis, Patience};
use crate::error::Error;

/// Between two attempts at an object while the webhook is away.
const PAUSE: Duration = Duration::from_secs(2);

/// What an error says of the webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookTrouble {
    /// The API server could not ask it
    Away {
        /// `connection refused`, `no endpoints available …`, `x509: …`
        why: String,
    },
    /// It was asked, and refuses the object
    Refused {
        /// Its words, which name the field
        message: String,
    },
}

/// Recognises the webhook in an error of a request; None when it is about something else.
pub fn webhook_trouble(error: &ffe_cluster::Error) -> Option<WebhookTrouble> {
    let text = match error {
        ffe_cluster::Error::Request { message, .. } => message.clone(),
        other => other.to_string(),
    };
    if !text.contains("cert-manager") {
        return None;
    }
    if let Some((_, said)) = text.split_once("denied the request:") {
        return Some(WebhookTrouble::Refused { message: said.trim().to_owned() });
    }
    if !text.contains("failed calling webhook") {
        return None;
    }
    let said = text.split_once("failed to call webhook:").map_or(text.as_str(), |(_, said)| said);
    // the address that was asked is of no use to anybody
    let why = said.trim().strip_prefix("Post \"").and_then(|said| said.split_once("\": ")).map_or(said, |(_, why)| why);
    Some(WebhookTrouble::Away { why: why.trim().to_owned() })
}

/// Applies an object of cert-manager's. A webhook that is just starting is waited for, up to a minute
/// and never longer than the options say.
///
/// # Errors
/// [`Error::Refused`] with the webhook's words, [`Error::Failed`] with [`Cause::WebhookAway`],
/// [`Error::NotInstalled`], and those of [`Cluster::apply_value`].
pub async fn apply(
    cluster: &Cluster,
    object: &Value,
    how: ApplyOptions,
    options: &WaitOptions,
) -> Result<DynamicObject, Error> {
    patiently(object, options, || cluster.apply_value(object, how)).await
}

/// The same for an object that was looked at: made where there was none, else applied to the one that has this UID.
///
/// # Errors
/// The same, and those of [`Cluster::put`].
pub async fn put(
    cluster: &Cluster,
    object: &Value,
    uid: Option<&str>,
    options: &WaitOptions,
) -> Result<DynamicObject, Error> {
    patiently(object, options, || cluster.put(object, uid)).await
}

async fn patiently<F>(object: &Value, options: &WaitOptions, write: impl Fn() -> F) -> Result<DynamicObject, Error>
where
    F: Future<Output = ffe_cluster::Result<DynamicObject>>,
{
    let started = Instant::now();
    let patience = Patience::System.lasts().filter(|_| options.fail_fast.enabled).unwrap_or(options.timeout);
    let deadline = started + patience.min(options.timeout);
    loop {
        let error = match write().await {
            Ok(applied) => return Ok(applied),
            Err(error) => error,
        };
        let why = match webhook_trouble(&error) {
            Some(WebhookTrouble::Away { why }) if Instant::now() + PAUSE <= deadline => why,
            _ => return Err(error.into()),
        };
        let named = ObjectRef::from_value(object)?;
        tracing::info!(target: "ffe::wait", "{named}: waiting for cert-manager's webhook: {why} ({} s)", started.elapsed().as_secs());
        tokio::select! {
            () = options.cancel.cancelled() => {
                let what = format!("waiting for cert-manager's webhook to take {named}");
                return Err(Error::Cluster(ffe_cluster::Error::Cancelled { what }));
            }
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

impl Diagnosis {
    pub(crate) fn webhook_away(object: ObjectRef, why: &str) -> Self {
        Self::system(object, Cause::WebhookAway, why)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use ffe_cluster::Cancel;
    use ffe_cluster_testing::FakeApi;
    use serde_json::json;

    use super::*;
    use crate::names::certificate_ref;
    use crate::testing::{api, certificate};

    const AWAY: &str = "Internal error occurred: failed calling webhook \"webhook.cert-manager.io\": failed to call webhook: Post \"https://cert-manager-webhook.cert-manager.svc:443/validate?timeout=30s\": dial tcp 10.43.9.9:443: connect: connection refused";
    const PATH: &str = "/certificates/api";

    fn options() -> WaitOptions {
        WaitOptions::new(Duration::from_secs(600), Cancel::new())
    }

    async fn refused_with(api: &FakeApi, code: u16, reason: &str, message: &str) -> ffe_cluster::Error {
        api.fail("PATCH", PATH, Some(1), code, reason, message);
        api.cluster().apply_value(&certificate(), ApplyOptions::forced()).await.unwrap_err()
    }

    #[tokio::test(start_paused = true)]
    async fn each_way_of_being_away_is_recognised() {
        let api = api();
        let cases = [
            ("dial tcp 10.43.9.9:443: connect: connection refused", AWAY.to_owned()),
            (
                "no endpoints available for service \"cert-manager-webhook\"",
                "Internal error occurred: failed calling webhook \"webhook.cert-manager.io\": failed to call webhook: Post \"https://cert-manager-webhook.cert-manager.svc:443/validate?timeout=30s\": no endpoints available for service \"cert-manager-webhook\"".to_owned(),
            ),
            (
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
                "Internal error occurred: failed calling webhook \"webhook.cert-manager.io\": failed to call webhook: Post \"https://cert-manager-webhook.cert-manager.svc:443/validate?timeout=30s\": tls: failed to verify certificate: x509: certificate signed by unknown authority".to_owned(),
            ),
            (
                "context deadline exceeded",
                "Internal error occurred: failed calling webhook \"webhook.cert-manager.io\": failed to call webhook: Post \"https://cert-manager-webhook.cert-manager.svc:443/validate?timeout=30s\": context deadline exceeded".to_owned(),
            ),
        ];
        for (why, message) in cases {
            let error = refused_with(&api, 500, "InternalError", &message).await;
            assert_eq!(webhook_trouble(&error), Some(WebhookTrouble::Away { why: why.to_owned() }));
        }
    }

    #[tokio::test]
    async fn its_refusal_is_told_from_its_absence() {
        let api = api();
        let message = "admission webhook \"webhook.cert-manager.io\" denied the request: spec.acme.solvers[0].dns01.rfc2136.nameserver: Invalid value: \"x\": must be set";
        let error = refused_with(&api, 403, "Forbidden", message).await;
        let WebhookTrouble::Refused { message } = webhook_trouble(&error).unwrap() else { panic!("{error}") };
        assert!(message.starts_with("spec.acme.solvers[0]"), "{message}");
        let other = refused_with(&api, 403, "Forbidden", "certificates is forbidden: User \"x\" cannot patch").await;
        assert_eq!(webhook_trouble(&other), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_webhook_that_is_starting_is_waited_for() {
        let api = api();
        api.fail("PATCH", PATH, Some(3), 500, "InternalError", AWAY);
        apply(&api.cluster(), &certificate(), ApplyOptions::forced(), &options()).await.unwrap();
        assert!(api.get(&certificate_ref("ffe", "api")).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_stays_away_is_named() {
        let api = api();
        api.fail("PATCH", PATH, None, 500, "InternalError", AWAY);
        let error = apply(&api.cluster(), &certificate(), ApplyOptions::forced(), &options()).await.unwrap_err();
        let diagnosis = error.diagnosis().unwrap();
        assert_eq!(diagnosis.cause, Cause::WebhookAway);
        assert_eq!(
            diagnosis.sentence,
            "cert-manager's webhook does not answer, so the API server takes no change of its objects: dial tcp 10.43.9.9:443: connect: connection refused"
        );
        assert!(diagnosis.remedy.contains("CA injector"), "{}", diagnosis.remedy);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_to_stop_ends_the_waiting() {
        let api = api();
        api.fail("PATCH", PATH, None, 500, "InternalError", AWAY);
        let options = options();
        options.cancel.cancel();
        let error = apply(&api.cluster(), &certificate(), ApplyOptions::forced(), &options).await.unwrap_err();
        assert_eq!(error.cluster().unwrap().kind(), ffe_cluster::Kind::Cancelled);
    }

    #[tokio::test]
    async fn a_refusal_names_the_object() {
        let api = api();
        let message = "admission webhook \"webhook.cert-manager.io\" denied the request: spec.dnsNames: Required value";
        api.fail("PATCH", PATH, None, 403, "Forbidden", message);
        let error = apply(&api.cluster(), &certificate(), ApplyOptions::forced(), &options()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "cert-manager's webhook refuses Certificate ffe/api: spec.dnsNames: Required value"
        );
    }

    #[tokio::test]
    async fn without_cert_manager_the_error_says_so() {
        let object = json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
            "metadata": {"name": "api", "namespace": "default"}});
        let error = apply(&FakeApi::new().cluster(), &object, ApplyOptions::forced(), &options()).await.unwrap_err();
        assert!(matches!(error, Error::NotInstalled { .. }), "{error}");
    }
}
