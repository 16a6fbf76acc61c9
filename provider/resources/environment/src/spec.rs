//! An environment with everything decided: what the objects are built from.

use std::collections::BTreeMap;

use tfplugin::Attr;

use crate::model::{Database, Environment};
use crate::names::Names;
use crate::presets::{DatabaseDefaults, Preset, UNNAMED};

/// A wholly known environment, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) names: Names,
    /// The preset's name as configured: the label of the namespace.
    pub(crate) preset_label: Option<String>,
    /// The preset's numbers.
    pub(crate) preset: Preset,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    /// None where a namespace that was taken over has none.
    pub(crate) pod_security: Option<String>,
    pub(crate) quota: QuotaSpec,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) database: DatabaseSpec,
}

/// Upper bounds of the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QuotaSpec {
    pub(crate) cpu: String,
    pub(crate) memory: String,
    pub(crate) pods: i64,
    pub(crate) storage: Option<String>,
}

/// The database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DatabaseSpec {
    None,
    External,
    Bundled(Box<Bundled>),
}

/// A PostgreSQL instance of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bundled {
    pub(crate) image: String,
    /// User and group of the server.
    pub(crate) run_as: i64,
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) size: String,
    pub(crate) class: Option<String>,
    /// Size of each connection pool of the application.
    pub(crate) pool_size: i64,
    pub(crate) resources: DatabaseDefaults,
}

impl DatabaseSpec {
    pub(crate) fn bundled(&self) -> Option<&Bundled> {
        match self {
            DatabaseSpec::Bundled(bundled) => Some(bundled),
            _ => None,
        }
    }
}

impl Spec {
    /// From a plan or a state; `None` where something is not known, as in the state of an environment that was
    /// imported and is not taken over yet.
    pub(crate) fn of(model: &Environment) -> Option<Spec> {
        let preset_label = model.preset.as_str().map(str::to_owned);
        let preset = preset_label.as_deref().and_then(Preset::named).copied().unwrap_or(UNNAMED);
        let quota = model.quota.known()?;
        Some(Spec {
            names: Names::new(model.name.as_str()?, model.namespace.as_str()?),
            labels: texts(&model.labels)?,
            annotations: texts(&model.annotations)?,
            pod_security: match &model.pod_security {
                Attr::Unknown => return None,
                level => level.as_str().map(str::to_owned),
            },
            quota: QuotaSpec {
                cpu: quota.cpu.as_str()?.to_owned(),
                memory: quota.memory.as_str()?.to_owned(),
                pods: *quota.pods.known()?,
                storage: quota.storage.as_str().map(str::to_owned),
            },
            config: texts(&model.config)?,
            database: match &model.database {
                Attr::Null => DatabaseSpec::None,
                Attr::Unknown => return None,
                Attr::Known(database) => database_spec(database, &preset)?,
            },
            preset_label,
            preset,
        })
    }
}

fn texts(map: &Attr<BTreeMap<String, Attr<String>>>) -> Option<BTreeMap<String, String>> {
    crate::settle::known_texts(map).into_known()
}

fn database_spec(database: &Database, preset: &Preset) -> Option<DatabaseSpec> {
    if database.mode.as_str()? == "external" {
        return Some(DatabaseSpec::External);
    }
    let storage = database.storage.known()?;
    Some(DatabaseSpec::Bundled(Box::new(Bundled {
        image: database.image.as_str()?.to_owned(),
        run_as: *database.run_as_user.known()?,
        name: database.name.as_str()?.to_owned(),
        user: database.user.as_str()?.to_owned(),
        size: storage.size.as_str()?.to_owned(),
        class: storage.class.as_str().map(str::to_owned),
        pool_size: *database.pool_size.known()?,
        resources: preset.database,
    })))
}
