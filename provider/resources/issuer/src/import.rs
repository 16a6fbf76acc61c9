//! Finding an issuer that exists: ours by what it keeps of its inputs, any other by its name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ffe_cert_manager::IssuerStatus;
use ffe_cluster::kube::api::DynamicObject;
use ffe_cluster::{Cluster, Mark, MarkState, Ownership, ownership};
use ffe_session::diagnostic;
use ffe_session::ownership::{Refusal, release_of};
use tfplugin::{Attr, Diagnostic, Diagnostics, Field as _, Imported, Model as _, Path, Private, Value};

use crate::claim;
use crate::model::Issuer;
use crate::names::Names;
use crate::objects::Memory;
use crate::resource::private;
use crate::settle::settle;

/// The issuer that an import id means: `name` of a ClusterIssuer, `namespace/name` of an Issuer.
///
/// # Errors
/// When the id is malformed, or there is no such issuer.
pub(crate) async fn import(cluster: &Cluster, id: &str) -> Result<Imported<Issuer>, Diagnostics> {
    let names = match id.split('/').collect::<Vec<_>>().as_slice() {
        [name] if !name.is_empty() => Names::new(None, name),
        [namespace, name] if !namespace.is_empty() && !name.is_empty() => Names::new(Some(namespace), name),
        _ => {
            return Err(Diagnostics::error(
                "The import identifier is malformed",
                format!(
                    "Expected the name of a ClusterIssuer, such as letsencrypt, or namespace/name of an Issuer, such as \
                     ffe/letsencrypt; got \"{id}\"."
                ),
            ));
        }
    };
    let summary = "The issuer could not be looked for";
    let identity = cluster.identity().await.map_err(|error| diagnostic(&error, summary))?;
    let object = names.object();
    let live = cluster.find_ref(&object).await.map_err(|error| diagnostic(&error, summary))?;
    let Some(live) = live else {
        return Err(Diagnostics::error(
            format!("There is no {object}"),
            format!("Cluster {} has none of that name.", cluster.server()),
        ));
    };
    let mut private = Private::default();
    private::set_cluster(&mut private, &identity, cluster.server());
    let whose = ownership(Some(&live.metadata), &names.owner());
    let ours = matches!(&whose, Ownership::OursComplete(_));
    if let Some(state) = inputs(&live, &names).filter(|_| ours) {
        return Ok(Imported { state, private, diagnostics: Diagnostics::new() });
    }
    let mut diagnostics = Diagnostics::new();
    match &whose {
        Ownership::OtherResource(mark) if !claim::is_of_an_endpoint(mark) => {
            return Err(claim::refused(&object, &names, &Refusal::Whose(whose)).into());
        }
        Ownership::OtherResource(mark) => diagnostics.push(handed_over(&object.to_string(), mark)),
        Ownership::Foreign { .. } => {
            if let Some(release) = release_of(&live.metadata) {
                return Err(claim::refused(&object, &names, &Refusal::OfRelease(release)).into());
            }
        }
        Ownership::OursComplete(_) => diagnostics.push(Diagnostic::warning(
            format!("The inputs of {object} are not recorded"),
            "Its annotation for that is missing or cannot be read. The first plan takes every input from the configuration.",
        )),
        Ownership::OursUnfinished(Mark { state: MarkState::Creating, .. }) => {
            return Err(Diagnostics::error(
                format!("{object} is not finished"),
                "A create of it has failed. Apply the configuration without an import: it goes on from there.",
            ));
        }
        Ownership::OursUnfinished(_) | Ownership::Absent => {}
    }
    private::set_taken_over(&mut private, true);
    Ok(Imported { state: bare(&names)?, private, diagnostics })
}

fn handed_over(object: &str, mark: &Mark) -> Diagnostic {
    Diagnostic::warning(
        format!("{object} is taken from {} {}", mark.owner.resource_type, mark.owner.id),
        "The first apply makes it the ffe_issuer's. That endpoint has to refer to it from then on: set its issuer to the issuer_ref of \
         this resource, without acme, ca and self_signed, before that apply.",
    )
}

/// The configuration as it was written, without write-only values; settled, as it is in the state.
fn inputs(live: &DynamicObject, names: &Names) -> Option<Issuer> {
    let text = Memory::of(&live.metadata).inputs?;
    let schema = Issuer::schema();
    let value = ffe_session::inputs::from_text(&text, &schema)?;
    let mut config = Issuer::from_value(&value, &Path::root()).ok()?;
    if config.name.as_str() != Some(&names.name) || config.namespace.as_str() != names.namespace.as_deref() {
        return None;
    }
    // What is not kept beside it stands in it.
    if let Some(acme) = config.acme.known_mut() {
        acme.ca_bundle = bundle(live, "acme");
    }
    if let Some(vault) = config.vault.known_mut() {
        vault.ca_bundle = bundle(live, "vault");
    }
    let value = config.to_value();
    // Where the configuration is silent, the default that a plan would fill in.
    let with_defaults = tfplugin::plan::propose(&schema, &value, &value);
    let mut state = Issuer::from_value(&with_defaults, &Path::root()).ok()?;
    settle(&config, &mut state);
    if !config.acme.is_null() {
        state.acme_account_uri = IssuerStatus::of(live).account_uri.into();
    }
    Some(state)
}

fn bundle(live: &DynamicObject, kind: &str) -> Attr<String> {
    let text = live.data["spec"][kind]["caBundle"].as_str();
    let bytes = text.and_then(|text| STANDARD.decode(text).ok());
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).into()
}

/// Only what is known of it: the first plan is a change in place that brings the rest.
fn bare(names: &Names) -> Result<Issuer, Diagnostics> {
    let mut value = Issuer::schema().empty();
    if let Value::Map(entries) = &mut value {
        entries.insert("name".to_owned(), Value::from(names.name.clone()));
        entries.insert("kind".to_owned(), Value::from(names.issuer().kind.as_str()));
        if let Some(namespace) = &names.namespace {
            entries.insert("namespace".to_owned(), Value::from(namespace.clone()));
        }
    }
    Ok(Issuer::from_value(&value, &Path::root())?)
}
