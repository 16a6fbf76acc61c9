//! Asking the application: from inside the cluster through a port-forward, or by URL.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use ffe_cluster::Cluster;

const TIMEOUT: Duration = Duration::from_secs(10);
const EXCERPT: usize = 300;

/// Where to ask.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Endpoint {
    /// A service in the cluster.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its port.
        port: u16,
    },
    /// A URL without a slash at its end, reached from here.
    Url(String),
}

/// What was answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The beginning of the body on one line, for messages.
    pub(crate) fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body).split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() { "(empty body)".to_owned() } else { text.chars().take(EXCERPT).collect() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Service { namespace, name, port } => write!(f, "service {namespace}/{name} port {port}"),
            Endpoint::Url(url) => f.write_str(url),
        }
    }
}

impl Endpoint {
    /// Asks for a path.
    ///
    /// # Errors
    /// When there is no answer, in words.
    pub(crate) async fn get(&self, cluster: &Cluster, path: &str, bearer: Option<&str>) -> Result<Answer, String> {
        match self {
            Endpoint::Service { namespace, name, port } => {
                let mut headers = vec![("Accept".to_owned(), "application/json".to_owned())];
                headers.extend(bearer.map(|token| ("Authorization".to_owned(), format!("Bearer {token}"))));
                let answer = ffe_workloads::http_get(cluster, namespace, name, *port, path, &headers, TIMEOUT).await;
                answer
                    .map(|answer| Answer { status: answer.status, body: answer.body })
                    .map_err(|error| error.to_string())
            }
            Endpoint::Url(url) => by_url(&format!("{url}{path}"), bearer).await,
        }
    }
}

async fn by_url(url: &str, bearer: Option<&str>) -> Result<Answer, String> {
    static CLIENT: LazyLock<Result<reqwest::Client, String>> = LazyLock::new(|| {
        reqwest::Client::builder()
            .timeout(TIMEOUT)
            // A redirect is an answer: the check says which status it expects.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| cause(&error))
    });
    let client = CLIENT.as_ref().map_err(Clone::clone)?;
    let mut request = client.get(url).header("Accept", "application/json");
    if let Some(token) = bearer {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.map_err(|error| cause(&error))?;
    let status = response.status().as_u16();
    let body = response.bytes().await.map_err(|error| cause(&error))?;
    Ok(Answer { status, body: body.to_vec() })
}

/// The innermost cause of a request's error: "connection refused" says more than "error sending request".
fn cause(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    source.to_string()
}
