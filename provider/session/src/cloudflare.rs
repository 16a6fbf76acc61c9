//! What the `cloudflare` block and the environment come to.

use std::sync::Arc;

use ffe_cloudflare::{Cloudflare, Error};
use ffe_cluster::Environment;
use tfplugin::{Diagnostic, Path};

use crate::access::Access;
use crate::config::{self, ProviderConfig};
use crate::errors::dns_diagnostic;

/// The same variables as other tools for Cloudflare.
const TOKEN_VARIABLE: &str = "CLOUDFLARE_API_TOKEN";
const URL_VARIABLE: &str = "CLOUDFLARE_BASE_URL";

/// What to set where there is no token.
pub(crate) fn missing() -> Diagnostic {
    Diagnostic::error(
        "There is no Cloudflare API token",
        format!(
            "Set cloudflare.api_token in the configuration of provider \"ffe\", or the environment variable {TOKEN_VARIABLE}, to a \
             token with the permissions Zone / Zone / Read and Zone / DNS / Edit for the zone (Cloudflare dashboard, My Profile, \
             API Tokens)."
        ),
    )
}

/// What the configuration comes to, and what is to be said of it at once: an attribute that cannot be used. A variable
/// may be meant for other tools: it is complained of when it is needed.
pub(crate) fn access(config: &ProviderConfig, environment: &Environment) -> (Access<Cloudflare>, Option<Diagnostic>) {
    let given = config.cloudflare.known();
    let unknown = given.is_some_and(|given| given.api_token.is_unknown() || given.base_url.is_unknown());
    if unknown || config.cloudflare.is_unknown() {
        return (Access::Unknown, None);
    }
    let attribute = given.and_then(|given| config::text(&given.api_token));
    let url_attribute = given.and_then(|given| config::text(&given.base_url));
    // In no attribute, so nobody else knows that it is secret.
    let variable = || environment.var(TOKEN_VARIABLE).inspect(|token| tfplugin::logging::redact(token));
    let Some(token) = attribute.clone().or_else(variable) else {
        return (Access::None, None);
    };
    let url = url_attribute.clone().or_else(|| environment.var(URL_VARIABLE));
    match Cloudflare::new(&token, url.as_deref()) {
        Ok(cloudflare) => {
            tracing::debug!(base_url = cloudflare.base_url(), "Cloudflare configured");
            (Access::Ready(Arc::new(cloudflare)), None)
        }
        Err(error) => {
            let (name, by_attribute) = match error {
                Error::BaseUrl { .. } => ("base_url", url_attribute.is_some()),
                _ => ("api_token", attribute.is_some()),
            };
            let refused = dns_diagnostic(&error.into(), "The Cloudflare configuration cannot be used");
            let at_once = by_attribute.then(|| refused.clone().at(Path::attribute("cloudflare").child(name)));
            (Access::Invalid(refused), at_once)
        }
    }
}

#[cfg(test)]
mod tests;
