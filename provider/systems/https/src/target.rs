//! What to look at.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use crate::bearer::Bearer;
use crate::roots::Roots;

/// HTTP with or without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// With TLS.
    Https,
    /// Without.
    Http,
}

impl Scheme {
    /// The port that a URL of this scheme has when it names none.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Scheme::Https => 443,
            Scheme::Http => 80,
        }
    }

    /// As it stands in a URL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Https => "https",
            Scheme::Http => "http",
        }
    }
}

/// Where to connect instead of where the name leads: an address or another name, with or without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveTo {
    /// An address or a name.
    pub host: String,
    /// The port; without it, the target's own.
    pub port: Option<u16>,
}

/// A text that says nowhere to connect to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not an address or a name with or without a port, such as \"203.0.113.7\", \"[2001:db8::1]:8443\" or \
     \"lb.example.com\""
)]
pub struct InvalidResolveTo(String);

impl FromStr for ResolveTo {
    type Err = InvalidResolveTo;

    fn from_str(text: &str) -> Result<Self, InvalidResolveTo> {
        let text = text.trim();
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(ResolveTo { host: address.to_string(), port: None });
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
        }
        let wrong = || InvalidResolveTo(text.to_owned());
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?)),
            None => (text, None),
        };
        // A name of digits and dots only is an address that was mistyped.
        let name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
            && host.bytes().any(|byte| byte.is_ascii_alphabetic());
        if name { Ok(ResolveTo { host: host.to_owned(), port }) } else { Err(wrong()) }
    }
}

impl From<IpAddr> for ResolveTo {
    fn from(address: IpAddr) -> Self {
        ResolveTo { host: address.to_string(), port: None }
    }
}

impl From<SocketAddr> for ResolveTo {
    fn from(address: SocketAddr) -> Self {
        ResolveTo { host: address.ip().to_string(), port: Some(address.port()) }
    }
}

/// What to look at, and how.
#[derive(Clone, Debug)]
pub struct Target {
    /// With or without TLS.
    pub scheme: Scheme,
    /// The host name or address; the certificate is checked for it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path, with a query where there is one.
    pub path: String,
    /// Where to connect instead of where the host's name leads.
    pub resolve_to: Option<ResolveTo>,
    /// Whom to trust.
    pub roots: Roots,
    /// The token that goes with the request; never over a connection that is not trusted, and so never without TLS.
    pub bearer: Option<Bearer>,
    /// The limit for all of it, from the name to the last byte of the answer.
    pub timeout: Duration,
    /// As many bytes of the answer's body are kept.
    pub body_limit: usize,
}

impl Target {
    /// `https://<host>/`.
    #[must_use]
    pub fn https(host: impl Into<String>) -> Target {
        Target::new(Scheme::Https, host.into())
    }

    /// `http://<host>/`.
    #[must_use]
    pub fn http(host: impl Into<String>) -> Target {
        Target::new(Scheme::Http, host.into())
    }

    fn new(scheme: Scheme, host: String) -> Target {
        Target {
            port: scheme.port(),
            scheme,
            host,
            path: "/".to_owned(),
            resolve_to: None,
            roots: Roots::System,
            bearer: None,
            timeout: Duration::from_secs(10),
            body_limit: 64 * 1024,
        }
    }

    /// With another path.
    #[must_use]
    pub fn path(self, path: impl Into<String>) -> Target {
        Target { path: path.into(), ..self }
    }

    /// With another port.
    #[must_use]
    pub fn port(self, port: u16) -> Target {
        Target { port, ..self }
    }

    /// With another place to connect to.
    #[must_use]
    pub fn resolve_to(self, resolve_to: impl Into<ResolveTo>) -> Target {
        Target { resolve_to: Some(resolve_to.into()), ..self }
    }

    /// Trusting others.
    #[must_use]
    pub fn roots(self, roots: Roots) -> Target {
        Target { roots, ..self }
    }

    /// With a token.
    #[must_use]
    pub fn bearer(self, bearer: Bearer) -> Target {
        Target { bearer: Some(bearer), ..self }
    }

    /// With another limit.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Target {
        Target { timeout, ..self }
    }

    /// Host and port as they stand in a URL: the port only where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let bracketed = if self.host.parse::<std::net::Ipv6Addr>().is_ok() {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == self.scheme.port() { bracketed } else { format!("{bracketed}:{}", self.port) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn to(text: &str) -> (String, Option<u16>) {
        let found: ResolveTo = text.parse().unwrap();
        (found.host, found.port)
    }

    #[test]
    fn where_to_connect_may_be_an_address_or_a_name_with_or_without_a_port() {
        for (text, host, port) in [
            ("203.0.113.7", "203.0.113.7", None),
            (" 203.0.113.7:8443 ", "203.0.113.7", Some(8443)),
            ("2001:db8::1", "2001:db8::1", None),
            ("[2001:db8::1]", "2001:db8::1", None),
            ("[2001:db8::1]:8443", "2001:db8::1", Some(8443)),
            ("lb.example.com", "lb.example.com", None),
            ("localhost:8443", "localhost", Some(8443)),
        ] {
            assert_eq!(to(text), (host.to_owned(), port), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for wrong in ["", "1.2.3", "203.0.113.256", "https://a.example.com", "a:b", "a:0", "a:70000", "a b"] {
            let error = wrong.parse::<ResolveTo>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("\"{wrong}\" is not")) && error.contains("203.0.113.7"), "{error}");
        }
    }

    #[test]
    fn a_target_is_shown_as_its_url_and_its_token_is_not() {
        let target = Target::https("::1").port(8443).path("/health?a=1").bearer(Bearer::new("s3cret").unwrap());
        assert_eq!(target.to_string(), "https://[::1]:8443/health?a=1");
        assert_eq!(Target::http("a.example.com").to_string(), "http://a.example.com/");
        assert!(!format!("{target:?} {target}").contains("s3cret"));
    }
}
