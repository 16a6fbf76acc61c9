//! From evidence to one finding: what has failed for good comes first, then what keeps everything else
//! from moving, then the chain from its beginning to its end.

mod chain;
mod failed;
mod issuer;

use ffe_cluster::k8s_openapi::api::core::v1::Event;
use jiff::{SignedDuration, Timestamp};

use super::cause::Cause;
use super::evidence::Evidence;
use super::texts::{Speaker, recognise};
use super::words::Context;
use crate::names::IssuerKind;
use crate::status::CertificateStatus;
pub(crate) use chain::lines;
pub(crate) use issuer::secret_title;

/// A Certificate that nobody has looked at for this long is not going to be looked at.
const UNSEEN: SignedDuration = SignedDuration::from_secs(60);

/// The one thing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) cause: Cause,
    pub(crate) sentence: String,
    pub(crate) remedy: String,
    /// cert-manager has given up, until its next attempt or for good
    pub(crate) over: bool,
}

impl Finding {
    /// With the words that belong to the cause.
    fn of(cause: Cause, detail: &str, context: &Context<'_>) -> Self {
        let (sentence, remedy) = context.words(cause, detail);
        Self { cause, sentence, remedy, over: false }
    }

    fn over(mut self) -> Self {
        self.over = true;
        self
    }
}

/// Judges what was fetched about a Certificate.
pub(crate) fn certificate(evidence: &Evidence) -> Finding {
    let context = Context::new(evidence);
    if !evidence.installation.is_installed() {
        let missing = evidence.installation.missing_kinds.join(", ");
        return Finding::of(Cause::NotInstalled, &missing, &context).over();
    }
    let Some(found) = &evidence.certificate else {
        return match evidence.missing.first() {
            Some(why) => Finding::of(Cause::Unknown, why, &context),
            None => Finding::of(Cause::CertificateMissing, "", &context).over(),
        };
    };
    let status = CertificateStatus::of(found);
    let done = status.ready && status.observed && !status.issuing && status.last_failure.is_none();
    if done && !status.overdue(evidence.taken) {
        return Finding::of(Cause::Ready, status.message.as_deref().unwrap_or_default(), &context);
    }
    if let Some(finding) = failed::judge(evidence) {
        return finding.over();
    }
    if let Some(finding) = parts(evidence, &context) {
        return finding;
    }
    if !evidence.rivals.is_empty() && !status.ready && !status.issuing && evidence.request.is_none() {
        return Finding::of(Cause::SecretShared, &evidence.rivals.join(", "), &context);
    }
    issuer::judge(evidence)
        .or_else(|| chain::judge(evidence))
        .or_else(|| unseen(evidence, &status, &context))
        .unwrap_or_else(|| Finding::of(Cause::InProgress, &chain::progress(evidence, &status), &context))
}

/// Judges what was fetched about an issuer.
pub(crate) fn issuer(evidence: &Evidence) -> Finding {
    let context = Context::new(evidence);
    if !evidence.installation.is_installed() {
        let missing = evidence.installation.missing_kinds.join(", ");
        return Finding::of(Cause::NotInstalled, &missing, &context).over();
    }
    let ready = evidence.issuer.as_ref().and_then(|issuer| issuer.ready());
    if ready.is_some_and(crate::model::Condition::holds) {
        return Finding::of(Cause::Ready, "", &context);
    }
    if ready.is_none()
        && let Some(finding) = parts(evidence, &context)
    {
        return finding;
    }
    let waits = "cert-manager has not looked at it yet";
    issuer::judge(evidence).unwrap_or_else(|| Finding::of(Cause::InProgress, waits, &context))
}

/// Without its controller nothing moves; without its webhook the controller cannot write any status.
fn parts(evidence: &Evidence, context: &Context<'_>) -> Option<Finding> {
    let installation = &evidence.installation;
    if let Some((what, why)) = installation.controller.trouble() {
        return Some(Finding::of(Cause::ControllerAway, &format!("{what}: {why}"), context));
    }
    if let Some((what, why)) = installation.webhook.trouble() {
        return Some(Finding::of(Cause::WebhookAway, &format!("{what}: {why}"), context));
    }
    None
}

/// Nothing has ever been said of it, or a renewal is due and does not begin.
fn unseen(evidence: &Evidence, status: &CertificateStatus, context: &Context<'_>) -> Option<Finding> {
    let found = evidence.certificate.as_ref()?;
    if status.issuing {
        return None;
    }
    if found.status.conditions.is_empty() {
        let created = found.created().filter(|created| evidence.taken.duration_since(*created) > UNSEEN)?;
        let detail = format!("nobody has looked at it since it was made at {}", utc(created));
        return Some(Finding::of(Cause::ControllerAway, &detail, context));
    }
    let renewal = status.renewal_time.filter(|_| status.overdue(evidence.taken))?;
    let detail = format!("its renewal was due at {} and has not begun", utc(renewal));
    Some(Finding::of(Cause::ControllerAway, &detail, context))
}

/// The newest event of this reason.
fn newest<'a>(events: impl Iterator<Item = &'a Event>, reason: &str) -> Option<&'a Event> {
    events.filter(|event| event.reason.as_deref() == Some(reason)).max_by_key(|event| last_seen(event))
}

/// When it happened last.
pub(crate) fn last_seen(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    series
        .or(event.last_timestamp.as_ref().map(|time| time.0))
        .or(event.event_time.as_ref().map(|time| time.0))
        .or(event.first_timestamp.as_ref().map(|time| time.0))
}

/// `2026-11-28 09:13:16 UTC`
pub(crate) fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The finding that a text leads to, if it is recognised.
fn by_text(speaker: Speaker, text: &str, context: &Context<'_>) -> Option<Finding> {
    recognise(speaker, text).map(|found| Finding::of(found.cause, &found.detail, context))
}

/// Where a ClusterIssuer's or Issuer's Secrets are.
pub(crate) fn secret_home(evidence: &Evidence) -> Option<String> {
    match &evidence.issuer_ref.as_ref()?.kind {
        IssuerKind::Issuer => evidence.object.namespace.clone(),
        IssuerKind::ClusterIssuer => evidence.installation.cluster_resource_namespace.clone(),
        IssuerKind::External { .. } => None,
    }
}
