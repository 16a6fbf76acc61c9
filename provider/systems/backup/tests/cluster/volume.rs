//! Backups on a volume.

use std::time::Duration;

use ffe_backup::{Error, list, prune, restore_command, restore_manifest, take};
use ffe_cluster::k8s_openapi::api::core::v1::PersistentVolumeClaim;

use crate::world::{ROWS, World};

pub(crate) async fn a_backup_is_taken_once_and_restored_by_the_printed_command() {
    let world = World::start("volume").await;
    let (cluster, options) = (&world.cluster, world.options());
    let place = world.place(World::volume());
    assert_eq!(list(cluster, &place, "list-none", &options).await.unwrap(), []);
    let before = world.content();
    assert!(before.starts_with(&format!("{ROWS} {ROWS} 7 42 ")), "{before}");

    let request = world.request(World::volume(), "one");
    let taken = take(cluster, &request, &options).await.unwrap();
    let backup = taken.backup.clone();
    assert_eq!(backup.location, format!("pvc/dumps/testbed/{}/shop/shop-one.dump", world.namespace));
    assert!(backup.size_bytes > 10_000 && backup.sha256.len() == 64, "{backup:?}");
    assert!(backup.server_version.starts_with("15."), "{backup:?}");
    assert!(!taken.attached && taken.warning.is_none());
    let claim: PersistentVolumeClaim = cluster.get(Some(&world.namespace), "dumps").await.unwrap();
    assert_eq!(claim.metadata.labels.unwrap()["app.kubernetes.io/managed-by"], "terraform-provider-ffe");

    // The same Job again takes nothing, and tells the same.
    world.spoil();
    let again = take(cluster, &request, &options).await.unwrap();
    assert!(again.attached);
    assert_eq!(again.backup, backup);
    let spoilt = world.sql("SELECT count(*) FROM orders");
    assert_eq!(spoilt, "10");

    let (succeeded, said) = world.shell(&restore_command(&place, &backup));
    assert!(succeeded, "{said}");
    assert_eq!(world.content(), before, "{said}");
    assert_eq!(world.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'later'"), "0");

    // A backup that is not there is not restored, and nothing of the database is touched.
    let other = ffe_backup::Backup { name: "shop-none".to_owned(), ..backup.clone() };
    let manifest = restore_manifest(&place, &other, "database").unwrap();
    let create = format!(
        "kubectl -n {0} create -f - <<'END'\n{manifest}\nEND\nkubectl -n {0} wait --for=condition=failed --timeout=60s job/restore-shop-none && kubectl -n {0} logs job/restore-shop-none",
        world.namespace
    );
    let (_, said) = world.shell(&create);
    assert!(said.contains("there is no backup"), "{said}");
    assert_eq!(world.content(), before);

    // Another one, by the URL alone; then the first is too old.
    let mut second = world.request(World::volume(), "two");
    second.database_secret = "url-only".to_owned();
    let two = take(cluster, &second, &options).await.unwrap();
    let listed = list(cluster, &place, "list-two", &options).await.unwrap();
    assert_eq!(listed, [two.backup.clone(), backup.clone()]);
    assert_eq!(prune(cluster, &place, "prune-none", Duration::from_secs(3600), &options).await.unwrap(), 0);
    assert_eq!(prune(cluster, &place, "prune-all", Duration::ZERO, &options).await.unwrap(), 1);
    assert_eq!(list(cluster, &place, "list-one", &options).await.unwrap(), [two.backup]);

    // A name that is taken is not written over.
    ffe_workloads::delete_job(cluster, &world.namespace, &second.job_name).await.unwrap();
    let renamed = ffe_backup::Request { job_name: "take-two-again".to_owned(), ..second };
    match take(cluster, &renamed, &options).await {
        Err(Error::Failed(failure)) => assert_eq!(failure.reason, ffe_backup::Reason::Exists, "{failure}"),
        other => panic!("{other:?}"),
    }
}
