//! Whose is what stands where an object of the endpoint goes: the rules are those of every resource.

use ffe_cluster::{Mark, ObjectRef, Ownership};
use ffe_routing::Conflict;
use ffe_session::ownership::{Advice, Candidate, Refusal, claim};
use tfplugin::{Diagnostic, Path};

pub(crate) use ffe_session::ownership::{Terms, release_of};

use crate::desired::{Found, Part};
use crate::names::{Names, TYPE_NAME};

/// The mark that the object gets. The record's stands for the whole endpoint.
///
/// # Errors
/// When the object is not ours and may not be taken over.
pub(crate) fn mark(found: &Found, names: &Names, run_id: &str, terms: &Terms) -> Result<Mark, Diagnostic> {
    let candidate = Candidate {
        object: &found.desired.reference,
        live: found.meta(),
        is_head: found.desired.part == Part::Record,
        // One that cert-manager made for an ingress is used as it is, or taken from it.
        may_be_controlled: found.desired.part == Part::Certificate,
    };
    claim(&candidate, &names.owner(), run_id, terms).map_err(|refusal| refused(found, names, &refusal))
}

/// The error for an object that a Helm release would delete.
pub(crate) fn refuse_of_release(object: &ObjectRef, release: &str) -> Diagnostic {
    let advice = Advice { resource_type: TYPE_NAME, import_id: None, named_by: "name" };
    Refusal::OfRelease(release.to_owned()).diagnostic(object, &advice)
}

/// The error for what is not ours.
pub(crate) fn refuse(found: &Found, names: &Names, ownership: &Ownership) -> Diagnostic {
    let refusal = match (ownership, found.meta().and_then(release_of)) {
        (Ownership::Foreign { .. }, Some(release)) => Refusal::OfRelease(release),
        _ => Refusal::Whose(ownership.clone()),
    };
    refused(found, names, &refusal)
}

/// Whether two endpoints would serve one host at the same place: one that is made, or that gets the host now, beside one that has
/// it. `adopt` is the word that they may for a while.
pub(crate) fn is_of_two_endpoints(conflict: &Conflict, creating: bool, hosts_before: &[String], adopt: bool) -> bool {
    let is_new = creating || !hosts_before.contains(&conflict.host);
    conflict.fatal && !conflict.same_path && conflict.endpoint.is_some() && is_new && !adopt
}

/// The error for the second endpoint of a host.
pub(crate) fn refuse_second(conflict: &Conflict) -> Diagnostic {
    Diagnostic::error(SECOND, format!("{conflict}.\n\n{}", conflict.advice())).at(Path::attribute("hosts"))
}

/// The same where the other one is planned in this run.
pub(crate) fn refuse_second_of_run(endpoint: &str, host: &str) -> Diagnostic {
    Diagnostic::error(
        SECOND,
        format!(
            "This run plans {host} for endpoint {endpoint} as well: a host has one certificate, and each of the two endpoints would \
             have its own.\n\nOne endpoint leads to several services: give it `backends` with an element for each path, such as \
             backends = [{{ path = \"/\", service = \"web\", port = 80 }}, {{ path = \"/api\", service = \"api\", port = 80 }}], and \
             remove the other one, or take the host out of it."
        ),
    )
    .at(Path::attribute("hosts"))
}

const SECOND: &str = "Another endpoint serves the same host";

fn refused(found: &Found, names: &Names, refusal: &Refusal) -> Diagnostic {
    let (object, part) = (&found.desired.reference, found.desired.part);
    if let (Part::Issuer, Refusal::Whose(Ownership::OtherResource(mark))) = (part, refusal) {
        return Diagnostic::error(
            format!("{object} exists already"),
            format!(
                "It belongs to {} {}. Nothing was changed.\n\nTo use it, refer to it: keep issuer.name and issuer.kind, and \
                 remove acme, ca and self_signed. To have an issuer of this endpoint's own, give it another issuer.name.",
                mark.owner.resource_type, mark.owner.id
            ),
        )
        .at(Path::attribute("issuer").child("name"));
    }
    let path = path_of(part);
    let (id, named_by) = (names.import_id(), path.to_string());
    // An import knows endpoints by their record, and an ingress of the endpoint's name.
    let is_known = part == Part::Record || (object.kind == "Ingress" && object.name == names.name);
    let advice = Advice { resource_type: TYPE_NAME, import_id: is_known.then_some(id.as_str()), named_by: &named_by };
    refusal.diagnostic(object, &advice).at(path)
}

/// The attribute that names an object.
fn path_of(part: Part) -> Path {
    match part {
        Part::Record | Part::Route | Part::Alert => Path::attribute("name"),
        Part::Certificate => Path::attribute("secret_name"),
        Part::Issuer | Part::Credentials => Path::attribute("issuer").child("name"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_cluster::{MarkState, Owner};
    use serde_json::json;

    use super::*;
    use crate::desired::Desired;

    fn names() -> Names {
        Names::new("ffe", "api")
    }

    fn terms(creating: bool, adopt: bool) -> Terms {
        Terms { creating, adopt, known: Vec::new() }
    }

    fn found(part: Part, kind: &str, mark: Option<&Mark>) -> Found {
        let object = json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "api", "namespace": "ffe" } });
        let desired = Desired::new(part, object).unwrap();
        let mut live = desired.object.clone();
        if let Some(mark) = mark {
            mark.write_value(&mut live);
        }
        Found { desired, live: Some(serde_json::from_value(live).unwrap()) }
    }

    #[test]
    fn the_record_stands_for_the_endpoint() {
        for (part, expected) in [(Part::Record, MarkState::Creating), (Part::Route, MarkState::Complete)] {
            let absent = Found { live: None, ..found(part, "ConfigMap", None) };
            assert_eq!(mark(&absent, &names(), "run", &terms(true, false)).unwrap().state, expected);
        }
        let complete = Mark::complete(names().owner(), "first");
        let refused = mark(&found(Part::Record, "ConfigMap", Some(&complete)), &names(), "run", &terms(true, true));
        assert!(refused.unwrap_err().detail.contains("terraform import ffe_tls_endpoint.<name> ffe/api"));
    }

    #[test]
    fn an_import_is_advised_where_one_knows_the_object() {
        for (part, kind, path, import) in [
            (Part::Route, "Ingress", "name", true),
            (Part::Route, "Middleware", "name", false),
            (Part::Certificate, "Certificate", "secret_name", false),
            (Part::Issuer, "Issuer", "issuer.name", false),
            (Part::Alert, "PrometheusRule", "name", false),
        ] {
            let refused = mark(&found(part, kind, None), &names(), "run", &terms(true, false)).unwrap_err();
            assert_eq!(refused.path.clone().unwrap().to_string(), path);
            assert_eq!(refused.detail.contains("terraform import"), import, "{refused}");
            assert!(refused.detail.contains("adopt = true"), "{refused}");
        }
    }

    #[test]
    fn what_belongs_to_another_endpoint_is_never_taken_and_an_issuer_may_be_referred_to() {
        let other = Mark::complete(Owner::new(TYPE_NAME, "ffe/other"), "run");
        for part in [Part::Record, Part::Route, Part::Credentials, Part::Issuer, Part::Certificate, Part::Alert] {
            assert!(mark(&found(part, "ConfigMap", Some(&other)), &names(), "run", &terms(true, true)).is_err());
        }
        let refused =
            mark(&found(Part::Issuer, "Issuer", Some(&other)), &names(), "run", &terms(true, true)).unwrap_err();
        assert!(refused.detail.contains("refer to it"), "{refused}");
    }
}
