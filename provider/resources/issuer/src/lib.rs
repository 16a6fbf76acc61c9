//! The resource `ffe_issuer`: one issuer, and one ACME account, for many endpoints.
//!
//! The story, in the order of its modules: what a user writes (`model`); what the configuration settles by itself (`settle`);
//! what is refused (`validate`); everything decided (`spec`), with the write-only values that it reads (`secrets`); the objects
//! as they should be (`objects`); whose is what stands in their place (`claim`); making them (`apply`); what a plan foresees
//! (`plan`); looking at them (`read`, `drift`); finding an existing issuer (`import`); and taking it down, which others who use it
//! prevent (`delete`).
//!
//! What issuers are to cert-manager is in `ffe_cert_manager`; what is said of them wherever one is described, in
//! `ffe_session::issuers`.

mod apply;
mod checks;
mod claim;
mod delete;
mod drift;
mod errors;
mod import;
mod model;
mod names;
mod objects;
mod plan;
mod read;
mod resource;
mod secrets;
mod settle;
mod spec;
#[cfg(test)]
mod testing;
mod validate;

pub use model::{
    Acme, AppRole, Dns01AcmeDns, Dns01Route53, Dns01Webhook, Drift, DriftSettings, ExternalAccountBinding, Http01,
    Issuer, IssuerRef, KubernetesLogin, ParentRef, PodTemplate, Selector, Solver, Toleration, Vault,
};
pub use resource::IssuerResource;
