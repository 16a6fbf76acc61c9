#![allow(clippy::unwrap_used)]

use ffe_cluster::Owner;
use serde_json::{Value, json};

use super::*;
use crate::place::{Rclone, Request, Volume};

pub(crate) fn s3() -> S3 {
    S3 {
        bucket: "backups".to_owned(),
        prefix: "ffe/production".to_owned(),
        region: "eu-central-1".to_owned(),
        endpoint: Some("http://10.0.0.1:7070".to_owned()),
        path_style: true,
        credentials_secret: "s3-keys".to_owned(),
        ca_bundle: None,
    }
}

pub(crate) fn place() -> Place {
    Place {
        cluster: "c0ffee".to_owned(),
        namespace: "ffe".to_owned(),
        series: "shop".to_owned(),
        image: "postgres:16-alpine".to_owned(),
        storage: Storage::Volume(Volume { claim: "dumps".to_owned(), size: "1Gi".to_owned(), class: None }),
        rclone_image: "rclone/rclone:1.69".to_owned(),
        tolerations: Vec::new(),
        mark: Mark::creating(Owner::new("ffe_release", "ffe/shop"), "run1"),
        timeout: Duration::from_secs(600),
    }
}

pub(crate) fn request() -> Request {
    Request {
        place: place(),
        job_name: "ffe-backup-run1".to_owned(),
        backup_name: "shop-1".to_owned(),
        database_secret: "shop-database".to_owned(),
        retention: None,
    }
}

fn take(place: &Place) -> Value {
    let task = Task {
        backup: Some("shop-1"),
        database_secret: Some("shop-database"),
        retention: Some(Duration::from_secs(86_400)),
    };
    serde_json::to_value(build(place, "job", Work::Take, &task).unwrap()).unwrap()
}

fn variable<'a>(job: &'a Value, container: usize, name: &str) -> Option<&'a Value> {
    let all = job["spec"]["template"]["spec"]["containers"][container]["env"].as_array().unwrap();
    all.iter().find(|one| one["name"] == name)
}

#[test]
fn the_pod_runs_as_the_user_of_the_image_and_meets_restricted() {
    let job = take(&place());
    let pod = &job["spec"]["template"]["spec"];
    assert_eq!(
        pod["securityContext"],
        json!({ "fsGroup": 70, "fsGroupChangePolicy": "OnRootMismatch", "runAsGroup": 70, "runAsNonRoot": true,
            "runAsUser": 70, "seccompProfile": { "type": "RuntimeDefault" } })
    );
    assert_eq!(
        pod["containers"][0]["securityContext"],
        json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] }, "readOnlyRootFilesystem": true,
            "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } })
    );
    assert_eq!(job["spec"]["template"]["metadata"]["annotations"]["linkerd.io/inject"], "disabled");
    assert!(job["spec"].get("ttlSecondsAfterFinished").is_none());
}

#[test]
fn secrets_are_referred_to_and_never_written() {
    let job = take(&Place { storage: Storage::S3(s3()), ..place() });
    let containers = &job["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers[0]["envFrom"], json!([{ "secretRef": { "name": "shop-database" } }]));
    // What opens the storage is known to rclone's container, and what opens the database to the other.
    assert_eq!(variable(&job, 0, "AWS_SECRET_ACCESS_KEY"), None);
    assert!(containers[1].get("envFrom").is_none());
    let key = variable(&job, 1, "AWS_SECRET_ACCESS_KEY").unwrap();
    assert_eq!(key["valueFrom"]["secretKeyRef"]["name"], "s3-keys");
    assert_eq!(variable(&job, 1, "AWS_SESSION_TOKEN").unwrap()["valueFrom"]["secretKeyRef"]["optional"], true);
    // Nothing that the shell would put into arguments of another program.
    let script = containers[0]["args"][0].as_str().unwrap();
    for line in script.lines().filter(|line| line.contains("PGPASSWORD") || line.contains("url_password")) {
        let line = line.trim();
        let builtin =
            ["case ", "url_password=", "parameter ", "decode ", "[ ", "password)", "fail config", "for ", "elif "]
                .iter()
                .any(|word| line.starts_with(word));
        assert!(builtin, "{line}");
    }
}

#[test]
fn storage_is_told_by_variables_and_a_volume_is_mounted() {
    let job = take(&Place { storage: Storage::S3(S3 { ca_bundle: Some("PEM".to_owned()), ..s3() }), ..place() });
    for (container, name, value) in [
        (0, "FFE_REMOTE", "backups/ffe/production/c0ffee/ffe/shop"),
        (0, "FFE_LOCATION", "s3://backups/ffe/production/c0ffee/ffe/shop/shop-1.dump"),
        (0, "FFE_RETENTION", "86400"),
        (1, "RCLONE_CONFIG_STORE_TYPE", "s3"),
        (1, "RCLONE_CONFIG_STORE_PROVIDER", "Other"),
        (1, "RCLONE_CONFIG_STORE_ENDPOINT", "http://10.0.0.1:7070"),
        (1, "RCLONE_CONFIG_STORE_FORCE_PATH_STYLE", "true"),
        (1, "RCLONE_CA_CERT", "/exchange/ca.pem"),
        (1, "FFE_CA", "PEM"),
    ] {
        assert_eq!(variable(&job, container, name).unwrap()["value"], value, "{name}");
    }
    let azure = Rclone {
        kind: "azureblob".to_owned(),
        path: "container".to_owned(),
        options: BTreeMap::from([("account".to_owned(), "shop".to_owned())]),
        secret: Some("azure".to_owned()),
    };
    let job = take(&Place { storage: Storage::Rclone(azure), ..place() });
    let containers = &job["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers[1]["envFrom"], json!([{ "secretRef": { "name": "azure" } }]));
    assert_eq!(variable(&job, 1, "RCLONE_CONFIG_STORE_ACCOUNT").unwrap()["value"], "shop");
    assert_eq!(variable(&job, 0, "FFE_REMOTE").unwrap()["value"], "container/c0ffee/ffe/shop");
    assert_eq!(containers[1]["securityContext"], containers[0]["securityContext"]);
    // The Secret is files besides, of which the other container sees none.
    let settings = json!({ "name": "settings", "mountPath": "/settings", "readOnly": true });
    let mounts = |container: usize| containers[container]["volumeMounts"].as_array().unwrap();
    assert!(mounts(1).contains(&settings) && !mounts(0).contains(&settings), "{containers}");
    let volumes = job["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    let files =
        json!({ "name": "settings", "secret": { "secretName": "azure", "defaultMode": 0o440, "optional": true } });
    assert!(volumes.contains(&files), "{volumes:?}");
    for name in ["RCLONE_GCS_NO_CHECK_BUCKET", "RCLONE_AZUREBLOB_NO_CHECK_CONTAINER", "RCLONE_S3_NO_CHECK_BUCKET"] {
        assert_eq!(variable(&job, 1, name).unwrap()["value"], "true");
    }

    let job = take(&place());
    let pod = &job["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"][1]["persistentVolumeClaim"]["claimName"], "dumps");
    assert_eq!(variable(&job, 0, "FFE_REMOTE"), None);
    assert_eq!(pod["containers"].as_array().unwrap().len(), 1);
    assert_eq!(job["metadata"]["labels"]["app.kubernetes.io/managed-by"], "terraform-provider-ffe");
    assert_eq!(pod["containers"][0]["command"], json!(["/bin/sh", "-c"]));
}
