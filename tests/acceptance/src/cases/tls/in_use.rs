//! Endpoints that are changed while somebody asks for them ten times a second: nobody is turned away, and nobody sees a
//! certificate that is not the endpoint's.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};

use super::super::failures::image;
use super::super::lifecycle::stack;
use super::issuance::AUTHORITY;
use crate::tls::{
    Endpoint, SOON, Visitor, acme, apply, backend, backend_in, certificate_at, certificate_in, expect_gone, host,
    objects, surroundings,
};
use crate::{Stage, turn};

/// Looks that there must be during each change: two seconds' worth.
const LEAST: usize = 20;

/// A second authority, for the endpoints that change from one to the other.
const SECOND: &str = "
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: { name: second }
spec:
  isCA: true
  commonName: The case's second authority
  secretName: second
  privateKey: { algorithm: ECDSA, size: 256 }
  issuerRef: { name: root }
";

/// Gateways of the case's own, so that what befalls them befalls nobody else.
const GATEWAYS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: one }
spec:
  gatewayClassName: traefik
  listeners: [{ name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: two }
spec:
  gatewayClassName: traefik
  listeners: [{ name: http, port: 80, protocol: HTTP}]
";

/// The issuer of an endpoint in use: the case's own authority.
const OWN: &str = "ca = { secret_name = \"authority\" }";

/// An endpoint that is in use.
pub(super) struct InUse<'a> {
    pub(super) stage: &'a mut Stage,
    pub(super) host: String,
    /// Whom a client trusts, PEM.
    pub(super) authorities: String,
    secret: String,
    table: Vec<String>,
}

impl<'a> InUse<'a> {
    /// One that is served, with a certificate of the case's own authority.
    pub(super) fn begin(stage: &'a mut Stage) -> Result<(InUse<'a>, Endpoint)> {
        backend(stage)?;
        apply(stage, &format!("{AUTHORITY}---{SECOND}"))?;
        apply(stage, GATEWAYS)?;
        let namespace = stage.name.clone();
        let mut authorities = std::fs::read_to_string(surroundings(stage)?.roots)?;
        for secret in ["authority", "second"] {
            stage.kube.until(&format!("the authority {secret} is there"), SOON, |kube| {
                Ok(kube.get(&["secret", "-n", &namespace, secret])?.is_some())
            })?;
            let template = "go-template={{index .data \"tls.crt\" | base64decode}}";
            authorities
                .push_str(&stage.kube.run(&["get", "secret", "-n", &namespace, secret, "-o", template])?.ok()?.stdout);
        }
        let host = host(stage, "web")?;
        let endpoint = Endpoint::new(stage, "web", &[&host])?.issuer(OWN);
        endpoint.configure(stage)?;
        stage.apply()?.ok()?;
        Ok((InUse { stage, host, authorities, secret: "web-tls".to_owned(), table: Vec::new() }, endpoint))
    }

    /// Does something while somebody asks.
    fn during(&mut self, what: &str, secret: &str, act: impl FnOnce(&mut Stage) -> Result<()>) -> Result<()> {
        let mut known = vec![certificate_in(self.stage, &self.secret)?];
        let visitor = Visitor::of(self.stage, &self.host, &self.authorities)?;
        act(self.stage).with_context(|| what.to_owned())?;
        let seen = visitor.end().with_context(|| what.to_owned())?;
        self.secret = secret.to_owned();
        known.push(certificate_in(self.stage, &self.secret)?);
        self.table.push(seen.row(what));
        seen.expect_no_gap(what, LEAST, &known)
    }

    /// Applies a configuration while somebody asks.
    pub(super) fn change(&mut self, what: &str, endpoint: &Endpoint) -> Result<()> {
        let secret = self.secret.clone();
        self.change_with_secret(what, endpoint, &secret)
    }

    /// The same where the certificate goes into another Secret.
    fn change_with_secret(&mut self, what: &str, endpoint: &Endpoint, secret: &str) -> Result<()> {
        let hcl = endpoint.hcl(self.stage)?;
        self.during(what, secret, |stage| {
            stage.configure(&hcl)?;
            stage.apply()?.ok().map(|_| ())
        })?;
        self.stage.expect_empty_plan().with_context(|| what.to_owned())
    }

    /// The end: what was seen, and nothing is left but these Secrets.
    pub(super) fn end(self, secrets: &[&str]) -> Result<()> {
        let InUse { stage, table, .. } = self;
        eprintln!("| change | looks | failed | certificates |\n| --- | --- | --- | --- |\n{}", table.join("\n"));
        stage.destroy()?.ok()?;
        let others = ["issuer/root", "certificate/authority", "certificate/second"];
        let mut delete = vec!["delete", "-n", &stage.name];
        delete.extend(others);
        stage.kube.run(&delete)?.ok()?;
        stage.kube.run(&["delete", "-n", &stage.name, "gateways", "--all"])?.ok()?;
        let mut kept = vec!["authority", "second"];
        kept.extend(secrets);
        kept.sort_unstable();
        expect_gone(stage, &kept)
    }
}

/// What is changed of the same route and the same certificate.
pub(super) fn settings(stage: &mut Stage) -> Result<()> {
    let (mut web, endpoint) = InUse::begin(stage)?;
    let other = host(web.stage, "other")?;
    let security = "security = { hsts_max_age = 0, frame_options = \"SAMEORIGIN\", requests_per_minute = 100000 }";
    web.change("security settings", &endpoint.more(security))?;
    web.change("security settings back", &endpoint)?;
    web.change("backend", &endpoint.more("path = \"/health\""))?;
    let hosts = [web.host.as_str(), other.as_str()].map(str::to_owned).to_vec();
    web.change("a host more", &Endpoint { hosts, ..endpoint.clone() })?;
    web.change("a host less", &endpoint)?;
    web.change("key algorithm", &endpoint.more("certificate = { private_key = { algorithm = \"ECDSA\" } }"))?;
    let second = endpoint.clone().issuer("ca = { secret_name = \"second\" }").verify("issuer = \"second authority\"");
    web.change("issuer", &second)?;
    let directory = surroundings(web.stage)?.directory;
    let by_acme = acme(web.stage, &directory, "http01 = {}")?;
    web.change("issuer, by HTTP-01", &endpoint.clone().issuer(by_acme.clone()))?;
    web.change_with_secret(
        "secret_name, issued after a while",
        &endpoint.clone().issuer(by_acme).more("secret_name = \"slow\""),
        "slow",
    )?;
    web.change_with_secret("secret_name", &endpoint.more("secret_name = \"other\""), "other")?;
    web.end(&["other", "slow", "web-account", "web-tls"])
}

/// What serves the hosts is changed.
pub(super) fn ways(stage: &mut Stage) -> Result<()> {
    let (mut web, endpoint) = InUse::begin(stage)?;
    let at = |name: &str| format!("gateway = {{ name = \"{name}\", manage_listener = true }}");
    web.change("class traefik to nginx", &endpoint.clone().class("ingress_class = \"nginx\""))?;
    web.change("class nginx to traefik", &endpoint)?;
    web.change("ingress to Gateway", &endpoint.clone().class(at("one")))?;
    web.change("Gateway to Gateway", &endpoint.clone().class(at("two")))?;
    let other = endpoint.clone().class(at("two")).more("secret_name = \"other\"");
    web.change_with_secret("secret_name at a Gateway", &other, "other")?;
    let listeners = web.stage.kube.get(&["gateway", "-n", &web.stage.name, "one"])?.unwrap_or_default();
    ensure!(listeners["spec"]["listeners"].as_array().map(Vec::len) == Some(1), "ours are left: {listeners:#}");
    web.change_with_secret("Gateway to ingress, and secret_name", &endpoint, "web-tls")?;
    ensure!(objects(web.stage, "httproutes,referencegrants")?.is_empty(), "routes are left");
    web.end(&["other", "web-tls"])
}

/// The endpoint itself is replaced, moved, and its certificate renewed.
pub(super) fn replaced(stage: &mut Stage) -> Result<()> {
    let (mut web, endpoint) = InUse::begin(stage)?;
    let replace = ["apply", "-replace=ffe_tls_endpoint.web", "-auto-approve", "-no-color", "-input=false"];
    web.during("-replace", "web-tls", |stage| stage.terraform(&replace)?.ok().map(|_| ()))?;
    web.stage.expect_empty_plan()?;
    web.during("renewal", "web-tls", renew)?;
    web.stage.expect_empty_plan()?;
    let hcl = endpoint.hcl(web.stage)?.replace("\"ffe_tls_endpoint\" \"web\"", "\"ffe_tls_endpoint\" \"site\"");
    let moved = "moved {\n  from = ffe_tls_endpoint.web\n  to   = ffe_tls_endpoint.site\n}\n";
    web.during("another address in Terraform, by a moved block", "web-tls", |stage| {
        stage.configure(&format!("{hcl}{moved}"))?;
        stage.apply()?.ok().map(|_| ())
    })?;
    web.end(&["web-tls"])
}

/// Another name is a change in place; another namespace is another endpoint, which is made first where that is asked for.
pub(super) fn renamed(stage: &mut Stage) -> Result<()> {
    let (mut web, endpoint) = InUse::begin(stage)?;
    let named = |stage: &Stage, name: &str, more: &str| -> Result<String> {
        let hcl = endpoint.more(more).hcl(stage)?;
        Ok(hcl.replace("  name      = \"web\"", &format!("  name      = \"{name}\"")))
    };
    // A Traefik that knows two certificates for a host takes the one whose Secret comes first: both orders.
    for name in ["zoo", "api"] {
        let hcl = named(web.stage, name, "")?;
        let secret = format!("{name}-tls");
        web.during(&format!("name, to {name}"), &secret, |stage| {
            stage.configure(&hcl)?;
            ensure!(stage.planned_actions()? == [("ffe_tls_endpoint.web".to_owned(), "update".to_owned())]);
            stage.apply()?.ok().map(drop)
        })?;
        web.stage.expect_empty_plan()?;
    }
    let hcl = named(web.stage, "web", "secret_name = \"api-tls\"")?;
    web.during("name, and the Secret stays", "api-tls", |stage| {
        stage.configure(&hcl)?;
        stage.apply()?.ok().map(drop)
    })?;
    web.stage.expect_empty_plan()?;
    let left = objects(web.stage, "ingresses,middlewares.traefik.io,certificates,prometheusrules,leases")?;
    let of_before = left
        .iter()
        .find(|object| object.contains("/zoo") || (object.contains("/api") && !object.ends_with("/api-tls")));
    ensure!(of_before.is_none(), "{left:?}");

    let other = format!("{}-b", web.stage.name);
    backend_in(web.stage, &other)?;
    let authority = web.stage.kube.get(&["secret", "-n", &web.stage.name, "authority"])?.context("no authority")?;
    let copied = json!({ "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "name": "authority", "namespace": other }, "data": authority["data"] });
    web.stage.kube.apply(&copied.to_string())?;
    let lifecycle = "adopt = true\n  lifecycle { create_before_destroy = true }";
    let here = named(web.stage, "web", &format!("secret_name = \"api-tls\"\n  {lifecycle}"))?;
    web.stage.configure(&here)?;
    web.stage.apply()?.ok()?;
    let (known, namespace) = (certificate_in(web.stage, "api-tls")?, web.stage.name.clone());
    let there = here.replace(&format!("namespace = \"{namespace}\""), &format!("namespace = \"{other}\""));
    let visitor = Visitor::of(web.stage, &web.host, &web.authorities)?;
    web.stage.configure(&there)?;
    web.stage.apply()?.ok()?.says(&["Another route serves the same"])?;
    let (seen, what) = (visitor.end()?, "namespace, with create_before_destroy");
    web.table.push(seen.row(what));
    seen.expect_no_gap(what, LEAST, &[known, certificate_at(web.stage, &other, "api-tls")?])?;
    web.stage.expect_empty_plan()?;
    web.end(&["api-tls", "web-tls", "zoo-tls"])
}

/// Has the certificate issued anew, as `cmctl renew` does.
fn renew(stage: &mut Stage) -> Result<()> {
    let namespace = stage.name.clone();
    let arguments = ["certificate", "-n", &namespace, "web-tls"];
    let found = stage.kube.get(&arguments)?.context("no Certificate")?;
    let revision = found["status"]["revision"].as_i64().unwrap_or_default();
    let mut conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.retain(|one| one["type"] != "Issuing");
    conditions
        .push(json!({ "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "by the case",
        "observedGeneration": found["metadata"]["generation"] }));
    let patch = json!({ "status": { "conditions": conditions } }).to_string();
    let patched =
        ["patch", "certificate", "-n", &namespace, "web-tls", "--subresource=status", "--type=merge", "-p", &patch];
    stage.kube.run(&patched)?.ok()?;
    stage.kube.until("it is issued anew", SOON, |kube| {
        Ok(kube.get(&arguments)?.is_some_and(|found| found["status"]["revision"].as_i64() > Some(revision)))
    })
}

/// An issuer whose challenges nobody serves.
fn hopeless(stage: &Stage) -> Result<String> {
    let tls = surroundings(stage)?;
    let solver = "http01 = { ingress_class = \"nobody\" }";
    acme(stage, &tls.directory, solver)
}

/// Lets nobody change a Gateway of the case.
fn policy(namespace: &str) -> String {
    format!(
        "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{ name: {namespace} }}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {{ matchLabels: {{ kubernetes.io/metadata.name: {namespace} }} }}
    resourceRules:
    - {{ apiGroups: [gateway.networking.k8s.io], apiVersions: [v1], operations: [UPDATE], resources: [gateways] }}
  validations: [{{ expression: \"false\", message: nobody may }}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{ name: {namespace} }}
spec: {{ policyName: {namespace}, validationActions: [Deny] }}
"
    )
}

/// Changes that fail in the middle, twice in a row: the site is what it was, and the next apply goes on.
pub(super) fn failing(stage: &mut Stage) -> Result<()> {
    let (mut web, endpoint) = InUse::begin(stage)?;
    let namespace = web.stage.name.clone();
    let issuer = hopeless(web.stage)?;
    let never = endpoint.clone().issuer(issuer.clone()).more("secret_name = \"other\"");
    let moved = never.clone().class("ingress_class = \"nginx\"");
    for (what, endpoint) in [("secret_name, never issued", &never), ("class and secret_name, never issued", &moved)] {
        let hcl = endpoint.hcl(web.stage)?.replace("timeout   = \"4m\"", "timeout   = \"20s\"");
        web.during(what, "web-tls", |stage| {
            stage.configure(&hcl)?;
            for _ in 0..2 {
                stage.apply()?.failed_with(&["is not issued"])?;
            }
            Ok(())
        })?;
    }
    web.change("back again", &endpoint)?;

    web.stage.afterwards(&format!(
        "kubectl delete validatingadmissionpolicy,validatingadmissionpolicybinding {namespace} --ignore-not-found"
    ));
    web.stage.kube.apply(&policy(&namespace))?;
    let at = endpoint.clone().class("gateway = { name = \"one\", manage_listener = true }");
    wait_refused(web.stage)?;
    let hcl = at.hcl(web.stage)?;
    web.during("to a Gateway that refuses", "web-tls", |stage| {
        stage.configure(&hcl)?;
        for _ in 0..2 {
            stage.apply()?.failed_with(&["does not take the endpoint's listener", "nobody may"])?;
        }
        Ok(())
    })?;
    web.stage.kube.run(&["delete", "validatingadmissionpolicybinding", &namespace])?.ok()?;
    std::thread::sleep(Duration::from_secs(5));
    web.change("to a Gateway that takes it", &at)?;

    // Half-way to another class, and destroyed.
    let hcl = moved.hcl(web.stage)?.replace("timeout   = \"4m\"", "timeout   = \"20s\"");
    web.stage.configure(&hcl)?;
    web.stage.apply()?.failed_with(&["is not issued"])?;
    let one: Json = web.stage.kube.get(&["gateway", "-n", &namespace, "one"])?.context("no Gateway")?;
    ensure!(one["spec"]["listeners"].as_array().map(Vec::len) == Some(2), "it serves by it still: {one:#}");
    web.stage.destroy()?.ok()?;
    let one: Json = web.stage.kube.get(&["gateway", "-n", &namespace, "one"])?.context("no Gateway")?;
    ensure!(one["spec"]["listeners"].as_array().map(Vec::len) == Some(1), "our listener is left: {one:#}");
    // What was asked for and not issued is signed, if it is still asked for, when the issuer is the authority again.
    let other = web.stage.kube.get(&["secret", "-n", &namespace, "other"])?.is_some();
    web.end(if other { &["other", "web-account", "web-tls"] } else { &["web-account", "web-tls"] })
}

/// What answers behind the endpoint is upgraded, and an upgrade that does not become ready is rolled back.
pub(super) fn release(stage: &mut Stage) -> Result<()> {
    turn::share(stage)?;
    let host = host(stage, "web")?;
    let endpoint = Endpoint::new(stage, "web", &[&host])?.more("depends_on = [ffe_release.backend]").hcl(stage)?;
    let endpoint = endpoint.replace("service = \"web\", port = 80", "service = \"ffe-backend\", port = 8000");
    let version = |stage: &Stage, tag: &str| {
        let remediation = "remediation = { strategy = \"rollback\" }";
        let release = stack(stage, tag, remediation).replace("timeout = \"3m\"", "timeout = \"45s\"");
        stage.configure(&format!("{release}{endpoint}"))
    };
    stage.configure(&format!("{}{endpoint}", stack(stage, "1.0.0", "")))?;
    stage.apply()?.ok()?;
    let authorities = std::fs::read_to_string(surroundings(stage)?.roots)?;
    let known = [certificate_in(stage, "web-tls")?];
    let mut table = Vec::new();
    let mut during = |stage: &mut Stage, what: &str, act: &dyn Fn(&mut Stage) -> Result<()>| -> Result<()> {
        let visitor = Visitor::of(stage, &host, &authorities)?;
        act(stage).with_context(|| what.to_owned())?;
        let seen = visitor.end().with_context(|| what.to_owned())?;
        table.push(seen.row(what));
        seen.expect_no_gap(what, LEAST, &known)
    };
    during(stage, "release upgraded behind it", &|stage| {
        version(stage, "1.1.0")?;
        stage.apply()?.ok().map(drop)
    })?;
    ensure!(image(stage)?.ends_with(":1.1.0"), "it was not upgraded");
    during(stage, "release rolled back behind it", &|stage| {
        version(stage, "1.2.0-bad-ready")?;
        stage.apply()?.failed_with(&["It was rolled back to the last revision that passed its checks"]).map(drop)
    })?;
    ensure!(image(stage)?.ends_with(":1.1.0"), "it was not rolled back");
    eprintln!("| change | looks | failed | certificates |\n| --- | --- | --- | --- |\n{}", table.join("\n"));
    version(stage, "1.1.0")?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(drop)
}

/// The policy counts.
fn wait_refused(stage: &Stage) -> Result<()> {
    let arguments = ["annotate", "gateway", "one", "--overwrite", "--dry-run=server", "-n", &stage.name, "a=b"];
    stage.kube.until("the policy counts", SOON, |kube| Ok(kube.run(&arguments)?.code != 0))
}
