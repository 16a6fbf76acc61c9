//! Rules for attributes that several resources have.

use ffe_cluster::{Quantity, parse_duration};
use tfplugin::Check;

/// A Go-style duration, the notation of Helm and cert-manager.
pub fn duration() -> Check {
    Check::text("a duration such as \"90s\", \"10m\" or \"1h30m\"", |text| match parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("it is zero".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("\"{text}\" is none ({error})")),
    })
}

/// A Kubernetes quantity.
pub fn quantity() -> Check {
    Check::text("a Kubernetes quantity such as \"500m\", \"2\" or \"1Gi\"", |text| {
        text.parse::<Quantity>().map(|_| ()).map_err(|error| format!("\"{text}\" is none ({error})"))
    })
}

/// A name that Kubernetes accepts for namespaces, services and most else (RFC 1123 label).
pub fn dns_label() -> Check {
    Check::text("1 to 63 lower case letters, digits or hyphens, with a letter or digit at both ends", |text| {
        if text.len() <= 63 && is_label(text) { Ok(()) } else { Err(format!("\"{text}\" is not")) }
    })
}

/// Labels joined by dots, at most 253 characters (RFC 1123 subdomain).
pub fn dns_subdomain() -> Check {
    Check::text(
        "at most 253 lower case letters, digits, hyphens and dots, with a letter or digit at both ends",
        |text| {
            if text.len() <= 253 && text.split('.').all(is_label) { Ok(()) } else { Err(format!("\"{text}\" is not")) }
        },
    )
}

/// A name that Helm accepts for a release: an RFC 1123 subdomain of at most 53 characters.
pub fn release_name() -> Check {
    Check::text(
        "at most 53 lower case letters, digits, hyphens and dots, with a letter or digit at both ends",
        |text| {
            if text.len() <= 53 && text.split('.').all(is_label) { Ok(()) } else { Err(format!("\"{text}\" is not")) }
        },
    )
}

/// An absolute URL with a host.
pub fn url() -> Check {
    Check::text("a URL such as \"https://example.com/path\"", |text| {
        let host = text
            .split_once("://")
            .map(|(scheme, rest)| (scheme, rest.split(['/', '?', '#']).next().unwrap_or_default()));
        match host {
            Some((scheme, host))
                if !host.is_empty()
                    && !scheme.is_empty()
                    && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) =>
            {
                Ok(())
            }
            // The text is not shown: URLs carry passwords.
            _ => Err("there is no scheme and host in it".to_owned()),
        }
    })
}

/// An absolute path of a URL.
pub fn url_path() -> Check {
    Check::text("a path that begins with \"/\"", |text| {
        if text.starts_with('/') { Ok(()) } else { Err(format!("\"{text}\" does not")) }
    })
}

fn is_label(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    edge(text.as_bytes().first())
        && edge(text.as_bytes().last())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfplugin::Value;

    #[test]
    fn good_values_pass_and_bad_ones_are_named() {
        for (check, good, bad) in [
            (duration(), &["10m", "1h30m", "90s"][..], &["10", "soon", "0s", "-5m"][..]),
            (quantity(), &["500m", "2", "1Gi", "1.5Gi"], &["many", "1 Gi", "", "1GiB"]),
            (dns_label(), &["ffe", "a-1"], &["", "-a", "A", "a.b", "a_b"]),
            (dns_subdomain(), &["ffe", "a.b-c"], &["", "a..b", ".a", "A.b"]),
            (url(), &["https://a.b/c", "oci://r:5000/x"], &["a.b/c", "https://", "://x"]),
            (url_path(), &["/", "/health"], &["health", ""]),
        ] {
            for text in good {
                assert_eq!(check.run(&Value::from(*text)), Ok(()), "{text} as {}", check.expected);
            }
            for text in bad {
                assert!(check.run(&Value::from(*text)).is_err(), "{text} as {}", check.expected);
            }
        }
        assert!(release_name().run(&Value::from("a".repeat(54))).is_err());
    }
}
