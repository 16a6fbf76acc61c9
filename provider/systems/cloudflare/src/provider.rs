//! Cloudflare as one of the providers of DNS.

use async_trait::async_trait;
use ffe_dns::{Adopt, Ensured, Owner, Provider, Record, Released, Wish, Zone};
use tokio_util::sync::CancellationToken;

use crate::client::Cloudflare;
use crate::error::Error;

impl From<Error> for ffe_dns::Error {
    fn from(error: Error) -> ffe_dns::Error {
        let (message, remedy) = (error.to_string(), error.remedy());
        match error {
            Error::Dns(error) => error,
            Error::NoZone { wanted, .. } => {
                ffe_dns::Error::NoZone { wanted, message, remedy: remedy.unwrap_or_default() }
            }
            Error::Cancelled { operation } => ffe_dns::Error::Cancelled { operation },
            _ => ffe_dns::Error::Failed { message, remedy },
        }
    }
}

#[async_trait]
impl Provider for Cloudflare {
    async fn zone_of(
        &self,
        host: &str,
        zone: Option<&str>,
        cancel: &CancellationToken,
    ) -> Result<Zone, ffe_dns::Error> {
        Ok(Cloudflare::zone_of(self, host, zone, cancel).await?)
    }

    async fn records(
        &self,
        zone: &Zone,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<Vec<Record>, ffe_dns::Error> {
        Ok(Cloudflare::records(self, zone, name, cancel).await?)
    }

    async fn ensure(
        &self,
        zone: &Zone,
        wish: &Wish,
        owner: &Owner,
        adopt: &Adopt,
        cancel: &CancellationToken,
    ) -> Result<Ensured, ffe_dns::Error> {
        Ok(Cloudflare::ensure(self, zone, wish, owner, adopt, cancel).await?)
    }

    async fn release(
        &self,
        zone: &Zone,
        name: &str,
        owner: &Owner,
        cancel: &CancellationToken,
    ) -> Result<Released, ffe_dns::Error> {
        Ok(Cloudflare::release(self, zone, name, owner, cancel).await?)
    }

    async fn rename(
        &self,
        zone: &Zone,
        name: &str,
        owner: &Owner,
        cancel: &CancellationToken,
    ) -> Result<Vec<Record>, ffe_dns::Error> {
        Ok(Cloudflare::rename(self, zone, name, owner, cancel).await?)
    }
}
