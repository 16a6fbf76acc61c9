#![allow(clippy::unwrap_used)]

use super::*;

fn owner() -> Owner {
    Owner::new("ffe", "api")
}

fn record(id: &str, kind: &str, content: &str, comment: Option<&str>) -> Record {
    Record {
        id: id.to_owned(),
        name: "ffe.example.com".to_owned(),
        kind: kind.to_owned().into(),
        content: content.to_owned(),
        proxied: false,
        ttl: 1,
        comment: comment.map(str::to_owned),
    }
}

fn wish() -> Wish {
    Wish::new("ffe.example.com", "203.0.113.7", false, None).unwrap()
}

fn decided(existing: &[Record], adopt: bool) -> Decision {
    decide(existing, &wish(), &owner(), &Adopt { foreign: adopt, from: None })
}

#[test]
fn without_a_record_one_is_made_whatever_else_the_name_has() {
    let comment = owner().comment();
    assert_eq!(decided(&[], false), Decision::Create { comment: comment.clone() });
    let others = [record("1", "TXT", "v=spf1 -all", None), record("2", "CAA", "0 issue x", None)];
    assert_eq!(decided(&others, false), Decision::Create { comment });
}

#[test]
fn ours_is_left_updated_or_replaced() {
    let mark = owner().comment();
    let met = record("1", "A", "203.0.113.7", Some(&mark));
    assert_eq!(decided(std::slice::from_ref(&met), false), Decision::Nothing(met));
    let noted = format!("{mark} (see the runbook)");
    let moved = record("1", "A", "203.0.113.9", Some(&noted));
    assert_eq!(
        decided(std::slice::from_ref(&moved), false),
        Decision::Update { record: moved, comment: noted, adopts: false }
    );
    let alias = record("1", "CNAME", "lb.example.net", Some(&mark));
    assert_eq!(
        decided(std::slice::from_ref(&alias), false),
        Decision::Replace { records: vec![alias], comment: mark, adopts: false }
    );
}

#[test]
fn somebody_elses_is_refused_even_where_it_says_the_same() {
    for comment in [None, Some("web")] {
        let theirs = record("1", "A", "203.0.113.7", comment);
        assert_eq!(
            decided(std::slice::from_ref(&theirs), false),
            Decision::Refused { records: vec![theirs], adoptable: true, another: None }
        );
    }
}

#[test]
fn one_of_somebody_else_beside_ours_is_refused_with_and_without_adopt() {
    let ours = record("1", "A", "203.0.113.7", Some(&owner().comment()));
    let theirs = record("2", "AAAA", "2001:db8::1", None);
    for adopt in [false, true] {
        assert_eq!(
            decided(&[ours.clone(), theirs.clone()], adopt),
            Decision::Refused { records: vec![theirs.clone()], adoptable: false, another: None }
        );
    }
}

#[test]
fn adopt_takes_one_record_and_never_several() {
    let theirs = record("1", "A", "203.0.113.7", Some("web"));
    let comment = owner().comment_adopting(Some("web"));
    let adopted = Decision::Update { record: theirs.clone(), comment: comment.clone(), adopts: true };
    assert_eq!(decided(std::slice::from_ref(&theirs), true), adopted);
    let alias = record("1", "CNAME", "lb.example.net", Some("web"));
    assert_eq!(
        decided(std::slice::from_ref(&alias), true),
        Decision::Replace { records: vec![alias], comment: comment.clone(), adopts: true }
    );
    let both = [theirs.clone(), record("2", "A", "203.0.113.8", None)];
    assert_eq!(decided(&both, true), Decision::Refused { records: both.to_vec(), adoptable: false, another: None });
    // What was adopted is ours from then on.
    let after = Record { comment: Some(comment), ..theirs };
    assert_eq!(decided(std::slice::from_ref(&after), false), Decision::Nothing(after));
}

#[test]
fn one_of_another_owner_is_taken_by_its_name_alone() {
    let theirs = record("1", "A", "203.0.113.9", Some("managed by terraform-provider-ffe: ffe/other@1a2b3c4d"));
    let take = |foreign: bool, from: Option<&str>| {
        let adopt = Adopt { foreign, from: from.map(str::to_owned) };
        decide(std::slice::from_ref(&theirs), &wish(), &owner(), &adopt)
    };
    let name = "ffe/other@1a2b3c4d";
    for (foreign, from) in [(false, None), (true, None), (true, Some("ffe/other"))] {
        let another = Some(name.to_owned());
        let refused = Decision::Refused { records: vec![theirs.clone()], adoptable: false, another };
        assert_eq!(take(foreign, from), refused);
    }
    assert!(matches!(take(false, Some(name)), Decision::Update { adopts: true, .. }));
    // That name is no word about anybody else.
    let by_hand = record("1", "A", "203.0.113.9", None);
    let adopt = Adopt { foreign: false, from: Some(name.to_owned()) };
    assert!(matches!(decide(&[by_hand], &wish(), &owner(), &adopt), Decision::Refused { adoptable: true, .. }));
}

#[test]
fn of_several_of_ours_one_stays() {
    let mark = owner().comment();
    let right = record("2", "A", "203.0.113.7", Some(&mark));
    let wrong = record("1", "A", "203.0.113.9", Some(&mark));
    assert_eq!(
        decided(&[wrong.clone(), right.clone()], false),
        Decision::Tidy { keep: right, records: vec![wrong.clone()] }
    );
    let other = record("3", "A", "203.0.113.10", Some(&mark));
    assert_eq!(
        decided(&[wrong.clone(), other.clone()], false),
        Decision::Replace { records: vec![wrong, other], comment: mark, adopts: false }
    );
}
