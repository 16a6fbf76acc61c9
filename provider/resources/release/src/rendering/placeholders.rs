//! Which rendered fields depend on write-only values: found by rendering with placeholders in their place.
//!
//! Nothing of a write-only value may reach the state, not even a digest of something that was made of it (a checksum annotation, a
//! short password in an environment variable): a digest of something short can be guessed. And a write-only value may be another one
//! in each run. So the fields that depend on one are found, and left out of every digest.

use ffe_helm::manifest::{Manifest, UnstableField};
use ffe_helm::values::Values;
use serde_json::Value as Json;
use tfplugin::Attr;
use tfplugin::Redactor;

use crate::settings::inputs::merged_values;
use crate::settings::model::Release;

/// The values with placeholders for the write-only ones; `None` where there are none.
pub(crate) fn values(config: &Release) -> Option<Values> {
    let set = config.set_wo.known().filter(|set| !set.is_empty())?;
    let other = set.iter().cloned().map(|mut item| {
        if let Some(value) = item.value.as_str() {
            item.value = Attr::Known(other_value(value, item.kind.as_str()));
        }
        item
    });
    let config = Release { set_wo: Attr::Known(other.collect()), ..config.clone() };
    merged_values(&config, true).ok()
}

/// A value of the same kind, length and form: what looks like a number, an address or base64 still does.
fn other_value(value: &str, kind: Option<&str>) -> String {
    if kind == Some("json") {
        return match serde_json::from_str(value) {
            Ok(json) => other_json(json).to_string(),
            Err(_) => value.to_owned(),
        };
    }
    // A switch decides what is rendered, and is no secret.
    if matches!(kind, None | Some("auto")) && matches!(value, "true" | "false" | "null" | "") {
        return value.to_owned();
    }
    other_text(value)
}

fn other_json(json: Json) -> Json {
    match json {
        Json::String(text) => Json::String(other_text(&text)),
        Json::Array(items) => Json::Array(items.into_iter().map(other_json).collect()),
        Json::Object(map) => Json::Object(map.into_iter().map(|(key, value)| (key, other_json(value))).collect()),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Json::from(whole ^ 1),
            None => Json::Number(number),
        },
        other => other,
    }
}

fn other_text(text: &str) -> String {
    let turn = |c: char, first: char, count: u8, by: u8| {
        let place = (c as u8).wrapping_sub(first as u8);
        char::from(first as u8 + (place + by) % count)
    };
    text.char_indices()
        .map(|(at, c)| match c {
            'a'..='z' => turn(c, 'a', 26, 7),
            'A'..='Z' => turn(c, 'A', 26, 7),
            // The first digit stays one that a number may begin with.
            '1'..='9' if at == 0 => turn(c, '1', 9, 4),
            '0'..='9' if at > 0 => turn(c, '0', 10, 3),
            other => other,
        })
        .collect()
}

/// The fields that show a write-only value as it is, and the checksums that are commonly made of them: for a chart that does
/// not render with other values.
pub(crate) fn holding(manifest: &Manifest, redactor: &Redactor) -> Vec<UnstableField> {
    texts(manifest, &|path, text| path.contains("/annotations/checksum") || redactor.knows(text))
}

/// The fields that show the date: of a chart that looks at the clock they are different tomorrow. Where Helm runs it may be
/// yesterday still, or tomorrow already.
pub(crate) fn dated(manifest: &Manifest, now: jiff::Timestamp) -> Vec<UnstableField> {
    let formats = ["%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d %b %Y", "%d %b %y"];
    let days =
        [-24, 0, 24].into_iter().filter_map(|hours| now.checked_add(jiff::SignedDuration::from_hours(hours)).ok());
    let shown: Vec<String> = days.flat_map(|day| formats.map(|format| day.strftime(format).to_string())).collect();
    texts(manifest, &|_, text| shown.iter().any(|day| text.contains(day)))
}

fn texts(manifest: &Manifest, wanted: &dyn Fn(&str, &str) -> bool) -> Vec<UnstableField> {
    let mut found = Vec::new();
    for object in &manifest.objects {
        each_text(&object.body, String::new(), &mut |path, text| {
            if wanted(path, text) {
                found.push(UnstableField { object: object.id.clone(), path: path.to_owned() });
            }
        });
    }
    found
}

fn each_text(value: &Json, path: String, found: &mut dyn FnMut(&str, &str)) {
    match value {
        Json::String(text) => found(&path, text),
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                each_text(item, format!("{path}/{index}"), found);
            }
        }
        Json::Object(map) => {
            for (key, value) in map {
                each_text(value, format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn placeholders_keep_the_form_and_nothing_of_the_value() {
        for (value, kind) in [
            ("hunter2", None),
            ("5432", Some("auto")),
            ("postgres://u:pw@db:5432/x", Some("string")),
            ("aHVudGVyMg==", None),
            ("{\"a\": [\"b\", 1]}", Some("json")),
        ] {
            let other = other_value(value, kind);
            assert_ne!(other, value);
            if kind != Some("json") {
                assert_eq!(other.len(), value.len());
                let form = |text: &str| -> String {
                    text.chars()
                        .map(|c| {
                            if c.is_ascii_digit() {
                                '0'
                            } else if c.is_alphabetic() {
                                'a'
                            } else {
                                c
                            }
                        })
                        .collect()
                };
                assert_eq!(form(&other), form(value), "{value}");
            }
        }
        assert_eq!(other_value("true", None), "true");
        assert_ne!(other_value("true", Some("string")), "true");
        assert!(!other_value("100", None).starts_with('0'));
    }

    #[test]
    fn fields_with_a_value_or_the_date_are_found() {
        let manifest = Manifest::parse(
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, annotations: {checksum/secret: abc}}, data: {p: x-hunter2, q: y, at: \"2026-11-21T08:00:00Z\", day: 20261121}}",
        )
        .unwrap();
        let paths = |found: Vec<UnstableField>| found.into_iter().map(|field| field.path).collect::<Vec<_>>();
        let redactor = Redactor::new(["hunter2"]);
        assert_eq!(paths(holding(&manifest, &redactor)), ["/metadata/annotations/checksum~1secret", "/data/p"]);
        let now: jiff::Timestamp = "2026-11-21T08:00:05Z".parse().unwrap();
        assert_eq!(paths(dated(&manifest, now)), ["/data/at"]);
    }
}
