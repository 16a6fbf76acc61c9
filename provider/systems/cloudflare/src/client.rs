//! The client: one request at a time, and reading until it works.

use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, OnceLock};

use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tfplugin_redaction::Redactor;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use url::{Host, Url};

use crate::answer::{Answer, Asked, judge};
use crate::error::Error;
use crate::patience::{Patience, RetryOptions};
use crate::zones::Known;

/// Where Cloudflare's API is.
pub const BASE_URL: &str = "https://api.cloudflare.com/client/v4";

/// More than the largest page that is asked for.
const LARGEST: usize = 8 * 1024 * 1024;
/// More pages than any zone or account has.
const PAGES: u32 = 1000;

/// Cloudflare's API with a token. Cheap to clone.
#[derive(Clone)]
pub struct Cloudflare(Arc<Inner>);

struct Inner {
    redactor: Redactor,
    header: HeaderValue,
    base: Url,
    options: RetryOptions,
    client: OnceLock<Result<Client, String>>,
    zones: Mutex<Known>,
}

impl fmt::Debug for Cloudflare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloudflare").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}

/// One request.
pub(crate) struct Call<'a> {
    /// What it is to do, to follow "the request to".
    pub(crate) operation: &'a str,
    pub(crate) method: Method,
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<Value>,
}

impl Cloudflare {
    /// A client with this token, for [`BASE_URL`] or another URL that speaks the same. Does nothing yet.
    ///
    /// # Errors
    /// When the token cannot stand in a header, or the base URL is neither https nor http to this machine itself.
    pub fn new(token: &str, base_url: Option<&str>) -> Result<Cloudflare, Error> {
        // Spaces and line ends come with tokens that were read from files.
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::Token);
        }
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| Error::Token)?;
        header.set_sensitive(true);
        let base = base(base_url.unwrap_or(BASE_URL))?;
        let inner = Inner {
            redactor: Redactor::new([token]),
            header,
            base,
            options: RetryOptions::default(),
            client: OnceLock::new(),
            zones: Mutex::default(),
        };
        Ok(Cloudflare(Arc::new(inner)))
    }

    /// The same, as patient as said.
    #[must_use]
    pub fn with_retries(&self, options: RetryOptions) -> Cloudflare {
        Cloudflare(Arc::new(Inner {
            redactor: self.0.redactor.clone(),
            header: self.0.header.clone(),
            base: self.0.base.clone(),
            options,
            client: OnceLock::new(),
            zones: Mutex::default(),
        }))
    }

    /// The token, for who hands it on.
    #[must_use]
    pub fn token(&self) -> &str {
        self.0.header.to_str().ok().and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default()
    }

    /// Where the API is looked for.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.0.base.as_str().trim_end_matches('/')
    }

    /// What is known of zones so far.
    pub(crate) fn zones(&self) -> &Mutex<Known> {
        &self.0.zones
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience::new(&self.0.options)
    }

    fn host(&self) -> String {
        let base = &self.0.base;
        match (base.host_str(), base.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        }
    }

    /// Makes a request once, whatever comes of it.
    pub(crate) async fn once<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        patience: &Patience,
        cancel: &CancellationToken,
    ) -> Result<Answer<T>, Error> {
        match cancel.run_until_cancelled(self.request(call, patience)).await {
            Some(answer) => answer,
            None => Err(Error::Cancelled { operation: call.operation.to_owned() }),
        }
    }

    async fn request<T: DeserializeOwned>(&self, call: &Call<'_>, patience: &Patience) -> Result<Answer<T>, Error> {
        let host = self.host();
        let failed =
            |cause: String| Error::Unreachable { operation: call.operation.to_owned(), host: host.clone(), cause };
        let client =
            self.0.client.get_or_init(|| client(&self.0.base)).as_ref().map_err(|error| failed(error.clone()))?;
        let mut request = client
            .request(call.method.clone(), self.url(call))
            .header(AUTHORIZATION, self.0.header.clone())
            .timeout(patience.request());
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(|error| failed(self.cause(&error)))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(self.cause(&error)))? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err(Error::Unreadable { operation: call.operation.to_owned(), host, status });
            }
        }
        let asked = Asked { operation: call.operation, host: &host };
        let judged = judge(asked, status, retry_after.as_deref(), &body, |text| self.clean(text));
        tracing::debug!(
            method = %call.method,
            path = call.path.join("/"),
            status,
            code = judged.as_ref().err().and_then(Error::code),
            "Cloudflare answered"
        );
        judged
    }

    /// Makes a request that changes nothing, or nothing more the second time, until it works or the patience is at
    /// its end.
    pub(crate) async fn again<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        patience: &mut Patience,
        cancel: &CancellationToken,
    ) -> Result<Answer<T>, Error> {
        loop {
            match self.once(call, patience, cancel).await {
                Ok(answer) => return Ok(answer),
                Err(error) => patience.pause(error, call.operation, cancel).await?,
            }
        }
    }

    /// All pages of a list.
    pub(crate) async fn all<T: DeserializeOwned>(
        &self,
        operation: &str,
        path: &[&str],
        filter: Option<(&str, &str)>,
        per_page: &str,
        patience: &mut Patience,
        cancel: &CancellationToken,
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let number = page.to_string();
            let paged = [("page", number.as_str()), ("per_page", per_page)];
            let query: Vec<(&str, &str)> = filter.into_iter().chain(paged).collect();
            let call = Call { operation, method: Method::GET, path, query: &query, body: None };
            let answer: Answer<Vec<T>> = self.again(&call, patience, cancel).await?;
            let empty = answer.result.is_empty();
            all.extend(answer.result);
            // Without the number of pages the first empty one is the end.
            let last = match answer.paging {
                Some(paging) => paging.total_pages.map_or(empty, |pages| page >= pages),
                None => true,
            };
            if last {
                return Ok(all);
            }
        }
        Err(Error::Unreadable { operation: operation.to_owned(), host: self.host(), status: 200 })
    }

    fn url(&self, call: &Call<'_>) -> Url {
        let mut url = self.0.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(call.path);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        url
    }

    /// Others' words without the token.
    fn clean(&self, text: &str) -> String {
        self.0.redactor.clean(text)
    }

    /// The innermost cause: "connection refused" says more than "error sending request".
    fn cause(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            return "timed out".to_owned();
        }
        let mut source = error.source();
        let mut text = "the request failed".to_owned();
        while let Some(inner) = source {
            text = inner.to_string();
            source = inner.source();
        }
        self.clean(&text)
    }
}

fn base(text: &str) -> Result<Url, Error> {
    let wrong = |reason| Error::BaseUrl { reason };
    let url = Url::parse(text.trim()).map_err(|_| wrong("it cannot be read as a URL"))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it has a user, a query or a fragment"));
    }
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(wrong("it has no host")),
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if here => Ok(url),
        // The token would be read by everybody on the way.
        "http" => Err(wrong("its scheme is http, which is accepted for this machine itself only; use https")),
        _ => Err(wrong("its scheme is not https")),
    }
}

fn client(base: &Url) -> Result<Client, String> {
    let builder = Client::builder();
    // What is meant for this machine itself goes over no proxy, and over no wire.
    let builder = if base.scheme() == "http" { builder.no_proxy() } else { builder };
    builder
        .user_agent(concat!("terraform-provider-ffe/", env!("CARGO_PKG_VERSION")))
        // The token goes where the user said and nowhere else.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // HTTP/2 would write its headers into trace logs.
        .http1_only()
        .build()
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
