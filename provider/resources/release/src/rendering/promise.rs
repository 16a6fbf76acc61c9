//! What a plan promises: kept from the plan to the apply, and compared again before anything changes.
//!
//! docs/architecture.md, "How a plan's promise is kept", has an example. A client that plans anew at apply hands over the private
//! state of that second plan, so this promise is then that of the second plan; what has changed between the two plans the client
//! compares itself, by the digests in `changes`, and `stale_plan` names it.

use std::collections::BTreeMap;

use ffe_helm::manifest::{Manifest, ObjectId};
use serde::{Deserialize, Serialize};
use tfplugin::{Diagnostic, Private};

use crate::rendering::changes::display;
use crate::rendering::render::{Rendering, Unpromised, with_hooks};

const KEY: &str = "promise.v1";

/// A promise. Nothing secret is in it: contents of Secrets and what depends on write-only values are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Promise {
    /// Digest of the chart's content.
    chart: String,
    /// The digest of each object and hook, without what is left out.
    objects: Vec<(ObjectId, String)>,
    /// The fields that are left out.
    unpromised: Unpromised,
}

impl Promise {
    /// What is promised by a plan.
    pub(crate) fn of(chart_digest: &str, rendering: &Rendering) -> Promise {
        let digests = rendering.unpromised.digests(&with_hooks(&rendering.manifest));
        Promise {
            chart: chart_digest.to_owned(),
            objects: digests.into_iter().collect(),
            unpromised: rendering.unpromised.clone(),
        }
    }

    /// The promise that came with a plan.
    pub(crate) fn load(private: &Private) -> Option<Promise> {
        private.get(KEY)
    }

    /// Sends it along with a plan.
    pub(crate) fn store(&self, private: &mut Private) {
        private.set(KEY, self);
    }

    /// A plan that promises nothing, or a promise that has been kept.
    pub(crate) fn forget(private: &mut Private) {
        private.remove(KEY);
    }

    /// A new rendering, with what is known to be left out of it.
    pub(crate) fn rendering(&self, manifest: Manifest) -> Rendering {
        Rendering { manifest, unpromised: self.unpromised.clone() }
    }

    /// What has become of the promise: a sentence for each thing that is different now; empty when all is as planned.
    pub(crate) fn broken_by(&self, chart_digest: &str, manifest: &Manifest, namespace: &str) -> Vec<String> {
        let mut found = Vec::new();
        if chart_digest != self.chart {
            found.push("the content of the chart".to_owned());
        }
        let now = self.unpromised.digests(&with_hooks(manifest));
        let planned: BTreeMap<&ObjectId, &String> = self.objects.iter().map(|(id, digest)| (id, digest)).collect();
        for (id, digest) in &planned {
            match now.get(*id) {
                None => found.push(format!("{} is not rendered any more", display(id, namespace))),
                Some(other) if other != *digest => {
                    found.push(format!("{} is rendered differently", display(id, namespace)))
                }
                Some(_) => {}
            }
        }
        // An object whose name is different each time was planned under another one.
        let unnamed = |id: &ObjectId| {
            self.unpromised.unstable.iter().any(|field| {
                let other = &field.object;
                field.path.is_empty()
                    && (&other.kind, &other.api_version, &other.namespace) == (&id.kind, &id.api_version, &id.namespace)
            })
        };
        let new = now.keys().filter(|id| !planned.contains_key(id) && !unnamed(id));
        found.extend(new.map(|id| format!("{} is new", display(id, namespace))));
        found
    }
}

/// The error for a promise that cannot be kept.
pub(crate) fn changed_since_plan(release: &str, what: &[String]) -> Diagnostic {
    Diagnostic::error(
        format!("The release {release} has changed since plan"),
        format!(
            "What would be deployed now is not what was planned:\n\n  - {}\n\nNothing was changed in the cluster. Plan again, and apply \
             that plan.",
            what.join("\n  - ")
        ),
    )
}

/// The error for a Helm that was started once more, behind what preflight has looked at, and would deploy something else.
pub(crate) fn not_as_checked(release: &str, what: &[String]) -> Diagnostic {
    Diagnostic::error(
        format!("The release {release} has changed since plan"),
        format!(
            "The Helm that was to deploy it had ended, and the one that was started in its place renders something else than what was \
             planned and checked:\n\n  - {}\n\nIt was not deployed. Plan again, and apply that plan.",
            what.join("\n  - ")
        ),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HOOK: &str =
        "{apiVersion: batch/v1, kind: Job, metadata: {name: h, annotations: {helm.sh/hook: pre-upgrade}}, spec: {x: ";
    const TEST: &str = "{apiVersion: v1, kind: Pod, metadata: {name: t, annotations: {helm.sh/hook: test}}, spec: {x: ";

    fn render(text: &str, password: &str, job: &str, hook: &str) -> Manifest {
        Manifest::parse(&format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{p: {password}, t: {text}}}}}\n---\n\
             {{apiVersion: batch/v1, kind: Job, metadata: {{name: {job}}}}}\n---\n{HOOK}{hook}}}}}\n---\n{TEST}{hook}}}}}\n"
        ))
        .unwrap()
    }

    fn promise() -> Promise {
        let (one, two) = (render("x", "a", "j1", "1"), render("x", "b", "j2", "1"));
        let unstable = with_hooks(&one).unstable_fields(&with_hooks(&two));
        Promise::of(
            "sha256:1",
            &Rendering { manifest: one, unpromised: Unpromised { unstable, write_only: Vec::new() } },
        )
    }

    #[test]
    fn what_is_different_each_time_breaks_no_promise() {
        assert_eq!(promise().broken_by("sha256:1", &render("x", "c", "j3", "1"), "ffe"), Vec::<String>::new());
    }

    #[test]
    fn what_has_changed_is_named() {
        assert_eq!(
            promise().broken_by("sha256:2", &render("y", "c", "j3", "2"), "ffe"),
            ["the content of the chart", "ConfigMap/c is rendered differently", "Job/h is rendered differently"]
        );
        let other = Manifest::parse("{apiVersion: v1, kind: Secret, metadata: {name: s}}").unwrap();
        assert_eq!(
            promise().broken_by("sha256:1", &other, "ffe"),
            ["ConfigMap/c is not rendered any more", "Job/h is not rendered any more", "Secret/s is new"]
        );
    }

    #[test]
    fn it_travels_in_private_state_without_secrets() {
        let secret = "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {k: canary}}";
        let promise =
            Promise::of("d", &Rendering { manifest: Manifest::parse(secret).unwrap(), ..Rendering::default() });
        let other = Promise::of(
            "d",
            &Rendering { manifest: Manifest::parse(&secret.replace("canary", "x")).unwrap(), ..Rendering::default() },
        );
        assert_eq!(promise, other);
        let mut private = Private::default();
        promise.store(&mut private);
        let read = Private::from_bytes(&private.to_bytes());
        assert_eq!(Promise::load(&read), Some(promise));
        Promise::forget(&mut private);
        assert_eq!(Promise::load(&private), None);
    }
}
