//! All the looks that a check needs.

use crate::connect::Connect;
use crate::expected::Expected;
use crate::failure::Failure;
use crate::look::{Seen, look_through};
use crate::target::Target;

/// What was seen of an endpoint.
#[derive(Clone, Debug)]
pub struct Observed {
    /// By HTTPS.
    pub https: Result<Seen, Failure>,
    /// By plain HTTP; none where nobody looked.
    pub http: Option<Result<Seen, Failure>>,
    /// By the further requests, in the order of [`Expected::extra`]; fewer where it made no sense to make them.
    pub extra: Vec<Result<Seen, Failure>>,
}

/// A target and the way to it.
pub type Look<'a> = (&'a Target, &'a dyn Connect);

/// Makes the looks that [`crate::check`] needs: at `https`; at `http` where a redirect is expected (the same host and
/// path without TLS; no look is made without it); and the further requests to the target of `https`.
///
/// Each look has the limit of its own target. When `https` is not reached at all, nothing else is tried.
pub async fn observe(https: Look<'_>, http: Option<Look<'_>>, expected: &Expected) -> Observed {
    let (target, way) = https;
    let mut observed = Observed { https: look_through(target, way).await, http: None, extra: Vec::new() };
    if observed.https.is_err() {
        return observed;
    }
    if let Some((target, way)) = http.filter(|_| expected.redirect) {
        observed.http = Some(look_through(target, way).await);
    }
    for extra in &expected.extra {
        let target = Target { path: extra.path.clone(), bearer: extra.bearer.clone(), ..target.clone() };
        observed.extra.push(look_through(&target, way).await);
    }
    observed
}
