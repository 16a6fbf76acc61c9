#![allow(clippy::unwrap_used, clippy::panic)]

use tfplugin::{Attr, Value};

use super::*;
use crate::config::{Helm as HelmBlock, Registry};

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: one
contexts: [{name: one, context: {cluster: one, user: one}}]
clusters: [{name: one, cluster: {server: 'https://one:6443', insecure-skip-tls-verify: true}}]
users: [{name: one, user: {token: some-token}}]
";

/// A configuration that says this of `kubernetes` and `helm`; what is not said is null.
fn config(kubernetes: &[(&str, Value)], helm: Attr<HelmBlock>) -> ProviderConfig {
    let block = Value::map(kubernetes.iter().map(|(name, value)| (*name, value.clone())));
    let whole = Value::map([("kubernetes", block)]);
    ProviderConfig { helm, ..ProviderConfig::from_value(&whole, &Path::root()).unwrap() }
}

fn helm(driver: Attr<String>) -> HelmBlock {
    HelmBlock {
        binary: Attr::from("/opt/helm"),
        driver,
        registries: Attr::Known(vec![Registry {
            url: Attr::from("oci://registry.example.com/charts"),
            username: Attr::from("robot"),
            password: Attr::from("s3cret-of-the-registry"),
        }]),
        repository_config_path: Attr::from(""),
        repository_cache: Attr::Null,
    }
}

fn nowhere() -> Environment {
    Environment::for_tests::<String, String>([], None)
}

fn cluster_of(session: &Session) -> Cluster {
    session.cluster().unwrap_or_else(|_| panic!("there is no cluster"))
}

#[test]
fn before_it_is_configured_everything_says_so() {
    let session = Session::new();
    let Err(Unavailable::Invalid(errors)) = session.cluster() else { panic!("there is a cluster") };
    assert!(errors.to_string().contains("The provider is not configured"), "{errors}");
    assert!(session.helm().is_err() && session.deferral().is_none());
}

#[test]
fn a_kubeconfig_is_used_and_nobody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(&path, KUBECONFIG).unwrap();
    let session = Session::new();
    let known = config(&[("config_path", path.to_str().unwrap().into())], Attr::Null);
    assert!(session.configure_in(&known, &nowhere()).is_empty());
    assert_eq!(cluster_of(&session).server(), "https://one:6443");
    assert_eq!(session.helm().map(|kit| kit.helm.driver()).ok(), Some(Driver::Secret));
}

#[test]
fn what_is_unknown_at_plan_is_no_error() {
    let session = Session::new();
    for unknown in [
        ProviderConfig { kubernetes: Attr::Unknown, ..config(&[], Attr::Null) },
        config(&[("host", Value::Unknown), ("token", "t".into())], Attr::Null),
        config(&[("config_path", "/no/such/file".into())], Attr::Unknown),
    ] {
        assert!(session.configure_in(&unknown, &nowhere()).is_empty());
        assert!(matches!(session.cluster(), Err(Unavailable::Unknown)));
        assert_eq!(session.deferral(), Some(Deferred::ProviderConfigUnknown));
    }
    let advice = Unavailable::Unknown.into_diagnostics().to_string();
    assert!(advice.contains("-target"), "{advice}");
}

#[test]
fn a_channel_that_is_not_known_yet_takes_nothing_from_a_plan() {
    let known = |notifications: Value| {
        let block = Value::map([("host", Value::from("https://one:6443")), ("token", "t".into())]);
        let whole = Value::map([("kubernetes", block), ("notifications", notifications)]);
        ProviderConfig::from_value(&whole, &Path::root()).unwrap()
    };
    let channel = |url: Value| Value::List(vec![Value::map([("kind", "slack".into()), ("url", url)])]);
    for notifications in [channel(Value::Unknown), Value::Unknown, channel("https://hooks.example.com/x".into())] {
        let session = Session::new();
        assert!(session.configure_in(&known(notifications), &nowhere()).is_empty());
        assert_eq!(cluster_of(&session).server(), "https://one:6443");
        assert_eq!(session.deferral(), None);
    }
}

#[test]
fn without_any_configuration_it_lists_what_it_looked_for() {
    let session = Session::new();
    let empty = ProviderConfig { kubernetes: Attr::Null, ..config(&[], Attr::Null) };
    let errors = session.configure_in(&empty, &nowhere());
    let text = errors.to_string();
    for place in ["KUBE_CONFIG_PATH", "KUBECONFIG", "in-cluster"] {
        assert!(text.contains(place), "{place} is not in: {text}");
    }
    assert!(!text.contains("localhost"), "{text}");
    assert!(session.cluster().is_err(), "there is a cluster all the same");
}

#[test]
fn an_unusable_configuration_is_named_with_its_attribute() {
    for (kubernetes, path) in [
        (vec![("config_path", Value::from("/no/such/file"))], "kubernetes.config_path"),
        (vec![("host", "not a host".into())], "kubernetes.host"),
    ] {
        let errors = Session::new().configure_in(&config(&kubernetes, Attr::Null), &nowhere());
        let paths: Vec<String> =
            errors.iter().map(|error| error.path.as_ref().map(Path::to_string).unwrap_or_default()).collect();
        assert_eq!(paths, [path], "{errors}");
    }
}

#[test]
fn helms_settings_are_handed_on_and_its_driver_is_known_or_refused() {
    let cluster = Cluster::connect(
        &config(&[("host", "https://one:6443".into())], Attr::Null).kubernetes.known().unwrap().settings(),
        &nowhere(),
    )
    .unwrap();
    let with = |driver: Attr<String>, variable: &str| {
        let environment = Environment::for_tests([(DRIVER_VARIABLE, variable)], None);
        helm_config(&config(&[], Attr::Known(helm(driver))), &cluster, &environment)
    };
    let found = with(Attr::Null, "configmaps").unwrap();
    assert_eq!((found.driver, found.binary), (Driver::ConfigMap, Some(PathBuf::from("/opt/helm"))));
    assert_eq!(found.repository_config_path, None, "an empty text is a variable without a value");
    let registry = &found.registries[0];
    assert_eq!((registry.url.as_str(), registry.username.as_str()), ("oci://registry.example.com/charts", "robot"));
    assert!(!format!("{registry:?}").contains("s3cret"));
    assert_eq!(with(Attr::from("secret"), "configmap").unwrap().driver, Driver::Secret, "the attribute wins");
    assert_eq!(with(Attr::Null, "").unwrap().driver, Driver::Secret);
    let refused = with(Attr::Null, "sql").unwrap_err();
    assert_eq!(refused.path.as_ref().map(Path::to_string).as_deref(), Some("helm.driver"));
    assert!(refused.detail.contains("HELM_DRIVER is \"sql\""), "{refused}");
}
