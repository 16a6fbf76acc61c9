//! Health and smoke checks after the deployment.

mod http;

use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tfplugin::{Diagnostic, Path};

use crate::apply::phases::deploy::Deployed;
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::journal::Outcome;
use crate::rendering::workloads::workloads;
use crate::settings::inputs::duration;
use crate::settings::model::Verify;
use http::{Answer, Endpoint};

const BETWEEN: Duration = Duration::from_secs(1);

/// One request and what its answer must be.
struct Probe {
    path: String,
    status: u16,
    bearer: Option<String>,
    json: Vec<(String, String)>,
    attribute: Path,
}

/// Asks until everything is as expected, and stays so for `stable_for`.
///
/// # Errors
/// When the time is over: what was expected and what was answered last.
pub(crate) async fn check(run: &Run, deployed: &Deployed) -> Result<Outcome, Stop> {
    let Some(settings) = run.inputs.config.verify.known().cloned() else { return Ok(Outcome::Skipped) };
    let endpoint = endpoint(run, deployed, &settings).map_err(Stop::failed)?;
    let probes = probes(&settings);
    let (limit, stable) = (duration(&settings.timeout, 300), duration(&settings.stable_for, 0));
    let started = Instant::now();
    let mut good_since: Option<Instant> = None;
    loop {
        let fault = first_fault(run, &endpoint, &probes).await;
        if run.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        match fault {
            None => {
                let since = *good_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= stable {
                    return Ok(Outcome::Succeeded);
                }
            }
            Some((fault, attribute)) => {
                if good_since.take().is_some() {
                    tracing::warn!(%fault, "a check that had passed fails again");
                }
                if started.elapsed() >= limit {
                    return Err(Stop::failed(failure(run, deployed, &endpoint, &fault, attribute, limit).await));
                }
                tracing::info!(%fault, "not verified yet");
            }
        }
        tokio::select! {
            () = run.cancel.cancelled() => return Err(Stop::Cancelled),
            () = tokio::time::sleep(BETWEEN) => {}
        }
    }
}

fn probes(settings: &Verify) -> Vec<Probe> {
    let at = Path::attribute("verify");
    let status = |attribute: &tfplugin::Attr<i64>| {
        attribute.known().and_then(|status| u16::try_from(*status).ok()).unwrap_or(200)
    };
    let health = Probe {
        path: settings.path.as_str().unwrap_or("/health").to_owned(),
        status: status(&settings.status),
        bearer: None,
        json: settings
            .json
            .known()
            .into_iter()
            .flatten()
            .filter_map(|(pointer, expected)| Some((pointer.clone(), expected.as_str()?.to_owned())))
            .collect(),
        attribute: at.child("path"),
    };
    let smoke = settings.smoke.known().into_iter().flatten().enumerate().map(|(index, smoke)| Probe {
        path: smoke.path.as_str().unwrap_or("/").to_owned(),
        status: status(&smoke.status),
        bearer: smoke.bearer_wo.as_str().map(str::to_owned),
        json: Vec::new(),
        attribute: at.child("smoke").index(index),
    });
    std::iter::once(health).chain(smoke).collect()
}

/// Where to ask: the URL, the service that was named, or the chart's one service.
fn endpoint(run: &Run, deployed: &Deployed, settings: &Verify) -> Result<Endpoint, Diagnostic> {
    if let Some(url) = settings.url.as_str() {
        return Ok(Endpoint::Url(url.trim_end_matches('/').to_owned()));
    }
    let services = deployed.manifest.services(&run.inputs.namespace);
    let at = Path::attribute("verify").child("service");
    if let Some(named) = settings.service.known() {
        let name = named.name.as_str().unwrap_or_default();
        let first = services
            .iter()
            .find(|service| service.name == name)
            .and_then(|service| service.ports.first())
            .map(|port| port.port);
        let port = named.port.known().and_then(|port| u16::try_from(*port).ok()).or(first);
        return match port {
            Some(port) => {
                Ok(Endpoint::Service { namespace: run.inputs.namespace.clone(), name: name.to_owned(), port })
            }
            None => Err(Diagnostic::error(
                "The port to verify is not clear",
                format!(
                    "The release has no service {name} with a port. Say verify.service.port, or name one of: {}.",
                    names(&services)
                ),
            )
            .at(at)),
        };
    }
    match services.as_slice() {
        [service] if !service.ports.is_empty() => Ok(Endpoint::Service {
            namespace: service.namespace.clone(),
            name: service.name.clone(),
            port: service.ports[0].port,
        }),
        several => Err(Diagnostic::error(
            "The service to verify is not clear",
            format!(
                "The release has {} services ({}). Say which one with verify.service, or give verify.url.",
                several.len(),
                names(several)
            ),
        )
        .at(at)),
    }
}

fn names(services: &[ffe_helm::manifest::Service]) -> String {
    services.iter().map(|service| service.name.as_str()).collect::<Vec<_>>().join(", ")
}

async fn first_fault(run: &Run, endpoint: &Endpoint, probes: &[Probe]) -> Option<(String, Path)> {
    for probe in probes {
        let answer = endpoint.get(&run.cluster, &probe.path, probe.bearer.as_deref()).await;
        let fault = match answer {
            Ok(answer) => fault(probe, &answer),
            Err(error) => Some(format!("GET {}: {error}", probe.path)),
        };
        if let Some(fault) = fault {
            return Some((fault, probe.attribute.clone()));
        }
    }
    None
}

/// What is wrong with an answer.
fn fault(probe: &Probe, answer: &Answer) -> Option<String> {
    if answer.status != probe.status {
        return Some(format!(
            "GET {} answered {} instead of {}: {}",
            probe.path,
            answer.status,
            probe.status,
            answer.excerpt()
        ));
    }
    if probe.json.is_empty() {
        return None;
    }
    let Ok(json) = serde_json::from_slice::<Json>(&answer.body) else {
        return Some(format!("GET {} did not answer JSON: {}", probe.path, answer.excerpt()));
    };
    probe.json.iter().find_map(|(pointer, expected)| {
        let found = json.pointer(pointer);
        let same = match found {
            Some(Json::String(text)) => text == expected,
            Some(other) => {
                *other == *expected.as_str() || serde_json::from_str(expected).is_ok_and(|json: Json| json == *other)
            }
            None => false,
        };
        (!same).then(|| {
            let found = found.map_or("nothing".to_owned(), Json::to_string);
            format!("GET {} has {found} at {pointer} instead of \"{expected}\"", probe.path)
        })
    })
}

async fn failure(
    run: &Run,
    deployed: &Deployed,
    endpoint: &Endpoint,
    fault: &str,
    attribute: Path,
    limit: Duration,
) -> Diagnostic {
    let mut detail = format!("After {} of trying at {endpoint}: {fault}", ffe_cluster::format_duration(limit));
    // What the application itself says is mostly the cause.
    if let Some(workload) = workloads(&deployed.manifest, &run.inputs.namespace, false).first() {
        let evidence = ffe_workloads::Evidence::collect(&run.cluster, workload, 10).await;
        for tail in evidence.logs.iter().filter(|tail| !tail.lines.is_empty()) {
            detail.push_str(&format!(
                "\n\nThe last lines of {}/{}:\n{}",
                tail.pod,
                tail.container,
                tail.lines.join("\n")
            ));
        }
    }
    detail.push_str(
        "\n\nWhat to do: Find out from the answer and the log why the application answers so; correct the version or its \
         settings, or what verify expects, and apply again.",
    );
    Diagnostic::error(format!("The release {} failed its checks", run.inputs.name), detail).at(attribute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(json: &[(&str, &str)]) -> Probe {
        Probe {
            path: "/health".into(),
            status: 200,
            bearer: None,
            json: json.iter().map(|(pointer, expected)| ((*pointer).to_owned(), (*expected).to_owned())).collect(),
            attribute: Path::root(),
        }
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn an_answer_as_expected_has_no_fault() {
        let body = r#"{"database": "healthy", "count": 3, "parts": [{"ok": true}]}"#;
        assert_eq!(
            fault(&probe(&[("/database", "healthy"), ("/count", "3"), ("/parts/0/ok", "true")]), &answer(200, body)),
            None
        );
    }

    #[test]
    fn a_fault_says_what_was_expected_and_what_was_found() {
        let health = probe(&[("/database", "healthy")]);
        for (answer, part) in [
            (answer(503, "starting"), "answered 503 instead of 200: starting"),
            (answer(200, "<html>"), "did not answer JSON"),
            (answer(200, r#"{"database": "down"}"#), r#"has "down" at /database instead of "healthy""#),
            (answer(200, "{}"), "has nothing at /database"),
        ] {
            let found = fault(&health, &answer).unwrap_or_default();
            assert!(found.contains(part), "{found}");
        }
    }
}
