//! Records: looked at, brought about, released.

use ffe_dns::{
    Adopt, Change, Decision, Ensured, Holder, Owner, Record, RecordKind, Released, Wish, Zone, decide, name,
};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::mark::{self, Mark};
use crate::message::{self, ADDRESSES, Update};
use crate::server::{Pauses, Rfc2136};

/// How often what is found may be another thing than what was looked at before.
const SURPRISES: u32 = 3;

/// A host as it was looked at.
struct Seen {
    host: String,
    at: Name,
    mark_at: Name,
    /// What is there of each of [`ADDRESSES`].
    data: [Vec<RData>; 3],
    /// What is there of TXT where the mark is.
    texts: Vec<RData>,
    mark: Option<Mark>,
    /// The same as records, with their comments.
    records: Vec<Record>,
}

impl Rfc2136 {
    /// The records of exactly this name that say where it is.
    ///
    /// # Errors
    /// What the server says.
    pub async fn records(&self, zone: &Zone, name: &str, cancel: &CancellationToken) -> Result<Vec<Record>, Error> {
        Ok(self.look(zone, name, cancel).await?.records)
    }

    /// Brings about that the host has the one record that is wished, and that it is ours.
    ///
    /// # Errors
    /// [`ffe_dns::Error::Refused`] when there is one of somebody else; and what the server says.
    pub async fn ensure(
        &self,
        zone: &Zone,
        wish: &Wish,
        owner: &Owner,
        adopt: &Adopt,
        cancel: &CancellationToken,
    ) -> Result<Ensured, Error> {
        let operation = format!("change the records of {}", wish.name());
        let (mut change, mut surprises, mut pauses) = (Change::Nothing, 0, Pauses::new());
        loop {
            let seen = self.look(zone, wish.name(), cancel).await?;
            let comment = match decide(&seen.records, wish, owner, adopt) {
                // That the server does it says only another look: it drops a CNAME beside other records without a word.
                Decision::Nothing(record) => return Ok(Ensured { record, change }),
                Decision::Refused { records, adoptable, another } => {
                    let name = wish.name().to_owned();
                    return Err(ffe_dns::Error::Refused { name, records, adoptable, another }.into());
                }
                Decision::Create { comment } => {
                    change = Change::Created;
                    comment
                }
                Decision::Update { comment, adopts, .. } | Decision::Replace { comment, adopts, .. } => {
                    change = if adopts { Change::Adopted } else { updated(change) };
                    comment
                }
                Decision::Tidy { keep, .. } => {
                    change = updated(change);
                    keep.comment.unwrap_or_else(|| owner.comment())
                }
            };
            if surprises > SURPRISES {
                return Err(Error::NotServed { server: self.server(), name: wish.name().to_owned() });
            }
            let mark = Mark { comment, record: mark::of(wish.kind().name(), wish.content()) };
            let data = message::data(wish.kind(), wish.content())?;
            let mut update = seen.unchanged(zone)?;
            for kind in ADDRESSES {
                update = update.without(&seen.at, kind);
            }
            update = update.without(&seen.mark_at, RecordType::TXT);
            update = update.with(&seen.at, wish.ttl, data);
            update = update.with(&seen.mark_at, wish.ttl, message::text(mark.strings()));
            match self.update(&operation, update, cancel).await {
                Ok(()) => surprises += 1,
                Err(Error::Overtaken { .. }) if surprises < SURPRISES => surprises += 1,
                Err(error) => pauses.pause(error, &operation, cancel).await?,
            }
        }
    }

    /// Deletes the records of a host that this owner made, lets go those that it adopted, leaves all others.
    ///
    /// # Errors
    /// What the server says.
    pub async fn release(
        &self,
        zone: &Zone,
        name: &str,
        owner: &Owner,
        cancel: &CancellationToken,
    ) -> Result<Released, Error> {
        let operation = format!("delete the record of {name}");
        let (mut surprises, mut pauses) = (0, Pauses::new());
        loop {
            let seen = self.look(zone, name, cancel).await?;
            let is_ours = |comment: &str| matches!(owner.holder(Some(comment)), Holder::Made | Holder::Adopted { .. });
            let mut released = Released::default();
            let mut update = seen.unchanged(zone)?;
            for record in &seen.records {
                match owner.holder(record.comment.as_deref()) {
                    Holder::Made => {
                        update = update.without_this(&seen.at, message::data(&record.kind, &record.content)?);
                        released.deleted.push(record.clone());
                    }
                    Holder::Adopted { .. } => released.let_go.push(Record { comment: None, ..record.clone() }),
                    Holder::Another(_) | Holder::Foreign => released.left.push(record.clone()),
                }
            }
            if !seen.mark.as_ref().is_some_and(|mark| is_ours(&mark.comment)) {
                return Ok(released);
            }
            update = update.without(&seen.mark_at, RecordType::TXT);
            match self.update(&operation, update, cancel).await {
                Ok(()) => return Ok(released),
                Err(Error::Overtaken { .. }) if surprises < SURPRISES => surprises += 1,
                Err(error) => pauses.pause(error, &operation, cancel).await?,
            }
        }
    }

    /// Writes an owner's present name into the mark of a host that knows it by its former one.
    ///
    /// # Errors
    /// What the server says.
    pub async fn rename(
        &self,
        zone: &Zone,
        name: &str,
        owner: &Owner,
        cancel: &CancellationToken,
    ) -> Result<Vec<Record>, Error> {
        let operation = format!("rename the owner of the record of {name}");
        let (mut surprises, mut pauses) = (0, Pauses::new());
        loop {
            let seen = self.look(zone, name, cancel).await?;
            let Some(mark) = &seen.mark else { return Ok(Vec::new()) };
            let comment = owner.renamed(&mark.comment);
            if comment == mark.comment {
                return Ok(Vec::new());
            }
            let ttl = seen.records.first().map_or(crate::AUTOMATIC_TTL, |record| record.ttl);
            let text = message::text(Mark { comment: comment.clone(), ..mark.clone() }.strings());
            let update = seen.unchanged(zone)?.without(&seen.mark_at, RecordType::TXT).with(&seen.mark_at, ttl, text);
            match self.update(&operation, update, cancel).await {
                Ok(()) => {
                    let ours = seen.records.into_iter().filter(|record| record.comment.is_some());
                    return Ok(ours.map(|record| Record { comment: Some(comment.clone()), ..record }).collect());
                }
                Err(Error::Overtaken { .. }) if surprises < SURPRISES => surprises += 1,
                Err(error) => pauses.pause(error, &operation, cancel).await?,
            }
        }
    }

    async fn look(&self, zone: &Zone, host: &str, cancel: &CancellationToken) -> Result<Seen, Error> {
        let reason = || format!("\"{host}\" is no host name that a zone could have");
        let host = name::normal(host).ok_or_else(|| ffe_dns::Error::Wish { attribute: "hosts", reason: reason() })?;
        let (at, mark_at) = (message::name(&host)?, message::name(&mark::name(&host))?);
        let mut data = [Vec::new(), Vec::new(), Vec::new()];
        let mut records = Vec::new();
        for (kind, data) in ADDRESSES.into_iter().zip(&mut data) {
            for (ttl, found) in self.all(zone, &host, &at, kind, cancel).await? {
                records.push(record(&host, ttl, &found));
                data.push(found);
            }
        }
        let texts = self.all(zone, &mark::name(&host), &mark_at, RecordType::TXT, cancel).await?;
        let texts: Vec<RData> = texts.into_iter().map(|(_, data)| data).collect();
        let mark = texts.iter().find_map(|data| match data {
            RData::TXT(text) => Mark::read(&text.txt_data),
            _ => None,
        });
        let mut records: Vec<Record> = records.into_iter().flatten().collect();
        mark::attribute(&mut records, mark.as_ref());
        Ok(Seen { host, at, mark_at, data, texts, mark, records })
    }

    /// All that a name itself has of a type.
    async fn all(
        &self,
        zone: &Zone,
        host: &str,
        at: &Name,
        kind: RecordType,
        cancel: &CancellationToken,
    ) -> Result<Vec<(u32, RData)>, Error> {
        let found = self.ask(at, kind, cancel).await?;
        if found.is_empty() || !self.comes_of_a_wildcard(zone, host, kind, &found, cancel).await? {
            return Ok(found);
        }
        Ok(Vec::new())
    }

    async fn ask(&self, at: &Name, kind: RecordType, cancel: &CancellationToken) -> Result<Vec<(u32, RData)>, Error> {
        let operation = format!("list the records of {}", at.to_ascii().trim_end_matches('.'));
        let answer = self.again(&operation, &message::query(at.clone(), kind), cancel).await?;
        match answer.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {}
            code => return Err(self.refused(&operation, code)),
        }
        let of_it = answer.answers.into_iter().filter(|one| one.record_type() == kind && one.name == *at);
        Ok(of_it.map(|one| (one.ttl, one.data)).collect())
    }

    /// Whether the server makes the answer of a wildcard's: the name itself has none then. An update that changes nothing tells,
    /// because prerequisites know no wildcards. It is asked only where there is such a wildcard.
    async fn comes_of_a_wildcard(
        &self,
        zone: &Zone,
        host: &str,
        kind: RecordType,
        found: &[(u32, RData)],
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        if host.starts_with("*.") || host == zone.name {
            return Ok(false);
        }
        let mut parents = name_and_parents(host).skip(1).take_while(|parent| name::within(parent, &zone.name));
        let mut is_possible = false;
        while let Some(parent) = parents.next().filter(|_| !is_possible) {
            is_possible = !self.ask(&message::name(&format!("*.{parent}"))?, kind, cancel).await?.is_empty();
        }
        if !is_possible {
            return Ok(false);
        }
        let data: Vec<RData> = found.iter().map(|(_, data)| data.clone()).collect();
        let probe = Update::of(message::name(&zone.name)?).only_where(&message::name(host)?, kind, &data);
        let operation = format!("list the records of {host}");
        let answer = self.again(&operation, &probe.message(), cancel).await?;
        match answer.metadata.response_code {
            ResponseCode::NoError => Ok(false),
            ResponseCode::NXRRSet | ResponseCode::NXDomain => Ok(true),
            code => Err(self.refused(&operation, code)),
        }
    }

    async fn update(&self, operation: &str, update: Update, cancel: &CancellationToken) -> Result<(), Error> {
        let answer: Message = self.once(operation, update.message(), cancel).await?;
        match answer.metadata.response_code {
            ResponseCode::NoError => Ok(()),
            ResponseCode::NXRRSet | ResponseCode::YXRRSet | ResponseCode::NXDomain | ResponseCode::YXDomain => {
                Err(Error::Overtaken { server: self.server() })
            }
            code => Err(self.refused(operation, code)),
        }
    }

    fn refused(&self, operation: &str, code: ResponseCode) -> Error {
        Error::Refused { server: self.server(), operation: operation.to_owned(), code: code.to_str().to_owned() }
    }
}

impl Seen {
    /// An update that is carried out only where everything still is as it was looked at.
    fn unchanged(&self, zone: &Zone) -> Result<Update, Error> {
        let mut update = Update::of(message::name(&zone.name)?);
        for (kind, data) in ADDRESSES.into_iter().zip(&self.data) {
            update = update.only_where(&self.at, kind, data);
        }
        tracing::debug!(host = %self.host, records = self.records.len(), "as it was looked at");
        Ok(update.only_where(&self.mark_at, RecordType::TXT, &self.texts))
    }
}

/// What was made here stays so when it is written again.
fn updated(change: Change) -> Change {
    if change == Change::Nothing { Change::Updated } else { change }
}

/// A name, and each that holds it.
fn name_and_parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, parent)| parent))
}

fn record(host: &str, ttl: u32, data: &RData) -> Option<Record> {
    let (kind, content) = match data {
        RData::A(address) => (RecordKind::A, address.0.to_string()),
        RData::AAAA(address) => (RecordKind::Aaaa, address.0.to_string()),
        RData::CNAME(target) => (RecordKind::Cname, target.0.to_ascii().trim_end_matches('.').to_ascii_lowercase()),
        _ => return None,
    };
    let id = format!("{host} {}", mark::of(kind.name(), &content));
    Some(Record { id, name: host.to_owned(), kind, content, proxied: false, ttl, comment: None })
}
