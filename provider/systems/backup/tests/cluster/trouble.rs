//! What goes wrong, and how it is told.

use std::time::Duration;

use ffe_backup::{Error, Failure, Place, Reason, Request, list, take};
use ffe_cluster::Cancel;
use ffe_cluster::k8s_openapi::api::batch::v1::Job;
use ffe_workloads::JobOptions;

use crate::world::{PASSWORD, World};

async fn failure(world: &World, request: &Request) -> Failure {
    match take(&world.cluster, request, &world.options()).await {
        Err(Error::Failed(failure)) => *failure,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_failure_names_its_cause_and_leaves_no_backup() {
    let world = World::start("trouble").await;
    let keys = |host: &'static str, password: &'static str, database: &'static str| {
        [("PGHOST", host), ("PGUSER", "app"), ("PGPASSWORD", password), ("PGDATABASE", database)]
    };
    world.secret("wrong-password", &keys("database", "canary-wrong", "shop")).await;
    world.secret("wrong-host", &keys("nowhere", PASSWORD, "shop")).await;
    world.secret("wrong-name", &keys("database", PASSWORD, "other")).await;
    world.secret("empty", &[("OTHER", "x")]).await;
    let with = |secret: &str| Request { database_secret: secret.to_owned(), ..world.request(World::volume(), secret) };
    for (secret, reason, words) in [
        ("wrong-password", Reason::Refused, "password authentication failed"),
        ("wrong-host", Reason::Unreachable, "nowhere"),
        ("wrong-name", Reason::Refused, "database \"other\" does not exist"),
        ("empty", Reason::Config, "DATABASE_URL"),
    ] {
        let failure = failure(&world, &with(secret)).await;
        assert_eq!(failure.reason, reason, "{failure}");
        assert!(failure.message.contains(words), "{failure}");
        assert!(!format!("{failure:?}").contains("canary"), "{failure:?}");
        assert!(failure.diagnosis.is_some());
    }
    // The Job still tells the same to whoever attaches to it.
    let again = failure(&world, &with("wrong-password")).await;
    assert!(again.attached && again.reason == Reason::Refused, "{again}");

    let mut image = world.request(World::volume(), "image");
    image.place.image = "no-such-image:15".to_owned();
    let no_image = failure(&world, &image).await;
    assert_eq!(no_image.reason, Reason::Pod, "{no_image}");
    assert!(no_image.message.contains("no-such-image"), "{no_image}");

    // Time runs out while nobody answers.
    let mut slow = with("wrong-host");
    slow.job_name = "take-slow".to_owned();
    slow.place.timeout = Duration::from_secs(4);
    let late = failure(&world, &slow).await;
    assert_eq!(late.reason, Reason::Pod, "{late}");
    assert!(late.to_string().contains("deadline"), "{late}");

    let place = Place { ..world.place(World::volume()) };
    assert_eq!(list(&world.cluster, &place, "list-none", &world.options()).await.unwrap(), []);
}

pub(crate) async fn a_cancel_leaves_the_job_and_the_next_take_attaches_to_it() {
    let world = World::start("cancel").await;
    let request = world.request(World::volume(), "one");
    let options = world.options();
    let cancel = Cancel::new();
    let impatient = JobOptions {
        wait: ffe_workloads::WaitOptions { cancel: cancel.clone(), ..options.wait.clone() },
        ..options.clone()
    };
    let cluster = world.cluster.clone();
    let namespace = world.namespace.clone();
    let canceller = tokio::spawn(async move {
        while cluster.find::<Job>(Some(&namespace), "take-one").await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cancel.cancel();
    });
    let error = take(&world.cluster, &request, &impatient).await.unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    canceller.await.unwrap();
    let taken = take(&world.cluster, &request, &options).await.unwrap();
    assert!(taken.attached);
}
