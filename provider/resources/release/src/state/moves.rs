//! A `moved` block from `helm_release` of the provider hashicorp/helm: the release stays as it is, and Terraform goes on with it
//! as an `ffe_release`.
//!
//! The state of both schemas is understood: that of version 2 of that provider (blocks, `metadata` a list) and of version 3
//! (nested attributes, `metadata` an object). When a state is moved the provider is not configured yet; so it is the first
//! reading that makes sure that it is the same release in the same cluster.

use ffe_helm::records::Records;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tfplugin::{
    Attr, Diagnostic, Diagnostics, Field as _, Imported, Model as _, MoveSource, Path, Private, Read, Refreshed,
};

use crate::settings::model::{Provenance, Release, Set, SetList};
use crate::state::outputs::settle_unknown;

const KEY: &str = "moved.v1";

/// What is known of the release that was moved, until the first apply.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moved {
    /// Helm's revision in the old state.
    revision: i64,
    /// The name of the chart.
    chart: String,
    /// When it was installed, in seconds since 1970: every revision of a release says the same. Older versions of the other
    /// provider did not keep it.
    first_deployed: Option<i64>,
    /// Its values had secrets among them.
    sensitive: bool,
}

impl Moved {
    /// From private state.
    pub(crate) fn load(private: &Private) -> Option<Moved> {
        private.get(KEY)
    }

    /// Once it is applied it is ours like any other.
    pub(crate) fn forget(private: &mut Private) {
        private.remove(KEY);
    }
}

/// The state of a `helm_release`, as ours; `None` for any other source.
///
/// # Errors
/// When it does not say which release it is.
pub(crate) fn move_from(source: &MoveSource) -> Result<Option<Imported<Release>>, Diagnostics> {
    let is_helm = source.provider_address.ends_with("/hashicorp/helm") && source.type_name == "helm_release";
    if !is_helm {
        return Ok(None);
    }
    let old = Old(&source.state);
    let metadata = old.metadata();
    let (Some(name), Some(namespace)) = (
        old.text("name").or_else(|| metadata.text("name")),
        old.text("namespace").or_else(|| metadata.text("namespace")),
    ) else {
        return Err(Diagnostics::error(
            "The state of this helm_release cannot be taken over",
            format!(
                "It has schema version {}, and no name and namespace in it. Import the release instead: terraform import \
                 ffe_release.<name> <namespace>/<release>",
                source.schema_version
            ),
        ));
    };
    let mut state = Release::from_value(&Release::schema().empty(), &Path::root())?;
    settle_unknown(&mut state);
    state.namespace = Attr::Known(namespace);
    state.name = Attr::Known(name);
    inputs(&old, &mut state);
    state.revision = metadata.number("revision").into();
    state.status = old.text("status").into();
    state.app_version = metadata.text("app_version").into();
    state.chart_version = metadata.text("version").into();
    let sensitive = !old.items("set_sensitive").is_empty() || old.number("set_wo_revision").is_some_and(|one| one > 0);
    let moved = Moved {
        revision: metadata.number("revision").unwrap_or_default(),
        chart: metadata.text("chart").unwrap_or_default(),
        first_deployed: metadata.number("first_deployed"),
        sensitive,
    };
    let mut private = Private::default();
    private.set(KEY, &moved);
    Ok(Some(Imported { state, private, diagnostics: left_behind(&old) }))
}

fn inputs(old: &Old<'_>, state: &mut Release) {
    state.chart = old.text("chart").into();
    state.repository = old.text("repository").into();
    state.version = old.text("version").into();
    state.repository_username = old.text("repository_username").into();
    state.ca_file = old.text("repository_ca_file").into();
    let values: Vec<Attr<String>> = old.items("values").iter().filter_map(|one| one.as_str()).map(Attr::from).collect();
    state.values = Some(values).filter(|values| !values.is_empty()).into();
    let set: Vec<Set> = old
        .items("set")
        .iter()
        .map(Old)
        .map(|one| Set {
            name: one.text("name").into(),
            value: one.kept("value").into(),
            kind: one.text("type").into(),
        })
        .collect();
    state.set = Some(set).filter(|set| !set.is_empty()).into();
    let lists: Vec<SetList> = old
        .items("set_list")
        .iter()
        .map(Old)
        .map(|one| {
            let value = one.items("value").iter().filter_map(|item| item.as_str()).map(Attr::from).collect();
            SetList { name: one.text("name").into(), value: Attr::Known(value) }
        })
        .collect();
    state.set_list = Some(lists).filter(|lists| !lists.is_empty()).into();
    state.crds = Attr::from(if old.flag("skip_crds") { "skip" } else { "create" });
    let seconds = old.number("timeout").and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(300);
    state.timeout = Attr::Known(ffe_cluster::format_duration(std::time::Duration::from_secs(seconds)));
    state.max_history = Attr::Known(old.number("max_history").unwrap_or(0));
    state.adopt = Attr::Known(false);
    state.take_ownership = Attr::Known(old.flag("take_ownership"));
    state.wait_for_jobs = Attr::Known(old.flag("wait_for_jobs"));
    state.skip_hooks = Attr::Known(old.flag("disable_webhooks"));
    state.lint = Attr::Known(old.flag("lint"));
    if old.flag("verify") {
        state.provenance = Attr::Known(Provenance { verify: Attr::Known(true), keyring: old.text("keyring").into() });
    }
}

/// What the other provider could be told and ours cannot, or says in another way.
fn left_behind(old: &Old<'_>) -> Diagnostics {
    let mut warnings = Diagnostics::new();
    let flags = [
        "reuse_values",
        "recreate_pods",
        "force_update",
        "dependency_update",
        "devel",
        "disable_crd_hooks",
        "disable_openapi_validation",
        "pass_credentials",
    ];
    let mut lost: Vec<&str> = flags.into_iter().filter(|flag| old.flag(flag)).collect();
    let post_rendered = match old.0.get("postrender") {
        Some(Json::Array(items)) => !items.is_empty(),
        Some(Json::Object(one)) => one.get("binary_path").and_then(Json::as_str).is_some_and(|path| !path.is_empty()),
        _ => false,
    };
    if post_rendered {
        lost.push("postrender");
    }
    for name in ["repository_cert_file", "repository_key_file"] {
        if old.text(name).is_some() {
            lost.push(name);
        }
    }
    if !lost.is_empty() {
        warnings.push(Diagnostic::warning(
            "Settings of helm_release have no counterpart in ffe_release",
            format!("They are left behind: {}. Look at `changes` in the plan for what that comes to.", lost.join(", ")),
        ));
    }
    let names: Vec<String> = old.items("set_sensitive").iter().filter_map(|one| Old(one).text("name")).collect();
    if !names.is_empty() {
        warnings.push(Diagnostic::warning(
            "Values of set_sensitive are not taken over",
            format!("ffe_release keeps no secret in state. Give these in set_wo: {}.", names.join(", ")),
        ));
    }
    warnings
}

/// The first readings after a move make sure that it is the same release.
///
/// # Errors
/// When it is not to be found where the provider is configured to look, or is another one.
pub(crate) async fn verify(records: &Records, server: &str, request: &Read<Release>) -> Result<(), Diagnostics> {
    let Some(moved) = Moved::load(&request.private) else { return Ok(()) };
    let namespace = request.state.namespace.as_str().unwrap_or_default();
    let name = request.state.name.as_str().unwrap_or_default();
    let unreadable = |error: ffe_helm::Error| {
        Diagnostics::error(format!("The release {namespace}/{name} cannot be read"), error.to_string())
    };
    let newest = records.history_now(namespace, name).await.map_err(unreadable)?.pop();
    let release = match &newest {
        Some(key) => records.open(key).await.map_err(unreadable)?,
        None => None,
    };
    let Some(release) = release else {
        return Err(Diagnostics::error(
            format!("The release {namespace}/{name} that was moved from helm_release is not there"),
            format!(
                "Looked for on {server}. Configure the provider ffe for the cluster that the provider helm was configured for (and \
                 helm.driver as there). If the release is gone for good, remove it from the state: terraform state rm"
            ),
        ));
    };
    match mismatch(&moved, release.revision, release.first_deployed, &release.chart.name) {
        None => Ok(()),
        Some(why) => Err(Diagnostics::error(
            format!("The release {namespace}/{name} is another one than was moved from helm_release"),
            format!(
                "On {server}: {why}. Configure the provider ffe for the cluster that the provider helm was configured for."
            ),
        )),
    }
}

fn mismatch(moved: &Moved, revision: u32, first_deployed: Option<Timestamp>, chart: &str) -> Option<String> {
    if i64::from(revision) < moved.revision {
        return Some(format!("it is at revision {revision}, and was at {} already", moved.revision));
    }
    match (moved.first_deployed, first_deployed) {
        (Some(then), Some(now)) if then > 0 && then != now.as_second() => {
            Some(format!("it was installed at {now}, and the other one at another time"))
        }
        (None, _) if !moved.chart.is_empty() && moved.chart != chart => {
            Some(format!("it is made of the chart {chart}, and the other one of {}", moved.chart))
        }
        _ => None,
    }
}

/// Notes may show any value: those of a release with secrets among its values are not shown until it is applied.
pub(crate) fn masked(mut answer: Refreshed<Release>) -> Refreshed<Release> {
    if let Some(state) = &mut answer.state
        && Moved::load(&answer.private).is_some_and(|moved| moved.sensitive)
    {
        state.notes = Attr::Null;
    }
    answer
}

/// A state as the other provider stored it: what was not set is null, empty or zero, by version.
struct Old<'a>(&'a Json);

impl Old<'_> {
    fn metadata(&self) -> Old<'_> {
        match self.0.get("metadata") {
            Some(Json::Array(items)) => Old(items.first().unwrap_or(&Json::Null)),
            Some(other) => Old(other),
            None => Old(&Json::Null),
        }
    }

    /// A text; the empty one is none.
    fn text(&self, name: &str) -> Option<String> {
        self.kept(name).filter(|text| !text.is_empty())
    }

    /// A text as it is.
    fn kept(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Json::as_bool) == Some(true)
    }

    fn items(&self, name: &str) -> &[Json] {
        self.0.get(name).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn source(schema_version: i64, state: Json) -> MoveSource {
        MoveSource {
            provider_address: "registry.terraform.io/hashicorp/helm".into(),
            type_name: "helm_release".into(),
            schema_version,
            state,
        }
    }

    fn version_2() -> Json {
        json!({
            "id": "one", "name": "one", "namespace": "ffe", "chart": "./one", "repository": null, "version": "0.1.0",
            "values": ["a: 1"], "set": [{ "name": "x", "value": "", "type": "" }], "set_list": [],
            "set_sensitive": [{ "name": "pw", "value": "canary", "type": "" }], "repository_password": "canary",
            "timeout": 300, "max_history": 0, "skip_crds": true, "disable_webhooks": false, "reuse_values": true,
            "postrender": [], "status": "deployed", "verify": false, "keyring": null,
            "metadata": [{ "name": "one", "namespace": "ffe", "revision": 3, "chart": "one", "version": "0.1.0",
                "app_version": "1.2", "values": "{\"pw\":\"canary\"}", "first_deployed": 1767323045, "last_deployed": 1767323046, "notes": "canary" }],
        })
    }

    #[test]
    fn both_schemas_are_understood_alike() {
        let mut newer = version_2();
        newer["metadata"] = newer["metadata"][0].clone();
        newer["set"][0]["type"] = Json::Null;
        newer["set_list"] = Json::Null;
        newer["postrender"] = Json::Null;
        newer["set_wo"] = Json::Null;
        let two = move_from(&source(1, version_2())).unwrap().unwrap();
        let three = move_from(&source(2, newer)).unwrap().unwrap();
        assert_eq!(format!("{:?}", two.state), format!("{:?}", three.state));
        assert_eq!(two.private, three.private);
        assert_eq!((two.state.timeout.as_str(), two.state.crds.as_str()), (Some("5m"), Some("skip")));
        assert_eq!((&two.state.revision, two.state.chart_version.as_str()), (&Attr::Known(3), Some("0.1.0")));
        let set = two.state.set.known().unwrap();
        assert_eq!((set[0].value.as_str(), set[0].kind.is_null()), (Some(""), true));
        assert!(two.state.values.is_known() && two.state.set_list.is_null() && two.state.provenance.is_null());
    }

    #[test]
    fn nothing_secret_is_taken_over_and_what_is_lost_is_said() {
        let moved = move_from(&source(1, version_2())).unwrap().unwrap();
        let text = format!("{:?} {:?} {:?}", moved.state, moved.private, moved.diagnostics);
        assert!(!text.contains("canary"), "{text}");
        let warnings = moved.diagnostics.to_string();
        assert!(warnings.contains("reuse_values") && warnings.contains("set_wo: pw"), "{warnings}");
    }

    #[test]
    fn other_sources_are_not_ours_and_a_broken_state_is_an_error() {
        let mut other = source(1, version_2());
        other.provider_address = "registry.terraform.io/hashicorp/kubernetes".into();
        assert!(move_from(&other).unwrap().is_none());
        let error = move_from(&source(7, json!({}))).unwrap_err();
        assert!(error.to_string().contains("terraform import"), "{error}");
    }

    #[test]
    fn another_release_of_that_name_is_not_taken_for_it() {
        let mismatch = |moved: &Moved, revision, first, chart| {
            mismatch(moved, revision, Timestamp::from_second(first).ok(), chart)
        };
        let moved = Moved { revision: 3, chart: "one".into(), first_deployed: Some(100), sensitive: false };
        assert_eq!(mismatch(&moved, 4, 100, "renamed"), None);
        assert!(mismatch(&moved, 2, 100, "one").unwrap().contains("revision 2"));
        assert!(mismatch(&moved, 3, 200, "one").unwrap().contains("another time"));
        let older = Moved { first_deployed: None, ..moved };
        assert!(mismatch(&older, 3, 200, "two").unwrap().contains("chart two"));
    }
}
