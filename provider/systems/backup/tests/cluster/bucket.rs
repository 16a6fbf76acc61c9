//! Backups in a bucket.

use std::time::Duration;

use ffe_backup::{Error, Reason, Request, S3, Storage, list, prune, restore_command, take};

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
