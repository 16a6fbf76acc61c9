//! Making an issuer: everything is looked at before anything is written; then what it reads, then the issuer itself, and then
//! it is waited for.
//!
//! Whoever writes holds the issuer's lease, which lies where the issuer's Secrets are. Only where that is not known, which is no
//! matter to an issuer without Secrets, there is none: then a create that finds an unfinished one cannot tell whether its maker
//! lives.

use ffe_cert_manager::IssuerStatus;
use ffe_cluster::kube::api::{DynamicObject, ObjectMeta};
use ffe_cluster::{Cancel, Cluster, Error, Kind, Mark, MarkState, ObjectRef, Standing, ownership};
use ffe_session::diagnostic;
use ffe_session::issuers::credentials::{Credential, record, secret};
use ffe_session::lock::{Lock, Locked};
use ffe_session::ownership::Refusal;
use ffe_workloads::WaitOptions;
use serde_json::Value as Json;
use tfplugin::{Diagnostic, Diagnostics, Path};
use tokio::time::Instant;

use crate::claim::{self, Terms};
use crate::errors::cert_manager;
use crate::names::{Names, TYPE_NAME};
use crate::objects::{self, Memory};
use crate::spec::Spec;

/// One run.
pub(crate) struct Run<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) spec: &'a Spec,
    /// What it reads, wholly known.
    pub(crate) credentials: Vec<Credential>,
    /// The configuration as it is kept for an import.
    pub(crate) inputs: String,
    pub(crate) run_id: String,
    pub(crate) terms: Terms,
    /// Set when the user wants to stop, or the lease is lost.
    pub(crate) cancel: Cancel,
    pub(crate) deadline: Instant,
    /// Once it is held.
    pub(crate) lock: Option<Lock>,
}

/// What a run has done so far.
#[derive(Default)]
pub(crate) struct Done {
    /// Where its Secrets are, once that is known.
    pub(crate) home: Option<String>,
    /// Objects of ours that were made or changed.
    pub(crate) objects: Vec<ObjectRef>,
    /// Objects of somebody else's that were taken over.
    pub(crate) adopted: Vec<ObjectRef>,
    pub(crate) credentials_revision: Option<String>,
    /// The issuer was written.
    pub(crate) is_written: bool,
    pub(crate) account_uri: Option<String>,
    pub(crate) warnings: Diagnostics,
}

/// An object that was looked at, and the mark that it gets.
struct Place {
    object: ObjectRef,
    uid: Option<String>,
    mark: Mark,
}

/// The errors of the cluster under a summary.
pub(crate) fn failed(summary: &str) -> impl FnOnce(Error) -> Diagnostics + use<'_> {
    move |error| {
        if error.kind() == Kind::Cancelled {
            return interrupted();
        }
        diagnostic(&error, summary).into()
    }
}

fn refused(error: &ffe_cert_manager::Error, summary: &str) -> Diagnostics {
    match error.cluster() {
        Some(error) if error.kind() == Kind::Cancelled => interrupted(),
        _ => cert_manager(error, summary).into(),
    }
}

fn interrupted() -> Diagnostics {
    Diagnostics::error(
        "The issuer was interrupted",
        "Terraform was told to stop. What was done so far stays; the next apply goes on from there.",
    )
}

/// Keeps others away from an issuer whose Secrets are in this namespace.
///
/// # Errors
/// When somebody else is at work on it, the cluster refuses, or the user stops it.
pub(crate) async fn lock(
    cluster: &Cluster,
    names: &Names,
    home: &str,
    (run_id, what): (&str, &str),
    cancel: &Cancel,
) -> Result<Lock, Diagnostics> {
    let lease = names.lease();
    let locked = Locked { namespace: home, name: &lease, run_id, what, subject: "issuer", named_by: "name" };
    Lock::take(cluster, &locked, cancel).await.map_err(|refused| refused.unwrap_or_else(interrupted))
}

/// Where cert-manager reads the Secrets of the issuer.
///
/// # Errors
/// When that cannot be found out.
pub(crate) async fn home(cluster: &Cluster, spec: &Spec) -> Result<String, ffe_cert_manager::Error> {
    match &spec.secret_namespace {
        Some(told) => Ok(told.clone()),
        None => ffe_cert_manager::secret_namespace(cluster, &spec.names.issuer(), spec.names.place()).await,
    }
}

impl Run<'_> {
    /// Goes through all of it, with everybody else kept away.
    ///
    /// # Errors
    /// What went wrong; what was done is in `done`.
    pub(crate) async fn run(mut self, done: &mut Done) -> Result<(), Diagnostics> {
        let spec = self.spec;
        self.require_namespace().await?;
        let installation = ffe_cert_manager::installation(self.cluster).await;
        let installation = installation.and_then(|found| found.check().map(|()| found));
        let installation = installation.map_err(|error| refused(&error, "No issuer can be made"))?;
        done.warnings.extend(another_home(spec, installation.cluster_resource_namespace.as_deref()));

        let (place, _) = self.look().await?;
        let home = match home(self.cluster, spec).await {
            Ok(home) => Some(home),
            // Something has to be kept there.
            Err(error) if spec.has_credentials() || place.mark.adopted => {
                return Err(refused(&error, "The issuer's Secrets cannot be placed"));
            }
            Err(error) => {
                tracing::info!(%error, "where the issuer's Secrets are is not known");
                None
            }
        };
        done.home = home.clone();
        let Some(home) = home else { return self.steps(None, done).await };
        let what = format!("terraform apply of {TYPE_NAME} {}", spec.names.import_id());
        let lock = lock(self.cluster, &spec.names, &home, (&self.run_id, &what), &self.cancel).await?;
        self.cancel = lock.cancel();
        self.lock = Some(lock);
        let ended = self.steps(Some(&home), done).await;
        let Some(lock) = self.lock.take() else { return ended };
        let ended = ended.map_err(|errors| lock.check().err().map_or(errors, Diagnostics::from));
        if done.objects.is_empty() && done.adopted.is_empty() {
            // Refused: nothing of ours stays there.
            lock.remove().await;
        } else {
            done.warnings.extend(lock.let_go().await);
        }
        ended
    }

    async fn steps(&self, home: Option<&str>, done: &mut Done) -> Result<(), Diagnostics> {
        let spec = self.spec;
        // What another run has done until it gave the lease back is seen only now.
        let (place, live) = self.look().await?;
        let before = live.as_ref().map(|live| Memory::of(&live.metadata)).unwrap_or_default();
        let account_key = self.made_for_us(&before, live.as_ref(), home).await;
        let secret = match home {
            Some(home) if spec.has_credentials() => Some(self.look_at_secret(home).await?),
            _ => None,
        };

        if let (Some(home), Some(place)) = (home, &secret) {
            self.write_credentials(home, place, done).await?;
        }
        let memory = Memory { inputs: before.inputs, account_key };
        let uid = self.write(&place, &memory, home, done).await?;
        done.is_written = true;
        self.wait(done).await?;
        // Only now is it done, and an import may know it by this.
        let place = Place { uid: Some(uid), mark: Mark { state: MarkState::Complete, ..place.mark }, ..place };
        self.write(&place, &Memory { inputs: Some(self.inputs.clone()), ..memory }, home, done).await?;
        if let Some(home) = home {
            self.remove_superseded(home).await?;
        }
        Ok(())
    }

    /// The issuer's place, and what is there.
    async fn look(&self) -> Result<(Place, Option<DynamicObject>), Diagnostics> {
        let object = self.spec.names.object();
        let live = self.cluster.find_ref(&object).await;
        let live = live.map_err(failed(&format!("{object} could not be looked at")))?;
        let place = self.place(&object, live.as_ref().map(|live| &live.metadata))?;
        Ok((place, live))
    }

    /// The namespace of an Issuer is there.
    async fn require_namespace(&self) -> Result<(), Diagnostics> {
        let Some(namespace) = &self.spec.names.namespace else { return Ok(()) };
        match self.cluster.namespace(namespace).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Diagnostic::error(
                format!("The namespace {namespace} does not exist"),
                format!(
                    "On {}. Make it first, or refer to ffe_environment's namespace so that it is made before the issuer.",
                    self.cluster.server()
                ),
            )
            .at(Path::attribute("namespace"))
            .into()),
            // Who may not read namespaces may still be allowed to work in one.
            Err(error) if error.kind() == Kind::Forbidden => Ok(()),
            Err(error) => Err(failed("The namespace cannot be looked at")(error)),
        }
    }

    fn place(&self, object: &ObjectRef, live: Option<&ObjectMeta>) -> Result<Place, Diagnostics> {
        let mark = claim::mark(object, live, &self.spec.names, &self.run_id, &self.terms)?;
        Ok(Place { object: object.clone(), uid: live.and_then(|live| live.uid.clone()), mark })
    }

    async fn look_at_secret(&self, home: &str) -> Result<Place, Diagnostics> {
        let object = objects::credentials(self.spec, home);
        let live = self.cluster.find_ref(&object).await;
        let live = live.map_err(failed(&format!("{object} could not be looked at")))?;
        self.place(&object, live.as_ref().map(|live| &live.metadata))
    }

    /// The Secret with the account's key, where cert-manager makes it for this issuer: there is none yet.
    async fn made_for_us(&self, before: &Memory, live: Option<&DynamicObject>, home: Option<&str>) -> Option<String> {
        let key = self.spec.what.account_key_secret()?;
        if before.account_key.as_deref() == Some(key) {
            return before.account_key.clone();
        }
        if live.is_some_and(|live| live.data["spec"]["acme"]["privateKeySecretRef"]["name"] == key) {
            return None;
        }
        let object = objects::secret(key, home?);
        match self.cluster.find_ref(&object).await {
            Ok(found) => found.is_none().then(|| key.to_owned()),
            Err(error) => {
                tracing::info!(%error, "whether there is a key of the account already is not known");
                None
            }
        }
    }

    async fn write_credentials(&self, home: &str, place: &Place, done: &mut Done) -> Result<(), Diagnostics> {
        let object = secret(&self.spec.credentials_secret(), home, &self.credentials);
        self.put(place, &object, Some(home), done).await?;
        let owner = Mark::complete(self.spec.names.owner(), &self.run_id);
        let recorded = record(self.cluster, home, &owner, &self.credentials).await;
        done.credentials_revision =
            recorded.map_err(failed("The digests of the issuer's credentials could not be kept"))?;
        Ok(())
    }

    async fn write(
        &self,
        place: &Place,
        memory: &Memory,
        home: Option<&str>,
        done: &mut Done,
    ) -> Result<String, Diagnostics> {
        self.put(place, &objects::issuer(self.spec, memory), home, done).await
    }

    /// Writes an object where it was looked at; returns its UID.
    async fn put(
        &self,
        place: &Place,
        object: &Json,
        home: Option<&str>,
        done: &mut Done,
    ) -> Result<String, Diagnostics> {
        self.stop_here()?;
        let (named, mark) = (&place.object, &place.mark);
        let summary = format!("{named} could not be applied");
        if let Some(home) = home.filter(|_| mark.adopted) {
            let kept = objects::originals(self.spec, home).keep(self.cluster, object, &mark.run_id).await;
            kept.map_err(failed(&summary))?;
        }
        let mut marked = object.clone();
        mark.write_value(&mut marked);
        let written = ffe_cert_manager::put(self.cluster, &marked, place.uid.as_deref(), &self.patience()).await;
        let written = match written {
            Ok(written) => written,
            Err(ffe_cert_manager::Error::Cluster(error)) if error.kind() == Kind::AlreadyExists => {
                return Err(self.somebody_was_faster(named, error).await);
            }
            Err(error) => return Err(refused(&error, &summary)),
        };
        tracing::debug!(object = %named, "applied");
        let list = if mark.adopted { &mut done.adopted } else { &mut done.objects };
        if !list.contains(named) {
            list.push(named.clone());
        }
        Ok(written.metadata.uid.unwrap_or_default())
    }

    async fn somebody_was_faster(&self, object: &ObjectRef, error: Error) -> Diagnostics {
        let names = &self.spec.names;
        match self.cluster.find_ref(object).await {
            Ok(Some(live)) => {
                let whose = ownership(Some(&live.metadata), &names.owner());
                claim::refused(object, names, &Refusal::Whose(whose)).into()
            }
            _ => failed(&format!("{object} could not be made"))(error),
        }
    }

    /// Until cert-manager says that it is ready.
    async fn wait(&self, done: &mut Done) -> Result<(), Diagnostics> {
        let (issuer, place) = (self.spec.names.issuer(), self.spec.names.place());
        let again = ffe_cert_manager::retry_issuer(self.cluster, &issuer, place).await;
        if again.map_err(|error| refused(&error, "The issuer could not be tried again"))? {
            tracing::info!(%issuer, "the issuer had been refused, and tries again");
        }
        let ready = ffe_cert_manager::wait_issuer(self.cluster, &issuer, place, &self.patience()).await;
        ready.map_err(|error| refused(&error, &format!("{issuer} is not ready")))?;
        let object = self.spec.names.object();
        let live = self.cluster.find_ref(&object).await.map_err(failed(&format!("{object} could not be looked at")))?;
        done.account_uri = live.and_then(|live| IssuerStatus::of(&live).account_uri);
        Ok(())
    }

    /// The Secret of an issuer that reads none any more.
    async fn remove_superseded(&self, home: &str) -> Result<(), Diagnostics> {
        if self.spec.has_credentials() {
            return Ok(());
        }
        remove_credentials(self.cluster, self.spec, home)
            .await
            .map_err(failed("The former credentials could not be removed"))
    }

    /// The safe point between two writes.
    fn stop_here(&self) -> Result<(), Diagnostics> {
        if let Some(lock) = &self.lock {
            lock.check()?;
        }
        if self.cancel.is_cancelled() {
            return Err(interrupted());
        }
        if Instant::now() >= self.deadline {
            return Err(Diagnostic::error(
                "Timed out",
                "The operation took longer than the attribute timeout allows. What was done so far stays; the next apply goes on \
                 from there.",
            )
            .at(Path::attribute("timeout"))
            .into());
        }
        Ok(())
    }

    fn patience(&self) -> WaitOptions {
        let left = self.deadline.saturating_duration_since(Instant::now()).max(std::time::Duration::from_secs(1));
        WaitOptions::new(left, self.cancel.clone())
    }
}

/// Removes the Secret that an issuer reads, and the digests beside it. Whoever may not look there has made none.
///
/// # Errors
/// Those of requests.
pub(crate) async fn remove_credentials(cluster: &Cluster, spec: &Spec, home: &str) -> Result<(), Error> {
    let (object, owner) = (objects::credentials(spec, home), spec.names.owner());
    let removed = async {
        match cluster.standing(&object, &owner).await? {
            Standing::Made(made) => drop(made.delete(cluster).await?),
            Standing::Adopted(adopted) => adopted.give_back(cluster, &objects::originals(spec, home)).await?,
            Standing::Absent | Standing::Others(_) => {}
        }
        if cluster.find_digests(home, &owner).await?.is_some() {
            cluster.delete_digests(home, &owner).await?;
        }
        Ok::<_, Error>(())
    };
    match removed.await {
        Err(error) if error.kind() == Kind::Forbidden && !spec.has_credentials() => {
            tracing::info!(%error, %object, "not looked at");
            Ok(())
        }
        other => other,
    }
}

/// cert-manager reads Secrets elsewhere than the configuration says.
fn another_home(spec: &Spec, found: Option<&str>) -> Option<Diagnostic> {
    let (told, found) = (spec.secret_namespace.as_deref()?, found?);
    (told != found).then(|| {
        Diagnostic::warning(
            format!("cert-manager reads Secrets of ClusterIssuers in {found}"),
            format!(
                "secret_namespace is \"{told}\", and the controller was started with another one, as its Deployment says. What is \
                 put into {told} is not found by it then."
            ),
        )
        .at(Path::attribute("secret_namespace"))
    })
}

/// What a create that failed leaves behind, and how to be rid of it.
pub(crate) fn remains(done: &Done, spec: &Spec) -> Option<String> {
    if done.objects.is_empty() {
        return None;
    }
    let list: Vec<String> = done.objects.iter().map(|object| format!("  {object}")).collect();
    let commands: Vec<String> = done
        .objects
        .iter()
        .rev()
        .map(|object| {
            let place = object.namespace.as_ref().map(|place| format!(" --namespace {place}")).unwrap_or_default();
            format!("  kubectl delete{place} {} {}", object.kind.to_lowercase(), object.name)
        })
        .collect();
    Some(format!(
        "Nothing is in the state. These remain, marked as an unfinished issuer {}:\n{}\n\nThe next apply finds them and goes on \
         from there. To remove them instead:\n\n{}",
        spec.names.import_id(),
        list.join("\n"),
        commands.join("\n")
    ))
}
