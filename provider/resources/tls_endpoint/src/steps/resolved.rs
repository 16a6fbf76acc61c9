//! The hosts lead to the address, as seen from here. Records of somebody else's making are only looked at.

use std::net::IpAddr;
use std::time::Duration;

use tfplugin::{Diagnostic, Path};
use tokio::time::Instant;

use super::verify::{Settings, Site, sites};
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
    let sites = sites(run.spec, settings.wildcard_label.as_deref(), &run.run_id);
    if let Some(why) = not_asked(&settings) {
        run.done.results.extend(sites.iter().map(|site| result(&site.host, "skipped", why)));
        return Ok(());
    }
    let ends = Instant::now() + if settings.is_only_here() { settings.timeout } else { settings.timeout.min(PATIENCE) };
    for Site { host, name, .. } in sites {
        match lookup(run, &name, ends).await? {
            Ok(detail) => run.done.results.push(result(&host, "passed", &detail)),
            Err(wrong) => {
                let told = unresolved(run, &host, &wrong);
                // Where it leads here too, HTTPS is looked at wherever it leads.
                if settings.is_only_here() && run.spec.dns.is_some() && matches!(wrong, Wrong::Elsewhere(_)) {
                    return Err(Stop::failed(Diagnostic { severity: tfplugin::Severity::Error, ..told }));
                }
                run.done.results.push(result(&host, "failed", wrong.words()));
                run.done.warnings.push(told);
            }
        }
    }
    Ok(())
}

/// What is wrong with where a host leads, in words.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    /// It does not lead here.
    Elsewhere(String),
    /// It leads here, and elsewhere too.
    ElsewhereToo(String),
}

impl Wrong {
    fn words(&self) -> &str {
        match self {
            Wrong::Elsewhere(words) | Wrong::ElsewhereToo(words) => words,
        }
    }
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
async fn lookup(run: &Run<'_>, host: &str, ends: Instant) -> Result<Result<String, Wrong>, Stop> {
    loop {
        let found = ffe_https::resolve(host, ANSWER).await.map_err(|failure| failure.to_string());
        let judged = match found {
            Ok(addresses) => judge(run, host, &addresses).await,
            Err(error) => Err(Wrong::Elsewhere(error)),
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

/// Whether these are addresses of the endpoint, all of them: a client takes any, and an authority that checks prefers IPv6.
/// Behind Cloudflare's edge they are the edge's.
async fn judge(run: &Run<'_>, host: &str, addresses: &[IpAddr]) -> Result<String, Wrong> {
    let dns = run.spec.dns.as_ref();
    if dns.is_some_and(|dns| dns.proxied) {
        return Ok(format!("{} (Cloudflare)", list(addresses)));
    }
    let targets: Vec<String> = match dns.and_then(|dns| dns.target.clone()) {
        Some(target) => vec![target],
        None => run.done.addresses.clone(),
    };
    let mut own = Vec::new();
    for target in &targets {
        match target.parse::<IpAddr>() {
            Ok(address) => own.push(address),
            Err(_) => own.extend(ffe_https::resolve(target, ANSWER).await.unwrap_or_default()),
        }
    }
    compare(host, addresses, &targets, &own)
}

/// The addresses of a host beside those of its targets.
fn compare(host: &str, addresses: &[IpAddr], targets: &[String], own: &[IpAddr]) -> Result<String, Wrong> {
    if targets.is_empty() {
        return Ok(format!("{} (the route has no address to compare with)", list(addresses)));
    }
    let (here, elsewhere): (Vec<IpAddr>, Vec<IpAddr>) = addresses.iter().partition(|address| own.contains(address));
    let targets = targets.join(" or ");
    match (here.as_slice(), elsewhere.as_slice()) {
        (_, []) => Ok(list(addresses)),
        ([], _) => Err(Wrong::Elsewhere(format!("{host} resolves to {}, not to {targets}", list(addresses)))),
        (_, others) => Err(Wrong::ElsewhereToo(format!(
            "{host} resolves to {} too, which is not {targets}: some clients go there",
            list(others)
        ))),
    }
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

fn unresolved(run: &Run<'_>, host: &str, wrong: &Wrong) -> Diagnostic {
    let record = match run.done.address().map(|target| (target, target.parse::<IpAddr>())) {
        Some((target, Ok(address))) => format!("{} {target}", if address.is_ipv4() { "A" } else { "AAAA" }),
        Some((target, Err(_))) => format!("CNAME {target}"),
        None => "that leads to the ingress controller".to_owned(),
    };
    let remedy = match (run.spec.dns.is_some(), wrong) {
        (true, Wrong::Elsewhere(_)) => {
            "The record is made; the resolver that is asked here may remember the old answer, or belong to another network."
                .to_owned()
        }
        (false, Wrong::Elsewhere(_)) => format!("Make a record {host} {record}, or let the endpoint do it with dns."),
        (_, Wrong::ElsewhereToo(_)) => format!(
            "Remove the other A and AAAA records of {host}. A resolver that is asked here may remember them for a while."
        ),
    };
    let path = if run.spec.dns.is_some() { "dns" } else { "hosts" };
    let summary = if matches!(wrong, Wrong::Elsewhere(_)) { astray(host) } else { astray_too(host) };
    Diagnostic::warning(summary, format!("Seen from here, {}.\n\n{remedy}", wrong.words())).at(Path::attribute(path))
}

fn astray(host: &str) -> String {
    format!("{host} does not lead to the endpoint")
}

fn astray_too(host: &str) -> String {
    format!("{host} does not lead to the endpoint alone")
}

/// By its name, a client has met the endpoint's own certificate: whatever the addresses are (those of a router in front of
/// the controller), it leads there.
pub(crate) fn leads_there(done: &mut Done, host: &str) {
    let warnings = std::mem::take(&mut done.warnings);
    let told = [astray(host), astray_too(host)];
    done.warnings = warnings.into_iter().filter(|one| !told.contains(&one.summary)).collect();
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
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_address_of_a_host_must_be_one_of_the_endpoint() {
        let addresses = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect::<Vec<IpAddr>>();
        let own = ["203.0.113.7", "203.0.113.8", "2001:db8::7"];
        let targets: Vec<String> = own.iter().map(|one| (*one).to_owned()).collect();
        let judged = |found: &[&str]| compare("api.example.com", &addresses(found), &targets, &addresses(&own));
        assert_eq!(judged(&["203.0.113.8"]), Ok("203.0.113.8".to_owned()), "one of several is enough");
        assert_eq!(judged(&["203.0.113.7", "2001:db8::7"]), Ok("203.0.113.7, 2001:db8::7".to_owned()));
        let stale = judged(&["203.0.113.7", "2001:db8::1"]).unwrap_err();
        assert!(matches!(&stale, Wrong::ElsewhereToo(words) if words.contains("2001:db8::1 too")), "{stale:?}");
        assert!(matches!(judged(&["198.51.100.1"]), Err(Wrong::Elsewhere(_))));
        assert!(compare("a", &addresses(&["198.51.100.1"]), &[], &[]).is_ok(), "nothing to compare with");
        assert!(compare("a", &addresses(&["198.51.100.1"]), &["lb.example.com".to_owned()], &[]).is_err());
    }

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
