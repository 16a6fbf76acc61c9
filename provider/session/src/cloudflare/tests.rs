#![allow(clippy::unwrap_used, clippy::panic)]

use tfplugin::{Attr, Field as _};

use super::*;
use crate::Session;
use crate::config::Cloudflare as Block;
use crate::session::Unavailable;

const SECRET: &str = "s3cret-of-cloudflare";

fn config(cloudflare: Attr<Block>) -> ProviderConfig {
    let nothing = tfplugin::Value::Map(Default::default());
    ProviderConfig { cloudflare, ..ProviderConfig::from_value(&nothing, &Path::root()).unwrap() }
}

fn block(api_token: Attr<String>, base_url: Attr<String>) -> Attr<Block> {
    Attr::Known(Block { api_token, base_url })
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::for_tests(variables.iter().copied(), None)
}

fn found(cloudflare: Attr<Block>, variables: &[(&str, &str)]) -> (Access<Cloudflare>, Option<Diagnostic>) {
    access(&config(cloudflare), &environment(variables))
}

fn base_url(access: &Access<Cloudflare>) -> String {
    match access.get(missing) {
        Ok(cloudflare) => cloudflare.base_url().to_owned(),
        Err(unavailable) => panic!("{}", unavailable.into_diagnostics()),
    }
}

#[test]
fn attributes_win_over_variables_and_empty_ones_are_not_set() {
    let variables = [(TOKEN_VARIABLE, "from-environment"), (URL_VARIABLE, "http://127.0.0.1:1/from-environment")];
    let own = ffe_cloudflare::BASE_URL;
    for (cloudflare, variables, expected) in [
        (Attr::Null, &variables[..], "http://127.0.0.1:1/from-environment"),
        (block(Attr::from(""), Attr::from("")), &variables[..], "http://127.0.0.1:1/from-environment"),
        (
            block(Attr::from(SECRET), Attr::from("https://proxy.example.com/v4")),
            &variables[..],
            "https://proxy.example.com/v4",
        ),
        (block(Attr::from(SECRET), Attr::Null), &[], own),
        (Attr::Null, &variables[..1], own),
    ] {
        let (access, refused) = found(cloudflare, variables);
        assert_eq!((base_url(&access).as_str(), refused), (expected, None));
    }
}

#[test]
fn without_a_token_nothing_fails_until_one_is_needed() {
    for cloudflare in [Attr::Null, block(Attr::Null, Attr::Null), block(Attr::Null, Attr::from("https://example.com"))]
    {
        let (access, refused) = found(cloudflare, &[]);
        assert_eq!(refused, None);
        let Err(Unavailable::Invalid(errors)) = access.get(missing) else { panic!("there is a client") };
        let text = errors.to_string();
        for part in ["There is no Cloudflare API token", "cloudflare.api_token", "CLOUDFLARE_API_TOKEN", "DNS / Edit"] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }
}

#[test]
fn what_is_unknown_at_plan_is_no_error_and_takes_nothing_from_the_rest() {
    let session = Session::new();
    let variables = environment(&[(TOKEN_VARIABLE, "t"), ("KUBE_HOST", "https://one:6443")]);
    for unknown in [Attr::Unknown, block(Attr::Unknown, Attr::Null), block(Attr::from("t"), Attr::Unknown)] {
        assert!(session.configure_in(&config(unknown), &variables).is_empty());
        assert!(matches!(session.cloudflare(), Err(Unavailable::Unknown)));
        assert!(session.cluster().is_ok() && session.deferral().is_none());
    }
    let kubernetes = ProviderConfig { kubernetes: Attr::Unknown, ..config(Attr::Null) };
    assert!(session.configure_in(&kubernetes, &variables).is_empty());
    assert!(session.cloudflare().is_ok() && session.cluster().is_err());
    assert!(Unavailable::Unknown.into_diagnostics().to_string().contains("cloudflare"));
}

#[test]
fn what_cannot_be_used_is_told_at_the_attribute_at_once_and_of_a_variable_when_needed() {
    let wrong_token = "s3cret of cloudflare";
    let wrong_url = "http://proxy.example.com";
    for (cloudflare, variables, path) in [
        (block(Attr::from(wrong_token), Attr::Null), vec![], Some("cloudflare.api_token")),
        (block(Attr::from("t"), Attr::from(wrong_url)), vec![], Some("cloudflare.base_url")),
        (block(Attr::from("t"), Attr::Null), vec![(URL_VARIABLE, wrong_url)], None),
        (Attr::Null, vec![(TOKEN_VARIABLE, wrong_token)], None),
    ] {
        let (access, refused) = found(cloudflare, &variables);
        assert_eq!(refused.and_then(|refused| refused.path).map(|path| path.to_string()).as_deref(), path);
        let Err(Unavailable::Invalid(errors)) = access.get(missing) else { panic!("there is a client") };
        let text = errors.to_string();
        assert!(text.contains("The Cloudflare configuration cannot be used") && text.contains("CLOUDFLARE_"), "{text}");
        assert!(!text.contains(wrong_token), "{text}");
    }
}

#[test]
fn a_token_of_the_environment_is_replaced_in_everything_that_is_written() {
    let (access, _) = found(Attr::Null, &[(TOKEN_VARIABLE, "t0ken-of-the-environment")]);
    assert!(access.get(missing).is_ok());
    assert_eq!(tfplugin::logging::redacted("t0ken-of-the-environment"), "(redacted)");
}

#[test]
fn a_session_of_a_test_takes_any_client() {
    let session = Session::new();
    assert!(matches!(session.cloudflare(), Err(Unavailable::Invalid(_))));
    session.use_cloudflare(Cloudflare::new("t", Some("http://127.0.0.1:1")).unwrap());
    assert_eq!(
        session.cloudflare().map(|client| client.base_url().to_owned()).ok().as_deref(),
        Some("http://127.0.0.1:1")
    );
}
