//! What goes on in the chain and does not get on.

use ffe_cluster::k8s_openapi::api::core::v1::Pod;

use super::{Finding, by_text, newest};
use crate::diagnose::cause::Cause;
use crate::diagnose::evidence::Evidence;
use crate::diagnose::solver::Solver;
use crate::diagnose::texts::{Speaker, recognise, tidy};
use crate::diagnose::words::Context;
use crate::model::{ChallengeItem, Condition, Item, condition};
use crate::names::owned_by;
use crate::status::CertificateStatus;

/// None when nothing complains.
pub(super) fn judge(evidence: &Evidence) -> Option<Finding> {
    let context = Context::new(evidence);
    let certificate = evidence.certificate.as_ref()?;
    if let Some(kept) = newest(evidence.events_of(certificate.uid()), "CannotRegenerateKey")
        && evidence.condition("Issuing").is_some_and(Condition::holds)
        && evidence.request.is_none()
    {
        let message = kept.message.as_deref().unwrap_or_default();
        let fields = message.split_once("mismatching fields: ").map_or(message, |(_, rest)| rest);
        let fields = fields.split_once(']').map_or_else(|| tidy(fields), |(fields, _)| format!("{fields}]"));
        return Some(Finding::of(Cause::KeyKept, &format!("it differs in {fields}"), &context));
    }
    let Some(request) = &evidence.request else {
        let refused = newest(evidence.events_of(certificate.uid()), "RequestFailed")?;
        return by_text(Speaker::Order, refused.message.as_deref()?, &context);
    };
    let approved = condition(&request.status.conditions, "Approved").is_some_and(Condition::holds);
    if !approved {
        return Some(Finding::of(Cause::NotApproved, &request.title(), &context));
    }
    if let Some(order) = &evidence.order
        && evidence.challenges.is_empty()
        && order.status.state == "pending"
        && let Some(complaint) = newest(evidence.events_of(order.uid()), "Solver")
    {
        // cert-manager does not try this again by itself
        return by_text(Speaker::Order, complaint.message.as_deref()?, &context).map(Finding::over);
    }
    evidence.challenges.iter().find_map(|challenge| pending(evidence, challenge)).or_else(|| {
        let ready = condition(&request.status.conditions, "Ready")?;
        by_text(Speaker::Order, &ready.message, &context)
    })
}

fn pending(evidence: &Evidence, challenge: &ChallengeItem) -> Option<Finding> {
    if challenge.status.state == "valid" {
        return None;
    }
    let context = Context::new(evidence).at(challenge);
    let said = recognise(Speaker::Challenge, &challenge.status.reason).or_else(|| {
        // a reason that was overwritten by a later step is still in an event
        let event = newest(evidence.events_of(challenge.uid()), "PresentError")?;
        let unsaid = challenge.status.reason.is_empty() && !challenge.status.presented;
        event.message.as_deref().filter(|_| unsaid).and_then(|text| recognise(Speaker::Challenge, text))
    });
    let reaching = said
        .as_ref()
        .is_none_or(|said| matches!(said.cause, Cause::Port80Closed | Cause::Port80WrongAnswer | Cause::Unknown));
    if reaching && challenge.spec.kind == "HTTP-01" {
        if let Some(finding) = wrong_class(evidence, challenge, &context) {
            return Some(finding);
        }
        if let Some(why) = evidence.solver_pods.iter().filter(|pod| of(pod, challenge)).find_map(pod_trouble) {
            return Some(Finding::of(Cause::SolverPod, &why, &context));
        }
    }
    let said = said?;
    Some(Finding::of(said.cause, &said.detail, &context))
}

/// The solver's ingress class is none of the cluster's.
fn wrong_class(evidence: &Evidence, challenge: &ChallengeItem, context: &Context<'_>) -> Option<Finding> {
    let class = Solver::of(&challenge.spec.solver).ingress_class?;
    let classes = evidence.ingress_classes.as_ref()?;
    if classes.contains(&class) {
        return None;
    }
    let known = if classes.is_empty() { "it has none".to_owned() } else { format!("it has {}", classes.join(", ")) };
    Some(Finding::of(Cause::WrongSolver, &format!("the cluster has no ingress class {class} ({known})"), context))
}

fn of(pod: &Pod, challenge: &ChallengeItem) -> bool {
    owned_by(&pod.metadata, challenge.uid())
}

/// Why a solver pod does not answer.
fn pod_trouble(pod: &Pod) -> Option<String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref()?;
    let waiting = status.container_statuses.iter().flatten().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref().filter(|reason| *reason != "ContainerCreating")?;
        Some(format!("{name}: {reason}: {}", waiting.message.as_deref().unwrap_or_default()))
    });
    let unplaced = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    waiting
        .or_else(|| unplaced.map(|why| format!("{name}: {}", why.message.as_deref().unwrap_or("it is not scheduled"))))
        .map(|why| tidy(&why))
}

/// How far it is, for people who wait.
pub(super) fn progress(evidence: &Evidence, status: &CertificateStatus) -> String {
    let open: Vec<String> = evidence
        .challenges
        .iter()
        .filter(|challenge| challenge.status.state != "valid")
        .map(|challenge| {
            let state = match (challenge.status.reason.as_str(), challenge.status.presented) {
                ("", true) => "its answer has been set up and is being checked".to_owned(),
                ("", false) if challenge.status.processing => "its answer is being set up".to_owned(),
                ("", false) => "it waits for its turn".to_owned(),
                (reason, _) => tidy(reason),
            };
            format!("challenge {} for {}: {state}", challenge.spec.kind, challenge.spec.dns_name)
        })
        .collect();
    if !open.is_empty() {
        return open.join("; ");
    }
    if let Some(order) = &evidence.order {
        let state = if order.status.state.is_empty() { "being placed" } else { order.status.state.as_str() };
        return format!("the order {} is {state}", order.name());
    }
    if let Some(request) = &evidence.request {
        let ready = condition(&request.status.conditions, "Ready").map(|ready| tidy(&ready.message));
        return ready
            .filter(|message| !message.is_empty())
            .unwrap_or_else(|| format!("{} waits for its issuer", request.title()));
    }
    if status.issuing {
        return "its private key and its request are being made".to_owned();
    }
    status.message.clone().unwrap_or_else(|| "cert-manager has not looked at it yet".to_owned())
}

/// Lines about each object of the chain, from the Certificate down.
pub(crate) fn lines(evidence: &Evidence) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(found) = &evidence.certificate {
        let status = CertificateStatus::of(found);
        let state = if status.ready { "ready" } else { "not ready" };
        let message = status.message.as_deref().map(|message| format!(": {}", tidy(message))).unwrap_or_default();
        lines.push(format!("{}: {state}{message}", found.title()));
        if let Some(failed) = status.last_failure {
            let times = match status.failed_attempts {
                0 | 1 => "once".to_owned(),
                times => format!("{times} times"),
            };
            let again = status.retries_at(&evidence.installation.backoff);
            let again = again.map(|at| format!("; cert-manager tries again at {}", super::utc(at))).unwrap_or_default();
            lines.push(format!("failed {times}, last at {}{again}", super::utc(failed)));
        }
    }
    if let Some(found) = &evidence.issuer {
        let ready = found.ready();
        let state = if ready.is_some_and(Condition::holds) { "ready" } else { "not ready" };
        let message = ready.map(|ready| tidy(&ready.message)).filter(|message| !message.is_empty());
        lines.push(format!(
            "{}: {state}{}",
            found.title(),
            message.map(|message| format!(": {message}")).unwrap_or_default()
        ));
    }
    if let Some(found) = &evidence.request {
        let ready = condition(&found.status.conditions, "Ready");
        let state =
            ready.map_or_else(|| "no status".to_owned(), |ready| format!("{}: {}", ready.reason, tidy(&ready.message)));
        lines.push(format!("{}: {state}", found.title()));
    }
    if let Some(found) = &evidence.order {
        lines.push(stated(found, &found.status.state, &found.status.reason));
    }
    for found in &evidence.challenges {
        let title = Item::title(found);
        let presented = if found.status.presented { ", presented" } else { "" };
        let reason = tidy(&found.status.reason);
        let state = if found.status.state.is_empty() { "new" } else { found.status.state.as_str() };
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        lines.push(format!("{title}: {} for {}, {state}{presented}{reason}", found.spec.kind, found.spec.dns_name));
    }
    for ingress in &evidence.solver_ingresses {
        let class = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref()).unwrap_or("the default");
        lines.push(format!("Ingress {}: of class {class}", ingress.metadata.name.as_deref().unwrap_or_default()));
    }
    for pod in &evidence.solver_pods {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Unknown");
        lines.push(format!("Pod {}: {phase}", pod.metadata.name.as_deref().unwrap_or_default()));
    }
    lines
}

fn stated<S, T>(found: &Item<S, T>, state: &str, reason: &str) -> String {
    let state = if state.is_empty() { "new" } else { state };
    let reason = tidy(reason);
    if reason.is_empty() {
        format!("{}: {state}", found.title())
    } else {
        format!("{}: {state}: {reason}", found.title())
    }
}
