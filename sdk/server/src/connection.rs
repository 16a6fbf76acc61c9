//! From a listening socket to a stream of authenticated connections.

mod incoming;
mod listener;
mod tls;

pub(crate) use incoming::incoming;
pub(crate) use listener::{Address, ListenError, Listener};
pub(crate) use tls::{Identity, TlsError};
