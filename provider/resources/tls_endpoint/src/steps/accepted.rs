//! The controller serves the routes with the certificate: what a Gateway says of them. Ingresses say nothing.

use crate::errors::routing;
use crate::run::{Run, Stop};

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let then = &run.change()?.then;
    let accepted = ffe_routing::accepted(run.cluster, &then.route, &then.resolved, &run.wait()).await;
    accepted.map_err(|error| routing(&error, "The route is not served"))
}
