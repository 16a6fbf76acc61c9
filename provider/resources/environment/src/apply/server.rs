//! The server that is there already: by its StatefulSet, or where that is gone by what the connection's Secret says of it.

use ffe_cluster::k8s_openapi::api::apps::v1::StatefulSet;
use ffe_cluster::k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use ffe_cluster::{Cluster, Mark, Result};
use tfplugin::{Diagnostic, Path};

use crate::image;
use crate::names::Names;
use crate::objects::secrets::DATABASE_IMAGE;
use crate::refusals::other_user;
use crate::spec::Bundled;

/// A server on a volume of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) image: String,
    pub(crate) user: i64,
    /// It has been ready: there is data.
    is_ready: bool,
}

impl Server {
    /// The one whose volume is there.
    ///
    /// # Errors
    /// Those of requests.
    pub(crate) async fn find(cluster: &Cluster, names: &Names) -> Result<Option<Server>> {
        let (namespace, name) = (Some(names.namespace.as_str()), names.database());
        let volume: Option<PersistentVolumeClaim> = cluster.find(namespace, &name).await?;
        let ours =
            |claim: &PersistentVolumeClaim| Mark::read(&claim.metadata).is_some_and(|mark| mark.owner == names.owner());
        if !volume.is_some_and(|claim| ours(&claim)) {
            return Ok(None);
        }
        let workload: Option<StatefulSet> = cluster.find(namespace, &name).await?;
        if let Some(server) = workload.as_ref().and_then(Server::of) {
            return Ok(Some(server));
        }
        let connection: Option<Secret> = cluster.find(namespace, &name).await?;
        let image = connection.and_then(|secret| secret.metadata.annotations?.remove(DATABASE_IMAGE));
        Ok(image.map(|image| Server { user: image::user(&image), image, is_ready: false }))
    }

    fn of(workload: &StatefulSet) -> Option<Server> {
        let pod = workload.spec.template.spec.as_ref()?;
        let image = pod.containers.first()?.image.clone()?;
        let user = pod.security_context.as_ref().and_then(|context| context.run_as_user);
        let ready = workload.status.as_ref().and_then(|status| status.ready_replicas);
        Some(Server { user: user.unwrap_or_else(|| image::user(&image)), image, is_ready: ready > Some(0) })
    }

    /// Why another server cannot go on with its data, if it cannot.
    pub(crate) fn refusal(&self, wished: &Bundled) -> Option<Diagnostic> {
        // What never became ready may be corrected.
        if !self.is_ready {
            return None;
        }
        let at = Path::attribute("database").child("image");
        if let (Some(old), Some(new)) = (image::major(&self.image), image::major(&wished.image))
            && old != new
        {
            let detail = format!(
                "A major version changes the format of the data, so the new server would not start. Set database.image = \
                 \"{}\" to go on with it.",
                self.image
            );
            let summary = format!("The database that is there is PostgreSQL {old}, and {} is {new}", wished.image);
            return Some(Diagnostic::error(summary, detail).at(at));
        }
        (self.user != wished.run_as).then(|| other_user((&self.image, self.user), (&wished.image, wished.run_as), at))
    }
}
