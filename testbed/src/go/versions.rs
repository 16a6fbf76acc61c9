//! What a go.mod pins.

/// The pinned versions of one go.mod.
pub(crate) struct Versions<'a> {
    go_mod: &'a str,
    main: String,
}

impl<'a> Versions<'a> {
    pub(super) fn new(go_mod: &'a str, main: String) -> Self {
        Self { go_mod, main }
    }

    /// The version of the module that the unit is named for, for instance `v1.37.1`.
    pub(crate) fn main(&self) -> &str {
        &self.main
    }

    /// The version of another module of the same graph.
    pub(crate) fn of(&self, module: &str) -> Option<String> {
        required_version(self.go_mod, module)
    }
}

/// The version at which a go.mod requires a module; a `replace` of the module with another version goes before.
pub(super) fn required_version(go_mod: &str, module: &str) -> Option<String> {
    let mut required = None;
    let mut excluding = false;
    for line in go_mod.lines() {
        excluding = line == "exclude (" || excluding && line != ")";
        if excluding || line.starts_with("exclude ") {
            continue;
        }
        let words: Vec<&str> =
            line.split_whitespace().skip_while(|word| matches!(*word, "require" | "replace")).collect();
        match words.as_slice() {
            [name, "=>", target, version, ..] if *name == module && *target == module => {
                return Some((*version).into());
            }
            [name, version, ..] if *name == module && version.starts_with('v') => required = Some((*version).into()),
            _ => {}
        }
    }
    required
}

/// The required module that holds a package, with its version: the one with the longest path.
pub(super) fn module_of(go_mod: &str, package: &str) -> Option<(String, String)> {
    let mut path = package;
    loop {
        if let Some(version) = required_version(go_mod, path) {
            return Some((path.to_owned(), version));
        }
        path = path.rsplit_once('/')?.0;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GO_MOD: &str = "module x\n\nrequire a.io/a v1.2.3\n\nrequire (\n\tb.io/b v0.0.0 // indirect\n\tc.io/c/v2 v2.1.0\n)\n\nreplace (\n\tb.io/b => b.io/b v0.36.3\n)\n\nexclude a.io/a v1.2.9\n\nexclude (\n\tc.io/c/v2 v2.2.0\n)\n";

    #[test]
    fn a_version_is_what_go_mod_pins() {
        assert_eq!(required_version(GO_MOD, "a.io/a").unwrap(), "v1.2.3");
        assert_eq!(required_version(GO_MOD, "b.io/b").unwrap(), "v0.36.3");
        assert_eq!(required_version(GO_MOD, "c.io/c/v2").unwrap(), "v2.1.0");
        assert_eq!(required_version(GO_MOD, "c.io/c"), None);
    }

    #[test]
    fn a_package_is_of_the_module_that_its_path_begins_with() {
        let of = |package| module_of(GO_MOD, package);
        assert_eq!(of("c.io/c/v2/pkg/x"), Some(("c.io/c/v2".to_owned(), "v2.1.0".to_owned())));
        assert_eq!(of("a.io/a"), Some(("a.io/a".to_owned(), "v1.2.3".to_owned())));
        assert_eq!(of("a.io/other/x"), None);
    }
}
