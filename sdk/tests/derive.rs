//! `#[derive(Model)]` as an author uses it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use tfplugin::{Attr, Check, Field, Mode, Model, Nesting, Number, Path, Shape, Type, Value};

/// Where an application lives.
///
/// Described with *Markdown*.
#[derive(Model, Clone, Debug, PartialEq)]
#[model(version = 2, deprecated = "use `other_environment`")]
struct Environment {
    /// Name of it.
    /// On a second line.
    ///
    ///   * indented
    #[attr(required, replace, check = Check::text("short", |text| if text.len() < 9 { Ok(()) } else { Err("too long".into()) }))]
    name: Attr<String>,
    /// Preset.
    #[attr(optional, one_of("dev", "staging"))]
    preset: Attr<String>,
    /// Adopts what exists.
    #[attr(default = false)]
    adopt: Attr<bool>,
    /// Number of copies.
    #[attr(default = -3)]
    copies: Attr<i64>,
    /// Share of the traffic.
    #[attr(default = 0.1)]
    share: Attr<f64>,
    /// Size on disk.
    #[attr(default = "1Gi", name = "type")]
    kind: Attr<String>,
    /// Zones.
    #[attr(default = BTreeSet::from(["a".to_owned()]))]
    zones: Attr<BTreeSet<String>>,
    /// Namespace.
    #[attr(optional, computed)]
    namespace: Attr<String>,
    /// Secrets.
    #[attr(optional, write_only, sensitive)]
    secrets_wo: Attr<BTreeMap<String, Attr<String>>>,
    /// Database.
    #[attr(optional)]
    database: Attr<Database>,
    /// Rules.
    #[attr(optional)]
    rules: Attr<Vec<Rule>>,
    /// Rules by name.
    #[attr(optional)]
    rules_by_name: Attr<BTreeMap<String, Attr<Rule>>>,
    /// Distinct rules.
    #[attr(optional)]
    rule_set: Attr<BTreeSet<Rule>>,
    /// Anything.
    #[attr(optional)]
    anything: Attr<Value>,
    /// A raw identifier.
    #[attr(optional)]
    r#move: Attr<Number>,
    /// Identifier.
    #[attr(computed, keep)]
    id: Attr<String>,
    /// Old.
    #[attr(optional, deprecated = "use `name`")]
    old: Attr<String>,
}

/// A database.
#[derive(Model, Clone, Debug, PartialEq)]
struct Database {
    /// Size.
    #[attr(required, replace)]
    size: i64,
    /// URL.
    #[attr(optional, write_only)]
    url_wo: Attr<String>,
}

/// A rule.
#[derive(Model, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    /// Port.
    #[attr(required)]
    port: Attr<i64>,
}

/// A model whose attributes are of any type.
#[derive(Model, Clone, Debug, PartialEq)]
struct Boxed<T>
where
    T: Field,
{
    /// What is in it.
    #[attr(required)]
    inner: Attr<T>,
}

fn attribute(name: &str) -> tfplugin::Attribute {
    Environment::attributes().into_iter().find(|one| one.name == name).expect(name)
}

#[test]
fn the_schema_says_what_the_struct_says() {
    let schema = Environment::schema();
    assert_eq!(schema.version, 2);
    assert_eq!(schema.description, "Where an application lives.\n\nDescribed with *Markdown*.");
    assert_eq!(schema.deprecated.as_deref(), Some("use `other_environment`"));
    assert_eq!(schema.problems(), Vec::<String>::new());
    let names: Vec<&str> = schema.attributes.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "name",
            "preset",
            "adopt",
            "copies",
            "share",
            "type",
            "zones",
            "namespace",
            "secrets_wo",
            "database",
            "rules",
            "rules_by_name",
            "rule_set",
            "anything",
            "move",
            "id",
            "old"
        ]
    );

    let name = attribute("name");
    assert_eq!(name.description, "Name of it.\nOn a second line.\n\n  * indented");
    assert!(name.replace && name.mode == Mode::Required);
    assert_eq!(name.checks[0].run(&"far too long".into()), Err("too long".to_owned()));
    assert_eq!(attribute("preset").checks, [Check::one_of(&["dev", "staging"])]);
    assert_eq!(attribute("namespace").mode, Mode::OptionalComputed);
    let id = attribute("id");
    assert!(id.keep && id.mode == Mode::Computed);
    let secrets = attribute("secrets_wo");
    assert!(secrets.write_only && secrets.sensitive && secrets.mode == Mode::Optional);
    assert_eq!(attribute("old").deprecated.as_deref(), Some("use `name`"));
}

#[test]
fn defaults_are_values_of_the_fields_type() {
    for (name, expected) in [
        ("adopt", Value::Bool(false)),
        ("copies", Value::from(-3)),
        ("share", Value::Number(Number::parse("0.1").unwrap())),
        ("type", "1Gi".into()),
        ("zones", Value::set(["a".into()])),
    ] {
        let attribute = attribute(name);
        assert_eq!(attribute.default, Some(expected), "{name}");
        assert_eq!(attribute.mode, Mode::OptionalComputed, "{name}");
    }
    assert_eq!(attribute("name").default, None);
}

#[test]
fn shapes_follow_the_rust_types() {
    let nesting = |name: &str| match attribute(name).shape {
        Shape::Nested(nesting, _) => nesting,
        Shape::Plain(ty) => panic!("{name} is a plain {ty}"),
    };
    assert_eq!(nesting("database"), Nesting::Single);
    assert_eq!(nesting("rules"), Nesting::List);
    assert_eq!(nesting("rules_by_name"), Nesting::Map);
    assert_eq!(nesting("rule_set"), Nesting::Set);
    assert_eq!(attribute("secrets_wo").shape, Shape::Plain(Type::map(Type::String)));
    assert_eq!(attribute("anything").shape, Shape::Plain(Type::Dynamic));
    assert_eq!(attribute("rule_set").shape.ty(), Type::set(Type::object([("port", Type::Number)])));
    assert_eq!(Boxed::<Vec<bool>>::schema().ty(), Type::object([("inner", Type::list(Type::Bool))]));
}

/// An environment in which everything is null but the name.
fn named(entries: &[(&str, Value)]) -> Value {
    let mut value = Environment::schema().empty();
    if let Value::Map(map) = &mut value {
        map.insert("name".into(), "a".into());
        map.extend(entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    value
}

#[test]
fn values_go_through_the_struct_unchanged() {
    let rule = |port: i64| Value::map([("port", Value::from(port))]);
    let value = named(&[
        ("preset", Value::Unknown),
        ("share", Value::Number(Number::parse("0.3").unwrap())),
        ("type", "k".into()),
        ("move", Value::Number(Number::parse("1e40").unwrap())),
        ("secrets_wo", Value::map([("A", Value::Unknown), ("B", "b".into()), ("C", Value::Null)])),
        ("database", Value::map([("size", Value::from(3)), ("url_wo", Value::Null)])),
        ("rules", Value::List(vec![rule(2), rule(1), rule(2)])),
        ("rules_by_name", Value::map([("x", rule(1)), ("y", Value::Unknown)])),
        ("rule_set", Value::set([rule(2), rule(1)])),
        ("anything", Value::Dynamic(Box::new(Type::Bool), Box::new(Value::Bool(true)))),
    ]);
    let model = Environment::from_value(&value, &Path::root()).expect("it fits");
    assert_eq!(model.to_value(), value);
    assert_eq!(model.name.as_str(), Some("a"));
    assert!(model.preset.is_unknown() && model.adopt.is_null());
    assert_eq!(model.kind, "k".into());
    assert_eq!(model.database.known().map(|database| database.size), Some(3));
}

#[test]
fn what_is_missing_reads_as_null() {
    let model = Environment::from_value(&Value::map([("name", Value::from("a"))]), &Path::root()).expect("it fits");
    assert!(model.rules.is_null());
    assert_eq!(model.to_value(), named(&[]));
}

#[test]
fn what_does_not_fit_is_refused_with_its_path() {
    let size = |size: Value| named(&[("database", Value::map([("size", size)]))]);
    for (value, path, summary) in [
        (size(Value::Null), "database.size", "database.size is not set"),
        (size(Value::Unknown), "database.size", "database.size is not known yet"),
        (size(Value::Number(Number::parse("0.5").unwrap())), "database.size", "database.size is of another form"),
        (
            named(&[("rules_by_name", Value::map([("x", Value::from(1))]))]),
            "rules_by_name[\"x\"]",
            "rules_by_name[\"x\"] is of another form",
        ),
        (named(&[("name", Value::Bool(true))]), "name", "name is of another form"),
    ] {
        let error = Environment::from_value(&value, &Path::root()).expect_err(summary);
        assert_eq!(error.path.unwrap().to_string(), path);
        assert_eq!(error.summary, summary);
    }
    assert!(Environment::from_value(&Value::Null, &Path::root()).is_err());
}

#[test]
fn an_element_that_is_unknown_as_a_whole_has_unknown_attributes() {
    let rules = [
        ("rules", Value::List(vec![Value::Unknown])),
        ("rules_by_name", Value::map([("x", Value::Unknown)])),
        ("rule_set", Value::set([Value::Unknown])),
    ];
    let model = Environment::from_value(&named(&rules), &Path::root()).expect("it fits");
    assert_eq!(model.rules, Attr::Known(vec![Rule { port: Attr::Unknown }]));
    assert_eq!(model.rules_by_name, Attr::Known([("x".to_owned(), Attr::Unknown)].into()));
    assert_eq!(model.rule_set, Attr::Known([Rule { port: Attr::Unknown }].into()));
}

#[test]
fn a_model_may_be_generic() {
    let model = Boxed { inner: Attr::Known(vec![true]) };
    let value = model.to_value();
    assert_eq!(Boxed::<Vec<bool>>::from_value(&value, &Path::root()).unwrap(), model);
}
