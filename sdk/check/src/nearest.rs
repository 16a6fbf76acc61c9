//! What somebody may have meant.

use crate::expected::Expected;

/// The name among `names` that is a slip of the fingers away from `name`.
pub(crate) fn among<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let bound = (name.chars().count() / 3).clamp(1, 3);
    let distance = |candidate: &&'a str| strsim::damerau_levenshtein(name, candidate);
    names
        .map(|candidate| (distance(&candidate), candidate))
        .filter(|(far, _)| *far <= bound)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// Where else the name is right: below the object in which it stands, otherwise anywhere in the whole. `at` is the object's path.
pub(crate) fn elsewhere(name: &str, at: &[String], whole: &Expected) -> Option<String> {
    let mut found = Vec::new();
    collect(name, whole, &mut Vec::new(), &mut found);
    // What is nearest to the place where it stands: the more of the path is shared, the better; then the shorter one.
    let shared = |path: &Vec<String>| path.iter().zip(at).take_while(|(one, other)| one == other).count();
    found.sort_by_key(|path| (std::cmp::Reverse(shared(path)), path.len()));
    found.first().map(|path| path.join("."))
}

fn collect(name: &str, expected: &Expected, at: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match expected {
        Expected::Object(names) => {
            for (each, below) in names {
                at.push(each.clone());
                if each == name {
                    found.push(at.clone());
                }
                collect(name, below, at, found);
                at.pop();
            }
        }
        Expected::Elements(each) => collect(name, each, at, found),
        Expected::Tuple(elements) => elements.iter().for_each(|each| collect(name, each, at, found)),
        Expected::Any => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object<const N: usize>(names: [(&str, Expected); N]) -> Expected {
        Expected::Object(names.into_iter().map(|(name, expected)| (name.to_owned(), expected)).collect())
    }

    #[test]
    fn a_slip_is_found_and_a_stranger_is_not() {
        let names = || ["replicas", "storage", "mode"].into_iter();
        assert_eq!(among("replica", names()).as_deref(), Some("replicas"));
        assert_eq!(among("stroage", names()).as_deref(), Some("storage"));
        assert_eq!(among("mdoe", names()).as_deref(), Some("mode"));
        assert_eq!(among("size", names()), None);
        assert_eq!(among("x", names()), None);
    }

    #[test]
    fn a_right_name_in_the_wrong_object_is_found_where_it_belongs() {
        let storage = object([("size", Expected::Any)]);
        let list = Expected::Elements(Box::new(object([("size", Expected::Any), ("only", Expected::Any)])));
        let whole =
            object([("backup", storage.clone()), ("database", object([("storage", storage)])), ("pools", list)]);
        assert_eq!(elsewhere("size", &["database".to_owned()], &whole).as_deref(), Some("database.storage.size"));
        assert_eq!(elsewhere("size", &["quota".to_owned()], &whole).as_deref(), Some("backup.size"));
        assert_eq!(elsewhere("only", &[], &whole).as_deref(), Some("pools.only"));
        assert_eq!(elsewhere("nothing", &[], &whole), None);
    }
}
