//! What a plan says about hosts that are served already: what interrupts them, what orders a certificate, and what becomes
//! of the Certificate that cert-manager makes by itself.

use std::collections::BTreeMap;

use ffe_cert_manager::shim;
use ffe_cluster::{Cluster, Ownership, ownership};
use ffe_routing::{Resolved, Serving};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path, Plan};

use crate::change::is_of_another_class;
use crate::claim;
use crate::desired::find;
use crate::model::TlsEndpoint;
use crate::spec::Spec;
use crate::steps::{look, route};

/// Warnings, and the refusal of what a Helm release would delete. What cannot be looked at is looked at by the apply.
pub(super) async fn told(cluster: &Cluster, plan: &Plan<TlsEndpoint>, spec: &Spec) -> Diagnostics {
    let mut told = Diagnostics::new();
    let Some(object) = route::main_object(spec) else { return told };
    let Ok(Some(live)) = find(cluster, &object).await else { return told };
    let whose = ownership(Some(&live.metadata), &spec.names.owner());
    let takes_over = matches!(whose, Ownership::Foreign { .. });
    if let Some(release) = claim::release_of(&live.metadata).filter(|_| takes_over) {
        told.push(claim::refuse_of_release(&object, &release).at(Path::attribute("name")));
        return told;
    }
    let adopted = matches!(&whose, Ownership::OursComplete(mark) | Ownership::OursUnfinished(mark) if mark.adopted);
    if takes_over || adopted {
        let annotations = live.metadata.annotations.clone().unwrap_or_default();
        told.extend(taken_off(cluster, spec, &plan.planned, &annotations).await);
    }
    let resolved = match ffe_routing::inspect(cluster, &spec.route).await {
        Ok(resolved) => resolved,
        Err(_) => {
            told.extend(class_left_out(plan, None));
            return told;
        }
    };
    told.extend(class_left_out(plan, Some(&resolved)));
    let Ok(live) = serde_json::to_value(live) else { return told };
    let serving = Serving::of(&live, &resolved);
    told.extend(another_secret(spec, &serving, &plan.config));
    told.extend(interruption(&resolved, &serving));
    told
}

/// An endpoint that gets another name.
pub(super) async fn renamed(cluster: &Cluster, prior: &Spec, spec: &Spec, config: &TlsEndpoint) -> Diagnostics {
    let mut told: Diagnostics = ordered_anew(spec, &prior.certificate.secret_name, config).into_iter().collect();
    if prior.route.class == spec.route.class
        && let Ok(resolved @ Resolved::Ingress(_)) = ffe_routing::inspect(cluster, &spec.route).await
        && !ffe_routing::can_serve_beside(&resolved)
    {
        let (before, now) = (&prior.names.name, &spec.names.name);
        told.push(
            Diagnostic::warning(
                format!("The hosts are not served for a moment while endpoint {before} becomes {now}"),
                "The controller of this class does not serve a second Ingress for the same hosts, so that the former one goes \
                 right before the new one comes.",
            )
            .at(Path::attribute("name")),
        );
    }
    told
}

/// Another namespace is another endpoint, and a Gateway takes one listener for a host: the former one goes first.
pub(super) fn replaced(prior: &Spec, by_name: bool) -> Diagnostic {
    let summary = format!("The hosts of endpoint {} are not served while it is replaced", prior.names.import_id());
    if by_name {
        return Diagnostic::warning(
            summary,
            "A Gateway takes one listener for a host, so that the endpoint's own of the former name goes before that of the new \
             one comes; DNS records of hosts that stay are kept.",
        )
        .at(Path::attribute("name"));
    }
    Diagnostic::warning(
        summary,
        "Another namespace is another endpoint: Terraform removes the one before it makes the other; DNS records of hosts that \
         stay are kept. Without a gap, where no records are managed: apply adopt = true and \
         lifecycle { create_before_destroy = true } first, and the namespace then; the new one is made beside the former one, \
         which goes afterwards. Only another address in Terraform needs no other namespace: a moved block is \
         enough.",
    )
    .at(Path::attribute("namespace"))
}

async fn taken_off(
    cluster: &Cluster,
    spec: &Spec,
    planned: &TlsEndpoint,
    annotations: &BTreeMap<String, String>,
) -> Option<Diagnostic> {
    let triggers = shim::triggers(annotations);
    if triggers.is_empty() {
        return None;
    }
    let (namespace, name) = (&spec.names.namespace, &spec.certificate.secret_name);
    let there = ffe_cert_manager::certificate(cluster, namespace, name).await.ok()?;
    if there.is_some_and(|there| look::is_as_wished(&there, annotations, spec, planned)) {
        return None;
    }
    let list = triggers.iter().map(|(key, value)| format!("  {key}: {value}")).collect::<Vec<_>>().join("\n");
    Some(
        Diagnostic::warning(
            format!("Annotations are taken off Ingress {}", spec.names.import_id()),
            format!(
                "By them cert-manager makes a Certificate of its own for it, which is not what the configuration says:\n{list}\n\n\
                 The endpoint's Certificate {namespace}/{name} takes over, with the Secret where it has that name. A destroy \
                 puts the annotations back."
            ),
        )
        .at(Path::attribute("issuer")),
    )
}

/// A class that an imported ingress has and the configuration leaves out: then it gets the cluster's default.
fn class_left_out(plan: &Plan<TlsEndpoint>, resolved: Option<&Resolved>) -> Option<Diagnostic> {
    let imported = plan.prior.as_ref().filter(|prior| Spec::of(prior).is_none())?;
    let class = imported.ingress_class.as_str()?;
    if !plan.config.ingress_class.is_null() || !plan.config.gateway.is_null() {
        return None;
    }
    let keep = format!("Write ingress_class = \"{class}\" to leave it as it is.");
    let at = Path::attribute("ingress_class");
    match resolved {
        Some(Resolved::Ingress(served)) if served.class == class => None,
        Some(Resolved::Ingress(served)) => Some(
            Diagnostic::warning(
                format!("The ingress goes from class {class} to {}", served.class),
                format!("The configuration names no class, and {} is the cluster's default. {keep}", served.class),
            )
            .at(at),
        ),
        Some(_) => None,
        None => Some(
            Diagnostic::error(
                format!("The ingress has the class {class}, and the configuration names none"),
                format!("The cluster has no default class that could serve it. {keep}"),
            )
            .at(at),
        ),
    }
}

fn another_secret(spec: &Spec, serving: &Serving, config: &TlsEndpoint) -> Option<Diagnostic> {
    ordered_anew(spec, serving.secret_name.as_deref()?, config)
}

fn ordered_anew(spec: &Spec, served: &str, config: &TlsEndpoint) -> Option<Diagnostic> {
    let wished = &spec.certificate.secret_name;
    if wished == served {
        return None;
    }
    let remedy = if config.secret_name == Attr::Null {
        format!("\n\nTo keep the present one, write secret_name = \"{served}\".")
    } else {
        String::new()
    };
    Some(
        Diagnostic::warning(
            format!("The certificate is ordered anew, for Secret {wished}"),
            format!(
                "The hosts are served with Secret {served} until it is issued, and with {wished} from then on.{remedy}"
            ),
        )
        .at(Path::attribute("secret_name")),
    )
}

fn interruption(resolved: &Resolved, serving: &Serving) -> Option<Diagnostic> {
    let Resolved::Ingress(served) = resolved else { return None };
    if ffe_routing::can_serve_beside(resolved) || !is_of_another_class(serving, resolved) {
        return None;
    }
    let former = serving.class.as_deref().unwrap_or("the default class");
    Some(
        Diagnostic::warning(
            format!("The hosts are not served for a moment while the class changes from {former} to {}", served.class),
            "The controller of this class does not serve a second Ingress for the same hosts, so that the one class lets go of \
             the Ingress before the other one has read it. Where every request counts, make another endpoint of another name \
             with this class first, lead the hosts to its address, and remove this one then.",
        )
        .at(Path::attribute("ingress_class")),
    )
}
