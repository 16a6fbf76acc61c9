//! What the demo shows at its end: where the application is, what was deployed, and what it answers.

use anyhow::{Context as _, Result, ensure};
use http::StatusCode;
use serde_json::Value as Json;

use super::https::Https;
use crate::kubectl::Kubectl;
use crate::tell;

/// Shows terraform's outputs and asks the application.
pub(super) fn show(outputs: &str, kubectl: Option<&Kubectl>, key: &str, testbed: Option<&Https>) -> Result<()> {
    let outputs = Outputs::read(outputs)?;
    tell::headline("The result");
    if let Some(url) = &outputs.url {
        tell::line(format!("URL                  {url}"));
    }
    if let Some(https) = testbed {
        tell::line(format!("  from this machine  {}", https.by_hand()));
    }
    if let Some(ends) = &outputs.certificate_ends {
        tell::line(format!("certificate until    {ends}"));
    }
    tell::line(format!("URL in the cluster   {}", outputs.url_inside));
    tell::line(format!("Helm revision        {}", outputs.revision));
    tell::line(format!("schema revision      {}", outputs.schema.join(", ")));
    let Some(kubectl) = kubectl else {
        tell::note("There is no kubectl in PATH to ask the application with.");
        return Ok(());
    };
    let forward = kubectl.forward(&outputs.namespace, &outputs.service, outputs.port)?;
    let bearer = format!("Bearer {key}");
    for (path, headers) in
        [("/health", [].as_slice()), ("/api/v1/bot/status", [("Authorization", bearer.as_str())].as_slice())]
    {
        let (status, body) = forward.get(path, headers)?;
        tell::line(format!("\nGET {path}\n{status}\n{}", pretty(&body)));
        ensure!(status == StatusCode::OK, "the application answered {path} with {status}");
    }
    Ok(())
}

#[derive(Debug, PartialEq)]
struct Outputs {
    namespace: String,
    service: String,
    port: u64,
    url: Option<String>,
    url_inside: String,
    certificate_ends: Option<String>,
    revision: u64,
    schema: Vec<String>,
}

impl Outputs {
    fn read(text: &str) -> Result<Outputs> {
        let all: Json = serde_json::from_str(text).context("terraform's outputs")?;
        let text = |path: &str| {
            let found = all.pointer(path).and_then(Json::as_str).map(str::to_owned);
            found.with_context(|| format!("terraform's outputs have no {path}"))
        };
        let number = |path: &str| {
            all.pointer(path).and_then(Json::as_u64).with_context(|| format!("terraform's outputs have no {path}"))
        };
        let schema = all.pointer("/schema_revision/value").and_then(Json::as_array).cloned().unwrap_or_default();
        Ok(Outputs {
            namespace: text("/namespace/value")?,
            service: text("/service/value/service")?,
            port: number("/service/value/port")?,
            url: text("/url/value").ok(),
            url_inside: text("/url_inside/value")?,
            certificate_ends: text("/certificate_ends/value").ok(),
            revision: number("/revision/value")?,
            schema: schema.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        })
    }
}

/// JSON as people read it; anything else as it is.
fn pretty(body: &str) -> String {
    let json = serde_json::from_str::<Json>(body).ok();
    json.and_then(|json| serde_json::to_string_pretty(&json).ok()).unwrap_or_else(|| body.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn outputs_are_read_and_a_missing_one_is_named() {
        let text = r#"{
            "namespace": {"value": "ffe-demo"}, "service": {"value": {"service": "ffe-backend", "port": 8000}},
            "url_inside": {"value": "http://x"}, "url": {"value": "https://y"}, "revision": {"value": 2}, "schema_revision": {"value": ["0003"]}
        }"#;
        let outputs = Outputs::read(text).unwrap();
        assert_eq!((outputs.service.as_str(), outputs.port, outputs.revision), ("ffe-backend", 8000, 2));
        assert_eq!((outputs.url.as_deref(), outputs.certificate_ends), (Some("https://y"), None));
        assert_eq!(outputs.schema, ["0003"]);
        let missing = Outputs::read(r#"{"namespace": {"value": "x"}}"#).unwrap_err();
        assert_eq!(missing.to_string(), "terraform's outputs have no /service/value/service");
    }
}
