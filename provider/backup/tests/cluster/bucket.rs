//! Backups in a bucket.

use std::time::Duration;

use ffe_backup::{Error, Reason, Request, S3, Storage, list, prune, restore_command, restore_manifest, take};

use crate::world::World;

pub(crate) async fn a_bucket_keeps_backups_and_gives_them_back() {
    let world = World::start("bucket").await;
    let (cluster, options) = (&world.cluster, world.options());
    let storage = || Storage::S3(world.bucket());
    let place = world.place(storage());
    let before = world.content();

    let first = take(cluster, &world.request(storage(), "one"), &options).await.unwrap().backup;
    assert_eq!(first.location, format!("s3://backups/tests/{0}/testbed/{0}/shop/shop-one.dump", world.namespace));
    assert_eq!(list(cluster, &place, "list-one", &options).await.unwrap(), std::slice::from_ref(&first));

    world.spoil();
    let (succeeded, said) = world.shell(&restore_command(&place, &first));
    assert!(succeeded, "{said}");
    assert_eq!(world.content(), before, "{said}");

    // Retention in the Job that takes: the one before is older than a second.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let second = Request { retention: Some(Duration::from_secs(1)), ..world.request(storage(), "two") };
    let taken = take(cluster, &second, &options).await.unwrap();
    assert_eq!((taken.pruned, taken.warning), (1, None));
    assert_eq!(list(cluster, &place, "list-two", &options).await.unwrap(), [taken.backup]);
    assert_eq!(prune(cluster, &place, "prune", Duration::ZERO, &options).await.unwrap(), 0);

    // What S3 says no to, in its own words.
    let missing = Storage::S3(S3 { bucket: "missing".to_owned(), ..world.bucket() });
    world.secret("wrong-keys", &[("AWS_ACCESS_KEY_ID", "ffe-testbed"), ("AWS_SECRET_ACCESS_KEY", "canary")]).await;
    let denied = Storage::S3(S3 { credentials_secret: "wrong-keys".to_owned(), ..world.bucket() });
    // A bucket that is not there is not made; rclone finds out when it writes.
    for (name, storage, reason, word) in [
        ("missing", missing, Reason::Upload, "NoSuchBucket"),
        ("denied", denied, Reason::Storage, "SignatureDoesNotMatch"),
    ] {
        match take(cluster, &world.request(storage, name), &options).await {
            Err(Error::Failed(failure)) => {
                assert_eq!(failure.reason, reason, "{failure}");
                assert!(failure.message.contains(word), "{failure}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A shell has room in it, rclone has not.
const TOO_LITTLE: &str = "24Mi";

pub(crate) async fn a_container_beside_that_runs_out_of_memory_ends_a_restore_by_name() {
    let world = World::start("memory").await;
    let place = world.place(Storage::S3(world.bucket()));
    let taken = take(&world.cluster, &world.request(place.storage.clone(), "one"), &world.options()).await.unwrap();
    world.spoil();
    let before = world.content_after_spoil();
    let manifest = restore_manifest(&place, &taken.backup, "database").unwrap();
    let (head, rclone) =
        manifest.split_once("name: rclone").map(|(head, rest)| (head, format!("name: rclone{rest}"))).unwrap();
    let rclone = rclone.replace("512Mi", TOO_LITTLE).replace("128Mi", TOO_LITTLE);
    assert!(rclone.contains(TOO_LITTLE), "{manifest}");
    let command = format!(
        "kubectl -n {0} create -f - <<'END'\n{head}{rclone}\nEND\nkubectl -n {0} wait --for=condition=failed --timeout=90s job/restore-shop-one && kubectl -n {0} logs job/restore-shop-one",
        world.namespace
    );
    let (ended, said) = world.shell(&command);
    assert!(ended && said.contains("killed: most likely it took more memory than"), "{said}");
    assert_eq!(world.content_after_spoil(), before);
}
