//! How a host reaches a service: objects for each kind of ingress controller, and what each of them can do.
//!
//! A [`Route`] says what is wished. [`resolve`] finds out what the cluster has for it; [`objects`], [`warnings`] and
//! [`http01`] are pure functions of the two, and so is what a class cannot do at all ([`refusals`]); [`unmet`] looks whether what
//! others have made is as it has to be. On a Gateway, [`attach`] adds listeners of ours to it. [`address`] and
//! [`accepted`] wait for the controller, [`beside`] and [`interim`] keep what serves while it changes, [`conflicts`] looks for others who serve the same, [`drift`] compares, and
//! [`describe`] reads an Ingress that somebody else made.
//!
//! The crate knows neither Terraform nor cert-manager; marks are written by the caller.

mod address;
mod backend;
mod change;
mod conflicts;
mod describe;
mod drift;
mod error;
mod gateway;
mod ingress;
mod names;
mod needs;
mod resolve;
mod route;
mod solver;
mod support;
mod warnings;

pub use address::{Address, accepted, address, current_address};
pub use backend::backend_problem;
pub use change::{Former, Serving, beside, can_serve_beside, interim};
pub use conflicts::{Conflict, conflicts};
pub use describe::{Described, describe};
pub use drift::{Drift, drift};
pub use error::{Error, Result};
pub use gateway::{Attachment, Controller, MissingListener, OurListener, attach, detach, try_attach};
pub use names::{interim_names, leftovers, names};
pub use needs::{refusals, unmet};
pub use resolve::{IngressClassInfo, Resolved, Served, classes, inspect, resolve, served};
pub use route::{
    Backend, BackendTls, Class, GatewayRef, Middleware, PathType, Port, Problem, Protocol, Route, Rule, Security,
    rule_for,
};
pub use solver::{Parent, Solver, http01};
pub use support::{ByProtocol, Dialect, How, Setting, protocol_support, support, support_markdown};
pub use warnings::{Warning, warnings};

use serde_json::Value;

/// The objects of a route, in the order in which they are to be applied, all in its namespace and without a mark.
pub fn objects(route: &Route, resolved: &Resolved) -> Vec<Value> {
    match resolved {
        Resolved::Ingress(served) => ingress::objects(route, &served.class, served.dialect),
        Resolved::Gateway(attachment) => gateway::objects(route, attachment),
    }
}

#[cfg(test)]
mod tests;
