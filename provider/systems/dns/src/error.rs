//! What can go wrong, in words, and what to do then.

use crate::record::Record;

/// Why there is no result. No secret is in any text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What is wished cannot be.
    #[error("{attribute}: {reason}")]
    Wish {
        /// The attribute that it is about.
        attribute: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The provider has no such zone.
    #[error("{message}")]
    NoZone {
        /// The zone's name, or the host's.
        wanted: String,
        /// The provider's words.
        message: String,
        /// What to do.
        remedy: String,
    },
    /// Somebody else has a record of the host.
    #[error("{}", refused(name, records))]
    Refused {
        /// The host.
        name: String,
        /// Their records.
        records: Vec<Record>,
        /// Whether adopting would help.
        adoptable: bool,
        /// The other owner of our kind that one of them belongs to.
        another: Option<String>,
    },
    /// The caller wanted no more.
    #[error("cancelled before the end of the request to {operation}")]
    Cancelled {
        /// What was to be done.
        operation: String,
    },
    /// The provider refuses, or does not answer.
    #[error("{message}")]
    Failed {
        /// What it says.
        message: String,
        /// What to do.
        remedy: Option<String>,
    },
}

fn refused(name: &str, records: &[Record]) -> String {
    let told = records.iter().map(|record| match record.comment.as_deref().filter(|comment| !comment.is_empty()) {
        Some(comment) => format!("{record}, with the comment \"{comment}\""),
        None => record.to_string(),
    });
    format!("the host {name} has a record already that is not ours: {}", told.collect::<Vec<_>>().join("; "))
}

impl Error {
    /// What to do, as a sentence; none where the text says it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Error::NoZone { remedy, .. } => remedy.as_str(),
            Error::Failed { remedy, .. } => return remedy.clone(),
            Error::Refused { another: Some(name), .. } => {
                return Some(format!(
                    "It belongs to the endpoint {name}. Remove dns there first; or, to move it here while it serves, remove the \
                     other records of the host, if there are any, and set dns.adopt_from = \"{name}\"."
                ));
            }
            Error::Refused { adoptable: true, .. } => {
                "Set dns.adopt = true to take the record over (it is then changed, and released but not deleted on destroy), \
                 or delete it, or use another host."
            }
            Error::Refused { adoptable: false, .. } => {
                "A host has one record here. Delete those that are not needed; dns.adopt = true takes over one record, never \
                 several."
            }
            Error::Wish { .. } | Error::Cancelled { .. } => return None,
        };
        Some(text.to_owned())
    }
}
