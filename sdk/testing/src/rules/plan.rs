//! What a provider may plan.

use tfplugin_core::{Attribute, Mode, Nesting, Path, Schema, Shape, Value};

use super::Problem;
use crate::json::text;

/// Everything in a planned state that is neither configured, nor kept from the prior state in place of an
/// equivalent configured value, nor the provider's own to give. ("Provider produced invalid plan".)
pub(crate) fn plan_problems(schema: &Schema, prior: &Value, config: &Value, planned: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    object(&schema.attributes, prior, config, planned, &Path::root(), &mut problems);
    problems
}

fn object(all: &[Attribute], prior: &Value, config: &Value, planned: &Value, at: &Path, problems: &mut Vec<Problem>) {
    if let Some(absence) = existence(config, planned, at) {
        problems.push(absence);
    } else if !planned.is_null() {
        attributes(all, prior, config, planned, at, problems);
    }
}

fn existence(config: &Value, planned: &Value, at: &Path) -> Option<Problem> {
    match (config.is_null(), planned.is_null()) {
        (false, true) => Some(Problem::new(at, "planned for absence but config wants existence")),
        (true, false) => Some(Problem::new(at, "planned for existence but config wants absence")),
        _ => None,
    }
}

/// An unknown object has unknown attributes.
fn part<'a>(value: &'a Value, name: &str) -> &'a Value {
    if value.is_unknown() { value } else { value.attribute(name) }
}

fn attributes(
    all: &[Attribute],
    prior: &Value,
    config: &Value,
    planned: &Value,
    at: &Path,
    problems: &mut Vec<Problem>,
) {
    for attribute in all {
        let name = attribute.name.as_str();
        value(attribute, part(prior, name), part(config, name), part(planned, name), &at.child(name), problems);
    }
}

fn value(
    attribute: &Attribute,
    prior: &Value,
    config: &Value,
    planned: &Value,
    at: &Path,
    problems: &mut Vec<Problem>,
) {
    if attribute.write_only {
        // Whether it is null is `write_only_set`'s question.
        return;
    }
    let kept = planned == prior && !prior.is_null() && !config.is_null();
    let free = attribute.mode == Mode::Computed || (config.is_null() && attribute.mode.is_computed());
    if planned == config || kept || free {
        return;
    }
    if config.is_null() {
        problems.push(Problem::new(
            at,
            if attribute.sensitive {
                "sensitive planned value for a non-computed attribute".to_owned()
            } else {
                format!("planned value {} for a non-computed attribute", text(planned))
            },
        ));
        return;
    }
    if let Shape::Nested(nesting, children) = &attribute.shape {
        nested(*nesting, children, prior, config, planned, at, problems);
        return;
    }
    let beside = if prior.is_null() { "" } else { " nor prior value" };
    problems.push(Problem::new(
        at,
        if attribute.sensitive {
            format!("sensitive planned value does not match config value{beside}")
        } else {
            let prior = if prior.is_null() { String::new() } else { format!("{beside} {}", text(prior)) };
            format!("planned value {} does not match config value {}{prior}", text(planned), text(config))
        },
    ));
}

fn nested(
    nesting: Nesting,
    children: &[Attribute],
    prior: &Value,
    config: &Value,
    planned: &Value,
    at: &Path,
    problems: &mut Vec<Problem>,
) {
    if let Some(absence) = existence(config, planned, at) {
        problems.push(absence);
        return;
    }
    if planned.is_unknown() {
        problems.push(Problem::new(at, "planned unknown for configured value"));
        return;
    }
    match (nesting, planned, config) {
        (Nesting::Single, planned, config) => attributes(children, prior, config, planned, at, problems),
        (_, planned, Value::Unknown) => {
            let known = format!("planned value {} for an unknown configured value", text(planned));
            problems.push(Problem::new(at, known));
        }
        (Nesting::List, Value::List(planned), Value::List(config)) => {
            if let Some(counts) = counts(planned.len(), config.len(), at) {
                problems.push(counts);
                return;
            }
            let before = if let Value::List(before) = prior { before.as_slice() } else { &[] };
            for (index, (planned, config)) in planned.iter().zip(config).enumerate() {
                let prior = before.get(index).unwrap_or(&Value::Null);
                attributes(children, prior, config, planned, &at.index(index), problems);
            }
        }
        (Nesting::Map, Value::Map(planned), Value::Map(config)) => {
            if let Some(counts) = counts(planned.len(), config.len(), at) {
                problems.push(counts);
                return;
            }
            for (key, planned) in planned {
                match config.get(key) {
                    Some(config) => {
                        attributes(children, prior.attribute(key), config, planned, &at.key(key.as_str()), problems);
                    }
                    None => {
                        problems.push(Problem::new(at, format!("map key {key:?} from plan is not present in config")));
                    }
                }
            }
            for key in config.keys().filter(|key| !planned.contains_key(*key)) {
                problems.push(Problem::new(at, format!("map key {key:?} from config is not present in plan")));
            }
        }
        // Elements of a set cannot be told apart, so core trusts the provider; only their number counts. An
        // unknown element may turn out equal to another one.
        (Nesting::Set, Value::Set(planned), Value::Set(config)) => {
            if planned.iter().chain(config).all(Value::is_wholly_known) {
                problems.extend(counts(planned.len(), config.len(), at));
            }
        }
        (_, planned, config) => {
            let forms = format!("planned value {} is not of the form of config value {}", text(planned), text(config));
            problems.push(Problem::new(at, forms));
        }
    }
}

fn counts(planned: usize, config: usize, at: &Path) -> Option<Problem> {
    (planned != config)
        .then(|| Problem::new(at, format!("count in plan ({planned}) disagrees with count in config ({config})")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value as Json, json};
    use tfplugin_core::Type;

    use super::*;
    use crate::json::{read, unknown};

    fn text(name: &str, mode: Mode) -> Attribute {
        Attribute::new(name, Shape::Plain(Type::String), mode)
    }

    fn schema() -> Schema {
        let object = |name: &str, nesting| {
            let mut secret = text("secret", Mode::Optional);
            secret.sensitive = true;
            let children = vec![text("in", Mode::Optional), text("both", Mode::OptionalComputed), secret];
            Attribute::new(name, Shape::Nested(nesting, children), Mode::Optional)
        };
        Schema {
            attributes: vec![
                text("in", Mode::Optional),
                text("both", Mode::OptionalComputed),
                text("out", Mode::Computed),
                object("single", Nesting::Single),
                object("list", Nesting::List),
                object("map", Nesting::Map),
                object("set", Nesting::Set),
            ],
            ..Schema::default()
        }
    }

    fn check(prior: Json, config: Json, planned: Json, expected: &[&str]) {
        let value = |json: &Json| read(json, &schema().ty(), &Path::root()).unwrap();
        let found: Vec<String> = plan_problems(&schema(), &value(&prior), &value(&config), &value(&planned))
            .iter()
            .map(Problem::to_string)
            .collect();
        assert_eq!(found, expected, "prior {prior}, config {config}, planned {planned}");
    }

    #[test]
    fn what_is_allowed_passes() {
        for (prior, config, planned) in [
            (json!(null), json!({ "in": "a" }), json!({ "in": "a", "both": unknown(), "out": unknown() })),
            (json!(null), json!({ "in": "a" }), json!({ "in": "a", "both": "x", "out": "y" })),
            (json!({ "in": "1.0" }), json!({ "in": "1" }), json!({ "in": "1.0" })),
            (json!(null), json!({ "in": unknown() }), json!({ "in": unknown() })),
            (json!(null), json!({ "single": { "in": "a" } }), json!({ "single": { "in": "a", "both": unknown() } })),
            (json!(null), json!({ "list": unknown() }), json!({ "list": unknown() })),
            (json!(null), json!({ "list": [{}] }), json!({ "list": [{ "both": "x" }] })),
            (json!(null), json!({ "map": { "k": {} } }), json!({ "map": { "k": { "both": "x" } } })),
            (json!(null), json!({ "set": [{ "in": "a" }] }), json!({ "set": [{ "in": "b" }] })),
            (json!({ "in": "a" }), json!(null), json!(null)),
        ] {
            check(prior, config, planned, &[]);
        }
    }

    #[test]
    fn every_departure_from_the_configuration_is_named() {
        check(
            json!(null),
            json!({ "in": "a" }),
            json!({ "in": "b" }),
            &["in: planned value \"b\" does not match config value \"a\""],
        );
        check(
            json!({ "in": "0" }),
            json!({ "in": "a" }),
            json!({ "in": "b" }),
            &["in: planned value \"b\" does not match config value \"a\" nor prior value \"0\""],
        );
        check(
            json!({ "both": "0" }),
            json!({ "both": "a" }),
            json!({ "both": unknown() }),
            &["both: planned value (known after apply) does not match config value \"a\" nor prior value \"0\""],
        );
        check(
            json!({ "in": "0" }),
            json!({}),
            json!({ "in": "0" }),
            &["in: planned value \"0\" for a non-computed attribute"],
        );
        check(json!(null), json!({}), json!(null), &["planned for absence but config wants existence"]);
    }

    #[test]
    fn departures_inside_objects_are_named_with_their_path() {
        check(
            json!(null),
            json!({ "single": { "in": "a", "secret": "s" } }),
            json!({ "single": { "in": "b", "secret": "t" } }),
            &[
                "single.in: planned value \"b\" does not match config value \"a\"",
                "single.secret: sensitive planned value does not match config value",
            ],
        );
        check(
            json!(null),
            json!({ "single": {} }),
            json!({}),
            &["single: planned for absence but config wants existence"],
        );
        check(
            json!(null),
            json!({ "single": {} }),
            json!({ "single": unknown() }),
            &["single: planned unknown for configured value"],
        );
        check(
            json!(null),
            json!({}),
            json!({ "single": {} }),
            &["single: planned value {\"both\":null,\"in\":null,\"secret\":null} for a non-computed attribute"],
        );
        check(
            json!(null),
            json!({ "list": [{ "in": "a" }] }),
            json!({ "list": [{ "in": "b" }] }),
            &["list[0].in: planned value \"b\" does not match config value \"a\""],
        );
        check(
            json!(null),
            json!({ "list": [{}], "map": { "k": {} }, "set": [{}] }),
            json!({ "list": [], "map": { "l": {} }, "set": [] }),
            &[
                "list: count in plan (0) disagrees with count in config (1)",
                "map: map key \"l\" from plan is not present in config",
                "map: map key \"k\" from config is not present in plan",
                "set: count in plan (0) disagrees with count in config (1)",
            ],
        );
        check(
            json!(null),
            json!({ "list": unknown() }),
            json!({ "list": [] }),
            &["list: planned value [] for an unknown configured value"],
        );
    }
}
