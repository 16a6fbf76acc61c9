//! Charts from a repository and from a registry, both with a password.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use ffe_helm::binary::{Cause, Registry};
use ffe_helm::chart::{ChartRef, Charts};
use libtest_mimic::{Failed, Trial};
use tokio_util::sync::CancellationToken;

use crate::Helm;
use crate::support::{chart, config, ensure, helm, on_runtime};

const PASSWORD: &str = "hunter2-hunter2";
/// Names the testbed's registry binary.
const REGISTRY: &str = "FFE_TEST_REGISTRY";

pub(crate) fn trials(major: &str, helm: &Helm, trials: &mut Vec<Trial>) {
    let binary = helm.clone();
    trials.push(helm.trial(format!("{major}::remote::repository"), move || repository(&binary.path())));
    let needs = helm.and(REGISTRY);
    let (binary, program) = (helm.path(), PathBuf::from(needs.get(REGISTRY)));
    trials.push(needs.trial(format!("{major}::remote::oci"), move || oci(&binary, &program)));
}

fn package(binary: &Path, to: &Path, version: &str) {
    let template = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: v{}}}\n", version.replace('.', "-"));
    let dir = chart("x", version, &[("templates/a.yaml", &template)]);
    let done = Command::new(binary).arg("package").arg(dir.path()).arg("-d").arg(to).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn reference(repository: String, version: Option<&str>, password: Option<&str>) -> ChartRef {
    ChartRef {
        chart: "x".into(),
        repository: Some(repository),
        version: version.map(Into::into),
        username: password.map(|_| "me".into()),
        password: password.map(Into::into),
        ..ChartRef::default()
    }
}

fn repository(binary: &Path) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    package(binary, dir.path(), "1.0.0");
    package(binary, dir.path(), "1.1.0");
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let done = Command::new(binary).args(["repo", "index", "--url", &url]).arg(dir.path()).status()?;
    ensure(done.success(), "helm repo index failed")?;
    let downloads = Arc::new(AtomicUsize::new(0));
    let count = downloads.clone();
    let root = dir.path().to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap(), &root, &count);
        }
    });
    on_runtime(async move {
        let charts = Charts::new(helm(binary), "/nonexistent");
        let cancel = CancellationToken::new();
        let exact = reference(url.clone(), Some("1.0.0"), Some(PASSWORD));
        // Many releases of one chart: one download.
        let (a, b, newest) = tokio::join!(charts.resolve(&exact, &cancel), charts.resolve(&exact, &cancel), async {
            charts.resolve(&reference(url.clone(), None, Some(PASSWORD)), &cancel).await
        },);
        let (a, b, newest) = (a?, b?, newest?);
        ensure(Arc::ptr_eq(&a, &b), "the chart was pulled twice")?;
        ensure(downloads.load(Ordering::Relaxed) == 2, format!("{downloads:?} downloads"))?;
        ensure(a.metadata.version == "1.0.0" && newest.metadata.version == "1.1.0", format!("{newest:?}"))?;
        for (wrong, part) in [
            (reference(url.clone(), Some("1.0.0"), Some("wrong-password")), "401"),
            (reference(url.clone(), Some("9.9.9"), Some(PASSWORD)), "9.9.9"),
            (ChartRef { chart: "nothing".into(), ..reference(url.clone(), None, Some(PASSWORD)) }, "nothing"),
            (reference("http://127.0.0.1:1".into(), None, None), "connection refused"),
        ] {
            let charts = Charts::new(helm(binary), "/nonexistent");
            let error = charts.resolve(&wrong, &cancel).await.err().ok_or(format!("{part}: it was pulled"))?;
            let text = error.to_string();
            ensure(text.contains(part) && !text.contains("password"), format!("{part}: {text}"))?;
        }
        Ok(())
    })
}

/// As little of a web server as a repository needs, behind a password.
fn serve(mut stream: TcpStream, root: &Path, downloads: &AtomicUsize) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(request) = lines.next() else { return };
    let wanted = base64::engine::general_purpose::STANDARD.encode(format!("me:{PASSWORD}"));
    // All lines are read, so that the connection is not torn down under the client.
    let allowed = lines
        .take_while(|line| !line.is_empty())
        .filter(|line| line.to_lowercase().starts_with("authorization:") && line.ends_with(&wanted))
        .count()
        > 0;
    let file = request.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
    let (status, body) = match std::fs::read(root.join(&file)) {
        _ if !allowed => ("401 Unauthorized", Vec::new()),
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    downloads.fetch_add(usize::from(status.starts_with("200") && file.ends_with(".tgz")), Ordering::Relaxed);
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
}

/// The registry of the testbed, for one trial.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn oci(binary: &Path, program: &Path) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    package(binary, dir.path(), "1.0.0");
    let users = dir.path().join("users");
    std::fs::write(&users, format!("me:{PASSWORD}\n"))?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let registry = Command::new(program)
        .args(["-listen", &address.to_string(), "-users"])
        .arg(&users)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let _registry = Running(registry);
    while TcpStream::connect(address).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let home = dir.path().join("home");
    let push = |arguments: &[&str]| {
        let mut command = Command::new(binary);
        for part in ["CACHE", "CONFIG", "DATA"] {
            command.env(format!("HELM_{part}_HOME"), home.join(part));
        }
        command
            .args(arguments)
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{said}");
        said
    };
    push(&["registry", "login", &address.to_string(), "--plain-http", "-u", "me", "--password-stdin"]);
    let said = push(&["push", "x-1.0.0.tgz", &format!("oci://{address}/charts"), "--plain-http"]);
    let digest = said.lines().find_map(|line| line.strip_prefix("Digest: ")).ok_or("no digest")?.trim().to_owned();

    on_runtime(async move {
        let mut config = config(binary);
        let cancel = CancellationToken::new();
        // Credentials of the release.
        let charts = Charts::new(ffe_helm::binary::Helm::new(config.clone()), "/nonexistent");
        let by_version = reference(format!("oci://{address}/charts"), Some("1.0.0"), Some(PASSWORD));
        let pulled = charts.resolve(&by_version, &cancel).await?;
        ensure(pulled.registry_digest.as_deref() == Some(&digest), format!("{:?}", pulled.registry_digest))?;
        let denied = charts.resolve(&reference(format!("oci://{address}/charts"), Some("1.0.0"), None), &cancel).await;
        let denied = denied.err().ok_or("it was pulled without a password")?;
        let cause = denied.failure().map(|failure| failure.cause);
        ensure(cause == Some(Cause::Download) || cause == Some(Cause::Unauthorized), format!("{cause:?} {denied}"))?;
        // Credentials of the provider; by tag and by digest.
        config.registries =
            vec![Registry { url: format!("oci://{address}"), username: "me".into(), password: PASSWORD.into() }];
        let charts = Charts::new(ffe_helm::binary::Helm::new(config), "/nonexistent");
        for chart in [format!("oci://{address}/charts/x:1.0.0"), format!("oci://{address}/charts/x@{digest}")] {
            let reference = ChartRef { chart: chart.clone(), ..ChartRef::default() };
            let found = charts.resolve(&reference, &cancel).await?;
            ensure(found.digest == pulled.digest, format!("{chart} is another chart"))?;
        }
        Ok(())
    })
}
