//! What an endpoint should be like.

use std::time::Duration;

use crate::bearer::Bearer;

/// What is expected of an endpoint. Nothing by default; every item stands on its own, so that an endpoint behind a
/// proxy can be checked in two halves: trust and names at the edge, issuer and serial at the origin.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The chain is trusted for the host.
    pub trusted: bool,
    /// The certificate is for all of these names.
    pub names: Vec<String>,
    /// Whole words of the issuer's name, in any case: see [`crate::CertificateFacts::issued_by`].
    pub issuer: Option<String>,
    /// The serial number, hexadecimal in any case, with or without colons.
    pub serial: Option<String>,
    /// The SHA-256 of the certificate, hexadecimal in any case, with or without colons. A certificate that is the
    /// expected one and is not trusted will not become so by waiting.
    pub fingerprint_sha256: Option<String>,
    /// The certificate is valid for at least so long.
    pub min_remaining: Option<Duration>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Where [`Expected::status`] is none: the application answers, by whatever status below 500 but 404 (nobody knows
    /// whether that is the application's or the controller's) and 429.
    pub answers: bool,
    /// Plain HTTP is redirected to HTTPS, by 301 or 308.
    pub redirect: bool,
    /// Headers of the answer.
    pub headers: ExpectedHeaders,
    /// Further requests.
    pub extra: Vec<ExtraCheck>,
}

/// Which security headers the answer should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedHeaders {
    /// `Strict-Transport-Security` with a `max-age` of at least so many seconds.
    pub hsts_max_age: Option<u64>,
    /// … and with `includeSubDomains`.
    pub hsts_subdomains: bool,
    /// `X-Frame-Options` with this value, such as `DENY`.
    pub frame_options: Option<String>,
    /// `Content-Security-Policy` with this value; spaces do not count.
    pub content_security_policy: Option<String>,
    /// `X-Content-Type-Options: nosniff`.
    pub content_type_nosniff: bool,
}

/// A further request to the same endpoint.
#[derive(Clone, Debug)]
pub struct ExtraCheck {
    /// Its path, with a query where there is one.
    pub path: String,
    /// Its token.
    pub bearer: Option<Bearer>,
    /// The status that it should be answered with; none: any that shows that the application answers, as with
    /// [`Expected::answers`].
    pub status: Option<u16>,
}
