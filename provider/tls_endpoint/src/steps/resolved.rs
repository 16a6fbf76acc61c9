//! The hosts lead to the address, as seen from here. Records of somebody else's making are only looked at.

use std::net::IpAddr;
use std::time::Duration;

use tfplugin::{Diagnostic, Path};
use tokio::time::Instant;

use super::verify::Settings;
use crate::model::VerifyResult;
use crate::run::{Done, Run, Stop};

const CHECK: &str = "resolved";
const BETWEEN: Duration = Duration::from_secs(2);
/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long records that were just made are waited for before it is looked at from inside.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(settings) = Settings::of(run) else { return Ok(()) };
    let hosts: Vec<String> = run.spec.plain_hosts().map(str::to_owned).collect();
    if let Some(why) = not_asked(&settings) {
        run.done.results.extend(hosts.iter().map(|host| result(host, "skipped", why)));
        return Ok(());
    }
    let ends = Instant::now() + if settings.is_only_here() { settings.timeout } else { settings.timeout.min(PATIENCE) };
    for host in hosts {
        match lookup(run, &host, ends).await? {
            Ok(detail) => run.done.results.push(result(&host, "passed", &detail)),
            Err(wrong) => {
                let told = unresolved(run, &host, &wrong);
                if settings.is_only_here() && run.spec.dns.is_some() {
                    return Err(Stop::failed(Diagnostic { severity: tfplugin::Severity::Error, ..told }));
                }
                run.done.results.push(result(&host, "failed", &wrong));
                run.done.warnings.push(told);
            }
        }
    }
    Ok(())
}

fn not_asked(settings: &Settings) -> Option<&'static str> {
    if settings.resolve_to.is_some() {
        Some("verify.resolve_to says where to connect to")
    } else if settings.is_only_inside() {
        Some("it is looked at from inside the cluster")
    } else {
        None
    }
}

/// Asks until a host resolves as it should. Records that are not ours to make are asked for once.
async fn lookup(run: &Run<'_>, host: &str, ends: Instant) -> Result<Result<String, String>, Stop> {
    loop {
        let found = ffe_https::resolve(host, ANSWER).await.map_err(|failure| failure.to_string());
        let judged = match found {
            Ok(addresses) => judge(run, host, &addresses).await,
            Err(error) => Err(error),
        };
        if judged.is_ok() || run.spec.dns.is_none() || Instant::now() >= ends {
            return Ok(judged);
        }
        tracing::info!(%host, wrong = ?judged, "the host does not resolve yet");
        tokio::select! {
            () = run.cancel.cancelled() => return Err(Stop::Cancelled),
            () = tokio::time::sleep(BETWEEN) => {}
        }
    }
}

/// Whether these are the addresses of the endpoint. Behind Cloudflare's edge they are the edge's.
async fn judge(run: &Run<'_>, host: &str, addresses: &[IpAddr]) -> Result<String, String> {
    let list = addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    let dns = run.spec.dns.as_ref();
    if dns.is_some_and(|dns| dns.proxied) {
        return Ok(format!("{list} (Cloudflare)"));
    }
    let targets: Vec<String> = match dns.and_then(|dns| dns.target.clone()) {
        Some(target) => vec![target],
        None => run.done.addresses.clone(),
    };
    if targets.is_empty() {
        return Ok(format!("{list} (the route has no address to compare with)"));
    }
    for target in &targets {
        let theirs = match target.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => ffe_https::resolve(target, ANSWER).await.unwrap_or_default(),
        };
        if addresses.iter().any(|address| theirs.contains(address)) {
            return Ok(list);
        }
    }
    Err(format!("{host} resolves to {list}, not to {}", targets.join(" or ")))
}

fn unresolved(run: &Run<'_>, host: &str, wrong: &str) -> Diagnostic {
    let record = match run.done.address().map(|target| (target, target.parse::<IpAddr>())) {
        Some((target, Ok(address))) => format!("{} {target}", if address.is_ipv4() { "A" } else { "AAAA" }),
        Some((target, Err(_))) => format!("CNAME {target}"),
        None => "that leads to the ingress controller".to_owned(),
    };
    let remedy = if run.spec.dns.is_some() {
        "The record is made; the resolver that is asked here may remember the old answer, or belong to another network."
            .to_owned()
    } else {
        format!("Make a record {host} {record}, or let the endpoint do it with dns.")
    };
    let path = if run.spec.dns.is_some() { "dns" } else { "hosts" };
    Diagnostic::warning(astray(host), format!("Seen from here, {wrong}.\n\n{remedy}")).at(Path::attribute(path))
}

fn astray(host: &str) -> String {
    format!("{host} does not lead to the endpoint")
}

/// By its name, a client has met the endpoint's own certificate: whatever the addresses are (those of a router in front of
/// the controller), it leads there.
pub(crate) fn leads_there(done: &mut Done, host: &str) {
    let warnings = std::mem::take(&mut done.warnings);
    done.warnings = warnings.into_iter().filter(|one| one.summary != astray(host)).collect();
    let failed = |one: &&mut VerifyResult| {
        one.host.as_str() == Some(host) && one.check.as_str() == Some(CHECK) && one.outcome.as_str() == Some("failed")
    };
    for one in done.results.iter_mut().filter(failed) {
        let seen = one.detail.as_str().unwrap_or_default();
        *one = result(host, "passed", &format!("{seen}; the endpoint answers there"));
    }
}

fn result(host: &str, outcome: &str, detail: &str) -> VerifyResult {
    VerifyResult { host: host.into(), check: CHECK.into(), outcome: outcome.into(), detail: detail.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_at_which_the_endpoint_answers_leads_there() {
        let mut done = Done::default();
        for host in ["a.example.com", "b.example.com"] {
            done.warnings.push(Diagnostic::warning(astray(host), "it resolves to 198.51.100.1, not to 192.168.1.5"));
            done.results.push(result(host, "failed", "not to 192.168.1.5"));
        }
        leads_there(&mut done, "a.example.com");
        let told: Vec<String> = done.warnings.iter().map(|one| one.summary.clone()).collect();
        assert_eq!(told, ["b.example.com does not lead to the endpoint"]);
        let outcomes: Vec<_> = done.results.iter().filter_map(|one| one.outcome.as_str()).collect();
        assert_eq!(outcomes, ["passed", "failed"]);
    }
}
