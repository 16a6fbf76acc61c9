//! A client that trusts what it is told, finds every host at one address, and follows no redirect.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};

/// How often, a second apart, an answer is asked for until the controller has taken a change up.
const TRIES: usize = 60;

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value, empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Has every header that a route of `World::route` asks for.
    pub(crate) fn assert_safe(&self) {
        for (name, value) in [
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("x-frame-options", "DENY"),
            ("content-security-policy", "default-src 'self'"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(self.header(name), value, "{name}");
        }
    }
}

/// Where the requests go.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) authority: String,
}

impl Client {
    /// One request; the error's whole chain as text.
    pub(crate) async fn send(&self, method: Method, url: &str) -> Result<Answer, String> {
        self.send_with(method, url, &[]).await
    }

    /// The same with headers of its own.
    pub(crate) async fn send_with(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, String> {
        let url = reqwest::Url::parse(url).unwrap();
        let host = url.host_str().unwrap().to_owned();
        let port = if url.scheme() == "https" { self.https } else { self.http };
        let mut at = url.clone();
        at.set_port(Some(port)).unwrap();
        let authorities = reqwest::Certificate::from_pem_bundle(self.authority.as_bytes()).unwrap();
        // a new connection each time: a pool would hide a certificate that came meanwhile
        let client = reqwest::Client::builder()
            .tls_certs_only(authorities)
            .resolve(&host, SocketAddr::new(self.address, port))
            .redirect(Policy::none())
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        let request = client.request(method, at).header("Host", &host);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.map_err(|error| chain(&error))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer { status, headers, body: answer.text().await.map_err(|error| chain(&error))? })
    }

    /// GETs until the answer is as wanted, because controllers take a moment.
    pub(crate) async fn until(&self, url: &str, what: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let mut last = String::new();
        for _ in 0..TRIES {
            match self.send(Method::GET, url).await {
                Ok(answer) if wanted(&answer) => return answer,
                other => last = format!("{other:?}"),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("{url}: not {what}; at last {last}");
    }

    pub(crate) async fn get(&self, url: &str) -> Answer {
        self.send(Method::GET, url).await.unwrap()
    }

    pub(crate) async fn until_status(&self, url: &str, status: StatusCode) -> Answer {
        self.until(url, status.as_str(), |answer| answer.status == status.as_u16()).await
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
