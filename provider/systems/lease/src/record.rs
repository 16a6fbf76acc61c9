//! The Lease object: what is read from it and what is written into it.

use std::collections::BTreeMap;
use std::time::Duration;

use ffe_cluster::ObjectRef;
use ffe_cluster::mark::{MANAGED_BY, MANAGER};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};

use super::Holder;

const HOST: &str = "ffe.three-rivers.tech/lease-host";
const PROCESS: &str = "ffe.three-rivers.tech/lease-process";
const WHAT: &str = "ffe.three-rivers.tech/lease-for";

/// Who holds it; None when it was released.
pub(super) fn holder(lease: &Lease) -> Option<Holder> {
    let spec = lease.spec.as_ref()?;
    let identity = spec.holder_identity.clone().filter(|identity| !identity.is_empty())?;
    let note = |key: &str| lease.metadata.annotations.as_ref().and_then(|notes| notes.get(key)).cloned();
    let since = spec.acquire_time.as_ref().or(spec.renew_time.as_ref());
    Some(Holder {
        identity,
        host: note(HOST).unwrap_or_default(),
        process: note(PROCESS).and_then(|process| process.parse().ok()).unwrap_or_default(),
        since: since.map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        what: note(WHAT).unwrap_or_default(),
    })
}

/// How long it lasts without a renewal.
pub(super) fn duration(lease: &Lease) -> Option<Duration> {
    let seconds = lease.spec.as_ref()?.lease_duration_seconds?;
    u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// How often it has changed hands.
pub(super) fn transitions(lease: &Lease) -> i64 {
    lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default().into()
}

/// The object with `me` as its holder: a new one, or the one that was found with all that others
/// wrote on it, and its version for the compare-and-swap.
pub(super) fn taken(found: Option<&Lease>, object: &ObjectRef, me: &Holder, duration: Duration) -> Lease {
    let mut lease = found.cloned().unwrap_or_else(|| Lease {
        metadata: ObjectMeta {
            name: Some(object.name.clone()),
            namespace: object.namespace.clone(),
            ..ObjectMeta::default()
        },
        spec: None,
    });
    let before = lease.spec.take();
    let transitions = before.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default();
    // after an answer that was lost it is ours already
    let ours = found.and_then(holder).is_some_and(|holder| holder.is(me));
    let changed_hands = found.is_some() && !ours;
    let now = MicroTime(after(before.as_ref()));
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(me.identity.clone()),
        // whole seconds: rather too long for others than too short for us
        lease_duration_seconds: Some(i32::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(i32::MAX).max(1)),
        acquire_time: Some(MicroTime(me.since)),
        renew_time: Some(now),
        lease_transitions: Some(transitions.saturating_add(i32::from(changed_hands))),
        ..before.unwrap_or_default()
    });
    let meta = &mut lease.metadata;
    meta.labels.get_or_insert_default().insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    meta.annotations.get_or_insert_default().extend([
        (HOST.to_owned(), me.host.clone()),
        (PROCESS.to_owned(), me.process.to_string()),
        (WHAT.to_owned(), me.what.clone()),
    ]);
    lease
}

/// The same holder, once more.
pub(super) fn renewed(lease: &Lease) -> Lease {
    let mut lease = lease.clone();
    let spec = lease.spec.get_or_insert_default();
    spec.renew_time = Some(MicroTime(after(Some(spec))));
    lease
}

/// Without a holder: the next one takes it at once.
pub(super) fn emptied(lease: &Lease) -> Lease {
    let mut lease = renewed(lease);
    lease.spec.get_or_insert_default().holder_identity = None;
    if let Some(notes) = &mut lease.metadata.annotations {
        notes.retain(|key, _| ![HOST, PROCESS, WHAT].contains(&key.as_str()));
    }
    lease
}

/// The same content for an object that must be made anew: somebody deleted it.
pub(super) fn anew(lease: &Lease) -> Lease {
    let mut lease = renewed(lease);
    let meta = lease.metadata;
    let nothing = BTreeMap::is_empty;
    lease.metadata = ObjectMeta {
        name: meta.name,
        namespace: meta.namespace,
        labels: meta.labels.filter(|labels| !nothing(labels)),
        annotations: meta.annotations,
        ..ObjectMeta::default()
    };
    lease
}

/// Now, but always after the last renewal: observers go by whether it changes, even when a clock
/// stands still or goes back.
fn after(spec: Option<&LeaseSpec>) -> Timestamp {
    let now = Timestamp::now();
    match spec.and_then(|spec| spec.renew_time.as_ref()) {
        Some(last) if now.as_microsecond() <= last.0.as_microsecond() => {
            last.0.saturating_add(SignedDuration::from_micros(1)).unwrap_or(now)
        }
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tests::{holder as named, later, object, seconds};

    #[test]
    fn what_is_written_is_read() {
        let lease = taken(None, &object("l"), &named("a"), seconds(15));
        assert_eq!(holder(&lease), Some(named("a")));
        assert_eq!(duration(&lease), Some(seconds(15)));
        assert_eq!(transitions(&lease), 0);
        assert_eq!(lease.metadata.labels.as_ref().unwrap()[MANAGED_BY], MANAGER);
        let text = serde_json::to_string(&lease).unwrap();
        assert_eq!(
            serde_json::from_str::<Lease>(&text).unwrap().spec.and_then(|spec| spec.holder_identity).unwrap(),
            "a"
        );
    }

    #[test]
    fn transitions_count_changes_of_hands_alone() {
        let first = taken(None, &object("l"), &named("a"), seconds(15));
        let again = taken(Some(&first), &object("l"), &named("a"), seconds(15));
        assert_eq!(transitions(&again), 0);
        assert_eq!(transitions(&taken(Some(&again), &object("l"), &named("b"), seconds(15))), 1);
        let released = emptied(&again);
        assert_eq!((holder(&released), transitions(&released)), (None, 0));
        assert_eq!(transitions(&taken(Some(&released), &object("l"), &named("b"), seconds(15))), 1);
    }

    #[test]
    fn parts_of_seconds_are_rounded_up() {
        let lease = taken(None, &object("l"), &named("a"), Duration::from_millis(1001));
        assert_eq!(duration(&lease), Some(seconds(2)));
    }

    #[test]
    fn renewals_always_show_even_when_the_clock_goes_back() {
        let mut lease = taken(None, &object("l"), &named("a"), seconds(15));
        lease.spec.as_mut().unwrap().renew_time = Some(later(3600));
        let once = renewed(&lease);
        let twice = renewed(&once);
        let time = |lease: &Lease| lease.spec.as_ref().unwrap().renew_time.as_ref().unwrap().0;
        assert!(time(&lease) < time(&once) && time(&once) < time(&twice));
    }

    #[test]
    fn what_others_wrote_on_it_stays() {
        let mut found = emptied(&taken(None, &object("l"), &named("a"), seconds(15)));
        found.metadata.resource_version = Some("7".into());
        found.metadata.annotations.get_or_insert_default().insert("note".into(), "x".into());
        let mine = taken(Some(&found), &object("l"), &named("b"), seconds(15));
        assert_eq!(mine.metadata.resource_version.as_deref(), Some("7"));
        assert_eq!(mine.metadata.annotations.as_ref().unwrap()["note"], "x");
        assert_eq!(anew(&mine).metadata.resource_version, None);
        assert_eq!(holder(&anew(&mine)), holder(&mine));
    }
}
