//! The routes refer to the certificate, now that it is there. Until here they kept to the one that was served before.

use super::route;
use crate::former::{self, Together};
use crate::run::{Run, Stop};

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let change = run.change()?.clone();
    if change.first != change.then {
        route::put(run, &change.then).await?;
    }
    if change.is_at_one_controller(&run.done.addresses) {
        // As long as the former one is there, nobody can be sure to see the other. It takes over, as a change of settings does.
        route::take_over(run).await?;
    }
    former::leave_routes(run, &[Together::AtOneController]).await?;
    Ok(())
}
