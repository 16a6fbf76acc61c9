//! What the cases about HTTPS share: a backend, hosts of their own in the testbed's zone, configurations, and looking at
//! addresses with curl, independent of the provider's own code.

mod answer;
mod endpoint;
mod visitor;
mod zone;

use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use base64::Engine as _;

use crate::surroundings::Tls;
use crate::{Stage, turn};
pub(crate) use answer::Answer;
pub(crate) use endpoint::{Endpoint, acme};
pub(crate) use visitor::{Visitor, certificate_at, certificate_in};
pub(crate) use zone::set_address;

/// How long something may take that comes by itself.
pub(crate) const SOON: Duration = Duration::from_secs(90);

/// A pod that answers `/health`, and `/secret` to those who have the token; its service is `web`.
const BACKEND: &str = r#"
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: web
    image: ffe-backend:1.0.0
    command: [python3, -c]
    args:
    - |
      from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
      class Page(BaseHTTPRequestHandler):
        def do_GET(self):
          known = self.path in ("/health", "/") or self.headers.get("Authorization") == "Bearer let-me-in"
          self.send_response(200 if known else 401)
          self.send_header("Content-Length", "5")
          self.send_header("Content-Security-Policy", "default-src 'none'")
          self.end_headers()
          self.wfile.write(b"hello")
      ThreadingHTTPServer(("", 8000), Page).serve_forever()
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 8000 }] }
"#;

/// The testbed's parts for HTTPS.
///
/// # Errors
/// When the environment does not name them.
pub(crate) fn surroundings(stage: &Stage) -> Result<Tls> {
    let tls = stage.surroundings.tls.clone();
    tls.context("FFE_NODE_IP, FFE_ACME_* and FFE_DNS_* are not set; see: cargo xtask testbed up --tls")
}

/// Makes the case's namespace with the backend in it.
///
/// # Errors
/// When kubectl fails.
pub(crate) fn backend(stage: &mut Stage) -> Result<()> {
    turn::share(stage)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    // What cannot be taken back at its end would keep the namespace for ever.
    let freed = r#"{"metadata":{"finalizers":null}}"#;
    let namespace = stage.name.clone();
    stage.afterwards(&format!(
        "kubectl -n {namespace} get challenges.acme.cert-manager.io -o name | \
         xargs -r -n 1 kubectl -n {namespace} patch --type=merge -p '{freed}'"
    ));
    // A pod without a controller is refused until its namespace has this.
    stage.kube.until("the namespace has its service account", SOON, |kube| {
        Ok(kube.get(&["serviceaccount", "-n", &namespace, "default"])?.is_some())
    })?;
    apply(stage, BACKEND)
}

/// The same backend in another namespace, which is made.
///
/// # Errors
/// When kubectl fails.
pub(crate) fn backend_in(stage: &Stage, namespace: &str) -> Result<()> {
    stage.kube.run(&["create", "namespace", namespace])?.ok()?;
    stage.kube.until("the namespace has its service account", SOON, |kube| {
        Ok(kube.get(&["serviceaccount", "-n", namespace, "default"])?.is_some())
    })?;
    apply_in(stage, namespace, BACKEND)?;
    stage.kube.run(&["wait", "pod/web", "-n", namespace, "--for=condition=Ready", "--timeout=90s"])?.ok().map(|_| ())
}

/// Applies a manifest in the case's namespace.
///
/// # Errors
/// When kubectl refuses.
pub(crate) fn apply(stage: &Stage, manifest: &str) -> Result<()> {
    apply_in(stage, &stage.name, manifest)
}

fn apply_in(stage: &Stage, namespace: &str, manifest: &str) -> Result<()> {
    let file = stage.side("manifests")?.join("manifest.yaml");
    std::fs::write(&file, manifest)?;
    stage.kube.run(&["apply", "-n", namespace, "-f", &file.to_string_lossy()])?.ok().map(|_| ())
}

/// An Issuer `theirs` that the endpoint does not make, at an ACME server.
///
/// # Errors
/// When kubectl refuses.
pub(crate) fn their_issuer(stage: &Stage, directory: &str) -> Result<()> {
    let authority = std::fs::read(surroundings(stage)?.authority)?;
    let authority = base64::engine::general_purpose::STANDARD.encode(authority);
    apply(
        stage,
        &format!(
            "
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {{ name: theirs }}
spec:
  acme:
    server: {directory}
    caBundle: {authority}
    privateKeySecretRef: {{ name: theirs-account }}
    solvers: [{{ http01: {{ ingress: {{ ingressClassName: traefik }} }} }}]
"
        ),
    )
}

/// A name of this case in the testbed's zone.
///
/// # Errors
/// When the environment names no zone.
pub(crate) fn host(stage: &Stage, label: &str) -> Result<String> {
    Ok(format!("{label}.{}.{}", stage.name, surroundings(stage)?.zone))
}

/// Asks with curl. HTTPS must be of an authority in the file `roots`, and for the name.
///
/// # Errors
/// When there is no answer, or the certificate is not trusted.
pub(crate) fn ask_trusting(stage: &Stage, roots: &str, url: &str) -> Result<Answer> {
    let tls = surroundings(stage)?;
    let host = url.split('/').nth(2).context("a URL without a host")?;
    let host = host.split('@').next_back().unwrap_or(host);
    let mut curl = crate::program("curl");
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "10", "--include", "--cacert", roots]);
    for port in [80, 443] {
        curl.args(["--resolve", &format!("{host}:{port}:{}", tls.node_ip)]);
    }
    Answer::of(&crate::run(curl.arg(url))?.ok().with_context(|| url.to_owned())?.stdout)
}

/// The same, trusting the ACME servers.
///
/// # Errors
/// The same.
pub(crate) fn ask(stage: &Stage, url: &str) -> Result<Answer> {
    let roots = surroundings(stage)?.roots;
    ask_trusting(stage, &roots.to_string_lossy(), url)
}

/// `https://host/health` answers 200 with a trusted chain, and HTTP is redirected to it. Traefik reads ingresses and middlewares
/// apart from each other and knows nothing of a host for the moment in which it has read one and not the other.
///
/// # Errors
/// With what is otherwise.
pub(crate) fn expect_served(stage: &Stage, host: &str) -> Result<Answer> {
    let url = format!("https://{host}/health");
    let mut seen = Err(anyhow!("nothing was seen"));
    let served = stage.kube.until(&format!("200 of {url}, and a redirect to it"), SOON, |_| {
        // No answer, or not yet that certificate, is one more look as well.
        let looked = ask(stage, &url).and_then(|answer| Ok((answer, ask(stage, &format!("http://{host}/health"))?)));
        let served = looked.as_ref().is_ok_and(|(answer, plain)| {
            let redirected = [301, 308].contains(&plain.status) && plain.header("location") == Some(&url);
            answer.status == 200 && redirected
        });
        seen = looked;
        Ok(served)
    });
    match served {
        Ok(()) => seen.map(|(answer, _)| answer),
        Err(error) => Err(error.context(format!("{seen:?}"))),
    }
}

/// An answer has the headers that an endpoint sets where nothing is said of them.
///
/// # Errors
/// When one is missing.
pub(crate) fn expect_headers(answer: &Answer) -> Result<()> {
    for (header, value) in [("strict-transport-security", "max-age=31536000"), ("x-content-type-options", "nosniff")] {
        ensure!(answer.header(header) == Some(value), "{header}: {answer:?}");
    }
    Ok(())
}

/// What the backend says of its pages is as it said it.
///
/// # Errors
/// When somebody has changed it.
pub(crate) fn expect_own_policy(answer: &Answer) -> Result<()> {
    ensure!(answer.header("content-security-policy") == Some("default-src 'none'"), "{answer:?}");
    ensure!(answer.header("x-frame-options").is_none(), "{answer:?}");
    Ok(())
}

/// The objects of some kinds in the case's namespace, `kind/name`, sorted.
///
/// # Errors
/// When kubectl fails.
pub(crate) fn objects(stage: &Stage, kinds: &str) -> Result<Vec<String>> {
    stage.kube.names(&stage.name, kinds)
}

/// What an endpoint makes in its namespace, without the Secrets that stay.
pub(crate) const KINDS: &str = "ingresses,middlewares.traefik.io,httproutes,referencegrants,backendtlspolicies,certificates,issuers,\
    certificaterequests,orders.acme.cert-manager.io,challenges.acme.cert-manager.io,prometheusrules,leases";

/// Nothing of an endpoint is left but Secrets, and those are exactly these.
///
/// # Errors
/// With what is left.
pub(crate) fn expect_gone(stage: &Stage, secrets: &[&str]) -> Result<()> {
    // What belongs to a Certificate goes after it.
    let gone = stage.kube.until("nothing is left", SOON, |_| Ok(objects(stage, KINDS)?.is_empty()));
    gone.with_context(|| format!("{:?}", objects(stage, KINDS)))?;
    let maps = objects(stage, "configmaps")?;
    ensure!(maps == ["configmap/kube-root-ca.crt"], "left: {maps:?}");
    let kept: Vec<String> = secrets.iter().map(|name| format!("secret/{name}")).collect();
    let only = stage.kube.until("only the Secrets to keep are left", SOON, |_| Ok(objects(stage, "secrets")? == kept));
    only.with_context(|| format!("{:?}, expected {kept:?}", objects(stage, "secrets")))
}

/// The results of a check in `verify_results`: `(check, outcome)` for a host.
pub(crate) fn outcomes(state: &serde_json::Value, host: &str) -> Vec<(String, String)> {
    let all = state["verify_results"].as_array().into_iter().flatten();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    all.filter(|one| one["host"] == host).map(|one| (text(&one["check"]), text(&one["outcome"]))).collect()
}

/// These checks of a host have this outcome.
///
/// # Errors
/// When one has not.
pub(crate) fn expect_outcomes(state: &serde_json::Value, host: &str, outcome: &str, checks: &[&str]) -> Result<()> {
    let all = outcomes(state, host);
    for check in checks {
        let found = all.iter().any(|(name, was)| name == check && was == outcome);
        ensure!(found, "{check} of {host} is not {outcome}: {:#}", state["verify_results"]);
    }
    Ok(())
}

/// Every object of a kind that there has been in the case's namespace since this was made, also those that are gone.
pub(crate) struct Ever {
    kubectl: Child,
    file: std::path::PathBuf,
}

impl Ever {
    /// Begins to look.
    ///
    /// # Errors
    /// When kubectl cannot be started.
    pub(crate) fn of(stage: &Stage, kind: &str) -> Result<Ever> {
        let file = stage.side("watched")?.join(kind);
        let output = std::fs::File::create(&file)?;
        let mut command = stage.kube.command(&["get", kind, "-n", &stage.name, "--watch", "-o", "name"]);
        let kubectl = command.stdin(Stdio::null()).stdout(output).stderr(Stdio::null()).spawn()?;
        let mut ever = Ever { kubectl, file };
        // What is there already counts as seen from the beginning.
        let there = stage.kube.names(&stage.name, kind)?;
        stage.kube.until("the watch has begun", SOON, |_| {
            let seen = ever.seen("")?;
            Ok(there.iter().all(|name| seen.iter().any(|one| name.ends_with(one.as_str()))))
        })?;
        Ok(ever)
    }

    /// Their names, those that begin with `prefix`.
    ///
    /// # Errors
    /// When the watch is over, or cannot be read.
    pub(crate) fn seen(&mut self, prefix: &str) -> Result<Vec<String>> {
        ensure!(self.kubectl.try_wait()?.is_none(), "the watch has ended");
        let text = std::fs::read_to_string(&self.file)?;
        let names = text.lines().filter_map(|line| line.split('/').next_back());
        let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}

impl Drop for Ever {
    fn drop(&mut self) {
        let _ended = self.kubectl.kill();
        let _reaped = self.kubectl.wait();
    }
}
