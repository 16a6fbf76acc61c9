//! What a refresh answers where it cannot look: the prior state, and why.

use ffe_cluster::{Cluster, Error};
use tfplugin::{Deferred, Diagnostic, Read, Refreshed};

use crate::{Session, Unavailable, diagnostic_of_recorded, private};

/// The cluster to look at. `what` is for people: `Endpoint api`.
///
/// # Errors
/// The prior state, where there is none: its configuration is not known yet, or cannot be used.
pub fn cluster_to_read<M: Clone>(
    session: &Session,
    what: &str,
    request: &Read<M>,
) -> Result<Cluster, Box<Refreshed<M>>> {
    session.cluster().map_err(|why| {
        Box::new(match why {
            Unavailable::Unknown => {
                let mut refreshed = kept(
                    request,
                    Diagnostic::warning(
                        format!("{what} was not refreshed"),
                        "The provider's configuration is not known yet, so the cluster was not asked. The prior state is kept.",
                    ),
                );
                refreshed.deferred = Some(Deferred::ProviderConfigUnknown);
                refreshed
            }
            Unavailable::Invalid(diagnostics) => {
                Refreshed::present(request.state.clone(), request.private.clone()).with(diagnostics)
            }
        })
    })
}

/// The prior state, after a look that failed.
pub fn not_refreshed<M: Clone>(what: &str, request: &Read<M>, error: &Error) -> Refreshed<M> {
    let server = private::server(&request.private);
    let mut diagnostic = diagnostic_of_recorded(error, &format!("{what} could not be refreshed"), server.as_deref());
    diagnostic.detail.push_str("\n\nThe prior state is kept.");
    kept(request, diagnostic)
}

fn kept<M: Clone>(request: &Read<M>, diagnostic: Diagnostic) -> Refreshed<M> {
    Refreshed::present(request.state.clone(), request.private.clone()).with(diagnostic.into())
}
