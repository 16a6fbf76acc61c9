//! What others may change, by the user's own word: objects and fields in which a difference is no drift.

use tfplugin::{Attr, Diagnostic, Diagnostics, Model, Path};

/// What others change.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct DriftSettings {
    /// What others may change: it is neither in `drifted` nor a change in a plan. An apply that has something else to do writes
    /// the fields again. At least one of `kind`, `name` and `paths` in each; what is left out matches everything.
    #[attr(optional)]
    pub ignore: Attr<Vec<DriftIgnore>>,
}

/// Objects, or fields of them, that others may change.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct DriftIgnore {
    /// The kind, such as `Deployment`.
    #[attr(optional)]
    pub kind: Attr<String>,
    /// The name of the object.
    #[attr(optional)]
    pub name: Attr<String>,
    /// The fields, as JSON pointers (RFC 6901) such as `/spec/replicas`, each with all that is below it. Positions in lists are
    /// those of what was applied. Without any, the whole object.
    #[attr(optional)]
    pub paths: Attr<Vec<Attr<String>>>,
}

/// What is wrong with such rules, which stand at `at`. `off` says how to look for no drift at all.
pub fn check_ignored(rules: &Attr<Vec<DriftIgnore>>, at: &Path, off: &str) -> Diagnostics {
    let mut errors = Diagnostics::new();
    for (index, rule) in rules.known().into_iter().flatten().enumerate() {
        let at = at.index(index);
        let empty = rule.paths.known().is_some_and(Vec::is_empty);
        if rule.kind.is_null() && rule.name.is_null() && (rule.paths.is_null() || empty) {
            let text = format!("Say a kind, a name or paths; {off}.");
            errors.push(Diagnostic::error(format!("{at} matches nothing in particular"), text).at(at));
            continue;
        }
        if empty {
            let text = "Name fields, or leave paths out to ignore the whole object.";
            errors.push(Diagnostic::error(format!("{at}.paths is empty"), text).at(at.child("paths")));
        }
        for (position, path) in rule.paths.known().into_iter().flatten().enumerate() {
            if let Some(text) = path.as_str().filter(|text| !text.starts_with('/')) {
                let at = at.child("paths").index(position);
                let detail = format!(
                    "Expected a JSON pointer such as \"/spec/replicas\"; \"{text}\" does not begin with \"/\"."
                );
                errors.push(Diagnostic::error(format!("Invalid value for {at}"), detail).at(at));
            }
        }
    }
    errors
}

/// Which objects and fields do not count.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Ignored(Vec<Rule>);

#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Rule {
    kind: Option<String>,
    name: Option<String>,
    /// JSON pointers; none: the whole object.
    paths: Vec<String>,
}

impl Ignored {
    /// As the rules say.
    pub fn of(rules: &Attr<Vec<DriftIgnore>>) -> Ignored {
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
        Ignored(rules.known().into_iter().flatten().map(rule).collect())
    }

    fn about<'a>(&'a self, kind: &'a str, name: &'a str) -> impl Iterator<Item = &'a Rule> {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        self.0.iter().filter(move |rule| is(&rule.kind, kind) && is(&rule.name, name))
    }

    /// Whether an object does not count at all.
    pub fn object(&self, kind: &str, name: &str) -> bool {
        self.about(kind, name).any(|rule| rule.paths.is_empty())
    }

    /// Whether a field of an object does not count: it is named, or part of one that is.
    pub fn field(&self, kind: &str, name: &str, pointer: &str) -> bool {
        self.about(kind, name).any(|rule| rule.paths.iter().any(|path| is_at_or_below(pointer, path)))
    }
}

/// Whether a JSON pointer names a field, or something within it.
pub fn is_at_or_below(pointer: &str, field: &str) -> bool {
    pointer.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
