//! One run over an endpoint: what the steps share, and what they have done so far.

use std::collections::BTreeMap;
use std::time::Duration;

use ffe_cluster::{Cancel, Cluster, Error, Kind, Mark, ObjectRef, Originals};
use ffe_session::issuers::credentials::{Credential, complete};
use ffe_session::lock::Lock;
use ffe_session::{Session, diagnostic};
use ffe_workloads::WaitOptions;
use tfplugin::{Attr, Diagnostic, Diagnostics, Field as _, Model as _, Path, Redactor};
use tokio::time::Instant;

use crate::change::Change;
use crate::claim::{self, Terms};
use crate::desired::{Desired, find};
use crate::former::FormerNames;
use crate::model::{CertificateStatus, TlsEndpoint, VerifyResult};
use crate::names::Names;
use crate::objects::{self, Memory, Surroundings};
use crate::spec::{API_TOKEN, Spec, TSIG_SECRET};
use crate::steps::Step;

/// Why a step did not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The user stopped it, or the lease is lost.
    Cancelled,
    /// It failed.
    Failed(Diagnostics),
}

impl Stop {
    /// A failure.
    pub(crate) fn failed(diagnostics: impl Into<Diagnostics>) -> Stop {
        Stop::Failed(diagnostics.into())
    }

    /// An error of the cluster while doing what `summary` says.
    pub(crate) fn cluster(error: &Error, summary: &str) -> Stop {
        if error.kind() == Kind::Cancelled { Stop::Cancelled } else { Stop::failed(diagnostic(error, summary)) }
    }
}

/// The errors of the cluster under a summary.
pub(crate) fn failed(summary: &str) -> impl FnOnce(Error) -> Stop + use<'_> {
    move |error| Stop::cluster(&error, summary)
}

/// One run.
pub(crate) struct Run<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) session: &'a Session,
    pub(crate) spec: &'a Spec,
    /// The configuration, for its write-only values.
    pub(crate) config: &'a TlsEndpoint,
    /// What it shall be.
    pub(crate) planned: &'a TlsEndpoint,
    /// What it was.
    pub(crate) prior: Option<&'a TlsEndpoint>,
    /// The configuration as it is kept for an import.
    pub(crate) inputs: String,
    pub(crate) run_id: String,
    pub(crate) terms: Terms,
    /// Set when the user wants to stop, or the lease is lost.
    pub(crate) cancel: Cancel,
    /// Until then the certificate is issued.
    pub(crate) deadline: Instant,
    pub(crate) lock: Option<Lock>,
    /// What the cluster has, once it was looked at.
    pub(crate) around: Option<Surroundings>,
    /// How the route gets from what it is to what it shall be, once it was looked at.
    pub(crate) change: Option<Change>,
    /// The hosts have to lead here before the certificate is issued: the authority looks for them (HTTP-01), or may.
    pub(crate) hosts_first: bool,
    /// Annotations of an Ingress that was there before, by which cert-manager makes a Certificate of its own: they go.
    pub(crate) triggers: BTreeMap<String, String>,
    /// The marks that the objects get, once it was looked whose they are.
    pub(crate) marks: BTreeMap<ObjectRef, Mark>,
    /// The objects that were looked at, with the UID of what was there.
    pub(crate) looked_at: BTreeMap<ObjectRef, Option<String>>,
    /// The record as it was found.
    pub(crate) record: Recorded,
    /// What the endpoint was called before.
    pub(crate) former: FormerNames,
    /// Hosts that others serve at the same controller, by its leave, with what does.
    pub(crate) served_beside: BTreeMap<String, ObjectRef>,
    /// The Certificate is cert-manager's own, made by an ingress's annotations: it is used as it is.
    pub(crate) keeps_certificate: bool,
    pub(crate) done: Done,
}

/// What the record says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    /// The inputs of the last apply that went through.
    pub(crate) inputs: Option<String>,
    /// What it remembers beside them.
    pub(crate) memory: Memory,
}

/// What a run has done so far.
#[derive(Default)]
pub(crate) struct Done {
    /// The cluster's identity, and where it was reached.
    pub(crate) reached: Option<(String, String)>,
    /// Steps that are through.
    pub(crate) steps: Vec<Step>,
    /// The step that failed.
    pub(crate) failed: Option<Step>,
    /// Objects of ours that were made or changed.
    pub(crate) objects: Vec<ObjectRef>,
    /// Objects of somebody else's that were taken over.
    pub(crate) adopted: Vec<ObjectRef>,
    /// All addresses of the route; the first is shown.
    pub(crate) addresses: Vec<String>,
    /// Hosts with the identifiers of their records.
    pub(crate) dns_records: BTreeMap<String, String>,
    /// Hosts with the identifiers of the zones that their records are in.
    pub(crate) zones: BTreeMap<String, String>,
    /// When resolvers have forgotten where the hosts were before, where records were changed.
    pub(crate) forgotten_at: Option<Instant>,
    /// The endpoint was there already, left by the delete of a replacement.
    pub(crate) replaces: bool,
    /// Another class or Gateway takes the route over: until the end the former one is the endpoint's.
    pub(crate) moves: bool,
    pub(crate) credentials_revision: Option<String>,
    pub(crate) status: Option<CertificateStatus>,
    pub(crate) results: Vec<VerifyResult>,
    pub(crate) warnings: Diagnostics,
}

impl Done {
    /// The address that is shown.
    pub(crate) fn address(&self) -> Option<&str> {
        self.addresses.first().map(String::as_str)
    }
}

impl Run<'_> {
    /// What the cluster has.
    ///
    /// # Errors
    /// Before it was looked at, which is a mistake in the order of steps.
    pub(crate) fn around(&self) -> Result<&Surroundings, Stop> {
        self.around.as_ref().ok_or_else(|| Stop::failed(bug("the cluster was not looked at")))
    }

    /// How the route gets to what it shall be.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn change(&self) -> Result<&Change, Stop> {
        self.change.as_ref().ok_or_else(|| Stop::failed(bug("the route was not looked at")))
    }

    /// What the endpoint was called before.
    pub(crate) fn former_names(&self) -> Vec<Names> {
        self.former.all(&self.spec.names.namespace)
    }

    /// The mark of an object; one that nobody looked for is new.
    pub(crate) fn mark(&self, object: &ObjectRef) -> Mark {
        let fresh = || Mark::complete(self.spec.names.owner(), &self.run_id);
        self.marks.get(object).cloned().unwrap_or_else(fresh)
    }

    /// Applies an object.
    ///
    /// # Errors
    /// When the cluster refuses, or the run shall stop.
    pub(crate) async fn apply(&mut self, desired: &Desired) -> Result<(), Stop> {
        self.stop_here()?;
        let reference = &desired.reference;
        let place = self.place(desired).await?;
        let applied = self.cluster.put(&desired.marked(&self.mark(reference)), place.as_deref()).await;
        match applied {
            Ok(written) => self.written(reference, written.metadata.uid),
            Err(error) => return Err(self.not_written(desired, error).await),
        }
        Ok(())
    }

    /// What was in the place of an object when it was looked at, or is there now: its UID. What somebody else's has is kept.
    async fn place(&self, desired: &Desired) -> Result<Option<String>, Stop> {
        let reference = &desired.reference;
        let summary = format!("{reference} could not be looked at");
        let mark = self.mark(reference);
        if mark.adopted {
            let kept = self.originals().keep(self.cluster, &desired.wished(true), &mark.run_id).await;
            kept.map_err(failed(&summary))?;
        }
        match self.looked_at.get(reference) {
            Some(uid) => Ok(uid.clone()),
            None => {
                let found = find(self.cluster, reference).await.map_err(failed(&summary))?;
                Ok(found.and_then(|found| found.metadata.uid))
            }
        }
    }

    /// Why an object was not written: where somebody was faster, it is theirs.
    async fn not_written(&self, desired: &Desired, error: Error) -> Stop {
        let names = &self.spec.names;
        if error.kind() == Kind::AlreadyExists
            && let Ok(found) = desired.clone().find(self.cluster).await
        {
            let whose = found.ownership(&names.owner());
            return Stop::failed(claim::refuse(&found, names, &whose));
        }
        Stop::cluster(&error, &format!("{} could not be applied", desired.reference))
    }

    /// Where it is kept what objects were before they were taken over.
    pub(crate) fn originals(&self) -> Originals {
        objects::originals(&self.spec.names)
    }

    /// The same for cert-manager's kinds: its webhook is waited for where it is just starting.
    ///
    /// # Errors
    /// The same.
    pub(crate) async fn apply_by_webhook(&mut self, desired: &Desired) -> Result<(), Stop> {
        self.stop_here()?;
        let place = self.place(desired).await?;
        let object = desired.marked(&self.mark(&desired.reference));
        let applied = ffe_cert_manager::put(self.cluster, &object, place.as_deref(), &self.wait()).await;
        match applied {
            Ok(written) => self.written(&desired.reference, written.metadata.uid),
            Err(ffe_cert_manager::Error::Cluster(error)) => return Err(self.not_written(desired, error).await),
            Err(error) => {
                let summary = format!("{} could not be applied", desired.reference);
                return Err(crate::errors::cert_manager(&error, &summary));
            }
        }
        Ok(())
    }

    fn written(&mut self, object: &ObjectRef, uid: Option<String>) {
        self.looked_at.insert(object.clone(), uid);
        self.note(object);
    }

    /// Notes that an object was written.
    pub(crate) fn note(&mut self, object: &ObjectRef) {
        tracing::debug!(%object, "applied");
        let adopted = self.mark(object).adopted;
        let list = if adopted { &mut self.done.adopted } else { &mut self.done.objects };
        if !list.contains(object) {
            list.push(object.clone());
        }
    }

    /// The safe point between two writes.
    ///
    /// # Errors
    /// When the run shall stop.
    pub(crate) fn stop_here(&self) -> Result<(), Stop> {
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        if self.lock.as_ref().is_some_and(|lock| !lock.still_held()) {
            return Err(Stop::failed(Diagnostic::error(
                "The lease on the endpoint is lost",
                "It could not be renewed in time, so somebody else may be at work by now. Nothing more was done; the next \
                 apply goes on from there.",
            )));
        }
        if Instant::now() >= self.deadline {
            return Err(Stop::failed(
                Diagnostic::error(
                    "Timed out",
                    "The operation took longer than the attribute timeout allows. What was done so far stays; the next \
                     apply goes on from there.",
                )
                .at(Path::attribute("timeout")),
            ));
        }
        Ok(())
    }

    /// How to wait for something before the certificate is there.
    pub(crate) fn wait(&self) -> WaitOptions {
        let left = self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        WaitOptions::new(left, self.cancel.clone())
    }

    /// Masks the secrets of the configuration in what the state keeps.
    pub(crate) fn redactor(&self) -> Redactor {
        Redactor::new(TlsEndpoint::schema().secrets(&self.config.to_value()))
    }
}

/// The one write-only value of an owned issuer's solver, or what the provider has in its place.
///
/// # Errors
/// When there is neither.
pub(crate) fn credentials(config: &TlsEndpoint, session: &Session) -> Result<Option<Credential>, Diagnostic> {
    let mut found = configured(config);
    complete(found.as_mut_slice(), session)?;
    Ok(found)
}

fn configured(config: &TlsEndpoint) -> Option<Credential> {
    let solver = config.issuer.known().and_then(|issuer| issuer.acme.known()).and_then(|acme| acme.solver.known())?;
    let at = Path::attribute("issuer").child("acme").child("solver");
    if let Some(cloudflare) = solver.dns01_cloudflare.known() {
        return Some(Credential {
            entry: API_TOKEN.to_owned(),
            path: at.child("dns01_cloudflare").child("api_token_wo"),
            value: cloudflare.api_token_wo.clone(),
            version: cloudflare.api_token_wo_version.clone(),
            is_at_cloudflare: true,
        });
    }
    let rfc2136 = solver.dns01_rfc2136.known().filter(|rfc2136| rfc2136.is_signed() != Attr::Known(false))?;
    Some(Credential {
        entry: TSIG_SECRET.to_owned(),
        path: at.child("dns01_rfc2136").child("tsig_secret_wo"),
        value: rfc2136.tsig_secret_wo.clone(),
        version: rfc2136.tsig_secret_wo_version.clone(),
        is_at_cloudflare: false,
    })
}

/// Something that cannot be.
pub(crate) fn bug(what: &str) -> Diagnostic {
    Diagnostic::error("The provider made a mistake", format!("In ffe_tls_endpoint {what}. Please report it."))
}
