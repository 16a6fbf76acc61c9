//! What is a pure function of the configuration, and so known at plan whenever the configuration is.
//!
//! Nothing here looks at a prior value: an attribute that is removed from the configuration falls back to the
//! preset, and the names that others depend on stay what they are whatever else changes.

use std::collections::BTreeMap;

use tfplugin::Attr;

use crate::image;
use crate::model::{Database, Environment, Quota, Storage, TlsDefaults};
use crate::names::Names;
use crate::objects::database::fitting_pool;
use crate::presets::{CONTENT_SECURITY_POLICY, FRAME_OPTIONS, Preset, UNNAMED};
use crate::values::{self, Inputs};

/// The major version of a database that says none.
pub(crate) const DATABASE_VERSION: &str = "16";

/// Defaults that come from the surroundings of the provider.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// Image of the bundled database where the configuration says none (`FFE_DATABASE_IMAGE`).
    pub database_image: Option<String>,
}

impl Defaults {
    /// From the environment variables of this process.
    pub fn from_environment() -> Defaults {
        Defaults { database_image: std::env::var("FFE_DATABASE_IMAGE").ok().filter(|image| !image.is_empty()) }
    }
}

/// Fills `planned` in from `config`.
pub(crate) fn settle(config: &Environment, planned: &mut Environment, defaults: &Defaults) {
    let preset = preset(&config.preset);
    let namespace = config.namespace.clone().or(config.name.as_ref().map(|name| Names::default_namespace(name)));
    let names = match (&config.name, &namespace) {
        (Attr::Known(name), Attr::Known(namespace)) => Attr::Known(Names::new(name, namespace)),
        _ => Attr::Unknown,
    };
    let name = |of: fn(&Names) -> String| config.name.as_ref().map(|name| of(&Names::new(name, "")));

    planned.namespace = namespace;
    if planned.pod_security_before.is_unknown() {
        // Taking over is a matter of the plan, which looks at what is there.
        planned.pod_security_before = Attr::Null;
    }
    planned.pod_security = pod_security(config, &planned.pod_security_before);
    planned.deletion_protection = config.deletion_protection.or(preset.map(|preset| preset.deletion_protection));
    planned.quota = quota(&config.quota, preset);
    let initial =
        if planned.initial_database_image.is_unknown() { Attr::Null } else { planned.initial_database_image.clone() };
    let before = Before { version: version_of(&planned.database), image: initial.clone() };
    planned.database = config.database.as_ref().map(|given| database(given, &before, preset, defaults));
    planned.initial_database_image = match &planned.database {
        Attr::Null => Attr::Null,
        Attr::Unknown => initial.or(Attr::Unknown),
        Attr::Known(database) => initial.or(database.image.clone()),
    };

    planned.service_account = name(Names::base);
    planned.config_map = name(Names::config_map);
    planned.app_secret = name(Names::app_secret);
    planned.database_secret = match &config.database {
        Attr::Null => Attr::Null,
        Attr::Unknown => Attr::Unknown,
        Attr::Known(_) => name(Names::database),
    };
    planned.config_revision = known_texts(&config.config).map(|config| config_revision(&config));
    planned.tls = preset.map(|preset| TlsDefaults {
        acme_server: preset.acme_server.map(str::to_owned).into(),
        requests_per_minute: preset.requests_per_minute.into(),
        frame_options: preset.security_headers.then(|| FRAME_OPTIONS.to_owned()).into(),
        content_security_policy: preset.security_headers.then(|| CONTENT_SECURITY_POLICY.to_owned()).into(),
    });
    planned.values = chart_values(config, planned, preset, &names);
    // What an apply comes to: nothing that drifted is left. Where a refresh found some, this makes the plan a change.
    planned.drifted = Attr::Known(Vec::new());
    if config.database.known().is_none_or(|database| database.mode.as_str() == Some("external"))
        && !config.database.is_unknown()
    {
        planned.database_status = Attr::Null;
    }
}

/// The Pod Security level: as it is written, else what a namespace had that was taken over (none, perhaps), else the preset's.
pub(crate) fn pod_security(config: &Environment, before: &Attr<String>) -> Attr<String> {
    let default = match before {
        Attr::Unknown => Attr::Unknown,
        Attr::Known(none) if none.is_empty() => Attr::Null,
        Attr::Known(level) => Attr::Known(level.clone()),
        Attr::Null => preset(&config.preset).map(|preset| preset.pod_security.to_owned()),
    };
    config.pod_security.clone().or(default)
}

/// The revision of a configuration: changes when the content does.
pub(crate) fn config_revision(config: &BTreeMap<String, String>) -> String {
    let mut digest = ffe_cluster::public_digest(config.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    digest.truncate(16);
    digest
}

/// A map all of whose values are known; none where the attribute is null.
pub(crate) fn known_texts(map: &Attr<BTreeMap<String, Attr<String>>>) -> Attr<BTreeMap<String, String>> {
    match map {
        Attr::Null => Attr::Known(BTreeMap::new()),
        Attr::Unknown => Attr::Unknown,
        Attr::Known(map) if map.values().any(Attr::is_unknown) => Attr::Unknown,
        Attr::Known(map) => {
            Attr::Known(map.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect())
        }
    }
}

fn preset(name: &Attr<String>) -> Attr<&'static Preset> {
    match name {
        Attr::Unknown => Attr::Unknown,
        Attr::Null => Attr::Known(&UNNAMED),
        // Validation has refused any other word.
        Attr::Known(name) => Attr::Known(Preset::named(name).unwrap_or(&UNNAMED)),
    }
}

fn quota(configured: &Attr<Quota>, preset: Attr<&Preset>) -> Attr<Quota> {
    let given = match configured {
        Attr::Unknown => return Attr::Unknown,
        Attr::Null => Quota { cpu: Attr::Null, memory: Attr::Null, pods: Attr::Null, storage: Attr::Null },
        Attr::Known(quota) => quota.clone(),
    };
    Attr::Known(Quota {
        cpu: given.cpu.or(preset.map(|preset| preset.quota.cpu.to_owned())),
        memory: given.memory.or(preset.map(|preset| preset.quota.memory.to_owned())),
        pods: given.pods.or(preset.map(|preset| preset.quota.pods)),
        storage: given.storage,
    })
}

/// What a database that exists was made with: a default that has become another one since does not change it.
struct Before {
    version: Attr<String>,
    image: Attr<String>,
}

/// The version that a state has; null where it has none.
fn version_of(database: &Attr<Database>) -> Attr<String> {
    match database.known().map(|database| &database.version) {
        Some(Attr::Known(version)) => Attr::Known(version.clone()),
        _ => Attr::Null,
    }
}

fn database(given: &Database, before: &Before, preset: Attr<&Preset>, defaults: &Defaults) -> Database {
    let mode = given.mode.clone().or("bundled".into());
    if mode.as_str() == Some("external") {
        let pool_size = given.pool_size.or(preset.map(|preset| preset.pool_size));
        return Database { mode, pool_size, ..given.clone() };
    }
    let pool_size = given.pool_size.or(if mode.is_known() { preset.map(fitting_pool) } else { Attr::Unknown });
    // Whether an attribute has a default at all depends on the mode.
    let bundled = mode.is_known();
    let fill =
        |given: &Attr<String>, default: Attr<String>| given.clone().or(if bundled { default } else { Attr::Unknown });
    let image_given = given.image.clone().or(before.image.clone()).or(defaults.database_image.clone().into());
    let version = fill(
        &given.version,
        match &image_given {
            Attr::Unknown => Attr::Unknown,
            image => {
                let told = image.as_str().and_then(image::major).map(|major| major.to_string());
                Attr::from(told).or(before.version.clone()).or(DATABASE_VERSION.into())
            }
        },
    );
    let image = fill(&image_given, version.as_ref().map(|version| format!("postgres:{version}-alpine")));
    let size = fill(
        &given.storage.known().map_or(Attr::Null, |storage| storage.size.clone()),
        preset.map(|preset| preset.database.storage.to_owned()),
    );
    let storage = match &given.storage {
        Attr::Unknown => Attr::Unknown,
        Attr::Null if !bundled => Attr::Unknown,
        Attr::Null => Attr::Known(Storage { size, class: Attr::Null }),
        Attr::Known(storage) => Attr::Known(Storage { size, class: storage.class.clone() }),
    };
    Database {
        run_as_user: given.run_as_user.or(image.as_ref().map(|image| image::user(image))),
        name: fill(&given.name, "ffe".into()),
        user: fill(&given.user, "ffe".into()),
        instances: given.instances.or(if bundled { Attr::Known(1) } else { Attr::Unknown }),
        version,
        image,
        storage,
        mode,
        pool_size,
        ..given.clone()
    }
}

fn chart_values(
    config: &Environment,
    planned: &Environment,
    preset: Attr<&Preset>,
    names: &Attr<Names>,
) -> Attr<String> {
    let pool_size = match &planned.database {
        Attr::Unknown => Attr::Unknown,
        Attr::Null => preset.map(|preset| preset.pool_size),
        Attr::Known(database) => database.pool_size,
    };
    match (names, preset, pool_size) {
        (Attr::Known(names), Attr::Known(preset), Attr::Known(pool_size)) => {
            let environment = config.preset.as_str().unwrap_or(&names.environment);
            let database = config.database.is_known();
            Attr::Known(values::yaml(&Inputs { names, preset, environment, database, pool_size }))
        }
        _ => Attr::Unknown,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value as Json, json};
    use tfplugin::{Field, Model, Path, Unexpected, Value, from_json};

    use super::*;

    /// An environment from JSON; attributes that are left out are null, "?" is unknown.
    fn model(json: Json) -> Environment {
        fn unknowns(value: Value) -> Value {
            match value {
                Value::String(text) if text == "?" => Value::Unknown,
                Value::Map(map) => Value::Map(map.into_iter().map(|(key, value)| (key, unknowns(value))).collect()),
                other => other,
            }
        }
        let schema = Environment::schema();
        let value = from_json(json.to_string().as_bytes(), &schema.ty(), Unexpected::Refuse).unwrap();
        Environment::from_value(&unknowns(value), &Path::root()).unwrap()
    }

    fn settled_with(config: Json, defaults: &Defaults) -> Environment {
        let config = model(config);
        let mut planned = config.clone();
        settle(&config, &mut planned, defaults);
        planned
    }

    fn settled(config: Json) -> Environment {
        settled_with(config, &Defaults::default())
    }

    #[test]
    fn the_schema_can_work() {
        assert_eq!(Environment::schema().problems(), Vec::<String>::new());
    }

    #[test]
    fn a_preset_fills_in_what_is_left_out_and_no_more() {
        let planned = settled(json!({ "name": "shop", "preset": "production", "quota": { "pods": 7 },
            "database": { "storage": { "class": "fast" } } }));
        assert_eq!(planned.namespace.as_str(), Some("ffe-shop"));
        assert_eq!(planned.pod_security.as_str(), Some("restricted"));
        assert_eq!(planned.deletion_protection, Attr::Known(true));
        let quota = planned.quota.known().unwrap();
        assert_eq!((quota.cpu.as_str(), quota.pods), (Some("32"), Attr::Known(7)));
        let database = planned.database.known().unwrap();
        assert_eq!(database.image.as_str(), Some("postgres:16-alpine"));
        assert_eq!(database.storage.known().unwrap().size.as_str(), Some("20Gi"));
        assert_eq!(database.storage.known().unwrap().class.as_str(), Some("fast"));
        // As much of the preset's 20 as the server has memory for.
        assert_eq!(database.pool_size, Attr::Known(7));
        assert_eq!(planned.database_secret.as_str(), Some("ffe-shop-database"));
        let tls = planned.tls.known().unwrap();
        assert_eq!(tls.acme_server.as_str(), Some("letsencrypt"));
        assert_eq!(
            (tls.frame_options.as_str(), tls.content_security_policy.as_str()),
            (Some("DENY"), Some("default-src 'self'"))
        );
    }

    #[test]
    fn without_a_preset_the_values_are_those_of_dev_and_the_judgement_is_not() {
        let planned = settled(json!({ "name": "shop" }));
        assert_eq!(planned.pod_security.as_str(), Some("restricted"));
        assert_eq!(planned.quota, settled(json!({ "name": "shop", "preset": "dev" })).quota);
        assert!(planned.values.as_str().unwrap().starts_with("environment: shop\nreplicaCount: 1\n"));
        assert_eq!(settled(json!({ "name": "shop", "preset": "dev" })).pod_security.as_str(), Some("baseline"));
        assert_eq!(planned.database_status, Attr::Null);
    }

    #[test]
    fn what_the_configuration_does_not_know_yet_is_unknown_and_the_rest_is_known() {
        let planned = settled(json!({ "name": "shop", "preset": "?", "config": { "A": "?" } }));
        assert!(planned.values.is_unknown() && planned.deletion_protection.is_unknown());
        assert!(planned.quota.known().unwrap().cpu.is_unknown());
        assert!(planned.config_revision.is_unknown());
        assert_eq!(planned.app_secret.as_str(), Some("ffe-shop-app"));
        let planned = settled(json!({ "name": "?", "namespace": "ffe" }));
        assert!(planned.config_map.is_unknown() && planned.values.is_unknown());
        assert_eq!(planned.namespace.as_str(), Some("ffe"));
        let planned = settled(json!({ "name": "shop", "database": { "mode": "?" } }));
        assert!(planned.database.known().unwrap().image.is_unknown());
        assert_eq!(planned.database_secret.as_str(), Some("ffe-shop-database"));
    }

    #[test]
    fn names_do_not_follow_anything_but_the_name() {
        let plain = settled(json!({ "name": "shop" }));
        let rich =
            settled(json!({ "name": "shop", "preset": "staging", "namespace": "other", "labels": { "a": "b" } }));
        assert_eq!(plain.service_account, rich.service_account);
        assert_eq!((plain.config_map, plain.app_secret), (rich.config_map, rich.app_secret));
    }

    #[test]
    fn the_surroundings_give_the_image_and_its_tag_the_version() {
        let defaults = Defaults { database_image: Some("ffe-postgres:15".to_owned()) };
        let planned = settled_with(json!({ "name": "shop", "database": {} }), &defaults);
        let database = planned.database.known().unwrap();
        assert_eq!((database.image.as_str(), database.version.as_str()), (Some("ffe-postgres:15"), Some("15")));
        let planned = settled_with(json!({ "name": "shop", "database": { "image": "postgis:3" } }), &defaults);
        let database = planned.database.known().unwrap();
        assert_eq!((database.image.as_str(), database.version.as_str()), (Some("postgis:3"), Some("16")));
    }

    #[test]
    fn an_external_database_has_nothing_of_a_bundled_one() {
        let planned = settled(json!({ "name": "shop", "database": { "mode": "external" } }));
        let database = planned.database.known().unwrap();
        assert!(database.image.is_null() && database.storage.is_null() && database.instances.is_null());
        assert_eq!(planned.database_status, Attr::Null);
    }

    #[test]
    fn the_revision_follows_the_configuration_alone() {
        let revision = |config: Json| settled(json!({ "name": "shop", "config": config })).config_revision;
        assert_eq!(revision(json!({ "A": "1", "B": "2" })), revision(json!({ "B": "2", "A": "1" })));
        assert_ne!(revision(json!({ "A": "1" })), revision(json!({ "A": "2" })));
        assert_eq!(revision(json!(null)), revision(json!({})));
    }
}
