//! What is to be done, from what exists and what is wished. Pure, so that a plan can ask it too.

use crate::owner::{Holder, Owner};
use crate::record::{Record, Wish};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is as wished, and ours.
    Nothing(Record),
    /// There is no record of the host.
    Create {
        /// The comment that it gets.
        comment: String,
    },
    /// The record stays and says something else from now on.
    Update {
        /// As it is.
        record: Record,
        /// The comment that it gets.
        comment: String,
        /// Whether it was somebody else's until now.
        adopts: bool,
    },
    /// Records go and one comes, in one transaction: a type cannot be changed in place, and an A record cannot be
    /// beside a CNAME.
    Replace {
        /// Those that go.
        records: Vec<Record>,
        /// The comment that the new one gets.
        comment: String,
        /// Whether one of them was somebody else's until now.
        adopts: bool,
    },
    /// Those that are too many go; they are ours, from a run that did not know what it had done.
    Tidy {
        /// The one that stays.
        keep: Record,
        /// Those that go.
        records: Vec<Record>,
    },
    /// Somebody else has a record of the host.
    Refused {
        /// Theirs.
        records: Vec<Record>,
        /// Whether `adopt` would help: it takes one record of nobody of our kind, never several.
        adoptable: bool,
        /// The other owner of our kind that one of them belongs to.
        another: Option<String>,
    },
}

/// What may be taken over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adopt {
    /// A record of nobody of our kind.
    pub foreign: bool,
    /// A record of this owner of our kind, by the name that the record's comment gives it.
    pub from: Option<String>,
}

/// Decides. `existing` are all records of the wish's name; those that say nothing of where the host is (TXT, MX, CAA,
/// …) are left alone. One record per host: another one besides ours is refused too, because clients would go to both.
///
/// With `adopt`, one record of somebody else is taken over. One of another owner of our kind is taken only by its name: two
/// that adopt whatever is there would take it from each other with each run.
#[must_use]
pub fn decide(existing: &[Record], wish: &Wish, owner: &Owner, adopt: &Adopt) -> Decision {
    let here = existing.iter().filter(|record| record.kind.is_address());
    let (ours, theirs): (Vec<&Record>, Vec<&Record>) = here
        .partition(|record| matches!(owner.holder(record.comment.as_deref()), Holder::Made | Holder::Adopted { .. }));
    let clone = |records: &[&Record]| records.iter().map(|record| (*record).clone()).collect::<Vec<_>>();
    match (ours.as_slice(), theirs.as_slice()) {
        ([], []) => Decision::Create { comment: owner.comment() },
        ([], [one]) if may_take(one, owner, adopt) => {
            change(one, wish, owner.comment_adopting(one.comment.as_deref()), true)
        }
        (_, [_, ..]) => {
            let another = theirs.iter().find_map(|record| another(record, owner));
            let adoptable = ours.is_empty() && theirs.len() == 1 && another.is_none();
            Decision::Refused { records: clone(&theirs), adoptable, another }
        }
        ([one], []) if wish.is_met_by(one) => Decision::Nothing((*one).clone()),
        // The comment stays: it says whether it was adopted, and users may have added to it.
        ([one], []) => change(one, wish, one.comment.clone().unwrap_or_default(), false),
        (several, []) => {
            let Some(keep) = several.iter().find(|record| wish.is_met_by(record)) else {
                let mut comments = several.iter().filter_map(|record| record.comment.clone());
                let adopted = comments.find(|comment| matches!(owner.holder(Some(comment)), Holder::Adopted { .. }));
                let comment = adopted.unwrap_or_else(|| owner.comment());
                return Decision::Replace { records: clone(several), comment, adopts: false };
            };
            let records = several.iter().filter(|record| record.id != keep.id).copied().collect::<Vec<_>>();
            Decision::Tidy { keep: (*keep).clone(), records: clone(&records) }
        }
    }
}

fn may_take(record: &Record, owner: &Owner, adopt: &Adopt) -> bool {
    match another(record, owner) {
        Some(name) => adopt.from.as_deref() == Some(name.as_str()),
        None => adopt.foreign,
    }
}

fn another(record: &Record, owner: &Owner) -> Option<String> {
    match owner.holder(record.comment.as_deref()) {
        Holder::Another(name) => Some(name),
        _ => None,
    }
}

fn change(record: &Record, wish: &Wish, comment: String, adopts: bool) -> Decision {
    if record.kind == wish.kind {
        Decision::Update { record: record.clone(), comment, adopts }
    } else {
        Decision::Replace { records: vec![record.clone()], comment, adopts }
    }
}

#[cfg(test)]
mod tests;
