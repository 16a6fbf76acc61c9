//! What cert-manager has given up: the cause is as far down the chain as something is said.

use super::{Finding, newest};
use crate::diagnose::cause::Cause;
use crate::diagnose::evidence::Evidence;
use crate::diagnose::texts::{Speaker, recognise, tidy};
use crate::diagnose::words::Context;
use crate::model::{ChallengeItem, Condition, condition};

/// States that an Order or a Challenge does not leave.
fn is_lost(state: &str) -> bool {
    matches!(state, "invalid" | "expired" | "errored")
}

/// The finding about an issuance that has failed; None when none has.
pub(super) fn judge(evidence: &Evidence) -> Option<Finding> {
    let context = Context::new(evidence);
    let conditions = evidence.request.as_ref().map(|request| request.status.conditions.as_slice()).unwrap_or_default();
    let holding = |kind: &str| condition(conditions, kind).filter(|condition| condition.holds());
    if let Some(denied) = holding("Denied") {
        return Some(Finding::of(Cause::Denied, &denied.message, &context));
    }
    if let Some(invalid) = holding("InvalidRequest") {
        return Some(Finding::of(Cause::RequestRefused, &invalid.message, &context));
    }
    let request = condition(conditions, "Ready").filter(|ready| ready.reason == "Failed");
    let order = evidence.order.as_ref().filter(|order| is_lost(&order.status.state));
    let lost: Vec<&ChallengeItem> =
        evidence.challenges.iter().filter(|challenge| is_lost(&challenge.status.state)).collect();
    let given_up = given_up(evidence);
    if request.is_none() && order.is_none() && lost.is_empty() && given_up.is_none() {
        return None;
    }

    let mut said: Vec<(Speaker, &str, Context<'_>)> = Vec::new();
    for challenge in &lost {
        let at = context.at(challenge);
        // the reason may have been overwritten by a second look at the challenge; the event stays
        let event = newest(evidence.events_of(challenge.uid()), "Failed").and_then(|event| event.message.as_deref());
        said.extend(event.map(|event| (Speaker::Challenge, event, at)));
        said.push((Speaker::Challenge, &challenge.status.reason, at));
    }
    if let Some(order) = order {
        said.push((Speaker::Order, &order.status.reason, context));
    }
    for condition in [request, given_up].into_iter().flatten() {
        said.push((Speaker::Order, &condition.message, context));
    }
    said.retain(|(_, text, _)| !text.is_empty());

    let telling = said.iter().find_map(|(speaker, text, at)| {
        recognise(*speaker, text)
            .filter(|found| !matches!(found.cause, Cause::ValidationFailed | Cause::Unknown))
            .map(|found| Finding::of(found.cause, &found.detail, at))
    });
    let finding = telling.unwrap_or_else(|| match said.first() {
        Some((Speaker::Challenge, text, at)) => {
            let found = recognise(Speaker::Challenge, text).map_or_else(|| tidy(text), |found| found.detail);
            Finding::of(Cause::ValidationFailed, &found, at)
        }
        Some((_, text, at)) => Finding::of(Cause::Unknown, &tidy(text), at),
        None => {
            let state = order.map_or("failed", |order| order.status.state.as_str());
            Finding::of(Cause::Unknown, &format!("its order is {state}, and nothing says why"), &context)
        }
    });
    Some(finding)
}

/// The Certificate says itself that the last attempt failed, and no newer one has begun.
fn given_up(evidence: &Evidence) -> Option<&Condition> {
    let failed = evidence.certificate.as_ref()?.status.last_failure_time.is_some();
    evidence.condition("Issuing").filter(|issuing| failed && !issuing.holds())
}
