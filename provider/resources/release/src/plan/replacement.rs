//! What it means that a release is made anew in its own place.

use ffe_helm::manifest::Manifest;
use tfplugin::{Diagnostic, Path};

/// The annotation of what Helm leaves behind, and its value.
const POLICY: &str = "/metadata/annotations/helm.sh~1resource-policy";
const KEEP: &str = "keep";

/// The warning in the plan of a replacement. `deployed` is what runs; absent where it cannot be read.
pub(super) fn warning(namespace: &str, name: &str, deployed: Option<&Manifest>) -> Diagnostic {
    let lost = match deployed.map(lost_claims) {
        None => " What its volume claims hold is lost, but for those that Helm keeps.".to_owned(),
        Some(claims) if claims.is_empty() => String::new(),
        Some(claims) => format!(" What the volume claims {} hold is lost.", claims.join(", ")),
    };
    Diagnostic::warning(
        format!("The release {namespace}/{name} is uninstalled, and installed anew"),
        format!(
            "That is what a replacement is (-replace, a taint, replace_triggered_by). It does not serve in between, and Helm's history of it \
             ends: a failure of the new one cannot be rolled back.{lost} The database and its schema stay as they are, and so do the backups.\n\n\
             To have the pods made anew without an interruption, change a value of the chart instead, such as an annotation of the pods, or: \
             kubectl -n {namespace} rollout restart deployment"
        ),
    )
    .at(Path::attribute("name"))
}

/// The volume claims that an uninstall deletes.
fn lost_claims(manifest: &Manifest) -> Vec<String> {
    let claims = manifest.objects.iter().filter(|object| object.id.kind == "PersistentVolumeClaim");
    let lost = claims.filter(|object| object.body.pointer(POLICY).and_then(|policy| policy.as_str()) != Some(KEEP));
    lost.map(|object| object.id.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_claims_that_are_lost_are_named_and_those_that_stay_are_not() {
        let claim = |name: &str, annotations: &str| {
            format!(
                "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: {name}\n  annotations: {annotations}\n"
            )
        };
        let kept = claim("kept", "{ helm.sh/resource-policy: keep }");
        let manifest = Manifest::parse(&[claim("data", "{}"), kept].join("\n---\n")).unwrap();
        let told = warning("ffe", "one", Some(&manifest));
        assert!(told.detail.contains("the volume claims data hold is lost"), "{told}");
        assert!(!told.detail.contains("kept"), "{told}");
        assert!(!warning("ffe", "one", Some(&Manifest::default())).detail.contains("claim"));
        assert!(warning("ffe", "one", None).detail.contains("What its volume claims hold is lost"));
    }
}
