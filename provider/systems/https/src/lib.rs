//! What a client sees of an HTTPS address: connection, certificate chain, answers.
//!
//! [`look`] goes to a [`Target`] as a client would and tells all that it [`Seen`]: the facts of the certificates and
//! every reason why they are not trusted, the status, the headers, the beginning of the body. [`look_through`] does
//! the same over any other connection, such as a port-forward. [`check`] compares what was [`Observed`] with what is
//! [`Expected`], without any IO.
//!
//! Nothing here waits or tries again: [`CheckResult::can_heal`] and [`Failure::can_heal`] say whether it is worth it.
//!
//! Invariants: a chain that is not trusted is a finding and no error, but a bearer token is never sent over it;
//! redirects are not followed; tokens are in no text. Nothing here knows Terraform or Kubernetes.

mod answer;
mod bearer;
mod check;
mod connect;
mod expected;
mod facts;
mod failure;
mod header;
mod look;
mod observe;
mod pem;
mod roots;
mod target;
mod trust;

#[cfg(test)]
mod testing;

pub use answer::Answer;
pub use bearer::{Bearer, InvalidBearer};
pub use check::{CheckResult, check};
pub use connect::{Connect, Connection, Direct, Peer, Stream, resolve, through};
pub use expected::{Expected, ExpectedHeaders, ExtraCheck};
pub use facts::CertificateFacts;
pub use failure::{Failure, Stage};
pub use look::{Seen, Tls, look, look_through};
pub use observe::{Look, Observed, observe};
pub use pem::{PemError, distrust_of_pem, facts_of_pem, key_belongs};
pub use roots::{Bundle, Roots};
pub use target::{InvalidResolveTo, ResolveTo, Scheme, Target};
pub use trust::Distrust;
