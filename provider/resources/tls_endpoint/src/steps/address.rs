//! The address that the controller gives to the route.

use std::time::Duration;

use ffe_routing::{Address, Error};
use tfplugin::{Diagnostic, Severity};

use crate::errors::{routing, routing_diagnostic};
use crate::run::{Run, Stop};

/// How long an address is waited for that nothing depends on: not every controller writes one.
const PATIENCE: Duration = Duration::from_secs(30);
const SUMMARY: &str = "The route has no address";

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let needed = run.spec.dns.as_ref().is_some_and(|dns| dns.target.is_none());
    let mut wait = run.wait();
    if !needed {
        wait.timeout = wait.timeout.min(PATIENCE);
    }
    let then = &run.change()?.then;
    let found = ffe_routing::address(run.cluster, &then.route, &then.resolved, &wait).await;
    let found = match found {
        Err(error @ Error::NoAddress { .. }) if !needed => {
            let told = routing_diagnostic(&error, SUMMARY);
            run.done.warnings.push(Diagnostic { severity: Severity::Warning, ..told });
            Vec::new()
        }
        found => found.map_err(|error| routing(&error, SUMMARY))?,
    };
    run.done.addresses = texts(found);
    tracing::info!(endpoint = %run.spec.names.import_id(), addresses = ?run.done.addresses, "the route has its address");
    Ok(())
}

/// As text; what records point to first: an IPv4 address, then others, then names.
pub(crate) fn texts(addresses: Vec<Address>) -> Vec<String> {
    let mut addresses = addresses;
    addresses.sort_by_key(|address| match address {
        Address::Ip(ip) if ip.is_ipv4() => 0,
        Address::Ip(_) => 1,
        Address::Hostname(_) => 2,
    });
    addresses.into_iter().map(|address| address.to_string()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_that_everybody_reaches_comes_first() {
        let address = |text: &str| Address::Ip(text.parse().unwrap());
        let all = vec![Address::Hostname("lb.example.com".to_owned()), address("2001:db8::1"), address("192.0.2.1")];
        assert_eq!(texts(all), ["192.0.2.1", "2001:db8::1", "lb.example.com"]);
    }
}
