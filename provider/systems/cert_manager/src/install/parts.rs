//! The Deployments that cert-manager consists of.

use ffe_cluster::k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use ffe_cluster::k8s_openapi::api::apps::v1::Deployment;
use ffe_cluster::{Cluster, ObjectRef, Query};

/// Name of the webhook in the API server's configuration and in its errors.
const WEBHOOK: &str = "webhook.cert-manager.io";

/// One part of cert-manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// At work
    Available {
        /// `Deployment cert-manager/cert-manager`
        what: String,
    },
    /// It is there, and not at work
    Unavailable {
        /// `Deployment cert-manager/cert-manager`
        what: String,
        /// What is lacking
        why: String,
    },
    /// Nothing of it was found, or may be looked at: it may be at work all the same
    Unseen {
        /// What was looked for
        why: String,
    },
}

impl Part {
    pub(super) fn of(deployment: &Deployment) -> Self {
        let what = ObjectRef::to(deployment).to_string();
        let wanted = deployment.spec.replicas.unwrap_or(1);
        let status = deployment.status.as_ref();
        if status.and_then(|status| status.available_replicas).unwrap_or(0) > 0 {
            return Self::Available { what };
        }
        let complaint = status
            .and_then(|status| status.conditions.as_ref())
            .into_iter()
            .flatten()
            .filter(|condition| {
                condition.status.as_deref() == Some("False") || condition.type_.as_deref() == Some("ReplicaFailure")
            })
            .filter_map(|condition| condition.message.clone())
            .next_back();
        let why = match (wanted, complaint) {
            (0, _) => "it is scaled to 0".to_owned(),
            (wanted, Some(complaint)) => format!("0 of {wanted} pods are available: {complaint}"),
            (wanted, None) => format!("0 of {wanted} pods are available"),
        };
        Self::Unavailable { what, why }
    }

    pub(super) fn find(deployment: Option<&Deployment>) -> Self {
        deployment.map_or_else(|| Self::Unseen { why: "no Deployment of it was found".to_owned() }, Self::of)
    }

    /// What and why, when it is known not to be at work.
    pub fn trouble(&self) -> Option<(&str, &str)> {
        match self {
            Self::Unavailable { what, why } => Some((what, why)),
            _ => None,
        }
    }
}

/// The Deployment of cert-manager with this component label, however the chart's release is called.
pub(super) fn find<'a>(deployments: &'a [Deployment], component: &str) -> Option<&'a Deployment> {
    deployments
        .iter()
        .filter(|deployment| label(deployment, "app.kubernetes.io/component") == Some(component))
        .find(|deployment| is_cert_manager(deployment))
}

fn label<'a>(deployment: &'a Deployment, name: &str) -> Option<&'a str> {
    deployment.metadata.labels.as_ref()?.get(name).map(String::as_str)
}

fn is_cert_manager(deployment: &Deployment) -> bool {
    let chart = label(deployment, "helm.sh/chart").unwrap_or_default();
    let name = label(deployment, "app.kubernetes.io/name").unwrap_or_default();
    let image = containers(deployment)
        .any(|container| container.image.as_deref().is_some_and(|image| image.contains("cert-manager-")));
    chart.starts_with("cert-manager-v") || name == "cert-manager" || image
}

fn containers(deployment: &Deployment) -> impl Iterator<Item = &ffe_cluster::k8s_openapi::api::core::v1::Container> {
    let pod = deployment.spec.template.spec.as_ref();
    pod.into_iter().flat_map(|pod| pod.containers.iter())
}

pub(super) fn version(deployment: &Deployment) -> Option<String> {
    label(deployment, "app.kubernetes.io/version").map(str::to_owned)
}

/// Command line of its containers.
pub(super) fn arguments(deployment: &Deployment) -> Vec<String> {
    containers(deployment)
        .flat_map(|container| container.command.iter().flatten().chain(container.args.iter().flatten()))
        .cloned()
        .collect()
}

/// The value of a flag, `--name=value` or `--name value`; the last one counts.
pub(super) fn argument(arguments: &[String], name: &str) -> Option<String> {
    let flag = |argument: &str| argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')).map(str::to_owned);
    arguments.iter().enumerate().rev().find_map(|(at, argument)| {
        let rest = flag(argument)?;
        match rest.split_once('=') {
            Some((found, value)) => (found == name).then(|| value.to_owned()),
            None => (rest == name).then(|| arguments.get(at + 1).cloned()).flatten(),
        }
    })
}

/// Whether the Gateway API is switched on; a configuration file may say it too, and is not looked at.
pub(super) fn gateway_api(arguments: &[String]) -> Option<bool> {
    let bare = arguments.iter().any(|argument| argument == "--enable-gateway-api");
    match argument(arguments, "enable-gateway-api").as_deref() {
        Some("false") => Some(false),
        Some("true") => Some(true),
        _ if bare => Some(true),
        _ if argument(arguments, "config").is_some() => None,
        _ => Some(false),
    }
}

/// The webhook answers only when the API server knows whom to trust, which the CA injector tells it.
pub(super) async fn webhook(cluster: &Cluster, deployment: Option<&Deployment>) -> Part {
    let part = Part::find(deployment);
    if part.trouble().is_some() {
        return part;
    }
    // not all may look at these
    let configured: Vec<ValidatingWebhookConfiguration> =
        cluster.list(None, &Query::default()).await.unwrap_or_default();
    let hook = configured
        .iter()
        .find_map(|configuration| configuration.webhooks.iter().flatten().find(|hook| hook.name == WEBHOOK));
    match hook {
        Some(hook) if hook.client_config.ca_bundle.as_ref().is_none_or(|bundle| bundle.0.is_empty()) => {
            Part::Unavailable {
                what: "ValidatingWebhookConfiguration of cert-manager".to_owned(),
                why: "the CA injector has not put the webhook's authority into it".to_owned(),
            }
        }
        _ => part,
    }
}
