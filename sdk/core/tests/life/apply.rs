//! What apply and read may return, and what an error leaves behind.

use futures::executor::block_on;
use tfplugin_core::{
    AnyResource, Applied, Attr, ClientCapabilities, Context, Deferred, Diagnostic, Field as _, Private, Refreshed,
    StateResponse, Value,
};

use crate::machine::{Log, Machine, Machines, apply, context, machine, made, object, refused, summaries};

fn config() -> Value {
    object(&[("name", "a".into()), ("token_wo", "canary".into())])
}

fn planned() -> Value {
    Machine { size: Attr::Unknown, id: Attr::Unknown, url: Attr::Unknown, ..machine("a") }.to_value()
}

fn read(machines: Machines, cx: &Context, state: &Value) -> StateResponse {
    block_on(AnyResource::new(machines).read(cx, state, br#"{"note":"prior"}"#))
}

#[test]
fn a_create_gets_write_only_values_and_private_state_and_stores_no_secret() {
    let machines = Machines {
        create: Box::new(|request| {
            assert_eq!(request.config.token_wo, "canary".into());
            assert!(request.planned.token_wo.is_null());
            assert_eq!(request.private.get::<String>("note").as_deref(), Some("planned"));
            // An author who mixes up planned and configured values
            Applied::done(made(Machine { token_wo: request.config.token_wo, ..request.planned }), request.private)
        }),
        ..Machines::default()
    };
    let response = apply(machines, &Value::Null, &planned(), &config());
    assert_eq!(response.state, machine("a").to_value());
    assert!(response.diagnostics.is_empty());
    assert_eq!(response.private, br#"{"note":"planned"}"#);
    assert!(!format!("{response:?}").contains("canary"));
}

#[test]
fn a_failed_create_leaves_no_state() {
    let machines = Machines { create: Box::new(|_| Applied::failed(refused("no room"))), ..Machines::default() };
    let response = apply(machines, &Value::Null, &planned(), &config());
    assert!(response.state.is_null());
    assert_eq!(summaries(&response.diagnostics), ["no room"]);
}

#[test]
fn a_value_left_unknown_is_an_error_that_names_it() {
    let machines = Machines {
        create: Box::new(|request| {
            Applied::done(Machine { url: "u".into(), id: "i".into(), ..request.planned }, request.private)
        }),
        ..Machines::default()
    };
    let response = apply(machines, &Value::Null, &planned(), &config());
    assert_eq!(summaries(&response.diagnostics), ["test_machine returned an unknown value"]);
    let path = response.diagnostics.iter().next().unwrap().path.clone();
    assert_eq!(path.unwrap().to_string(), "size");
    assert!(response.state.is_wholly_known(), "what was made is not lost all the same");
    assert_eq!(response.state.attribute("id"), &Value::from("i"));
}

#[test]
fn a_failed_update_keeps_the_prior_state_or_stores_what_is_true() {
    let prior = machine("a").to_value();
    let planned = Machine { level: "debug".into(), ..machine("a") }.to_value();
    let failed = Machines { update: Box::new(|_| Applied::failed(refused("broken"))), ..Machines::default() };
    let response = apply(failed, &prior, &planned, &config());
    assert_eq!((response.state, summaries(&response.diagnostics)), (prior.clone(), vec!["broken"]));

    let partial = Machines {
        update: Box::new(|request| {
            assert_eq!(request.prior, machine("a"));
            assert_eq!(request.config.token_wo, "canary".into());
            let half = Machine { url: "https://half".into(), ..request.prior };
            Applied::done(half, Private::default()).with(refused("half done"))
        }),
        ..Machines::default()
    };
    let response = apply(partial, &prior, &planned, &config());
    assert_eq!(response.state.attribute("url"), &Value::from("https://half"));
    assert_eq!(response.state.attribute("level"), &Value::from("info"));
    assert_eq!(summaries(&response.diagnostics), ["half done"]);
}

#[test]
fn a_delete_removes_the_state_unless_it_fails() {
    let prior = machine("a").to_value();
    let log = Log::default();
    let done = Machines { log: log.clone(), ..Machines::default() };
    let response = apply(done, &prior, &Value::Null, &Value::Null);
    assert!(response.state.is_null() && response.diagnostics.is_empty());
    assert_eq!(log.take(), ["delete"]);

    let warned =
        Machines { delete: Box::new(|_| Diagnostic::warning("volumes remain", "").into()), ..Machines::default() };
    assert!(apply(warned, &prior, &Value::Null, &Value::Null).state.is_null());

    let failed = Machines { delete: Box::new(|_| refused("in use")), ..Machines::default() };
    let response = apply(failed, &prior, &Value::Null, &Value::Null);
    assert_eq!((response.state, summaries(&response.diagnostics)), (prior, vec!["in use"]));
}

#[test]
fn an_error_of_a_read_is_no_proof_of_absence() {
    let prior = machine("a").to_value();
    let machines =
        Machines { read: Box::new(|_| Refreshed::gone().with(refused("unreachable"))), ..Machines::default() };
    let response = read(machines, &context(), &prior);
    assert_eq!((response.state, response.private), (prior.clone(), br#"{"note":"prior"}"#.to_vec()));
    assert_eq!(summaries(&response.diagnostics), ["unreachable"]);

    let gone = Machines { read: Box::new(|_| Refreshed::gone()), ..Machines::default() };
    assert!(read(gone, &context(), &prior).state.is_null());
}

#[test]
fn a_read_returns_nothing_unknown_and_nothing_write_only() {
    let machines = Machines {
        read: Box::new(|request| {
            assert_eq!(request.private.get::<String>("note").as_deref(), Some("prior"));
            let state = Machine { url: Attr::Unknown, token_wo: "canary".into(), ..request.state };
            Refreshed::present(state, request.private)
        }),
        ..Machines::default()
    };
    let response = read(machines, &context(), &machine("a").to_value());
    assert_eq!(summaries(&response.diagnostics), ["test_machine returned an unknown value"]);
    assert!(response.state.is_wholly_known());
    assert!(!format!("{response:?}").contains("canary"));
}

#[test]
fn a_read_is_put_off_only_where_the_client_allows_it() {
    let machines = || Machines {
        read: Box::new(|request| Refreshed {
            deferred: Some(Deferred::ProviderConfigUnknown),
            ..Refreshed::present(request.state, request.private)
        }),
        ..Machines::default()
    };
    let state = machine("a").to_value();
    let client = ClientCapabilities { deferral_allowed: true, ..ClientCapabilities::default() };
    let allowed = Context { client, ..Context::default() };
    assert_eq!(read(machines(), &allowed, &state).deferred, Some(Deferred::ProviderConfigUnknown));
    assert_eq!(read(machines(), &context(), &state).deferred, None);
}

#[test]
fn an_import_brings_no_write_only_values() {
    let resource = AnyResource::new(Machines::default());
    let (state, private, diagnostics) = block_on(resource.import(&context(), "a")).unwrap();
    assert_eq!(state, machine("a").to_value());
    assert!(private.to_bytes().is_empty() && diagnostics.is_empty());
}

#[test]
fn a_configuration_is_checked_by_the_schema_and_then_by_the_resource() {
    let log = Log::default();
    let resource = AnyResource::new(Machines { log: log.clone(), ..Machines::default() });
    let validate = |config: &Value| block_on(resource.validate(&context(), config));

    let found = validate(&object(&[("level", "loud".into())]));
    assert_eq!(summaries(&found), ["Missing attribute name", "Invalid value for level"]);
    assert!(log.take().is_empty(), "the resource sees only what fits its schema");

    assert_eq!(summaries(&validate(&object(&[("name", "forbidden".into())]))), ["forbidden"]);
    assert_eq!(log.take(), ["validate"]);
    assert!(validate(&object(&[("name", Value::Unknown), ("level", Value::Unknown)])).is_empty());

    let secret = validate(&object(&[("name", "a".into()), ("token_wo", "xyz".into())]));
    assert_eq!(summaries(&secret), ["Invalid value for token_wo"]);
    assert!(!secret.to_string().contains("xyz"), "{secret}");

    let old_client = Context::default();
    let found = block_on(resource.validate(&old_client, &config()));
    assert_eq!(summaries(&found), ["Write-only attributes are not supported by this version"]);
    assert!(found.to_string().contains("1.11") && !found.to_string().contains("canary"));
}

#[test]
fn a_state_that_does_not_fit_is_an_error_and_stays() {
    let state = object(&[("name", Value::Bool(true))]);
    let response = read(Machines::default(), &context(), &state);
    assert_eq!(response.state, state);
    assert_eq!(summaries(&response.diagnostics), ["name is of another form"]);

    let response = apply(Machines::default(), &state, &planned(), &config());
    assert_eq!(response.state, state);
    assert!(response.diagnostics.has_errors());
}
