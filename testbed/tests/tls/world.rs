//! The namespace of one test, and what is asked there.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ffe_testbed::{POSTGRES_IMAGE, Testbed};

/// How long is waited for what comes true within seconds.
const SOON: Duration = Duration::from_secs(40);

/// A variable that says where something of the testbed is.
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap()
}

pub(crate) struct World {
    testbed: Testbed,
    pub(crate) namespace: String,
    pub(crate) node_ip: String,
    zone: String,
    directory: String,
}

impl World {
    /// Makes the namespace.
    pub(crate) fn begin(name: &str) -> Self {
        let world = Self {
            testbed: Testbed::locate().unwrap(),
            namespace: format!("tls-{name}-{}", std::process::id()),
            node_ip: variable("FFE_NODE_IP"),
            zone: variable("FFE_DNS_ZONE"),
            directory: variable("FFE_ACME_DIRECTORY"),
        };
        world.kubectl(&["create", "namespace", &world.namespace]);
        world
    }

    /// A name of this test in the zone.
    pub(crate) fn host(&self, label: &str) -> String {
        format!("{label}.{}.{}", self.namespace, self.zone)
    }

    /// A page at `/page` of the service `page`.
    pub(crate) fn page(&self) {
        self.apply(&format!(
            "apiVersion: v1
kind: Pod
metadata: {{ name: page, labels: {{ app: page }} }}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: page
    image: {POSTGRES_IMAGE}
    command: [sh, -c, 'cd /tmp && echo hello > page && exec python3 -m http.server 8000']
---
apiVersion: v1
kind: Service
metadata: {{ name: page }}
spec: {{ selector: {{ app: page }}, ports: [{{ port: 80, targetPort: 8000 }}] }}
"
        ));
    }

    /// An Issuer for the ACME server with one solver, in YAML.
    pub(crate) fn acme_issuer(&self, name: &str, solver: &str) {
        self.acme_issuer_of(&self.directory, name, solver);
    }

    /// The same for another directory.
    pub(crate) fn acme_issuer_of(&self, directory: &str, name: &str, solver: &str) {
        let authority = std::fs::read(self.testbed.acme_ca()).unwrap();
        let authority = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, authority);
        self.apply(&format!(
            "apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {{ name: {name} }}
spec:
  acme:
    server: {directory}
    caBundle: {authority}
    privateKeySecretRef: {{ name: {name}-account }}
    solvers: [{{ {solver} }}]
"
        ));
    }

    pub(crate) fn certificate(&self, name: &str, issuer: &str, hosts: &[&str]) {
        self.apply(&format!(
            "apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {{ name: {name} }}
spec: {{ secretName: {name}, dnsNames: ['{}'], issuerRef: {{ name: {issuer} }} }}
",
            hosts.join("', '")
        ));
    }

    /// An Ingress for the page, in YAML.
    pub(crate) fn ingress(
        &self,
        name: &str,
        class: &str,
        host: &str,
        secret: Option<&str>,
        notes: &[(&str, &str)],
    ) -> String {
        let notes: String = notes.iter().map(|(key, value)| format!("    {key}: '{value}'\n")).collect();
        let tls =
            secret.map(|secret| format!("  tls: [{{ hosts: [{host}], secretName: {secret} }}]\n")).unwrap_or_default();
        format!(
            "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  namespace: {namespace}
  annotations:
{notes}spec:
  ingressClassName: {class}
{tls}  rules:
  - host: {host}
    http:
      paths: [{{ path: /, pathType: Prefix, backend: {{ service: {{ name: page, port: {{ number: 80 }} }} }} }}]
",
            namespace = self.namespace
        )
    }

    pub(crate) fn wait_issued(&self, certificate: &str) {
        let condition = format!("certificate/{certificate}");
        let wait = ["-n", &self.namespace, "wait", &condition, "--for=condition=Ready", "--timeout=180s"];
        if let Err(error) = run(self.command().args(wait), "") {
            let chain = "certificates,certificaterequests,orders,challenges,events";
            panic!("{error}\n{}", self.kubectl(&["-n", &self.namespace, "get", chain, "-o", "wide"]));
        }
    }

    /// Asks until the answer is `STATUS LOCATION`. The certificate must be of the ACME server's and for the name.
    pub(crate) fn until_answer(&self, url: &str, expected: &str) {
        let host = url.split('/').nth(2).unwrap();
        let began = Instant::now();
        loop {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--show-error", "--max-time", "5", "--output", "/dev/null"])
                .args(["--write-out", "%{http_code} %{redirect_url}", "--cacert"])
                .arg(self.testbed.acme_roots());
            for port in [80, 443] {
                curl.args(["--resolve", &format!("{host}:{port}:{}", self.node_ip)]);
            }
            let said = run(curl.arg(url), "");
            if said.as_deref() == Ok(expected) {
                return;
            }
            assert!(began.elapsed() < SOON, "{url}: {said:?} instead of {expected}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// A field of an object of this test, once it is there.
    pub(crate) fn until_object(&self, object: &str, path: &str) -> String {
        let began = Instant::now();
        loop {
            let said = self.get(object, path);
            if !said.is_empty() {
                return said;
            }
            assert!(began.elapsed() < SOON, "{object} has no {path}:\n{}", self.get(object, "{.status}"));
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The address that the DNS server has for a name; empty without one.
    pub(crate) fn resolve(&self, name: &str) -> String {
        let server = format!("@{}", self.node_ip);
        run(Command::new("dig").args(["+short", &server, name, "A"]), "").unwrap().trim().to_owned()
    }

    /// What a command says in a pod of its own.
    pub(crate) fn in_pod(&self, command: &[&str]) -> String {
        let namespace = ["-n", self.namespace.as_str()];
        let image = format!("--image={POSTGRES_IMAGE}");
        let start = ["run", "asked", "--restart=Never", &image, "--command", "--"];
        self.kubectl(&[&namespace[..], &start, command].concat());
        let done = ["wait", "pod/asked", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s"];
        self.kubectl(&[&namespace[..], &done].concat());
        self.kubectl(&[&namespace[..], &["logs", "asked"]].concat())
    }

    /// A field of an object of this test.
    pub(crate) fn get(&self, object: &str, path: &str) -> String {
        self.kubectl(&["-n", &self.namespace, "get", object, "-o", &format!("jsonpath={path}")])
    }

    /// Applies objects as a manager of this test's own; those that begin with their name are put into its namespace.
    pub(crate) fn apply(&self, objects: &str) {
        let objects =
            objects.replace("metadata: { name:", &format!("metadata: {{ namespace: {}, name:", self.namespace));
        let manager = format!("--field-manager={}", self.namespace);
        run(self.command().args(["apply", "--server-side", &manager, "-f", "-"]), &objects).unwrap();
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        run(self.command().args(arguments), "").unwrap()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.testbed.binary("kubectl"));
        command.env("KUBECONFIG", self.testbed.kubeconfig());
        command
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = run(self.command().args(["delete", "namespace", &self.namespace, "--wait=false"]), "");
    }
}

/// What a program says, or what it complains of.
fn run(command: &mut Command, input: &str) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).map_err(|error| error.to_string())?;
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
