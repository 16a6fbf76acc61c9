//! The routes refer to the certificate, now that it is there. Until here they kept to the one that was served before.

use super::route;
use crate::run::{Run, Stop};

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let change = run.change()?.clone();
    if change.first == change.then {
        return Ok(());
    }
    route::put(run, &change.then).await
}
