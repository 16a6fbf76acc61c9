//! Looking at an issuer: whether it is ready, and what differs from what was applied.
//!
//! Nothing is written. Whatever is no proof of absence keeps the prior state, and says why.

use ffe_cert_manager::{API, IssuerStatus};
use ffe_cluster::drift::Difference;
use ffe_cluster::k8s_openapi::api::core::v1::Secret;
use ffe_cluster::kube::api::DynamicObject;
use ffe_cluster::{Cluster, Error, Kind, Ownership, Query, Standing, ownership};
use ffe_session::issuers::credentials::{is_as_recorded, revision};
use ffe_session::{Ignored, Session};
use tfplugin::{Attr, Diagnostic, Diagnostics, Read, Refreshed};

use crate::apply;
use crate::drift::{INPUTS, MARK, MISSING, counts, drift, field, given_up, ignored, is_not_ready};
use crate::model::{Drift, Issuer};
use crate::objects::{self, Memory};
use crate::resource::private;
use crate::spec::Spec;

/// The state as it is now.
pub(crate) async fn read(session: &Session, request: Read<Issuer>) -> Refreshed<Issuer> {
    let what = format!("Issuer {}", request.state.name.as_str().unwrap_or_default());
    let cluster = match ffe_session::cluster_to_read(session, &what, &request) {
        Ok(cluster) => cluster,
        Err(kept) => return *kept,
    };
    look(&cluster, &request).await.unwrap_or_else(|error| ffe_session::not_refreshed(&what, &request, &error))
}

async fn look(cluster: &Cluster, request: &Read<Issuer>) -> Result<Refreshed<Issuer>, Error> {
    let (mut state, mut private) = (request.state.clone(), request.private.clone());
    let recorded = match private::cluster(&private) {
        Some(recorded) => recorded,
        None => cluster.identity().await?,
    };
    cluster.check_same(&recorded).await?;
    private::set_cluster(&mut private, &recorded, cluster.server());
    // Imported and not taken over yet: nothing of ours is there to be looked at.
    let Some(spec) = Spec::of(&state) else { return Ok(Refreshed::present(state, private)) };
    let live = match find(cluster, &spec).await {
        Ok(live) => live,
        // Kinds may be away while cert-manager is installed anew: that proves nothing.
        Err(error) if error.kind() == Kind::NotServed => {
            let told = Diagnostic::warning(
                format!("{} was not refreshed", spec.names.object()),
                "The API server does not serve cert-manager's kinds. Whether the issuer is gone with them for good is not known, and \
                 the prior state is kept; a destroy does not need it any more.",
            );
            return Ok(Refreshed::present(state, private).with(told.into()));
        }
        Err(error) => return Err(error),
    };
    let home = match private::home(&private) {
        Some(home) => Some(home),
        None if spec.has_credentials() => apply::home(cluster, &spec).await.ok(),
        None => None,
    };
    let home = home.filter(|_| spec.has_credentials());
    let Some(live) = live else {
        // What it read is to go with it, or to be read again.
        if let Some(home) = &home
            && is_left(cluster, &spec, home).await?
        {
            state.drifted = vec![drift(spec.names.object(), MISSING)].into();
            return Ok(Refreshed::present(state, private));
        }
        return Ok(Refreshed::gone());
    };
    let ignored = ignored(&state);
    let mut drifted = compare(cluster, &spec, &live, &ignored).await;
    if let Some(home) = &home {
        drifted.extend(credentials(cluster, &spec, home, &ignored, &mut state).await?);
        private::set_home(&mut private, Some(home));
    }
    let status = IssuerStatus::of(&live);
    if let (Some(uri), Attr::Known(_)) = (&status.account_uri, &state.acme) {
        state.acme_account_uri = uri.as_str().into();
    }
    let told = not_ready(cluster, &spec, &status).await;
    // An apply that failed is not over: as long as no other one went through, a plan says so.
    drifted.extend(request.state.drifted.known().into_iter().flatten().filter(|one| is_not_ready(one)).cloned());
    state.drifted = drifted.into();
    Ok(Refreshed::present(state, private).with(told.into_iter().collect::<Diagnostics>()))
}

/// The issuer by a list, whose success without it proves that there is none.
async fn find(cluster: &Cluster, spec: &Spec) -> Result<Option<DynamicObject>, Error> {
    let object = spec.names.object();
    let found = cluster.list_ref(API, &object.kind, object.namespace.as_deref(), &Query::named(&object.name)).await?;
    // A server that does not know the field selector would hand out everything.
    Ok(found.into_iter().find(|one| one.metadata.name.as_deref() == Some(&object.name)))
}

/// Whether the Secret of an issuer that is gone is still there, and ours.
async fn is_left(cluster: &Cluster, spec: &Spec, home: &str) -> Result<bool, Error> {
    let standing = cluster.standing(&objects::credentials(spec, home), &spec.names.owner()).await;
    match standing {
        Ok(standing) => Ok(matches!(standing, Standing::Made(_) | Standing::Adopted(_))),
        Err(error) if error.kind() == Kind::Forbidden => Ok(false),
        Err(error) => Err(error),
    }
}

async fn compare(cluster: &Cluster, spec: &Spec, live: &DynamicObject, ignored: &Ignored) -> Vec<Drift> {
    let object = spec.names.object();
    let counts = |pointer: &str| counts(ignored, &object, pointer);
    let mut pointers = Vec::new();
    // An unfinished one is of a create that failed and of nothing else.
    if !matches!(ownership(Some(&live.metadata), &spec.names.owner()), Ownership::OursComplete(_)) {
        pointers.push(MARK.to_owned());
    }
    if Memory::of(&live.metadata).inputs.is_none() {
        pointers.push(INPUTS.to_owned());
    }
    let wished = objects::issuer(spec, &Memory::default());
    let live = serde_json::to_value(live).unwrap_or_default();
    let found = cluster.drift(&wished, &live, |difference| counts(&difference.pointer())).await;
    if let Some(error) = found.unresolved {
        tracing::info!(%error, %object, "it was compared as it is written");
    }
    pointers.extend(found.differences.iter().map(Difference::pointer));
    pointers.extend(given_up(&wished, &live));
    pointers.iter().filter(|pointer| counts(pointer)).map(|pointer| drift(&object, &field(pointer))).collect()
}

/// The digests that stay in the cluster say whether the Secret is what was applied.
async fn credentials(
    cluster: &Cluster,
    spec: &Spec,
    home: &str,
    ignored: &Ignored,
    state: &mut Issuer,
) -> Result<Vec<Drift>, Error> {
    let object = objects::credentials(spec, home);
    let counts = |pointer: &str| counts(ignored, &object, pointer);
    let (digests, found) = match async {
        let digests = cluster.find_digests(home, &spec.names.owner()).await?;
        Ok((digests, cluster.find::<Secret>(Some(home), &object.name).await?))
    }
    .await
    {
        Ok(found) => found,
        Err(error) if Error::kind(&error) == Kind::Forbidden => {
            tracing::info!(%error, %object, "not looked at");
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let entries = spec.entries();
    // Known in every state: nothing recorded is a revision too.
    let recorded = digests.as_ref().map(|digests| revision(digests, entries.iter().map(String::as_str)));
    state.credentials_revision = recorded.unwrap_or_default().into();
    let Some(found) = found else {
        return Ok(counts("").then(|| drift(&object, MISSING)).into_iter().collect());
    };
    let Some(digests) = digests else { return Ok(Vec::new()) };
    let data = found.data.unwrap_or_default();
    let changed = entries.iter().filter(|entry| {
        let content = data.get(*entry).map(|content| content.0.as_slice());
        counts(&format!("/data/{}", entry.replace('~', "~0").replace('/', "~1")))
            && !is_as_recorded(&digests, entry, content)
    });
    Ok(changed.map(|entry| drift(&object, &format!("data[{entry:?}]"))).collect())
}

/// An issuer that cannot issue is worth a word in each plan.
async fn not_ready(cluster: &Cluster, spec: &Spec, status: &IssuerStatus) -> Option<Diagnostic> {
    if status.ready {
        return None;
    }
    let issuer = spec.names.issuer();
    let diagnosis = ffe_cert_manager::diagnose_issuer(cluster, &issuer, spec.names.place()).await;
    Some(Diagnostic::warning(format!("{} is not ready", spec.names.object()), diagnosis.to_string()))
}

/// What is not known of an issuer that is there.
pub(crate) fn unknown_is_null(state: &mut Issuer) {
    for attribute in [&mut state.acme_account_uri, &mut state.credentials_revision] {
        if attribute.is_unknown() {
            *attribute = Attr::Null;
        }
    }
}
