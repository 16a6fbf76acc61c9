//! Traefik with entry points of other names, of which none ends TLS by itself: the same objects must do.

use std::process::{Child, Stdio};

use ffe_routing::Class;
use reqwest::{Method, StatusCode};

use crate::client::Client;
use crate::world::{CHALLENGE, CHALLENGE_PATH, World};

/// Ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) async fn no_name_and_no_setting_of_an_entry_point_matters() {
    let world = World::start("bare").await;
    world.certify().await;
    let (http, https) = (free_port(), free_port());
    // On the node: it asks pods at their addresses.
    let mut command = world.testbed.on_node(&world.testbed.binary("traefik")).unwrap();
    command
        .args([
            &format!("--entrypoints.plain.address=:{http}"),
            "--entrypoints.plain.forwardedheaders.insecure=true",
            &format!("--entrypoints.secret.address=:{https}"),
            &format!("--entrypoints.traefik.address=127.0.0.1:{}", free_port()),
            "--providers.kubernetescrd=true",
            &format!("--providers.kubernetescrd.namespaces={}", world.namespace),
            "--providers.kubernetesingress=true",
            &format!("--providers.kubernetesingress.namespaces={}", world.namespace),
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
        ])
        .env("KUBECONFIG", &world.kubeconfig)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let process = Process(command.spawn().unwrap());

    let mut route = world.route(Class::Ingress(Some("traefik".to_owned())));
    world.serve(&route).await;
    let a = world.host("a");
    world.challenge("traefik", &a).await;
    let client = Client { http, https, ..world.client.clone() };
    let page = client.until_status(&format!("https://{a}/"), StatusCode::OK).await;
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("strict-transport-security"), "max-age=31536000; includeSubDomains");
    let redirect = client.until_status(&format!("http://{a}/"), StatusCode::MOVED_PERMANENTLY).await;
    assert_eq!(redirect.header("location"), format!("https://{a}/"));
    let challenge = client.until_status(&format!("http://{a}{CHALLENGE_PATH}"), StatusCode::OK).await;
    assert_eq!(challenge.body.trim(), CHALLENGE);

    // behind a proxy that ends TLS and is trusted: no redirect, which would loop, and the header all the same
    let url = format!("http://{a}/");
    let proxied = client.send_with(Method::GET, &url, &[("X-Forwarded-Proto", "https")]).await.unwrap();
    assert_eq!(proxied.status, 200);
    assert_eq!(proxied.header("strict-transport-security"), "max-age=31536000; includeSubDomains");

    route.security.ssl_redirect = false;
    world.serve(&route).await;
    let plain = client.until_status(&url, StatusCode::OK).await;
    assert_eq!((plain.header("x-frame-options"), plain.header("strict-transport-security")), ("DENY", ""));
    drop(process);
    world.end().await;
}
