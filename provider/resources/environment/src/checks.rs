//! Rules for attributes that only the environment has.

use tfplugin::{Check, Value};

/// The longest name: `ffe-<name>-database` must leave room for what a StatefulSet puts into labels of its pods.
const LONGEST_NAME: usize = 39;

/// A name from which names of objects are made.
pub(crate) fn environment_name() -> Check {
    let expected =
        format!("1 to {LONGEST_NAME} lower case letters, digits or hyphens, with a letter or digit at both ends");
    let label = ffe_session::checks::dns_label();
    Check::new(expected, move |value| {
        let text = value.as_str().unwrap_or_default();
        if text.len() > LONGEST_NAME {
            return Err(format!("\"{text}\" has {}", text.len()));
        }
        label.run(value)
    })
}

/// Labels or annotations: Kubernetes' syntax, and none of ours.
pub(crate) fn metadata_keys(what: &'static str) -> Check {
    let singular = what.trim_end_matches('s');
    let expected = format!("{what} as Kubernetes takes them (name or prefix/name), with a value each");
    Check::new(expected, move |value| {
        for (key, text) in value.as_map().into_iter().flatten() {
            qualified(key)?;
            if let Some(instead) = reserved(key) {
                return Err(format!("the {singular} \"{key}\" is set by the provider{instead}"));
            }
            match text {
                Value::Null => return Err(format!("\"{key}\" is null; leave it out instead")),
                Value::String(text) if what == "labels" && !label_value(text) => {
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

/// Keys of a ConfigMap or Secret.
pub(crate) fn data_keys() -> Check {
    Check::new("keys of letters, digits, '-', '_' and '.', with a value each", |value| {
        for (key, text) in value.as_map().into_iter().flatten() {
            let good = !key.is_empty()
                && key.len() <= 253
                && key != "."
                && !key.starts_with("..")
                && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
            if !good {
                return Err(format!("\"{key}\" is no such key"));
            }
            if text.is_null() {
                return Err(format!("\"{key}\" is null; leave it out instead"));
            }
        }
        Ok(())
    })
}

/// A name of a role or database that needs no quoting anywhere.
pub(crate) fn identifier() -> Check {
    Check::text("1 to 63 lower case letters, digits or underscores, beginning with a letter", |text| {
        let good = text.len() <= 63
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            // The server keeps these to itself.
            && !text.starts_with("pg_");
        if good { Ok(()) } else { Err(format!("\"{text}\" is not")) }
    })
}

/// A major version.
pub(crate) fn postgres_version() -> Check {
    Check::text("a major version of PostgreSQL such as \"16\"", |text| match text.parse::<u32>() {
        Ok(major) if (9..100).contains(&major) => Ok(()),
        _ => Err(format!("\"{text}\" is none")),
    })
}

/// A reference to an image, with a tag or digest.
pub(crate) fn image() -> Check {
    Check::text("an image with a tag or digest, such as \"postgres:16-alpine\"", |text| {
        if text.is_empty() || text.chars().any(char::is_whitespace) {
            return Err(format!("\"{text}\" is none"));
        }
        match crate::image::tag(text) {
            Some("latest") => Err("the tag \"latest\" may be another major version tomorrow".to_owned()),
            None if !text.contains('@') => Err(format!("\"{text}\" has neither")),
            _ => Ok(()),
        }
    })
}

/// One instance.
pub(crate) fn instances() -> Check {
    Check::new("1", |value| match value {
        Value::Number(number) if number.as_i64() == Some(1) => Ok(()),
        Value::Number(number) => Err(format!(
            "{number} instances need the operator CloudNativePG, which this version of the provider does not drive yet"
        )),
        _ => Ok(()),
    })
}

fn reserved(key: &str) -> Option<&'static str> {
    match key.split_once('/').map(|(prefix, _)| prefix) {
        Some("pod-security.kubernetes.io") => Some("; use pod_security"),
        Some(ffe_cluster::mark::PREFIX) => Some(""),
        _ if key == ffe_cluster::mark::MANAGED_BY || key == "kubernetes.io/metadata.name" => Some(""),
        _ => None,
    }
}

fn qualified(key: &str) -> Result<(), String> {
    let (prefix, name) = key.rsplit_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let prefix_fits =
        prefix.is_none_or(|prefix| ffe_session::checks::dns_subdomain().run(&Value::from(prefix)).is_ok());
    if !name.is_empty() && label_value(name) && prefix_fits { Ok(()) } else { Err(format!("\"{key}\" is no such key")) }
}

fn label_value(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().last())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(key: &str, value: Value) -> Value {
        Value::map([(key, value)])
    }

    #[test]
    fn names_leave_room_for_what_is_made_of_them() {
        assert_eq!(environment_name().run(&Value::from("a".repeat(39))), Ok(()));
        assert!(environment_name().run(&Value::from("a".repeat(40))).is_err());
        assert!(environment_name().run(&Value::from("Prod")).is_err());
    }

    #[test]
    fn metadata_of_ours_is_refused_and_the_attribute_for_it_named() {
        let labels = metadata_keys("labels");
        assert_eq!(labels.run(&map("example.com/team", "core".into())), Ok(()));
        assert_eq!(labels.run(&map("team", Value::Unknown)), Ok(()));
        for (key, value, wrong) in [
            ("pod-security.kubernetes.io/enforce", "baseline", "use pod_security"),
            ("ffe.three-rivers.tech/preset", "dev", "set by the provider"),
            ("app.kubernetes.io/managed-by", "me", "set by the provider"),
            ("no spaces", "x", "no such key"),
            ("team", "no spaces", "value of \"team\""),
        ] {
            let error = labels.run(&map(key, value.into())).err().unwrap_or_default();
            assert!(error.contains(wrong), "{key}: {error}");
        }
        assert_eq!(metadata_keys("annotations").run(&map("note", "any text at all".into())), Ok(()));
    }

    #[test]
    fn keys_identifiers_versions_and_images() {
        assert_eq!(data_keys().run(&map("LOG_LEVEL", "info".into())), Ok(()));
        assert!(data_keys().run(&map("LOG LEVEL", "info".into())).is_err());
        assert!(data_keys().run(&map("A", Value::Null)).is_err());
        assert_eq!(identifier().run(&"ffe_1".into()), Ok(()));
        for bad in ["", "1a", "pg_x", "a-b", "A"] {
            assert!(identifier().run(&bad.into()).is_err(), "{bad}");
        }
        assert_eq!(postgres_version().run(&"16".into()), Ok(()));
        assert!(postgres_version().run(&"16.1".into()).is_err());
        for good in ["postgres:16-alpine", "registry:5000/a/postgres:16", "postgres@sha256:00"] {
            assert_eq!(image().run(&good.into()), Ok(()), "{good}");
        }
        for bad in ["postgres", "postgres:latest", "registry:5000/postgres", "a b:1"] {
            assert!(image().run(&bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn more_instances_are_refused_with_what_they_would_need() {
        assert_eq!(instances().run(&Value::from(1)), Ok(()));
        let error = instances().run(&Value::from(3)).err().unwrap_or_default();
        assert!(error.contains("CloudNativePG"), "{error}");
    }
}
