//! Objects and fields in which a difference is no drift, by the user's own word.

use crate::rendering::changes::is_at_or_below;
use crate::settings::model::{DriftIgnore, Release};

/// Which objects and fields do not count.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Ignored(Vec<Rule>);

#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Rule {
    kind: Option<String>,
    name: Option<String>,
    /// JSON pointers; none: the whole object.
    paths: Vec<String>,
}

impl Ignored {
    /// As the state says.
    pub(crate) fn of(model: &Release) -> Ignored {
        let rules = model.drift.known().and_then(|settings| settings.ignore.known()).into_iter().flatten();
        let rule = |rule: &DriftIgnore| Rule {
            kind: rule.kind.clone().into_known(),
            name: rule.name.clone().into_known(),
            paths: rule
                .paths
                .known()
                .into_iter()
                .flatten()
                .filter_map(|path| path.as_str().map(str::to_owned))
                .collect(),
        };
        Ignored(rules.map(rule).collect())
    }

    fn about<'a>(&'a self, kind: &'a str, name: &'a str) -> impl Iterator<Item = &'a Rule> {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        self.0.iter().filter(move |rule| is(&rule.kind, kind) && is(&rule.name, name))
    }

    /// Whether an object does not count at all.
    pub(super) fn object(&self, kind: &str, name: &str) -> bool {
        self.about(kind, name).any(|rule| rule.paths.is_empty())
    }

    /// Whether a field of an object does not count: it is named, or part of one that is.
    pub(super) fn field(&self, kind: &str, name: &str, pointer: &str) -> bool {
        self.about(kind, name).any(|rule| rule.paths.iter().any(|path| is_at_or_below(pointer, path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignored(kind: Option<&str>, name: Option<&str>, paths: &[&str]) -> Ignored {
        Ignored(vec![Rule {
            kind: kind.map(str::to_owned),
            name: name.map(str::to_owned),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }])
    }

    #[test]
    fn a_pointer_names_a_field_and_all_below_it() {
        let rules = ignored(Some("Deployment"), Some("one"), &["/spec/replicas", "/metadata/labels"]);
        for (kind, name, pointer, expected) in [
            ("Deployment", "one", "/spec/replicas", true),
            ("Deployment", "one", "/metadata/labels/team", true),
            ("Deployment", "one", "/metadata/labelsAndMore", false),
            ("Deployment", "one", "/spec", false),
            ("Deployment", "one", "", false),
            ("Deployment", "two", "/spec/replicas", false),
            ("StatefulSet", "one", "/spec/replicas", false),
        ] {
            assert_eq!(rules.field(kind, name, pointer), expected, "{kind} {name} {pointer}");
        }
        assert!(!rules.object("Deployment", "one"));
    }

    #[test]
    fn a_rule_without_pointers_is_about_whole_objects() {
        let jobs = ignored(Some("Job"), None, &[]);
        assert!(jobs.object("Job", "any") && !jobs.object("Deployment", "any"));
        let everywhere = ignored(None, None, &["/metadata/annotations/a~1b"]);
        assert!(everywhere.field("Service", "x", "/metadata/annotations/a~1b"));
        assert!(!everywhere.object("Service", "x"));
    }
}
