//! What somebody changes or removes behind an endpoint's back.

use anyhow::{Context as _, Result, ensure};
use ffe_cloudflare::standin::StandIn;

use super::cloudflare::configure;
use crate::Stage;
use crate::tls::{Endpoint, Ever, SOON, apply, backend, expect_headers, expect_served, host, surroundings};

pub(super) fn drift(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, namespace) = (host(stage, "web")?, stage.name.clone());
    let standin = StandIn::start()?;
    let zone = standin.seed_zone(&surroundings(stage)?.zone);
    stage.set("TF_VAR_token", standin.token());
    let kubeconfig = stage.surroundings.kubeconfig.display().to_string();
    let mut orders = Ever::of(stage, "orders.acme.cert-manager.io")?;
    let endpoint = Endpoint::new(stage, "web", &[&web])?.more("dns = {}");
    configure(stage, &standin.base_url(), &kubeconfig, &endpoint.hcl(stage)?)?;
    stage.apply()?.ok()?;
    let serial = stage.expect_state("ffe_tls_endpoint.web")?["certificate_status"]["serial"].clone();

    // Each is seen, named, and put right, and nothing is ordered for it.
    let remove = |kind: &'static str, name: &'static str| vec!["delete", kind, name];
    let headers = r#"[{"op": "replace", "path": "/spec/headers/stsSeconds", "value": 60}]"#;
    let backends =
        r#"[{"op": "replace", "path": "/spec/rules/0/http/paths/0/backend/service/name", "value": "other"}]"#;
    let label = r#"[{"op": "replace", "path": "/spec/groups/0/rules/0/labels/severity", "value": "none"}]"#;
    for change in [
        remove("ingress", "web-http"),
        vec!["patch", "middlewares.traefik.io", "web-headers", "--type=json", "-p", headers],
        vec!["patch", "ingress", "web", "--type=json", "-p", backends],
        vec!["patch", "prometheusrule", "web-certificate", "--type=json", "-p", label],
        remove("issuer", "web"),
        remove("certificate", "web-tls"),
    ] {
        let told = change.join(" ");
        stage.kube.run(&[&["-n", &namespace][..], &change].concat())?.ok()?;
        let plan = stage.plan()?;
        let of_it = &plan["resource_changes"][0]["change"];
        ensure!(of_it["actions"] == serde_json::json!(["update"]), "{told}: {of_it:#}");
        let drifted = of_it["before"]["drifted"].to_string();
        ensure!(drifted.contains(change[2]), "{told}: {drifted}");
        stage.apply()?.ok().with_context(|| told.clone())?;
        stage.expect_empty_plan().with_context(|| told.clone())?;
        expect_served(stage, &web).with_context(|| told.clone())?;
    }
    expect_headers(&expect_served(stage, &web)?)?;
    let now = stage.expect_state("ffe_tls_endpoint.web")?["certificate_status"]["serial"].clone();
    ensure!(now == serial && orders.seen("")?.len() == 1, "it was ordered anew: {:?}", orders.seen("")?);

    // All of it is gone with its namespace: the destroy takes away what lies elsewhere.
    ensure!(standin.records(&zone).len() == 1, "{:?}", standin.records(&zone));
    stage.kube.run(&["delete", "namespace", &namespace, "--wait=true"])?.ok()?;
    stage.destroy()?.ok()?;
    ensure!(standin.records(&zone).is_empty(), "{:?}", standin.records(&zone));
    Ok(())
}

/// A webhook of a platform: ingresses get another type of path, certificates another label.
const WEBHOOK: &str = r#"
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: { name: itself }
spec: { selfSigned: {} }
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: { name: platform }
spec: { secretName: platform, dnsNames: [platform.NAMESPACE.svc], issuerRef: { name: itself } }
---
apiVersion: v1
kind: Service
metadata: { name: platform }
spec: { selector: { app: platform }, ports: [{ port: 443, targetPort: 8443 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: platform, labels: { app: platform } }
spec:
  terminationGracePeriodSeconds: 0
  securityContext: { fsGroup: 10001 }
  volumes: [{ name: key, secret: { secretName: platform } }]
  containers:
  - name: platform
    image: ffe-backend:1.0.0
    volumeMounts: [{ name: key, mountPath: /key }]
    readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 }
    command: [python3, -c]
    args:
    - |
      import base64, json, ssl
      from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
      CHANGES = {
        "Ingress": ("/spec/rules/0/http/paths/0/pathType", "ImplementationSpecific"),
        "Certificate": ("/metadata/labels/app.kubernetes.io~1part-of", "platform"),
      }
      class Webhook(BaseHTTPRequestHandler):
        def do_POST(self):
          asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
          answer = {"uid": asked["uid"], "allowed": True}
          path, value = CHANGES[asked["kind"]["kind"]]
          if asked["name"].startswith("web"):
            patch = json.dumps([{"op": "add", "path": path, "value": value}])
            answer |= {"patchType": "JSONPatch", "patch": base64.b64encode(patch.encode()).decode()}
          body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}).encode()
          self.send_response(200)
          self.send_header("Content-Type", "application/json")
          self.send_header("Content-Length", str(len(body)))
          self.end_headers()
          self.wfile.write(body)
      server = ThreadingHTTPServer(("", 8443), Webhook)
      context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
      context.load_cert_chain("/key/tls.crt", "/key/tls.key")
      server.socket = context.wrap_socket(server.socket, server_side=True)
      server.serve_forever()
"#;

/// The webhook counts.
fn registered(stage: &mut Stage) -> Result<()> {
    let namespace = stage.name.clone();
    apply(stage, &WEBHOOK.replace("NAMESPACE", &namespace))?;
    stage.kube.until("the webhook is ready", SOON, |kube| {
        let pod = kube.get(&["pod", "-n", &namespace, "platform"])?.unwrap_or_default();
        Ok(pod["status"]["containerStatuses"][0]["ready"] == true)
    })?;
    let secret = stage.kube.get(&["secret", "-n", &namespace, "platform"])?.context("no Secret")?;
    stage.afterwards(&format!("kubectl delete mutatingwebhookconfiguration {namespace} --ignore-not-found"));
    stage.kube.apply(
        &serde_json::json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": { "name": namespace },
            "webhooks": [{
                "name": "platform.ffe.invalid", "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Fail",
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace } },
                "clientConfig": {
                    "caBundle": secret["data"]["tls.crt"], "service": { "namespace": namespace, "name": "platform" },
                },
                "rules": [
                    { "apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                      "resources": ["ingresses"] },
                    { "apiGroups": ["cert-manager.io"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                      "resources": ["certificates"] },
                ],
            }],
        })
        .to_string(),
    )?;
    let label = ["label", "certificate", "-n", &namespace, "platform", "--overwrite", "--dry-run=server", "a=b"];
    stage.kube.until("it is asked", SOON, |kube| Ok(kube.run(&label)?.code == 0))
}

/// What webhooks make of an endpoint, and what others may change, is no drift: the plan after the apply is empty.
pub(super) fn rewritten(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    registered(stage)?;
    let (web, namespace) = (host(stage, "web")?, stage.name.clone());
    let endpoint = Endpoint::new(stage, "web", &[&web])?.issuer("self_signed = {}");
    endpoint.configure(stage)?;
    stage.apply()?.ok()?;
    let get = |stage: &Stage, kind: &str, name: &str| {
        stage.kube.get(&[kind, "-n", &namespace, name])?.with_context(|| format!("no {kind} {name}"))
    };
    let path = get(stage, "ingress", "web")?["spec"]["rules"][0]["http"]["paths"][0]["pathType"].clone();
    ensure!(path == "ImplementationSpecific", "the webhook has not rewritten it: {path}");
    let labels = get(stage, "certificate", "web-tls")?["metadata"]["labels"].clone();
    ensure!(labels["app.kubernetes.io/part-of"] == "platform", "the webhook has not rewritten it: {labels:#}");
    stage.expect_empty_plan()?;

    // What somebody else writes is drift, until it is left to them.
    let headers = r#"[{"op": "replace", "path": "/spec/headers/stsSeconds", "value": 60}]"#;
    let patch = ["patch", "middlewares.traefik.io", "-n", &namespace, "web-headers", "--type=json", "-p", headers];
    stage.kube.run(&patch)?.ok()?;
    ensure!(stage.planned_actions()? == [("ffe_tls_endpoint.web".to_owned(), "update".to_owned())]);
    endpoint
        .more("drift = { ignore = [{ kind = \"Middleware\", name = \"web-headers\", paths = [\"/spec/headers/stsSeconds\"] }] }")
        .configure(stage)?;
    stage.apply()?.ok()?;
    stage.kube.run(&patch)?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(drop)
}
