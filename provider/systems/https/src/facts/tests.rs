#![allow(clippy::unwrap_used)]

use super::*;
use crate::facts_of_pem;
use crate::testing::{Wanted, days};

fn facts(wanted: &Wanted) -> CertificateFacts {
    facts_of_pem(wanted.self_signed().pem.as_bytes()).unwrap().remove(0)
}

#[test]
fn everything_that_a_certificate_says() {
    let authority = Wanted::ca("Root X").self_signed();
    let wanted = Wanted {
        names: vec!["ffe.example.com", "*.api.example.com", "203.0.113.7", "2001:db8::1"],
        ..Wanted::server()
    };
    let made = wanted.signed_by(&authority);
    let facts = facts_of_pem(made.pem.as_bytes()).unwrap().remove(0);
    assert_eq!(facts.subject, "O=Three Rivers, CN=ffe.example.com");
    assert_eq!(facts.issuer, "O=Three Rivers, CN=Root X");
    assert_eq!(facts.sans, ["ffe.example.com", "*.api.example.com", "203.0.113.7", "2001:db8::1"]);
    assert_eq!((facts.serial.as_str(), facts.key.as_str()), ("0abc12", "ECDSA 256"));
    assert_eq!((facts.is_ca, facts.self_signed), (false, false));
    let lifetime = facts.not_after.duration_since(facts.not_before);
    assert_eq!(lifetime, days(61));
    assert_eq!(facts.fingerprint_sha256.len(), 64);
    assert_eq!(facts.remaining(facts.not_after - days(3)), days(3));
    let json = serde_json::to_value(&facts).unwrap();
    assert_eq!(json["not_after"], facts.not_after.to_string());
    let root = facts_of_pem(authority.pem.as_bytes()).unwrap().remove(0);
    assert_eq!((root.is_ca, root.self_signed), (true, true));
}

#[test]
fn without_names_it_is_told_by_the_signature_who_signed() {
    let params = |ca: bool| {
        let mut params =
            rcgen::CertificateParams::new(if ca { vec![] } else { vec!["ffe.example.com".to_owned()] }).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if ca {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }
        params
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::Issuer::new(params(true), rcgen::KeyPair::generate().unwrap());
    let itself = CertificateFacts::of_der(params(false).self_signed(&key).unwrap().der()).unwrap();
    let signed = CertificateFacts::of_der(params(false).signed_by(&key, &authority).unwrap().der()).unwrap();
    for (facts, own) in [(itself, true), (signed, false)] {
        assert_eq!((facts.subject.as_str(), facts.issuer.as_str(), facts.self_signed), ("", "", own));
    }
}

#[test]
fn the_fingerprint_and_serial_are_those_that_openssl_prints() {
    // Made and printed by `openssl req -x509` and `openssl x509 -serial -fingerprint -sha256`.
    let facts = facts_of_pem(include_bytes!("testdata/openssl.pem")).unwrap().remove(0);
    let printed = include_str!("testdata/openssl.txt");
    let value = |name: &str| {
        let line = printed.lines().find(|line| line.to_lowercase().starts_with(name)).unwrap();
        line.split_once('=').unwrap().1.replace(':', "").to_lowercase()
    };
    assert_eq!(facts.serial, value("serial"));
    assert_eq!(facts.fingerprint_sha256, value("sha256 fingerprint"));
    assert_eq!(facts.key, "RSA 2048");
}

#[test]
fn names_are_compared_as_clients_do() {
    let facts = facts(&Wanted {
        names: vec!["ffe.example.com", "*.api.example.com", "203.0.113.7", "2001:db8::1"],
        ..Wanted::server()
    });
    for covered in [
        "ffe.example.com",
        "FFE.Example.com",
        "ffe.example.com.",
        "v1.api.example.com",
        "203.0.113.7",
        "2001:db8:0::1",
        "[2001:db8::1]",
    ] {
        assert!(facts.covers(covered), "{covered}");
    }
    for other in [
        "example.com",
        "a.ffe.example.com",
        "api.example.com",
        "a.v1.api.example.com",
        ".api.example.com",
        "203.0.113.8",
        "",
    ] {
        assert!(!facts.covers(other), "{other}");
    }
}

#[test]
fn an_issuer_is_meant_by_whole_words_of_its_name() {
    let facts = CertificateFacts { issuer: "C=US, O=Let's Encrypt, CN=R11".to_owned(), ..facts(&Wanted::server()) };
    for meant in ["Let's Encrypt", "let's encrypt", "R11", "CN=R11", "C=US, O=Let's Encrypt, CN=R11"] {
        assert!(facts.issued_by(meant), "{meant}");
    }
    for other in ["R1", "Encrypt, CN=R", "et's", "", " ", "ZeroSSL"] {
        assert!(!facts.issued_by(other), "{other}");
    }
}

#[test]
fn the_default_certificates_of_controllers_are_known() {
    let default = |cn| facts(&Wanted { cn, ..Wanted::server() }).controller_default();
    assert_eq!(default("TRAEFIK DEFAULT CERT"), Some("Traefik's default certificate"));
    assert_eq!(default("Kubernetes Ingress Controller Fake Certificate"), Some("ingress-nginx's default certificate"));
    assert_eq!(default("ffe.example.com"), None);
}

#[test]
fn what_is_no_certificate_has_no_facts() {
    assert_eq!(CertificateFacts::of_der(b""), None);
    assert_eq!(CertificateFacts::of_der(&[0x30, 0x82, 0xff, 0xff, 1, 2, 3]), None);
}
