//! Whose record it is: a mark in the record's comment, or in what stands for one beside it.

use std::fmt;

use sha2::{Digest, Sha256};

/// The longest comment that every provider and plan takes: Cloudflare's free one.
const LONGEST: usize = 100;
const MADE: &str = "managed by terraform-provider-ffe: ";
const ADOPTED: &str = "adopted by terraform-provider-ffe: ";
/// Between the mark of an adopted record and the comment that it had.
const BEFORE: &str = " | ";

/// Who owns a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    name: String,
    /// What it was called before, by which its records know it until they are written the next time.
    former: Option<String>,
}

/// Who holds a record, as far as its comment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// We made it.
    Made,
    /// It was there before and was taken over; its former comment is kept.
    Adopted {
        /// What the comment was.
        former_comment: String,
    },
    /// Another owner of our kind, by its name.
    Another(String),
    /// Nobody of our kind.
    Foreign,
}

impl Owner {
    /// The endpoint of this namespace and name.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Owner {
        Owner { name: format!("{namespace}/{name}"), former: None }
    }

    /// The same in one cluster of several that share a zone; `id` is what tells them apart, such as the beginning of
    /// the kube-system namespace's uid.
    #[must_use]
    pub fn in_cluster(self, id: &str) -> Owner {
        Owner { name: format!("{}@{id}", self.name), ..self }
    }

    /// The same, to whom the records of another one belong too: of what it was called before.
    #[must_use]
    pub fn also_called(self, former: &Owner) -> Owner {
        Owner { former: Some(former.name.clone()), ..self }
    }

    /// The comment of a record that it made.
    #[must_use]
    pub fn comment(&self) -> String {
        format!("{MADE}{}", self.short())
    }

    /// The comment of a record that it took over, with as much of the former comment as there is room for: all or
    /// nothing.
    #[must_use]
    pub fn comment_adopting(&self, former: Option<&str>) -> String {
        let mark = format!("{ADOPTED}{}", self.short());
        match former.filter(|former| !former.is_empty()) {
            Some(former) if mark.chars().count() + BEFORE.len() + former.chars().count() <= LONGEST => {
                format!("{mark}{BEFORE}{former}")
            }
            _ => mark,
        }
    }

    /// Who holds a record with this comment, from this owner's point of view.
    #[must_use]
    pub fn holder(&self, comment: Option<&str>) -> Holder {
        let comment = comment.unwrap_or_default();
        let (mark, made) = match (comment.strip_prefix(MADE), comment.strip_prefix(ADOPTED)) {
            (Some(mark), _) => (mark, true),
            (_, Some(mark)) => (mark, false),
            _ => return Holder::Foreign,
        };
        let (who, rest) = mark.split_once(' ').unwrap_or((mark, ""));
        let former = self.former.as_deref().map(short);
        if who != self.short() && former.as_deref() != Some(who) {
            Holder::Another(who.to_owned())
        } else if made {
            Holder::Made
        } else {
            Holder::Adopted { former_comment: rest.strip_prefix(BEFORE.trim_start()).unwrap_or_default().to_owned() }
        }
    }

    /// The comment of a record of ours under the present name. What else it says stays.
    #[must_use]
    pub fn renamed(&self, comment: &str) -> String {
        let Some(former) = self.former.as_deref().map(short) else { return comment.to_owned() };
        for mark in [MADE, ADOPTED] {
            let rest = comment.strip_prefix(mark).and_then(|rest| rest.strip_prefix(&former));
            if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
                let whole = format!("{mark}{}{rest}", self.short());
                return if whole.chars().count() <= LONGEST { whole } else { format!("{mark}{}", self.short()) };
            }
        }
        comment.to_owned()
    }

    fn short(&self) -> String {
        short(&self.name)
    }
}

/// The name itself where the comment has room for it; otherwise its beginning and a digest of the whole.
fn short(name: &str) -> String {
    let room = LONGEST - MADE.len();
    if name.len() <= room {
        return name.to_owned();
    }
    let digest = hex::encode(Sha256::digest(name));
    // Names of Kubernetes are ASCII.
    let front: String = name.chars().filter(char::is_ascii).take(room - 13).collect();
    format!("{front}~{}", &digest[..12])
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_recognised_by_its_owner_alone() {
        let owner = Owner::new("ffe", "api");
        assert_eq!(owner.comment(), "managed by terraform-provider-ffe: ffe/api");
        assert_eq!(owner.holder(Some(&owner.comment())), Holder::Made);
        assert_eq!(owner.holder(Some("managed by terraform-provider-ffe: ffe/api and a note")), Holder::Made);
        assert_eq!(owner.holder(Some(&Owner::new("ffe", "api2").comment())), Holder::Another("ffe/api2".to_owned()));
        assert_eq!(owner.holder(Some("mine, not managed by terraform-provider-ffe: ffe/api")), Holder::Foreign);
        assert_eq!((owner.holder(None), owner.holder(Some(""))), (Holder::Foreign, Holder::Foreign));
        let elsewhere = owner.clone().in_cluster("1a2b3c4d");
        assert_eq!(elsewhere.holder(Some(&owner.comment())), Holder::Another("ffe/api".to_owned()));
        assert_eq!(owner.holder(Some(&elsewhere.comment())), Holder::Another("ffe/api@1a2b3c4d".to_owned()));
    }

    #[test]
    fn what_was_adopted_keeps_its_former_comment_where_there_is_room() {
        let owner = Owner::new("ffe", "api");
        for (former, kept) in
            [(None, ""), (Some("the old web | server"), "the old web | server"), (Some(&*"x".repeat(90)), "")]
        {
            let comment = owner.comment_adopting(former);
            assert!(comment.len() <= LONGEST, "{comment}");
            assert_eq!(owner.holder(Some(&comment)), Holder::Adopted { former_comment: kept.to_owned() });
        }
    }

    #[test]
    fn what_is_called_otherwise_now_keeps_its_records() {
        let (former, now) = (Owner::new("ffe", "api"), Owner::new("ffe", "web"));
        let owner = now.clone().also_called(&former);
        assert_eq!(owner.holder(Some(&former.comment())), Holder::Made);
        assert_eq!(owner.holder(Some(&now.comment())), Holder::Made);
        assert_eq!(owner.holder(Some(&Owner::new("ffe", "api2").comment())), Holder::Another("ffe/api2".to_owned()));
        assert_eq!(owner.renamed(&former.comment()), now.comment());
        assert_eq!(owner.renamed(&former.comment_adopting(Some("by hand"))), now.comment_adopting(Some("by hand")));
        for other in [now.comment(), Owner::new("ffe", "api2").comment(), "by hand".to_owned()] {
            assert_eq!(owner.renamed(&other), other);
        }
    }

    #[test]
    fn long_names_fit_into_every_plans_comment_and_stay_apart() {
        let long = Owner::new(&"n".repeat(63), &"a".repeat(63));
        let other = Owner::new(&"n".repeat(63), &format!("{}b", "a".repeat(62)));
        assert_eq!(long.comment().len(), LONGEST);
        assert_eq!(long.comment_adopting(Some("x")).len(), LONGEST);
        assert_eq!(long.holder(Some(&long.comment())), Holder::Made);
        assert!(matches!(long.holder(Some(&other.comment())), Holder::Another(_)));
    }
}
