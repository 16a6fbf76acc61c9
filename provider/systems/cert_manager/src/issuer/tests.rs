use super::*;

fn acme(way: Way) -> IssuerSpec {
    IssuerSpec::Acme(Box::new(plain(vec![Solver::of(way)])))
}

fn plain(solvers: Vec<Solver>) -> Acme {
    Acme {
        server: "letsencrypt-staging".to_owned(),
        email: Some("ops@three-rivers-tech.com".to_owned()),
        ca_bundle: None,
        profile: None,
        preferred_chain: None,
        account_key_secret: "le-account".to_owned(),
        external_account: None,
        solvers,
    }
}

fn by(provider: DnsProvider) -> Way {
    Way::Dns01 { provider, follow_cname: false }
}

#[test]
fn an_acme_issuer_names_its_server_account_and_solver() {
    let spec = acme(Way::Http01Ingress { class: Some("traefik".to_owned()), pod: None });
    assert_eq!(
        issuer_object(&IssuerRef::issuer("le"), "ffe", &spec),
        json!({"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": {"name": "le", "namespace": "ffe"},
            "spec": {"acme": {"server": LETSENCRYPT_STAGING, "privateKeySecretRef": {"name": "le-account"},
                "solvers": [{"http01": {"ingress": {"ingressClassName": "traefik"}}}],
                "email": "ops@three-rivers-tech.com"}}})
    );
    assert!(spec.secrets().is_empty());
}

#[test]
fn a_cluster_issuer_has_no_namespace() {
    let object = issuer_object(&IssuerRef::cluster_issuer("self"), "ffe", &IssuerSpec::SelfSigned);
    assert_eq!(object["metadata"], json!({"name": "self"}));
    assert_eq!(object["kind"], "ClusterIssuer");
    assert_eq!(object["spec"], json!({"selfSigned": {}}));
}

#[test]
fn dns_solvers_read_their_credentials_from_secrets() {
    let cloudflare = acme(by(DnsProvider::Cloudflare { token: SecretKey::new("cf", "token") }));
    assert_eq!(cloudflare.secrets(), [SecretKey::new("cf", "token")]);
    let solver = &issuer_object(&IssuerRef::issuer("le"), "ffe", &cloudflare)["spec"]["acme"]["solvers"][0];
    assert_eq!(solver, &json!({"dns01": {"cloudflare": {"apiTokenSecretRef": {"name": "cf", "key": "token"}}}}));

    let rfc2136 = acme(by(DnsProvider::Rfc2136 {
        nameserver: "10.0.0.53:5353".to_owned(),
        tsig: Some(Tsig {
            key_name: "ffe".to_owned(),
            algorithm: "HMACSHA256".to_owned(),
            secret: SecretKey::new("tsig", "key"),
        }),
    }));
    assert_eq!(rfc2136.secrets(), [SecretKey::new("tsig", "key")]);
    let solver = &issuer_object(&IssuerRef::issuer("le"), "ffe", &rfc2136)["spec"]["acme"]["solvers"][0];
    assert_eq!(
        solver["dns01"]["rfc2136"],
        json!({"nameserver": "10.0.0.53:5353", "tsigKeyName": "ffe", "tsigAlgorithm": "HMACSHA256",
            "tsigSecretSecretRef": {"name": "tsig", "key": "key"}})
    );
}

#[test]
fn a_gateway_solver_names_its_listener() {
    let spec = acme(Way::Http01Gateway {
        gateways: vec![ParentGateway {
            name: "edge".to_owned(),
            namespace: Some("infra".to_owned()),
            section: Some("web".to_owned()),
        }],
        pod: None,
    });
    let solver = &issuer_object(&IssuerRef::issuer("le"), "ffe", &spec)["spec"]["acme"]["solvers"][0];
    assert_eq!(
        solver["http01"]["gatewayHTTPRoute"]["parentRefs"][0],
        json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge", "namespace": "infra",
            "sectionName": "web"})
    );
}

#[test]
fn a_private_acme_server_is_trusted_by_its_bundle() {
    let spec = IssuerSpec::Acme(Box::new(Acme {
        server: "https://pebble.test:14000/dir".to_owned(),
        email: None,
        ca_bundle: Some("-----BEGIN CERTIFICATE-----\n".to_owned()),
        ..plain(vec![Solver::of(Way::Http01Ingress { class: None, pod: None })])
    }));
    let object = issuer_object(&IssuerRef::issuer("pebble"), "ffe", &spec);
    assert_eq!(object["spec"]["acme"]["server"], "https://pebble.test:14000/dir");
    assert_eq!(object["spec"]["acme"]["caBundle"], "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==");
    assert_eq!(object["spec"]["acme"]["email"], Value::Null);
}

#[test]
fn an_internal_authority_reads_its_key_pair() {
    let spec = IssuerSpec::Ca { secret_name: "root".to_owned() };
    assert_eq!(spec.secrets(), [SecretKey::new("root", "tls.crt"), SecretKey::new("root", "tls.key")]);
    let object = issuer_object(&IssuerRef::issuer("internal"), "ffe", &spec);
    assert_eq!(object["spec"], json!({"ca": {"secretName": "root"}}));
}

#[test]
fn only_lets_encrypt_proper_counts() {
    assert!(is_letsencrypt_production("letsencrypt"));
    assert!(is_letsencrypt_production("https://acme-v02.api.letsencrypt.org/directory"));
    assert!(!is_letsencrypt_production("letsencrypt-staging"));
    assert!(!is_letsencrypt_production("https://pebble.test/dir"));
}

#[test]
fn each_solver_is_for_the_names_that_it_says() {
    let wildcard = Solver {
        selector: Selector {
            dns_names: vec!["*.example.com".to_owned()],
            dns_zones: vec!["example.com".to_owned()],
            match_labels: [("team".to_owned(), "core".to_owned())].into(),
        },
        way: Way::Dns01 {
            provider: DnsProvider::Cloudflare { token: SecretKey::new("cf", "token") },
            follow_cname: true,
        },
    };
    let plain_names = Solver::of(Way::Http01Ingress { class: None, pod: None });
    let spec = IssuerSpec::Acme(Box::new(plain(vec![wildcard, plain_names])));
    let object = issuer_object(&IssuerRef::cluster_issuer("le"), "ffe", &spec);
    assert_eq!(
        object["spec"]["acme"]["solvers"],
        json!([
            {"dns01": {"cloudflare": {"apiTokenSecretRef": {"name": "cf", "key": "token"}}, "cnameStrategy": "Follow"},
             "selector": {"dnsNames": ["*.example.com"], "dnsZones": ["example.com"], "matchLabels": {"team": "core"}}},
            {"http01": {"ingress": {}}},
        ])
    );
}

#[test]
fn other_providers_of_dns_have_their_own_fields() {
    let of = |provider| {
        let object = issuer_object(&IssuerRef::issuer("le"), "ffe", &acme(by(provider)));
        object["spec"]["acme"]["solvers"][0]["dns01"].clone()
    };
    let keys = AwsKeys { access_key_id: "AKIA".to_owned(), secret_access_key: SecretKey::new("aws", "key") };
    let route53 = |keys| DnsProvider::Route53 {
        region: Some("eu-central-1".to_owned()),
        hosted_zone_id: Some("Z1".to_owned()),
        role: None,
        keys,
    };
    assert_eq!(
        of(route53(Some(keys.clone()))),
        json!({"route53": {"region": "eu-central-1", "hostedZoneID": "Z1", "accessKeyID": "AKIA",
            "secretAccessKeySecretRef": {"name": "aws", "key": "key"}}})
    );
    assert_eq!(acme(by(route53(Some(keys)))).secrets(), [SecretKey::new("aws", "key")]);
    assert_eq!(of(route53(None)), json!({"route53": {"region": "eu-central-1", "hostedZoneID": "Z1"}}));
    let acme_dns = DnsProvider::AcmeDns {
        host: "https://auth.acme-dns.io".to_owned(),
        accounts: SecretKey::new("acme-dns", "accounts"),
    };
    assert_eq!(
        of(acme_dns),
        json!({"acmeDNS": {"host": "https://auth.acme-dns.io", "accountSecretRef": {"name": "acme-dns", "key": "accounts"}}})
    );
    let webhook = DnsProvider::Webhook {
        group_name: "acme.example.com".to_owned(),
        solver_name: "hetzner".to_owned(),
        config: Some(json!({"zone": "example.com"})),
    };
    assert_eq!(
        of(webhook),
        json!({"webhook": {"groupName": "acme.example.com", "solverName": "hetzner", "config": {"zone": "example.com"}}})
    );
}

#[test]
fn the_pod_of_a_challenge_is_as_the_cluster_needs_it() {
    let pod = PodTemplate {
        labels: [("sidecar.istio.io/inject".to_owned(), "false".to_owned())].into(),
        node_selector: [("kubernetes.io/os".to_owned(), "linux".to_owned())].into(),
        tolerations: vec![Toleration { operator: Some("Exists".to_owned()), ..Toleration::default() }],
        priority_class: Some("high".to_owned()),
        ..PodTemplate::default()
    };
    let spec = acme(Way::Http01Ingress { class: None, pod: Some(pod) });
    let object = issuer_object(&IssuerRef::issuer("le"), "ffe", &spec);
    assert_eq!(
        object["spec"]["acme"]["solvers"][0]["http01"]["ingress"]["podTemplate"],
        json!({"metadata": {"labels": {"sidecar.istio.io/inject": "false"}}, "spec": {
            "nodeSelector": {"kubernetes.io/os": "linux"}, "tolerations": [{"operator": "Exists"}],
            "priorityClassName": "high"}})
    );
}

#[test]
fn an_account_is_bound_to_that_of_a_customer() {
    let bound = ExternalAccount { key_id: "kid".to_owned(), key: SecretKey::new("le-credentials", "eab-key") };
    let spec = IssuerSpec::Acme(Box::new(Acme {
        external_account: Some(bound),
        preferred_chain: Some("ISRG Root X1".to_owned()),
        ..plain(Vec::new())
    }));
    assert_eq!(spec.secrets(), [SecretKey::new("le-credentials", "eab-key")]);
    let acme = issuer_object(&IssuerRef::issuer("le"), "ffe", &spec)["spec"]["acme"].clone();
    assert_eq!(
        acme["externalAccountBinding"],
        json!({"keyID": "kid", "keySecretRef": {"name": "le-credentials", "key": "eab-key"}})
    );
    assert_eq!(acme["preferredChain"], "ISRG Root X1");
}

#[test]
fn vault_is_logged_in_to_in_three_ways() {
    let of = |login| {
        let vault = Vault {
            server: "https://vault:8200".to_owned(),
            path: "pki/sign/ffe".to_owned(),
            namespace: None,
            ca_bundle: None,
            login,
        };
        let spec = IssuerSpec::Vault(vault);
        (issuer_object(&IssuerRef::issuer("v"), "ffe", &spec)["spec"]["vault"].clone(), spec.secrets())
    };
    let secret = SecretKey::new("v-credentials", "vault");
    let (token, secrets) = of(VaultLogin::Token(secret.clone()));
    assert_eq!(
        token,
        json!({"server": "https://vault:8200", "path": "pki/sign/ffe",
            "auth": {"tokenSecretRef": {"name": "v-credentials", "key": "vault"}}})
    );
    assert_eq!(secrets, std::slice::from_ref(&secret));
    let (role, _) = of(VaultLogin::AppRole { path: "approle".to_owned(), role_id: "r".to_owned(), secret_id: secret });
    assert_eq!(
        role["auth"],
        json!({"appRole": {"path": "approle", "roleId": "r", "secretRef": {"name": "v-credentials", "key": "vault"}}})
    );
    let (kubernetes, secrets) = of(VaultLogin::Kubernetes {
        mount_path: "/v1/auth/kubernetes".to_owned(),
        role: "issuer".to_owned(),
        service_account: "vault".to_owned(),
    });
    assert_eq!(
        kubernetes["auth"],
        json!({"kubernetes": {"mountPath": "/v1/auth/kubernetes", "role": "issuer", "serviceAccountRef": {"name": "vault"}}})
    );
    assert!(secrets.is_empty());
}

#[test]
fn what_shows_in_a_certificate_makes_an_issuer_another_one() {
    let of = |acme: Acme| IssuerSpec::Acme(Box::new(acme));
    let one = of(plain(Vec::new()));
    for other in [
        of(Acme { server: "letsencrypt".to_owned(), ..plain(Vec::new()) }),
        of(Acme { profile: Some("shortlived".to_owned()), ..plain(Vec::new()) }),
        of(Acme { preferred_chain: Some("ISRG Root X1".to_owned()), ..plain(Vec::new()) }),
        IssuerSpec::SelfSigned,
        IssuerSpec::Ca { secret_name: "root".to_owned() },
    ] {
        assert!(!one.issues_like(&other) && !other.issues_like(&one), "{other:?}");
    }
    for same in [
        of(Acme { server: format!("{LETSENCRYPT_STAGING}/"), ..plain(Vec::new()) }),
        of(Acme { email: None, account_key_secret: "other".to_owned(), ..plain(Vec::new()) }),
        acme(Way::Http01Ingress { class: None, pod: None }),
    ] {
        assert!(one.issues_like(&same) && same.issues_like(&one), "{same:?}");
    }
}
