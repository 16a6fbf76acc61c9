//! Records, and what is wished of one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;

use crate::error::Error;
use crate::name;

/// The word for "as the provider thinks best", and the only one for proxied records.
const AUTOMATIC: u32 = 1;
/// What every plan takes besides (30 from Enterprise on).
const TTLS: std::ops::RangeInclusive<u32> = 60..=86_400;

/// The type of a record.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum RecordKind {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Another name.
    Cname,
    /// Anything else; such records are left alone.
    Other(String),
}

impl From<String> for RecordKind {
    fn from(kind: String) -> Self {
        match kind.as_str() {
            "A" => RecordKind::A,
            "AAAA" => RecordKind::Aaaa,
            "CNAME" => RecordKind::Cname,
            _ => RecordKind::Other(kind),
        }
    }
}

impl RecordKind {
    /// As it stands in the API.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            RecordKind::A => "A",
            RecordKind::Aaaa => "AAAA",
            RecordKind::Cname => "CNAME",
            RecordKind::Other(other) => other,
        }
    }

    /// Whether it says where a host is.
    #[must_use]
    pub fn is_address(&self) -> bool {
        !matches!(self, RecordKind::Other(_))
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A record that exists.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Record {
    /// The provider's identifier.
    pub id: String,
    /// Its name, in full.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: RecordKind,
    /// What it says.
    #[serde(default)]
    pub content: String,
    /// Whether the provider stands in front.
    #[serde(default)]
    pub proxied: bool,
    /// Seconds; 1 is automatic.
    #[serde(default)]
    pub ttl: u32,
    /// Its comment, or what stands for one beside it, which may be a mark of ours.
    #[serde(default)]
    pub comment: Option<String>,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} (id {})", self.name, self.kind, self.content, self.id)
    }
}

/// The one record that a host should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The host, in lower case and punycode.
    pub name: String,
    /// The type that follows from the target.
    pub kind: RecordKind,
    /// What the record is to say.
    pub content: String,
    /// Whether the provider stands in front.
    pub proxied: bool,
    /// Seconds; 1 is automatic.
    pub ttl: u32,
}

impl Wish {
    /// A record for a host that leads to a target: A or AAAA where it is an address, CNAME where it is a name. Without
    /// `ttl` (seconds) it is the provider's automatic one.
    ///
    /// # Errors
    /// [`Error::Wish`] when host or target are none, when the target is the host itself, when a proxied record has a
    /// ttl or leads to an address that the Internet does not reach, or when the ttl is none that is taken.
    pub fn new(host: &str, target: &str, proxied: bool, ttl: Option<u32>) -> Result<Wish, Error> {
        let wrong = |attribute, reason: String| Err(Error::Wish { attribute, reason });
        let Some(name) = name::normal(host) else {
            return wrong("hosts", format!("\"{host}\" is no host name that a zone could have"));
        };
        let bare = target.trim().trim_start_matches('[').trim_end_matches(']');
        let address = bare.parse::<IpAddr>().ok();
        let (kind, content) = match (address, name::normal(bare)) {
            (Some(IpAddr::V4(address)), _) => (RecordKind::A, address.to_string()),
            (Some(IpAddr::V6(address)), _) => (RecordKind::Aaaa, address.to_string()),
            (None, Some(target)) => (RecordKind::Cname, target),
            (None, None) => return wrong("target", format!("\"{target}\" is neither an address nor a host name")),
        };
        if content == name {
            return wrong("target", format!("a CNAME record of {name} cannot lead to itself"));
        }
        if let Some(address) = address.filter(|address| proxied && !reachable(*address)) {
            return wrong(
                "proxied",
                format!("Cloudflare cannot proxy to {address}, which the Internet does not reach; set proxied = false"),
            );
        }
        let ttl = match ttl {
            None | Some(AUTOMATIC) => AUTOMATIC,
            Some(ttl) if proxied => {
                return wrong(
                    "ttl",
                    format!("a proxied record has no ttl of its own (found {ttl}); leave it out, or set 1"),
                );
            }
            Some(ttl) if TTLS.contains(&ttl) => ttl,
            Some(ttl) => {
                return wrong(
                    "ttl",
                    format!("expected 1 (automatic) or {} to {} seconds, found {ttl}", TTLS.start(), TTLS.end()),
                );
            }
        };
        Ok(Wish { name, kind, content, proxied, ttl })
    }

    /// The host, in the notation of names and addresses.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type that follows from the target.
    #[must_use]
    pub fn kind(&self) -> &RecordKind {
        &self.kind
    }

    /// What the record is to say, in the notation of names and addresses.
    #[must_use]
    pub fn content(&self) -> &str {
        &self.content
    }

    /// Whether a record says all that is wished, its comment aside.
    #[must_use]
    pub fn is_met_by(&self, record: &Record) -> bool {
        let same = match self.kind {
            RecordKind::Aaaa => record.content.parse::<IpAddr>().ok() == self.content.parse().ok(),
            RecordKind::Cname => record.content.trim_end_matches('.').eq_ignore_ascii_case(&self.content),
            _ => record.content == self.content,
        };
        // Proxied records show whatever ttl they like.
        same && record.kind == self.kind && record.proxied == self.proxied && (self.proxied || record.ttl == self.ttl)
    }
}

fn reachable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let shared = Ipv4Addr::new(100, 64, 0, 0).octets();
            let carrier = address.octets()[0] == shared[0] && address.octets()[1] & 0xc0 == shared[1];
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || carrier)
        }
        IpAddr::V6(address) => {
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_type_follows_from_the_target() {
        for (target, kind, content) in [
            ("203.0.113.7", RecordKind::A, "203.0.113.7"),
            ("[2001:DB8:0::1]", RecordKind::Aaaa, "2001:db8::1"),
            ("LB.example.net.", RecordKind::Cname, "lb.example.net"),
        ] {
            let wish = Wish::new("FFE.example.com", target, false, None).unwrap();
            assert_eq!((wish.name(), wish.kind(), wish.content(), wish.ttl), ("ffe.example.com", &kind, content, 1));
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_attribute() {
        let wish = |host, target, proxied, ttl| Wish::new(host, target, proxied, ttl).unwrap_err().to_string();
        for (error, expected) in [
            (wish("localhost", "203.0.113.7", false, None), "hosts: \"localhost\" is no host name"),
            (wish("a.example.com", "not a name", false, None), "target: \"not a name\" is neither an address nor"),
            (
                wish("a.example.com", "A.example.com", false, None),
                "target: a CNAME record of a.example.com cannot lead",
            ),
            (
                wish("a.example.com", "203.0.113.7", true, Some(300)),
                "ttl: a proxied record has no ttl of its own (found 300)",
            ),
            (
                wish("a.example.com", "203.0.113.7", false, Some(59)),
                "ttl: expected 1 (automatic) or 60 to 86400 seconds",
            ),
            (wish("a.example.com", "203.0.113.7", false, Some(86_401)), "ttl: expected 1 (automatic) or 60 to 86400"),
            (wish("a.example.com", "192.168.1.1", true, None), "proxied: Cloudflare cannot proxy to 192.168.1.1"),
            (wish("a.example.com", "100.64.3.1", true, None), "proxied: Cloudflare cannot proxy to 100.64.3.1"),
            (wish("a.example.com", "fd00::1", true, None), "proxied: Cloudflare cannot proxy to fd00::1"),
        ] {
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(Wish::new("a.example.com", "192.168.1.1", false, Some(60)).is_ok());
        assert!(Wish::new("a.example.com", "203.0.113.7", true, Some(1)).is_ok());
    }

    #[test]
    fn a_record_meets_a_wish_in_any_notation() {
        let record = |kind: &str, content: &str, proxied, ttl| Record {
            id: "1".to_owned(),
            name: "a.example.com".to_owned(),
            kind: kind.to_owned().into(),
            content: content.to_owned(),
            proxied,
            ttl,
            comment: None,
        };
        let wish = |target, proxied, ttl| Wish::new("a.example.com", target, proxied, ttl).unwrap();
        assert!(wish("2001:db8::1", false, None).is_met_by(&record("AAAA", "2001:db8:0:0:0:0:0:1", false, 1)));
        assert!(wish("lb.example.net", false, None).is_met_by(&record("CNAME", "LB.example.net.", false, 1)));
        assert!(wish("203.0.113.7", true, None).is_met_by(&record("A", "203.0.113.7", true, 300)));
        for other in [
            record("A", "203.0.113.8", false, 300),
            record("A", "203.0.113.7", true, 300),
            record("A", "203.0.113.7", false, 60),
            record("TXT", "203.0.113.7", false, 300),
        ] {
            assert!(!wish("203.0.113.7", false, Some(300)).is_met_by(&other), "{other}");
        }
    }
}
