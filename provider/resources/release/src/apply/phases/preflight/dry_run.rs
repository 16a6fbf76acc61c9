//! Whether the API server would take what is about to be deployed, asked before anything changes.
//!
//! Helm asks nobody in earnest: it looks at the server's schemas, which takes longer than all the rest that it does, and checks
//! neither what may not change, nor quotas, nor admission. So the server itself is asked, object by object, to do it without doing
//! it: to create what is new, and to change of the rest what differs from the manifest before. Only an answer that Helm would get
//! as well is an error. What cannot be tried yet (a kind or a namespace that the release brings itself), what may not be tried
//! (a right that is missing, a webhook that knows no dry run) and what depends on the order of several objects is left to Helm.

use std::collections::BTreeMap;

use ffe_cluster::{Cluster, Error, Kind, ObjectRef};
use ffe_helm::binary::Major;
use ffe_helm::manifest::{Manifest, Object, ObjectId};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Map, Value as Json};
use tfplugin::Diagnostic;

use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::rendering::changes::display;

/// Requests at once.
const AT_A_TIME: usize = 8;

/// What comes before an object that is quoted.
const QUOTED: &str = "patch: Invalid value: \"";

/// What is tried with one object.
#[derive(Clone, Debug, PartialEq)]
enum Trial {
    Create,
    /// The difference from the manifest before, as a JSON merge patch.
    Change(Json),
}

/// What an answer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Helm would fail as well.
    Refused,
    /// So would Helm 4; Helm 3 and the server only warn of it.
    UnknownField,
    /// Helm would fail as well, unless what it writes before it makes the difference.
    Perhaps,
    /// It says nothing about the deployment.
    Left,
}

/// Tries every object that is new or changes. Hooks are not tried: Helm removes their predecessors first.
///
/// # Errors
/// With all refusals at once.
pub(crate) async fn try_changes(run: &mut Run, before: Option<&Manifest>, manifest: &Manifest) -> Result<(), Stop> {
    let trials = trials(before, manifest);
    if trials.is_empty() {
        return Ok(());
    }
    let major = run.kit.helm.major().await.map_err(|error| Stop::helm(&error, "Helm cannot be run"))?;
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (object, _) in &trials {
        *kinds.entry(object.id.kind.clone()).or_default() += 1;
    }
    let mut tries: Vec<BoxFuture<'static, Option<Diagnostic>>> = Vec::new();
    for (object, trial) in trials {
        let alone = kinds.get(&object.id.kind) == Some(&1);
        let (cluster, namespace) = (run.cluster.clone(), run.inputs.namespace.clone());
        tries.push(Asker { cluster, namespace, object: object.clone(), trial, major, alone }.ask().boxed());
    }
    let asking = futures::stream::iter(tries).buffered(AT_A_TIME).collect::<Vec<Option<Diagnostic>>>();
    let found = tokio::select! {
        found = asking => found,
        () = run.cancel.cancelled() => return Err(Stop::Cancelled),
    };
    let (errors, warnings): (Vec<_>, Vec<_>) = found.into_iter().flatten().partition(Diagnostic::is_error);
    run.warnings.extend(warnings);
    if errors.is_empty() { Ok(()) } else { Err(Stop::Failed(errors.into_iter().collect())) }
}

/// What differs between two manifests, and can be tried.
fn trials<'a>(before: Option<&Manifest>, manifest: &'a Manifest) -> Vec<(&'a Object, Trial)> {
    let before: BTreeMap<&ObjectId, &Json> =
        before.into_iter().flat_map(|manifest| &manifest.objects).map(|object| (&object.id, &object.body)).collect();
    let trial = |object: &'a Object| {
        // The server would have to make up its name.
        object.body.pointer("/metadata/name")?;
        match before.get(&object.id) {
            None => Some((object, Trial::Create)),
            // Of a pod next to nothing may change, and a merge patch gives up what the server has added to its containers.
            Some(_) if object.id.kind == "Pod" => None,
            Some(old) => merge_patch(old, &object.body).map(|patch| (object, Trial::Change(patch))),
        }
    };
    manifest.objects.iter().filter_map(trial).collect()
}

/// The JSON merge patch (RFC 7386) from one value to another; `None` where they are the same.
fn merge_patch(from: &Json, to: &Json) -> Option<Json> {
    if from == to {
        return None;
    }
    let (Json::Object(from), Json::Object(to)) = (from, to) else { return Some(to.clone()) };
    let removed = from.keys().filter(|key| !to.contains_key(*key)).map(|key| (key.clone(), Json::Null));
    let changed = to.iter().filter_map(|(key, new)| {
        let patch = match from.get(key) {
            Some(old) => merge_patch(old, new)?,
            None => new.clone(),
        };
        Some((key.clone(), patch))
    });
    Some(Json::Object(removed.chain(changed).collect::<Map<_, _>>()))
}

struct Asker {
    cluster: Cluster,
    namespace: String,
    object: Object,
    trial: Trial,
    major: Major,
    /// No other object of its kind is new or changes.
    alone: bool,
}

impl Asker {
    /// Asks, and says what is wrong.
    async fn ask(self) -> Option<Diagnostic> {
        let error = self.once(false).await.err()?;
        match judge(&error, self.major, self.alone) {
            Verdict::UnknownField => {
                // What else is wrong shows without it.
                if let Err(other) = self.once(true).await
                    && judge(&other, self.major, self.alone) == Verdict::Refused
                    && !self.is_there().await
                {
                    return Some(self.refused(&other));
                }
                Some(Diagnostic::warning(
                    format!(
                        "{} has fields that the API server does not know",
                        display(&self.object.id, &self.namespace)
                    ),
                    format!("{}\n\nThey are left out. Helm 4 would refuse the object.", shown_error(&error)),
                ))
            }
            Verdict::Refused if !self.is_there().await => Some(self.refused(&error)),
            Verdict::Perhaps if !self.is_there().await => Some(Diagnostic::warning(
                format!("The API server may refuse {}", display(&self.object.id, &self.namespace)),
                format!(
                    "{}\n\nIt was asked before the other objects of this kind are written, which may make the difference.",
                    shown_error(&error)
                ),
            )),
            _ => {
                tracing::debug!(object = %self.object.id, error = shown_error(&error), "a dry run says nothing; it is left to Helm");
                None
            }
        }
    }

    async fn once(&self, lenient: bool) -> Result<(), Error> {
        let mut body = self.object.body.clone();
        if let Some(meta) = body.get_mut("metadata").and_then(Json::as_object_mut) {
            meta.entry("namespace").or_insert_with(|| Json::from(self.namespace.as_str()));
        }
        match &self.trial {
            Trial::Create => self.cluster.try_create(&body, lenient).await,
            Trial::Change(patch) => self.cluster.try_merge(&body, patch, lenient).await,
        }
    }

    /// Whether what was to be created is there, or may be: what is refused as new may be taken as it is (a port that it holds
    /// itself, a quota that it counts for).
    async fn is_there(&self) -> bool {
        if matches!(self.trial, Trial::Change(_)) {
            return false;
        }
        let id = &self.object.id;
        let namespace = id.namespace.as_deref().unwrap_or(&self.namespace);
        let object = ObjectRef::new(&id.api_version, &id.kind, Some(namespace), &id.name);
        !matches!(self.cluster.find_ref(&object).await, Ok(None))
    }

    fn refused(&self, error: &Error) -> Diagnostic {
        Diagnostic::error(
            format!("The API server refuses {}", display(&self.object.id, &self.namespace)),
            format!("{}\n\nIt was asked without changing anything, and nothing was changed.", shown_error(error)),
        )
    }
}

/// The error as it may be shown: of a patch that does not fit the API server quotes the whole object, a Secret's content too.
fn shown_error(error: &Error) -> String {
    let text = error.to_string();
    let (Some(quoted), Some(end)) = (text.find(QUOTED), text.rfind("\": ")) else { return text };
    format!("{}{}", &text[..quoted], text.get(end + 3..).unwrap_or_default())
}

/// What an answer says about the deployment.
fn judge(error: &Error, major: Major, alone: bool) -> Verdict {
    let text = error.to_string();
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if says(&["does not support dry run", "failed to configure binding", "failed calling webhook"]) {
        return Verdict::Left;
    }
    match error.kind() {
        Kind::Invalid if says(&["strict decoding error", "field not declared in schema"]) => match major {
            Major::V3 => Verdict::UnknownField,
            Major::V4 => Verdict::Refused,
        },
        // Another object of the release may hold it until it is written itself.
        Kind::Invalid | Kind::Forbidden if says(&["denied the request", "already allocated"]) => {
            if alone {
                Verdict::Refused
            } else {
                Verdict::Perhaps
            }
        }
        Kind::Invalid => Verdict::Refused,
        Kind::Forbidden if says(&["exceeded quota", "violates PodSecurity"]) => Verdict::Refused,
        _ => Verdict::Left,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ffe_cluster_testing::FakeApi;
    use serde_json::json;

    fn manifest(objects: &[Json]) -> Manifest {
        let texts: Vec<String> = objects.iter().map(ToString::to_string).collect();
        Manifest::parse(&texts.join("\n---\n")).unwrap()
    }

    fn map(name: &str, data: Json) -> Json {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data })
    }

    #[test]
    fn what_is_new_or_changes_is_tried_and_nothing_else() {
        let before = manifest(&[map("same", json!({ "a": "1" })), map("other", json!({ "a": "1", "b": "2" }))]);
        let pod = |image: &str| json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" }, "spec": { "image": image } });
        let unnamed = json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "generateName": "j-" } });
        let hook = json!({ "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "h", "annotations": { "helm.sh/hook": "pre-install" } } });
        let now = manifest(&[
            map("same", json!({ "a": "1" })),
            map("other", json!({ "a": "3" })),
            map("new", json!({})),
            unnamed,
            hook,
        ]);
        let found: Vec<_> = trials(Some(&before), &now).into_iter().map(|(o, t)| (o.id.name.as_str(), t)).collect();
        let change = Trial::Change(json!({ "data": { "a": "3", "b": null } }));
        assert_eq!(found, [("other", change), ("new", Trial::Create)]);
        assert!(trials(Some(&manifest(&[pod("a:1")])), &manifest(&[pod("a:2")])).is_empty());
        assert_eq!(trials(None, &manifest(&[pod("a:1")])).len(), 1);
    }

    #[test]
    fn a_merge_patch_replaces_lists_and_removes_what_is_gone() {
        let from = json!({ "a": { "keep": 1, "gone": 2 }, "list": [1, 2], "same": [3] });
        let to = json!({ "a": { "keep": 1, "new": { "x": 1 } }, "list": [1], "same": [3] });
        assert_eq!(merge_patch(&from, &to), Some(json!({ "a": { "gone": null, "new": { "x": 1 } }, "list": [1] })));
        assert_eq!(merge_patch(&to, &to), None);
    }

    /// An API server with the namespace and nothing in it.
    fn empty_api() -> FakeApi {
        let api = FakeApi::new();
        api.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "ffe" } }));
        api
    }

    /// An answer of the API server to the creation of a ConfigMap, judged.
    async fn judged(code: u16, reason: &str, message: &str, major: Major, alone: bool) -> Option<Diagnostic> {
        judged_at(&empty_api(), (code, reason, message), major, alone).await
    }

    async fn judged_at(api: &FakeApi, answer: (u16, &str, &str), major: Major, alone: bool) -> Option<Diagnostic> {
        let (code, reason, message) = answer;
        api.fail("POST", "/configmaps", None, code, reason, message);
        let now = manifest(&[map("new", json!({}))]);
        let asker = Asker {
            cluster: api.cluster(),
            namespace: "ffe".to_owned(),
            object: now.objects[0].clone(),
            trial: Trial::Create,
            major,
            alone,
        };
        asker.ask().await
    }

    #[tokio::test]
    async fn only_what_helm_would_meet_as_well_is_refused() {
        let strict = "strict decoding error: unknown field \"dta\"";
        let denied = "admission webhook \"x\" denied the request: host is taken";
        let quota = "configmaps \"new\" is forbidden: exceeded quota: small, requested: configmaps=1";
        let right = "configmaps is forbidden: User \"u\" cannot create resource \"configmaps\"";
        let webhook = "admission webhook \"x\" does not support dry run";
        let three = Major::V3;
        for (code, reason, message, major, alone, expected) in [
            (422, "Invalid", "ConfigMap \"new\" is invalid: metadata.name: bad", three, true, Some(true)),
            (400, "BadRequest", strict, Major::V4, true, Some(true)),
            (403, "Forbidden", quota, three, false, Some(true)),
            (400, "BadRequest", denied, three, true, Some(true)),
            (400, "BadRequest", denied, three, false, Some(false)),
            (422, "Invalid", "nodePort: provided port is already allocated", three, false, Some(false)),
            (403, "Forbidden", right, three, true, None),
            (400, "BadRequest", webhook, three, true, None),
            (409, "AlreadyExists", "configmaps \"new\" already exists", three, true, None),
            (404, "NotFound", "namespaces \"other\" not found", three, true, None),
        ] {
            let found = judged(code, reason, message, major, alone).await;
            assert_eq!(found.as_ref().map(Diagnostic::is_error), expected, "{message}: {found:?}");
        }
    }

    #[tokio::test]
    async fn a_patch_that_does_not_fit_shows_no_content() {
        let message = "\"\" is invalid: patch: Invalid value: \"{\\\"data\\\":{\\\"password\\\":\\\"Y2FuYXJ5\\\"}}\": \
                       strict decoding error: unknown field \"dta\"";
        for major in [Major::V3, Major::V4] {
            let found = judged(422, "Invalid", message, major, true).await.unwrap();
            assert_eq!(found.is_error(), major == Major::V4);
            assert!(found.detail.contains("is invalid: strict decoding error: unknown field \"dta\""), "{found:?}");
            assert!(!found.detail.contains("Y2FuYXJ5"), "{found:?}");
        }
    }

    #[tokio::test]
    async fn helm_3_is_warned_of_a_field_that_nobody_knows() {
        let strict = "strict decoding error: unknown field \"dta\"";
        let found = judged(400, "BadRequest", strict, Major::V3, true).await.unwrap();
        assert!(!found.is_error() && found.detail.contains("unknown field \"dta\""), "{found:?}");
    }

    #[tokio::test]
    async fn what_is_there_already_is_not_refused_as_new() {
        let api = empty_api();
        let mut there = map("new", json!({}));
        there["metadata"]["namespace"] = "ffe".into();
        api.put(there);
        let answer = (422, "Invalid", "spec.ports: provided port is already allocated");
        assert_eq!(judged_at(&api, answer, Major::V4, true).await, None);
    }
}
