//! Names, certificates and the way to them on the running testbed, with kubectl and curl alone. Ignored unless the
//! environment says where everything is, and failing where FFE_REQUIRE says that they run:
//!
//! ```text
//! cargo run -p ffe-testbed --example testbed -- up tls
//! eval "$(cargo run -q -p ffe-testbed --example testbed -- environment)"
//! cargo test -p ffe-testbed --test tls
//! ```
//!
//! Each test has a namespace of its own, and names of the zone after it. They run side by side; a check of DNS-01 takes
//! a minute, which is cert-manager's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod world;

use std::process::ExitCode;

use ffe_surroundings::Needs;
use libtest_mimic::{Arguments, Trial};
use world::World;

const CLASS_TRAEFIK: &str = "traefik";
const CLASS_NGINX: &str = "nginx";

/// What is asked of the running testbed.
const NEEDED: [&str; 7] = [
    "FFE_ACME_DIRECTORY",
    "FFE_ACME_STRICT_DIRECTORY",
    "FFE_DNS_KEY_NAME",
    "FFE_DNS_SECRET_FILE",
    "FFE_DNS_SERVER",
    "FFE_DNS_ZONE",
    "FFE_NODE_IP",
];

macro_rules! trial {
    ($needs:expr, $name:ident) => {
        $needs.trial(stringify!($name), || {
            $name();
            Ok(())
        })
    };
}

fn trials() -> Vec<Trial> {
    let testbed = Needs::variables(&NEEDED);
    vec![
        trial!(testbed, http_01_is_validated_through_the_ingress_controller_and_what_it_serves_is_the_certificate),
        trial!(testbed, the_dialect_of_ingress_nginx_redirects_and_serves),
        trial!(testbed, a_gateway_takes_listeners_of_others_and_their_routes),
        trial!(testbed, dns_01_is_validated_by_way_of_updates_of_the_zone),
        trial!(testbed, a_strict_authority_limits_orders_and_heeds_caa_records),
        trial!(testbed, names_are_set_removed_and_missing_for_pods_and_for_this_machine),
        trial!(testbed, an_alert_can_be_declared),
    ]
}

fn main() -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials()).exit_code()
}

fn http_01_is_validated_through_the_ingress_controller_and_what_it_serves_is_the_certificate() {
    let world = World::begin("http01");
    let host = world.host("web");
    world.page();
    world.acme_issuer("acme", &format!("http01: {{ ingress: {{ ingressClassName: {CLASS_TRAEFIK} }} }}"));
    world.certificate("web", "acme", &[&host]);
    world.apply(&format!(
        "apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {{ name: to-https }}
spec: {{ redirectScheme: {{ scheme: https, permanent: true }} }}
---
{plain}---
{secure}",
        plain = world.ingress(
            "plain",
            CLASS_TRAEFIK,
            &host,
            None,
            &[
                ("traefik.ingress.kubernetes.io/router.entrypoints", "web"),
                (
                    "traefik.ingress.kubernetes.io/router.middlewares",
                    &format!("{}-to-https@kubernetescrd", world.namespace)
                ),
            ]
        ),
        secure = world.ingress(
            "secure",
            CLASS_TRAEFIK,
            &host,
            Some("web"),
            &[("traefik.ingress.kubernetes.io/router.entrypoints", "websecure")]
        ),
    ));
    world.wait_issued("web");
    // Permanent, and of a GET.
    world.until_answer(&format!("http://{host}/page"), &format!("301 https://{host}/page"));
    world.until_answer(&format!("https://{host}/page"), "200 ");
    assert_eq!(world.get("ingress/secure", "{.status.loadBalancer.ingress[0].ip}"), world.node_ip);
}

fn the_dialect_of_ingress_nginx_redirects_and_serves() {
    let world = World::begin("nginx");
    let host = world.host("web");
    world.page();
    world.acme_issuer("acme", &format!("http01: {{ ingress: {{ ingressClassName: {CLASS_NGINX} }} }}"));
    world.certificate("web", "acme", &[&host]);
    world.apply(&world.ingress(
        "web",
        CLASS_NGINX,
        &host,
        Some("web"),
        &[
            ("nginx.ingress.kubernetes.io/ssl-redirect", "true"),
            ("nginx.ingress.kubernetes.io/force-ssl-redirect", "true"),
        ],
    ));
    // Also what redirects everything lets the validation through.
    world.wait_issued("web");
    world.until_answer(&format!("http://{host}/page"), &format!("308 https://{host}/page"));
    world.until_answer(&format!("https://{host}/page"), "200 ");
    assert_eq!(world.get("ingress/web", "{.status.loadBalancer.ingress[0].ip}"), world.node_ip);
}

fn a_gateway_takes_listeners_of_others_and_their_routes() {
    let world = World::begin("gateway");
    let host = world.host("web");
    world.page();
    let listener = "parentRefs: [{ name: shared, namespace: traefik, sectionName: http }]";
    world.acme_issuer("acme", &format!("http01: {{ gatewayHTTPRoute: {{ {listener} }} }}"));
    world.certificate("web", "acme", &[&host]);
    world.apply(&format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ namespace: traefik, name: shared }}
spec:
  gatewayClassName: traefik
  listeners:
  - name: {namespace}
    hostname: {host}
    port: 443
    protocol: HTTPS
    tls: {{ mode: Terminate, certificateRefs: [{{ name: web, namespace: {namespace} }}] }}
    allowedRoutes: {{ namespaces: {{ from: All }} }}
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {{ name: gateway }}
spec:
  from: [{{ group: gateway.networking.k8s.io, kind: Gateway, namespace: traefik }}]
  to: [{{ group: '', kind: Secret }}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{ name: redirect }}
spec:
  hostnames: [{host}]
  {listener}
  rules: [{{ filters: [{{ type: RequestRedirect, requestRedirect: {{ scheme: https, statusCode: 301 }} }}] }}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{ name: web }}
spec:
  hostnames: [{host}]
  parentRefs: [{{ name: shared, namespace: traefik, sectionName: {namespace} }}]
  rules: [{{ backendRefs: [{{ name: page, port: 80 }}] }}]
",
        namespace = world.namespace,
    ));
    // The listener waits for its Secret, and the redirect lets the validation through.
    world.wait_issued("web");
    world.until_answer(&format!("http://{host}/page"), &format!("301 https://{host}/page"));
    world.until_answer(&format!("https://{host}/page"), "200 ");
    // The listener goes when its manager no longer names it; that of the testbed stays.
    world.apply(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { namespace: traefik, name: shared }\n\
         spec: { gatewayClassName: traefik }\n",
    );
    let left =
        world.kubectl(&["-n", "traefik", "get", "gateway", "shared", "-o", "jsonpath={.spec.listeners[*].name}"]);
    assert!(left.split(' ').any(|name| name == "http") && !left.contains(&world.namespace), "{left}");
}

fn dns_01_is_validated_by_way_of_updates_of_the_zone() {
    let world = World::begin("dns01");
    let host = world.host("web");
    let secret = std::fs::read_to_string(world::variable("FFE_DNS_SECRET_FILE")).unwrap();
    world.apply(&format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: tsig }}\nstringData: {{ secret: '{secret}' }}\n"
    ));
    world.acme_issuer(
        "acme",
        &format!(
            "dns01: {{ rfc2136: {{ nameserver: '{}', tsigKeyName: {}, tsigAlgorithm: HMACSHA256, \
             tsigSecretSecretRef: {{ name: tsig, key: secret }} }} }}",
            world::variable("FFE_DNS_SERVER"),
            world::variable("FFE_DNS_KEY_NAME"),
        ),
    );
    world.certificate("web", "acme", &[&format!("*.{host}")]);
    world.wait_issued("web");
}

fn a_strict_authority_limits_orders_and_heeds_caa_records() {
    let world = World::begin("strict");
    let solver = format!("http01: {{ ingress: {{ ingressClassName: {CLASS_TRAEFIK} }} }}");
    world.acme_issuer_of(&world::variable("FFE_ACME_STRICT_DIRECTORY"), "strict", &solver);
    let zone = world::variable("FFE_DNS_ZONE");
    world.certificate("limited", "strict", &[&format!("{}.limited.{zone}", world.namespace)]);
    world.certificate("caa", "strict", &[&format!("{}.caa.{zone}", world.namespace)]);
    world.certificate("fine", "strict", &[&world.host("fine")]);
    world.wait_issued("fine");
    let failed = |certificate| {
        world.until_object(
            &format!("certificate/{certificate}"),
            r#"{.status.conditions[?(@.reason=="Failed")].message}"#,
        )
    };
    let limited = failed("limited");
    assert!(limited.contains("error:rateLimited") && limited.contains("retry after 20"), "{limited}");
    failed("caa");
    let events = world.get("events", r#"{.items[?(@.involvedObject.kind=="Challenge")].message}"#);
    assert!(events.contains("error:caa") && events.contains("prevents issuance"), "{events}");
}

fn names_are_set_removed_and_missing_for_pods_and_for_this_machine() {
    let world = World::begin("names");
    let dns = ffe_testbed::Testbed::locate().unwrap().dns();
    let (host, zone) = (world.host("set"), dns.zone);
    assert_eq!(world.resolve(&host), world.node_ip);
    dns.set(&host, 1, "A", &["192.0.2.77"]).unwrap();
    assert_eq!(world.resolve(&host), "192.0.2.77");
    dns.remove(&host).unwrap();
    assert_eq!(world.resolve(&host), world.node_ip);
    assert_eq!(world.resolve(&format!("x.closed.{zone}")), "127.0.0.1");
    let missing = format!("{}.missing.{zone}", world.namespace);
    assert_eq!(world.resolve(&missing), "");
    dns.set(&missing, 1, "A", &["192.0.2.78"]).unwrap();
    assert_eq!(world.resolve(&missing), "192.0.2.78");
    dns.remove(&missing).unwrap();
    let refused = dns.set(&format!("x.{}", dns.foreign_zone), 1, "A", &["192.0.2.79"]).unwrap_err();
    assert!(refused.to_string().contains("NOTZONE") || refused.to_string().contains("not in zone"), "{refused}");
    // By way of the cluster's own DNS.
    assert_eq!(world.in_pod(&["getent", "ahostsv4", &host]).split_whitespace().next(), Some(world.node_ip.as_str()));
}

fn an_alert_can_be_declared() {
    let world = World::begin("alert");
    world.apply(
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: { name: alert }\n\
         spec: { groups: [{ name: g, rules: [{ alert: A, expr: up == 0, for: 1h }] }] }\n",
    );
    assert_eq!(world.get("prometheusrule/alert", "{.spec.groups[0].rules[0].alert}"), "A");
}
