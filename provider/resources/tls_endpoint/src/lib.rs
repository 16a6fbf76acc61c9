//! The resource `ffe_tls_endpoint`: how the world reaches a service. And the data source `ffe_certificate`.
//!
//! The story, in the order of its modules: what a user writes (`model`); what the configuration settles by itself
//! (`settle`), or leaves as it was before the site was taken over (`taken_over`); what is refused (`validate`); everything
//! decided (`spec`), and the objects as they should be (`objects`, `desired`); what stands behind the issuer (`authority`);
//! whose is what stands in their place (`claim`); how a route that is in use gets there (`change`), also under another name (`former`); making them, step by step
//! (`run`, `steps`); what a plan foresees (`plan`, `issuances`); looking at them (`read`, `drift`, `status`); finding an existing
//! endpoint (`import`); and taking it down (`remove`, `delete`).
//!
//! The systems behind it are crates of their own that do not know each other: ingresses and routes (`ffe_routing`), DNS
//! (`ffe_dns`), certificates (`ffe_cert_manager`), and what a client sees (`ffe_https`).

mod authority;
mod change;
mod checks;
mod claim;
mod controller;
mod data_source;
mod delete;
mod desired;
mod drift;
mod errors;
mod former;
mod import;
mod issuances;
mod model;
mod names;
mod objects;
mod plan;
mod read;
mod reissue;
mod remove;
mod resource;
mod run;
mod settle;
mod spec;
mod status;
mod steps;
mod taken_over;
#[cfg(test)]
mod testing;
mod validate;

pub use data_source::{CertificateData, CertificateDataSource, CertificateDiagnosis};
pub use model::{
    Acme, Alert, Backend, Certificate, CertificateStatus, Controller, Dns, Drift, DriftSettings, ExtraCheck, Gateway,
    Http01, Issuer, PrivateKey, Security, SecurityBefore, Solver, SolverGateway, TlsEndpoint, Verify, VerifyResult,
};
pub use resource::TlsEndpointResource;
