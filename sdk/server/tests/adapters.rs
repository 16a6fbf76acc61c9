//! Every call of the protocol against the tiny provider, over tonic's client but without a connection.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "support/tiny.rs"]
mod tiny;

use tfplugin_core::{Model as _, Type, Value, from_msgpack, to_msgpack};
use tfplugin_proto::tfplugin6::provider_client::ProviderClient;
use tfplugin_proto::tfplugin6::provider_server::ProviderServer;
use tfplugin_proto::tfplugin6::*;
use tfplugin_server::ProviderService;
use tonic::Code;

use tiny::{SECRET, Thing, Tiny, thing};

type Client = ProviderClient<ProviderServer<ProviderService>>;

fn client() -> Client {
    ProviderClient::new(tfplugin_server::service(Tiny))
}

fn ty() -> Type {
    Thing::schema().ty()
}

fn wire(value: &Value) -> Option<DynamicValue> {
    Some(DynamicValue { msgpack: to_msgpack(value, &ty()).unwrap(), json: Vec::new() })
}

fn value(wire: Option<DynamicValue>) -> Value {
    from_msgpack(&wire.unwrap().msgpack, &ty()).unwrap()
}

fn texts(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics.iter().map(|one| format!("{}: {} {}", one.severity, one.summary, one.detail)).collect()
}

fn named(name: &str) -> Value {
    thing(name.into(), Value::Null, Value::Null)
}

/// Plans and applies a create of a thing of that name.
async fn create(client: &mut Client, name: &str) -> apply_resource_change::Response {
    let planned = client
        .plan_resource_change(plan_resource_change::Request {
            type_name: "tiny_thing".to_owned(),
            prior_state: wire(&Value::Null),
            proposed_new_state: wire(&named(name)),
            config: wire(&named(name)),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(texts(&planned.diagnostics), [""; 0]);
    let request = apply_resource_change::Request {
        type_name: "tiny_thing".to_owned(),
        prior_state: wire(&Value::Null),
        planned_state: planned.planned_state,
        config: wire(&named(name)),
        planned_private: planned.planned_private,
        ..Default::default()
    };
    client.apply_resource_change(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn metadata_and_schema_name_everything_and_tell_the_capabilities() {
    let mut client = client();
    let metadata = client.get_metadata(get_metadata::Request {}).await.unwrap().into_inner();
    let expected = ServerCapabilities {
        plan_destroy: true,
        get_provider_schema_optional: true,
        move_resource_state: true,
        generate_resource_config: false,
    };
    assert_eq!(metadata.server_capabilities, Some(expected));
    assert_eq!(metadata.resources[0].type_name, "tiny_thing");
    assert_eq!(metadata.data_sources[0].type_name, "tiny_lookup");
    assert_eq!(metadata.ephemeral_resources[0].type_name, "tiny_ticket");
    assert_eq!(metadata.functions[0].name, "join");

    let schema = client.get_provider_schema(get_provider_schema::Request {}).await.unwrap().into_inner();
    assert_eq!(schema.server_capabilities, Some(expected));
    let thing = &schema.resource_schemas["tiny_thing"];
    assert_eq!((thing.version, thing.block.as_ref().unwrap().attributes.len()), (1, 3));
    assert!(schema.data_source_schemas.contains_key("tiny_lookup"));
    assert!(schema.ephemeral_resource_schemas.contains_key("tiny_ticket"));
    assert!(schema.functions["join"].variadic_parameter.is_some());
    assert_eq!(schema.provider.unwrap().block.unwrap().attributes[0].name, "token");

    let identities = client.get_resource_identity_schemas(get_resource_identity_schemas::Request {}).await.unwrap();
    assert!(identities.into_inner().identity_schemas.is_empty());
}

#[tokio::test]
async fn a_thing_lives_from_plan_to_destroy() {
    let mut client = client();
    let created = create(&mut client, "a").await;
    assert_eq!(texts(&created.diagnostics), [""; 0]);
    let state = thing("a".into(), Value::Null, "id-a".into());
    assert_eq!(value(created.new_state.clone()), state);
    assert!(!created.private.is_empty(), "the plan's private state goes on to the state");

    let read = client
        .read_resource(read_resource::Request {
            type_name: "tiny_thing".to_owned(),
            current_state: created.new_state.clone(),
            private: created.private.clone(),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!((value(read.new_state), read.private), (state.clone(), created.private));

    let plan = |config: Value, proposed: Value| plan_resource_change::Request {
        type_name: "tiny_thing".to_owned(),
        prior_state: wire(&state),
        proposed_new_state: wire(&proposed),
        config: wire(&config),
        ..Default::default()
    };
    let renamed = client.plan_resource_change(plan(named("b"), thing("b".into(), Value::Null, "id-a".into()))).await;
    let replaced = renamed.unwrap().into_inner().requires_replace;
    let step = replaced[0].steps[0].selector.clone().unwrap();
    assert_eq!((replaced.len(), step), (1, attribute_path::step::Selector::AttributeName("name".to_owned())));

    let gone = client.plan_resource_change(plan(Value::Null, Value::Null)).await.unwrap().into_inner();
    assert_eq!(value(gone.planned_state.clone()), Value::Null);
    let destroyed = client
        .apply_resource_change(apply_resource_change::Request {
            type_name: "tiny_thing".to_owned(),
            prior_state: wire(&state),
            planned_state: gone.planned_state,
            config: wire(&Value::Null),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!((value(destroyed.new_state), destroyed.diagnostics.len()), (Value::Null, 0));
}

#[tokio::test]
async fn what_is_gone_reads_as_null() {
    let state = thing("gone".into(), Value::Null, "id".into());
    let request = read_resource::Request {
        type_name: "tiny_thing".to_owned(),
        current_state: wire(&state),
        ..Default::default()
    };
    let read = client().read_resource(request).await.unwrap().into_inner();
    assert_eq!(value(read.new_state), Value::Null);
}

#[tokio::test]
async fn json_configuration_is_read_and_checked() {
    let request = |json: &str| validate_resource_config::Request {
        type_name: "tiny_thing".to_owned(),
        config: Some(DynamicValue { msgpack: Vec::new(), json: json.as_bytes().to_vec() }),
        client_capabilities: None,
    };
    let mut client = client();
    let good = client.validate_resource_config(request(r#"{"name":"a","size":3,"id":null}"#)).await.unwrap();
    assert_eq!(texts(&good.into_inner().diagnostics), [""; 0]);
    let bad = client.validate_resource_config(request(r#"{"name":"a","size":"three","id":null}"#)).await.unwrap();
    let bad = bad.into_inner().diagnostics;
    assert_eq!(bad.len(), 1);
    let steps = &bad[0].attribute.as_ref().unwrap().steps;
    assert_eq!(steps[0].selector, Some(attribute_path::step::Selector::AttributeName("size".to_owned())));
}

#[tokio::test]
async fn a_panic_is_a_diagnostic_without_secrets_and_the_next_call_works() {
    tfplugin_server::logging::redact(SECRET);
    let mut client = client();
    let crashed = create(&mut client, "panic").await;
    let [text] = texts(&crashed.diagnostics).try_into().unwrap();
    assert!(text.contains("crashed in ApplyResourceChange of tiny_thing"), "{text}");
    assert!(text.contains("tiny panicked over (redacted)"), "{text}");
    assert!(crashed.new_state.is_none(), "no state: Terraform keeps what it has");
    assert_eq!(create(&mut client, "b").await.diagnostics.len(), 0);

    let bad = create(&mut client, "bad").await;
    assert_eq!(texts(&bad.diagnostics), ["1: Bad (redacted) is wrong."]);
    assert!(bad.diagnostics[0].attribute.is_some());
}

#[tokio::test]
async fn stop_cancels_what_is_in_flight() {
    let mut first = client();
    let mut second = first.clone();
    let stop = async {
        // The call is in flight once its plan was answered; asking more than once does no harm.
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            second.stop_provider(stop_provider::Request {}).await.unwrap();
        }
    };
    let stopped = tokio::select! {
        applied = create(&mut first, "wait") => applied,
        () = stop => unreachable!("it stops for ever"),
    };
    assert_eq!(texts(&stopped.diagnostics), ["1: Cancelled As the user wished."]);
    assert_eq!(create(&mut first, "after").await.diagnostics.len(), 0, "later calls are not concerned");
}

#[tokio::test]
async fn deferral_is_said_only_to_a_client_that_allows_it() {
    let mut client = client();
    for (allowed, expected) in [(false, None), (true, Some(deferred::Reason::AbsentPrereq))] {
        let request = plan_resource_change::Request {
            type_name: "tiny_thing".to_owned(),
            prior_state: wire(&Value::Null),
            proposed_new_state: wire(&named("defer")),
            config: wire(&named("defer")),
            client_capabilities: Some(ClientCapabilities { deferral_allowed: allowed, ..Default::default() }),
            ..Default::default()
        };
        let planned = client.plan_resource_change(request).await.unwrap().into_inner();
        assert_eq!(planned.deferred.map(|deferred| deferred.reason()), expected);
    }
}

#[tokio::test]
async fn old_states_are_upgraded_and_todays_pass() {
    let mut client = client();
    let mut upgrade = async |version, json: &str| {
        let request = upgrade_resource_state::Request {
            type_name: "tiny_thing".to_owned(),
            version,
            raw_state: Some(RawState { json: json.as_bytes().to_vec(), ..Default::default() }),
        };
        client.upgrade_resource_state(request).await.unwrap().into_inner()
    };
    let expected = thing("a".into(), 2.into(), "id-a".into());
    assert_eq!(value(upgrade(0, r#"{"title":"a","size":2,"id":"id-a"}"#).await.upgraded_state), expected);
    assert_eq!(value(upgrade(1, r#"{"name":"a","size":2,"id":"id-a"}"#).await.upgraded_state), expected);
    let newer = upgrade(2, r#"{"name":"a"}"#).await;
    assert!(newer.diagnostics[0].summary.contains("newer version"), "{newer:?}");
    assert!(newer.upgraded_state.is_none());
}

#[tokio::test]
async fn import_and_move_find_what_exists() {
    let mut client = client();
    let expected = thing("a".into(), Value::Null, "id-a".into());
    let request =
        import_resource_state::Request { type_name: "tiny_thing".to_owned(), id: "a".to_owned(), ..Default::default() };
    let imported = client.import_resource_state(request).await.unwrap().into_inner().imported_resources;
    assert_eq!((imported.len(), imported[0].type_name.as_str()), (1, "tiny_thing"));
    assert_eq!(value(imported[0].state.clone()), expected);

    let request = |source: &str| move_resource_state::Request {
        source_provider_address: "terraform.io/builtin/terraform".to_owned(),
        source_type_name: source.to_owned(),
        source_state: Some(RawState { json: br#"{"input":"a"}"#.to_vec(), ..Default::default() }),
        target_type_name: "tiny_thing".to_owned(),
        ..Default::default()
    };
    let moved = client.move_resource_state(request("terraform_data")).await.unwrap().into_inner();
    assert_eq!(value(moved.target_state), expected);
    let refused = client.move_resource_state(request("null_resource")).await.unwrap().into_inner();
    assert!(refused.diagnostics[0].summary.contains("null_resource"), "{refused:?}");
}

#[tokio::test]
async fn data_sources_ephemerals_and_functions_answer() {
    let mut client = client();
    let request = read_data_source::Request {
        type_name: "tiny_lookup".to_owned(),
        config: wire(&named("a")),
        ..Default::default()
    };
    let read = client.read_data_source(request).await.unwrap().into_inner();
    assert_eq!(value(read.state), thing("a".into(), Value::Null, "id-a".into()));

    let type_name = "tiny_ticket".to_owned();
    let request = open_ephemeral_resource::Request {
        type_name: type_name.clone(),
        config: wire(&named("a")),
        ..Default::default()
    };
    let opened = client.open_ephemeral_resource(request).await.unwrap().into_inner();
    assert_eq!(value(opened.result), thing("a".into(), Value::Null, "id-a".into()));
    assert_eq!(opened.renew_at.map(|at| at.seconds), Some(60));
    let request = renew_ephemeral_resource::Request { type_name: type_name.clone(), private: opened.private };
    let renewed = client.renew_ephemeral_resource(request).await.unwrap().into_inner();
    let request = close_ephemeral_resource::Request { type_name, private: renewed.private };
    let closed = client.close_ephemeral_resource(request).await.unwrap().into_inner();
    assert_eq!(texts(&closed.diagnostics), ["2: Closed a"]);

    let text =
        |text: &str| DynamicValue { msgpack: to_msgpack(&text.into(), &Type::String).unwrap(), json: Vec::new() };
    let request =
        |name: &str, arguments: Vec<DynamicValue>| call_function::Request { name: name.to_owned(), arguments };
    let joined = client.call_function(request("join", vec![text("-"), text("a"), text("b")])).await.unwrap();
    let joined = joined.into_inner().result.unwrap();
    assert_eq!(from_msgpack(&joined.msgpack, &Type::String).unwrap(), "a-b".into());
    let failed = client.call_function(request("join", vec![text("-")])).await.unwrap().into_inner();
    assert_eq!(failed.error.unwrap().function_argument, Some(1));
    let unknown = client.call_function(request("split", vec![])).await.unwrap().into_inner();
    assert!(unknown.error.unwrap().text.contains("split"));
}

#[tokio::test]
async fn unknown_types_are_diagnostics_and_unserved_calls_unimplemented() {
    let mut client = client();
    let request = validate_resource_config::Request { type_name: "tiny_nothing".to_owned(), ..Default::default() };
    let unknown = client.validate_resource_config(request).await.unwrap().into_inner();
    assert!(unknown.diagnostics[0].summary.contains("tiny_nothing"), "{unknown:?}");

    let list = client.list_resource(list_resource::Request::default()).await.unwrap_err();
    assert_eq!(list.code(), Code::Unimplemented);
    let action = client.plan_action(plan_action::Request::default()).await.unwrap_err();
    assert_eq!(action.code(), Code::Unimplemented);
    let states = client.get_states(get_states::Request::default()).await.unwrap_err();
    assert_eq!(states.code(), Code::Unimplemented);
    let identity = client.upgrade_resource_identity(upgrade_resource_identity::Request::default()).await.unwrap_err();
    assert_eq!(identity.code(), Code::Unimplemented);
}
