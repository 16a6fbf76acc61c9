//! One record for each host, pointing to the address; never one of somebody else's.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ffe_cluster::Cluster;
use ffe_dns::{Decision, Error, Owner, Provider, Record, Wish, decide};
use ffe_session::Unavailable;
use tfplugin::{Diagnostic, Diagnostics, Path};
use tokio::time::Instant;

use super::address;
use super::route::until_gathered;
use crate::errors::{dns as told, dns_diagnostic};
use crate::former;
use crate::names::Names;
use crate::objects::{Memory, Records};
use crate::run::{Run, Stop, failed};
use crate::spec::DnsSpec;

/// What resolvers may remember of a record whose time is left to the provider, in seconds.
const AUTOMATIC: u64 = 300;
/// The longest that is waited for resolvers, in seconds.
const LONGEST: u64 = 600;

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(dns) = &run.spec.dns else { return Ok(()) };
    let client = client(run, &dns.provider)?;
    let owner = former::dns_owner(run).await.map_err(failed("The DNS records could not be set"))?;
    let target = dns.target.clone().or_else(|| run.done.address().map(str::to_owned)).unwrap_or_default();
    if dns.target.is_none() {
        run.done.warnings.extend(private(&target));
    }
    if !run.hosts_first && (run.done.moves || run.change()?.serving.is_none()) {
        // Nobody is led to a route that its controller has not read yet.
        until_gathered(run).await?;
    }
    for host in &run.spec.hosts {
        run.stop_here()?;
        let summary = format!("The DNS record of {host} could not be set");
        let wish = wish(dns, host, &target).map_err(|error| told(&error, &summary))?;
        let zone = client.zone_of(host, dns.zone.as_deref(), &run.cancel).await;
        let zone = zone.map_err(|error| told(&error, &summary))?;
        let remembered = if run.done.moves {
            let before = client.records(&zone, host, &run.cancel).await;
            remembered(&before.map_err(|error| told(&error, &summary))?, &target)
        } else {
            None
        };
        if !run.former.is_empty() {
            let renamed = client.rename(&zone, host, &owner, &run.cancel).await;
            renamed.map_err(|error| told(&error, &summary))?;
        }
        let ensured = client.ensure(&zone, &wish, &owner, &dns.adopt, &run.cancel).await;
        let ensured = ensured.map_err(|error| told(&error, &summary))?;
        tracing::info!(%host, %target, zone = %zone.name, "the DNS record is set");
        run.done.forgotten_at = run.done.forgotten_at.max(remembered.map(|long| Instant::now() + long));
        run.done.dns_records.insert(host.clone(), ensured.record.id.clone());
        run.done.zones.insert(host.clone(), zone.id);
    }
    Ok(())
}

/// How long resolvers may still lead to where a host was before.
fn remembered(before: &[Record], target: &str) -> Option<Duration> {
    let elsewhere = before.iter().filter(|record| record.kind.is_address() && record.content != target);
    // Behind the edge nobody sees what a record says.
    let seen = elsewhere.filter(|record| !record.proxied);
    let seconds = seen.map(|record| if record.ttl <= 1 { AUTOMATIC } else { record.ttl.into() });
    seconds.max().map(|seconds| Duration::from_secs(seconds.min(LONGEST)))
}

/// Takes away the records that are to be no more.
///
/// # Errors
/// What the provider of DNS says.
pub(crate) async fn release_former(run: &mut Run<'_>) -> Result<(), Stop> {
    let left = left_over(run);
    if left.is_empty() {
        return Ok(());
    }
    let client = client(run, run.record.memory.provider())?;
    let owner = former::dns_owner(run).await.map_err(failed("The DNS records could not be released"))?;
    for (host, zone) in left {
        run.stop_here()?;
        let kept = run.done.zones.get(&host).map(String::as_str);
        let released = release(&*client, (&host, zone.as_deref()), kept, &owner, &run.cancel).await;
        let summary = format!("The former DNS record of {host} could not be removed");
        run.done.warnings.extend(released.map_err(|error| told(&error, &summary))?);
    }
    Ok(())
}

/// Refuses what is somebody else's before anything is written, as far as the target is known by then.
pub(crate) async fn foresee(run: &mut Run<'_>, refused: &mut Diagnostics) -> Result<(), Stop> {
    let Some(dns) = &run.spec.dns else { return Ok(()) };
    refused.extend(another_provider(&run.record.memory, dns));
    let client = client(run, &dns.provider)?;
    let owner = former::dns_owner(run).await.map_err(failed("The DNS records could not be looked at"))?;
    let now = match &dns.target {
        Some(target) => Some(target.clone()),
        None => {
            let then = &run.change()?.then;
            let found = ffe_routing::current_address(run.cluster, &then.route, &then.resolved).await;
            found.ok().and_then(|found| address::texts(found).into_iter().next())
        }
    };
    for host in &run.spec.hosts {
        let summary = format!("The DNS records of {host} could not be looked at");
        let zone = client.zone_of(host, dns.zone.as_deref(), &run.cancel).await;
        let zone = zone.map_err(|error| told(&error, &summary))?;
        let Some(target) = &now else { continue };
        let wish = wish(dns, host, target).map_err(|error| told(&error, &summary))?;
        let records = client.records(&zone, host, &run.cancel).await;
        let records = records.map_err(|error| told(&error, &summary))?;
        refused.extend(refusal(host, decide(&records, &wish, &owner, &dns.adopt)));
    }
    Ok(())
}

/// The error for records of somebody else.
pub(crate) fn refusal(host: &str, decision: Decision) -> Option<Diagnostic> {
    let Decision::Refused { records, adoptable, another } = decision else { return None };
    let error = Error::Refused { name: host.to_owned(), records, adoptable, another };
    Some(dns_diagnostic(&error, &format!("The DNS record of {host} is somebody else's")))
}

/// How the comments of records name the endpoint: several clusters may share a zone.
pub(crate) async fn owner(cluster: &Cluster, names: &Names) -> ffe_cluster::Result<Owner> {
    let identity = cluster.identity().await?;
    let id = identity.split('-').next().unwrap_or_default();
    Ok(Owner::new(&names.namespace, &names.name).in_cluster(id))
}

/// Takes our record away, unless it is in the zone with the identifier `kept`: that is the same zone by another name. Where
/// there is no such zone any more, neither is the record; that is told, because it may be the token that does not see it.
///
/// # Errors
/// What the provider of DNS says.
pub(crate) async fn release(
    client: &dyn Provider,
    (host, zone): (&str, Option<&str>),
    kept: Option<&str>,
    owner: &Owner,
    cancel: &ffe_cluster::Cancel,
) -> Result<Option<Diagnostic>, ffe_dns::Error> {
    let zone = match client.zone_of(host, zone, cancel).await {
        Err(Error::NoZone { wanted, .. }) => return Ok(Some(zone_is_gone(host, &wanted))),
        found => found?,
    };
    if kept == Some(zone.id.as_str()) {
        return Ok(None);
    }
    let released = client.release(&zone, host, owner, cancel).await?;
    tracing::info!(%host, zone = %zone.name, ?released, "the DNS record is given up");
    Ok(None)
}

/// Leaves our record of a host to another endpoint, as it is.
///
/// # Errors
/// What the provider of DNS says.
pub(crate) async fn bequeath(
    client: &dyn Provider,
    (host, zone): (&str, Option<&str>),
    heir: &Owner,
    cancel: &ffe_cluster::Cancel,
) -> Result<(), ffe_dns::Error> {
    let zone = match client.zone_of(host, zone, cancel).await {
        Err(Error::NoZone { .. }) => return Ok(()),
        found => found?,
    };
    let records = client.rename(&zone, host, heir, cancel).await?;
    tracing::info!(%host, zone = %zone.name, count = records.len(), "the DNS record is left to what replaces the endpoint");
    Ok(())
}

fn zone_is_gone(host: &str, wanted: &str) -> Diagnostic {
    Diagnostic::warning(
        format!("The DNS record of {host} was not looked for: its zone is not there"),
        format!(
            "The provider has no zone for {wanted}, so the record is taken to have gone with it. If the zone is in another \
             account or at another server, or the token or key may not read it, the record is still there: its mark names the \
             endpoint."
        ),
    )
    .at(Path::attribute("dns"))
}

/// The client, or an error that says what it lacks.
fn client(run: &Run<'_>, provider: &str) -> Result<Arc<dyn Provider>, Stop> {
    run.session.dns(provider).map_err(|why| Stop::Failed(unavailable(why)))
}

/// Why there is no client, at the attribute that asks for one.
pub(crate) fn unavailable(why: Unavailable) -> Diagnostics {
    why.into_diagnostics().into_iter().map(|one| one.at(Path::attribute("dns"))).collect()
}

/// What a controller behind a router says of itself is nothing that the world can reach.
fn private(target: &str) -> Option<Diagnostic> {
    let is_private = match target.parse::<IpAddr>().ok()? {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
    };
    is_private.then(|| {
        Diagnostic::warning(
            format!("The records point to {target}, which is a private address"),
            "It is what the ingress controller says of itself. Only its own network reaches it, and challenges by HTTP-01 do \
             not. Where the world comes in by another address, such as a router's, set dns.target to that.",
        )
        .at(Path::attribute("dns").child("target"))
    })
}

/// Records are at one provider: those at another one would be left behind where nobody looks.
pub(crate) fn another_provider(memory: &Memory, dns: &DnsSpec) -> Option<Diagnostic> {
    if memory.records.is_empty() || memory.provider() == dns.provider {
        return None;
    }
    let hosts: Vec<&str> = memory.records.iter().map(|(host, _)| host.as_str()).collect();
    Some(
        Diagnostic::error(
            format!("The records of {} are at {}", hosts.join(", "), memory.provider()),
            format!(
                "dns.provider is \"{}\" now, and records do not move from one provider to another. Nothing was changed.\n\nMake them \
                 at the new one by hand and wait until the world asks there; then remove dns and apply, which takes them away at {}; \
                 then set dns again, with adopt = true for those that were made by hand.",
                dns.provider,
                memory.provider()
            ),
        )
        .at(Path::attribute("dns").child("provider")),
    )
}

/// The record that is wished for a host.
pub(crate) fn wish(dns: &DnsSpec, host: &str, target: &str) -> Result<Wish, ffe_dns::Error> {
    Wish::new(host, target, dns.proxied, Some(dns.ttl))
}

/// Records that were ours and are to be no more.
fn left_over(run: &Run<'_>) -> Records {
    let prior = run.prior.and_then(|prior| prior.dns_records.known()).into_iter().flatten();
    let zone = run.prior.and_then(|prior| prior.dns.known()).and_then(|dns| dns.zone.as_str().map(str::to_owned));
    let mut left = run.record.memory.records.clone();
    left.extend(prior.map(|(host, _)| (host.clone(), zone.clone())));
    if let Some(dns) = &run.spec.dns {
        left.retain(|(host, zone)| *zone != dns.zone || !run.spec.hosts.contains(host));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_remembered_for_as_long_as_it_says() {
        let record = |content: &str, ttl: u32, proxied: bool| Record {
            id: "id".to_owned(),
            name: "api.example.com".to_owned(),
            kind: ffe_dns::RecordKind::A,
            content: content.to_owned(),
            proxied,
            ttl,
            comment: None,
        };
        for (before, seconds) in [
            (vec![], None),
            (vec![record("192.0.2.1", 60, false)], None),
            (vec![record("192.0.2.9", 60, false)], Some(60)),
            (vec![record("192.0.2.9", 1, false)], Some(300)),
            (vec![record("192.0.2.9", 1, true)], None),
            (vec![record("192.0.2.9", 86_400, false)], Some(600)),
        ] {
            let found = remembered(&before, "192.0.2.1").map(|long| long.as_secs());
            assert_eq!(found, seconds, "{before:?}");
        }
    }

    #[test]
    fn an_address_that_the_world_cannot_reach_is_told() {
        for (target, told) in [
            ("192.168.1.5", true),
            ("10.0.0.1", true),
            ("fd00::1", true),
            ("203.0.113.7", false),
            ("2001:db8::1", false),
            ("lb.example.com", false),
        ] {
            assert_eq!(private(target).is_some(), told, "{target}");
        }
    }
}
