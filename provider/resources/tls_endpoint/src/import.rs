//! Finding an endpoint that exists: ours by what it keeps of its inputs, a foreign ingress by its name.

use ffe_cert_manager::shim;
use ffe_cluster::k8s_openapi::api::core::v1::ConfigMap;
use ffe_cluster::k8s_openapi::api::networking::v1::Ingress;
use ffe_cluster::kube::api::ObjectMeta;
use ffe_cluster::{Cluster, Mark, MarkState, ObjectRef};
use ffe_routing::{Class, Described, PathType, Route, Rule};
use ffe_session::diagnostic;
use tfplugin::{Attr, Diagnostic, Diagnostics, Field, Imported, Model, Path, Private, Value};

use crate::claim;
use crate::errors::routing_diagnostic;
use crate::model::{Backend, Middleware, PathBackend, SecurityBefore, TlsEndpoint};
use crate::names::Names;
use crate::objects::INPUTS;
use crate::resource::private;
use crate::settle::{self, settle};
use crate::taken_over;

const SUMMARY: &str = "The endpoint could not be looked for";

/// The endpoint that an import id means: `namespace/name`.
///
/// # Errors
/// When the id is malformed, or there is neither an endpoint nor an ingress of that name.
pub(crate) async fn import(cluster: &Cluster, id: &str) -> Result<Imported<TlsEndpoint>, Diagnostics> {
    let Some((namespace, name)) =
        id.split_once('/').filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty() && !name.contains('/'))
    else {
        return Err(Diagnostics::error(
            "The import identifier is malformed",
            format!("Expected namespace/name, such as ffe/api; got \"{id}\"."),
        ));
    };
    let names = Names::new(namespace, name);
    let mut private = Private::default();
    let identity = cluster.identity().await.map_err(|error| diagnostic(&error, SUMMARY))?;
    private::set_cluster(&mut private, &identity, cluster.server());

    let record: Option<ConfigMap> =
        cluster.find(Some(namespace), &names.record()).await.map_err(|error| diagnostic(&error, SUMMARY))?;
    let ours = record.filter(|record| {
        Mark::read(&record.metadata)
            .is_some_and(|mark| mark.owner == names.owner() && mark.state == MarkState::Complete)
    });
    // Of a site that was taken over before, what the configuration left out is still as it was.
    let before = if ours.is_some() { taken_over::look(cluster, &names).await? } else { None };
    if let Some(state) = ours.as_ref().and_then(|record| inputs(record, &names, before)) {
        return Ok(Imported { state, private, diagnostics: Diagnostics::new() });
    }
    private::set_taken_over(&mut private, true);
    let mut diagnostics = Diagnostics::new();
    if ours.is_some() {
        diagnostics.push(Diagnostic::warning(
            format!("The inputs of endpoint {id} are not recorded"),
            format!(
                "The entry {INPUTS} of ConfigMap {namespace}/{} is missing or cannot be read. The first plan takes every \
                 input from the configuration.",
                names.record()
            ),
        ));
    }
    let state = match ffe_routing::describe(cluster, namespace, name).await {
        Ok(described) => {
            if ours.is_none() {
                refuse_of_release(&names, &described)?;
                diagnostics.extend(made_by_cert_manager(id, &described));
            }
            diagnostics.extend(untold(id, &described));
            foreign(&names, Some(&described.route))?
        }
        Err(ffe_routing::Error::NotThere { .. }) if ours.is_some() => foreign(&names, None)?,
        Err(ffe_routing::Error::NotThere { .. }) => {
            return Err(Diagnostics::error(
                format!("There is no endpoint \"{id}\""),
                format!("Cluster {} has neither an endpoint nor an ingress of that name.", cluster.server()),
            ));
        }
        Err(error) => return Err(routing_diagnostic(&error, SUMMARY).into()),
    };
    Ok(Imported { state, private, diagnostics })
}

/// What a Helm release would delete is not taken over.
fn refuse_of_release(names: &Names, described: &Described) -> Result<(), Diagnostics> {
    let meta = ObjectMeta { annotations: Some(described.annotations.clone()), ..ObjectMeta::default() };
    let object = ObjectRef::of::<Ingress>(Some(&names.namespace), &names.name);
    match claim::release_of(&meta) {
        Some(release) => Err(claim::refuse_of_release(&object, &release).into()),
        None => Ok(()),
    }
}

/// The annotations by which cert-manager makes a Certificate for an ingress, and what becomes of them.
fn made_by_cert_manager(id: &str, described: &Described) -> Option<Diagnostic> {
    let triggers = shim::triggers(&described.annotations);
    let lines: Vec<String> = triggers.iter().map(|(key, value)| format!("  {key}: {value}")).collect();
    let secret = &described.route.secret_name;
    (!triggers.is_empty()).then(|| {
        Diagnostic::warning(
            format!("cert-manager makes the certificate of ingress {id} because of its annotations"),
            format!(
                "{}\n\nIts Certificate is used as it is where the configuration has secret_name = \"{secret}\", the same \
                 issuer and the same hosts, and no certificate block. Otherwise the first apply takes the annotations off, and \
                 the endpoint's own Certificate takes over; a destroy puts them back.",
                lines.join("\n")
            ),
        )
    })
}

/// What an ingress has that an endpoint cannot say: the first apply takes it away or leaves it, and that is to be known.
fn untold(id: &str, described: &Described) -> Option<Diagnostic> {
    (!described.untold.is_empty()).then(|| {
        let list = described.untold.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n");
        Diagnostic::warning(
            format!("Ingress {id} has more than an endpoint says"),
            format!("The first apply makes it as the configuration says. It does not know of:\n{list}"),
        )
    })
}

/// The configuration as it was written, without write-only values; settled, as it is in the state.
fn inputs(record: &ConfigMap, names: &Names, before: Option<SecurityBefore>) -> Option<TlsEndpoint> {
    let text = record.data.as_ref()?.get(INPUTS)?;
    let schema = TlsEndpoint::schema();
    let value = ffe_session::inputs::from_text(text, &schema)?;
    let config = TlsEndpoint::from_value(&value, &Path::root()).ok()?;
    if config.name.as_str() != Some(&names.name) || config.namespace.as_str() != Some(&names.namespace) {
        return None;
    }
    // Where the configuration is silent, the default that a plan would fill in.
    let with_defaults = tfplugin::plan::propose(&schema, &value, &value);
    let mut state = TlsEndpoint::from_value(&with_defaults, &Path::root()).ok()?;
    state.security_before = before.into();
    settle(&config, &mut state);
    Some(state)
}

/// Only what is known of it: the first plan is a change in place that brings the rest.
fn foreign(names: &Names, route: Option<&Route>) -> Result<TlsEndpoint, Diagnostics> {
    let mut value = TlsEndpoint::schema().empty();
    if let Value::Map(entries) = &mut value {
        entries.insert("namespace".to_owned(), Value::from(names.namespace.clone()));
        entries.insert("name".to_owned(), Value::from(names.name.clone()));
    }
    let mut state = TlsEndpoint::from_value(&value, &Path::root())?;
    if let Some(route) = route {
        state.hosts = Attr::Known(route.hosts.iter().cloned().map(Attr::Known).collect());
        state.secret_name = Some(route.secret_name.clone()).filter(|name| !name.is_empty()).into();
        let before = taken_over::security(&route.security);
        state.security = settle::security(&Attr::Null, Some(&before));
        state.security_before = before.into();
        match route.rules.as_slice() {
            [only] => {
                state.path = only.path.clone().into();
                state.path_type = only.path_type.as_str().into();
                let (service, port) = (only.backend.service.clone(), only.backend.port.to_string());
                let protocol = protocol(only);
                state.backend = Backend { service: service.into(), port: port.into(), protocol }.into();
            }
            [] => {}
            several => {
                // As the defaults of a configuration that has `backends`.
                state.path = "/".into();
                state.path_type = PathType::Prefix.as_str().into();
                state.backends = several.iter().map(path_backend).collect::<Vec<_>>().into();
            }
        }
        if !route.middlewares.is_empty() {
            state.middlewares = route.middlewares.iter().map(|one| middleware(one, names)).collect::<Vec<_>>().into();
        }
        if let Class::Ingress(class) = &route.class {
            state.ingress_class = class.clone().into();
        }
    }
    Ok(state)
}

fn path_backend(rule: &Rule) -> PathBackend {
    PathBackend {
        path: rule.path.clone().into(),
        path_type: (rule.path_type != PathType::Prefix).then(|| rule.path_type.as_str().to_owned()).into(),
        service: rule.backend.service.clone().into(),
        port: rule.backend.port.to_string().into(),
        protocol: protocol(rule),
    }
}

fn protocol(rule: &Rule) -> Attr<String> {
    rule.backend.protocol.map(|protocol| protocol.as_str().to_owned()).into()
}

fn middleware(one: &ffe_routing::Middleware, names: &Names) -> Middleware {
    let elsewhere = one.namespace != names.namespace;
    Middleware {
        name: one.name.clone().into(),
        namespace: elsewhere.then(|| one.namespace.clone()).into(),
        kind: Attr::Null,
        group: Attr::Null,
    }
}
