//! What a plan has to ask the cluster, and what it refuses or warns of.
//!
//! What does not exist yet may be made in the same run: nothing that is missing fails a plan.

use ffe_cert_manager::is_same_directory;
use ffe_cluster::{Cluster, Kind, ObjectRef, Ownership, ownership};
use ffe_session::issuers::credentials::{Credential, differ};
use ffe_session::ownership::Refusal;
use ffe_session::{Session, Unavailable};
use tfplugin::{Attr, Deferred, Diagnostic, Diagnostics, Path, Plan, Severity};

use crate::model::Issuer;
use crate::resource::private;
use crate::spec::{self, Spec};
use crate::{apply, claim, secrets};

pub(crate) async fn plan(session: &Session, plan: &mut Plan<Issuer>) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let cluster = match session.cluster() {
        Ok(cluster) => cluster,
        Err(Unavailable::Unknown) => {
            plan.deferred = Some(Deferred::ProviderConfigUnknown);
            return diagnostics;
        }
        Err(Unavailable::Invalid(errors)) => return errors,
    };
    if !plan.is_create() && !plan.requires_replace.is_empty() {
        let prior = plan.prior.as_ref().and_then(Spec::of);
        if let Some(prior) = prior {
            diagnostics.extend(replaced(&cluster, &prior).await);
        }
        return diagnostics;
    }
    let credentials = match secrets::all(&plan.config, session) {
        Ok(credentials) => credentials,
        Err(refused) => return refused.into(),
    };
    if plan.is_create() {
        diagnostics.extend(taken(&cluster, plan).await);
        return diagnostics;
    }
    diagnostics.extend(notice_credentials(&cluster, plan, &credentials).await);
    if !plan.is_change() {
        return diagnostics;
    }
    keep_account(plan);
    if let (Some(before), Some(now)) = (plan.prior.as_ref().and_then(Spec::of), Spec::of(&plan.planned)) {
        diagnostics.extend(another_authority(&cluster, &before, &now).await);
    }
    diagnostics
}

/// An issuer that exists and is not ours. One with a mark of ours may be on its way out in the same run (a replacement): that is
/// looked at when it is made.
async fn taken(cluster: &Cluster, plan: &Plan<Issuer>) -> Option<Diagnostic> {
    if !matches!(plan.config.adopt, Attr::Null | Attr::Known(false)) {
        return None;
    }
    let names = spec::names(&plan.planned)?;
    let object = names.object();
    match cluster.find_ref(&object).await {
        Ok(found) => {
            let whose = ownership(found.as_ref().map(|found| &found.metadata), &names.owner());
            let is_theirs = matches!(whose, Ownership::Foreign { .. } | Ownership::OtherResource(_));
            is_theirs.then(|| claim::refused(&object, &names, &Refusal::Whose(whose)))
        }
        // cert-manager, or the cluster, may be on its way up. What is wrong with it is said when it is needed.
        Err(error) if error.kind() == Kind::NotServed => None,
        Err(error) => {
            let summary = format!("Whether {object} exists already could not be checked");
            Some(warning(ffe_session::diagnostic(&error, &summary)))
        }
    }
}

/// Makes the plan a change when write-only values changed and no version speaks for them.
async fn notice_credentials(cluster: &Cluster, plan: &mut Plan<Issuer>, all: &[Credential]) -> Option<Diagnostic> {
    if plan.is_change() || all.iter().all(|one| !one.version.is_null()) {
        return None;
    }
    let spec = Spec::of(&plan.planned)?;
    let home = match private::home(&plan.private) {
        Some(home) => home,
        None => match apply::home(cluster, &spec).await {
            Ok(home) => home,
            Err(error) => return Some(unchecked(&crate::errors::cert_manager(&error, "").detail)),
        },
    };
    match cluster.find_digests(&home, &spec.names.owner()).await {
        Ok(digests) => {
            if differ(all, digests.as_ref()) {
                plan.touch();
            }
            None
        }
        Err(error) => Some(unchecked(&ffe_session::diagnostic(&error, "").detail)),
    }
}

fn unchecked(why: &str) -> Diagnostic {
    Diagnostic::warning(
        "Whether the issuer's credentials changed could not be checked; the plan does not show it if they did",
        why,
    )
}

/// The account is the same as long as server and key are.
fn keep_account(plan: &mut Plan<Issuer>) {
    let (Some(prior), planned) = (&plan.prior, &mut plan.planned) else { return };
    let (Some(before), Some(now)) = (prior.acme.known(), planned.acme.known()) else { return };
    let same_server = match (before.server.as_str(), now.server.as_str()) {
        (Some(before), Some(now)) => is_same_directory(before, now),
        _ => false,
    };
    if same_server
        && before.private_key_secret == now.private_key_secret
        && before.external_account_binding == now.external_account_binding
        && prior.acme_account_uri.is_known()
        && prior.drifted.known().is_some_and(Vec::is_empty)
    {
        planned.acme_account_uri = prior.acme_account_uri.clone();
    }
}

/// Another authority under the same name: cert-manager goes by the name, and orders nothing by itself.
async fn another_authority(cluster: &Cluster, before: &Spec, now: &Spec) -> Option<Diagnostic> {
    if before.what.issues_like(&now.what) {
        return None;
    }
    let object = now.names.object();
    let users = users(cluster, now).await;
    let whose = match &users {
        Ok(users) if users.is_empty() => return None,
        Ok(users) => format!("{} refer to it:\n{}", certificates(users.len()), list(users)),
        Err(error) => format!("Which certificates refer to it could not be seen: {error}"),
    };
    Some(Diagnostic::warning(
        format!("{object} issues something else from now on, and certificates that are there stay as they are"),
        format!(
            "{whose}\n\nEach of them is renewed by the new authority when its time has come. To have them at once, apply once \
                 more: an ffe_tls_endpoint sees in its refresh when its certificate is not of what its issuer asks now, and orders \
                 it anew, which counts against the authority's limits."
        ),
    ))
}

/// The former issuer is destroyed first, which certificates prevent.
async fn replaced(cluster: &Cluster, prior: &Spec) -> Option<Diagnostic> {
    let object = prior.names.object();
    let whose = match users(cluster, prior).await {
        Ok(users) if users.is_empty() => return None,
        Ok(users) => format!("{} refer to it:\n{}", certificates(users.len()), list(&users)),
        Err(error) => format!("Which certificates refer to it is not known: {error}"),
    };
    Some(
        Diagnostic::warning(
            format!("{object} is replaced while certificates refer to it"),
            format!(
                "{whose}\n\nAs long as they do, it is not destroyed. With lifecycle {{ create_before_destroy = true }} in this resource \
                 the new one is made first, endpoints that refer to it by issuer_ref order their certificates from it, and then the \
                 former one goes. Each of them orders one certificate."
            ),
        )
        .at(Path::attribute("name")),
    )
}

/// A warning about an issuer that is to be destroyed, and is referred to.
pub(crate) async fn destroyed(cluster: &Cluster, prior: &Spec) -> Option<Diagnostic> {
    let object = prior.names.object();
    let whose = match users(cluster, prior).await {
        Ok(users) if users.is_empty() => return None,
        Ok(users) => format!("{} refer to it now:\n{}", certificates(users.len()), list(&users)),
        Err(error) => format!("Which certificates refer to it is not known: {error}"),
    };
    Some(Diagnostic::warning(
        format!("{object} is not destroyed while certificates refer to it"),
        format!("{whose}\n\nThose that this run destroys as well go first. For the others, use another issuer first."),
    ))
}

/// The certificates that refer to an issuer. Without cert-manager there are none.
pub(crate) async fn users(cluster: &Cluster, spec: &Spec) -> Result<Vec<ObjectRef>, ffe_cert_manager::Error> {
    match ffe_cert_manager::users(cluster, &spec.names.issuer(), spec.names.place()).await {
        Err(ffe_cert_manager::Error::NotInstalled { .. }) => Ok(Vec::new()),
        other => other,
    }
}

pub(crate) fn certificates(count: usize) -> String {
    if count == 1 { "1 certificate".to_owned() } else { format!("{count} certificates") }
}

/// Not more than a message has room for.
pub(crate) fn list(users: &[ObjectRef]) -> String {
    const SHOWN: usize = 20;
    let mut lines: Vec<String> = users.iter().take(SHOWN).map(|user| format!("  {user}")).collect();
    if users.len() > SHOWN {
        lines.push(format!("  and {} more", users.len() - SHOWN));
    }
    lines.join("\n")
}

fn warning(diagnostic: Diagnostic) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..diagnostic }
}
