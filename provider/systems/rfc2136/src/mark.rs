//! The TXT record beside a host's records that says whose they are.
//!
//! It stands below the host, because a CNAME record suffers nothing beside it: `_ffe-owner.api.example.com` for
//! `api.example.com`. That of a wildcard stands beside it, because a name below an asterisk would be a name of its own:
//! `_ffe-wildcard.example.com` for `*.example.com`. Its first string is what a record's comment is elsewhere; the second
//! says which record is meant, so that another one that somebody puts beside it is not taken for ours.

use ffe_dns::Record;

const BELOW: &str = "_ffe-owner";
const WILDCARD: &str = "_ffe-wildcard";

/// Where the mark of a host is.
pub(crate) fn name(host: &str) -> String {
    match host.strip_prefix("*.") {
        Some(parent) => format!("{WILDCARD}.{parent}"),
        None => format!("{BELOW}.{host}"),
    }
}

/// A mark, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Whose.
    pub(crate) comment: String,
    /// Which record.
    pub(crate) record: String,
}

impl Mark {
    /// From the strings of a TXT record; none where it is no mark.
    pub(crate) fn read(strings: &[Box<[u8]>]) -> Option<Mark> {
        let [comment, record] = strings else { return None };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        Some(Mark { comment: text(comment)?, record: text(record)? })
    }

    /// As strings of a TXT record.
    pub(crate) fn strings(&self) -> Vec<String> {
        vec![self.comment.clone(), self.record.clone()]
    }
}

/// How a mark names a record.
pub(crate) fn of(kind: &str, content: &str) -> String {
    format!("{kind} {content}")
}

/// Gives the records their comments: the one that is meant, or where there is but one record that one, which somebody has
/// edited then.
pub(crate) fn attribute(records: &mut [Record], mark: Option<&Mark>) {
    let Some(mark) = mark else { return };
    let is_alone = records.len() == 1;
    for record in records {
        if is_alone || of(record.kind.name(), &record.content) == mark.record {
            record.comment = Some(mark.comment.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content: &str) -> Record {
        Record {
            id: content.to_owned(),
            name: "a.example.com".to_owned(),
            kind: "A".to_owned().into(),
            content: content.to_owned(),
            proxied: false,
            ttl: 300,
            comment: None,
        }
    }

    #[test]
    fn no_two_hosts_have_one_mark_and_none_is_below_an_asterisk() {
        let names = ["*.example.com", "example.com", "wildcard.example.com", "a.example.com"].map(name);
        let expected = [
            "_ffe-wildcard.example.com",
            "_ffe-owner.example.com",
            "_ffe-owner.wildcard.example.com",
            "_ffe-owner.a.example.com",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn the_record_that_is_meant_is_ours_and_one_beside_it_is_not() {
        let mark = Mark { comment: "ours".to_owned(), record: of("A", "192.0.2.1") };
        let comments = |contents: &[&str], mark: Option<&Mark>| {
            let mut records: Vec<Record> = contents.iter().map(|content| record(content)).collect();
            attribute(&mut records, mark);
            records.into_iter().map(|record| record.comment.is_some()).collect::<Vec<_>>()
        };
        assert_eq!(comments(&["192.0.2.1"], Some(&mark)), [true]);
        assert_eq!(comments(&["192.0.2.9"], Some(&mark)), [true], "somebody has edited it");
        assert_eq!(comments(&["192.0.2.9", "192.0.2.1"], Some(&mark)), [false, true]);
        assert_eq!(comments(&["192.0.2.8", "192.0.2.9"], Some(&mark)), [false, false]);
        assert_eq!(comments(&["192.0.2.1"], None), [false]);
    }

    #[test]
    fn only_two_strings_are_a_mark() {
        let mark = Mark { comment: "managed by x".to_owned(), record: "A 192.0.2.1".to_owned() };
        let boxed = |strings: Vec<String>| -> Vec<Box<[u8]>> {
            strings.into_iter().map(|text| text.into_bytes().into_boxed_slice()).collect()
        };
        assert_eq!(Mark::read(&boxed(mark.strings())), Some(mark));
        assert_eq!(Mark::read(&boxed(vec!["v=spf1 -all".to_owned()])), None);
    }
}
