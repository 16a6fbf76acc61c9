//! Who is told.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::notice::{Event, UnknownName};

/// What is spoken at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Slack incoming webhook.
    Slack,
    /// A Discord webhook.
    Discord,
    /// Anything that takes a JSON POST.
    Webhook,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 3] = [Kind::Slack, Kind::Discord, Kind::Webhook];

    /// Its name in configurations: `slack`, `discord`, `webhook`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Slack => "slack",
            Kind::Discord => "discord",
            Kind::Webhook => "webhook",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or(UnknownName { expected: "\"slack\", \"discord\" or \"webhook\"" })
    }
}

/// The URL of a webhook. Whoever knows it can write to the channel, so only its host is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Url);

/// A text that is no URL of a webhook. The text itself is not repeated: it may hold most of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a URL such as \"https://hooks.example.com/…\": {0}")]
pub struct InvalidUrl(&'static str);

impl WebhookUrl {
    /// Reads an `http` or `https` URL.
    ///
    /// # Errors
    /// When it is no URL, has another scheme or no host.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        // Spaces and line ends come with secrets that were read from files.
        let url = Url::parse(text.trim()).map_err(|_| InvalidUrl("it cannot be read as a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidUrl("its scheme is neither https nor http"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(InvalidUrl("it has no host"));
        }
        Ok(Self(url))
    }

    /// The host, with its port where that is not the scheme's own. No secret.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    pub(crate) fn expose(&self) -> &Url {
        &self.0
    }
}

impl FromStr for WebhookUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        Self::parse(text)
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({}://{}/…)", self.0.scheme(), self.host())
    }
}

/// One channel that is told.
#[derive(Clone, Debug)]
pub struct Channel {
    /// What it speaks.
    pub kind: Kind,
    /// Where it is.
    pub url: WebhookUrl,
    /// What it wants to know; empty: everything.
    pub on: Vec<Event>,
}

impl Channel {
    /// Whether the event is wanted.
    #[must_use]
    pub fn wants(&self, event: Event) -> bool {
        self.on.is_empty() || self.on.contains(&event)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_host_of_a_url_is_shown() {
        let url: WebhookUrl = " https://user:pa55@hooks.example.com/services/T0/s3cret?token=t0k\n".parse().unwrap();
        let shown = format!("{:?}", Channel { kind: Kind::Slack, url: url.clone(), on: vec![] });
        assert!(shown.contains("hooks.example.com"), "{shown}");
        for secret in ["s3cret", "t0k", "pa55", "services"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert_eq!(url.host(), "hooks.example.com");
        assert_eq!(WebhookUrl::parse("http://[::1]:8080/x").unwrap().host(), "[::1]:8080");
    }

    #[test]
    fn what_is_no_url_is_refused_without_being_repeated() {
        for text in ["", "hooks.example.com/s3cret", "ftp://hooks.example.com/s3cret", "https:///", "s3cret"] {
            let error = WebhookUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains("https://hooks.example.com/…") && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn kinds_have_the_names_of_the_configuration() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("teams".parse::<Kind>().unwrap_err().to_string().contains("\"discord\""));
    }

    #[test]
    fn no_list_of_events_means_all() {
        let url = WebhookUrl::parse("https://a.b/c").unwrap();
        let all = Channel { kind: Kind::Slack, url, on: vec![] };
        assert!(Event::ALL.into_iter().all(|event| all.wants(event)));
        let some = Channel { on: vec![Event::Failed, Event::RolledBack], ..all };
        assert_eq!(Event::ALL.map(|event| some.wants(event)), [false, false, true, true]);
    }
}
