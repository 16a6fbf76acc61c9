//! Acquiring, renewing, losing and releasing against the API in memory, with paused time.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use ffe_cluster_testing::FakeApi;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde_json::{Value, json};
use tokio::time::{Instant, advance, sleep};

use super::*;

const PATH: &str = "/leases/l";
const ALL: &str = "/leases";

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Seconds from now by the wall clock.
pub(super) fn later(seconds: i64) -> MicroTime {
    MicroTime(Timestamp::now() + SignedDuration::from_secs(seconds))
}

/// Each in its own process, except that equal names are the same one.
pub(super) fn holder(identity: &str) -> Holder {
    Holder {
        identity: identity.to_owned(),
        host: format!("host-of-{identity}"),
        process: 1,
        since: Timestamp::UNIX_EPOCH,
        what: "terraform apply of ffe_release default/backend".to_owned(),
    }
}

pub(super) fn object(name: &str) -> ObjectRef {
    ObjectRef::of::<Lease>(Some("default"), name)
}

async fn acquire(api: &FakeApi, identity: &str) -> Result<HeldLease, LeaseError> {
    acquire_as(api, holder(identity)).await
}

async fn acquire_as(api: &FakeApi, holder: Holder) -> Result<HeldLease, LeaseError> {
    super::acquire(&api.cluster(), "default", "l", holder, &LeaseOptions::default(), &Cancel::new()).await
}

fn stored(api: &FakeApi) -> Value {
    api.get(&object("l")).unwrap()
}

fn held_by(api: &FakeApi) -> Option<String> {
    stored(api)["spec"]["holderIdentity"].as_str().map(str::to_owned)
}

/// Leaves a lease behind as a process does that was killed.
async fn dead(api: &FakeApi) {
    drop(acquire(api, "dead").await.unwrap());
}

fn refuse_writes(api: &FakeApi, code: u16, reason: &str) {
    api.fail("PUT", PATH, None, code, reason, "no");
}

#[tokio::test(start_paused = true)]
async fn acquired_renewed_and_released() {
    let api = FakeApi::new();
    let lease = acquire(&api, "a").await.unwrap();
    let made = stored(&api);
    assert_eq!(made["spec"]["holderIdentity"], "a");
    assert_eq!(made["spec"]["leaseDurationSeconds"], 15);
    assert_eq!(made["metadata"]["annotations"]["ffe.three-rivers.tech/lease-host"], "host-of-a");
    assert_eq!(made["metadata"]["labels"]["app.kubernetes.io/managed-by"], "terraform-provider-ffe");
    assert_eq!(lease.transitions(), 0);

    // many times the duration
    sleep(seconds(61)).await;
    assert_eq!(api.count("PUT", PATH), 30);
    assert!(lease.still_held() && lease.loss().is_none());
    assert_eq!(stored(&api)["spec"]["acquireTime"], made["spec"]["acquireTime"]);
    assert_ne!(stored(&api)["spec"]["renewTime"], made["spec"]["renewTime"]);

    let lost = lease.lost().clone();
    lease.release().await.unwrap();
    assert_eq!(held_by(&api), None);
    assert!(!lost.is_cancelled());
    let writes = api.count("PUT", PATH);
    sleep(seconds(60)).await;
    assert_eq!(api.count("PUT", PATH), writes, "renewed after the release");

    let start = Instant::now();
    let next = acquire(&api, "b").await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(next.transitions(), 1);
    assert_eq!(next.holder().identity, "b");
}

#[tokio::test(start_paused = true)]
async fn a_live_holder_is_named_and_left_alone() {
    let api = FakeApi::new();
    let lease = acquire(&api, "a").await.unwrap();
    let start = Instant::now();
    let error = acquire(&api, "b").await.unwrap_err();
    assert!(start.elapsed() <= seconds(4), "{:?}", start.elapsed());
    let LeaseError::Held { holder: by, .. } = &error else { panic!("{error}") };
    assert_eq!((by.identity.as_str(), by.host.as_str(), by.process), ("a", "host-of-a", 1));
    assert_eq!(by.since.as_second(), lease.holder().since.as_second());
    let text = error.to_string();
    for part in ["Lease default/l", "run a", "host-of-a", "process 1", "since 2", "ffe_release default/backend"] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    assert!(error.advice().is_some());
    assert_eq!(held_by(&api).as_deref(), Some("a"));
    assert!(lease.still_held());
}

#[tokio::test(start_paused = true)]
async fn a_dead_holder_is_replaced_after_exactly_its_duration() {
    let api = FakeApi::new();
    dead(&api).await;
    api.edit(&object("l"), |lease| lease["spec"]["leaseDurationSeconds"] = json!(23));
    let start = Instant::now();
    let lease = acquire(&api, "b").await.unwrap();
    // the timers of tokio count whole milliseconds
    let waited = start.elapsed();
    assert!(waited >= seconds(23) && waited < seconds(23) + Duration::from_millis(5), "{waited:?}");
    assert_eq!(lease.transitions(), 1);
    assert_eq!(held_by(&api).as_deref(), Some("b"));
}

#[tokio::test(start_paused = true)]
async fn of_many_contenders_one_wins() {
    let api = FakeApi::new();
    for round in 0..3 {
        if round == 1 {
            dead(&api).await;
        }
        let contenders = (0..8).map(|i| {
            let api = api.clone();
            async move { acquire(&api, &format!("run-{i}")).await }
        });
        let outcomes = futures::future::join_all(contenders).await;
        let (winners, losers): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!((winners.len(), losers.len()), (1, 7), "round {round}");
        let winner = winners.into_iter().next().unwrap().unwrap();
        assert_eq!(held_by(&api), Some(winner.holder().identity.clone()));
        for error in losers.into_iter().map(Result::unwrap_err) {
            let LeaseError::Held { holder: by, .. } = &error else { panic!("{error}") };
            assert_eq!(by.identity, winner.holder().identity);
        }
        if round == 1 {
            winner.delete().await.unwrap()
        } else {
            winner.release().await.unwrap()
        }
        if round == 0 {
            api.remove(&object("l"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_cannot_renew_knows_before_anybody_else_takes_it() {
    for (code, reason) in [(503, "ServiceUnavailable"), (403, "Forbidden"), (500, "InternalError")] {
        let api = FakeApi::new();
        let lease = acquire(&api, "a").await.unwrap();
        refuse_writes(&api, code, reason);
        let start = Instant::now();
        lease.lost().cancelled().await;
        assert!(start.elapsed() >= seconds(9) && start.elapsed() <= seconds(11), "{code}: {:?}", start.elapsed());
        assert!(!lease.still_held());
        assert!(lease.loss().unwrap().contains("could not be renewed within 10s"), "{:?}", lease.loss());
        let writes = api.count("PUT", PATH);
        sleep(seconds(30)).await;
        assert_eq!(api.count("PUT", PATH), writes, "renewed after it was lost");
    }
}

#[tokio::test(start_paused = true)]
async fn loss_comes_first_and_takeover_second() {
    let api = FakeApi::new();
    let a = acquire(&api, "a").await.unwrap();
    refuse_writes(&api, 503, "ServiceUnavailable");
    let contender = {
        let api = api.clone();
        tokio::spawn(async move { (acquire(&api, "b").await, Instant::now()) })
    };
    a.lost().cancelled().await;
    let lost = Instant::now();
    assert!(!contender.is_finished());
    api.heal();
    let (b, taken) = contender.await.unwrap();
    let b = b.unwrap();
    assert!(taken >= lost + seconds(4), "{:?}", taken - lost);
    assert_eq!(b.transitions(), 1);
    // and what was lost does not take it away from the next one
    a.release().await.unwrap();
    assert_eq!(held_by(&api).as_deref(), Some("b"));
    sleep(seconds(20)).await;
    assert!(b.still_held());
}

#[tokio::test(start_paused = true)]
async fn failures_shorter_than_the_deadline_are_tolerated() {
    let api = FakeApi::new();
    let lease = acquire(&api, "a").await.unwrap();
    for (code, reason) in
        [(503, "ServiceUnavailable"), (429, "TooManyRequests"), (403, "Forbidden"), (401, "Unauthorized")]
    {
        refuse_writes(&api, code, reason);
        // 2 s since the last renewal, and 2 s until the next one, make 9 s at most
        sleep(seconds(5)).await;
        api.heal();
        sleep(seconds(4)).await;
        assert!(lease.still_held(), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_process_notices_before_it_writes() {
    let api = FakeApi::new();
    let lease = acquire(&api, "a").await.unwrap();
    sleep(seconds(5)).await;
    let writes = api.count("PUT", PATH);
    // the clock goes on, and no timer of ours runs
    advance(seconds(11)).await;
    assert!(!lease.still_held());
    lease.lost().cancelled().await;
    sleep(seconds(20)).await;
    assert_eq!(api.count("PUT", PATH), writes);
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_noticed_by_the_task_too() {
    let api = FakeApi::new();
    let lease = acquire(&api, "a").await.unwrap();
    advance(seconds(11)).await;
    lease.lost().cancelled().await;
    assert_eq!(api.count("PUT", PATH), 0);
    assert!(lease.loss().is_some());
}

#[tokio::test(start_paused = true)]
async fn losing_it_to_somebody_else_is_noticed_at_the_next_renewal() {
    for (by, words) in [(json!("thief"), "taken over by run thief"), (Value::Null, "removed the holder")] {
        let api = FakeApi::new();
        let lease = acquire(&api, "a").await.unwrap();
        api.edit(&object("l"), |found| found["spec"]["holderIdentity"] = by.clone());
        let start = Instant::now();
        lease.lost().cancelled().await;
        assert!(start.elapsed() <= seconds(3), "{:?}", start.elapsed());
        assert!(lease.loss().unwrap().contains(words), "{:?}", lease.loss());
    }
}

#[tokio::test(start_paused = true)]
async fn a_label_from_somebody_or_a_deleted_object_does_not_end_it() {
    let api = FakeApi::new();
    let lease = acquire(&api, "a").await.unwrap();
    api.edit(&object("l"), |found| found["metadata"]["labels"]["team"] = json!("x"));
    sleep(seconds(15)).await;
    assert!(lease.still_held());
    assert_eq!(stored(&api)["metadata"]["labels"]["team"], "x");
    api.remove(&object("l"));
    sleep(seconds(15)).await;
    assert!(lease.still_held());
    assert_eq!(held_by(&api).as_deref(), Some("a"));
    lease.release().await.unwrap();
    assert_eq!(held_by(&api), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_ours_already_is_had_again() {
    let api = FakeApi::new();
    let first = acquire(&api, "a").await.unwrap();
    sleep(seconds(5)).await;
    let start = Instant::now();
    let again = acquire(&api, "a").await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(again.transitions(), 0);
    assert_eq!(again.holder().since.as_second(), first.holder().since.as_second());
    sleep(seconds(60)).await;
    assert!(first.still_held() && again.still_held());
    drop(first);
    again.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn another_run_of_the_same_process_waits_its_turn() {
    let api = FakeApi::new();
    let first = acquire(&api, "a").await.unwrap();
    let sibling = Holder { identity: "b".into(), ..holder("a") };
    let second = {
        let api = api.clone();
        tokio::spawn(async move { acquire_as(&api, sibling).await })
    };
    sleep(seconds(100)).await;
    assert!(!second.is_finished());
    first.release().await.unwrap();
    let second = second.await.unwrap().unwrap();
    assert_eq!(second.transitions(), 1);
}

#[tokio::test(start_paused = true)]
async fn waiting_is_cancelled_at_once() {
    let api = FakeApi::new();
    dead(&api).await;
    let cancel = Cancel::new();
    let (cluster, options) = (api.cluster(), LeaseOptions::default());
    let stop = async {
        sleep(seconds(5)).await;
        cancel.cancel();
    };
    let start = Instant::now();
    let acquiring = super::acquire(&cluster, "default", "l", holder("b"), &options, &cancel);
    let (outcome, ()) = tokio::join!(acquiring, stop);
    assert!(start.elapsed() < seconds(6));
    let error = outcome.unwrap_err();
    assert!(matches!(error, LeaseError::Cancelled { .. }) && error.to_string().contains("run dead"), "{error}");
    assert_eq!(held_by(&api).as_deref(), Some("dead"));
    let error = super::acquire(&cluster, "default", "other", holder("b"), &options, &cancel).await.unwrap_err();
    assert!(matches!(error, LeaseError::Cancelled { .. }), "{error}");
    assert!(api.get(&object("other")).is_none());
}

#[tokio::test(start_paused = true)]
async fn acquiring_outlasts_an_api_server_that_is_away_for_a_while_and_no_longer() {
    let api = FakeApi::new();
    api.fail("GET", PATH, Some(2), 503, "ServiceUnavailable", "no");
    api.fail("POST", ALL, Some(2), 503, "ServiceUnavailable", "no");
    let lease = acquire(&api, "a").await.unwrap();
    lease.release().await.unwrap();

    api.fail("GET", PATH, None, 503, "ServiceUnavailable", "no");
    let start = Instant::now();
    let error = acquire(&api, "b").await.unwrap_err();
    assert!(matches!(&error, LeaseError::Cluster(cause) if cause.is_transient()), "{error}");
    assert!(start.elapsed() >= seconds(10) && start.elapsed() <= seconds(13), "{:?}", start.elapsed());

    api.heal();
    api.fail("GET", PATH, None, 403, "Forbidden", "no");
    let error = acquire(&api, "b").await.unwrap_err();
    assert!(matches!(&error, LeaseError::Cluster(cause) if cause.kind() == Kind::Forbidden), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_namespace_is_an_error_and_no_race() {
    let api = FakeApi::new();
    let options = LeaseOptions::default();
    let error =
        super::acquire(&api.cluster(), "nowhere", "l", holder("a"), &options, &Cancel::new()).await.unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn dropping_ends_renewing_and_fires_lost() {
    let api = FakeApi::new();
    let lease = acquire(&api, "a").await.unwrap();
    let lost = lease.lost().clone();
    drop(lease);
    assert!(lost.is_cancelled());
    let writes = api.count("PUT", PATH);
    sleep(seconds(60)).await;
    assert_eq!(api.count("PUT", PATH), writes);
    assert_eq!(held_by(&api).as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn releasing_survives_a_race_a_short_failure_and_a_deleted_object() {
    let api = FakeApi::new();
    let lease = acquire(&api, "a").await.unwrap();
    api.edit(&object("l"), |found| found["metadata"]["labels"]["team"] = json!("x"));
    api.fail("PUT", PATH, Some(2), 503, "ServiceUnavailable", "no");
    lease.release().await.unwrap();
    assert_eq!(held_by(&api), None);
    assert_eq!(stored(&api)["metadata"]["labels"]["team"], "x");

    let lease = acquire(&api, "a").await.unwrap();
    api.remove(&object("l"));
    lease.release().await.unwrap();
    assert!(api.get(&object("l")).is_none());

    let lease = acquire(&api, "a").await.unwrap();
    refuse_writes(&api, 503, "ServiceUnavailable");
    let start = Instant::now();
    assert!(lease.release().await.unwrap_err().is_transient());
    assert!(start.elapsed() <= seconds(11), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn deleting_takes_the_object_along() {
    let api = FakeApi::new();
    acquire(&api, "a").await.unwrap().delete().await.unwrap();
    assert!(api.get(&object("l")).is_none());
    let deleted = api.seen().into_iter().find(|seen| seen.method == "DELETE").unwrap();
    assert!(deleted.body["preconditions"]["resourceVersion"].is_string(), "{}", deleted.body);
}

#[test]
fn times_keep_their_proportions() {
    let usual = LeaseOptions::default();
    assert_eq!((usual.duration, usual.renew_deadline, usual.retry), (seconds(15), seconds(10), seconds(2)));
    assert_eq!(LeaseOptions::from_variable("").unwrap(), usual);
    let short = LeaseOptions::from_variable("3s").unwrap();
    assert_eq!((short.duration, short.renew_deadline), (seconds(3), seconds(2)));
    assert_eq!(short.retry, Duration::from_millis(400));
    for wrong in ["3", "100ms", "2h", "soon", "-3s"] {
        let error = LeaseOptions::from_variable(wrong).unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().contains("FFE_LEASE_DURATION"), "{error}");
    }
}

#[test]
fn this_process_knows_itself() {
    let me = Holder::this_process("run-1", "terraform apply");
    assert_eq!(me.process, std::process::id());
    assert!(!me.host.is_empty());
    assert!(me.is(&Holder::this_process("run-1", "something else")));
    assert!(!me.is(&Holder::this_process("run-2", "terraform apply")));
}

#[tokio::test]
async fn a_holder_needs_an_identity() {
    let error = acquire(&FakeApi::new(), "").await.unwrap_err();
    assert!(error.to_string().contains("identity"), "{error}");
}
