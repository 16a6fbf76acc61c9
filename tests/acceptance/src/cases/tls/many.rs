//! Several services below paths of one host, what requests go through before, and what the services speak.

use anyhow::{Context as _, Result, anyhow, ensure};

use super::in_use::InUse;
use crate::Stage;
use crate::tls::{Answer, Endpoint, SOON, apply, ask_trusting, objects};

/// A service `docs` that answers below `/docs`; and `vault`, which does by TLS, with a certificate of the case's authority that a
/// Gateway can check. Each says in a header who it is.
const SERVICES: &str = r#"
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: { name: inner }
spec: { ca: { secretName: authority } }
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: { name: vault }
spec:
  secretName: vault
  dnsNames: [vault.internal]
  privateKey: { algorithm: ECDSA, size: 256 }
  issuerRef: { name: inner }
---
apiVersion: v1
kind: Pod
metadata: { name: docs, labels: { app: docs } }
spec:
  terminationGracePeriodSeconds: 0
  volumes: [{ name: tls, secret: { secretName: vault } }]
  containers:
  - name: docs
    image: ffe-backend:1.0.0
    volumeMounts: [{ name: tls, mountPath: /tls }]
    command: [python3, -c]
    args:
    - |
      import ssl, threading
      from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
      def page(name):
        class Page(BaseHTTPRequestHandler):
          def do_GET(self):
            self.send_response(200 if self.path.startswith("/docs") else 404)
            self.send_header("Content-Length", "5")
            self.send_header("X-Service", name)
            self.end_headers()
            self.wfile.write(b"hello")
        return Page
      plain, secure = ThreadingHTTPServer(("", 8000), page("docs")), ThreadingHTTPServer(("", 8443), page("vault"))
      context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
      context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
      secure.socket = context.wrap_socket(secure.socket, server_side=True)
      threading.Thread(target=secure.serve_forever).start()
      plain.serve_forever()
---
apiVersion: v1
kind: Service
metadata: { name: docs }
spec: { selector: { app: docs }, ports: [{ name: http, port: 80, targetPort: 8000 }] }
---
apiVersion: v1
kind: Service
metadata: { name: vault }
spec: { selector: { app: docs }, ports: [{ name: https, port: 443, targetPort: 8443 }] }
"#;

/// A middleware that says that it was gone through.
const MIDDLEWARES: &str = "
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: { name: seen }
spec: { headers: { customResponseHeaders: { X-Gone-Through: seen } } }
";

const GATEWAY: &str = "gateway = { name = \"one\", manage_listener = true }";

/// Makes the services and the middlewares.
fn prepare(web: &InUse<'_>) -> Result<()> {
    apply(web.stage, SERVICES)?;
    apply(web.stage, MIDDLEWARES)?;
    let namespace = web.stage.name.clone();
    web.stage.kube.run(&["wait", "pod/docs", "-n", &namespace, "--for=condition=Ready", "--timeout=90s"])?.ok()?;
    let template = "go-template={{index .data \"tls.crt\" | base64decode}}";
    let authority = web.stage.kube.run(&["get", "secret", "-n", &namespace, "authority", "-o", template])?.ok()?.stdout;
    let file = web.stage.side("authority")?.join("ca.crt");
    std::fs::write(&file, authority)?;
    let from = format!("--from-file={}", file.display());
    web.stage.kube.run(&["create", "configmap", "-n", &namespace, "authority", &from])?.ok()?;
    Ok(())
}

/// Takes away what [`prepare`] has made.
fn clear(web: &InUse<'_>) -> Result<()> {
    let namespace = web.stage.name.clone();
    for all in ["issuer/inner,certificate/vault", "middleware.traefik.io/seen", "secret/vault,configmap/authority"] {
        let mut delete = vec!["delete", "-n", &namespace];
        delete.extend(all.split(','));
        web.stage.kube.run(&delete)?.ok()?;
    }
    Ok(())
}

/// Asks as a client that trusts the case's authorities.
fn ask(web: &InUse<'_>, url: &str) -> Result<Answer> {
    let roots = web.stage.side("roots")?.join("all.pem");
    std::fs::write(&roots, &web.authorities)?;
    ask_trusting(web.stage, &roots.to_string_lossy(), url)
}

/// Until an answer is as it should be: controllers read a moment late what is changed last.
fn until(web: &InUse<'_>, url: &str, what: &str, good: impl Fn(&Answer) -> bool) -> Result<()> {
    let mut seen = Err(anyhow!("nothing was seen"));
    let found = web.stage.kube.until(&format!("{url}: {what}"), SOON, |_| {
        seen = ask(web, url);
        Ok(seen.as_ref().is_ok_and(&good))
    });
    found.with_context(|| format!("{seen:?}"))
}

fn is_of(service: &'static str) -> impl Fn(&Answer) -> bool {
    move |answer| answer.status == 200 && answer.header("x-service") == Some(service)
}

/// A second service comes and goes, at an ingress and at a Gateway, with a middleware, and one that speaks TLS.
pub(super) fn services(stage: &mut Stage) -> Result<()> {
    let (mut web, endpoint) = InUse::begin(stage)?;
    prepare(&web)?;
    let docs = format!("https://{}/docs/intro", web.host);
    let both = |second: &str| format!("backends = [{{ path = \"/\", service = \"web\", port = 80 }}, {second}]\n");
    let plain = both("{ path = \"/docs\", service = \"docs\", port = 80, protocol = \"HTTP\" }");
    let tls = both("{ path = \"/docs\", service = \"vault\", port = 443, protocol = \"HTTPS\" }");

    web.change("a second backend", &endpoint.more(&plain))?;
    until(&web, &docs, "of docs", is_of("docs"))?;
    let state = web.stage.expect_state("ffe_tls_endpoint.web")?;
    crate::tls::expect_outcomes(&state, &web.host, "passed", &["status", "check /docs"])?;
    let seen = "middlewares = [{ name = \"seen\" }]\nannotations = { \"example.com/team\" = \"docs\" }\n";
    web.change("a middleware", &endpoint.more(format!("{plain}{seen}")))?;
    until(&web, &docs, "gone through the middleware", |answer| answer.header("x-gone-through") == Some("seen"))?;
    web.change("the middleware goes", &endpoint.more(&plain))?;
    until(&web, &docs, "without it", |answer| answer.status == 200 && answer.header("x-gone-through").is_none())?;
    let ingress = web.stage.kube.get(&["ingress", "-n", &web.stage.name, "web"])?.context("no Ingress")?;
    ensure!(ingress["metadata"]["annotations"]["example.com/team"].is_null(), "the annotation stays: {ingress:#}");

    // What the Service does not say is refused, and nothing is changed for it.
    endpoint
        .more(both("{ path = \"/docs\", service = \"docs\", port = 80, protocol = \"H2C\" }"))
        .configure(web.stage)?;
    web.stage.apply()?.failed_with(&["backends[1].protocol", "serversscheme=h2c", "docs"])?;
    // Another endpoint for the host, at another path.
    let second = Endpoint { name: "docs".to_owned(), ..endpoint.clone() }.more("path = \"/docs\"");
    web.stage.configure(&format!("{}{}", endpoint.more(&plain).hcl(web.stage)?, second.hcl(web.stage)?))?;
    web.stage.terraform(&["plan", "-no-color", "-input=false"])?.failed_with(&[
        "Another endpoint serves the same host",
        "backends = [",
        "web",
    ])?;

    web.change("both to a Gateway", &endpoint.more(&plain).class(GATEWAY))?;
    until(&web, &docs, "of docs at the Gateway", is_of("docs"))?;
    let trusting = format!("{tls}backend_tls = {{ hostname = \"vault.internal\", ca_config_map = \"authority\" }}\n");
    web.change("a backend of TLS at a Gateway", &endpoint.more(&trusting).class(GATEWAY))?;
    until(&web, &docs, "of vault", is_of("vault"))?;
    web.change("one without, and a middleware", &endpoint.more(format!("{plain}{seen}")).class(GATEWAY))?;
    until(&web, &docs, "of docs, through the middleware", |answer| {
        is_of("docs")(answer) && answer.header("x-gone-through") == Some("seen")
    })?;
    ensure!(objects(web.stage, "backendtlspolicies")?.is_empty(), "the policy is left");
    web.change("both to an ingress", &endpoint.more(&plain))?;
    web.change("the second backend goes", &endpoint)?;
    until(&web, &docs, "of web again", |answer| answer.header("x-service").is_none())?;
    clear(&web)?;
    web.end(&["web-tls"])
}
