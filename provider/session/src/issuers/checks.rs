//! Rules for what is said of an issuer.

use std::net::IpAddr;

use tfplugin::{Check, Value};

use crate::checks::dns_subdomain;

/// Certificates in PEM.
pub fn pem_certificates() -> Check {
    Check::text("one or more certificates in PEM", |text| {
        ffe_https::Bundle::from_pem(text.as_bytes()).map(drop).map_err(|error| error.to_string())
    })
}

/// Let's Encrypt by name, or a directory's URL.
pub fn acme_server() -> Check {
    Check::text(
        "\"letsencrypt\", \"letsencrypt-staging\", or the URL of a directory such as \"https://acme.example.com/directory\"",
        |text| {
            // A word that stands for a URL.
            if ffe_cert_manager::directory_url(text) != text {
                return Ok(());
            }
            match text.strip_prefix("https://") {
                Some(rest) if !rest.split(['/', '?', '#']).next().unwrap_or_default().is_empty() => Ok(()),
                _ if text.starts_with("http://") => Err("ACME is spoken by HTTPS only (RFC 8555)".to_owned()),
                _ => Err(format!("\"{text}\" is neither")),
            }
        },
    )
}

/// An address of e-mail, roughly.
pub fn email() -> Check {
    Check::text("an address such as \"ops@example.com\"", |text| match text.split_once('@') {
        Some((user, host)) if !user.is_empty() && !host.contains('@') && is_subdomain(&host.to_ascii_lowercase()) => {
            Ok(())
        }
        _ => Err(format!("\"{text}\" is none")),
    })
}

/// A DNS server, with or without a port.
pub fn nameserver() -> Check {
    Check::text(
        "a host name or address, with or without a port, such as \"10.0.0.53\" or \"ns.example.com:5353\"",
        |text| {
            if text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4())
                || text.parse::<std::net::SocketAddr>().is_ok()
            {
                return Ok(());
            }
            if text.parse::<IpAddr>().is_ok() || (text.starts_with('[') && text.ends_with(']')) {
                // As cert-manager wants it.
                return if text.starts_with('[') {
                    text[1..text.len() - 1].parse::<IpAddr>().map(drop).map_err(|_| format!("\"{text}\" is none"))
                } else {
                    Err(format!("an IPv6 address stands in brackets: \"[{text}]\""))
                };
            }
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            let port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
            if port && is_subdomain(host) { Ok(()) } else { Err(format!("\"{text}\" is none")) }
        },
    )
}

/// Anything but nothing.
pub fn not_blank() -> Check {
    Check::text(
        "text that is not empty",
        |text| {
            if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(()) }
        },
    )
}

fn is_subdomain(text: &str) -> bool {
    dns_subdomain().run(&Value::from(text)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_values_pass_and_bad_ones_are_named() {
        for (check, good, bad) in [
            (
                acme_server(),
                &["letsencrypt", "letsencrypt-staging", "https://acme.example.com/dir"][..],
                &["http://acme.example.com", "lets-encrypt", "https:///dir"][..],
            ),
            (email(), &["ops@example.com"], &["ops", "@example.com", "a@b@c"]),
            (
                nameserver(),
                &[
                    "10.0.0.53",
                    "10.0.0.53:5353",
                    "ns.example.com",
                    "ns.example.com:53",
                    "[2001:db8::1]",
                    "[2001:db8::1]:53",
                ],
                &["", "ns:port", "2001:db8::1", "a b"],
            ),
            (not_blank(), &["x"], &["", "  "]),
        ] {
            for text in good {
                assert_eq!(check.run(&Value::from(*text)), Ok(()), "{text} as {}", check.expected);
            }
            for text in bad {
                assert!(check.run(&Value::from(*text)).is_err(), "{text} as {}", check.expected);
            }
        }
    }
}
