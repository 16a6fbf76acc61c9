//! The life of a managed resource: upgrade, read, plan, apply.

use std::sync::Arc;

use tfplugin_core::{ApplyRequest, Context, Diagnostics, Engine, PlanRequest};
use tfplugin_proto::tfplugin6::*;

use crate::wire::{decode, diagnostics, encode, requires};

/// A stored state under today's schema. Called for every state, old or not.
pub(super) async fn upgrade(
    engine: Arc<Engine>,
    _cx: Context,
    request: upgrade_resource_state::Request,
) -> Result<upgrade_resource_state::Response, Diagnostics> {
    let resource = engine.resource(&request.type_name)?;
    let raw = request.raw_state.unwrap_or_default();
    if raw.json.is_empty() && !raw.flatmap.is_empty() {
        return Err(Diagnostics::error(
            format!("The state of this {} is in a form older than this provider", request.type_name),
            "It was written by Terraform 0.11 or before. Remove it from the state and import the object.",
        ));
    }
    let state = resource.upgrade(request.version, &raw.json)?;
    let upgraded_state = Some(encode(&state, resource.ty())?);
    Ok(upgrade_resource_state::Response { upgraded_state, diagnostics: Vec::new() })
}

/// What is there now.
pub(super) async fn read(
    engine: Arc<Engine>,
    cx: Context,
    request: read_resource::Request,
) -> Result<read_resource::Response, Diagnostics> {
    let resource = engine.resource(&request.type_name)?;
    let state = decode(request.current_state.as_ref(), resource.ty())?;
    if state.is_null() {
        // Nothing was there, and nothing says where to look.
        return Ok(read_resource::Response { new_state: request.current_state, ..Default::default() });
    }
    let read = resource.read(&cx, &state, &request.private).await;
    Ok(read_resource::Response {
        new_state: Some(encode(&read.state, resource.ty())?),
        private: read.private,
        deferred: deferred(read.deferred),
        diagnostics: diagnostics(read.diagnostics),
        new_identity: None,
    })
}

/// What would change.
pub(super) async fn plan(
    engine: Arc<Engine>,
    cx: Context,
    request: plan_resource_change::Request,
) -> Result<plan_resource_change::Response, Diagnostics> {
    let resource = engine.resource(&request.type_name)?;
    let change = PlanRequest {
        prior: decode(request.prior_state.as_ref(), resource.ty())?,
        proposed: decode(request.proposed_new_state.as_ref(), resource.ty())?,
        config: decode(request.config.as_ref(), resource.ty())?,
        prior_private: request.prior_private,
    };
    let plan = resource.plan(&cx, change).await;
    Ok(plan_resource_change::Response {
        planned_state: Some(encode(&plan.planned, resource.ty())?),
        requires_replace: requires(&plan.requires_replace),
        planned_private: plan.planned_private,
        deferred: deferred(plan.deferred),
        diagnostics: diagnostics(plan.diagnostics),
        ..Default::default()
    })
}

/// The change itself.
pub(super) async fn apply(
    engine: Arc<Engine>,
    cx: Context,
    request: apply_resource_change::Request,
) -> Result<apply_resource_change::Response, Diagnostics> {
    let resource = engine.resource(&request.type_name)?;
    let change = ApplyRequest {
        prior: decode(request.prior_state.as_ref(), resource.ty())?,
        planned: decode(request.planned_state.as_ref(), resource.ty())?,
        config: decode(request.config.as_ref(), resource.ty())?,
        planned_private: request.planned_private,
    };
    let applied = resource.apply(&cx, change).await;
    Ok(apply_resource_change::Response {
        new_state: Some(encode(&applied.state, resource.ty())?),
        private: applied.private,
        diagnostics: diagnostics(applied.diagnostics),
        ..Default::default()
    })
}

/// The wire's word for a deferral. The engine gives one only where the client allows it.
pub(super) fn deferred(reason: Option<tfplugin_core::Deferred>) -> Option<Deferred> {
    use deferred::Reason;
    let reason = match reason? {
        tfplugin_core::Deferred::ResourceConfigUnknown => Reason::ResourceConfigUnknown,
        tfplugin_core::Deferred::ProviderConfigUnknown => Reason::ProviderConfigUnknown,
        tfplugin_core::Deferred::AbsentPrerequisite => Reason::AbsentPrereq,
    };
    Some(Deferred { reason: reason.into() })
}
