//! Messages: questions, and updates with their prerequisites.

use std::net::IpAddr;

use ffe_dns::RecordKind;
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use crate::error::Error;

/// The types of records that say where a host is.
pub(crate) const ADDRESSES: [RecordType; 3] = [RecordType::A, RecordType::AAAA, RecordType::CNAME];

/// A name, in full.
pub(crate) fn name(text: &str) -> Result<Name, Error> {
    let wrong = |_| ffe_dns::Error::Wish { attribute: "hosts", reason: format!("\"{text}\" is no name for DNS") };
    let mut name = Name::from_ascii(text).map_err(wrong)?;
    name.set_fqdn(true);
    Ok(name)
}

/// A question.
pub(crate) fn query(name: Name, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = false;
    message.add_query(Query::query(name, kind));
    message
}

/// The content of a record.
pub(crate) fn data(kind: &RecordKind, content: &str) -> Result<RData, Error> {
    match (kind, content.parse()) {
        (RecordKind::A, Ok(IpAddr::V4(address))) => Ok(RData::A(A(address))),
        (RecordKind::Aaaa, Ok(IpAddr::V6(address))) => Ok(RData::AAAA(AAAA(address))),
        (RecordKind::Cname, _) => Ok(RData::CNAME(CNAME(name(content)?))),
        _ => {
            let reason = format!("\"{content}\" is nothing that a record of the type {kind} says");
            Err(ffe_dns::Error::Wish { attribute: "target", reason }.into())
        }
    }
}

/// The strings of a TXT record.
pub(crate) fn text(strings: Vec<String>) -> RData {
    RData::TXT(TXT::new(strings))
}

/// An update of one zone, which the server carries out as a whole or not at all.
pub(crate) struct Update(Message);

impl Update {
    pub(crate) fn of(zone: Name) -> Update {
        let id = Message::query().metadata.id;
        let mut message = Message::new(id, MessageType::Query, OpCode::Update);
        message.add_query(Query::query(zone, RecordType::SOA));
        Update(message)
    }

    /// Only where this is all that there is of a type.
    pub(crate) fn only_where(mut self, name: &Name, kind: RecordType, all: &[RData]) -> Update {
        if all.is_empty() {
            self.0.add_answer(bare(name, kind, DNSClass::NONE));
        }
        for data in all {
            self.0.add_answer(Record::from_rdata(name.clone(), 0, data.clone()));
        }
        self
    }

    /// Takes away everything of a type.
    pub(crate) fn without(mut self, name: &Name, kind: RecordType) -> Update {
        self.0.add_authority(bare(name, kind, DNSClass::ANY));
        self
    }

    /// Takes away one record.
    pub(crate) fn without_this(mut self, name: &Name, data: RData) -> Update {
        let mut record = Record::from_rdata(name.clone(), 0, data);
        record.dns_class = DNSClass::NONE;
        self.0.add_authority(record);
        self
    }

    /// Puts a record there.
    pub(crate) fn with(mut self, name: &Name, ttl: u32, data: RData) -> Update {
        self.0.add_authority(Record::from_rdata(name.clone(), ttl, data));
        self
    }

    pub(crate) fn message(self) -> Message {
        self.0
    }
}

fn bare(name: &Name, kind: RecordType, class: DNSClass) -> Record {
    let mut record = Record::update0(name.clone(), 0, kind);
    record.dns_class = class;
    record
}
