//! DNS records at a name server of one's own (BIND, Knot, PowerDNS, …), by dynamic updates (RFC 2136) with TSIG (RFC 8945).
//!
//! A record has no comment here. Whose it is says a TXT record beside it (`mark`), and each update asks the server, as its
//! prerequisites, that all of that still is as it was looked at: so what is absent is made, and what somebody changed meanwhile is
//! looked at again. Everything goes over TCP, so that no answer is cut short.
//!
//! Invariants: those of `ffe_dns`; an answer whose signature is not right is no answer; the key is in no text.

mod error;
mod mark;
mod message;
mod provider;
mod records;
mod server;
mod zones;

pub use error::Error;
pub use server::{Algorithm, Rfc2136, Settings};

/// How long resolvers may remember a record whose time is left to us, in seconds.
pub const AUTOMATIC_TTL: u32 = 300;
