//! Trouble that shows in events only, and events as lines.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Event;

use super::EventLine;
use super::evidence::{Evidence, Workload};
use super::problems::{Cause, Patience, Problem};
use ffe_cluster::ObjectRef;

/// An event that was not repeated for longer than this may tell of something that has healed.
const FRESH: SignedDuration = SignedDuration::from_mins(2);

/// Events of the object with this UID.
pub(super) fn of<'a>(evidence: &'a Evidence, uid: Option<&'a str>) -> impl Iterator<Item = &'a Event> {
    evidence.events.iter().filter(move |event| uid.is_some() && event.involved_object.uid.as_deref() == uid)
}

/// When it happened last.
pub(super) fn last_seen(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    series
        .or(event.last_timestamp.as_ref().map(|time| time.0))
        .or(event.event_time.as_ref().map(|time| time.0))
        .or(event.first_timestamp.as_ref().map(|time| time.0))
}

/// Pods that could not be made, and volumes that could not be provisioned.
pub(super) fn judge(evidence: &Evidence, found: &mut Vec<Problem>) {
    judge_creation(evidence, found);
    for claim in &evidence.claims {
        if claim.status.as_ref().and_then(|status| status.phase.as_deref()) != Some("Pending") {
            continue;
        }
        let complaint = of(evidence, claim.metadata.uid.as_deref())
            .filter(|event| matches!(event.reason.as_deref(), Some("ProvisioningFailed" | "FailedBinding")))
            .max_by_key(|event| last_seen(event));
        let Some(complaint) = complaint else { continue };
        let message = complaint.message.clone().unwrap_or_default();
        let no_class = message.contains("storageclass") && message.contains("not found");
        found.push(Problem {
            cause: Cause::Provisioning,
            object: ObjectRef::to(claim),
            container: None,
            reason: complaint.reason.clone().unwrap_or_default(),
            message: format!("its volume cannot be provisioned: {message}"),
            patience: if no_class { Patience::None } else { Patience::Scheduling },
        });
    }
}

fn judge_creation(evidence: &Evidence, found: &mut Vec<Problem>) {
    // a Deployment says it in a condition, which goes away when it heals
    let lacks_pods = match &evidence.workload {
        Workload::StatefulSet(set) => {
            let wanted = set.spec.replicas.unwrap_or(1);
            set.status.as_ref().map_or(0, |status| status.replicas) < wanted
        }
        Workload::DaemonSet(set) => {
            set.status.as_ref().is_some_and(|status| status.current_number_scheduled < status.desired_number_scheduled)
        }
        Workload::Job(job) => job.status.as_ref().is_none_or(|status| {
            let any = |count: Option<i32>| count.unwrap_or(0) > 0;
            !any(status.active) && !any(status.succeeded) && !any(status.failed)
        }),
        _ => false,
    };
    if !lacks_pods {
        return;
    }
    let changed = evidence.changed();
    let uid = evidence.workload.meta().and_then(|meta| meta.uid.as_deref());
    let refusal = of(evidence, uid)
        .filter(|event| event.reason.as_deref() == Some("FailedCreate"))
        .filter(|event| {
            last_seen(event).is_none_or(|seen| {
                changed.is_none_or(|changed| seen >= changed) && evidence.taken.duration_since(seen) < FRESH
            })
        })
        .max_by_key(|event| last_seen(event));
    let Some(refusal) = refusal else { return };
    let message = refusal.message.clone().unwrap_or_default();
    let (cause, patience) = judge_refusal(&message);
    found.push(Problem {
        cause,
        object: evidence.workload.object(),
        container: None,
        reason: "FailedCreate".to_owned(),
        message,
        patience,
    });
}

/// Why the API server would not take a pod.
pub(super) fn judge_refusal(message: &str) -> (Cause, Patience) {
    let says = |words: &str| message.contains(words);
    if says("exceeded quota") {
        (Cause::Quota, Patience::Quota)
    } else if says("failed quota") || says("must specify") {
        (Cause::Quota, Patience::None)
    } else if says("violates PodSecurity") {
        (Cause::PodSecurity, Patience::None)
    } else if says("failed calling webhook") {
        (Cause::Admission, Patience::ImagePull)
    } else if says("denied the request") || says("ValidatingAdmissionPolicy") {
        (Cause::Admission, Patience::None)
    } else if says("serviceaccount") && says("not found") {
        (Cause::ServiceAccount, Patience::Config)
    } else if says("per Container") || says("per Pod") {
        (Cause::LimitRange, Patience::None)
    } else if says("is invalid") || says("Invalid value") {
        (Cause::CreateRefused, Patience::None)
    } else {
        (Cause::CreateRefused, Patience::Scheduling)
    }
}

/// Newest first, warnings before the rest, each once, at most so many.
pub(super) fn lines(events: &[Event], most: usize) -> Vec<EventLine> {
    let mut lines: Vec<EventLine> = Vec::new();
    let said = events.iter().filter(|event| !says_nothing(event));
    for event in said {
        let line = EventLine {
            object: format!(
                "{} {}",
                event.involved_object.kind.as_deref().unwrap_or_default(),
                event.involved_object.name.as_deref().unwrap_or_default()
            ),
            reason: event.reason.clone().unwrap_or_default(),
            message: event.message.as_deref().unwrap_or_default().trim().to_owned(),
            count: event.series.as_ref().and_then(|series| series.count).or(event.count).unwrap_or(1).max(1),
            warning: event.type_.as_deref() == Some("Warning"),
            last_seen: last_seen(event),
        };
        // the same of several pods is one line
        let same =
            lines.iter_mut().find(|known| known.reason == line.reason && shape(&known.message) == shape(&line.message));
        match same {
            Some(known) => {
                known.count += line.count;
                if line.last_seen > known.last_seen {
                    *known = EventLine { count: known.count, ..line };
                }
            }
            None => lines.push(line),
        }
    }
    lines.sort_by(|a, b| b.warning.cmp(&a.warning).then(b.last_seen.cmp(&a.last_seen)));
    lines.truncate(most);
    lines
}

/// "Error: ImagePullBackOff": another event says why.
fn says_nothing(event: &Event) -> bool {
    let message = event.message.as_deref().unwrap_or_default();
    message.strip_prefix("Error: ").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// The message without what makes the same one look new each time: names that are generated anew for
/// each attempt.
fn shape(message: &str) -> String {
    // the alphabet of generated names has neither vowels nor 0, 1 and 3
    let generated = |word: &str| {
        let suffix = word.rsplit('-').next().unwrap_or_default();
        word.contains('-') && suffix.len() == 5 && suffix.chars().all(|c| "bcdfghjklmnpqrstvwxz2456789".contains(c))
    };
    message
        .trim_start_matches("(combined from similar events): ")
        .split(['"', ' '])
        .filter(|word| !generated(word))
        .collect::<Vec<_>>()
        .join(" ")
}
