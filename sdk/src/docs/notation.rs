//! Types and values as a reader of the pages knows them.

use tfplugin_core::{Type, Value};

/// The name of a type in prose: `List of String`.
pub(super) fn type_name(ty: &Type) -> String {
    match ty {
        Type::Bool => "Boolean".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::String => "String".to_owned(),
        Type::Dynamic => "Dynamic".to_owned(),
        Type::List(element) => format!("List of {}", type_name(element)),
        Type::Set(element) => format!("Set of {}", type_name(element)),
        Type::Map(element) => format!("Map of {}", type_name(element)),
        Type::Object(_) | Type::Tuple(_) => format!("`{ty}`"),
    }
}

/// A value as one writes it in HCL.
pub(super) fn value(of: &Value) -> String {
    match of {
        Value::Null => "null".to_owned(),
        Value::Unknown => "(known after apply)".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::List(elements) | Value::Set(elements) => {
            format!("[{}]", elements.iter().map(value).collect::<Vec<_>>().join(", "))
        }
        Value::Map(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, one)| format!("{} = {}", name(key), value(one))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Dynamic(_, inner) => value(inner),
    }
}

fn name(key: &str) -> String {
    let plain = key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if plain { key.to_owned() } else { quoted(key) }
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out.replace("${", "$${").replace("%{", "%%{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_like_hcl() {
        for (of, expected) in [
            (Value::Bool(true), "true"),
            (Value::from(-3), "-3"),
            ("a \"b\"\n${c}".into(), "\"a \\\"b\\\"\\n$${c}\""),
            (Value::List(Vec::new()), "[]"),
            (Value::set(["b".into(), "a".into()]), "[\"a\", \"b\"]"),
            (Value::map([("a", Value::from(1)), ("b c", Value::Null)]), "{ a = 1, \"b c\" = null }"),
            (Value::map([] as [(&str, Value); 0]), "{}"),
            (Value::Dynamic(Box::new(Type::String), Box::new("x".into())), "\"x\""),
        ] {
            assert_eq!(value(&of), expected);
        }
    }

    #[test]
    fn types_read_like_prose() {
        assert_eq!(type_name(&Type::list(Type::map(Type::Number))), "List of Map of Number");
        assert_eq!(type_name(&Type::object([("a", Type::Bool)])), "`object({ a = bool })`");
    }
}
