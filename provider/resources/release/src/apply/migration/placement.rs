//! Where the pods of a migration run, and as whom: where the workload's own pods do and as its service account. So nodes with taints, pools
//! of one architecture and registries that want a pull secret are in no Job's way.

use ffe_cluster::Kind;
use ffe_cluster::k8s_openapi::api::core::v1::{Affinity, LocalObjectReference, PodSpec, ServiceAccount, Toleration};
use ffe_helm::manifest::Manifest;
use serde_json::Value as Json;

use crate::apply::run::Run;
use crate::apply::stop::Stop;

/// The service account of pods that name none.
const DEFAULT_ACCOUNT: &str = "default";

/// What the workload's pods say about where they run, given to a pod of ours.
pub(crate) fn run_where(workload: &Json, pod: &mut PodSpec) {
    pod.node_selector = parse(workload, "nodeSelector");
    pod.tolerations = tolerations(workload);
    // What they say of other pods is about their own replicas.
    let affinity: Option<Affinity> = parse(workload, "affinity");
    let nodes = affinity.and_then(|affinity| affinity.node_affinity);
    pod.affinity = nodes.map(|nodes| Affinity { node_affinity: Some(nodes), ..Affinity::default() });
    pod.host_aliases = parse(workload, "hostAliases");
    pod.dns_policy = parse(workload, "dnsPolicy");
    pod.dns_config = parse(workload, "dnsConfig");
}

/// The taints that a workload's pods tolerate.
pub(crate) fn tolerations(workload: &Json) -> Option<Vec<Toleration>> {
    parse(workload, "tolerations")
}

/// Who pods of ours are, and the pull secrets that they name themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Account {
    /// The service account, where it is there.
    pub name: Option<String>,
    /// Pull secrets.
    pub pull_secrets: Option<Vec<LocalObjectReference>>,
}

/// The workload's account. One that the chart only brings along is not there yet when a first install migrates: then the pull secrets
/// that it will have are named by the pods themselves.
///
/// # Errors
/// When the cluster does not answer.
pub(crate) async fn account(run: &Run, workload: &Json, brought: &[(String, Json)]) -> Result<Account, Stop> {
    let pull_secrets = parse(workload, "imagePullSecrets");
    let named = ["serviceAccountName", "serviceAccount"].iter().find_map(|key| workload.get(*key)?.as_str());
    let Some(name) = named.filter(|name| !name.is_empty() && *name != DEFAULT_ACCOUNT) else {
        return Ok(Account { name: None, pull_secrets });
    };
    match run.cluster.find::<ServiceAccount>(Some(&run.inputs.namespace), name).await {
        Ok(Some(_)) => return Ok(Account { name: Some(name.to_owned()), pull_secrets }),
        Ok(None) => {}
        Err(error) if error.kind() == Kind::Forbidden => {}
        Err(error) => return Err(Stop::cluster(&error, "The service account of the chart's pods cannot be looked at")),
    }
    let its_own =
        || brought.iter().find(|(account, _)| account == name).and_then(|(_, body)| parse(body, "imagePullSecrets"));
    Ok(Account { name: None, pull_secrets: pull_secrets.or_else(its_own) })
}

/// The service accounts that a chart brings along, by their names.
pub(crate) fn accounts_of(manifest: &Manifest) -> Vec<(String, Json)> {
    let hooks = manifest.hooks.iter().map(|hook| &hook.object);
    let accounts = manifest.objects.iter().chain(hooks).filter(|object| object.id.kind == "ServiceAccount");
    accounts.map(|object| (object.id.name.clone(), object.body.clone())).collect()
}

fn parse<T: serde::de::DeserializeOwned>(json: &Json, key: &str) -> Option<T> {
    json.get(key).and_then(|value| serde_json::from_value(value.clone()).ok())
}
