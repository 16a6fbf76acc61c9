//! Reference pages out of schemas. The expected pages lie in `snapshots/`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use tfplugin::docs::{Examples, Page, function_page, pages, resource_page};
use tfplugin::{
    AnyDataSource, AnyEphemeralResource, AnyResource, Attr, Context, DataSource, Diagnostics, Engine,
    EphemeralResource, Function, FunctionError, Model, Opened, Parameter, Provider, Signature, Type, Value,
    async_trait,
};
use tfplugin::{Applied, Create, Delete, Read, Refreshed, Resource, Update};

/// A place to run things.
/// On two lines.
///
/// With a second paragraph, in *Markdown*.
#[derive(Model, Clone, Debug)]
struct Place {
    /// Name of the place
    #[attr(required, replace)]
    name: Attr<String>,
    /// Size of it.
    #[attr(optional, one_of("small", "large"))]
    size: Attr<String>,
    /// Whether `adopt`ed
    /// when it exists
    #[attr(default = false)]
    adopt: Attr<bool>,
    /// How it is labelled. In short:
    ///
    /// - keys are names
    ///   of labels
    /// - values are text
    #[attr(default = BTreeMap::from([("app".to_owned(), "x".to_owned())]))]
    labels: Attr<BTreeMap<String, String>>,
    /// Password.
    #[attr(optional, write_only, sensitive)]
    password_wo: Attr<String>,
    /// Old way.
    #[attr(optional, deprecated = "use `size`")]
    old_size: Attr<i64>,
    /// Disks by name.
    #[attr(optional)]
    disks: Attr<BTreeMap<String, Disk>>,
    /// Where it is reached.
    #[attr(computed)]
    endpoints: Attr<Vec<Endpoint>>,
}

/// A disk.
#[derive(Model, Clone, Debug)]
struct Disk {
    /// Size in bytes.
    #[attr(required, replace)]
    size: Attr<i64>,
    /// Encryption.
    #[attr(optional)]
    encryption: Attr<Encryption>,
}

/// Encryption.
#[derive(Model, Clone, Debug)]
struct Encryption {
    /// The key.
    #[attr(required, write_only)]
    key_wo: Attr<String>,
}

/// An endpoint.
#[derive(Model, Clone, Debug)]
struct Endpoint {
    /// URL.
    #[attr(computed)]
    url: Attr<String>,
}

fn signature() -> Signature {
    let parameter = |name: &str, ty, allow_null| Parameter {
        name: name.into(),
        ty,
        description: format!("The {name}."),
        allow_null,
        allow_unknown: false,
    };
    Signature {
        name: "join".into(),
        parameters: vec![parameter("separator", Type::String, false)],
        variadic: Some(parameter("parts", Type::list(Type::String), true)),
        returns: Type::object([("text", Type::String)]),
        summary: "Joins texts.".into(),
        description: "Joins all texts.".into(),
        deprecated: Some("use `join` of the language".into()),
    }
}

#[test]
fn the_page_of_a_resource() {
    let examples = Examples {
        usage: Some("resource \"demo_place\" \"this\" {\n  name = \"a\"\n}\n"),
        import: Some("terraform import demo_place.this a\n"),
    };
    insta::assert_snapshot!(resource_page("demo_place", &Place::schema(), &examples));
}

#[test]
fn the_page_of_a_function() {
    insta::assert_snapshot!(function_page("demo", &signature(), &Examples::default()));
}

struct Demo;

/// Demo.
#[derive(Model, Clone, Debug)]
struct Nothing {}

#[async_trait]
impl Provider for Demo {
    type Config = Nothing;

    fn name(&self) -> &'static str {
        "demo"
    }

    fn resources(&self) -> Vec<AnyResource> {
        vec![Named("demo_place").into()]
    }

    fn data_sources(&self) -> Vec<AnyDataSource> {
        vec![AnyDataSource::new(Named("demo_place"))]
    }

    fn ephemeral_resources(&self) -> Vec<AnyEphemeralResource> {
        vec![AnyEphemeralResource::new(Named("demo_token"))]
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        vec![Arc::new(Join)]
    }

    async fn configure(&self, _cx: &Context, _config: Nothing) -> Diagnostics {
        Diagnostics::new()
    }
}

struct Join;

impl Function for Join {
    fn signature(&self) -> Signature {
        signature()
    }

    fn call(&self, _arguments: Vec<Value>) -> Result<Value, FunctionError> {
        Ok(Value::Null)
    }
}

/// Never called: pages are made from schemas alone.
struct Named(&'static str);

fn uncalled() -> Diagnostics {
    Diagnostics::error("not called", "")
}

#[async_trait]
impl Resource for Named {
    type Model = Place;

    fn type_name(&self) -> &'static str {
        self.0
    }

    async fn create(&self, _cx: &Context, _request: Create<Place>) -> Applied<Place> {
        Applied::failed(uncalled())
    }

    async fn read(&self, _cx: &Context, _request: Read<Place>) -> Refreshed<Place> {
        Refreshed::gone().with(uncalled())
    }

    async fn update(&self, _cx: &Context, _request: Update<Place>) -> Applied<Place> {
        Applied::failed(uncalled())
    }

    async fn delete(&self, _cx: &Context, _request: Delete<Place>) -> Diagnostics {
        uncalled()
    }
}

#[async_trait]
impl DataSource for Named {
    type Model = Endpoint;

    fn type_name(&self) -> &'static str {
        self.0
    }

    async fn read(&self, _cx: &Context, _config: Endpoint) -> Result<(Endpoint, Diagnostics), Diagnostics> {
        Err(uncalled())
    }
}

#[async_trait]
impl EphemeralResource for Named {
    type Model = Endpoint;

    fn type_name(&self) -> &'static str {
        self.0
    }

    async fn open(&self, _cx: &Context, _config: Endpoint) -> Result<Opened<Endpoint>, Diagnostics> {
        Err(uncalled())
    }
}

#[test]
fn a_provider_has_a_page_for_each_of_its_things() {
    let found = pages(&Engine::new(Demo), |path| Some(format!("# {path}")));
    let summary: Vec<String> = found
        .iter()
        .map(|Page { path, text }| {
            let heading = text.lines().find(|line| line.starts_with("# ") && !line.contains('/')).unwrap();
            let examples: Vec<&str> =
                text.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| line.contains('/')).collect();
            format!("{path}: {heading}: {}", examples.join(", "))
        })
        .collect();
    assert_eq!(
        summary,
        [
            "index.md: # demo Provider: provider/provider.tf",
            "resources/place.md: # demo_place (Resource): resources/demo_place/resource.tf, resources/demo_place/import.sh",
            "data-sources/place.md: # demo_place (Data Source): data-sources/demo_place/data-source.tf",
            "ephemeral-resources/token.md: # demo_token (Ephemeral Resource): ephemeral-resources/demo_token/ephemeral-resource.tf",
            "functions/join.md: # join (Function): functions/join/function.tf",
        ]
    );
    assert!(found[0].text.contains("There are no attributes."));
}

#[test]
fn without_examples_there_is_no_empty_section() {
    let page = resource_page("demo_place", &Place::schema(), &Examples::default());
    assert!(!page.contains("Example Usage") && !page.contains("## Import"));
}
