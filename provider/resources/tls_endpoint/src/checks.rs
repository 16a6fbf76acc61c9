//! Rules for attributes that only the endpoint has.

use std::net::IpAddr;

use ffe_session::checks::dns_subdomain;
pub(crate) use ffe_session::issuers::checks::pem_certificates;
use tfplugin::{Check, Value};

/// The target that stands for the ingress controller's own address.
pub(crate) const TARGET_INGRESS: &str = "ingress";
/// Host names: lower case, each once, no addresses; a star for the first label at most.
pub(crate) fn hosts() -> Check {
    Check::new("a list of host names such as \"api.example.com\" or \"*.example.com\", each once", |value| {
        let Value::List(all) = value else { return Ok(()) };
        if all.is_empty() {
            return Err("it is empty".to_owned());
        }
        let mut seen: Vec<&str> = Vec::new();
        for (index, host) in all.iter().enumerate() {
            match host {
                Value::String(host) => {
                    host_name(host)?;
                    if seen.contains(&host.as_str()) {
                        return Err(format!("\"{host}\" stands there twice"));
                    }
                    seen.push(host);
                }
                Value::Null => return Err(format!("element {index} is null; leave it out instead")),
                _ => {}
            }
        }
        Ok(())
    })
}

fn host_name(host: &str) -> Result<(), String> {
    if host.parse::<IpAddr>().is_ok() {
        return Err(format!("\"{host}\" is an address; certificates and ingresses go by names"));
    }
    if host.contains("://") || host.contains('/') || host.contains(':') {
        return Err(format!("\"{host}\" is more than a name: leave scheme, port and path out"));
    }
    let plain = host.strip_prefix("*.").unwrap_or(host);
    if plain.contains('*') {
        return Err(format!("\"{host}\" has a star elsewhere than in place of the first label"));
    }
    if host.len() > 253 || plain.split('.').any(|label| label.len() > 63) || !is_subdomain(plain) {
        let lower = host.to_ascii_lowercase();
        let hint = if lower != *host { format!("; in lower case it is \"{lower}\"") } else { String::new() };
        return Err(format!("\"{host}\" is no host name{hint}"));
    }
    Ok(())
}

/// The number or the name of a port.
pub(crate) fn port() -> Check {
    Check::text("a port: a number from 1 to 65535, or a port's name", |text| {
        let number = text.bytes().all(|byte| byte.is_ascii_digit());
        let good = if number {
            text.parse::<u16>().is_ok_and(|port| port > 0)
        } else {
            text.len() <= 15 && text.bytes().any(|byte| byte.is_ascii_lowercase()) && is_subdomain(text)
        };
        if good { Ok(()) } else { Err(format!("\"{text}\" is none")) }
    })
}

/// What a record may point to.
pub(crate) fn dns_target() -> Check {
    Check::text("\"ingress\", an IPv4 or IPv6 address, or a host name", |text| {
        if text == TARGET_INGRESS || text.parse::<IpAddr>().is_ok() {
            return Ok(());
        }
        let looks_like_address = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !looks_like_address && is_subdomain(text) && text.contains('.') {
            Ok(())
        } else {
            Err(format!("\"{text}\" is none"))
        }
    })
}

/// The name of a zone.
pub(crate) fn zone_name() -> Check {
    Check::text("the name of a zone, such as \"example.com\"", |text| {
        if is_subdomain(text) && text.contains('.') { Ok(()) } else { Err(format!("\"{text}\" is none")) }
    })
}

/// How long a record may be remembered, as Cloudflare takes it.
pub(crate) fn record_ttl() -> Check {
    Check::new("1 (automatic), or 60 to 86400 seconds", |value| match value {
        Value::Number(number) if !matches!(number.as_i64(), Some(1 | 60..=86_400)) => Err(format!("{number} is not")),
        _ => Ok(()),
    })
}

/// A text that fits into one header.
pub(crate) fn header_value() -> Check {
    Check::text("text of visible ASCII characters and spaces, on one line", |text| {
        match text.chars().find(|c| !c.is_ascii_graphic() && *c != ' ') {
            None => Ok(()),
            Some(wrong) => Err(format!("{wrong:?} is in it")),
        }
    })
}

/// Where to connect to: an address or host name, with or without a port.
pub(crate) fn resolve_to() -> Check {
    Check::text(
        "an address or host name, with or without a port, such as \"10.0.0.1\" or \"lb.example.com:8443\"",
        |text| match text.parse::<ffe_https::ResolveTo>() {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("\"{text}\" is none ({error})")),
        },
    )
}

/// Labels: Kubernetes' syntax, and none of ours.
pub(crate) fn label_pairs() -> Check {
    Check::new("labels as Kubernetes takes them (name or prefix/name), with a value each", |value| {
        for (key, text) in value.as_map().into_iter().flatten() {
            let (prefix, name) =
                key.rsplit_once('/').map_or((None, key.as_str()), |(prefix, name)| (Some(prefix), name));
            if name.is_empty() || !label_value(name) || !prefix.is_none_or(is_subdomain) {
                return Err(format!("\"{key}\" is no such key"));
            }
            if prefix == Some(ffe_cluster::mark::PREFIX) || key == ffe_cluster::mark::MANAGED_BY {
                return Err(format!("the label \"{key}\" is set by the provider"));
            }
            match text {
                Value::Null => return Err(format!("\"{key}\" is null; leave it out instead")),
                Value::String(text) if !label_value(text) => {
                    return Err(format!(
                        "the value of \"{key}\" is not at most 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    })
}

/// Annotations: Kubernetes' syntax of their names. Which of them are not handed on, the route says.
pub(crate) fn annotation_pairs() -> Check {
    Check::new("annotations as Kubernetes takes them (name or prefix/name), with a text each", |value| {
        for (key, text) in value.as_map().into_iter().flatten() {
            let (prefix, name) =
                key.rsplit_once('/').map_or((None, key.as_str()), |(prefix, name)| (Some(prefix), name));
            if name.is_empty() || !label_value(name) || !prefix.is_none_or(is_subdomain) {
                return Err(format!("\"{key}\" is no such key"));
            }
            if matches!(text, Value::Null) {
                return Err(format!("\"{key}\" is null; leave it out instead"));
            }
        }
        Ok(())
    })
}

fn label_value(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().last())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn is_subdomain(text: &str) -> bool {
    dns_subdomain().run(&Value::from(text)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(hosts: &[&str]) -> Value {
        Value::List(hosts.iter().map(|host| Value::from(*host)).collect())
    }

    #[test]
    fn good_values_pass_and_bad_ones_are_named() {
        for (check, good, bad) in [
            (port(), &["8000", "http", "65535"][..], &["0", "65536", "Http", "", "a-name-that-is-too-long"][..]),
            (
                dns_target(),
                &["ingress", "192.0.2.1", "2001:db8::1", "lb.example.com"],
                &["lb", "1.2.3", "https://a.b", ""],
            ),
            (zone_name(), &["example.com"], &["com", "*.example.com", "Example.com"]),
            (header_value(), &["default-src 'self'; img-src *", ""], &["a\nb", "ключ"]),
            (resolve_to(), &["10.0.0.1", "10.0.0.1:8443", "lb.example.com"], &["", "http://a"]),
        ] {
            for text in good {
                assert_eq!(check.run(&Value::from(*text)), Ok(()), "{text} as {}", check.expected);
            }
            for text in bad {
                assert!(check.run(&Value::from(*text)).is_err(), "{text} as {}", check.expected);
            }
        }
    }

    #[test]
    fn hosts_are_names_and_what_is_wrong_with_them_is_said() {
        assert_eq!(hosts().run(&list(&["ffe.example.com", "*.ffe.example.com", "intern"])), Ok(()));
        assert_eq!(hosts().run(&Value::List(vec![Value::Unknown])), Ok(()));
        for (wrong, said) in [
            (list(&[]), "empty"),
            (list(&["a.b", "a.b"]), "twice"),
            (list(&["192.0.2.1"]), "an address"),
            (list(&["https://a.b"]), "leave scheme"),
            (list(&["a.b:8443"]), "leave scheme"),
            (list(&["a.*.b"]), "a star elsewhere"),
            (list(&["Api.Example.com"]), "in lower case it is \"api.example.com\""),
            (list(&["a_b.example.com"]), "no host name"),
            (Value::List(vec![Value::Null]), "is null"),
        ] {
            let error = hosts().run(&wrong).err().unwrap_or_default();
            assert!(error.contains(said), "{wrong:?}: {error}");
        }
    }

    #[test]
    fn times_and_labels() {
        for good in [1, 60, 300, 86_400] {
            assert_eq!(record_ttl().run(&Value::from(good)), Ok(()), "{good}");
        }
        for bad in [0, 2, 59, 86_401, -1] {
            assert!(record_ttl().run(&Value::from(bad)).is_err(), "{bad}");
        }
        let labels = |key: &str, value: &str| label_pairs().run(&Value::map([(key, Value::from(value))]));
        assert_eq!(labels("release", "prometheus"), Ok(()));
        assert!(labels("ffe.three-rivers.tech/owner", "x").is_err_and(|error| error.contains("set by the provider")));
        assert!(labels("no spaces", "x").is_err() && labels("team", "no spaces").is_err());
        let annotations = |key: &str, value: Value| {
            annotation_pairs().run(&Value::map([(key, value)])).map_err(|error| error.contains(key))
        };
        assert_eq!(annotations("nginx.ingress.kubernetes.io/auth-url", Value::from("https://a b/ \n")), Ok(()));
        assert_eq!(annotations("team", Value::Unknown), Ok(()));
        assert_eq!(annotations("no spaces", Value::from("x")), Err(true));
        assert_eq!(annotations("team", Value::Null), Err(true));
    }
}
