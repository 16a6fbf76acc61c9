//! Finding an environment that exists: ours by what it keeps of its inputs, a foreign namespace by its name.

use ffe_cluster::k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use ffe_cluster::{Cluster, Query};
use tfplugin::{Attr, Diagnostic, Diagnostics, Field, Imported, Model, Path, Private, Value};

use crate::apply::failed;
use crate::apply::server::Server;
use crate::model::Environment;
use crate::names::Names;
use crate::objects::{ENVIRONMENT_LABEL, INPUTS};
use crate::plan;
use crate::resource::private;
use crate::settle::{Defaults, settle};

const SUMMARY: &str = "The environment could not be looked for";

/// The environment that an import id means.
///
/// # Errors
/// When there is none, or more than one.
pub(crate) async fn import(
    cluster: &Cluster,
    defaults: &Defaults,
    id: &str,
) -> Result<Imported<Environment>, Diagnostics> {
    let names = find(cluster, id).await?;
    let mut private = Private::default();
    let identity = cluster.identity().await.map_err(failed(SUMMARY))?;
    private::set_cluster(&mut private, &identity, cluster.server());
    let mut diagnostics = Diagnostics::new();

    let config: Option<ConfigMap> =
        cluster.find(Some(&names.namespace), &names.config_map()).await.map_err(failed(SUMMARY))?;
    let ours = config
        .filter(|config| ffe_cluster::Mark::read(&config.metadata).is_some_and(|mark| mark.owner == names.owner()));
    let state = match ours.as_ref().map(|config| inputs(config, &names)) {
        Some(Some(config)) => {
            let mut state = config.clone();
            as_it_is(cluster, &names, &mut state).await.map_err(failed(SUMMARY))?;
            settle(&config, &mut state, defaults);
            state
        }
        unknown => {
            if unknown.is_some() {
                diagnostics.push(Diagnostic::warning(
                    format!("The inputs of environment {} are not recorded", names.environment),
                    format!(
                        "The annotation {INPUTS} of ConfigMap {}/{} is missing or cannot be read. The first plan takes every \
                         input from the configuration.",
                        names.namespace,
                        names.config_map()
                    ),
                ));
            }
            private::set_taken_over(&mut private, true);
            let namespace = cluster.namespace(&names.namespace).await.map_err(failed(SUMMARY))?;
            let mut state = foreign(&names)?;
            // One of ours that lost what it knew is nobody's site to be left as it is.
            if unknown.is_none() {
                state.pod_security_before = namespace.as_ref().map(plan::told::level_before).into();
                let level = state.pod_security_before.as_str().filter(|level| !level.is_empty()).map(str::to_owned);
                state.pod_security = level.into();
            }
            state
        }
    };
    Ok(Imported { state, private, diagnostics })
}

/// What the configuration may leave out and the cluster knows: the level of a namespace that was there before, and what the
/// database runs.
async fn as_it_is(cluster: &Cluster, names: &Names, state: &mut Environment) -> ffe_cluster::Result<()> {
    let namespace = cluster.namespace(&names.namespace).await?;
    let was_there = |found: &Namespace| ffe_cluster::Mark::read(&found.metadata).is_some_and(|mark| mark.adopted);
    if let Some(found) = namespace.filter(was_there) {
        state.pod_security_before = plan::told::level_before(&found).into();
    }
    if state.database.is_known()
        && let Some(server) = Server::find(cluster, names).await?
    {
        state.initial_database_image = server.image.into();
    }
    Ok(())
}

/// `environment`, `namespace`, or `namespace/environment`.
async fn find(cluster: &Cluster, id: &str) -> Result<Names, Diagnostics> {
    let none = |detail: String| Err(Diagnostics::error(format!("There is no environment \"{id}\""), detail));
    if let Some((namespace, environment)) = id.split_once('/') {
        let found: Option<Namespace> = cluster.find(None, namespace).await.map_err(failed(SUMMARY))?;
        return match found {
            Some(_) => Ok(Names::new(environment, namespace)),
            None => none(format!("Cluster {} has no namespace {namespace}.", cluster.server())),
        };
    }
    let ours = Query::labels(format!("{ENVIRONMENT_LABEL}={id}"));
    let found: Vec<Namespace> = cluster.list(None, &ours).await.map_err(failed(SUMMARY))?;
    let names: Vec<&str> = found.iter().filter_map(|namespace| namespace.metadata.name.as_deref()).collect();
    match names.as_slice() {
        [namespace] => return Ok(Names::new(id, namespace)),
        [] => {}
        several => {
            return Err(Diagnostics::error(
                format!("There is more than one environment \"{id}\""),
                format!("They are in the namespaces {}. Import <namespace>/{id}.", several.join(", ")),
            ));
        }
    }
    let found: Option<Namespace> = cluster.find(None, id).await.map_err(failed(SUMMARY))?;
    let Some(namespace) = found else {
        return none(format!(
            "Cluster {} has neither an environment nor a namespace of that name. The id is the name of an environment, the \
             name of a namespace, or <namespace>/<environment>.",
            cluster.server()
        ));
    };
    let label = namespace.metadata.labels.as_ref().and_then(|labels| labels.get(ENVIRONMENT_LABEL)).cloned();
    // A namespace that says nothing is called as a default namespace would be.
    let environment = label.unwrap_or_else(|| id.strip_prefix("ffe-").unwrap_or(id).to_owned());
    Ok(Names::new(&environment, id))
}

/// The configuration as it was written, without write-only values.
fn inputs(config: &ConfigMap, names: &Names) -> Option<Environment> {
    let text = config.metadata.annotations.as_ref()?.get(INPUTS)?;
    let value = ffe_session::inputs::from_text(text, &Environment::schema())?;
    let mut model = Environment::from_value(&value, &Path::root()).ok()?;
    if model.name.as_str() != Some(&names.environment) {
        return None;
    }
    // Where the configuration is silent, the default that a plan would fill in.
    let schema = Environment::schema();
    let with_defaults = tfplugin::plan::propose(&schema, &model.to_value(), &model.to_value());
    model = Environment::from_value(&with_defaults, &Path::root()).ok()?;
    model.namespace = model.namespace.or(Attr::Known(names.namespace.clone()));
    if model.config.is_null() {
        // Not kept a second time: annotations have little room.
        let data = config.data.iter().flatten().map(|(key, value)| (key.clone(), Attr::Known(value.clone())));
        let data: std::collections::BTreeMap<_, _> = data.collect();
        model.config = Some(data).filter(|data| !data.is_empty()).into();
    }
    Some(model)
}

/// Only what is known of it: the first plan is a change in place that brings the rest.
fn foreign(names: &Names) -> Result<Environment, Diagnostics> {
    let mut value = Environment::schema().empty();
    if let Value::Map(entries) = &mut value {
        entries.insert("name".to_owned(), Value::from(names.environment.clone()));
        entries.insert("namespace".to_owned(), Value::from(names.namespace.clone()));
    }
    Environment::from_value(&value, &Path::root()).map_err(Diagnostics::from)
}
