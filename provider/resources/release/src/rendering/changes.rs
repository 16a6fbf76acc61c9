//! What becomes of each object: what a plan lists.
//!
//! In a plan and in the state it is text, one line for each object. It reads well there, and it costs a client next to nothing, where
//! a list of objects would be taken apart, compared and marked in every plan.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ffe_helm::manifest::{Manifest, Object, ObjectId, UnstableField, changed_fields};
use ffe_session::is_at_or_below;
use tfplugin::Attr;

use crate::rendering::render::Rendering;

/// How much of a digest is kept: enough to tell two renderings apart.
const DIGEST: usize = "sha256:".len() + 16;

/// What happens to one object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// `create`, `change`, `replace`, `remove` or `regenerate`: see the attribute `changes`.
    pub action: String,
    /// The object, as it is shown.
    pub object: String,
    /// The fields that change, as JSON pointers.
    pub fields: Vec<String>,
    /// Digest of the object as it was planned, without contents of Secrets and without what is unstable.
    pub digest: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action, self.object)?;
        if !self.fields.is_empty() {
            write!(f, ": {}", self.fields.join(", "))?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, " ({digest})"))
    }
}

/// A line each, as an attribute; null for none.
pub(crate) fn lines<T: fmt::Display>(entries: &[T]) -> Attr<String> {
    // Names of fields are anybody's: one with a line break in it must not look like two.
    let lines: Vec<String> = entries.iter().map(|entry| entry.to_string().replace(['\n', '\r'], " ")).collect();
    Some(lines.join("\n")).filter(|_| !entries.is_empty()).into()
}

/// Actions and objects of such a text.
pub(crate) fn listed(text: &str) -> Vec<(String, String)> {
    let entry = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let (action, object, rest) = (words.next()?, words.next()?, words.next().unwrap_or_default());
        let object = object.strip_suffix(':').filter(|_| rest.starts_with('/')).unwrap_or(object);
        Some((action.to_owned(), object.to_owned()))
    };
    text.lines().filter_map(entry).collect()
}

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
pub(crate) fn object_changes(
    before: Option<&Manifest>,
    after: &Rendering,
    namespace: &str,
    promised: bool,
) -> Vec<Change> {
    let index = |manifest: &Manifest| -> BTreeMap<Key, Object> {
        manifest.objects.iter().map(|object| (key(&object.id, namespace), object.clone())).collect()
    };
    let (old, new) = (before.map(index).unwrap_or_default(), index(&after.manifest));
    let digests = after.unpromised.digests(&after.manifest);
    let digest = |id: &ObjectId| -> Option<String> {
        digests.get(id).filter(|_| promised).map(|digest| digest.chars().take(DIGEST).collect())
    };
    let unnamed =
        |id: &ObjectId| after.unpromised.unstable.iter().any(|field| field.path.is_empty() && field.object == *id);
    let same_name = |key: &Key, others: &BTreeMap<Key, Object>| {
        others.keys().any(|other| (&other.0, &other.1, &other.2) == (&key.0, &key.1, &key.2) && other.3 != key.3)
    };

    let mut found: Vec<Change> = Vec::new();
    for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let one = |action: &str, object: String, fields: Vec<String>, digest: Option<String>| Change {
            action: action.to_owned(),
            object,
            fields,
            digest,
        };
        let change = match (old.get(key), new.get(key)) {
            (None, Some(made)) if unnamed(&made.id) => {
                one("create", display_unnamed(&made.id, namespace), Vec::new(), None)
            }
            (None, Some(made)) => {
                let action = if same_name(key, &old) && !new.keys().any(|other| same_key(other, key)) {
                    "replace"
                } else {
                    "create"
                };
                one(action, display(&made.id, namespace), Vec::new(), digest(&made.id))
            }
            (Some(gone), None) if same_name(key, &new) => {
                tracing::debug!(object = %gone.id, "replaced by one of another API group");
                continue;
            }
            (Some(gone), None) => one("remove", display(&gone.id, namespace), Vec::new(), None),
            (Some(was), Some(is)) => {
                let mut fields = changed_fields(&was.body, &is.body);
                if fields.is_empty() {
                    continue;
                }
                let unstable: Vec<&str> = after
                    .unpromised
                    .unstable
                    .iter()
                    .filter(|field| field.object == is.id)
                    .map(|field| field.path.as_str())
                    .collect();
                let covered = |field: &String| unstable.iter().any(|path| is_at_or_below(field, path));
                if fields.iter().all(covered) {
                    let fields = unstable.iter().map(|path| (*path).to_owned()).collect();
                    one("regenerate", display(&is.id, namespace), fields, digest(&is.id))
                } else {
                    fields.retain(|field| !covered(field));
                    one("change", display(&is.id, namespace), fields, digest(&is.id))
                }
            }
            (None, None) => continue,
        };
        found.push(change);
    }
    // By what is shown: a name that is different each time has no place of its own.
    found.sort_by(|a, b| (&a.object, &a.action).cmp(&(&b.object, &b.action)));
    found.dedup();
    found
}

fn same_key(a: &Key, b: &Key) -> bool {
    (&a.0, &a.1, &a.2) == (&b.0, &b.1, &b.2) && a.3 != b.3
}

/// Whether nothing changes but what is different each time anyway.
pub(crate) fn is_nothing(changes: &[Change]) -> bool {
    changes.iter().all(|change| change.action == "regenerate")
}

/// What is different each time, for people: objects, and the fields of them.
pub(crate) fn unstable_fields(rendering: &Rendering, namespace: &str) -> Vec<String> {
    let told = |field: &UnstableField| match field.path.is_empty() {
        true => display_unnamed(&field.object, namespace),
        false => format!("{} {}", display(&field.object, namespace), field.path),
    };
    let found: BTreeSet<String> = rendering.unpromised.unstable.iter().map(told).collect();
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rendering::render::Unpromised;

    const BEFORE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: \"1\"}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: c}\n";
    const AFTER: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ffe}\ndata: {x: \"2\"}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: c}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: d, namespace: other}\n";

    fn parse(text: &str) -> Manifest {
        Manifest::parse(text).unwrap()
    }

    fn rendering(text: &str, again: &str) -> Rendering {
        let unstable = parse(text).unstable_fields(&parse(again));
        Rendering { manifest: parse(text), unpromised: Unpromised { unstable, write_only: Vec::new() } }
    }

    fn list(before: Option<&str>, after: &Rendering) -> Vec<String> {
        object_changes(before.map(parse).as_ref(), after, "ffe", false).iter().map(Change::to_string).collect()
    }

    #[test]
    fn only_what_differs_is_listed() {
        let after = rendering(AFTER, AFTER);
        assert_eq!(
            list(Some(BEFORE), &after),
            ["change ConfigMap/a: /data/x, /metadata/namespace", "remove ConfigMap/b", "create Secret/other/d"]
        );
        assert!(list(Some(AFTER), &after).is_empty());
        assert_eq!(list(None, &rendering(BEFORE, BEFORE)).len(), 3);
    }

    #[test]
    fn another_version_is_the_same_object_and_another_group_replaces_it() {
        let web = |api: &str| format!("{{apiVersion: {api}, kind: Ingress, metadata: {{name: web}}}}");
        let after = rendering(&web("networking.k8s.io/v1"), &web("networking.k8s.io/v1"));
        assert_eq!(list(Some(&web("networking.k8s.io/v1beta1")), &after), ["change Ingress/web: /apiVersion"]);
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
        let found = list(Some(&deployed), &rendering(&one, &two));
        assert_eq!(
            found,
            ["change ConfigMap/c: /data/t", "create Job/*", "remove Job/j0", "regenerate Secret/s: /stringData/p"]
        );
        // Another rendering of the same promises the same, in every word.
        let all = |a: &str, b: &str| object_changes(Some(&parse(&deployed)), &rendering(a, b), "ffe", true);
        assert_eq!(all(&one, &two), all(&two, &one));
        let named = unstable_fields(&rendering(&one, &two), "ffe");
        assert_eq!(named, ["ConfigMap/c /data/p", "Job/*", "Secret/s /stringData/p"]);
        assert!(is_nothing(&object_changes(
            Some(&parse(&make("z", "y", "j1"))),
            &rendering(&one, &make("c", "y", "j1")),
            "ffe",
            true
        )));
    }

    #[test]
    fn digests_hold_nothing_of_what_is_write_only() {
        let make = |text: &str| {
            rendering(&format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{t: {text}}}}}"), "{}")
        };
        let hide = |mut rendering: Rendering| {
            rendering.unpromised.unstable.clear();
            let object = rendering.manifest.objects[0].id.clone();
            rendering.unpromised.write_only.push(UnstableField { object, path: "/data/t".into() });
            object_changes(None, &rendering, "ffe", true)
        };
        assert_eq!(hide(make("canary")), hide(make("other")));
        assert!(object_changes(None, &make("x"), "ffe", false)[0].digest.is_none());
    }

    #[test]
    fn a_list_is_text_and_can_be_read_back() {
        let found = object_changes(Some(&parse(BEFORE)), &rendering(AFTER, AFTER), "ffe", true);
        let text = lines(&found).into_known().unwrap();
        let listed: Vec<String> =
            listed(&text).into_iter().map(|(action, object)| format!("{action} {object}")).collect();
        assert_eq!(listed, ["change ConfigMap/a", "remove ConfigMap/b", "create Secret/other/d"]);
        assert!(text.starts_with("change ConfigMap/a: /data/x, /metadata/namespace (sha256:"), "{text}");
        assert!(lines::<Change>(&[]).is_null() && super::listed("").is_empty());
        let mut sly = found[0].clone();
        sly.fields = vec!["/spec/a\nremove Namespace/ffe".to_owned()];
        assert_eq!(lines(&[sly]).into_known().unwrap().lines().count(), 1);
    }
}
