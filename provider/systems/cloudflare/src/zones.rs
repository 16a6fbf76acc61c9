//! Zones.

use std::collections::BTreeMap;

use ffe_dns::Zone;
use reqwest::Method;
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::client::{Call, Cloudflare};
use crate::error::Error;
use crate::name;
use crate::patience::Patience;

/// As many as Cloudflare gives at once.
const PAGE: &str = "50";
/// Who has more pages of zones than this is asked by name.
const MOST_PAGES: u32 = 4;

/// The zones that a token sees, asked for once in the life of a client: a run has many hosts, and few zones.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// All of them, where they are few.
    all: Option<Vec<Zone>>,
    /// They are too many to ask for all: what was asked for by name.
    by_name: Option<BTreeMap<String, Vec<Zone>>>,
}

impl Cloudflare {
    /// The zone of a host: the one of this name, or without a name the longest that holds the host. One that is active comes before
    /// one that is not: the world asks nobody about that.
    ///
    /// # Errors
    /// [`Error::NoZone`] when the token sees none, [`ffe_dns::Error::Wish`] when host or zone are no names or the host is not
    /// within the zone; and what Cloudflare says.
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
        // Two runs over the same client look one after the other, and the second one finds what the first one has asked for.
        let looked = cancel.run_until_cancelled(async {
            let mut known = self.zones().lock().await;
            self.among(&mut known, &candidates, cancel).await
        });
        let found = looked.await.ok_or_else(|| Error::Cancelled { operation: "find the zone".to_owned() })??;
        found.ok_or_else(|| Error::NoZone { of_host: given.is_none(), wanted: given.clone().unwrap_or(host) })
    }

    /// Has them asked for again: one that was known is gone.
    pub(crate) async fn forget_zones(&self) {
        *self.zones().lock().await = Known::default();
    }

    async fn among(
        &self,
        known: &mut Known,
        candidates: &[&str],
        cancel: &CancellationToken,
    ) -> Result<Option<Zone>, Error> {
        let mut patience = self.patience();
        let is_new = known.all.is_none() && known.by_name.is_none();
        if is_new {
            self.learn_all(known, &mut patience, cancel).await?;
        }
        if let Some(all) = &known.all {
            let found = best(all, candidates);
            if found.is_some() || is_new {
                return Ok(found);
            }
            // It may have been made in this very run.
            self.learn_all(known, &mut patience, cancel).await?;
            if let Some(all) = &known.all {
                return Ok(best(all, candidates));
            }
        }
        let mut seen = Vec::new();
        for candidate in candidates {
            let by_name = known.by_name.get_or_insert_default();
            if by_name.get(*candidate).is_none_or(Vec::is_empty) {
                let operation = format!("find the zone {candidate}");
                let filter = Some(("name", *candidate));
                let found = self.all(&operation, &["zones"], filter, PAGE, &mut patience, cancel).await?;
                by_name.insert((*candidate).to_owned(), found);
            }
            seen.extend(by_name.get(*candidate).cloned().unwrap_or_default());
        }
        Ok(best(&seen, candidates))
    }

    /// Asks for all zones, unless they are too many for that.
    async fn learn_all(
        &self,
        known: &mut Known,
        patience: &mut Patience,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let operation = "list the zones";
        let query = [("page", "1"), ("per_page", PAGE)];
        let call = Call { operation, method: Method::GET, path: &["zones"], query: &query, body: None };
        let first: Answer<Vec<Zone>> = self.again(&call, patience, cancel).await?;
        // Without a word on pages there is one; without their number they are gone through.
        match first.paging.as_ref().map_or(Some(1), |paging| paging.total_pages) {
            Some(0 | 1) => known.all = Some(first.result),
            Some(pages) if pages > MOST_PAGES => (known.all, known.by_name) = (None, Some(BTreeMap::new())),
            _ => known.all = Some(self.all(operation, &["zones"], None, PAGE, patience, cancel).await?),
        }
        Ok(())
    }
}

/// The zone of the candidates, which are the longest first.
fn best(zones: &[Zone], candidates: &[&str]) -> Option<Zone> {
    let named = |zone: &&Zone| candidates.iter().position(|name| zone.name.eq_ignore_ascii_case(name));
    let of_them = zones.iter().filter(|zone| named(zone).is_some());
    of_them.min_by_key(|zone| (!zone.is_active(), named(zone))).cloned()
}

#[cfg(test)]
mod tests;
