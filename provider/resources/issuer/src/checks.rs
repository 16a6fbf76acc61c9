//! Rules for attributes that only an issuer has.

use ffe_session::checks::dns_subdomain;
use serde_json::Value as Json;
use tfplugin::{Check, Value};

/// At least one way to prove control.
pub(crate) fn some_solvers() -> Check {
    Check::new("at least one solver", |value| match value {
        Value::List(all) if all.is_empty() => Err("it is empty".to_owned()),
        _ => Ok(()),
    })
}

/// Host names, wildcards too.
pub(crate) fn host_names() -> Check {
    Check::new("host names such as \"api.example.com\" or \"*.example.com\"", |value| {
        each(value, |name| is_name(name.strip_prefix("*.").unwrap_or(name)))
    })
}

/// Names of zones.
pub(crate) fn zone_names() -> Check {
    Check::new("names of zones such as \"example.com\", without a star", |value| each(value, is_name))
}

/// A JSON object as text.
pub(crate) fn json_object() -> Check {
    // The text is not shown: it may be a secret.
    Check::text("a JSON object, as jsonencode gives it", |text| match serde_json::from_str::<Json>(text) {
        Ok(Json::Object(_)) => Ok(()),
        Ok(_) => Err("it is JSON, and no object".to_owned()),
        Err(error) => Err(format!("it is no JSON: line {}, column {}", error.line(), error.column())),
    })
}

/// Where an authentication method of Vault is mounted, as cert-manager wants it.
pub(crate) fn mount_path() -> Check {
    Check::text("a path such as \"/v1/auth/kubernetes\"", |text| {
        if text.starts_with("/v1/auth/") {
            Ok(())
        } else {
            Err(format!("\"{text}\" does not begin with \"/v1/auth/\""))
        }
    })
}

fn each(value: &Value, good: impl Fn(&str) -> bool) -> Result<(), String> {
    let Value::List(all) = value else { return Ok(()) };
    for (index, one) in all.iter().enumerate() {
        match one {
            Value::Null => return Err(format!("element {index} is null; leave it out instead")),
            Value::String(text) if !good(text) => return Err(format!("\"{text}\" is none")),
            _ => {}
        }
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    dns_subdomain().run(&Value::from(text)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Value {
        Value::List(texts.iter().map(|text| Value::from(*text)).collect())
    }

    #[test]
    fn good_values_pass_and_bad_ones_are_named() {
        assert!(some_solvers().run(&list(&[])).is_err() && some_solvers().run(&list(&["x"])).is_ok());
        assert_eq!(host_names().run(&list(&["a.example.com", "*.example.com"])), Ok(()));
        assert!(host_names().run(&list(&["a b"])).is_err_and(|error| error.contains("\"a b\"")));
        assert_eq!(zone_names().run(&list(&["example.com", "intern"])), Ok(()));
        assert!(zone_names().run(&list(&["*.example.com"])).is_err());
        assert!(zone_names().run(&Value::List(vec![Value::Null])).is_err());
        assert_eq!(zone_names().run(&Value::List(vec![Value::Unknown])), Ok(()));
        assert_eq!(json_object().run(&Value::from("{\"a\": 1}")), Ok(()));
        let refused = json_object().run(&Value::from("{\"s3cret\"")).err().unwrap_or_default();
        assert!(refused.contains("line 1") && !refused.contains("s3cret"), "{refused}");
        assert!(json_object().run(&Value::from("[]")).is_err());
        assert_eq!(mount_path().run(&Value::from("/v1/auth/kubernetes")), Ok(()));
        assert!(mount_path().run(&Value::from("kubernetes")).is_err());
    }
}
