//! What a test needs of its surroundings, and what becomes of it where that is not there.
//!
//! Where nothing is promised (`cargo test` on any machine) such a test is *ignored*. Where it is promised to run, which
//! `cargo xtask test` says by [`REQUIRE`], it *fails* and names what is missing. Only what is left out by its name
//! ([`LEFT_OUT`]) is ignored there too.

use std::collections::BTreeMap;

use libtest_mimic::{Failed, Trial};

/// Set by whoever promises that everything runs: what is missing then fails a test.
pub const REQUIRE: &str = "FFE_REQUIRE";

/// Names of variables, joined by commas, that are left out on purpose although everything else is required.
pub const LEFT_OUT: &str = "FFE_LEFT_OUT";

/// Whether [`REQUIRE`] is set.
#[must_use]
pub fn is_required() -> bool {
    std::env::var_os(REQUIRE).is_some_and(|value| !value.is_empty())
}

/// What some tests need.
#[derive(Clone, Debug)]
pub struct Needs {
    met: BTreeMap<String, String>,
    missing: Vec<Missing>,
    promise: Promise,
}

/// Something that is not there.
#[derive(Clone, Debug)]
struct Missing {
    what: String,
    why: String,
}

/// What was said about missing things.
#[derive(Clone, Debug, Default)]
struct Promise {
    required: bool,
    left_out: Vec<String>,
}

impl Needs {
    /// These environment variables, each with a value.
    #[must_use]
    pub fn variables(names: &[&str]) -> Needs {
        Needs::of(names, |name| std::env::var(name).ok())
    }

    fn of(names: &[&str], environment: impl Fn(&str) -> Option<String>) -> Needs {
        let value = |name: &str| environment(name).filter(|value| !value.is_empty());
        let left_out = value(LEFT_OUT).unwrap_or_default();
        let promise = Promise {
            required: value(REQUIRE).is_some(),
            left_out: left_out.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        };
        let mut needs = Needs { met: BTreeMap::new(), missing: Vec::new(), promise };
        for name in names {
            match value(name) {
                Some(value) => _ = needs.met.insert((*name).to_owned(), value),
                None => needs.missing.push(Missing { what: (*name).to_owned(), why: format!("{name} is not set") }),
            }
        }
        needs
    }

    /// And something else, by its name: `Err` says why it is not there.
    #[must_use]
    pub fn and(mut self, what: &str, there: Result<(), String>) -> Needs {
        if let Err(why) = there {
            self.missing.push(Missing { what: what.to_owned(), why });
        }
        self
    }

    /// The value of a variable; empty where it is missing, which a test that runs never meets.
    #[must_use]
    pub fn get(&self, name: &str) -> String {
        self.met.get(name).cloned().unwrap_or_default()
    }

    /// A test that needs this.
    pub fn trial<T: Into<String>>(&self, name: T, run: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Trial {
        if self.missing.is_empty() {
            return Trial::test(name, run);
        }
        let why = self.missing.iter().map(|missing| missing.why.clone()).collect::<Vec<_>>().join(", ");
        // Also who asks for what is ignored is not told that it has passed.
        Trial::test(name, move || Err(Failed::from(format!("{why}. `cargo xtask test` sees to it"))))
            .with_ignored_flag(!self.must_fail())
    }

    /// Something is missing that was promised.
    fn must_fail(&self) -> bool {
        self.promise.required && self.missing.iter().any(|missing| !self.promise.left_out.contains(&missing.what))
    }
}

#[cfg(test)]
mod tests {
    use libtest_mimic::{Arguments, Conclusion};

    use super::*;

    fn ran(needs: &Needs) -> Conclusion {
        conclusion(needs, Arguments::default())
    }

    fn conclusion(needs: &Needs, arguments: Arguments) -> Conclusion {
        // What it prints would be read as this program's own result.
        let arguments = Arguments { logfile: Some("/dev/null".to_owned()), ..arguments };
        libtest_mimic::run(&arguments, vec![needs.trial("it", || Ok(()))])
    }

    fn needs(names: &[&str], set: &[(&str, &str)]) -> Needs {
        Needs::of(names, |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn what_is_there_runs() {
        let needs = needs(&["A", "B"], &[("A", "1"), ("B", "2")]);
        assert_eq!((ran(&needs).num_passed, needs.get("B").as_str()), (1, "2"));
    }

    #[test]
    fn what_is_missing_is_ignored_and_never_passed() {
        for set in [&[("A", "1")][..], &[("A", "1"), ("B", "")]] {
            let conclusion = ran(&needs(&["A", "B"], set));
            assert_eq!((conclusion.num_ignored, conclusion.num_passed, conclusion.num_failed), (1, 0, 0));
        }
    }

    #[test]
    fn what_is_missing_fails_where_it_was_promised() {
        let conclusion = ran(&needs(&["A", "B"], &[("A", "1"), (REQUIRE, "1")]));
        assert_eq!((conclusion.num_failed, conclusion.num_ignored), (1, 0));
        let other = needs(&["A"], &[("A", "1"), (REQUIRE, "1")]).and("python3-alembic", Err("no alembic".to_owned()));
        assert_eq!(ran(&other).num_failed, 1);
    }

    #[test]
    fn only_what_is_left_out_by_its_name_is_ignored_there() {
        let set = [("A", "1"), (REQUIRE, "1"), (LEFT_OUT, "B,C")];
        assert_eq!(ran(&needs(&["A", "B"], &set)).num_ignored, 1);
        assert_eq!(ran(&needs(&["A", "B", "D"], &set)).num_failed, 1, "D was not left out");
    }

    #[test]
    fn who_asks_for_what_is_ignored_is_not_told_that_it_passed() {
        let conclusion = conclusion(&needs(&["A"], &[]), Arguments { ignored: true, ..Arguments::default() });
        assert_eq!((conclusion.num_failed, conclusion.num_passed), (1, 0));
    }
}
