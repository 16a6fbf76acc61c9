#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::Kind;

const CA: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const CERT: &str = "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nCCCC\n-----END PRIVATE KEY-----\n";

const KUBECONFIG: &str = r"
apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: east, user: ann, namespace: team}}
- {name: two, context: {cluster: west, user: bob}}
- {name: broken, context: {cluster: north, user: ann}}
clusters:
- {name: east, cluster: {server: 'https://east:6443', certificate-authority: ca.pem}}
- {name: west, cluster: {server: 'https://west:6443', insecure-skip-tls-verify: true}}
users:
- {name: ann, user: {client-certificate: cert.pem, client-key: key.pem}}
- {name: bob, user: {token: bobs-token}}
";

struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: TempDir::new().unwrap() };
        files.write("config", KUBECONFIG);
        files.write("ca.pem", CA);
        files.write("cert.pem", CERT);
        files.write("key.pem", KEY);
        files
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    fn named(&self) -> KubernetesSettings {
        KubernetesSettings { config_path: Some(self.path("config")), ..KubernetesSettings::default() }
    }
}

fn nothing() -> Environment {
    environment(&[], None)
}

fn environment(variables: &[(&str, &str)], home: Option<&Path>) -> Environment {
    Environment::for_tests(variables.iter().copied(), home.map(PathBuf::from))
}

fn document(connection: &Connection) -> Value {
    serde_norway::from_slice(&connection.kubeconfig_document().unwrap()).unwrap()
}

fn user(connection: &Connection) -> Value {
    document(connection)["users"][0]["user"].clone()
}

fn cluster(connection: &Connection) -> Value {
    document(connection)["clusters"][0]["cluster"].clone()
}

fn error(result: Result<Connection>) -> (Option<String>, String) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    (error.attribute().map(str::to_owned), error.to_string())
}

#[test]
fn a_named_file_gives_a_self_contained_document() {
    let files = Files::new();
    let connection = files.named().resolve(&nothing()).unwrap();
    assert_eq!(connection.server(), "https://east:6443");
    assert_eq!(connection.default_namespace(), "team");
    assert!(connection.origin().contains("context one"), "{}", connection.origin());
    let document = document(&connection);
    assert_eq!(document["current-context"], "ffe");
    assert_eq!(document["contexts"].as_array().unwrap().len(), 1);
    assert_eq!(cluster(&connection)["certificate-authority-data"], STANDARD.encode(CA));
    assert_eq!(user(&connection)["client-certificate-data"], STANDARD.encode(CERT));
    assert_eq!(user(&connection)["client-key-data"], STANDARD.encode(KEY));
    let text = document.to_string();
    assert!(!text.contains(".pem"), "no path is left: {text}");
}

#[test]
fn context_cluster_and_user_can_be_chosen() {
    let files = Files::new();
    let two = KubernetesSettings { config_context: Some("two".into()), ..files.named() };
    let connection = two.resolve(&nothing()).unwrap();
    assert_eq!(connection.server(), "https://west:6443");
    assert_eq!(user(&connection)["token"], "bobs-token");
    let mixed = KubernetesSettings {
        config_context_cluster: Some("west".into()),
        config_context_auth_info: Some("bob".into()),
        ..files.named()
    };
    let connection = mixed.resolve(&nothing()).unwrap();
    assert_eq!((connection.server(), connection.default_namespace()), ("https://west:6443", "team"));
}

#[test]
fn names_that_do_not_exist_are_answered_with_those_that_do() {
    let files = Files::new();
    let with = |context: Option<&str>, cluster: Option<&str>, user: Option<&str>| {
        let settings = KubernetesSettings {
            config_context: context.map(str::to_owned),
            config_context_cluster: cluster.map(str::to_owned),
            config_context_auth_info: user.map(str::to_owned),
            ..files.named()
        };
        error(settings.resolve(&nothing()))
    };
    let (attribute, text) = with(Some("three"), None, None);
    assert_eq!(attribute.as_deref(), Some("config_context"));
    assert!(text.contains("\"one\", \"two\"") && text.contains("config"), "{text}");
    let (attribute, text) = with(None, Some("south"), None);
    assert_eq!(attribute.as_deref(), Some("config_context_cluster"));
    assert!(text.contains("\"east\", \"west\""), "{text}");
    let (attribute, text) = with(None, None, Some("eve"));
    assert_eq!(attribute.as_deref(), Some("config_context_auth_info"));
    assert!(text.contains("\"ann\", \"bob\""), "{text}");
    assert!(with(Some("broken"), None, None).1.contains("\"north\""));
}

#[test]
fn files_are_looked_for_in_order() {
    let files = Files::new();
    let home = files.folder.path();
    files.write(".kube/config", &KUBECONFIG.replace("current-context: one", "current-context: two"));
    let config = files.path("config");
    let missing = files.path("missing");
    let settings = KubernetesSettings::default();
    let server = |variables: &[(&str, &str)]| {
        settings.resolve(&environment(variables, Some(home))).map(|connection| connection.server().to_owned()).unwrap()
    };
    assert_eq!(server(&[]), "https://west:6443", "home");
    assert_eq!(server(&[("KUBECONFIG", &config)]), "https://east:6443", "KUBECONFIG");
    let list = std::env::join_paths([&missing, &config]).unwrap().into_string().unwrap();
    assert_eq!(server(&[("KUBECONFIG", &list)]), "https://east:6443", "one of KUBECONFIG's is missing");
    assert_eq!(server(&[("KUBE_CONFIG_PATH", &config), ("KUBECONFIG", &missing)]), "https://east:6443");
    assert_eq!(server(&[("KUBE_CONFIG_PATHS", &config), ("KUBE_CONFIG_PATH", &missing)]), "https://east:6443");
    assert_eq!(server(&[("KUBE_HOST", "https://other:1")]), "https://other:1", "host looks for no file");
    assert_eq!(server(&[("KUBE_CTX", "one"), ("KUBECONFIG", &config)]), "https://east:6443");
    // an attribute wins over its variable
    let named = files.named().resolve(&environment(&[("KUBE_CONFIG_PATH", &missing)], Some(home))).unwrap();
    assert_eq!(named.server(), "https://east:6443");
}

#[test]
fn a_tilde_is_the_home_directory() {
    let files = Files::new();
    let settings = KubernetesSettings { config_path: Some("~/config".into()), ..KubernetesSettings::default() };
    let connection = settings.resolve(&environment(&[], Some(files.folder.path()))).unwrap();
    assert_eq!(connection.server(), "https://east:6443");
}

#[test]
fn several_files_are_merged() {
    let files = Files::new();
    let context =
        files.write("context", "current-context: c\ncontexts: [{name: c, context: {cluster: west, user: bob}}]\n");
    let settings =
        KubernetesSettings { config_paths: vec![context, files.path("config")], ..KubernetesSettings::default() };
    assert_eq!(settings.resolve(&nothing()).unwrap().server(), "https://west:6443");
}

#[test]
fn without_anything_the_error_lists_what_was_tried_and_localhost_is_not_among_it() {
    let files = Files::new();
    let (attribute, text) = error(KubernetesSettings::default().resolve(&environment(&[], Some(files.folder.path()))));
    assert_eq!(attribute, None);
    for tried in ["KUBE_HOST", "KUBE_CONFIG_PATH", "KUBECONFIG is not set", ".kube/config does not exist", "in-cluster"]
    {
        assert!(text.contains(tried), "{tried} in {text}");
    }
    let (_, text) = error(
        KubernetesSettings::default()
            .resolve(&environment(&[("KUBECONFIG", "/nowhere/config")], Some(files.folder.path()))),
    );
    assert!(text.contains("/nowhere/config, which does not exist"), "{text}");
}

#[test]
fn malformed_files_are_named_without_being_quoted() {
    let files = Files::new();
    for (name, text) in [
        ("bad-yaml", "users:\n- name: a\n  user: {token: hunter2\nclusters: ["),
        ("bad-shape", "users: {token: hunter2}\nclusters: hunter2\n"),
    ] {
        let path = files.write(name, text);
        let settings = KubernetesSettings { config_path: Some(path.clone()), ..KubernetesSettings::default() };
        let (attribute, text) = error(settings.resolve(&nothing()));
        assert_eq!(attribute.as_deref(), Some("config_path"));
        assert!(text.contains(&path) && text.contains("malformed"), "{text}");
        let result = settings.resolve(&nothing());
        assert!(!format!("{result:?}").contains("hunter2"), "{result:?}");
    }
    let settings = KubernetesSettings { config_path: Some("/nowhere".into()), ..KubernetesSettings::default() };
    let (_, text) = error(settings.resolve(&nothing()));
    assert!(text.contains("/nowhere") && text.contains("cannot be read"), "{text}");
    let empty = files.write("empty", "");
    let settings = KubernetesSettings { config_path: Some(empty), ..KubernetesSettings::default() };
    assert!(error(settings.resolve(&nothing())).1.contains("no current context"));
    let dangling = files.write("dangling", &KUBECONFIG.replace("ca.pem", "gone.pem"));
    let settings = KubernetesSettings { config_path: Some(dangling), ..KubernetesSettings::default() };
    assert!(error(settings.resolve(&nothing())).1.contains("gone.pem"));
}

#[test]
fn a_written_credential_replaces_all_of_the_files() {
    let files = Files::new();
    let settings = KubernetesSettings { token: Some("mine".into()), ..files.named() };
    let user = user(&settings.resolve(&nothing()).unwrap());
    assert_eq!(user["token"], "mine");
    assert!(user.get("client-certificate-data").is_none() && user.get("client-key-data").is_none(), "{user}");
    let connection = settings.resolve(&environment(&[("KUBE_TOKEN", "theirs")], None)).unwrap();
    assert_eq!(super::tests::user(&connection)["token"], "mine");
}

#[test]
fn host_and_credentials_do_without_a_file() {
    let settings = KubernetesSettings {
        host: Some("10.0.0.1:6443".into()),
        client_certificate: Some(CERT.into()),
        client_key: Some(KEY.into()),
        cluster_ca_certificate: Some(CA.into()),
        tls_server_name: Some("api".into()),
        ..KubernetesSettings::default()
    };
    let connection = settings.resolve(&nothing()).unwrap();
    assert_eq!(connection.server(), "https://10.0.0.1:6443");
    assert_eq!(connection.default_namespace(), "default");
    assert_eq!(cluster(&connection)["certificate-authority-data"], STANDARD.encode(CA));
    assert_eq!(cluster(&connection)["tls-server-name"], "api");
    assert_eq!(user(&connection)["client-key-data"], STANDARD.encode(KEY));
}

#[test]
fn all_variables_are_read() {
    let connection = KubernetesSettings::default()
        .resolve(&environment(
            &[
                ("KUBE_HOST", "https://h:1"),
                ("KUBE_USER", "u"),
                ("KUBE_PASSWORD", "p"),
                ("KUBE_INSECURE", "true"),
                ("KUBE_TLS_SERVER_NAME", "n"),
                ("KUBE_PROXY_URL", "http://proxy:3128"),
            ],
            None,
        ))
        .unwrap();
    assert_eq!(user(&connection)["username"], "u");
    assert_eq!(user(&connection)["password"], "p");
    let cluster = cluster(&connection);
    assert_eq!(cluster["insecure-skip-tls-verify"], true);
    assert_eq!(
        (cluster["tls-server-name"].as_str(), cluster["proxy-url"].as_str()),
        (Some("n"), Some("http://proxy:3128"))
    );
    let (attribute, _) = error(KubernetesSettings::default().resolve(&environment(&[("KUBE_INSECURE", "yes")], None)));
    assert_eq!(attribute.as_deref(), Some("insecure"));
}

#[test]
fn a_credential_that_is_written_silences_the_variables_of_the_others() {
    let shell = [("KUBE_HOST", "https://h:1"), ("KUBE_TOKEN", "t"), ("KUBE_USER", "u"), ("KUBE_PASSWORD", "p")];
    let resolve = |settings: KubernetesSettings| settings.resolve(&environment(&shell, None));
    let some = |text: &str| Some(text.to_owned());
    let written = resolve(KubernetesSettings { token: some("mine"), ..KubernetesSettings::default() }).unwrap();
    assert_eq!((user(&written)["token"].as_str(), user(&written)["username"].as_str()), (Some("mine"), None));
    let written = resolve(KubernetesSettings { username: some("me"), ..KubernetesSettings::default() }).unwrap();
    assert_eq!((user(&written)["token"].as_str(), user(&written)["username"].as_str()), (None, Some("me")));
    assert_eq!(user(&written)["password"], "p", "the other half may come from a variable");
    let exec = ExecSettings {
        api_version: "client.authentication.k8s.io/v1".into(),
        command: "aws".into(),
        ..ExecSettings::default()
    };
    let written = resolve(KubernetesSettings { exec: Some(exec), ..KubernetesSettings::default() }).unwrap();
    assert_eq!((user(&written)["token"].as_str(), user(&written)["username"].as_str()), (None, None));
    let (attribute, text) = error(resolve(KubernetesSettings { token: some(""), ..KubernetesSettings::default() }));
    assert_eq!(attribute.as_deref(), Some("username"), "two variables do contradict each other: {text}");
}

#[test]
fn contradictions_are_refused_with_their_attribute() {
    let host = || KubernetesSettings { host: Some("https://h".into()), ..KubernetesSettings::default() };
    let some = |text: &str| Some(text.to_owned());
    let exec = |version: &str, command: &str| {
        Some(ExecSettings { api_version: version.into(), command: command.into(), ..ExecSettings::default() })
    };
    let cases = [
        ("config_paths", KubernetesSettings { config_path: some("a"), config_paths: vec!["b".into()], ..host() }),
        ("password", KubernetesSettings { username: some("u"), ..host() }),
        ("client_key", KubernetesSettings { client_certificate: some(CERT), ..host() }),
        ("client_certificate", KubernetesSettings { client_key: some(KEY), ..host() }),
        ("cluster_ca_certificate", KubernetesSettings { cluster_ca_certificate: some("LS0t"), ..host() }),
        ("username", KubernetesSettings { token: some("t"), username: some("u"), password: some("p"), ..host() }),
        ("insecure", KubernetesSettings { insecure: Some(true), cluster_ca_certificate: some(CA), ..host() }),
        ("proxy_url", KubernetesSettings { proxy_url: some("proxy:3128"), ..host() }),
        ("exec.api_version", KubernetesSettings { exec: exec("v1", "aws"), ..host() }),
        ("exec.command", KubernetesSettings { exec: exec("client.authentication.k8s.io/v1", ""), ..host() }),
        ("host", KubernetesSettings { host: some("ftp://x"), ..KubernetesSettings::default() }),
    ];
    for (attribute, settings) in cases {
        let (found, text) = error(settings.resolve(&nothing()));
        assert_eq!(found.as_deref(), Some(attribute), "{text}");
    }
}

#[test]
fn exec_plugins_are_handed_on_and_get_no_terminal() {
    let settings = KubernetesSettings {
        host: Some("https://h".into()),
        exec: Some(ExecSettings {
            api_version: "client.authentication.k8s.io/v1".into(),
            command: "aws".into(),
            args: vec!["eks".into(), "get-token".into()],
            env: BTreeMap::from([("AWS_PROFILE".into(), "p".into())]),
        }),
        ..KubernetesSettings::default()
    };
    let exec = user(&settings.resolve(&nothing()).unwrap())["exec"].clone();
    assert_eq!((exec["command"].as_str(), exec["args"][1].as_str()), (Some("aws"), Some("get-token")));
    assert_eq!(exec["env"][0]["name"], "AWS_PROFILE");
    assert_eq!(exec["interactiveMode"], "Never");

    let files = Files::new();
    let always = "{token: bobs-token}";
    let asks = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: login, interactiveMode: Always}}";
    let path =
        files.write("asks", &KUBECONFIG.replace(always, asks).replace("current-context: one", "current-context: two"));
    let settings = KubernetesSettings { config_path: Some(path), ..KubernetesSettings::default() };
    let (attribute, text) = error(settings.resolve(&nothing()));
    assert_eq!(attribute.as_deref(), Some("exec"));
    assert!(text.contains("login"), "{text}");
}

#[test]
fn in_cluster_credentials_are_used_only_when_nothing_else_was_given() {
    let files = Files::new();
    files.write("account/token", "pods-token");
    files.write("account/ca.crt", CA);
    files.write("account/namespace", "mine\n");
    let pod = [("KUBERNETES_SERVICE_HOST", "10.96.0.1"), ("KUBERNETES_SERVICE_PORT", "443")];
    let environment = environment(&pod, None).with_service_account(files.folder.path().join("account"));
    let connection = KubernetesSettings::default().resolve(&environment).unwrap();
    assert_eq!((connection.server(), connection.default_namespace()), ("https://10.96.0.1:443", "mine"));
    assert!(user(&connection)["tokenFile"].as_str().unwrap().ends_with("account/token"));
    let document = String::from_utf8(connection.kubeconfig_document().unwrap()).unwrap();
    assert!(!document.contains("pods-token"), "the token is renewed: its file is referred to");

    let given = KubernetesSettings { token: Some("t".into()), ..KubernetesSettings::default() };
    assert!(error(given.resolve(&environment)).1.contains("not used, because"));
}

#[test]
fn debug_shows_no_credentials() {
    let settings = KubernetesSettings {
        host: Some("https://h".into()),
        token: Some("hunter2".into()),
        ..KubernetesSettings::default()
    };
    let exec = ExecSettings { args: vec!["hunter2".into()], ..ExecSettings::default() };
    let connection = settings.resolve(&nothing()).unwrap();
    let cluster = crate::Cluster::new(connection.clone(), crate::Timeouts::default());
    let text = format!("{settings:?} {exec:?} {connection:?} {cluster:?}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn proxies_of_the_environment_are_for_servers_elsewhere() {
    let proxied = |host: &'static str, variables: &'static [(&'static str, &'static str)]| async move {
        let settings = KubernetesSettings { host: Some(host.into()), ..KubernetesSettings::default() };
        let connection = settings.resolve(&environment(variables, None)).unwrap();
        connection.client_config().await.unwrap().proxy_url.map(|uri| uri.to_string())
    };
    let proxy = &[("HTTPS_PROXY", "http://proxy:3128"), ("NO_PROXY", "10.0.0.0/8,.corp")];
    assert_eq!(proxied("https://api.example.com", proxy).await.as_deref(), Some("http://proxy:3128/"));
    assert_eq!(proxied("https://10.1.2.3:6443", proxy).await, None);
    assert_eq!(proxied("https://api.corp", proxy).await, None);
    assert_eq!(proxied("https://127.0.0.1:6443", proxy).await, None);
    assert_eq!(proxied("https://api.example.com", &[]).await, None);
}
