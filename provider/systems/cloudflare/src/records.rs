//! Records: looked at, brought about, released.

use ffe_dns::{Change, Ensured, Released};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::client::{Call, Cloudflare};
use crate::decision::{Adopt, Decision, decide};
use crate::error::{Error, Reason};
use crate::name;
use crate::owner::{Holder, Owner};
use crate::patience::Patience;
use crate::record::{Record, Wish};
use ffe_dns::Zone;

/// How often what is found may be another thing than what was looked at before.
const SURPRISES: u32 = 3;

#[derive(Deserialize)]
struct Batch {
    #[serde(default)]
    posts: Option<Vec<Record>>,
}

impl Cloudflare {
    /// All records of exactly this name, of any type.
    ///
    /// # Errors
    /// What Cloudflare says.
    pub async fn records(&self, zone: &Zone, name: &str, cancel: &CancellationToken) -> Result<Vec<Record>, Error> {
        self.list(zone, name, &mut self.patience(), cancel).await
    }

    async fn list(
        &self,
        zone: &Zone,
        name: &str,
        patience: &mut Patience,
        cancel: &CancellationToken,
    ) -> Result<Vec<Record>, Error> {
        let reason = || format!("\"{name}\" is no host name that a zone could have");
        let name = name::normal(name).ok_or_else(|| ffe_dns::Error::Wish { attribute: "hosts", reason: reason() })?;
        let operation = format!("list the records of {name}");
        let path = ["zones", &zone.id, "dns_records"];
        let all = self.all(&operation, &path, Some(("name.exact", &name)), "100", patience, cancel).await;
        let all: Vec<Record> = match all {
            Err(Error::Api { reason: Reason::UnknownZone, .. }) => {
                // It was there when zones were asked for, and is no more.
                self.forget_zones().await;
                return Err(Error::NoZone { of_host: false, wanted: zone.name.clone() });
            }
            all => all?,
        };
        // A server that does not know the filter sends the whole zone.
        Ok(all.into_iter().filter(|record| record.name.trim_end_matches('.').eq_ignore_ascii_case(&name)).collect())
    }

    /// Brings about that the host has the one record that is wished, and that it is ours. Looks before every write, so
    /// a write whose answer did not come is not repeated where it was done.
    ///
    /// # Errors
    /// [`ffe_dns::Error::Refused`] when there is one of somebody else; and what Cloudflare says.
    pub async fn ensure(
        &self,
        zone: &Zone,
        wish: &Wish,
        owner: &Owner,
        adopt: &Adopt,
        cancel: &CancellationToken,
    ) -> Result<Ensured, Error> {
        let mut patience = self.patience();
        let mut change = Change::Nothing;
        let mut surprises = 0;
        loop {
            let existing = self.list(zone, wish.name(), &mut patience, cancel).await?;
            let written = match decide(&existing, wish, owner, adopt) {
                Decision::Nothing(record) => return Ok(Ensured { record, change }),
                Decision::Refused { records, adoptable, another } => {
                    let name = wish.name().to_owned();
                    return Err(ffe_dns::Error::Refused { name, records, adoptable, another }.into());
                }
                Decision::Create { comment } => {
                    change = Change::Created;
                    self.post(zone, wish, &comment, &patience, cancel).await.map(Some)
                }
                Decision::Update { record, comment, adopts } => {
                    change = if adopts { Change::Adopted } else { Change::Updated };
                    self.patch(zone, &record, body(wish, &comment), &patience, cancel).await.map(Some)
                }
                Decision::Replace { records, comment, adopts } => {
                    change = if adopts { Change::Adopted } else { Change::Updated };
                    self.batch(zone, wish, &records, Some(&comment), &patience, cancel).await
                }
                Decision::Tidy { records, .. } => {
                    change = Change::Updated;
                    self.batch(zone, wish, &records, None, &patience, cancel).await
                }
            };
            match written {
                Ok(Some(record)) => {
                    tracing::info!(%record, ?change, "DNS record");
                    return Ok(Ensured { record, change });
                }
                // A batch says little of what it did.
                Ok(None) if surprises < SURPRISES => surprises += 1,
                // Somebody was quicker, perhaps our own request whose answer was lost.
                Err(error) if surprises < SURPRISES && overtaken(&error) => surprises += 1,
                Ok(None) => {
                    return Err(Error::Unreadable {
                        operation: format!("change the records of {}", wish.name()),
                        host: self.base_url().to_owned(),
                        status: 200,
                    });
                }
                Err(error) => patience.pause(error, &format!("change the records of {}", wish.name()), cancel).await?,
            }
        }
    }

    /// Deletes the records of a host that this owner made, lets go those that it adopted, leaves all others. What is
    /// gone already is fine.
    ///
    /// # Errors
    /// What Cloudflare says.
    pub async fn release(
        &self,
        zone: &Zone,
        name: &str,
        owner: &Owner,
        cancel: &CancellationToken,
    ) -> Result<Released, Error> {
        let mut patience = self.patience();
        let mut released = Released::default();
        let existing = self.list(zone, name, &mut patience, cancel).await?;
        for record in existing.into_iter().filter(|record| record.kind.is_address()) {
            match owner.holder(record.comment.as_deref()) {
                Holder::Made => {
                    self.delete(zone, &record, &mut patience, cancel).await?;
                    released.deleted.push(record);
                }
                Holder::Adopted { former_comment } => {
                    let comment = json!({ "comment": former_comment });
                    let operation = format!("let go the record of {}", record.name);
                    let path = ["zones", &zone.id, "dns_records", &record.id];
                    let call = Call {
                        operation: &operation,
                        method: Method::PATCH,
                        path: &path,
                        query: &[],
                        body: Some(comment),
                    };
                    match self.again::<Record>(&call, &mut patience, cancel).await {
                        Ok(answer) => released.let_go.push(answer.result),
                        Err(error) if error.reason() == Some(Reason::UnknownRecord) => {}
                        Err(error) => return Err(error),
                    }
                }
                Holder::Another(_) | Holder::Foreign => released.left.push(record),
            }
        }
        Ok(released)
    }

    /// Writes an owner's present name into those records of a host that know it by its former one
    /// ([`Owner::also_called`]). What they say stays, and so do those of others.
    ///
    /// # Errors
    /// What Cloudflare says.
    pub async fn rename(
        &self,
        zone: &Zone,
        name: &str,
        owner: &Owner,
        cancel: &CancellationToken,
    ) -> Result<Vec<Record>, Error> {
        let mut patience = self.patience();
        let mut renamed = Vec::new();
        for record in self.list(zone, name, &mut patience, cancel).await? {
            let before = record.comment.as_deref().unwrap_or_default();
            let comment = owner.renamed(before);
            if !record.kind.is_address() || comment == before {
                continue;
            }
            let operation = format!("rename the owner of the record of {}", record.name);
            let path = ["zones", &zone.id, "dns_records", &record.id];
            let body = Some(json!({ "comment": comment }));
            let call = Call { operation: &operation, method: Method::PATCH, path: &path, query: &[], body };
            renamed.push(self.again::<Record>(&call, &mut patience, cancel).await?.result);
        }
        Ok(renamed)
    }

    async fn post(
        &self,
        zone: &Zone,
        wish: &Wish,
        comment: &str,
        patience: &Patience,
        cancel: &CancellationToken,
    ) -> Result<Record, Error> {
        let operation = format!("create the record of {}", wish.name());
        let path = ["zones", &zone.id, "dns_records"];
        let call = Call {
            operation: &operation,
            method: Method::POST,
            path: &path,
            query: &[],
            body: Some(body(wish, comment)),
        };
        let answer: Answer<Record> = self.once(&call, patience, cancel).await?;
        Ok(answer.result)
    }

    async fn patch(
        &self,
        zone: &Zone,
        record: &Record,
        body: Value,
        patience: &Patience,
        cancel: &CancellationToken,
    ) -> Result<Record, Error> {
        let operation = format!("change the record of {}", record.name);
        let path = ["zones", &zone.id, "dns_records", &record.id];
        let call = Call { operation: &operation, method: Method::PATCH, path: &path, query: &[], body: Some(body) };
        let answer: Answer<Record> = self.once(&call, patience, cancel).await?;
        Ok(answer.result)
    }

    /// Deletes records and, with a comment, makes the wished one, in one transaction: the host is never without a
    /// record in between, and a failure leaves everything as it was.
    async fn batch(
        &self,
        zone: &Zone,
        wish: &Wish,
        gone: &[Record],
        comment: Option<&str>,
        patience: &Patience,
        cancel: &CancellationToken,
    ) -> Result<Option<Record>, Error> {
        let operation = format!("replace the record of {}", wish.name());
        let path = ["zones", &zone.id, "dns_records", "batch"];
        let deletes: Vec<Value> = gone.iter().map(|record| json!({ "id": record.id })).collect();
        let posts: Vec<Value> = comment.map(|comment| body(wish, comment)).into_iter().collect();
        let body = json!({ "deletes": deletes, "posts": posts });
        let call = Call { operation: &operation, method: Method::POST, path: &path, query: &[], body: Some(body) };
        let answer: Answer<Batch> = self.once(&call, patience, cancel).await?;
        Ok(answer.result.posts.and_then(|posts| posts.into_iter().next()))
    }

    async fn delete(
        &self,
        zone: &Zone,
        record: &Record,
        patience: &mut Patience,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let operation = format!("delete the record of {}", record.name);
        let path = ["zones", &zone.id, "dns_records", &record.id];
        let call = Call { operation: &operation, method: Method::DELETE, path: &path, query: &[], body: None };
        match self.again::<Value>(&call, patience, cancel).await {
            Ok(_) => tracing::info!(%record, "DNS record deleted"),
            Err(error) if error.reason() == Some(Reason::UnknownRecord) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// A record as the API takes it.
fn body(wish: &Wish, comment: &str) -> Value {
    json!({
        "type": wish.kind.name(),
        "name": wish.name,
        "content": wish.content,
        "proxied": wish.proxied,
        "ttl": wish.ttl,
        "comment": comment,
    })
}

fn overtaken(error: &Error) -> bool {
    matches!(error.reason(), Some(Reason::Duplicate | Reason::UnknownRecord))
}

#[cfg(test)]
mod tests;
