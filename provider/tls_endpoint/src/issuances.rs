//! What it costs to make an endpoint anew: Let's Encrypt issues five certificates a week for the same names.

use ffe_cluster::Cluster;
use jiff::{SignedDuration, Timestamp};
use tfplugin::Diagnostic;

use crate::authority::Authority;
use crate::spec::Spec;

/// Certificates for the very same names in a week (Let's Encrypt, "Duplicate Certificate").
const PER_WEEK: usize = 5;
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A warning about an endpoint that is to be destroyed, replaced or renamed, where its issuer is Let's Encrypt's own.
pub(crate) async fn warning(cluster: &Cluster, spec: &Spec, what: &str) -> Option<Diagnostic> {
    let names = &spec.names;
    if !Authority::find(cluster, spec).await.is_production() {
        return None;
    }
    let secret = &spec.certificate.secret_name;
    let seen = match ffe_cert_manager::issuances(cluster, &names.namespace, secret).await {
        Ok(seen) => {
            let now = Timestamp::now();
            let recent = seen.iter().filter_map(|one| one.created).filter(|at| now.duration_since(*at) < WEEK).count();
            format!("{recent} of them were asked for in the last seven days, as far as the cluster still shows it.")
        }
        Err(error) => format!("How many were asked for lately could not be seen: {error}"),
    };
    let after = if spec.keep_secret {
        format!(
            "The Secret {}/{secret} stays, so that an endpoint of the same namespace, secret_name, issuer and hosts orders \
             nothing; any other one orders anew. Where the same run destroys the namespace, it takes the Secret along.",
            names.namespace
        )
    } else {
        "keep_secret = false removes the certificate, so that making the endpoint again orders anew.".to_owned()
    };
    Some(Diagnostic::warning(
        format!("Endpoint {} with a certificate of Let's Encrypt is {what}", names.import_id()),
        format!("Let's Encrypt issues {PER_WEEK} certificates a week for the same names. {seen} {after}"),
    ))
}
