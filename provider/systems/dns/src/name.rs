//! Host names in one form: lower case, punycode, no dot at the end.

/// The form in which names are compared and sent; `None` when it is no host name. A wildcard may stand in front.
#[must_use]
pub fn normal(name: &str) -> Option<String> {
    let name = name.trim().trim_end_matches('.');
    let ascii = if name.is_ascii() {
        name.to_ascii_lowercase()
    } else {
        match url::Host::parse(name).ok()? {
            url::Host::Domain(domain) => domain,
            _ => return None,
        }
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let rest = ascii.strip_prefix("*.").unwrap_or(&ascii);
    let known = ascii.len() <= 253 && rest.split('.').count() >= 2 && rest.split('.').all(label);
    // Digits and dots alone are an address.
    (known && rest.bytes().any(|byte| byte.is_ascii_alphabetic())).then_some(ascii)
}

/// Whether a name is a zone's own or lies within it.
#[must_use]
pub fn within(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

/// The names of which one may be the zone of this one: the longest first, none shorter than two labels.
#[must_use]
pub fn candidates(name: &str) -> Vec<&str> {
    let name = name.strip_prefix("*.").unwrap_or(name);
    let mut found = Vec::new();
    let mut rest = name;
    while let Some((_, parent)) = rest.split_once('.') {
        found.push(rest);
        rest = parent;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        for (name, expected) in [
            ("FFE.Example.com.", Some("ffe.example.com")),
            (" ffe.example.com ", Some("ffe.example.com")),
            ("bücher.example.com", Some("xn--bcher-kva.example.com")),
            ("*.example.com", Some("*.example.com")),
            ("_acme-challenge.example.com", Some("_acme-challenge.example.com")),
            ("localhost", None),
            ("203.0.113.7", None),
            ("a..b", None),
            ("-a.example.com", None),
            ("a b.example.com", None),
            ("a/../b.example.com", None),
            ("", None),
        ] {
            assert_eq!(normal(name).as_deref(), expected, "{name}");
        }
        assert_eq!(normal(&format!("{}.example.com", "a".repeat(64))), None);
        assert_eq!(normal(&format!("{}example.com", "a.".repeat(130))), None);
    }

    #[test]
    fn a_zone_holds_its_own_name_and_those_below() {
        assert!(within("example.com", "example.com") && within("a.b.example.com", "example.com"));
        assert!(!within("badexample.com", "example.com") && !within("com", "example.com"));
    }

    #[test]
    fn the_longest_candidate_comes_first() {
        assert_eq!(candidates("*.a.b.example.com"), ["a.b.example.com", "b.example.com", "example.com"]);
        assert_eq!(candidates("example.com"), ["example.com"]);
    }
}
