//! What the `rfc2136` block and the environment come to.

use std::sync::Arc;

use ffe_cluster::Environment;
use ffe_rfc2136::{Algorithm, Error, Rfc2136, Settings};
use tfplugin::{Diagnostic, Field as _, Path};

use crate::access::Access;
use crate::config::{self, ProviderConfig};
use crate::errors::dns_diagnostic;

/// The same variables as the provider for DNS has.
const SERVER: &str = "DNS_UPDATE_SERVER";
const PORT: &str = "DNS_UPDATE_PORT";
const KEY_NAME: &str = "DNS_UPDATE_KEYNAME";
const KEY_ALGORITHM: &str = "DNS_UPDATE_KEYALGORITHM";
const KEY_SECRET: &str = "DNS_UPDATE_KEYSECRET";

/// Where nothing else is said.
const DEFAULT_PORT: u16 = 53;
const DEFAULT_ALGORITHM: &str = "hmac-sha256";

/// What to set where there is no server.
pub(crate) fn missing() -> Diagnostic {
    Diagnostic::error(
        "There is no name server for dynamic updates",
        format!(
            "Set rfc2136 in the configuration of provider \"ffe\" (server, key_name and key_secret), or the environment variables \
             {SERVER}, {KEY_NAME} and {KEY_SECRET}, to the primary server of the zone and a key that may update it."
        ),
    )
}

/// What the configuration comes to, and what is to be said of it at once: an attribute that cannot be used. A variable may be
/// meant for other tools: it is complained of when it is needed.
pub(crate) fn access(config: &ProviderConfig, environment: &Environment) -> (Access<Rfc2136>, Option<Diagnostic>) {
    if !config.rfc2136.to_value().is_wholly_known() {
        return (Access::Unknown, None);
    }
    let given = config.rfc2136.known();
    let text = |attribute: Option<&tfplugin::Attr<String>>, variable: &str| {
        attribute.and_then(config::text).or_else(|| environment.var(variable)).filter(|text| !text.is_empty())
    };
    let Some(server) = text(given.map(|given| &given.server), SERVER) else { return (Access::None, None) };
    // In no attribute, so nobody else knows that it is secret.
    let secret = text(given.map(|given| &given.key_secret), KEY_SECRET).inspect(|key| tfplugin::logging::redact(key));
    match client(config, environment, server, secret.unwrap_or_default()) {
        Ok(client) => {
            tracing::debug!(server = client.server(), "name server for dynamic updates configured");
            (Access::Ready(Arc::new(client)), None)
        }
        Err(error) => {
            let attribute = match &error {
                Error::Settings { attribute, .. } => *attribute,
                _ => "server",
            };
            let refused = dns_diagnostic(&error.into(), "The name server for dynamic updates cannot be used");
            let at_once = given.is_some().then(|| refused.clone().at(Path::attribute("rfc2136").child(attribute)));
            (Access::Invalid(refused), at_once)
        }
    }
}

fn client(
    config: &ProviderConfig,
    environment: &Environment,
    server: String,
    secret: String,
) -> Result<Rfc2136, Error> {
    let wrong = |attribute, reason: String| Error::Settings { attribute, reason };
    let given = config.rfc2136.known();
    let text = |attribute: Option<&tfplugin::Attr<String>>, variable: &str| {
        attribute.and_then(config::text).or_else(|| environment.var(variable)).filter(|text| !text.is_empty())
    };
    let port = match given.and_then(|given| given.port.known()) {
        Some(port) => port.to_string(),
        None => environment.var(PORT).unwrap_or_else(|| DEFAULT_PORT.to_string()),
    };
    let port = port.parse::<u16>().ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| wrong("port", "expected a port, from 1 to 65535".to_owned()))?;
    let word = text(given.map(|given| &given.key_algorithm), KEY_ALGORITHM);
    let word = word.unwrap_or_else(|| DEFAULT_ALGORITHM.to_owned());
    let algorithm = match word.trim_end_matches('.').to_ascii_lowercase().as_str() {
        "hmac-sha256" => Algorithm::Sha256,
        "hmac-sha384" => Algorithm::Sha384,
        "hmac-sha512" => Algorithm::Sha512,
        _ => {
            let reason = format!("expected hmac-sha256, hmac-sha384 or hmac-sha512, found \"{word}\"");
            return Err(wrong("key_algorithm", reason));
        }
    };
    let key_name = text(given.map(|given| &given.key_name), KEY_NAME).unwrap_or_default();
    Rfc2136::new(&Settings { server, port, key_name, algorithm, secret })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tfplugin::Value;

    use super::*;

    fn config(block: Value) -> ProviderConfig {
        ProviderConfig::from_value(&Value::map([("rfc2136", block)]), &Path::root()).unwrap()
    }

    fn block(more: &[(&'static str, &str)]) -> ProviderConfig {
        let all = [("server", "ns.example.com"), ("key_name", "terraform"), ("key_secret", "c2VjcmV0c2VjcmV0")];
        let all = all.into_iter().filter(|(name, _)| !more.iter().any(|(given, _)| given == name));
        let all: Vec<_> =
            all.chain(more.iter().copied()).map(|(name, text)| (name, Value::from(text.to_owned()))).collect();
        config(Value::map(all))
    }

    fn nothing() -> Environment {
        Environment::for_tests::<String, String>([], None)
    }

    #[test]
    fn attributes_come_before_variables_and_nothing_is_nothing() {
        let variables = [(SERVER, "192.0.2.53"), (PORT, "5353"), (KEY_NAME, "k"), (KEY_SECRET, "c2VjcmV0")];
        let environment = Environment::for_tests(variables, None);
        let server = |access: Access<Rfc2136>| access.get(missing).unwrap().server();
        assert_eq!(server(access(&block(&[]), &nothing()).0), "ns.example.com:53");
        assert_eq!(server(access(&block(&[]), &environment).0), "ns.example.com:5353");
        let none = ProviderConfig::from_value(&Value::Map(Default::default()), &Path::root()).unwrap();
        assert_eq!(server(access(&none, &environment).0), "192.0.2.53:5353");
        assert!(matches!(access(&none, &nothing()).0, Access::None));
        assert!(matches!(access(&config(Value::Unknown), &environment).0, Access::Unknown));
    }

    #[test]
    fn what_cannot_be_used_is_said_at_its_attribute_and_without_the_key() {
        for (given, at) in [
            (("key_secret", "not base64 hidden"), "rfc2136.key_secret"),
            (("key_name", ""), "rfc2136.key_name"),
            (("server", "https://ns"), "rfc2136.server"),
            (("key_algorithm", "hmac-md5"), "rfc2136.key_algorithm"),
        ] {
            let (access, refused) = access(&block(&[given]), &nothing());
            let refused = refused.unwrap();
            assert_eq!(refused.path.as_ref().unwrap().to_string(), at, "{refused}");
            assert!(!refused.to_string().contains("hidden"), "{refused}");
            assert!(access.get(missing).is_err());
        }
    }
}
