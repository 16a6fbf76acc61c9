//! Zones.

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::client::Cloudflare;
use crate::error::Error;
use crate::name;

/// A zone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Zone {
    /// Cloudflare's identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How far it is set up: `active` once the registrar delegates to Cloudflare's name servers.
    #[serde(default)]
    pub status: String,
}

impl Zone {
    /// Whether the world asks Cloudflare about it. Records of another one can be made but are seen by nobody.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == "active"
    }
}

impl Cloudflare {
    /// The zone of a host: the one of this name, or without a name the longest that holds the host. Of several of the
    /// same name, the active one.
    ///
    /// # Errors
    /// [`Error::NoZone`] when the token sees none, [`Error::Wish`] when host or zone are no names or the host is not
    /// within the zone; and what Cloudflare says.
    pub async fn zone_of(&self, host: &str, zone: Option<&str>, cancel: &CancellationToken) -> Result<Zone, Error> {
        let wrong = |attribute, reason: String| Error::Wish { attribute, reason };
        let host = name::normal(host)
            .ok_or_else(|| wrong("hosts", format!("\"{host}\" is no host name that a zone could have")))?;
        let mut patience = self.patience();
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
            let operation = format!("find the zone {candidate}");
            let found: Vec<Zone> =
                self.all(&operation, &["zones"], ("name", candidate), "50", &mut patience, cancel).await?;
            let mut found: Vec<Zone> =
                found.into_iter().filter(|zone| zone.name.eq_ignore_ascii_case(candidate)).collect();
            found.sort_by_key(|zone| !zone.is_active());
            if let Some(zone) = found.into_iter().next() {
                return Ok(zone);
            }
        }
        Err(Error::NoZone { of_host: given.is_none(), wanted: given.unwrap_or(host) })
    }
}

#[cfg(test)]
mod tests;
