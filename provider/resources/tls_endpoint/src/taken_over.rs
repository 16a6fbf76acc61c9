//! What a site was like before it was taken over, by an import or by `adopt`: what the configuration leaves out stays so.

use ffe_cluster::{Cluster, ObjectRef, Ownership, ownership};
use tfplugin::{Attr, Diagnostic, Path};

use crate::desired::find;
use crate::errors::routing_diagnostic;
use crate::model::SecurityBefore;
use crate::names::Names;

/// Of a site that nobody has looked at yet.
pub(crate) const NOT_KNOWN: SecurityBefore = SecurityBefore {
    ssl_redirect: Attr::Unknown,
    hsts_max_age: Attr::Unknown,
    hsts_subdomains: Attr::Unknown,
    frame_options: Attr::Unknown,
    content_security_policy: Attr::Unknown,
    content_type_nosniff: Attr::Unknown,
    requests_per_minute: Attr::Unknown,
};

/// What an ingress does for the safety of its hosts, in the endpoint's terms.
pub(crate) fn security(found: &ffe_routing::Security) -> SecurityBefore {
    SecurityBefore {
        ssl_redirect: Attr::Known(found.ssl_redirect),
        hsts_max_age: Attr::Known(found.hsts().and_then(|age| i64::try_from(age).ok()).unwrap_or(0)),
        hsts_subdomains: Attr::Known(found.hsts().is_some() && found.hsts_subdomains),
        frame_options: found.frame_options.clone().unwrap_or_default().into(),
        content_security_policy: found.content_security_policy.clone().unwrap_or_default().into(),
        content_type_nosniff: Attr::Known(found.content_type_nosniff),
        requests_per_minute: Attr::Known(found.limit().map_or(0, i64::from)),
    }
}

/// Of the ingress that stands where the endpoint's goes; none where there is none, or it was made for the endpoint.
///
/// # Errors
/// Where it cannot be looked at: what is not known cannot stay as it is.
pub(crate) async fn look(cluster: &Cluster, names: &Names) -> Result<Option<SecurityBefore>, Diagnostic> {
    let object = ObjectRef::new("networking.k8s.io/v1", "Ingress", Some(&names.namespace), &names.name);
    let summary = format!("What {object} does for its hosts could not be looked at");
    let live = find(cluster, &object).await;
    let live = live.map_err(|error| ffe_session::diagnostic(&error, &summary).at(Path::attribute("security")))?;
    let was_there = match ownership(live.as_ref().map(|live| &live.metadata), &names.owner()) {
        Ownership::Foreign { .. } => true,
        Ownership::OursComplete(mark) | Ownership::OursUnfinished(mark) => mark.adopted,
        _ => false,
    };
    if !was_there {
        return Ok(None);
    }
    match ffe_routing::describe(cluster, &names.namespace, &names.name).await {
        Ok(described) => Ok(Some(security(&described.route.security))),
        // Gone by now.
        Err(ffe_routing::Error::NotThere { .. }) => Ok(None),
        Err(error) => Err(routing_diagnostic(&error, &summary)),
    }
}
