//! Trouble that shows in the state of a pod's containers.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod};

use super::events;
use super::evidence::Evidence;
use super::problems::{Cause, Patience, Problem};
use ffe_cluster::ObjectRef;

/// A run that ended longer ago than this says nothing about the present.
const RECENT: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// Finds what is wrong with the containers of one pod.
pub(super) fn judge(pod: &Pod, evidence: &Evidence, found: &mut Vec<Problem>) {
    let Some(status) = &pod.status else { return };
    let object = ObjectRef::to(pod);
    if status.phase.as_deref() == Some("Succeeded") {
        return;
    }
    let once = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()) == Some("Never");
    let init = status.init_container_statuses.iter().flatten();
    for container in init.chain(status.container_statuses.iter().flatten()) {
        let verdict = judge_container(container, once, pod, evidence);
        if let Some((cause, reason, message, patience)) = verdict {
            let container = Some(container.name.clone());
            found.push(Problem { cause, object: object.clone(), container, reason, message, patience });
        }
    }
    if status.phase.as_deref() == Some("Failed")
        && let Some(reason) = status.reason.as_deref()
    {
        // Evicted, NodeLost, Preempting, UnexpectedAdmissionError: the pod as a whole, by the kubelet
        found.push(Problem {
            cause: Cause::Unknown,
            object,
            container: None,
            reason: reason.to_owned(),
            message: status.message.clone().unwrap_or_else(|| "the node has ended the pod".to_owned()),
            patience: Patience::Forever,
        });
    }
}

type Verdict = (Cause, String, String, Patience);

fn judge_container(container: &ContainerStatus, once: bool, pod: &Pod, evidence: &Evidence) -> Option<Verdict> {
    let state = container.state.as_ref();
    if let Some(waiting) = state.and_then(|state| state.waiting.as_ref()) {
        return judge_waiting(container, waiting, pod, evidence);
    }
    if let Some(ended) = state.and_then(|state| state.terminated.as_ref()) {
        if ended.exit_code == 0 {
            return None;
        }
        let (cause, message) = describe_end(ended);
        // a container that is never started again has said its last word; others are, unless their
        // command does not exist
        let patience = if once || cause == Cause::Start { Patience::None } else { Patience::Forever };
        let cause = if once && cause == Cause::CrashLoop { Cause::JobFailed } else { cause };
        return Some((cause, reason_of(ended), message, patience));
    }
    if container.ready {
        return None;
    }
    // running, and not ready
    let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    if let Some(last) = last.filter(|last| recent(last, evidence)) {
        let (cause, message) = describe_end(last);
        let message = format!("{message}; it was started again {}", times(container.restart_count));
        return Some((cause, reason_of(last), message, Patience::Restarts(container.restart_count)));
    }
    let complaint = probe_complaint(pod, evidence)?;
    Some((Cause::Probe, "Unhealthy".to_owned(), complaint, Patience::Forever))
}

fn judge_waiting(
    container: &ContainerStatus,
    waiting: &ContainerStateWaiting,
    pod: &Pod,
    evidence: &Evidence,
) -> Option<Verdict> {
    let reason = waiting.reason.clone().unwrap_or_default();
    let said = waiting.message.clone().unwrap_or_default();
    let image = &container.image;
    match reason.as_str() {
        "InvalidImageName" => Some((
            Cause::InvalidImage,
            reason,
            format!("{image:?} is not the name of an image: {said}"),
            Patience::None,
        )),
        "ErrImageNeverPull" => {
            let message = format!("the image {image} is not on the node, and imagePullPolicy is Never");
            Some((Cause::ImageNotFound, reason, message, Patience::None))
        }
        "ErrImagePull" | "ImagePullBackOff" | "ImageInspectError" | "RegistryUnavailable" => {
            let why = pull_complaint(&said, image, pod, evidence);
            let (cause, patience) = judge_pull(&why);
            Some((cause, reason, format!("the image {image} cannot be pulled: {why}"), patience))
        }
        "CreateContainerConfigError" | "CreateContainerError" => {
            Some((Cause::ContainerConfig, reason, format!("the container cannot be made: {said}"), Patience::Config))
        }
        "RunContainerError" => {
            let patience = if cannot_start(&said) { Patience::None } else { Patience::Config };
            Some((Cause::Start, reason, format!("its command cannot be started: {said}"), patience))
        }
        "CrashLoopBackOff" => {
            let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
            let (cause, why) = last.map_or((Cause::CrashLoop, said), describe_end);
            let reason = last.filter(|_| cause != Cause::CrashLoop).map_or(reason, reason_of);
            let message = format!("{why}; it was started again {}", times(container.restart_count));
            let patience =
                if cause == Cause::Start { Patience::None } else { Patience::Restarts(container.restart_count) };
            Some((cause, reason, message, patience))
        }
        // ContainerCreating, PodInitializing: what is in the way shows in events
        _ => {
            let mount = events::of(evidence, pod.metadata.uid.as_deref())
                .filter(|event| matches!(event.reason.as_deref(), Some("FailedMount" | "FailedAttachVolume")))
                .max_by_key(|event| events::last_seen(event))?;
            let message = format!("a volume cannot be mounted: {}", mount.message.as_deref().unwrap_or_default());
            Some((Cause::Mount, mount.reason.clone().unwrap_or_default(), message, Patience::Mount))
        }
    }
}

fn recent(ended: &ContainerStateTerminated, evidence: &Evidence) -> bool {
    ended.finished_at.as_ref().is_none_or(|at| evidence.taken.duration_since(at.0) < RECENT)
}

fn reason_of(ended: &ContainerStateTerminated) -> String {
    ended.reason.clone().filter(|reason| !reason.is_empty()).unwrap_or_else(|| "Error".to_owned())
}

fn describe_end(ended: &ContainerStateTerminated) -> (Cause, String) {
    let said = ended.message.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let reason = ended.reason.as_deref().unwrap_or_default();
    let cause = match reason {
        "OOMKilled" => Cause::OutOfMemory,
        "StartError" | "ContainerCannotRun" => Cause::Start,
        _ => Cause::CrashLoop,
    };
    let mut message = match cause {
        Cause::OutOfMemory => "it was killed because it used more memory than its limit".to_owned(),
        Cause::Start => "its command cannot be started".to_owned(),
        _ => format!("it ended with exit code {}{}", ended.exit_code, meaning(ended)),
    };
    if let Some(said) = said {
        message.push_str(": ");
        message.push_str(said);
    }
    (cause, message)
}

fn meaning(ended: &ContainerStateTerminated) -> &'static str {
    match (ended.exit_code, ended.signal) {
        (126, _) => " (the command is not executable)",
        (127, _) => " (the command was not found)",
        (137, _) | (_, Some(9)) => " (killed: by a failed liveness probe, or for memory)",
        (139, _) | (_, Some(11)) => " (segmentation fault)",
        (143, _) | (_, Some(15)) => " (asked to end)",
        _ => "",
    }
}

fn times(restarts: i32) -> String {
    match restarts {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}

/// The kubelet says "Back-off pulling image" after a while; why stands in an event then.
fn pull_complaint(said: &str, image: &str, pod: &Pod, evidence: &Evidence) -> String {
    // the first pull says why at once, later ones behind this
    let said = said.split_once("ErrImagePull: ").map_or(said, |(_, why)| why);
    let uninformative = said.is_empty() || said.trim_end_matches(['"', ' ']).ends_with(image);
    if !uninformative {
        return said.to_owned();
    }
    events::of(evidence, pod.metadata.uid.as_deref())
        .filter(|event| event.reason.as_deref() == Some("Failed"))
        .filter_map(|event| event.message.clone())
        .filter(|message| message.contains("pull"))
        .max_by_key(String::len)
        .unwrap_or_else(|| said.to_owned())
}

fn judge_pull(why: &str) -> (Cause, Patience) {
    let why = why.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    if says(&["no such host", "i/o timeout", "connection refused", "timeout", "too many requests", "temporar", "503"]) {
        return (Cause::ImagePull, Patience::ImagePull);
    }
    if says(&["denied", "unauthorized", "authentication required", "no basic auth", "forbidden"]) {
        return (Cause::ImageDenied, Patience::None);
    }
    if says(&["not found", "manifest unknown", "does not exist", "no such image", "notfound", "name unknown"]) {
        return (Cause::ImageNotFound, Patience::None);
    }
    (Cause::ImagePull, Patience::ImagePull)
}

fn cannot_start(said: &str) -> bool {
    ["executable file not found", "no such file or directory", "permission denied", "exec format error"]
        .iter()
        .any(|words| said.contains(words))
}

fn probe_complaint(pod: &Pod, evidence: &Evidence) -> Option<String> {
    events::of(evidence, pod.metadata.uid.as_deref())
        .filter(|event| event.reason.as_deref() == Some("Unhealthy"))
        .max_by_key(|event| events::last_seen(event))
        .and_then(|event| event.message.clone())
        .map(|message| format!("it is running and not ready: {}", message.trim()))
}
