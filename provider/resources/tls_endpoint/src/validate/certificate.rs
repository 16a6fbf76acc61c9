//! The certificate.

use std::time::Duration;

use ffe_cluster::{format_duration, parse_duration};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use crate::model::{PrivateKey, TlsEndpoint};

/// The shortest life that cert-manager takes.
const SHORTEST: Duration = Duration::from_secs(3600);
/// How long cert-manager takes a certificate to be valid that has no duration.
const ASSUMED: Duration = Duration::from_secs(2160 * 3600);
/// The least of a life that may be left at its renewal.
const LATEST: Duration = Duration::from_secs(300);

pub(super) fn check(config: &TlsEndpoint) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    if config.certificate.is_unknown() {
        return diagnostics;
    }
    let at = Path::attribute("certificate");
    let certificate = config.certificate.known();
    let time =
        |attribute: Option<&Attr<String>>| attribute.and_then(Attr::as_str).and_then(|text| parse_duration(text).ok());
    let whole = time(certificate.map(|certificate| &certificate.duration));
    let renew_before = time(certificate.map(|certificate| &certificate.renew_before));
    let mut object = |attribute: &str, summary: String, detail: String| {
        diagnostics.push(Diagnostic::error(summary, detail).at(at.child(attribute)));
    };
    if let Some(whole) = whole.filter(|whole| *whole < SHORTEST) {
        object(
            "duration",
            "certificate.duration is too short".to_owned(),
            format!("cert-manager takes 1h or more; it is {}.", format_duration(whole)),
        );
    }
    if let Some(before) = renew_before.filter(|before| *before < LATEST) {
        object(
            "renew_before",
            "certificate.renew_before is too short".to_owned(),
            format!("cert-manager takes 5m or more; it is {}.", format_duration(before)),
        );
    }
    let duration = certificate.map_or(Attr::Null, |certificate| certificate.duration.clone());
    if let (None, Attr::Null, Some(before)) = (whole, duration, renew_before.filter(|before| *before >= ASSUMED)) {
        object(
            "renew_before",
            "certificate.renew_before is too long".to_owned(),
            format!(
                "Without certificate.duration cert-manager takes it to be {}, and a certificate cannot be renewed {} before \
                 the end of that. Give a duration, or leave renew_before out: it is renewed when a third of its life is left.",
                format_duration(ASSUMED),
                format_duration(before)
            ),
        );
    }
    if let (Some(whole), Some(before)) = (whole, renew_before)
        && before >= whole
    {
        let (whole, before) = (format_duration(whole), format_duration(before));
        object(
            "renew_before",
            "certificate.renew_before must be less than certificate.duration".to_owned(),
            format!(
                "A certificate that is valid for {whole} cannot be renewed {before} before its end. A third of its \
                     life is usual, which is the default."
            ),
        );
    }
    if let Some(key) = certificate.and_then(|certificate| certificate.private_key.known()) {
        diagnostics.extend(check_key(key, &at.child("private_key")));
    }
    diagnostics.extend(ineffective(config));
    diagnostics
}

fn check_key(key: &PrivateKey, at: &Path) -> Option<Diagnostic> {
    let size = *key.size.known()?;
    let (good, expected) = match (&key.algorithm, key.algorithm.as_str()) {
        (Attr::Unknown, _) => return None,
        (_, Some("ECDSA")) => ([256, 384, 521].contains(&size), "256, 384 or 521 for ECDSA"),
        (_, Some("Ed25519")) => (false, "left out for Ed25519"),
        _ => ((2048..=8192).contains(&size), "2048 to 8192 for RSA"),
    };
    (!good).then(|| {
        Diagnostic::error(
            "Invalid value for certificate.private_key.size",
            format!("certificate.private_key.size must be {expected}: it is {size}. Without algorithm the key is RSA."),
        )
        .at(at.child("size"))
    })
}

/// Said, because it looks as if it did something.
fn ineffective(config: &TlsEndpoint) -> Option<Diagnostic> {
    let given = config.certificate.known().is_some_and(|certificate| certificate.duration.is_known());
    let acme = config.issuer.known().is_some_and(|issuer| issuer.acme.is_known());
    (given && acme).then(|| {
        Diagnostic::warning(
            "certificate.duration has no effect with an ACME server",
            "ACME servers decide themselves how long a certificate is valid. Some offer shorter ones as a profile: see \
             issuer.acme.profile.",
        )
        .at(Path::attribute("certificate").child("duration"))
    })
}
