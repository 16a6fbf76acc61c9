//! The order of a plan.

use tfplugin_core::{
    AnyResource, Attr, ClientCapabilities, Context, Deferred, Diagnostics, Field as _, Path, PlanResponse, Value,
};

use crate::machine::{Log, Machine, Machines, context, machine, object, plan, plan_with, refused, summaries};

fn disk(size: i64) -> Value {
    Value::map([("size", Value::from(size)), ("key_wo", "canary".into())])
}

fn asked(response: &PlanResponse) -> Vec<String> {
    response.requires_replace.iter().map(Path::to_string).collect()
}

#[test]
fn a_create_has_defaults_settled_values_and_unknowns_and_no_write_only_values() {
    let config = object(&[("name", "a".into()), ("token_wo", "canary".into()), ("disk", disk(3))]);
    let machines = Machines {
        plan: Box::new(|plan| {
            assert!(plan.is_create() && plan.is_change());
            assert_eq!(plan.config.token_wo, "canary".into(), "the resource sees what is configured");
            assert!(plan.planned.token_wo.is_null());
            Diagnostics::new()
        }),
        ..Machines::default()
    };
    let response = plan(machines, &Value::Null, &config);
    assert!(response.diagnostics.is_empty(), "{}", response.diagnostics);
    let expected = object(&[
        ("name", "a".into()),
        ("level", "info".into()),
        ("size", Value::Unknown),
        ("zone", "zone-a".into()),
        ("disk", Value::map([("size", Value::from(3)), ("key_wo", Value::Null)])),
        ("id", Value::Unknown),
        ("url", Value::Unknown),
    ]);
    assert_eq!(response.planned, expected);
    assert!(asked(&response).is_empty(), "nothing is there to be replaced");
}

#[test]
fn the_steps_come_in_order() {
    let log = Log::default();
    let machines = Machines { log: log.clone(), ..Machines::default() };
    plan(machines, &Value::Null, &object(&[("name", "a".into())]));
    assert_eq!(log.take(), ["settle", "settle", "plan"]);
}

#[test]
fn nothing_changed_means_nothing_unknown() {
    let prior = machine("a").to_value();
    let machines = Machines {
        plan: Box::new(|plan| {
            assert!(!plan.is_create() && !plan.is_change());
            Diagnostics::new()
        }),
        ..Machines::default()
    };
    let config = object(&[("name", "a".into()), ("token_wo", "canary".into())]);
    assert_eq!(plan(machines, &prior, &config).planned, prior);
}

#[test]
fn a_change_makes_unknown_what_is_neither_configured_settled_defaulted_nor_kept() {
    let prior = machine("a").to_value();
    let config = object(&[("name", "a".into()), ("level", "debug".into())]);
    let response = plan(Machines::default(), &prior, &config);
    let expected = Machine { level: "debug".into(), size: Attr::Unknown, url: Attr::Unknown, ..machine("a") };
    assert_eq!(response.planned, expected.to_value());
    assert!(asked(&response).is_empty());

    let configured = object(&[("name", "a".into()), ("level", "debug".into()), ("size", Value::from(8))]);
    let planned = plan(Machines::default(), &prior, &configured).planned;
    assert_eq!(planned.attribute("size"), &Value::from(8));
}

#[test]
fn an_attribute_removed_from_the_configuration_falls_back() {
    let prior = Machine { zone: "mine".into(), level: "debug".into(), ..machine("a") }.to_value();
    let planned = plan(Machines::default(), &prior, &object(&[("name", "a".into())])).planned;
    assert_eq!(planned.attribute("zone"), &Value::from("zone-a"), "to what the configuration settles");
    assert_eq!(planned.attribute("level"), &Value::from("info"), "to the default");
    assert_eq!(planned.attribute("url"), &Value::Unknown, "it is a change like any other");
}

#[test]
fn what_is_settled_by_unknowns_is_unknown() {
    let response = plan(Machines::default(), &Value::Null, &object(&[("name", Value::Unknown)]));
    assert_eq!(response.planned.attribute("zone"), &Value::Unknown);
    assert_eq!(response.planned.attribute("name"), &Value::Unknown);
}

#[test]
fn touching_turns_a_plan_without_changes_into_an_update() {
    let prior = machine("a").to_value();
    let touch = || Machines {
        plan: Box::new(|plan| {
            plan.touch();
            assert!(plan.is_change());
            assert!(plan.planned.url.is_unknown());
            plan.planned.url = "https://b".into();
            plan.touch();
            Diagnostics::new()
        }),
        ..Machines::default()
    };
    let response = plan(touch(), &prior, &object(&[("name", "a".into())]));
    let expected = Machine { size: Attr::Unknown, url: "https://b".into(), ..machine("a") };
    assert_eq!(response.planned, expected.to_value(), "what is settled, defaulted or kept stays");
    assert!(asked(&response).is_empty());
}

#[test]
fn replacement_is_asked_for_in_order_and_for_paths_that_exist() {
    let prior = object(&[
        ("name", "a".into()),
        ("level", "info".into()),
        ("zone", "zone-a".into()),
        ("id", "id-1".into()),
        ("disk", Value::map([("size", Value::from(1)), ("key_wo", Value::Null)])),
    ]);
    let machines = Machines {
        plan: Box::new(|plan| {
            let early: Vec<String> = plan.requires_replace.iter().map(Path::to_string).collect();
            assert_eq!(early, ["disk.size", "name"], "the resource sees what the rules ask for");
            plan.requires_replace.push(Path::attribute("zone"));
            plan.requires_replace.push(Path::attribute("level"));
            plan.requires_replace.push(Path::attribute("level"));
            plan.requires_replace.push(Path::attribute("nowhere"));
            plan.requires_replace.push(Path::attribute("disk").child("nowhere"));
            Diagnostics::new()
        }),
        ..Machines::default()
    };
    let response = plan(machines, &prior, &object(&[("name", "b".into()), ("disk", disk(2))]));
    assert_eq!(asked(&response), ["disk.size", "level", "name", "zone"]);
}

#[test]
fn what_the_resource_plans_counts_for_replacement() {
    let machines = Machines {
        plan: Box::new(|plan| {
            plan.planned.name = "other".into();
            Diagnostics::new()
        }),
        ..Machines::default()
    };
    let response = plan(machines, &machine("a").to_value(), &object(&[("name", "a".into())]));
    assert_eq!(asked(&response), ["name"]);
}

#[test]
fn write_only_values_that_the_resource_plans_do_not_get_out() {
    let machines = Machines {
        plan: Box::new(|plan| {
            plan.planned = plan.config.clone();
            Diagnostics::new()
        }),
        ..Machines::default()
    };
    let config = object(&[("name", "a".into()), ("token_wo", "canary".into()), ("disk", disk(1))]);
    let response = plan(machines, &Value::Null, &config);
    assert!(!format!("{response:?}").contains("canary"));
}

#[test]
fn a_plan_is_put_off_only_where_the_client_allows_it() {
    let resource = || {
        AnyResource::new(Machines {
            plan: Box::new(|plan| {
                plan.deferred = Some(Deferred::AbsentPrerequisite);
                Diagnostics::new()
            }),
            ..Machines::default()
        })
    };
    let config = object(&[("name", "a".into())]);
    let allowed = ClientCapabilities { deferral_allowed: true, ..context().client };
    let allowed = Context { client: allowed, ..Context::default() };
    let response = plan_with(&resource(), &allowed, &Value::Null, &config, &[]);
    assert_eq!(response.deferred, Some(Deferred::AbsentPrerequisite));
    assert_eq!(plan_with(&resource(), &context(), &Value::Null, &config, &[]).deferred, None);
}

#[test]
fn private_state_goes_from_plan_to_plan() {
    let resource = AnyResource::new(Machines {
        plan: Box::new(|plan| {
            assert_eq!(plan.private.get::<i64>("runs"), Some(1));
            plan.private.set("runs", &2);
            Diagnostics::new()
        }),
        ..Machines::default()
    });
    let prior = machine("a").to_value();
    let response = plan_with(&resource, &context(), &prior, &object(&[("name", "a".into())]), br#"{"runs":1}"#);
    assert_eq!(response.planned_private, br#"{"runs":2}"#);
}

#[test]
fn an_error_of_the_plan_is_reported_and_the_plan_still_fits_the_schema() {
    let machines = Machines { plan: Box::new(|_| refused("cannot shrink")), ..Machines::default() };
    let response = plan(machines, &machine("a").to_value(), &object(&[("name", "b".into())]));
    assert_eq!(summaries(&response.diagnostics), ["cannot shrink"]);
    assert_eq!(response.planned.attribute("name"), &Value::from("b"));
}

#[test]
fn a_destroy_is_planned_by_its_own_rule() {
    let log = Log::default();
    let resource = AnyResource::new(Machines { log: log.clone(), ..Machines::default() });
    let private = br#"{"note":"kept"}"#;
    let response = plan_with(&resource, &context(), &machine("a").to_value(), &Value::Null, private);
    assert!(response.planned.is_null() && response.diagnostics.is_empty());
    assert_eq!(response.planned_private, private);
    assert_eq!(log.take(), ["plan_destroy Some(\"kept\")"]);

    let protected = machine("protected").to_value();
    let response = plan_with(&resource, &context(), &protected, &Value::Null, &[]);
    assert_eq!(summaries(&response.diagnostics), ["protected"]);
}
