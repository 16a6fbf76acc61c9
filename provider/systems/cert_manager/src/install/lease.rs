//! Signs of life of a controller that runs outside of what can be seen: the lease that it renews.

use ffe_cluster::k8s_openapi::api::coordination::v1::Lease;
use ffe_cluster::{Cluster, ObjectRef, Query};
use jiff::{SignedDuration, Timestamp};

use super::Part;

/// Name of cert-manager's lease, in `kube-system` unless it was told another namespace.
const LEASE: &str = "cert-manager-controller";
/// A holder that restarts takes its lease again within this.
const GRACE: SignedDuration = SignedDuration::from_secs(30);

/// What the lease says of the controller; without one nothing is known.
pub(super) async fn controller(cluster: &Cluster) -> Part {
    let unseen = || Part::Unseen { why: "no Deployment of cert-manager's controller was found".to_owned() };
    let leases: Vec<Lease> = cluster.list(None, &Query::named(LEASE)).await.unwrap_or_default();
    leases.iter().find_map(|lease| judge(lease, Timestamp::now())).unwrap_or_else(unseen)
}

fn judge(lease: &Lease, now: Timestamp) -> Option<Part> {
    let spec = lease.spec.as_ref()?;
    let renewed = spec.renew_time.as_ref()?.0;
    let lasts = SignedDuration::from_secs(i64::from(spec.lease_duration_seconds.unwrap_or(60)));
    let what = format!("the controller behind {}", ObjectRef::to(lease));
    if now.duration_since(renewed) > lasts + GRACE {
        let why = format!("it has not renewed its lease since {}", renewed.strftime("%Y-%m-%d %H:%M:%S UTC"));
        return Some(Part::Unavailable { what, why });
    }
    Some(Part::Available { what })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn lease() -> Lease {
        serde_json::from_value(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": LEASE, "namespace": "kube-system"},
            "spec": {"leaseDurationSeconds": 60, "renewTime": "2026-11-21T08:00:00.000000Z"}}))
        .unwrap()
    }

    #[test]
    fn a_lease_that_is_renewed_is_a_sign_of_life() {
        let part = judge(&lease(), "2026-11-21T08:01:20Z".parse().unwrap()).unwrap();
        assert!(matches!(part, Part::Available { .. }), "{part:?}");
    }

    #[test]
    fn one_that_ran_out_is_none() {
        let part = judge(&lease(), "2026-11-21T08:02:00Z".parse().unwrap()).unwrap();
        let (what, why) = part.trouble().unwrap();
        assert_eq!(what, "the controller behind Lease kube-system/cert-manager-controller");
        assert_eq!(why, "it has not renewed its lease since 2026-11-21 08:00:00 UTC");
    }
}
