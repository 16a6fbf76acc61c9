//! Helm played by shell scripts: what it is given, and what is made of what it says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use super::*;
use crate::values::merge_documents;

struct Fake {
    dir: tempfile::TempDir,
}

impl Fake {
    /// A helm that says it is `version` and otherwise runs `script`. What is executed is never a file just written:
    /// another test's child could still hold it open for writing.
    fn new(version: &str, script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let player = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake-helm");
        std::os::unix::fs::symlink(player, dir.path().join("helm")).unwrap();
        let text = format!("if [ \"$1\" = version ]; then echo {version}; exit 0; fi\n{script}\n");
        std::fs::write(dir.path().join("helm.script"), text).unwrap();
        Self { dir }
    }

    fn helm(&self) -> Helm {
        let mut config = Config::new(None, Launcher::Direct);
        config.binary = Some(self.dir.path().join("helm"));
        tfplugin_redaction::redact("hunter2-hunter2");
        Helm::new(config)
    }
}

async fn render(helm: &Helm, values: &crate::values::Values) -> Result<Rendered> {
    helm.render(&RenderRequest::new("r", "ns", Path::new("/chart"), values), &CancellationToken::new()).await
}

#[tokio::test]
async fn values_go_by_pipe_and_the_environment_is_ours() {
    let fake = Fake::new(
        "v3.22.0",
        r#"printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  args: "%s"\n  driver: "%s"\n  kubeconfig: "%s"\n  cache: "%s"\n  values: |\n    ' "$*" "$HELM_DRIVER" "$KUBECONFIG" "$HELM_CACHE_HOME"; cat"#,
    );
    let values = merge_documents(&["password: hunter2-hunter2"]).unwrap();
    let rendered = render(&fake.helm(), &values).await.unwrap();
    let data = &rendered.manifest.objects[0].body["data"];
    assert_eq!(data["args"], "template r /chart --namespace ns -f -");
    assert_eq!(data["driver"], "secret");
    assert_eq!(data["kubeconfig"], "/dev/null");
    assert!(data["cache"].as_str().unwrap().contains("ffe-helm-"));
    assert_eq!(data["values"], "{\"password\": \"hunter2-hunter2\"}\n");
}

#[tokio::test]
async fn failures_are_clean_and_classified() {
    let fake = Fake::new(
        "v4.3.1",
        "echo 'level=WARN msg=\"odd\"' >&2; echo 'Error: execution error at (c/templates/a.yaml:1:2): hunter2-hunter2 is bad' >&2; exit 1",
    );
    let error = render(&fake.helm(), &merge_documents::<&str>(&[]).unwrap()).await.unwrap_err();
    let failure = error.failure().unwrap();
    assert_eq!((failure.cause, failure.warnings.as_slice()), (Cause::Render, &["odd".to_owned()][..]));
    let text = error.to_string();
    assert!(text.starts_with("helm template of ns/r failed: execution error at (c/templates/a.yaml:1:2)"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_silent_failure_says_how_it_ended() {
    let fake = Fake::new("v4.3.1", "kill -9 $$");
    let error = render(&fake.helm(), &merge_documents::<&str>(&[]).unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("said nothing") && error.contains("signal: 9"), "{error}");
}

#[tokio::test]
async fn only_usable_versions_are_used() {
    let error =
        |version| async move { Fake::new(version, "").helm().version().await.cloned().unwrap_err().to_string() };
    assert!(error("v3.10.0").await.contains("Helm 3.14 or newer is needed"));
    assert!(error("hello").await.contains("not a usable helm"));
    let mut config = Config::new(None, Launcher::Direct);
    config.binary = Some("/nonexistent/helm".into());
    assert!(Helm::new(config).version().await.unwrap_err().to_string().contains("/nonexistent/helm (helm.binary)"));
}

#[tokio::test]
async fn without_a_cluster_nothing_asks_for_one() {
    let fake = Fake::new("v4.3.1", "echo started >&2; exit 1");
    let values = merge_documents::<&str>(&[]).unwrap();
    let request = DeployRequest::new("r", "ns", Path::new("/c"), &values, Duration::from_secs(1));
    let error = fake.helm().install(&request, &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, Error::NoCluster { operation: "install" }), "{error}");
}

#[tokio::test]
async fn a_cancelled_call_says_so() {
    let fake = Fake::new("v4.3.1", "touch \"$0.started\"; sleep 60 & wait");
    let cancel = CancellationToken::new();
    let (stop, started) = (cancel.clone(), fake.dir.path().join("helm.started"));
    tokio::spawn(async move {
        while !started.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    });
    let values = merge_documents::<&str>(&[]).unwrap();
    let request = RenderRequest::new("r", "ns", Path::new("/c"), &values);
    let helm = fake.helm();
    assert!(helm.render(&request, &cancel).await.unwrap_err().is_cancelled());
    assert!(helm.render(&request, &cancel).await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn lint_findings_are_no_errors() {
    let fake = Fake::new(
        "v4.3.1",
        "echo '[ERROR] values.yaml: hunter2-hunter2'; echo 'Error: 1 chart(s) linted, 1 chart(s) failed' >&2; exit 1",
    );
    let values = merge_documents::<&str>(&[]).unwrap();
    let found = fake.helm().lint(Path::new("/c"), "ns", &values, &CancellationToken::new()).await.unwrap();
    assert_eq!(found[0].severity, LintSeverity::Error);
    assert!(!found[0].message.contains("hunter2"));
}

#[tokio::test]
async fn a_password_reaches_helm_by_file_and_no_error() {
    use crate::chart::{ChartRef, Charts};
    let script = r#"case "$*" in *hunter3*) echo "Error: seen in arguments" >&2; exit 1;; esac
while [ $# -gt 0 ]; do [ "$1" = --repository-config ] && list=$(cat "$2"); shift; done
case "$list" in *hunter3-hunter3*) echo "Error: got $list" >&2;; *) echo "Error: no password" >&2;; esac; exit 1"#;
    let fake = Fake::new("v4.3.1", script);
    let charts = Charts::new(fake.helm(), "/nonexistent");
    let reference = ChartRef {
        chart: "x".into(),
        repository: Some("https://charts.example".into()),
        username: Some("me".into()),
        password: Some("hunter3-hunter3".into()),
        ..ChartRef::default()
    };
    let error = charts.resolve(&reference, &CancellationToken::new()).await.unwrap_err().to_string();
    assert!(error.contains("helm repo update of x from https://charts.example failed: got"), "{error}");
    assert!(!error.contains("hunter3"), "{error}");
}

#[tokio::test]
async fn what_is_neither_path_nor_repository_says_both() {
    use crate::chart::{ChartRef, Charts};
    let fake = Fake::new("v4.3.1", "echo 'Error: repo charts not found' >&2; exit 1");
    let charts = Charts::new(fake.helm(), "/nonexistent");
    let reference = ChartRef { chart: "charts/x".into(), ..ChartRef::default() };
    let error = charts.resolve(&reference, &CancellationToken::new()).await.unwrap_err().to_string();
    assert!(error.contains("repo charts not found") && error.contains("/nonexistent/charts/x"), "{error}");
}
