//! A namespace at the level `restricted`, with a database in it.

use std::process::{Command, Output};
use std::time::Duration;

use ffe_backup::{Place, Request, S3, Storage, Volume};
use ffe_cluster::{ApplyOptions, Cancel, Cluster, Environment, KubernetesSettings, Mark, ObjectRef, Owner};
use ffe_testbed::{POSTGRES_IMAGE, S3_ACCESS_KEY, S3_BUCKET, S3_REGION, S3_SECRET_KEY, Testbed};
use ffe_workloads::{JobOptions, WaitOptions};
use serde_json::{Value, json};

/// Seen nowhere but in Secrets.
pub(crate) const PASSWORD: &str = "canary/p@ss";

/// Rows of the table at first.
pub(crate) const ROWS: usize = 5_000;

/// Where a scenario happens.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) namespace: String,
    kubeconfig: String,
    testbed: Testbed,
}

impl World {
    /// A namespace of its own with a database that has rows.
    pub(crate) async fn start(scenario: &str) -> World {
        let kubeconfig = std::env::var("FFE_TEST_KUBECONFIG").unwrap();
        let settings = KubernetesSettings { config_path: Some(kubeconfig.clone()), ..KubernetesSettings::default() };
        let cluster = Cluster::connect(&settings, &Environment::for_tests::<String, String>([], None)).unwrap();
        let namespace = format!("backup-{scenario}-{}", std::process::id());
        let world = World { cluster, namespace, kubeconfig, testbed: Testbed::locate().unwrap() };
        world.prepare().await;
        world
    }

    async fn prepare(&self) {
        let labels = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
        self.apply(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": self.namespace, "labels": labels } }))
            .await;
        self.secret(
            "database",
            &[
                ("PGHOST", "database"),
                ("PGPORT", "5432"),
                ("PGUSER", "app"),
                ("PGPASSWORD", PASSWORD),
                ("PGDATABASE", "shop"),
            ],
        )
        .await;
        self.secret("url-only", &[("DATABASE_URL", "postgresql+psycopg2://app:canary%2Fp%40ss@database:5432/shop")])
            .await;
        self.secret("s3-keys", &[("AWS_ACCESS_KEY_ID", S3_ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", S3_SECRET_KEY)]).await;
        self.apply(json!({ "apiVersion": "v1", "kind": "Service", "metadata": self.named("database"),
            "spec": { "selector": { "app": "database" }, "ports": [{ "port": 5432 }] } }))
            .await;
        let secret = json!({ "secretKeyRef": { "name": "database", "key": "PGPASSWORD" } });
        let mut metadata = self.named("database");
        metadata["labels"] = json!({ "app": "database" });
        let amounts = json!({ "cpu": "500m", "memory": "256Mi" });
        // A pod without a controller is refused until its namespace has this.
        let mut looks = 0;
        while !self.kubectl(&["get", "serviceaccount"], "default").status.success() {
            looks += 1;
            assert!(looks < 600, "{} got no service account", self.namespace);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.apply(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {
            "securityContext": { "runAsNonRoot": true, "runAsUser": 999, "fsGroup": 999, "seccompProfile": { "type": "RuntimeDefault" } },
            "terminationGracePeriodSeconds": 1,
            "containers": [{ "name": "postgres", "image": POSTGRES_IMAGE, "resources": { "limits": amounts, "requests": { "cpu": "50m" } },
                "env": [{ "name": "POSTGRES_DB", "value": "shop" }, { "name": "POSTGRES_USER", "value": "app" },
                    { "name": "POSTGRES_PASSWORD", "valueFrom": secret }],
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
                "readinessProbe": { "exec": { "command": ["pg_isready", "--host=127.0.0.1", "--username=app", "--dbname=shop"] }, "periodSeconds": 1 } }] } }))
            .await;
        let pod = ObjectRef::new("v1", "Pod", Some(&self.namespace), "database");
        ffe_workloads::wait_rollout(&self.cluster, &pod, &self.options().wait).await.unwrap();
        self.sql(&format!(
            "CREATE TYPE colour AS ENUM ('red', 'blue');
             CREATE TABLE orders (id serial PRIMARY KEY, colour colour, note text);
             CREATE SCHEMA audit; CREATE TABLE audit.seen (id int REFERENCES orders);
             CREATE VIEW reds AS SELECT * FROM orders WHERE colour = 'red';
             CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
             INSERT INTO orders (colour, note) SELECT 'red', repeat(md5(n::text), 20) FROM generate_series(1, {ROWS}) n;
             INSERT INTO audit.seen SELECT id FROM orders LIMIT 7;
             SELECT lo_from_bytea(0, 'large object');"
        ));
    }

    fn named(&self, name: &str) -> Value {
        json!({ "name": name, "namespace": self.namespace })
    }

    pub(crate) async fn apply(&self, object: Value) {
        self.cluster.apply_value(&object, ApplyOptions::default()).await.unwrap();
    }

    pub(crate) async fn secret(&self, name: &str, content: &[(&str, &str)]) {
        let content: serde_json::Map<String, Value> =
            content.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        self.apply(
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": self.named(name), "stringData": content }),
        )
        .await;
    }

    pub(crate) fn volume() -> Storage {
        Storage::Volume(Volume { claim: "dumps".to_owned(), size: "1Gi".to_owned(), class: None })
    }

    /// Below a prefix of its own in the testbed's bucket.
    pub(crate) fn bucket(&self) -> S3 {
        S3 {
            bucket: S3_BUCKET.to_owned(),
            prefix: format!("tests/{}", self.namespace),
            region: S3_REGION.to_owned(),
            endpoint: Some(self.testbed.s3_endpoint()),
            path_style: true,
            credentials_secret: "s3-keys".to_owned(),
            ca_bundle: None,
        }
    }

    pub(crate) fn place(&self, storage: Storage) -> Place {
        Place {
            cluster: "testbed".to_owned(),
            namespace: self.namespace.clone(),
            series: "shop".to_owned(),
            image: POSTGRES_IMAGE.to_owned(),
            storage,
            rclone_image: POSTGRES_IMAGE.to_owned(),
            tolerations: Vec::new(),
            mark: Mark::creating(Owner::new("ffe_release", &format!("{}/shop", self.namespace)), "run1"),
            timeout: Duration::from_secs(120),
        }
    }

    pub(crate) fn request(&self, storage: Storage, name: &str) -> Request {
        Request {
            place: self.place(storage),
            job_name: format!("take-{name}"),
            backup_name: format!("shop-{name}"),
            database_secret: "database".to_owned(),
            retention: None,
        }
    }

    pub(crate) fn options(&self) -> JobOptions {
        let wait = WaitOptions::new(Duration::from_secs(150), Cancel::new());
        [PASSWORD, S3_SECRET_KEY].into_iter().for_each(tfplugin_redaction::redact);
        JobOptions::new(wait)
    }

    /// Runs a statement in the database.
    pub(crate) fn sql(&self, statement: &str) -> String {
        let arguments = ["exec", "database", "--", "psql", "-v", "ON_ERROR_STOP=1", "-U", "app", "-d", "shop", "-Atqc"];
        let output = self.kubectl(&arguments, statement);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What the database holds, in numbers.
    pub(crate) fn content(&self) -> String {
        self.sql(
            "SELECT (SELECT count(*) FROM orders) || ' ' || (SELECT count(*) FROM reds) || ' ' ||
             (SELECT count(*) FROM audit.seen) || ' ' || twice(21) || ' ' ||
             (SELECT md5(string_agg(id || note, '' ORDER BY id)) FROM orders) || ' ' ||
             (SELECT count(*) FROM pg_largeobject_metadata) || ' ' ||
             (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace)",
        )
    }

    /// What an application that went wrong leaves behind.
    pub(crate) fn spoil(&self) {
        self.sql(
            "DELETE FROM audit.seen; DELETE FROM orders WHERE id > 10; ALTER TABLE orders DROP COLUMN note CASCADE;
             CREATE TABLE surplus (id int); CREATE SCHEMA later; DROP FUNCTION twice;
             CREATE DOMAIN odd AS int; CREATE MATERIALIZED VIEW m AS SELECT * FROM surplus;
             CREATE PROCEDURE p(x odd) LANGUAGE sql AS 'SELECT 1'",
        );
    }

    fn kubectl(&self, arguments: &[&str], last: &str) -> Output {
        Command::new(self.testbed.binary("kubectl"))
            .args(["--kubeconfig", &self.kubeconfig, "-n", &self.namespace])
            .args(arguments)
            .arg(last)
            .output()
            .unwrap()
    }

    /// Runs a command as a human would, with kubectl at hand.
    pub(crate) fn shell(&self, command: &str) -> (bool, String) {
        let kubectl = self.testbed.binary("kubectl");
        let path = format!("{}:/usr/bin:/bin", kubectl.parent().unwrap().display());
        let mut shell = Command::new("bash");
        shell.args(["-c", command]).env("PATH", path).env("KUBECONFIG", &self.kubeconfig);
        let output = shell.output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), text)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.kubectl(&["delete", "namespace", "--wait=false"], &self.namespace);
    }
}
