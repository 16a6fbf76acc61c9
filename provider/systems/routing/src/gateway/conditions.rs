//! What a controller says about a Gateway and its routes, in conditions.

use serde_json::Value;

/// What a status comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As it shall be
    Good,
    /// Nothing was said yet, or about an older version of the object
    Pending(String),
    /// Something is wrong; it may heal by itself, so that patience decides
    Wrong(String),
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    /// `True`, `False`, `Unknown`
    status: String,
    /// `NoMatchingListenerHostname`
    reason: String,
    /// The controller's own words
    message: String,
    /// The version of the object that it is about
    generation: Option<i64>,
}

impl Condition {
    /// Reason and words in one.
    fn words(&self) -> String {
        if self.message.is_empty() { self.reason.clone() } else { format!("{} ({})", self.message, self.reason) }
    }
}

/// The condition of this type in a list of them.
fn condition(conditions: &Value, kind: &str) -> Option<Condition> {
    let found = conditions.as_array()?.iter().find(|condition| condition["type"] == kind)?;
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    Some(Condition {
        status: text("status"),
        reason: text("reason"),
        message: text("message"),
        generation: found["observedGeneration"].as_i64(),
    })
}

/// Whether a Gateway has been taken up by its controller. A listener that is wrong does not count here: while the
/// certificate is not there yet, ours is.
pub(crate) fn judge_gateway(gateway: &Value) -> Verdict {
    let class = gateway.pointer("/spec/gatewayClassName").and_then(Value::as_str).unwrap_or_default();
    match condition(&gateway["status"]["conditions"], "Accepted") {
        // the API server's own default says "Unknown: Waiting for controller"
        None => Verdict::Pending(nobody(class)),
        Some(accepted) if accepted.status == "Unknown" => Verdict::Pending(nobody(class)),
        Some(accepted) if accepted.status == "False" && accepted.reason != "ListenersNotValid" => {
            Verdict::Wrong(format!("the Gateway is not accepted: {}", accepted.words()))
        }
        Some(_) => Verdict::Good,
    }
}

fn nobody(class: &str) -> String {
    format!("no controller has taken the Gateway up; is the one of GatewayClass {class:?} running?")
}

/// Whether these listeners of a Gateway are programmed.
pub(crate) fn judge_listeners(gateway: &Value, names: &[String]) -> Verdict {
    let statuses = gateway.pointer("/status/listeners").and_then(Value::as_array);
    let mut pending = None;
    for name in names {
        let found = statuses.and_then(|statuses| statuses.iter().find(|status| status["name"] == name.as_str()));
        let Some(status) = found else {
            pending.get_or_insert_with(|| format!("listener {name:?} has no status yet"));
            continue;
        };
        let wrong = |kind: &str, bad: &str| condition(&status["conditions"], kind).filter(|found| found.status == bad);
        let first = wrong("Accepted", "False")
            .or_else(|| wrong("Conflicted", "True"))
            .or_else(|| wrong("ResolvedRefs", "False"))
            .or_else(|| wrong("Programmed", "False"));
        if let Some(wrong) = first {
            if is_stale(&wrong, gateway) {
                pending.get_or_insert_with(|| format!("the status of listener {name:?} is of an older version"));
            } else {
                return Verdict::Wrong(format!("listener {name:?}: {}", wrong.words()));
            }
        }
    }
    pending.map_or(Verdict::Good, Verdict::Pending)
}

/// Whether a route has been taken up on every listener that it names.
pub(crate) fn judge_route(route: &Value) -> Verdict {
    let wanted = route.pointer("/spec/parentRefs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let told = route.pointer("/status/parents").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut pending = None;
    for parent in wanted {
        let section = parent["sectionName"].as_str().unwrap_or_default();
        let same = |status: &&Value| {
            ["name", "sectionName"].iter().all(|field| status["parentRef"][*field] == parent[*field])
                && status["parentRef"]["namespace"].as_str().is_none_or(|at| parent["namespace"] == at)
        };
        let Some(status) = told.iter().find(same) else {
            pending.get_or_insert_with(|| {
                format!("the Gateway's controller has not taken the route up on listener {section:?}")
            });
            continue;
        };
        for kind in ["Accepted", "ResolvedRefs"] {
            match condition(&status["conditions"], kind) {
                Some(found) if is_stale(&found, route) => {
                    pending.get_or_insert_with(|| format!("{kind} on listener {section:?} is of an older version"));
                }
                Some(found) if found.status == "False" => {
                    return Verdict::Wrong(format!("on listener {section:?} it is not {kind}: {}", found.words()));
                }
                Some(found) if found.status == "True" => {}
                _ => {
                    pending.get_or_insert_with(|| format!("{kind} is not known on listener {section:?}"));
                }
            }
        }
    }
    pending.map_or(Verdict::Good, Verdict::Pending)
}

fn is_stale(condition: &Condition, object: &Value) -> bool {
    match (condition.generation, object["metadata"]["generation"].as_i64()) {
        (Some(seen), Some(now)) => seen < now,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn route(parents: Value) -> Value {
        let wanted = json!([{"name": "web", "namespace": "infra", "sectionName": "https"}]);
        json!({"metadata": {"generation": 2}, "spec": {"parentRefs": wanted}, "status": {"parents": parents}})
    }

    fn parent(accepted: Value, resolved: Value) -> Value {
        json!([{"parentRef": {"name": "web", "namespace": "infra", "sectionName": "https"},
            "conditions": [accepted, resolved]}])
    }

    fn told(kind: &str, status: &str, generation: i64) -> Value {
        json!({"type": kind, "status": status, "reason": "Because", "message": "of that", "observedGeneration": generation})
    }

    #[test]
    fn a_route_is_good_when_every_parent_says_so() {
        let good = parent(told("Accepted", "True", 2), told("ResolvedRefs", "True", 2));
        assert_eq!(judge_route(&route(good)), Verdict::Good);
        assert!(matches!(judge_route(&route(json!([]))), Verdict::Pending(words) if words.contains("https")));
        let stale = parent(told("Accepted", "False", 1), told("ResolvedRefs", "True", 1));
        assert!(matches!(judge_route(&route(stale)), Verdict::Pending(_)));
        let wrong = parent(told("Accepted", "True", 2), told("ResolvedRefs", "False", 2));
        let Verdict::Wrong(words) = judge_route(&route(wrong)) else { unreachable!("it is wrong") };
        assert_eq!(words, "on listener \"https\" it is not ResolvedRefs: of that (Because)");
        let elsewhere = json!([{"parentRef": {"name": "web", "namespace": "other", "sectionName": "https"},
            "conditions": [told("Accepted", "False", 2)]}]);
        assert!(matches!(judge_route(&route(elsewhere)), Verdict::Pending(_)));
    }

    #[test]
    fn a_gateway_that_waits_for_its_controller_says_which() {
        let gateway =
            |conditions: Value| json!({"spec": {"gatewayClassName": "traefik"}, "status": {"conditions": conditions}});
        let waiting = json!([{"type": "Accepted", "status": "Unknown", "reason": "Pending", "message": "Waiting for controller"}]);
        for pending in [json!([]), waiting] {
            assert!(
                matches!(judge_gateway(&gateway(pending)), Verdict::Pending(words) if words.contains("\"traefik\""))
            );
        }
        assert_eq!(judge_gateway(&gateway(json!([told("Accepted", "True", 1)]))), Verdict::Good);
        assert!(matches!(judge_gateway(&gateway(json!([told("Accepted", "False", 1)]))), Verdict::Wrong(_)));
        let ours = json!([{"type": "Accepted", "status": "False", "reason": "ListenersNotValid"}]);
        assert_eq!(judge_gateway(&gateway(ours)), Verdict::Good);
    }

    #[test]
    fn only_the_listeners_that_are_asked_for_count() {
        let gateway = json!({"metadata": {"generation": 1}, "status": {"listeners": [
            {"name": "theirs", "conditions": [told("Accepted", "False", 1)]},
            {"name": "ours", "conditions": [told("Accepted", "True", 1), told("Programmed", "True", 1)]},
            {"name": "broken", "conditions": [told("Accepted", "True", 1), told("ResolvedRefs", "False", 1)]},
        ]}});
        assert_eq!(judge_listeners(&gateway, &["ours".to_owned()]), Verdict::Good);
        assert!(matches!(judge_listeners(&gateway, &["ours".to_owned(), "broken".to_owned()]),
            Verdict::Wrong(words) if words.contains("broken") && words.contains("of that")));
        assert!(matches!(judge_listeners(&gateway, &["new".to_owned()]), Verdict::Pending(_)));
    }
}
