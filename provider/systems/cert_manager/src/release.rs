//! Challenges that cannot be deleted: before a Challenge goes, cert-manager takes its DNS record away,
//! and for as long as it cannot (a refused token, a Secret that is gone, a provider that is away) the
//! Challenge stays, and with it its namespace.

use std::time::Duration;

use ffe_cluster::{Cluster, Kind, ObjectRef, Query};
use ffe_workloads::WaitOptions;
use serde_json::json;
use tokio::time::Instant;

use crate::error::Error;
use crate::issuances::CERTIFICATE;
use crate::model::{ChallengeItem, Item, OrderItem};
use crate::names::{ACME_API, IssuerRef, owned_by};

/// What cert-manager holds a Challenge by; the second one is of older versions.
const FINALIZERS: [&str; 2] = ["acme.cert-manager.io/finalizer", "finalizer.acme.cert-manager.io"];
/// A Challenge that can be cleaned up is gone within this.
const GRACE: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// A Challenge that was let go without having been cleaned up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// Its name
    pub challenge: String,
    /// The name that it was for
    pub host: String,
    /// Its TXT record had been made, and may still be there: `_acme-challenge.<host>`
    pub left_behind: bool,
    /// Why it could not be cleaned up, as cert-manager said it
    pub reason: String,
}

/// After a Certificate was deleted: waits until its Challenges are gone, and lets those go that cannot be
/// cleaned up, so that nothing keeps the namespace. Also finds those that an earlier run left, by issuer
/// and names. Before the issuer and its Secrets are deleted, because cleaning up takes them.
///
/// # Errors
/// A request to stop, and those of requests. Without the right to list Challenges nothing is let go.
pub async fn release_challenges(
    cluster: &Cluster,
    namespace: &str,
    certificate: &str,
    issuer: &IssuerRef,
    dns_names: &[String],
    options: &WaitOptions,
) -> Result<Vec<Released>, Error> {
    let deadline = Instant::now() + GRACE.min(options.timeout);
    let mut released = Vec::new();
    let mut told = None;
    loop {
        let left = leaving(cluster, namespace, certificate, issuer, dns_names).await?;
        if left.is_empty() {
            return Ok(released);
        }
        let late = Instant::now() >= deadline;
        let (going, staying): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|challenge| challenge.meta.deletion_timestamp.is_some());
        if late {
            for challenge in &going {
                released.extend(let_go(cluster, namespace, challenge).await?);
            }
            // what nobody deletes is not ours to delete
            if going.is_empty() {
                return Ok(released);
            }
        }
        let names: Vec<&str> = going.iter().chain(&staying).map(Item::name).collect();
        let names = names.join(", ");
        if told.as_ref() != Some(&names) {
            tracing::info!(target: "ffe::wait", "challenges of certificate {namespace}/{certificate} to be cleaned up: {names}");
            told = Some(names);
        }
        tokio::select! {
            () = options.cancel.cancelled() => {
                let what = format!("waiting for the challenges of certificate {namespace}/{certificate} to be cleaned up");
                return Err(ffe_cluster::Error::Cancelled { what }.into());
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Those that are being deleted and are for these names, and those of the Certificate's Orders.
async fn leaving(
    cluster: &Cluster,
    namespace: &str,
    certificate: &str,
    issuer: &IssuerRef,
    dns_names: &[String],
) -> Result<Vec<ChallengeItem>, Error> {
    let list = |kind| async move {
        match cluster.list_ref(ACME_API, kind, Some(namespace), &Query::default()).await {
            Ok(found) => Ok(found),
            // without cert-manager there is nothing left of it
            Err(error) if matches!(error.kind(), Kind::NotServed | Kind::Forbidden) => Ok(Vec::new()),
            Err(error) => Err(Error::from(error)),
        }
    };
    let challenges = list("Challenge").await?;
    if challenges.is_empty() {
        return Ok(Vec::new());
    }
    let orders: Vec<OrderItem> = list("Order").await?.into_iter().map(|found| Item::read("Order", found)).collect();
    let ours = |challenge: &ChallengeItem| {
        orders.iter().filter(|order| owned_by(&challenge.meta, order.uid())).any(|order| {
            let annotations = order.meta.annotations.as_ref();
            annotations.and_then(|all| all.get(CERTIFICATE)).is_some_and(|name| name == certificate)
        })
    };
    let fits = |challenge: &ChallengeItem| {
        challenge.spec.issuer_ref.issuer().as_ref() == Some(issuer)
            && dns_names.iter().any(|name| name.trim_start_matches("*.") == challenge.spec.dns_name)
    };
    Ok(challenges
        .into_iter()
        .map(|found| ChallengeItem::read("Challenge", found))
        .filter(|challenge| match challenge.meta.deletion_timestamp {
            None => ours(challenge),
            Some(_) => is_held(challenge) && (ours(challenge) || fits(challenge)),
        })
        .collect())
}

/// It waits for cert-manager, not for somebody else.
fn is_held(challenge: &ChallengeItem) -> bool {
    challenge.meta.finalizers.iter().flatten().any(|name| FINALIZERS.contains(&name.as_str()))
}

/// None when it went by itself meanwhile.
async fn let_go(cluster: &Cluster, namespace: &str, challenge: &ChallengeItem) -> Result<Option<Released>, Error> {
    let held = challenge.meta.finalizers.clone().unwrap_or_default();
    let others: Vec<&String> = held.iter().filter(|name| !FINALIZERS.contains(&name.as_str())).collect();
    let object = ObjectRef::new(ACME_API, "Challenge", Some(namespace), challenge.name());
    let patch = json!({"metadata": {"resourceVersion": challenge.meta.resource_version, "finalizers": others}});
    match cluster.merge_ref(&object, &patch).await {
        Ok(_) => Ok(Some(Released {
            challenge: challenge.name().to_owned(),
            host: challenge.spec.dns_name.clone(),
            left_behind: challenge.status.presented,
            reason: crate::diagnose::tidy(&challenge.status.reason),
        })),
        Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Conflict) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_cluster::{Cancel, DeleteOptions};
    use ffe_cluster_testing::FakeApi;
    use serde_json::Value;

    use super::*;
    use crate::diagnose::chain;
    use crate::testing::api;

    const REASON: &str = "Error cleaning up challenge: DNS update failed: dns: bad authentication";

    fn options() -> WaitOptions {
        WaitOptions::new(Duration::from_secs(600), Cancel::new())
    }

    fn challenge() -> ObjectRef {
        ObjectRef::new(ACME_API, "Challenge", Some("ffe"), "api-1-77-99")
    }

    /// A chain whose Challenge cert-manager holds, with everything above it deleted.
    async fn held(others: &[&str]) -> FakeApi {
        let api = api();
        let mut objects = chain("DNS-01", REASON);
        let mut last = objects.pop().unwrap();
        last["metadata"]["finalizers"] = json!([&[FINALIZERS[0]], others].concat());
        last["spec"]["issuerRef"] = json!({"name": "acme", "kind": "Issuer", "group": "cert-manager.io"});
        last["status"]["presented"] = Value::from(true);
        api.put(last);
        api.cluster().delete(&challenge(), &DeleteOptions::default()).await.unwrap();
        assert!(api.get(&challenge()).is_some());
        api
    }

    async fn release(api: &FakeApi, host: &str) -> Vec<Released> {
        let hosts = [host.to_owned()];
        release_challenges(&api.cluster(), "ffe", "api", &IssuerRef::issuer("acme"), &hosts, &options()).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_challenge_that_cannot_be_cleaned_up_is_let_go() {
        let api = held(&[]).await;
        let released = release(&api, "*.api.test").await;
        assert_eq!(
            released,
            [Released {
                challenge: "api-1-77-99".to_owned(),
                host: "api.test".to_owned(),
                left_behind: true,
                reason: REASON.to_owned()
            }]
        );
        assert!(api.get(&challenge()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_goes_by_itself_is_only_waited_for() {
        let api = held(&[]).await;
        let later = api.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            later.remove(&challenge());
        });
        assert_eq!(release(&api, "api.test").await, []);
        assert_eq!(api.count("PATCH", "/challenges/api-1-77-99"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn those_of_others_are_left_alone() {
        let api = held(&[]).await;
        assert_eq!(release(&api, "www.test").await, []);
        assert!(api.get(&challenge()).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn finalizers_of_others_stay() {
        let api = held(&["example.com/mine"]).await;
        let released = release(&api, "api.test").await;
        assert_eq!(released.len(), 1);
        assert_eq!(api.get(&challenge()).unwrap()["metadata"]["finalizers"], json!(["example.com/mine"]));
    }

    #[tokio::test(start_paused = true)]
    async fn without_any_there_is_nothing_to_wait_for() {
        assert_eq!(release(&api(), "api.test").await, []);
        assert_eq!(release(&FakeApi::new(), "api.test").await, []);
    }
}
