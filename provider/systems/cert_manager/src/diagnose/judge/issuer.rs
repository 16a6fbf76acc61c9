//! The issuer's part: it is missing, or not ready.

use super::{Finding, by_text, secret_home};
use crate::diagnose::cause::Cause;
use crate::diagnose::evidence::Evidence;
use crate::diagnose::texts::{Problem, Speaker, tidy};
use crate::diagnose::words::Context;

/// Reasons after which the issuer's controller does not try again before somebody changes something.
const OVER: [&str; 3] = ["InvalidConfig", "InvalidURL", "ErrVerifyACMEAccount"];

/// None when the issuer is ready, has not been looked at yet, or is somebody else's.
pub(super) fn judge(evidence: &Evidence) -> Option<Finding> {
    let context = Context::new(evidence);
    evidence.issuer_ref.as_ref()?;
    let Some(found) = &evidence.issuer else {
        // what could not be looked at may be there
        return (!evidence.issuer_unread).then(|| Finding::of(Cause::IssuerMissing, "", &context));
    };
    let ready = found.ready()?;
    if ready.holds() {
        return None;
    }
    let told = by_text(Speaker::Issuer, &ready.message, &context);
    let of_a_secret = told.as_ref().is_none_or(|told| told.cause == Cause::SecretMissing);
    if of_a_secret && let Some((namespace, secret)) = evidence.missing_secrets.first() {
        let detail = format!("Secret {namespace}/{} with entry {}", secret.name, secret.key);
        return Some(Finding::of(Cause::SecretMissing, &detail, &context));
    }
    let finding = told.unwrap_or_else(|| Finding::of(Cause::IssuerNotReady, &tidy(&ready.message), &context));
    // a refusal with 4xx is not tried again
    let refused = Problem::find(&ready.message).and_then(|problem| problem.status).is_some_and(|status| status < 500);
    if refused || OVER.contains(&ready.reason.as_str()) { Some(finding.over()) } else { Some(finding) }
}

/// `Secret cert-manager/cloudflare`, as far as the namespace is known.
pub(crate) fn secret_title(evidence: &Evidence, name: &str) -> String {
    match secret_home(evidence) {
        Some(namespace) => format!("Secret {namespace}/{name}"),
        None => format!("Secret {name}"),
    }
}
