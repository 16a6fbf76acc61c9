//! Namespaces and images that give the Job of a migration little room: it says what is in its way, nothing has moved, and it comes through
//! once that is out of the way.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case { name: "confined::no_room_for_the_job", when: When::Full, run: no_room },
    Case { name: "confined::images_without_a_shell_or_a_user", when: When::Full, run: images },
    Case { name: "confined::sidecar_that_never_ends", when: When::Full, run: sidecar },
];

const LIMIT: Duration = Duration::from_secs(120);

fn release(stage: &Stage, chart: &Path, text: &str, migration: &str) -> String {
    format!(
        "resource \"ffe_release\" \"web\" {{\n  namespace = \"{}\"\n  name = \"web\"\n  chart = \"{}\"\n  timeout = \"2m\"\n  set = [{{ \
         name = \"text\", value = \"{text}\" }}]\n  migration = {{\n    engine = \"command\"\n    backup = \"never\"\n    {migration}\n  \
         }}\n}}\n",
        stage.name,
        chart.display()
    )
}

const MIGRATES: &str = "upgrade_command = [\"python3\", \"-c\", \"print('migrated')\"]";

/// What the deployment runs.
fn text(stage: &Stage) -> Result<String> {
    let web = stage.kube.get(&["deployment", "-n", &stage.name, "web"])?.context("no deployment")?;
    Ok(web["spec"]["template"]["metadata"]["annotations"]["text"].as_str().unwrap_or_default().to_owned())
}

fn expect_untouched(stage: &Stage) -> Result<()> {
    ensure!(text(stage)? == "one", "it runs {}", text(stage)?);
    let jobs = stage.kube.names(&stage.name, "jobs")?;
    ensure!(jobs.is_empty(), "Jobs are left: {jobs:?}");
    Ok(())
}

fn no_room(stage: &mut Stage) -> Result<()> {
    let chart = charts::web_server(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    stage.configure(&release(stage, &chart, "one", MIGRATES))?;
    stage.apply()?.ok()?;

    // A quota that is used up by what runs.
    let of = |kind: &str, name: &str, spec: serde_json::Value| {
        json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name, "namespace": stage.name }, "spec": spec })
            .to_string()
    };
    let quota = of("ResourceQuota", "small", json!({ "hard": { "pods": "1" } }));
    let range = of(
        "LimitRange",
        "small",
        json!({ "limits": [{ "type": "Container", "max": { "cpu": "500m" }, "default": { "cpu": "200m" } }] }),
    );
    stage.kube.apply(&quota)?;
    stage.kube.until("the quota to be counted", LIMIT, |kube| {
        let quota = kube.get(&["resourcequota", "-n", &stage.name, "small"])?;
        Ok(quota.is_some_and(|quota| quota["status"]["used"]["pods"] == "1"))
    })?;
    stage.configure(&release(stage, &chart, "two", MIGRATES))?;
    stage.apply()?.failed_with(&["exceeded quota: small", "What to do: "])?;
    expect_untouched(stage)?;
    stage.kube.run(&["delete", "resourcequota", "-n", &stage.name, "small"])?.ok()?;

    // Containers that may use less than the Job asks for by itself.
    stage.kube.apply(&range)?;
    stage.apply()?.failed_with(&["maximum cpu usage per Container is 500m", "migration.resources"])?;
    expect_untouched(stage)?;
    let bounded = format!("{MIGRATES}\n    resources = {{ limits = {{ cpu = \"400m\" }} }}");
    stage.configure(&release(stage, &chart, "two", &bounded))?;
    stage.apply()?.ok()?;
    ensure!(text(stage)? == "two", "it runs {}", text(stage)?);
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

fn images(stage: &mut Stage) -> Result<()> {
    let chart = charts::web_server(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    stage.configure(&release(stage, &chart, "one", MIGRATES))?;
    stage.apply()?.ok()?;
    // One static program.
    let bare = "image = \"ffe-testbed.local/pause:1\"\n    upgrade_command = [\"/pause\"]";
    stage.configure(&release(stage, &chart, "two", bare))?;
    stage.apply()?.failed_with(&["\"sh\"", "an image with sh and the tool"])?;
    expect_untouched(stage)?;
    let alembic =
        release(stage, &chart, "two", "image = \"ffe-testbed.local/pause:1\"").replace("\"command\"", "\"alembic\"");
    stage.configure(&alembic)?;
    stage.apply()?.failed_with(&["python3", "What to do: "])?;
    expect_untouched(stage)?;
    // One that runs as root.
    let root = "image = \"ffe-postgres:15\"\n    upgrade_command = [\"true\"]";
    stage.configure(&release(stage, &chart, "two", root))?;
    let done = stage.apply()?;
    if done.code != 0 {
        done.failed_with(&["root", "What to do: "])?;
        expect_untouched(stage)?;
    }
    stage.configure(&release(stage, &chart, "two", MIGRATES))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

/// Adds a container that never ends to every pod of a migration, as a mesh does that does not ask.
const INJECTOR: &str = r#"
import base64, http.server, json, ssl
class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        sidecar = {'name': 'istio-proxy', 'image': 'ffe-backend:1.0.0', 'command': ['python3', '-c', 'import time; time.sleep(3600)'],
                   'securityContext': {'allowPrivilegeEscalation': False, 'runAsNonRoot': True, 'capabilities': {'drop': ['ALL']}}}
        patch = json.dumps([{'op': 'add', 'path': '/spec/containers/-', 'value': sidecar}]).encode()
        answer = {'uid': review['request']['uid'], 'allowed': True, 'patchType': 'JSONPatch', 'patch': base64.b64encode(patch).decode()}
        body = json.dumps({'apiVersion': 'admission.k8s.io/v1', 'kind': 'AdmissionReview', 'response': answer}).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.HTTPServer(('', 8443), Answer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('/tls/tls.crt', '/tls/tls.key')
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

fn sidecar(stage: &mut Stage) -> Result<()> {
    let namespace = stage.name.clone();
    let chart = charts::web_server(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &namespace])?.ok()?;
    let folder = stage.side("mesh")?;
    let host = format!("mesh.{namespace}.svc");
    stage.shell(&format!(
        "cd {} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={host} -addext \
         subjectAltName=DNS:{host} -keyout tls.key -out tls.crt",
        folder.display()
    ))?
    .ok()?;
    let file = |name: &str| folder.join(name).display().to_string();
    let (key, certificate) = (format!("--key={}", file("tls.key")), format!("--cert={}", file("tls.crt")));
    stage.kube.run(&["create", "secret", "tls", "mesh", "-n", &namespace, &certificate, &key])?.ok()?;
    let injector = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "mesh", "namespace": namespace, "labels": { "app": "mesh" } },
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "mesh", "image": "ffe-backend:1.0.0", "command": ["python3", "-c", INJECTOR],
                "volumeMounts": [{ "name": "tls", "mountPath": "/tls" }],
                "readinessProbe": { "tcpSocket": { "port": 8443 }, "periodSeconds": 1 },
            }],
            "volumes": [{ "name": "tls", "secret": { "secretName": "mesh" } }],
        },
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "mesh", "namespace": namespace },
        "spec": { "selector": { "app": "mesh" }, "ports": [{ "port": 443, "targetPort": 8443 }] },
    });
    stage.kube.apply(&injector.to_string())?;
    stage.kube.apply(&service.to_string())?;
    stage.kube.until("the mesh to answer", LIMIT, |kube| {
        let pod = kube.get(&["pod", "-n", &namespace, "mesh"])?.unwrap_or_default();
        Ok(pod["status"]["containerStatuses"][0]["ready"] == true)
    })?;
    let bundle = stage.shell(&format!("base64 -w0 {}", file("tls.crt")))?.ok()?.stdout;
    let webhook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": { "name": namespace },
        "webhooks": [{
            "name": "mesh.ffe.invalid", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
            "clientConfig": { "caBundle": bundle.trim(), "service": { "name": "mesh", "namespace": namespace } },
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace } },
            "objectSelector": { "matchLabels": { "app.kubernetes.io/name": "ffe-migrate" } },
            "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"] }],
        }],
    });
    stage.kube.apply(&webhook.to_string())?;
    let played = injected(stage, &chart);
    stage.kube.run(&["delete", "mutatingwebhookconfiguration", &namespace])?.ok()?;
    played
}

fn injected(stage: &mut Stage, chart: &Path) -> Result<()> {
    let current = "current_command = [\"python3\", \"-c\", \"print('0001')\"]";
    stage.configure(&release(stage, chart, "one", &format!("{MIGRATES}\n    {current}")))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    // One that fails: its log is shown, and the Job with all that was added to it goes.
    let fails = "upgrade_command = [\"python3\", \"-c\", \"raise SystemExit('column owner is missing')\"]";
    stage.configure(&release(stage, chart, "two", &format!("{fails}\n    {current}")))?;
    stage.apply()?.failed_with(&["The database migration failed", "column owner is missing"])?;
    expect_untouched(stage)?;
    stage.configure(&release(stage, chart, "two", &format!("{MIGRATES}\n    {current}")))?;
    stage.apply()?.ok()?;
    ensure!(text(stage)? == "two", "it runs {}", text(stage)?);
    let jobs = stage.kube.names(&stage.name, "jobs")?;
    ensure!(jobs.is_empty(), "Jobs are left: {jobs:?}");
    stage.destroy()?.ok().map(|_| ())
}
