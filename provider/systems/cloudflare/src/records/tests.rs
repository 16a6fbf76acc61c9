#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::RetryOptions;
use crate::record::RecordKind;
use crate::standin::{Fault, StandIn};

const HOST: &str = "ffe.example.com";

struct Site {
    standin: StandIn,
    client: Cloudflare,
    zone: Zone,
    owner: Owner,
    cancel: CancellationToken,
}

impl Site {
    fn new() -> Site {
        let standin = StandIn::start().unwrap();
        let id = standin.seed_zone("example.com");
        let options = RetryOptions {
            retries: 3,
            first_delay: Duration::from_millis(1),
            longest_delay: Duration::from_millis(4),
            ..RetryOptions::default()
        };
        let client = Cloudflare::new(standin.token(), Some(&standin.base_url())).unwrap().with_retries(options);
        let zone = Zone { id, name: "example.com".to_owned(), status: "active".to_owned() };
        Site { standin, client, zone, owner: Owner::new("ffe", "api"), cancel: CancellationToken::new() }
    }

    async fn ensure(&self, target: &str, adopt: bool) -> Result<Ensured, Error> {
        let wish = Wish::new(HOST, target, false, None).unwrap();
        let adopt = Adopt { foreign: adopt, from: None };
        self.client.ensure(&self.zone, &wish, &self.owner, &adopt, &self.cancel).await
    }

    async fn release(&self) -> Released {
        self.client.release(&self.zone, HOST, &self.owner, &self.cancel).await.unwrap()
    }

    fn seed(&self, kind: &str, content: &str, comment: Option<&str>) -> String {
        self.standin.seed_record(&self.zone.id, HOST, kind, content, comment).unwrap()
    }

    fn records(&self) -> Vec<Record> {
        self.standin.records(&self.zone.id)
    }

    /// Type, content and comment of the one record.
    fn one(&self) -> (String, String, String) {
        let records = self.records();
        assert_eq!(records.len(), 1, "{records:?}");
        let record = records[0].clone();
        (record.kind.to_string(), record.content, record.comment.unwrap_or_default())
    }

    fn writes(&self) -> usize {
        ["POST", "PATCH", "PUT", "DELETE"].into_iter().map(|method| self.standin.count(method)).sum()
    }
}

fn is(kind: &str, content: &str, comment: &str) -> (String, String, String) {
    (kind.to_owned(), content.to_owned(), comment.to_owned())
}

const MARK: &str = "managed by terraform-provider-ffe: ffe/api";

#[tokio::test]
async fn a_record_lives_from_creation_to_deletion() {
    let site = Site::new();
    let created = site.ensure("203.0.113.7", false).await.unwrap();
    assert_eq!((created.change, created.record.kind.clone()), (Change::Created, RecordKind::A));
    assert_eq!(site.one(), is("A", "203.0.113.7", MARK));
    let writes = site.writes();
    assert_eq!(
        site.ensure("203.0.113.7", false).await.unwrap(),
        Ensured { change: Change::Nothing, ..created.clone() }
    );
    assert_eq!(site.writes(), writes, "what is as wished is not written");
    let updated = site.ensure("203.0.113.8", false).await.unwrap();
    assert_eq!((updated.change, &updated.record.id), (Change::Updated, &created.record.id));
    assert_eq!(site.one(), is("A", "203.0.113.8", MARK));
    let released = site.release().await;
    assert_eq!((released.deleted.len(), site.records().len()), (1, 0));
    assert_eq!(site.release().await, Released::default());
}

#[tokio::test]
async fn a_type_is_changed_in_one_transaction() {
    let site = Site::new();
    let created = site.ensure("203.0.113.7", false).await.unwrap();
    let replaced = site.ensure("lb.example.net", false).await.unwrap();
    assert_eq!(replaced.change, Change::Updated);
    assert_ne!(replaced.record.id, created.record.id);
    assert_eq!(site.one(), is("CNAME", "lb.example.net", MARK));
    site.ensure("2001:db8::1", false).await.unwrap();
    assert_eq!(site.one(), is("AAAA", "2001:db8::1", MARK));
    // What cannot be made leaves what there was.
    site.standin.seed_record(&site.zone.id, "other.example.com", "A", "203.0.113.9", None);
    site.standin.fail_on(
        "POST",
        1,
        Fault::Refuse { status: 400, code: 1004, message: "DNS Validation Error".to_owned() },
    );
    assert!(site.ensure("lb.example.net", false).await.is_err());
    assert_eq!(site.records().len(), 2);
}

#[tokio::test]
async fn an_answer_that_got_lost_makes_no_second_record() {
    for fault in [
        Fault::DisconnectAfter,
        Fault::StatusAfter(502),
        Fault::Disconnect,
        Fault::Status(503),
        Fault::RateLimited(Duration::ZERO),
    ] {
        let site = Site::new();
        for (method, target, change) in [
            ("POST", "203.0.113.7", Change::Created),
            ("PATCH", "203.0.113.8", Change::Updated),
            ("POST", "lb.example.net", Change::Updated),
        ] {
            site.standin.fail_on(method, 1, fault.clone());
            let ensured = site.ensure(target, false).await.unwrap();
            assert_eq!((ensured.change, site.one().1.as_str()), (change, target), "{fault:?}");
        }
        site.standin.fail_on("DELETE", 1, fault);
        assert_eq!((site.release().await.deleted.len(), site.records().len()), (1, 0));
    }
}

#[tokio::test]
async fn a_duplicate_that_is_our_own_request_come_through_late_is_taken_for_ours() {
    for (code, message) in [(81_057, "The record already exists."), (81_058, "An identical record already exists.")] {
        let site = Site::new();
        site.standin.fail_on("POST", 1, Fault::RefuseAfter { status: 400, code, message: message.to_owned() });
        let ensured = site.ensure("203.0.113.7", false).await.unwrap();
        assert_eq!((ensured.change, site.one()), (Change::Created, is("A", "203.0.113.7", MARK)));
        assert_eq!(site.standin.count("POST"), 1);
    }
}

#[tokio::test]
async fn a_duplicate_that_stays_unexplained_is_told() {
    for (code, message) in [
        (81_053, "An A, AAAA, or CNAME record with that host already exists."),
        (81_057, "The record already exists."),
        (81_058, "An identical record already exists."),
    ] {
        let site = Site::new();
        site.standin.fail_on("POST", 9, Fault::Refuse { status: 400, code, message: message.to_owned() });
        let error = site.ensure("203.0.113.7", false).await.unwrap_err();
        assert_eq!((error.reason(), error.code()), (Some(Reason::Duplicate), Some(code)));
        assert_eq!(
            error.to_string(),
            format!(
                "Cloudflare refused to create the record of ffe.example.com: {} (code {code})",
                message.trim_end_matches('.')
            )
        );
        assert_eq!(site.standin.count("POST"), 4, "looked at again, and not for ever");
    }
}

#[tokio::test]
async fn a_record_of_somebody_else_is_never_touched_unasked() {
    let site = Site::new();
    let theirs = site.seed("A", "203.0.113.7", Some("web"));
    let error = site.ensure("203.0.113.7", false).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the host ffe.example.com has a record already that is not ours: ffe.example.com A 203.0.113.7 (id {theirs}), with the comment \"web\""
        )
    );
    assert!(error.remedy().unwrap().contains("dns.adopt = true to take the record over") && !error.is_transient());
    site.seed("A", "203.0.113.8", None);
    let error = site.ensure("203.0.113.7", true).await.unwrap_err();
    assert!(error.remedy().unwrap().contains("takes over one record, never several"), "{error}");
    let released = site.release().await;
    assert_eq!((released.left.len(), released.deleted.len(), site.records().len(), site.writes()), (2, 0, 2, 0));
}

#[tokio::test]
async fn another_endpoint_is_somebody_else() {
    let site = Site::new();
    site.ensure("203.0.113.7", false).await.unwrap();
    let wish = Wish::new(HOST, "203.0.113.8", false, None).unwrap();
    let other = Owner::new("ffe", "other");
    let error = site.client.ensure(&site.zone, &wish, &other, &Adopt::default(), &site.cancel).await.unwrap_err();
    assert!(error.to_string().contains(MARK), "{error}");
    assert_eq!(site.client.release(&site.zone, HOST, &other, &site.cancel).await.unwrap().left.len(), 1);
    assert_eq!(site.one(), is("A", "203.0.113.7", MARK));
}

#[tokio::test]
async fn what_was_adopted_is_changed_and_let_go_but_not_deleted() {
    let adopted_mark = "adopted by terraform-provider-ffe: ffe/api | web";
    let site = Site::new();
    let theirs = site.seed("A", "203.0.113.1", Some("web"));
    let adopted = site.ensure("203.0.113.7", true).await.unwrap();
    assert_eq!((adopted.change, &adopted.record.id), (Change::Adopted, &theirs));
    assert_eq!(site.one(), is("A", "203.0.113.7", adopted_mark));
    // Also without the word from then on, and through a change of type.
    assert_eq!(site.ensure("203.0.113.8", false).await.unwrap().change, Change::Updated);
    site.ensure("lb.example.net", false).await.unwrap();
    assert_eq!(site.one(), is("CNAME", "lb.example.net", adopted_mark));
    let released = site.release().await;
    assert_eq!((released.let_go.len(), released.deleted.len()), (1, 0));
    assert_eq!(site.one(), is("CNAME", "lb.example.net", "web"));
    assert!(site.ensure("203.0.113.7", false).await.is_err(), "it is somebody else's again");
}

#[tokio::test]
async fn a_record_is_found_among_many_pages() {
    let site = Site::new();
    for index in 0..25 {
        site.standin.seed_record(&site.zone.id, HOST, "TXT", &format!("v={index}"), None);
    }
    site.seed("A", "203.0.113.1", None);
    site.standin.page_size(10);
    let found = site.client.records(&site.zone, "FFE.example.com.", &site.cancel).await.unwrap();
    assert_eq!((found.len(), site.standin.count("GET")), (26, 3));
    assert!(site.standin.received()[2].path.contains("name.exact=ffe.example.com&page=3&per_page=100"));
    assert!(matches!(site.ensure("203.0.113.7", false).await, Err(Error::Dns(ffe_dns::Error::Refused { .. }))));
}

#[tokio::test]
async fn proxied_records_and_times_to_live_are_written_as_wished() {
    let site = Site::new();
    let ensure = async |proxied, ttl| {
        let wish = Wish::new(HOST, "203.0.113.7", proxied, ttl).unwrap();
        site.client.ensure(&site.zone, &wish, &site.owner, &Adopt::default(), &site.cancel).await.unwrap()
    };
    for (proxied, ttl, expected, change) in [
        (true, None, (true, 1), Change::Created),
        (true, Some(1), (true, 1), Change::Nothing),
        (false, Some(300), (false, 300), Change::Updated),
        (false, Some(300), (false, 300), Change::Nothing),
        (false, None, (false, 1), Change::Updated),
    ] {
        let ensured = ensure(proxied, ttl).await;
        assert_eq!(((ensured.record.proxied, ensured.record.ttl), ensured.change), (expected, change));
    }
}

#[tokio::test]
async fn what_is_gone_already_is_fine_and_what_vanishes_is_made_anew() {
    let site = Site::new();
    site.ensure("203.0.113.7", false).await.unwrap();
    let gone = Fault::Refuse { status: 404, code: 81_044, message: "Record does not exist.".to_owned() };
    site.standin.fail_on("PATCH", 1, gone.clone());
    assert_eq!(site.ensure("203.0.113.8", false).await.unwrap().change, Change::Updated);
    site.standin.fail_on("DELETE", 1, gone);
    assert_eq!(site.release().await.deleted.len(), 1);
}

#[tokio::test]
async fn permissions_zones_and_forms_are_refused_with_their_remedy() {
    let site = Site::new();
    site.standin.read_only(&site.zone.id);
    let error = site.ensure("203.0.113.7", false).await.unwrap_err();
    assert_eq!((error.reason(), error.code()), (Some(Reason::Authentication), Some(10_000)));
    assert_eq!(
        error.to_string(),
        "Cloudflare refused to create the record of ffe.example.com: Authentication error (code 10000)"
    );
    assert!(error.remedy().unwrap().contains("Zone / DNS / Edit"));
    assert_eq!(site.standin.count("POST"), 1);
    site.standin.remove_zone(&site.zone.id);
    let error = site.ensure("203.0.113.7", false).await.unwrap_err();
    // It was there when zones were asked for.
    assert!(matches!(&error, Error::NoZone { of_host: false, wanted } if *wanted == site.zone.name), "{error}");
    assert!(error.remedy().unwrap().contains("dns.zone"));
    let site = Site::new();
    let wish = Wish { ttl: 7, ..Wish::new(HOST, "203.0.113.7", false, None).unwrap() };
    let error = site.client.ensure(&site.zone, &wish, &site.owner, &Adopt::default(), &site.cancel).await.unwrap_err();
    assert_eq!((error.reason(), error.code()), (Some(Reason::Validation), Some(1004)));
    assert!(error.to_string().contains("Invalid TTL") && error.remedy().unwrap().contains("dns.ttl"), "{error}");
}

#[tokio::test]
async fn doubles_of_our_own_are_tidied_up() {
    let site = Site::new();
    site.seed("A", "203.0.113.6", Some(MARK));
    site.seed("A", "203.0.113.7", Some(MARK));
    let ensured = site.ensure("203.0.113.7", false).await.unwrap();
    assert_eq!((ensured.change, site.one()), (Change::Updated, is("A", "203.0.113.7", MARK)));
    site.seed("A", "203.0.113.6", Some(MARK));
    site.ensure("lb.example.net", false).await.unwrap();
    assert_eq!(site.one(), is("CNAME", "lb.example.net", MARK));
}
