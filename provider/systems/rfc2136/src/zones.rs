//! Zones: what the server is an authority for.

use std::collections::BTreeSet;

use ffe_dns::{Zone, name};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::message;
use crate::server::Rfc2136;

/// The zones that were found, asked for once in the life of a client.
pub(crate) type Known = BTreeSet<String>;

impl Rfc2136 {
    /// The zone of a host: the one of this name, or without a name the longest that holds the host.
    ///
    /// # Errors
    /// [`Error::NoZone`] when the server has none, [`ffe_dns::Error::Wish`] when host or zone are no names or the host is not
    /// within the zone; and what the server says.
    pub async fn zone_of(&self, host: &str, zone: Option<&str>, cancel: &CancellationToken) -> Result<Zone, Error> {
        let wrong = |attribute, reason: String| Error::from(ffe_dns::Error::Wish { attribute, reason });
        let host = name::normal(host)
            .ok_or_else(|| wrong("hosts", format!("\"{host}\" is no host name that a zone could have")))?;
        let given = match zone {
            Some(zone) => {
                Some(name::normal(zone).ok_or_else(|| wrong("zone", format!("\"{zone}\" is no name of a zone")))?)
            }
            None => None,
        };
        if let Some(zone) = given.as_deref().filter(|zone| !name::within(&host, zone)) {
            return Err(wrong("zone", format!("the host {host} is not within the zone {zone}")));
        }
        let candidates = given.as_deref().map_or_else(|| name::candidates(&host), |zone| vec![zone]);
        for candidate in candidates {
            if self.is_authority(candidate, cancel).await? {
                let name = candidate.to_owned();
                return Ok(Zone { id: name.clone(), name, status: "active".to_owned() });
            }
        }
        let (server, of_host) = (self.server(), given.is_none());
        Err(Error::NoZone { server, of_host, wanted: given.unwrap_or(host) })
    }

    async fn is_authority(&self, zone: &str, cancel: &CancellationToken) -> Result<bool, Error> {
        let mut known = self.zones().lock().await;
        if known.contains(zone) {
            return Ok(true);
        }
        let origin = message::name(zone)?;
        let operation = format!("find the zone {zone}");
        let answer = self.again(&operation, &message::query(origin.clone(), RecordType::SOA), cancel).await?;
        let code = answer.metadata.response_code;
        let is_soa = answer.answers.iter().any(|one| one.record_type() == RecordType::SOA && one.name == origin);
        let is_found = code == ResponseCode::NoError && answer.metadata.authoritative && is_soa;
        if is_found {
            known.insert(zone.to_owned());
        }
        Ok(is_found)
    }
}
