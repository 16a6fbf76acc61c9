//! What becomes of each object: what a plan lists.

use std::collections::{BTreeMap, BTreeSet};

use ffe_helm::manifest::{Digests, Manifest, Object, ObjectId, UnstableField, changed_fields};
use tfplugin::Attr;

use crate::model::{Change, UnstableOutput};
use crate::render::Foreseen;

/// How much of a digest is kept: enough to tell two renderings apart.
const DIGEST: usize = "sha256:".len() + 16;

/// Kind, namespace, name and API group: objects whose API version alone differs are one to Helm and to the API server.
type Key = (String, String, String, String);

fn key(id: &ObjectId, namespace: &str) -> Key {
    let group = id.api_version.split_once('/').map_or("", |(group, _)| group);
    let namespace = id.namespace.as_deref().unwrap_or(namespace);
    (id.kind.clone(), namespace.to_owned(), id.name.clone(), group.to_owned())
}

/// How a name is shown: `Kind/name`, with the namespace where it is another than the release's.
pub(crate) fn display(id: &ObjectId, namespace: &str) -> String {
    match &id.namespace {
        Some(other) if other != namespace => format!("{}/{other}/{}", id.kind, id.name),
        _ => format!("{}/{}", id.kind, id.name),
    }
}

/// The same where the name is different each time.
fn display_unnamed(id: &ObjectId, namespace: &str) -> String {
    display(&ObjectId { name: "*".to_owned(), ..id.clone() }, namespace)
}

/// What becomes of each object; unchanged ones are left out. With `promised` the digests are shown too.
pub(crate) fn changes(before: Option<&Manifest>, after: &Foreseen, namespace: &str, promised: bool) -> Vec<Change> {
    let index = |manifest: &Manifest| -> BTreeMap<Key, Object> {
        manifest.objects.iter().map(|object| (key(&object.id, namespace), object.clone())).collect()
    };
    let (old, new) = (before.map(index).unwrap_or_default(), index(&after.manifest));
    let left_out: Vec<UnstableField> = after.unstable.iter().chain(&after.hidden).cloned().collect();
    let digests = Digests { unstable: &left_out, key: None }.each(&after.manifest);
    let digest = |id: &ObjectId| -> Attr<String> {
        digests.get(id).filter(|_| promised).map(|digest| digest.chars().take(DIGEST).collect()).into()
    };
    let unnamed = |id: &ObjectId| after.unstable.iter().any(|field| field.path.is_empty() && field.object == *id);
    let same_name = |key: &Key, others: &BTreeMap<Key, Object>| {
        others.keys().any(|other| (&other.0, &other.1, &other.2) == (&key.0, &key.1, &key.2) && other.3 != key.3)
    };

    let mut found: Vec<Change> = Vec::new();
    for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let one = |action: &str, object: String, fields: Option<Vec<String>>, digest: Attr<String>| Change {
            action: Attr::from(action),
            object: Attr::Known(object),
            fields: fields.map(|fields| fields.into_iter().map(Attr::Known).collect()).into(),
            digest,
        };
        let change = match (old.get(key), new.get(key)) {
            (None, Some(made)) if unnamed(&made.id) => {
                one("create", display_unnamed(&made.id, namespace), None, Attr::Null)
            }
            (None, Some(made)) => {
                let action = if same_name(key, &old) && !new.keys().any(|other| same_key(other, key)) {
                    "replace"
                } else {
                    "create"
                };
                one(action, display(&made.id, namespace), None, digest(&made.id))
            }
            (Some(gone), None) if same_name(key, &new) => {
                tracing::debug!(object = %gone.id, "replaced by one of another API group");
                continue;
            }
            (Some(gone), None) => one("remove", display(&gone.id, namespace), None, Attr::Null),
            (Some(was), Some(is)) => {
                let mut fields = changed_fields(&was.body, &is.body);
                if fields.is_empty() {
                    continue;
                }
                let unstable: Vec<&str> = after
                    .unstable
                    .iter()
                    .filter(|field| field.object == is.id)
                    .map(|field| field.path.as_str())
                    .collect();
                let covered = |field: &String| {
                    unstable.iter().any(|path| {
                        field.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                    })
                };
                if fields.iter().all(covered) {
                    let fields = unstable.iter().map(|path| (*path).to_owned()).collect();
                    one("regenerate", display(&is.id, namespace), Some(fields), digest(&is.id))
                } else {
                    fields.retain(|field| !covered(field));
                    one("change", display(&is.id, namespace), Some(fields), digest(&is.id))
                }
            }
            (None, None) => continue,
        };
        found.push(change);
    }
    // By what is shown: a name that is different each time has no place of its own.
    found.sort_by(|a, b| (a.object.as_str(), a.action.as_str()).cmp(&(b.object.as_str(), b.action.as_str())));
    found.dedup();
    found
}

fn same_key(a: &Key, b: &Key) -> bool {
    (&a.0, &a.1, &a.2) == (&b.0, &b.1, &b.2) && a.3 != b.3
}

/// Whether nothing changes but what is different each time anyway.
pub(crate) fn is_nothing(changes: &[Change]) -> bool {
    changes.iter().all(|change| change.action.as_str() == Some("regenerate"))
}

/// What is different each time, for people.
pub(crate) fn unstable_fields(foreseen: &Foreseen, namespace: &str) -> Vec<UnstableOutput> {
    let mut found: Vec<UnstableOutput> = foreseen
        .unstable
        .iter()
        .map(|field| match field.path.is_empty() {
            true => {
                UnstableOutput { object: Attr::Known(display_unnamed(&field.object, namespace)), field: Attr::Null }
            }
            false => UnstableOutput {
                object: Attr::Known(display(&field.object, namespace)),
                field: Attr::Known(field.path.clone()),
            },
        })
        .collect();
    found.sort_by(|a, b| (a.object.as_str(), a.field.as_str()).cmp(&(b.object.as_str(), b.field.as_str())));
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BEFORE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: \"1\"}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: c}\n";
    const AFTER: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ffe}\ndata: {x: \"2\"}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: c}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: d, namespace: other}\n";

    fn parse(text: &str) -> Manifest {
        Manifest::parse(text).unwrap()
    }

    fn foreseen(text: &str, again: &str) -> Foreseen {
        let unstable = parse(text).unstable_fields(&parse(again));
        Foreseen { manifest: parse(text), unstable, hidden: Vec::new() }
    }

    fn list(before: Option<&str>, after: &Foreseen) -> Vec<String> {
        let words = |change: &Change| {
            let fields: Vec<&str> =
                change.fields.known().into_iter().flatten().filter_map(|field| field.as_str()).collect();
            let text =
                format!("{} {} {}", change.action.as_str().unwrap(), change.object.as_str().unwrap(), fields.join(" "));
            text.trim_end().to_owned()
        };
        changes(before.map(parse).as_ref(), after, "ffe", true).iter().map(words).collect()
    }

    #[test]
    fn only_what_differs_is_listed() {
        let after = foreseen(AFTER, AFTER);
        assert_eq!(
            list(Some(BEFORE), &after),
            ["change ConfigMap/a /data/x /metadata/namespace", "remove ConfigMap/b", "create Secret/other/d"]
        );
        assert!(list(Some(AFTER), &after).is_empty());
        assert_eq!(list(None, &foreseen(BEFORE, BEFORE)).len(), 3);
    }

    #[test]
    fn another_version_is_the_same_object_and_another_group_replaces_it() {
        let web = |api: &str| format!("{{apiVersion: {api}, kind: Ingress, metadata: {{name: web}}}}");
        let after = foreseen(&web("networking.k8s.io/v1"), &web("networking.k8s.io/v1"));
        assert_eq!(list(Some(&web("networking.k8s.io/v1beta1")), &after), ["change Ingress/web /apiVersion"]);
        assert_eq!(list(Some(&web("extensions/v1beta1")), &after), ["replace Ingress/web"]);
    }

    #[test]
    fn what_is_different_each_time_is_told_from_what_changes() {
        let make = |password: &str, text: &str, job: &str| {
            format!(
                "{{apiVersion: v1, kind: Secret, metadata: {{name: s}}, stringData: {{p: {password}}}}}\n---\n\
                 {{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{p: {password}, t: {text}}}}}\n---\n\
                 {{apiVersion: batch/v1, kind: Job, metadata: {{name: {job}}}}}\n"
            )
        };
        let (deployed, one, two) = (make("a", "x", "j0"), make("b", "y", "j1"), make("c", "y", "j2"));
        let found = list(Some(&deployed), &foreseen(&one, &two));
        assert_eq!(
            found,
            ["change ConfigMap/c /data/t", "create Job/*", "remove Job/j0", "regenerate Secret/s /stringData/p"]
        );
        // Another rendering of the same promises the same, in every word.
        let all = |a: &str, b: &str| changes(Some(&parse(&deployed)), &foreseen(a, b), "ffe", true);
        assert_eq!(all(&one, &two), all(&two, &one));
        let named: Vec<_> = unstable_fields(&foreseen(&one, &two), "ffe")
            .into_iter()
            .map(|one| format!("{} {}", one.object.clone().unwrap_or_default(), one.field.unwrap_or_default()))
            .collect();
        assert_eq!(named, ["ConfigMap/c /data/p", "Job/* ", "Secret/s /stringData/p"]);
        assert!(is_nothing(&changes(
            Some(&parse(&make("z", "y", "j1"))),
            &foreseen(&one, &make("c", "y", "j1")),
            "ffe",
            true
        )));
    }

    #[test]
    fn digests_hold_nothing_of_what_is_hidden() {
        let make = |text: &str| {
            foreseen(&format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{t: {text}}}}}"), "{}")
        };
        let hide = |mut foreseen: Foreseen| {
            foreseen.unstable.clear();
            let object = foreseen.manifest.objects[0].id.clone();
            foreseen.hidden.push(UnstableField { object, path: "/data/t".into() });
            changes(None, &foreseen, "ffe", true)
        };
        assert_eq!(hide(make("canary")), hide(make("other")));
        assert!(changes(None, &make("x"), "ffe", false)[0].digest.is_null());
    }
}
