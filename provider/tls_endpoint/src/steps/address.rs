//! The address that the controller gives to the route.

use ffe_routing::Address;

use crate::errors::routing;
use crate::run::{Run, Stop};

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let around = run.around()?;
    let found = ffe_routing::address(run.cluster, &run.spec.route, &around.resolved, &run.wait()).await;
    let found = found.map_err(|error| routing(&error, "The route has no address"))?;
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
