//! The services behind the route: where one is not there, no controller can do anything about the answer.

use crate::run::Run;

/// What is wrong with a backend, in a sentence, with what to do; nothing where nothing is found, or it may not be looked at.
pub(crate) async fn trouble(run: &Run<'_>) -> Option<String> {
    let problem = ffe_routing::backend_problem(run.cluster, &run.spec.route).await.ok().flatten()?;
    let namespace = &run.spec.names.namespace;
    Some(format!(
        "{problem}. Correct the backend, or see: kubectl get services,pods,endpointslices --namespace {namespace}"
    ))
}
