//! Where a scenario happens: a Kubernetes API in memory with Helm's records in it, and no Helm at all.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ffe_cluster::{Cluster, Environment, KubernetesSettings, Mark, ObjectRef, Owner};
use ffe_cluster_testing::FakeApi;
use ffe_helm::binary::Config as HelmConfig;
use ffe_helm::chart::Chart;
use ffe_helm::launcher::Launcher;
use ffe_helm::manifest::{Manifest, ObjectId};
use ffe_helm::records::object_name;
use ffe_release::{ReleaseDataSource, ReleaseResource};
use ffe_session::{ProviderConfig, Session};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};
use tfplugin::{
    AnyDataSource, AnyResource, Attr, Context, Diagnostics, Field as _, Model, Path, Provider, Value, async_trait,
};
use tfplugin_testing::Terraform;

use crate::standin::StandIn;

/// The type under test.
pub(crate) const RELEASE: &str = "ffe_release";
/// The namespace of every release here.
pub(crate) const NAMESPACE: &str = "ffe";

/// What is said where Helm would have been started: that far a plan has come.
pub(crate) const NO_HELM: &str = "no helm binary found";

/// After what was listed is no longer shared.
pub(crate) async fn later() {
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
}

/// The provider's configuration: known, or not known yet.
#[derive(Model, Clone, Debug)]
pub(crate) struct Config {
    /// Where the cluster is; any text stands for the world's own.
    #[attr(optional)]
    pub host: Attr<String>,
}

/// A provider with this one resource.
struct FfeProvider {
    session: Arc<Session>,
    cluster: Cluster,
    helm: PathBuf,
}

#[async_trait]
impl Provider for FfeProvider {
    type Config = Config;

    fn name(&self) -> &'static str {
        "ffe"
    }

    fn resources(&self) -> Vec<AnyResource> {
        vec![ReleaseResource::new(Arc::clone(&self.session)).into()]
    }

    fn data_sources(&self) -> Vec<AnyDataSource> {
        vec![AnyDataSource::new(ReleaseDataSource::new(Arc::clone(&self.session)))]
    }

    async fn configure(&self, _cx: &Context, config: Config) -> Diagnostics {
        if config.host.is_unknown() {
            let block = Value::map([("kubernetes", Value::map([("host", Value::Unknown)]))]);
            let unknown = ProviderConfig::from_value(&block, &Path::root()).unwrap();
            return self.session.configure_in(&unknown, &Environment::for_tests::<String, String>([], None));
        }
        // What Helm is handed to reach the cluster by; nobody answers there.
        let settings =
            KubernetesSettings { host: Some("https://127.0.0.1:1".to_owned()), ..KubernetesSettings::default() };
        let reached = Cluster::connect(&settings, &Environment::for_tests::<String, String>([], None)).unwrap();
        let helm = HelmConfig { binary: Some(self.helm.clone()), ..HelmConfig::new(Some(reached), Launcher::Direct) };
        self.session.use_cluster(self.cluster.clone(), helm);
        Diagnostics::new()
    }
}

/// A cluster and a chart.
pub(crate) struct World {
    /// The cluster.
    pub(crate) api: FakeApi,
    folder: tempfile::TempDir,
    helm: Option<StandIn>,
}

/// One ConfigMap, as a chart renders it.
pub(crate) fn manifest(text: &str) -> String {
    format!(
        "---\n# Source: one/templates/config.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one\ndata:\n  text: {text}\n"
    )
}

/// The Secret that holds a revision.
pub(crate) fn record_of(name: &str, revision: u32) -> ObjectRef {
    ObjectRef::new("v1", "Secret", Some(NAMESPACE), &object_name(name, revision))
}

/// The Secret with a release's journal.
pub(crate) fn journal_of(name: &str) -> ObjectRef {
    ObjectRef::new("v1", "Secret", Some(NAMESPACE), &format!("ffe-journal.{name}"))
}

/// Puts Helm's record of a revision there.
pub(crate) fn put_record(api: &FakeApi, name: &str, revision: u32, status: &str, manifest: &str, values: &Json) {
    api.put(record(name, revision, status, manifest, values, ORDINARY));
}

/// The same of a release that was first deployed then, and is described so.
pub(crate) fn put_record_of(
    api: &FakeApi,
    name: &str,
    revision: u32,
    status: &str,
    manifest: &str,
    values: &Json,
    told: (&str, &str),
) {
    api.put(record(name, revision, status, manifest, values, told));
}

/// When a release was first deployed, and what is said of it.
pub(crate) const ORDINARY: (&str, &str) = ("2026-01-02T03:04:05Z", "Install complete");

/// Helm's record of a revision.
pub(crate) fn record(
    name: &str,
    revision: u32,
    status: &str,
    manifest: &str,
    values: &Json,
    (first_deployed, description): (&str, &str),
) -> Json {
    let release = json!({
        "name": name, "namespace": NAMESPACE, "version": revision, "manifest": manifest, "config": values,
        "info": {
            "status": status, "description": description, "notes": "The text is hello.\n",
            "first_deployed": first_deployed, "last_deployed": "2026-01-02T03:04:05Z", "deleted": "",
        },
        "chart": { "metadata": { "name": "one", "version": "0.1.0", "appVersion": "1.2" }, "values": {} },
        "hooks": null,
    });
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(release.to_string().as_bytes()).unwrap();
    let text = STANDARD.encode(packed.finish().unwrap());
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {
            "name": object_name(name, revision), "namespace": NAMESPACE,
            "labels": {
                "owner": "helm", "name": name, "version": revision.to_string(), "status": status,
                "createdAt": "1767323045", "modifiedAt": "1767323045",
            },
        },
        "data": { "release": STANDARD.encode(text) },
    })
}

/// What a record says.
pub(crate) fn read_record(api: &FakeApi, name: &str, revision: u32) -> Json {
    let secret = api.get(&record_of(name, revision)).unwrap();
    let text = STANDARD.decode(secret["data"]["release"].as_str().unwrap()).unwrap();
    let mut release = String::new();
    GzDecoder::new(STANDARD.decode(text).unwrap().as_slice()).read_to_string(&mut release).unwrap();
    serde_json::from_str(&release).unwrap()
}

/// Makes the manifest of a revision one that cannot be read, everything else as it was.
pub(crate) fn spoil_record(api: &FakeApi, name: &str, revision: u32) {
    let old = read_record(api, name, revision);
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    let info = (text(&old["info"]["first_deployed"]), text(&old["info"]["description"]));
    let status = text(&old["info"]["status"]);
    put_record_of(api, name, revision, &status, "---\nkind: [\n", &old["config"], (&info.0, &info.1));
}

/// Puts the objects of a manifest there.
pub(crate) fn put_objects(api: &FakeApi, manifest: &str) {
    for object in Manifest::parse(manifest).unwrap().objects {
        let mut body = object.body;
        body["metadata"]["namespace"] = object.id.namespace.as_deref().unwrap_or(NAMESPACE).into();
        api.put(body);
    }
}

/// An object of a manifest by its full name.
pub(crate) fn reference(id: &ObjectId, namespace: &str) -> ObjectRef {
    ObjectRef::new(&id.api_version, &id.kind, Some(id.namespace.as_deref().unwrap_or(namespace)), &id.name)
}

impl World {
    /// A cluster with the namespace, and a chart of one ConfigMap.
    pub(crate) fn new() -> World {
        let api = FakeApi::new();
        api.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }));
        let folder = tempfile::tempdir().unwrap();
        let world = World { api, folder, helm: None };
        std::fs::create_dir_all(world.chart().join("templates")).unwrap();
        world.write("Chart.yaml", "apiVersion: v2\nname: one\nversion: 0.1.0\nappVersion: \"1.2\"\n");
        world.write("values.yaml", "text: hello\n");
        world.write(
            "templates/config.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  text: {{ .Values.text }}\n",
        );
        world
    }

    /// The same, with a stand-in for Helm: then a release can be applied. In real time, since a program is waited for.
    pub(crate) fn with_helm() -> World {
        let mut world = World::new();
        world.helm = Some(StandIn::new(&world.api));
        world
    }

    /// The stand-in.
    pub(crate) fn helm(&self) -> &StandIn {
        self.helm.as_ref().unwrap()
    }

    /// The folder of the chart.
    pub(crate) fn chart(&self) -> PathBuf {
        self.folder.path().join("one")
    }

    /// Writes a file of the chart.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.chart().join(name), text).unwrap();
    }

    /// Terraform with an empty state, its provider configured for the cluster.
    pub(crate) async fn terraform(&self) -> Terraform {
        self.unconfigured().configure(json!({ "host": "the-world" })).await.unwrap()
    }

    /// Terraform whose provider is not configured yet.
    pub(crate) fn unconfigured(&self) -> Terraform {
        // A binary that is not there: whatever starts Helm fails.
        let helm = self.helm.as_ref().map_or_else(|| PathBuf::from("/nonexistent/helm"), StandIn::binary);
        Terraform::new(FfeProvider { session: Session::new(), cluster: self.api.cluster(), helm })
    }

    /// A configuration of a release of the chart.
    pub(crate) fn release(&self, name: &str, more: Json) -> Json {
        let mut config = json!({ "namespace": NAMESPACE, "name": name, "chart": self.chart() });
        if let (Some(config), Json::Object(more)) = (config.as_object_mut(), more) {
            config.extend(more);
        }
        config
    }

    /// Puts Helm's record of a revision there, and the objects of one that is deployed, as Helm itself would.
    pub(crate) fn record(&self, name: &str, revision: u32, status: &str, manifest: &str) {
        if status == "deployed" {
            put_objects(&self.api, manifest);
        }
        put_record(&self.api, name, revision, status, manifest, &json!({}));
    }

    /// Puts the journal of a release there that was applied with this configuration and rendered to this manifest.
    pub(crate) fn journal(&self, name: &str, written: &Json, text: &str, mark: Mark) {
        let digest = Chart::load(&self.chart()).unwrap().digest;
        let content = json!({
            "inputs": written.to_string(),
            "first_deployed": "2026-01-02T03:04:05Z",
            "applied": {
                "chart_digest": digest, "manifest_digest": Manifest::parse(text).unwrap().digest(),
                "set_wo_revision": null, "changes": [["create", "ConfigMap/one"]],
            },
            "runs": [{
                "id": "0123456789ab", "inputs_digest": "d", "outcome": "succeeded",
                "started": "2026-01-02T03:04:05Z", "finished": "2026-01-02T03:04:15Z",
                "phases": [{ "name": "deploy", "outcome": "succeeded", "started": "2026-01-02T03:04:05Z", "seconds": 1.5 }],
                "revision_after": 1, "schema_before": [], "schema_after": ["0003"], "verified": true,
            }],
        });
        self.write_journal(name, &content, &mark);
    }

    /// What the journal of a release says.
    pub(crate) fn read_journal(&self, name: &str) -> Json {
        let secret = self.api.get(&journal_of(name)).unwrap();
        let bytes = |key: &str| secret["data"][key].as_str().map(|text| STANDARD.decode(text).unwrap());
        match bytes("journal.gz") {
            Some(packed) => serde_json::from_reader(GzDecoder::new(packed.as_slice())).unwrap(),
            None => serde_json::from_slice(&bytes("journal").unwrap()).unwrap(),
        }
    }

    /// Changes what the journal of a release says.
    pub(crate) fn edit_journal(&self, name: &str, change: impl FnOnce(&mut Json)) {
        let secret = self.api.get(&journal_of(name)).unwrap();
        let meta = serde_json::from_value(secret["metadata"].clone()).unwrap();
        let mut content = self.read_journal(name);
        change(&mut content);
        self.write_journal(name, &content, &Mark::read(&meta).unwrap());
    }

    fn write_journal(&self, name: &str, content: &Json, mark: &Mark) {
        let mut secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "ffe.three-rivers.tech/journal.v1",
            "metadata": { "name": journal_of(name).name, "namespace": NAMESPACE },
            "data": { "journal": STANDARD.encode(content.to_string()) },
        });
        mark.write_value(&mut secret);
        self.api.put(secret);
    }

    /// A finished release of ours: Helm's record and the journal. Returns its configuration.
    pub(crate) fn ours(&self, name: &str) -> Json {
        let config = self.release(name, json!({ "set": [{ "name": "text", "value": "hello" }] }));
        self.record(name, 1, "deployed", &manifest("hello"));
        self.journal(name, &config, &manifest("hello"), Mark::complete(owner(name), "0123456789ab"));
        config
    }

    /// The journal of a finished release of ours, for a record that is there.
    pub(crate) fn ours_of(&self, name: &str, config: &Json, manifest: &str) {
        self.journal(name, config, manifest, Mark::complete(owner(name), "0123456789ab"));
    }

    /// The same, in Terraform's state already.
    pub(crate) async fn managed(&self, tf: &mut Terraform, name: &str) -> Json {
        let config = self.ours(name);
        tf.import(RELEASE, name, &format!("{NAMESPACE}/{name}"), config.clone()).await;
        assert!(!tf.state(RELEASE, name).is_null(), "{name} is not in the state");
        config
    }

    /// How often a record was opened.
    pub(crate) fn opened(&self) -> usize {
        self.api.seen().iter().filter(|seen| seen.method == "GET" && seen.path.contains("/secrets/sh.helm.")).count()
    }

    /// How often the records of the namespace were listed.
    pub(crate) fn listed(&self) -> usize {
        self.api.count("GET", &format!("/namespaces/{NAMESPACE}/secrets"))
    }

    /// How many requests would have changed something.
    pub(crate) fn writes(&self) -> usize {
        self.api.seen().iter().filter(|seen| seen.method != "GET").count()
    }
}

/// Whose a release is.
pub(crate) fn owner(name: &str) -> Owner {
    Owner::new(RELEASE, &format!("{NAMESPACE}/{name}"))
}
