//! The life of a release in a real cluster, in a namespace of its own. No pods: config maps say enough, and fast.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ffe_cluster::{Cluster, DeleteOptions, Environment, KubernetesSettings, ObjectRef, Query};
use ffe_helm::binary::{
    Cause, DeployRequest, Deployment, Driver, Held, Helm, Major, RenderMode, RenderRequest, RollbackRequest,
    UninstallRequest,
};
use ffe_helm::manifest::Digests;
use ffe_helm::records::{Records, Status};
use ffe_helm::values::{Values, merge_documents};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use libtest_mimic::{Failed, Trial};
use tokio_util::sync::CancellationToken;

use crate::support::{chart, config, ensure, on_runtime};

const VARIABLE: &str = "FFE_TEST_KUBECONFIG";
const MINUTE: Duration = Duration::from_secs(60);
const SETTINGS: (&str, &str) = (
    "templates/settings.yaml",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-settings}\ndata: {{ .Values.data | toJson }}\n",
);
const NOTES: (&str, &str) = ("templates/NOTES.txt", "Hello {{ .Release.Name }}, revision {{ .Release.Revision }}.\n");
const RANDOM: (&str, &str) = (
    "templates/random.yaml",
    "apiVersion: v1\nkind: Secret\nmetadata: {name: random}\nstringData: {fixed: a, password: {{ randAlphaNum 12 | quote }}}\n",
);
const STUCK: (&str, &str) = (
    "templates/stuck.yaml",
    "{{ if .Values.stuck }}\napiVersion: batch/v1\nkind: Job\nmetadata: {name: stuck, annotations: {helm.sh/hook: pre-install}}\n\
     spec: {template: {spec: {restartPolicy: Never, nodeSelector: {no: such-node}, containers: [{name: a, image: a:1}]}}}\n{{ end }}\n",
);

pub(crate) fn trials(major: &str, helm: &crate::Helm, trials: &mut Vec<Trial>) {
    let mut add = |name: &'static str, run: fn(Place) -> Result<(), Failed>| {
        let (binary, needs, major) = (helm.path(), helm.and(VARIABLE), major.to_owned());
        let kubeconfig = needs.get(VARIABLE);
        let title = format!("{major}::cluster::{name}");
        trials.push(needs.trial(title, move || {
            let name = format!("ffe-helm-{major}-{}-{}", name.replace('_', "-"), std::process::id());
            run(Place { binary, kubeconfig, namespace: name })
        }));
    };
    add("life", |place| place.visit(Driver::Secret, life));
    add("configmaps", |place| place.visit(Driver::ConfigMap, life));
    add("killed", |place| place.visit(Driver::Secret, killed));
    add("foreign", |place| place.visit(Driver::Secret, foreign));
    add("held", |place| place.visit(Driver::Secret, held));
    add("held_configmaps", |place| place.visit(Driver::ConfigMap, held));
    add("held_elsewhere", |place| place.visit(Driver::Secret, held_elsewhere));
}

struct Place {
    binary: PathBuf,
    kubeconfig: String,
    namespace: String,
}

/// What a trial works with.
struct Visit {
    helm: Helm,
    cluster: Cluster,
    records: Records,
    namespace: String,
    cancel: CancellationToken,
}

impl Place {
    fn visit<F: Future<Output = Result<(), Failed>>>(
        self,
        driver: Driver,
        trial: impl FnOnce(std::sync::Arc<Visit>) -> F,
    ) -> Result<(), Failed> {
        on_runtime(async move {
            let settings = KubernetesSettings { config_path: Some(self.kubeconfig), ..KubernetesSettings::default() };
            let cluster = Cluster::connect(&settings, &Environment::process())?;
            let mut config = config(&self.binary);
            config.cluster = Some(cluster.clone());
            config.driver = driver;
            let visit = std::sync::Arc::new(Visit {
                helm: Helm::new(config),
                records: Records::new(cluster.clone(), driver),
                cluster: cluster.clone(),
                namespace: self.namespace.clone(),
                cancel: CancellationToken::new(),
            });
            let metadata = ObjectMeta { name: Some(self.namespace.clone()), ..ObjectMeta::default() };
            cluster.create(&Namespace { metadata, ..Namespace::default() }).await?;
            let result = trial(visit).await;
            cluster.delete(&ObjectRef::of::<Namespace>(None, &self.namespace), &DeleteOptions::default()).await?;
            result
        })
    }
}

impl Visit {
    fn deploy<'a>(&'a self, chart: &'a Path, values: &'a Values) -> DeployRequest<'a> {
        DeployRequest { max_history: 10, ..DeployRequest::new("web", &self.namespace, chart, values, MINUTE) }
    }

    async fn hold(
        &self,
        deployment: Deployment,
        chart: &Path,
        values: &Values,
    ) -> Result<Option<Held>, ffe_helm::Error> {
        self.helm.hold(deployment, &self.deploy(chart, values), MINUTE, &self.cancel).await
    }

    /// The processes of Helm that are at work in the namespace.
    fn processes(&self) -> Vec<String> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ours = entries.filter(|entry| {
            let words = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            words.contains("--reset-values") && words.split('\0').any(|word| word == self.namespace)
        });
        ours.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// The names under which the release's records were written.
    async fn writers(&self) -> Result<Vec<String>, Failed> {
        let mut names = Vec::new();
        for key in self.records.history_now(&self.namespace, "web").await? {
            let (api, kind) = ("v1", if self.helm.driver() == Driver::Secret { "Secret" } else { "ConfigMap" });
            let object = ObjectRef::new(api, kind, Some(&self.namespace), &key.object);
            let found = self.cluster.find_ref(&object).await?.ok_or("no record")?;
            names.extend(found.metadata.managed_fields.unwrap_or_default().into_iter().filter_map(|one| one.manager));
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    async fn setting(&self, key: &str) -> Result<String, Failed> {
        let found: ConfigMap = self.cluster.get(Some(&self.namespace), "web-settings").await?;
        Ok(found.data.and_then(|mut data| data.remove(key)).unwrap_or_default())
    }

    async fn statuses(&self) -> Result<String, Failed> {
        self.records.invalidate(&self.namespace);
        let history = self.records.history(&self.namespace, "web").await?;
        Ok(history.iter().map(|key| format!("{} {}", key.revision, key.status)).collect::<Vec<_>>().join(", "))
    }
}

/// A hook, and what only the cluster knows.
const ASKING: &[(&str, &str)] = &[
    SETTINGS,
    (
        "templates/asking.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: asking}\ndata:\n  kube: {{ .Capabilities.KubeVersion.Version | quote }}\n  \
         apps: {{ .Capabilities.APIVersions.Has \"apps/v1/Deployment\" | quote }}\n  revision: {{ .Release.Revision | quote }}\n  \
         there: {{ (lookup \"v1\" \"ConfigMap\" .Release.Namespace \"kube-root-ca.crt\").metadata.name | quote }}\n",
    ),
    (
        "templates/hook.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: \"pre-install,pre-upgrade\"}\ndata: {{ .Values.data | toJson }}\n",
    ),
];

/// Helm renders, waits before it writes, and deploys what was looked at.
async fn held(visit: std::sync::Arc<Visit>) -> Result<(), Failed> {
    let (helm, cancel) = (&visit.helm, &visit.cancel);
    let chart = chart("x", "1.0.0", ASKING);
    let (one, two) = (values("data: {a: one}"), values("data: {a: two}"));
    let mut request = RenderRequest::new("web", &visit.namespace, chart.path(), &one);
    request.mode = RenderMode::Install;
    let planned = helm.render(&request, cancel).await?.manifest;
    ensure(planned.hooks.len() == 1 && planned.objects.len() == 2, format!("{planned:?}"))?;

    let held = visit.hold(Deployment::Install, chart.path(), &one).await?.ok_or("it does not stop")?;
    ensure(*held.manifest() == planned, "what is held is not what was planned")?;
    ensure(visit.statuses().await?.is_empty(), "it has written while it was held")?;
    let there: Option<ConfigMap> = visit.cluster.find(Some(&visit.namespace), "web-settings").await?;
    ensure(there.is_none(), "it has deployed while it was held")?;
    held.go_on(cancel).await?;
    ensure(visit.statuses().await? == "1 deployed" && visit.setting("a").await? == "one", visit.statuses().await?)?;
    let key = visit.records.history_now(&visit.namespace, "web").await?.pop().ok_or("no record")?;
    let release = visit.records.open(&key).await?.ok_or("no record")?;
    ensure(release.parsed_manifest()? == planned, "another manifest was deployed")?;

    // One that is given up is gone, has done nothing, and stands in nobody's way.
    drop(visit.hold(Deployment::Upgrade, chart.path(), &two).await?.ok_or("it does not stop")?);
    while !visit.processes().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ensure(visit.statuses().await? == "1 deployed", visit.statuses().await?)?;

    // One that somebody overtakes does nothing either.
    let held = visit.hold(Deployment::Upgrade, chart.path(), &two).await?.ok_or("it does not stop")?;
    let theirs = values("data: {a: theirs}");
    helm.upgrade(&visit.deploy(chart.path(), &theirs), cancel).await?;
    let outrun = held.go_on(cancel).await.err().ok_or("it has deployed upon what it had not seen")?;
    ensure(outrun.failure().is_some_and(|failure| failure.cause == Cause::Outrun), outrun.to_string())?;
    ensure(visit.statuses().await? == "1 superseded, 2 deployed", visit.statuses().await?)?;
    ensure(visit.setting("a").await? == "theirs", "it has deployed all the same")?;
    let held = visit.hold(Deployment::Upgrade, chart.path(), &two).await?.ok_or("it does not stop")?;
    held.go_on(cancel).await?;
    ensure(visit.setting("a").await? == "two", "not upgraded")?;

    // One that is killed while it waits is seen to be.
    let held = visit.hold(Deployment::Upgrade, chart.path(), &one).await?.ok_or("it does not stop")?;
    ensure(held.waits(), "it does not wait")?;
    for process in visit.processes() {
        std::process::Command::new("kill").args(["-9", &process]).status()?;
    }
    while held.waits() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ensure(held.go_on(cancel).await.is_err() && visit.setting("a").await? == "two", "a dead helm has deployed")?;

    // Cancelled while it waits; and what does not render fails as ever.
    let stop = CancellationToken::new();
    stop.cancel();
    let cancelled = helm.hold(Deployment::Upgrade, &visit.deploy(chart.path(), &one), MINUTE, &stop).await;
    ensure(cancelled.err().is_some_and(|error| error.is_cancelled()), "not cancelled")?;
    let broken = crate::support::chart("x", "1.0.1", &[("templates/a.yaml", "{{ fail \"no\" }}")]);
    let error = visit.hold(Deployment::Upgrade, broken.path(), &one).await.err().ok_or("it rendered")?;
    ensure(error.failure().is_some_and(|failure| failure.cause == Cause::Render), error.to_string())?;
    ensure(!error.to_string().contains("127.0.0.1"), error.to_string())?;

    // The same Helm writes in its own name, by whichever way.
    let writers: Vec<String> = visit.writers().await?;
    ensure(writers.len() == 1, format!("{writers:?}"))
}

/// What Helm would do before it writes its record is not done while it is held.
async fn held_elsewhere(visit: std::sync::Arc<Visit>) -> Result<(), Failed> {
    let chart = chart("x", "1.0.0", &[SETTINGS]);
    let one = values("data: {a: one}");
    visit.helm.install(&visit.deploy(chart.path(), &one), &visit.cancel).await?;
    let mut uninstall = UninstallRequest::new("web", &visit.namespace, MINUTE);
    uninstall.keep_history = true;
    visit.helm.uninstall(&uninstall, &visit.cancel).await?;
    let before = visit.statuses().await?;
    let request = DeployRequest { replace: true, ..visit.deploy(chart.path(), &one) };
    let held = visit.helm.hold(Deployment::Install, &request, MINUTE, &visit.cancel).await?;
    ensure(held.is_none(), "it writes its old record first, and was held at another write")?;
    ensure(visit.statuses().await? == before, visit.statuses().await?)?;
    visit.helm.install(&request, &visit.cancel).await?;
    ensure(visit.setting("a").await? == "one", "not installed")
}

fn values(text: &str) -> Values {
    merge_documents(&[text]).unwrap()
}

async fn life(visit: std::sync::Arc<Visit>) -> Result<(), Failed> {
    let (helm, records, namespace, cancel) = (&visit.helm, &visit.records, visit.namespace.as_str(), &visit.cancel);
    let chart = chart("x", "1.0.0", &[SETTINGS, NOTES, RANDOM]);
    let one = values("data: {a: one, big: '1000000'}");

    // Planned twice: what is random shows, the rest is what is then installed.
    let mut request = RenderRequest::new("web", namespace, chart.path(), &one);
    request.mode = RenderMode::Install;
    let (planned, again) = (helm.render(&request, cancel).await?, helm.render(&request, cancel).await?);
    let unstable = planned.manifest.unstable_fields(&again.manifest);
    let paths: Vec<_> = unstable.iter().map(|field| format!("{}{}", field.object, field.path)).collect();
    ensure(paths == ["Secret random/stringData/password"], format!("{paths:?}"))?;
    ensure(planned.notes.as_deref() == Some("Hello web, revision 1.\n"), format!("{:?}", planned.notes))?;
    ensure(records.history_now(namespace, "web").await?.is_empty(), "a simulation left a record")?;

    helm.install(&DeployRequest { description: Some("first of all"), ..visit.deploy(chart.path(), &one) }, cancel)
        .await?;
    let key = records.history_now(namespace, "web").await?.pop().ok_or("no record")?;
    let release = records.open(&key).await?.ok_or("no record")?;
    ensure((release.revision, release.status) == (1, Status::Deployed), format!("{release:?}"))?;
    ensure(release.description == "first of all", &release.description)?;
    ensure(release.notes.trim_end() == "Hello web, revision 1.", &release.notes)?;
    ensure(release.config == *one.as_map(), "other values were recorded")?;
    ensure((release.chart.name.as_str(), release.app_version()) == ("x", Some("7")), format!("{:?}", release.chart))?;
    ensure(release.first_deployed.is_some() && release.deleted.is_none(), "times are missing")?;
    let digests = Digests { unstable: &unstable };
    ensure(digests.of(&release.parsed_manifest()?) == digests.of(&planned.manifest), "another manifest was installed")?;
    ensure(visit.setting("a").await? == "one", "not installed")?;

    let in_use = helm.install(&visit.deploy(chart.path(), &one), cancel).await.err().ok_or("installed twice")?;
    ensure(in_use.failure().is_some_and(|f| f.cause == Cause::NameInUse), in_use.to_string())?;

    // Nothing of the old values stays.
    let two = values("data: {b: two}");
    request = RenderRequest::new("web", namespace, chart.path(), &two);
    request.mode = RenderMode::Upgrade;
    ensure(helm.render(&request, cancel).await?.notes.as_deref() == Some("Hello web, revision 2.\n"), "no upgrade")?;
    helm.upgrade(&visit.deploy(chart.path(), &two), cancel).await?;
    ensure(visit.setting("a").await?.is_empty() && visit.setting("b").await? == "two", "not upgraded")?;
    ensure(visit.statuses().await? == "1 superseded, 2 deployed", visit.statuses().await?)?;

    let wrong = values("data: {b: {no: text}}");
    let refused = helm.upgrade(&visit.deploy(chart.path(), &wrong), cancel).await.err().ok_or("accepted")?;
    ensure(
        refused.to_string().contains("web-settings") || refused.to_string().contains("ConfigMap"),
        refused.to_string(),
    )?;
    let statuses = visit.statuses().await?;
    ensure(statuses.starts_with("1 superseded, 2 deployed") && !statuses.contains("pending"), statuses)?;

    helm.rollback(&RollbackRequest::new("web", namespace, 1, MINUTE), cancel).await?;
    ensure(visit.setting("a").await? == "one", "not rolled back")?;
    let newest = records.history_now(namespace, "web").await?.pop().ok_or("no record")?;
    ensure(newest.status == Status::Deployed && newest.revision > 2, format!("{newest:?}"))?;

    // Somebody else's change of a field gives way where that is wished.
    other_manager_sets(&visit, "a", "theirs").await?;
    let three = values("data: {a: three}");
    let changed = helm.upgrade(&visit.deploy(chart.path(), &three), cancel).await;
    match (helm.major().await?, changed) {
        (Major::V3, changed) => drop(changed?),
        (Major::V4, Ok(_)) => return Err("Helm 4 overrode a foreign field unasked".into()),
        (Major::V4, Err(e)) => ensure(e.failure().is_some_and(|f| f.cause == Cause::Conflict), e.to_string())?,
    }
    helm.upgrade(&DeployRequest { force_conflicts: true, ..visit.deploy(chart.path(), &three) }, cancel).await?;
    ensure(visit.setting("a").await? == "three", "not forced")?;

    let mut uninstall = UninstallRequest::new("web", namespace, MINUTE);
    uninstall.keep_history = true;
    uninstall.wait = true;
    helm.uninstall(&uninstall, cancel).await?;
    ensure(visit.statuses().await?.ends_with("uninstalled"), visit.statuses().await?)?;
    helm.install(&DeployRequest { replace: true, ..visit.deploy(chart.path(), &one) }, cancel).await?;
    uninstall.keep_history = false;
    helm.uninstall(&uninstall, cancel).await?;
    ensure(records.history_now(namespace, "web").await?.is_empty(), "records stayed")?;
    helm.uninstall(&uninstall, cancel).await?;
    Ok(())
}

async fn other_manager_sets(visit: &Visit, key: &str, value: &str) -> Result<(), Failed> {
    let patch = serde_json::json!({ "data": { key: value } });
    visit.cluster.merge::<ConfigMap>(Some(&visit.namespace), "web-settings", &patch).await?;
    Ok(())
}

/// Helm is killed in the middle of a first install; the release is then finished without being removed first.
async fn killed(visit: std::sync::Arc<Visit>) -> Result<(), Failed> {
    let (helm, records, namespace, cancel) = (&visit.helm, &visit.records, visit.namespace.as_str(), &visit.cancel);
    let chart = chart("x", "1.0.0", &[SETTINGS, STUCK]);
    let stuck = values("data: {a: one}\nstuck: true");
    let run = {
        let (visit, path) = (visit.clone(), chart.path().to_owned());
        tokio::spawn(async move {
            let request = visit.deploy(&path, &stuck);
            visit.helm.install(&request, &visit.cancel).await.map(drop)
        })
    };
    let query = Query::default();
    while visit.cluster.list::<k8s_openapi::api::batch::v1::Job>(Some(namespace), &query).await?.is_empty() {
        ensure(!run.is_finished(), "the install ended by itself")?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    run.abort();
    ensure(run.await.is_err(), "not killed")?;
    ensure(visit.statuses().await? == "1 pending-install", visit.statuses().await?)?;

    let sound = values("data: {a: one}");
    let pending = helm.upgrade(&visit.deploy(chart.path(), &sound), cancel).await.err().ok_or("not pending")?;
    ensure(pending.failure().is_some_and(|f| f.cause == Cause::Pending), pending.to_string())?;
    let key = records.history_now(namespace, "web").await?.pop().ok_or("no record")?;
    records.unlock(&key, "interrupted").await?;
    ensure(visit.statuses().await? == "1 failed", visit.statuses().await?)?;
    helm.upgrade(&visit.deploy(chart.path(), &sound), cancel).await?;
    ensure(visit.statuses().await?.ends_with("2 deployed"), visit.statuses().await?)?;

    // Cancelled in earnest: Helm ends in its own time and says that it failed.
    helm.uninstall(&UninstallRequest::new("web", namespace, MINUTE), cancel).await?;
    visit
        .cluster
        .delete(&ObjectRef::new("batch/v1", "Job", Some(namespace), "stuck"), &DeleteOptions::default())
        .await?;
    let stop = CancellationToken::new();
    let stuck = values("data: {a: one}\nstuck: true");
    let request = visit.deploy(chart.path(), &stuck);
    let (result, ()) = tokio::join!(helm.install(&request, &stop), async {
        while records.history_now(namespace, "web").await.is_ok_and(|history| history.is_empty()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop.cancel();
    });
    ensure(result.err().is_some_and(|e| e.is_cancelled()), "not cancelled")?;
    ensure(visit.statuses().await? == "1 failed", visit.statuses().await?)
}

/// An object that somebody else made is not touched unless told so.
async fn foreign(visit: std::sync::Arc<Visit>) -> Result<(), Failed> {
    let (helm, namespace, cancel) = (&visit.helm, visit.namespace.as_str(), &visit.cancel);
    let metadata =
        ObjectMeta { name: Some("web-settings".into()), namespace: Some(namespace.into()), ..ObjectMeta::default() };
    visit.cluster.create(&ConfigMap { metadata, ..ConfigMap::default() }).await?;
    let chart = chart("x", "1.0.0", &[SETTINGS]);
    let values = values("data: {a: one}");
    let refused = helm.install(&visit.deploy(chart.path(), &values), cancel).await.err().ok_or("taken over unasked")?;
    ensure(refused.failure().is_some_and(|f| f.cause == Cause::Ownership), refused.to_string())?;
    let nowhere =
        RenderRequest { mode: RenderMode::Upgrade, ..RenderRequest::new("none", namespace, chart.path(), &values) };
    let missing = helm.render(&nowhere, cancel).await.err().ok_or("upgraded nothing")?;
    ensure(missing.failure().is_some_and(|f| f.cause == Cause::NotFound), missing.to_string())?;

    helm.install(&DeployRequest { take_ownership: true, replace: true, ..visit.deploy(chart.path(), &values) }, cancel)
        .await?;
    ensure(visit.setting("a").await? == "one", "not taken over")?;

    let crd = ("templates/x.yaml", "apiVersion: no.example/v1\nkind: Thing\nmetadata: {name: a}\n");
    let unknown = crate::support::chart("x", "1.0.1", &[SETTINGS, crd]);
    let error = helm.upgrade(&visit.deploy(unknown.path(), &values), cancel).await.err().ok_or("accepted")?;
    ensure(error.failure().is_some_and(|f| f.cause == Cause::UnknownKind), error.to_string())
}
