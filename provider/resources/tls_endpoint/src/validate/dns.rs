//! The DNS records.

use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use super::hosts;
use crate::model::TlsEndpoint;
use crate::spec::RFC2136;

pub(super) fn check(config: &TlsEndpoint) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let Some(dns) = config.dns.known() else { return diagnostics };
    let at = Path::attribute("dns");
    if dns.proxied == Attr::Known(true) && dns.ttl.known().is_some_and(|ttl| *ttl != 1) {
        diagnostics.push(
            Diagnostic::error(
                "dns.ttl cannot be set with dns.proxied",
                "Cloudflare decides for records that it answers itself. Remove dns.ttl.",
            )
            .at(at.child("ttl")),
        );
    }
    if dns.proxied == Attr::Known(true) && dns.provider.as_str() == Some(RFC2136) {
        diagnostics.push(
            Diagnostic::error(
                "dns.proxied is for Cloudflare",
                "A name server of one's own answers with the records as they are. Remove dns.proxied.",
            )
            .at(at.child("proxied")),
        );
    }
    for (host, at_host) in hosts(config) {
        if let Some(zone) = dns.zone.as_str()
            && host != zone
            && !host.ends_with(&format!(".{zone}"))
        {
            diagnostics.push(
                Diagnostic::error(
                    format!("{host} is not in the zone {zone}"),
                    "A zone holds its own name and those that end with it. Correct the host or dns.zone; hosts of several \
                     zones are found without dns.zone.",
                )
                .at(at_host),
            );
        }
        if dns.target.as_str() == Some(host) {
            diagnostics.push(
                Diagnostic::error(
                    "dns.target is one of the hosts",
                    format!(
                        "A record of {host} that points to {host} leads nowhere. Give the load balancer's own name or \
                             address, or leave dns.target out."
                    ),
                )
                .at(at.child("target")),
            );
        }
    }
    diagnostics
}
