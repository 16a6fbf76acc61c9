#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{HOST, Wanted};

#[test]
fn a_chain_is_read_in_its_order() {
    let root = Wanted::ca("Root").self_signed();
    let intermediate = Wanted::ca("Intermediate").signed_by(&root);
    let leaf = Wanted::server().signed_by(&intermediate);
    let chain = format!("some words\n{}\n{}", leaf.pem, intermediate.pem);
    let facts = facts_of_pem(chain.as_bytes()).unwrap();
    let subjects: Vec<_> = facts.iter().map(|facts| facts.subject.as_str()).collect();
    assert_eq!(subjects, ["O=Three Rivers, CN=ffe.example.com", "O=Three Rivers, CN=Intermediate"]);
    let now = Timestamp::now();
    assert_eq!(distrust_of_pem(chain.as_bytes(), HOST, &root.roots(), now), Ok(vec![]));
    let later = facts[0].not_after + jiff::SignedDuration::from_hours(48);
    let reasons = distrust_of_pem(chain.as_bytes(), HOST, &root.roots(), later).unwrap();
    assert!(matches!(reasons.as_slice(), [Distrust::Expired { .. }]), "{reasons:?}");
    assert!(reasons[0].to_string().contains("(2 days ago)"), "{}", reasons[0]);
}

#[test]
fn whether_a_key_belongs_to_a_certificate_is_told() {
    let (one, other) = (Wanted::server().self_signed(), Wanted::server().self_signed());
    assert_eq!(key_belongs(one.pem.as_bytes(), one.key.as_bytes()), Ok(true));
    assert_eq!(key_belongs(one.pem.as_bytes(), other.key.as_bytes()), Ok(false));
}

#[test]
fn what_cannot_be_read_is_named_and_not_repeated() {
    let made = Wanted::server().self_signed();
    assert_eq!(facts_of_pem(b"s3cret"), Err(PemError::NoCertificate));
    let broken = format!("{}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", made.pem);
    assert_eq!(facts_of_pem(broken.as_bytes()), Err(PemError::BadCertificate { number: 2 }));
    assert_eq!(key_belongs(made.pem.as_bytes(), b"s3cret"), Err(PemError::NoKey));
    assert_eq!(key_belongs(made.key.as_bytes(), made.key.as_bytes()), Err(PemError::NoCertificate));
    let unusable = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    assert_eq!(key_belongs(made.pem.as_bytes(), unusable.as_bytes()), Err(PemError::UnusableKey));
    let error = distrust_of_pem(b"s3cret", HOST, &made.roots(), Timestamp::now()).unwrap_err();
    assert!(error.to_string().contains("there is no certificate in it") && !error.can_heal(), "{error}");
    for error in [PemError::NoCertificate, PemError::NoKey, PemError::UnusableKey] {
        assert!(!error.to_string().contains("s3cret"));
    }
}
