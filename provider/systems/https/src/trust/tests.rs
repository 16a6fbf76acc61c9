#![allow(clippy::unwrap_used)]

use super::*;
use crate::distrust_of_pem;
use crate::testing::{Certified, HOST, Wanted, days};

fn reasons(chain: &[&Certified], roots: &Certified) -> Vec<String> {
    let pem: String = chain.iter().map(|one| one.pem.as_str()).collect();
    let found = distrust_of_pem(pem.as_bytes(), HOST, &roots.roots(), Timestamp::now()).unwrap();
    found.iter().map(Distrust::to_string).collect()
}

#[test]
fn each_reason_is_told_exactly() {
    let root = Wanted::ca("Root").self_signed();
    let other = Wanted::ca("Other").self_signed();
    let same_name = Wanted::ca("Root").self_signed();
    let intermediate = Wanted::ca("Intermediate").signed_by(&root);
    let by_intermediate = Wanted::server().signed_by(&intermediate);
    let server = |wanted: Wanted| wanted.signed_by(&root);
    let me = "O=Three Rivers, CN=ffe.example.com";
    for (chain, roots, expected) in [
        (vec![&server(Wanted::server())], &root, vec![]),
        (vec![&by_intermediate, &intermediate], &root, vec![]),
        (
            vec![&server(Wanted { from: days(-90), until: days(-12), ..Wanted::server() })],
            &root,
            vec![format!("the certificate \"{me}\" expired on ")],
        ),
        (
            vec![&server(Wanted { from: days(2), ..Wanted::server() })],
            &root,
            vec![format!("the certificate \"{me}\" is not valid before ")],
        ),
        (
            vec![&server(Wanted::server())],
            &other,
            vec![
                "it is issued by \"O=Three Rivers, CN=Root\", which is not among the trusted authorities (the server \
                 sent no intermediate certificate)"
                    .to_owned(),
            ],
        ),
        (
            vec![&by_intermediate, &intermediate],
            &other,
            vec!["it is issued by \"O=Three Rivers, CN=Root\", which is not among the trusted authorities".to_owned()],
        ),
        (
            vec![&by_intermediate],
            &root,
            vec![
                "it is issued by \"O=Three Rivers, CN=Intermediate\", which is not among the trusted authorities (the \
                 server sent no intermediate certificate)"
                    .to_owned(),
            ],
        ),
        (
            vec![&Wanted::server().self_signed()],
            &root,
            vec![format!("\"{me}\" is self-signed and not among the trusted certificates")],
        ),
        (
            vec![&server(Wanted { names: vec!["a.example.com", "b.example.com"], ..Wanted::server() })],
            &root,
            vec!["it is not for \"ffe.example.com\" but for a.example.com and b.example.com".to_owned()],
        ),
        (
            vec![&server(Wanted { names: vec![], ..Wanted::server() })],
            &root,
            vec!["it is not for \"ffe.example.com\" but for no name at all".to_owned()],
        ),
        (
            vec![&server(Wanted { ca: true, ..Wanted::server() })],
            &root,
            vec![format!("the server shows the certificate of an authority (\"{me}\") as its own")],
        ),
        (
            vec![&server(Wanted { client_only: true, ..Wanted::server() })],
            &root,
            vec![format!("\"{me}\" may not be used as a server's certificate")],
        ),
        (
            vec![&server(Wanted::server())],
            &same_name,
            vec![
                "the signature of \"O=Three Rivers, CN=Root\" on it is wrong: changed, or signed by another key of the \
                 same name"
                    .to_owned(),
            ],
        ),
        // Two things at once are told both.
        (
            vec![&Wanted { from: days(-90), until: days(-12), ..Wanted::server() }.self_signed()],
            &root,
            vec![
                format!("the certificate \"{me}\" expired on "),
                format!("\"{me}\" is self-signed and not among the trusted certificates"),
            ],
        ),
        (
            vec![
                &Wanted { cn: "TRAEFIK DEFAULT CERT", names: vec!["x.traefik.default"], ..Wanted::server() }
                    .self_signed(),
            ],
            &root,
            vec![
                "\"O=Three Rivers, CN=TRAEFIK DEFAULT CERT\" is self-signed and not among the trusted certificates \
                 (Traefik's default certificate: the controller has no certificate for this host yet)"
                    .to_owned(),
                "it is not for \"ffe.example.com\" but for x.traefik.default".to_owned(),
            ],
        ),
    ] {
        let found = reasons(&chain, roots);
        assert_eq!(found.len(), expected.len(), "{found:?}, expected {expected:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(found.starts_with(expected.as_str()), "{found}, expected {expected}");
        }
    }
}

#[test]
fn the_certificate_that_is_too_old_is_named_where_it_is_not_the_servers_own() {
    let root = Wanted::ca("Root").self_signed();
    let old = Wanted { from: days(-90), until: days(-12), ..Wanted::ca("Old Intermediate") }.signed_by(&root);
    let leaf = Wanted::server().signed_by(&old);
    let found = reasons(&[&leaf, &old], &root);
    assert!(found[0].contains("CN=Old Intermediate\" expired") && found[0].ends_with("(12 days ago)"), "{found:?}");
}

#[test]
fn a_self_signed_certificate_that_is_trusted_is_trusted() {
    let own = Wanted::server().self_signed();
    assert_eq!(reasons(&[&own], &own), Vec::<String>::new());
}

#[test]
fn a_server_without_a_certificate_is_not_trusted() {
    let name = server_name(HOST).unwrap();
    assert_eq!(distrust(&[], &name, &RootCertStore::empty(), UnixTime::now()).len(), 1);
    let garbage = [CertificateDer::from(vec![1, 2, 3])];
    assert_eq!(distrust(&garbage, &name, &RootCertStore::empty(), UnixTime::now()).len(), 1);
}

#[test]
fn lengths_of_time_are_told_in_their_unit() {
    for (seconds, told) in [
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7200, "2 hours"),
        (604_800, "7 days"),
        (-5, "0 seconds"),
    ] {
        assert_eq!(words(SignedDuration::from_secs(seconds)), told);
    }
}
