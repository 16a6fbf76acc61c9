//! The custom resource definitions in a chart's `crds` folder.
//!
//! Helm creates them with an install and never looks at them again. Here they are brought to where the policy says before every
//! deployment: missing ones made, with `create_replace` the others brought up to date too. None is ever deleted, since all
//! objects of its kind would go with it.

use ffe_cluster::kube::api::DynamicObject;
use ffe_cluster::{Cluster, Error, ObjectRef};
use ffe_helm::chart::Chart;
use ffe_helm::manifest::changed_fields;
use serde_json::Value as Json;
use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::rendering::changes::Change;
use crate::settings::model::Release;

/// Their kind.
pub(crate) const KIND: &str = "CustomResourceDefinition";
/// What becomes of one definition.
#[derive(Clone, Debug)]
pub(crate) struct DefinitionChange {
    /// Its name.
    pub name: String,
    /// The fields that differ; `None` for one that is made.
    pub fields: Option<Vec<String>>,
    /// Versions that objects are stored in, and that the chart's definition does not know any more.
    lost_versions: Vec<String>,
    /// The definition.
    pub body: Json,
}

/// The definitions that are not as the policy wants them.
///
/// # Errors
/// When the cluster cannot be asked.
pub(crate) async fn definition_changes(
    cluster: &Cluster,
    config: &Release,
    chart: &Chart,
) -> Result<Vec<DefinitionChange>, Error> {
    let policy = config.crds.as_str().unwrap_or("create");
    let mut found = Vec::new();
    if policy == "skip" {
        return Ok(found);
    }
    for body in chart.crds.iter().filter(|body| body["kind"] == KIND) {
        let object = ObjectRef::from_value(body)?;
        let make = |fields, lost_versions| DefinitionChange {
            name: object.name.clone(),
            fields,
            lost_versions,
            body: body.clone(),
        };
        match cluster.find_ref(&object).await? {
            None => found.push(make(None, Vec::new())),
            Some(live) if policy == "create_replace" => {
                let wanted = cluster.try_out(body).await?;
                let mut fields = changed_fields(&live.data["spec"], &wanted.data["spec"]);
                fields.iter_mut().for_each(|field| field.insert_str(0, "/spec"));
                if !fields.is_empty() {
                    found.push(make(Some(fields), lost_versions(&live, body)));
                }
            }
            Some(_) => {}
        }
    }
    Ok(found)
}

/// Whether nothing but definitions lies in the charts' folders for them.
pub(crate) fn only_definitions(chart: &Chart) -> bool {
    chart.crds.iter().all(|body| body["kind"] == KIND)
}

fn lost_versions(live: &DynamicObject, wanted: &Json) -> Vec<String> {
    let known: Vec<&str> =
        wanted["spec"]["versions"].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    let stored = live.data["status"]["storedVersions"].as_array().into_iter().flatten().filter_map(Json::as_str);
    stored.filter(|version| !known.contains(version)).map(str::to_owned).collect()
}

/// The same for a plan, with warnings: what cannot be asked is no reason not to plan.
pub(crate) async fn plan_definitions(
    cluster: &Cluster,
    config: &Release,
    chart: &Chart,
) -> (Vec<DefinitionChange>, Diagnostics) {
    match definition_changes(cluster, config, chart).await {
        Ok(pending) => {
            let warnings = pending.iter().filter_map(warning).collect();
            (pending, warnings)
        }
        Err(error) => {
            let warning = Diagnostic::warning(
                "The chart's custom resource definitions cannot be looked at",
                format!("{error}. What becomes of them shows at apply."),
            );
            (Vec::new(), warning.at(Path::attribute("crds")).into())
        }
    }
}

fn warning(pending: &DefinitionChange) -> Option<Diagnostic> {
    let fields = pending.fields.as_ref()?;
    let lost = if pending.lost_versions.is_empty() {
        String::new()
    } else {
        format!(
            " Objects are still stored as {}, which the chart's definition does not know: the API server will refuse it until \
             they have been migrated.",
            pending.lost_versions.join(", ")
        )
    };
    let shown: Vec<&str> = fields.iter().take(5).map(String::as_str).collect();
    let more =
        if fields.len() > shown.len() { format!(" and {} more", fields.len() - shown.len()) } else { String::new() };
    Some(
        Diagnostic::warning(
            format!("The custom resource definition {} will be replaced", pending.name),
            format!(
                "It holds for every object of its kind in the cluster, whoever uses it. These fields change: {}{more}.{lost}",
                shown.join(", ")
            ),
        )
        .at(Path::attribute("crds")),
    )
}

/// As entries of `changes`.
pub(crate) fn changes(pending: &[DefinitionChange]) -> Vec<Change> {
    let entry = |one: &DefinitionChange| Change {
        action: if one.fields.is_some() { "replace" } else { "create" }.to_owned(),
        object: format!("{KIND}/{}", one.name),
        fields: one.fields.clone().unwrap_or_default(),
        digest: None,
    };
    pending.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn live(status: Json) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": KIND, "metadata": { "name": "things.x.example" },
            "spec": {}, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_replacement_is_warned_about_and_a_creation_is_not() {
        let wanted = json!({ "spec": { "versions": [{ "name": "v2" }] } });
        let lost = lost_versions(&live(json!({ "storedVersions": ["v1", "v2"] })), &wanted);
        assert_eq!(lost, ["v1"]);
        let replaced = DefinitionChange {
            name: "things.x.example".into(),
            fields: Some(vec!["/spec/versions".into()]),
            lost_versions: lost,
            body: wanted.clone(),
        };
        let text = warning(&replaced).unwrap();
        assert!(text.summary.contains("things.x.example will be replaced"), "{text:?}");
        assert!(text.detail.contains("/spec/versions") && text.detail.contains("still stored as v1"), "{text:?}");
        let made = DefinitionChange { fields: None, ..replaced.clone() };
        assert!(warning(&made).is_none());
        let shown: Vec<_> = changes(&[made, replaced]).into_iter().map(|one| one.action).collect();
        assert_eq!(shown, ["create", "replace"]);
    }
}
