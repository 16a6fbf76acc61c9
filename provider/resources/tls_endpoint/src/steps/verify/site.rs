//! A host, and the name by which it is looked at.

use crate::spec::Spec;

/// How a made-up name begins, so that who finds it in a log knows where it comes from.
const MADE_UP: &str = "ffe-verify";

/// A host that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// As it is configured.
    pub(crate) host: String,
    /// What is asked for: of a wildcard a name below it.
    pub(crate) name: String,
    /// The name was made up: an application may not know it.
    pub(crate) made_up: bool,
}

/// Every host with its name. A made-up one is another in each run, so that no resolver remembers that it was not there.
pub(crate) fn sites(spec: &Spec, label: Option<&str>, run_id: &str) -> Vec<Site> {
    let all = spec.hosts.iter().map(|host| match host.strip_prefix("*.") {
        None => Site { host: host.clone(), name: host.clone(), made_up: false },
        Some(parent) => {
            let name =
                label.map_or_else(|| format!("{MADE_UP}-{run_id}.{parent}"), |label| format!("{label}.{parent}"));
            Site { host: host.clone(), name, made_up: label.is_none() }
        }
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::testing::{minimal, settled};

    #[test]
    fn a_wildcard_is_looked_at_by_a_name_below_it() {
        let spec = Spec::of(&settled(minimal(json!({ "hosts": ["example.com", "*.example.com"] })))).unwrap();
        let names =
            |label| sites(&spec, label, "0a1b").into_iter().map(|site| (site.name, site.made_up)).collect::<Vec<_>>();
        assert_eq!(names(None), [("example.com".to_owned(), false), ("ffe-verify-0a1b.example.com".to_owned(), true)]);
        assert_eq!(names(Some("demo"))[1], ("demo.example.com".to_owned(), false));
        assert_eq!(sites(&spec, None, "0a1b")[1].host, "*.example.com");
    }
}
