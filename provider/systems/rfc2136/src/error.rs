//! What can go wrong, in words, and what to do then.

/// Why there is no result. The key is in no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What every provider refuses: wishes that cannot be, and records of somebody else.
    #[error(transparent)]
    Dns(#[from] ffe_dns::Error),
    /// The settings cannot be used.
    #[error("rfc2136.{attribute}: {reason}")]
    Settings {
        /// The attribute.
        attribute: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The server is no authority for it.
    #[error("the name server {server} has no zone {}", if *of_host { format!("that holds the host \"{wanted}\"") } else { format!("\"{wanted}\"") })]
    NoZone {
        /// The server.
        server: String,
        /// The zone's name, or the host's.
        wanted: String,
        /// Whether it is a host's.
        of_host: bool,
    },
    /// The server does not take the signature.
    #[error("the name server {server} does not take the signature of the request to {operation}: {why}")]
    Key {
        /// The server.
        server: String,
        /// What was to be done.
        operation: String,
        /// What it says.
        why: &'static str,
    },
    /// The answer is not signed as it should be.
    #[error("the answer of {server} to the request to {operation} is not signed with the key: {why}")]
    Unsigned {
        /// The server.
        server: String,
        /// What was to be done.
        operation: String,
        /// Why not.
        why: String,
    },
    /// The server refuses.
    #[error("the name server {server} refused to {operation}: {code}")]
    Refused {
        /// The server.
        server: String,
        /// What was to be done.
        operation: String,
        /// Its code, such as `REFUSED`.
        code: String,
    },
    /// The server has trouble.
    #[error("the name server {server} failed to {operation}: {code}")]
    Trouble {
        /// The server.
        server: String,
        /// What was to be done.
        operation: String,
        /// Its code.
        code: String,
    },
    /// Something is not as it was looked at.
    #[error("the records changed at {server} before they could be written")]
    Overtaken {
        /// The server.
        server: String,
    },
    /// It took the update, and the record is not there.
    #[error("the name server {server} took the update of {name}, and does not serve it")]
    NotServed {
        /// The server.
        server: String,
        /// The host.
        name: String,
    },
    /// There is no answer.
    #[error("no answer from the name server {server} to the request to {operation}: {cause}")]
    Unreachable {
        /// The server.
        server: String,
        /// What was to be done.
        operation: String,
        /// Why there is none.
        cause: String,
    },
    /// What came is no answer.
    #[error("the answer of {server} to the request to {operation} cannot be read: {why}")]
    Unreadable {
        /// The server.
        server: String,
        /// What was to be done.
        operation: String,
        /// Why not.
        why: String,
    },
    /// The caller wanted no more.
    #[error("cancelled before the end of the request to {operation}")]
    Cancelled {
        /// What was to be done.
        operation: String,
    },
}

impl Error {
    /// Whether the same may go well later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Error::Trouble { .. } | Error::Unreachable { .. })
    }

    /// What to do, as a sentence; none where the text says it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Error::Dns(error) => return error.remedy(),
            Error::NoZone { .. } => {
                "Check dns.zone, and that rfc2136.server is the primary server of the zone (a secondary one takes no updates). Where \
                 the server shows other zones to other clients (views), the key has to lead to the right one."
            }
            Error::Key { .. } => {
                "Check rfc2136.key_name, key_algorithm and key_secret against the key in the server's configuration, and the clocks of \
                 both machines."
            }
            Error::Unsigned { .. } => "Check that rfc2136.server is the name server itself, and that it knows the key.",
            Error::Refused { .. } => {
                "Allow the key to update A, AAAA and CNAME records of the host and TXT records of its mark (BIND: update-policy or \
                 allow-update in the zone), and to ask for them."
            }
            Error::Overtaken { .. } => "Apply again: what is there by then is looked at.",
            Error::NotServed { .. } => {
                "Look at the zone: a CNAME record cannot stand beside other records, nor at the zone's own name (use addresses \
                 there); and below a delegation another zone answers (set dns.zone to that)."
            }
            Error::Unreachable { .. } | Error::Trouble { .. } => {
                "Check rfc2136.server and rfc2136.port, and that this machine reaches it over TCP; apply again: what was done meanwhile \
                 is found by its mark."
            }
            Error::Unreadable { .. } => "Check that rfc2136.server and rfc2136.port lead to a name server.",
            Error::Settings { .. } | Error::Cancelled { .. } => return None,
        };
        Some(text.to_owned())
    }
}

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
