//! What differs in one object from what was applied.

use ffe_cluster::drift::Difference;
use ffe_cluster::kube::api::DynamicObject;
use ffe_cluster::{Cluster, Error};
use ffe_helm::manifest::Manifest;
use ffe_session::Ignored;
use futures::StreamExt;
use serde_json::Value as Json;
use tfplugin::Redactor;

use super::shown::shown;
use super::watch::{Found, Watch, Watched, applied, settled};

/// Objects that are looked at at the same time.
const AT_ONCE: usize = 8;

/// What a comparison needs.
pub(super) struct Check<'a> {
    cluster: &'a Cluster,
    manifest: &'a Manifest,
    namespace: &'a str,
    redactor: Redactor,
    ignored: &'a Ignored,
}

/// What came of one.
#[derive(Default)]
struct Verdict {
    uid: String,
    version: String,
    settled: String,
    gone: bool,
    found: Vec<Found>,
    /// Why it was compared as it is written.
    unresolved: Option<Error>,
}

/// What could not be made sure of, and why.
#[derive(Default)]
pub(super) struct Doubts {
    /// Objects that could not be read: what was found in them last stays.
    pub(super) unread: Vec<(String, Error)>,
    /// Objects that were compared as they are written.
    pub(super) unresolved: Vec<(String, Error)>,
}

impl<'a> Check<'a> {
    /// A comparison with what a record says.
    pub(super) fn new(
        cluster: &'a Cluster,
        manifest: &'a Manifest,
        namespace: &'a str,
        redactor: Redactor,
        ignored: &'a Ignored,
    ) -> Check<'a> {
        Check { cluster, manifest, namespace, redactor, ignored }
    }

    /// Compares those at these positions, and notes what is found.
    pub(super) async fn compare_all(&self, watched: &mut Watched, positions: Vec<usize>) -> Doubts {
        let objects = &watched.objects;
        let looked: Vec<(usize, Result<Verdict, Error>)> = futures::stream::iter(positions)
            .map(|position| async move { (position, self.compare(&objects[position]).await) })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut doubts = Doubts::default();
        for (position, verdict) in looked {
            let watch = &mut watched.objects[position];
            match verdict {
                Ok(verdict) => {
                    doubts.unresolved.extend(verdict.unresolved.map(|error| (watch.display(self.namespace), error)));
                    (watch.uid, watch.version, watch.settled) = (verdict.uid, verdict.version, verdict.settled);
                    (watch.gone, watch.found) = (verdict.gone, verdict.found);
                }
                Err(error) => doubts.unread.push((watch.display(self.namespace), error)),
            }
        }
        doubts
    }

    async fn compare(&self, watch: &Watch) -> Result<Verdict, Error> {
        let Some(applied) = applied(self.manifest, watch, self.namespace) else { return Ok(Verdict::default()) };
        let Some(live) = self.cluster.find_ref(&watch.reference()).await? else {
            let found = if may_be_gone(applied) { Vec::new() } else { vec![Found::gone()] };
            return Ok(Verdict { gone: true, found, ..Verdict::default() });
        };
        let seen = Verdict {
            uid: live.metadata.uid.clone().unwrap_or_default(),
            version: live.metadata.resource_version.clone().unwrap_or_default(),
            settled: settled(&live.metadata),
            ..Verdict::default()
        };
        let live = whole(live);
        let counts = |difference: &Difference| self.counts(watch, difference);
        let drift = self.cluster.drift(&at_home(applied, &watch.namespace), &live, counts).await;
        let (found, unresolved) = (drift.differences, drift.unresolved);
        let found = found.iter().map(|difference| shown(&watch.kind, difference, &self.redactor)).collect();
        Ok(Verdict { found, unresolved, ..seen })
    }

    fn counts(&self, watch: &Watch, difference: &Difference) -> bool {
        let pointer = difference.pointer();
        let scaled = pointer == "/spec/replicas" && self.is_scaled(watch);
        !scaled && !self.ignored.field(&watch.kind, &watch.name, &pointer)
    }

    /// Whether an autoscaler of the release decides how many replicas there are. One that is not of the release shows in who
    /// has written the field.
    fn is_scaled(&self, watch: &Watch) -> bool {
        self.manifest.objects.iter().any(|object| {
            let target = &object.body["spec"]["scaleTargetRef"];
            let kind = target["kind"].as_str().unwrap_or("Deployment");
            matches!(object.id.kind.as_str(), "HorizontalPodAutoscaler" | "ScaledObject")
                && kind == watch.kind
                && target["name"] == watch.name.as_str()
                && object.id.namespace.as_deref().unwrap_or(self.namespace) == watch.namespace
        })
    }
}

impl Found {
    fn gone() -> Found {
        Found { path: String::new(), was: None, is: None }
    }
}

/// Whether the cluster itself removes such an object when it is done.
fn may_be_gone(applied: &Json) -> bool {
    applied["kind"] == "Job" && !applied["spec"]["ttlSecondsAfterFinished"].is_null()
}

fn whole(object: DynamicObject) -> Json {
    serde_json::to_value(object).unwrap_or_default()
}

/// The object with its namespace said, for a kind that has one.
fn at_home(applied: &Json, namespace: &str) -> Json {
    let mut object = applied.clone();
    if let Some(meta) = object["metadata"].as_object_mut() {
        meta.entry("namespace").or_insert_with(|| Json::from(namespace));
    }
    object
}
