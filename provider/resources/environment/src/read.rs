//! Looking at an environment: what differs from what was applied, and how its database is.
//!
//! Nothing is written. Whatever is no proof of absence keeps the prior state, and says why.

use ffe_cluster::k8s_openapi::api::core::v1::Namespace;
use ffe_cluster::{Cluster, Comparison, Digests, Error, Ownership, Presence, Quantity};
use ffe_session::Session;
use tfplugin::logging::redact;
use tfplugin::{Attr, Diagnostic, Private, Read, Refreshed};

use crate::apply::database::{is_short, revision as database_revision};
use crate::apply::ready_instances;
use crate::apply::secrets::{SECRETS, URL, bytes, revision, url_bytes};
use crate::connection::{self, DATABASE_URL};
use crate::drift::{CAPACITY, MARK, MISSING, NOT_READY, differences, drift};
use crate::kinds::{Found, Kind, find_all, secret_value};
use crate::model::{DatabaseStatus, Drift, Environment};
use crate::objects::{self, database, secrets};
use crate::probe::{self, Answer};
use crate::resource::private;
use crate::spec::{Bundled, DatabaseSpec, Spec};

/// The state as it is now.
pub(crate) async fn read(session: &Session, request: Read<Environment>) -> Refreshed<Environment> {
    let what = format!("Environment {}", request.state.name.as_str().unwrap_or_default());
    let cluster = match ffe_session::cluster_to_read(session, &what, &request) {
        Ok(cluster) => cluster,
        Err(kept) => return *kept,
    };
    look(&cluster, &request).await.unwrap_or_else(|error| ffe_session::not_refreshed(&what, &request, &error))
}

async fn look(cluster: &Cluster, request: &Read<Environment>) -> Result<Refreshed<Environment>, Error> {
    let (mut state, mut private) = (request.state.clone(), request.private.clone());
    let recorded = match private::cluster(&private) {
        Some(recorded) => recorded,
        None => cluster.identity().await?,
    };
    let name = state.namespace.clone().unwrap_or_default();
    let namespace = match cluster.confirm::<Namespace>(None, &name, &recorded).await? {
        Presence::Absent => return Ok(Refreshed::gone()),
        Presence::Present(namespace) => namespace,
    };
    private::set_cluster(&mut private, &recorded, cluster.server());
    // Imported and not taken over yet: nothing of ours is there to be looked at.
    let Some(spec) = Spec::of(&state) else { return Ok(Refreshed::present(state, private)) };
    if ffe_cluster::namespace::is_terminating(&namespace) {
        let warning = Diagnostic::warning(
            format!("Namespace {name} is being deleted"),
            "Somebody deletes it outside of Terraform. Once it is gone, the environment is planned anew.",
        );
        return Ok(Refreshed::present(state, private).with(warning.into()));
    }

    let found = find_all(cluster, objects::all(&spec)).await?;
    let digests = cluster.find_digests(&spec.names.namespace, &spec.names.owner()).await?;
    let mut drifted = compare(&spec, &found, digests.as_ref());
    if let Some(revision) = digests.as_ref().and_then(revision) {
        state.secrets_revision = revision.into();
    } else if !state.secrets_revision.is_known() {
        // Known in every state: nothing recorded is a revision too.
        state.secrets_revision = String::new().into();
    }
    take_grown_volume(&mut state, &found);

    let mut warnings = tfplugin::Diagnostics::new();
    if let Some(bundled) = spec.database.bundled() {
        let server = Server { cluster, spec: &spec, bundled, found: &found };
        let (status, warning) = server.status(&request.state, &mut private).await;
        let unready = status.ready_instances == Attr::Known(0);
        // An apply that did not see the database ready is not done: as long as it is not, a plan says so.
        let pending = drift(&database::stateful_set(&spec, bundled).reference, NOT_READY);
        if unready && request.state.drifted.known().is_some_and(|drifted| drifted.contains(&pending)) {
            drifted.push(pending);
        }
        state.database_status = status.into();
        warnings.extend(warning);
    }
    state.drifted = drifted.into();
    Ok(Refreshed::present(state, private).with(warnings))
}

/// Everything that is not as it was applied.
fn compare(spec: &Spec, found: &[Found], digests: Option<&Digests>) -> Vec<Drift> {
    let owner = spec.names.owner();
    let mut drifted = Vec::new();
    for one in found {
        let object = &one.desired.reference;
        let Some(live) = &one.live else {
            drifted.push(drift(object, MISSING));
            continue;
        };
        if matches!(
            one.ownership(&owner),
            Ownership::Foreign { .. } | Ownership::OtherResource(_) | Ownership::OursUnfinished(_)
        ) {
            drifted.push(drift(object, MARK));
        }
        let mut fields = differences(&one.desired.object, live);
        if one.desired.kind == Kind::PersistentVolumeClaim {
            // A volume that somebody let grow is taken into the state instead: it cannot shrink.
            fields.retain(|field| field != "spec.resources.requests.storage");
            let requested = live["spec"]["resources"]["requests"]["storage"].as_str().unwrap_or_default();
            if is_short(live, requested) {
                fields.push(CAPACITY.to_owned());
            }
        }
        fields.extend(content(spec, one, found, digests));
        drifted.extend(fields.iter().map(|field| drift(object, field)));
    }
    drifted
}

/// The keys of a Secret whose content is not what was applied. Only names, never values.
fn content(spec: &Spec, one: &Found, all: &[Found], digests: Option<&Digests>) -> Vec<String> {
    let Some(live) = one.live.as_ref().filter(|_| one.desired.kind == Kind::Secret) else { return Vec::new() };
    let (names, name) = (&spec.names, one.desired.reference.name.as_str());
    let keys: Vec<String> = live["data"].as_object().map(|data| data.keys().cloned().collect()).unwrap_or_default();
    let changed = |attribute: &str, values: &_| {
        digests.is_some_and(|digests| digests.compare(attribute, values) == Comparison::Changed)
    };
    if name == names.app_secret() {
        let values: std::collections::BTreeMap<String, String> =
            keys.iter().map(|key| (key.clone(), secret_value(live, key).unwrap_or_default())).collect();
        return if changed(SECRETS, &bytes(&values)) { vec!["data".to_owned()] } else { Vec::new() };
    }
    if name == names.password() {
        return if secret_value(live, secrets::PASSWORD).is_some() {
            Vec::new()
        } else {
            vec![format!("data.{}", secrets::PASSWORD)]
        };
    }
    let expected = match &spec.database {
        DatabaseSpec::Bundled(bundled) => {
            let own = all.iter().find(|found| found.desired.reference.name == names.password());
            own.and_then(|own| own.secret(secrets::PASSWORD))
                .map(|password| connection::bundled(names, bundled, &password))
        }
        DatabaseSpec::External => match secret_value(live, DATABASE_URL) {
            Some(url) if changed(URL, &url_bytes(&url)) => return vec![format!("data.{DATABASE_URL}")],
            Some(url) => connection::external(&url).ok(),
            None => return vec![format!("data.{DATABASE_URL}")],
        },
        DatabaseSpec::None => None,
    };
    expected
        .into_iter()
        .flatten()
        .filter(|(key, value)| secret_value(live, key).as_ref() != Some(value))
        .map(|(key, _)| format!("data.{key}"))
        .collect()
}

/// The size of a volume that is larger than the state says.
fn take_grown_volume(state: &mut Environment, found: &[Found]) {
    let claim =
        found.iter().find(|one| one.desired.kind == Kind::PersistentVolumeClaim).and_then(|one| one.live.as_ref());
    let there = claim.and_then(|claim| claim["spec"]["resources"]["requests"]["storage"].as_str());
    let storage = state.database.known_mut().and_then(|database| database.storage.known_mut());
    let (Some(there), Some(storage)) = (there, storage) else { return };
    let quantity = |text: &str| text.parse::<Quantity>().ok();
    if let (Some(live), Some(recorded)) = (quantity(there), storage.size.as_str().and_then(quantity))
        && live != recorded
    {
        storage.size = there.into();
    }
}

struct Server<'a> {
    cluster: &'a Cluster,
    spec: &'a Spec,
    bundled: &'a Bundled,
    found: &'a [Found],
}

impl Server<'_> {
    /// The server's version is asked for only when its pod is of another revision than the one that was asked before.
    async fn status(&self, prior: &Environment, private: &mut Private) -> (DatabaseStatus, Option<Diagnostic>) {
        let live =
            self.found.iter().find(|one| one.desired.kind == Kind::StatefulSet).and_then(|one| one.live.as_ref());
        let password = self.found.iter().find_map(|one| one.secret(secrets::PASSWORD));
        password.iter().for_each(|password| redact(password));
        let ready = ready_instances(live);
        let known = prior.database_status.known().map(|status| status.server_version.clone()).unwrap_or_default();
        let revision = live.and_then(database_revision);
        let asked_before = revision.is_none() || revision == private::database_revision(private);
        let server_version = match &password {
            Some(password) if ready > 0 && !asked_before => {
                // Once for each revision, whatever the answer: a refresh must not wait for it again and again.
                private::set_database_revision(private, revision.as_deref());
                match probe::ask(self.cluster, &self.spec.names, self.bundled, password).await {
                    Answer::Version(version) => version.into(),
                    Answer::WrongPassword(_) | Answer::Refused(_) | Answer::Silent(_) => known,
                }
            }
            _ => known,
        };
        let warning = match live {
            Some(_) if ready == 0 => Some(self.unready().await),
            _ => None,
        };
        let endpoint = format!("{}:{}", self.spec.names.database_host(), database::PORT).into();
        (DatabaseStatus { endpoint, server_version, ready_instances: ready.into() }, warning)
    }

    async fn unready(&self) -> Diagnostic {
        let server = database::stateful_set(self.spec, self.bundled).reference;
        let diagnosis = ffe_workloads::diagnose(self.cluster, &server).await;
        Diagnostic::warning(
            format!("The database of environment {} is not ready", self.spec.names.environment),
            diagnosis.to_string(),
        )
    }
}
