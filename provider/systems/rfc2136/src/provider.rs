//! A name server of one's own as one of the providers of DNS.

use async_trait::async_trait;
use ffe_dns::{Adopt, Ensured, Owner, Provider, Record, Released, Wish, Zone};
use tokio_util::sync::CancellationToken;

use crate::server::Rfc2136;

#[async_trait]
impl Provider for Rfc2136 {
    async fn zone_of(
        &self,
        host: &str,
        zone: Option<&str>,
        cancel: &CancellationToken,
    ) -> Result<Zone, ffe_dns::Error> {
        Ok(Rfc2136::zone_of(self, host, zone, cancel).await?)
    }

    async fn records(
        &self,
        zone: &Zone,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<Vec<Record>, ffe_dns::Error> {
        Ok(Rfc2136::records(self, zone, name, cancel).await?)
    }

    async fn ensure(
        &self,
        zone: &Zone,
        wish: &Wish,
        owner: &Owner,
        adopt: &Adopt,
        cancel: &CancellationToken,
    ) -> Result<Ensured, ffe_dns::Error> {
        Ok(Rfc2136::ensure(self, zone, wish, owner, adopt, cancel).await?)
    }

    async fn release(
        &self,
        zone: &Zone,
        name: &str,
        owner: &Owner,
        cancel: &CancellationToken,
    ) -> Result<Released, ffe_dns::Error> {
        Ok(Rfc2136::release(self, zone, name, owner, cancel).await?)
    }

    async fn rename(
        &self,
        zone: &Zone,
        name: &str,
        owner: &Owner,
        cancel: &CancellationToken,
    ) -> Result<Vec<Record>, ffe_dns::Error> {
        Ok(Rfc2136::rename(self, zone, name, owner, cancel).await?)
    }
}
