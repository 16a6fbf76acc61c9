//! The cases. Each has hosts of its own.

use std::pin::Pin;
use std::sync::Arc;

use ffe_dns::{Adopt, Change, Ensured, Owner, Wish, Zone};
use ffe_rfc2136::{Algorithm, Error, Rfc2136, Settings};
use tokio_util::sync::CancellationToken;

use crate::bind::{Bind, CLOSED, SECRET, free_port, settings};
use crate::proxy::{Event, between};

type Case = for<'a> fn(&'a Arc<Bind>) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        pub(crate) const ALL: &[(&str, Case)] = &[$((stringify!($name), |bind| Box::pin($name(bind)))),*];
    };
}

cases!(
    a_record_is_made_changed_in_every_way_and_taken_away_without_a_trace,
    what_somebody_else_has_is_refused_taken_over_when_told_and_stays,
    what_another_endpoint_has_is_taken_by_its_name_alone,
    what_was_edited_is_put_right_and_what_was_put_beside_it_is_refused,
    an_owner_that_is_called_otherwise_keeps_its_record,
    a_wildcard_has_a_record_and_hides_none_below_it,
    the_longest_zone_is_taken_and_one_that_is_not_there_is_told,
    a_key_that_is_not_right_is_told_and_is_in_no_text,
    a_server_that_refuses_says_what_to_allow,
    a_server_that_is_away_is_told,
    an_answer_of_any_length_comes_whole,
    of_two_that_write_at_once_the_later_one_looks_again,
    an_answer_that_was_lost_does_nothing_twice,
    what_cannot_stand_beside_other_records_is_told_and_leaves_nothing,
);

fn owner() -> Owner {
    Owner::new("ffe", "api").in_cluster("1a2b3c4d")
}

fn wish(host: &str, target: &str) -> Wish {
    Wish::new(host, target, false, Some(60)).unwrap()
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

async fn zone(client: &Rfc2136, host: &str) -> Zone {
    client.zone_of(host, None, &never()).await.unwrap()
}

async fn ensure(client: &Rfc2136, host: &str, target: &str, adopt: &Adopt) -> Result<Ensured, Error> {
    let zone = zone(client, host).await;
    client.ensure(&zone, &wish(host, target), &owner(), adopt, &never()).await
}

async fn a_record_is_made_changed_in_every_way_and_taken_away_without_a_trace(bind: &Arc<Bind>) {
    let (client, host) = (bind.client(), "life.example.com");
    let mut first = true;
    for (target, line) in [
        ("192.0.2.1", "A 192.0.2.1"),
        ("192.0.2.2", "A 192.0.2.2"),
        ("2001:db8::1", "AAAA 2001:db8::1"),
        ("lb.example.net", "CNAME lb.example.net."),
        ("192.0.2.1", "A 192.0.2.1"),
    ] {
        let ensured = ensure(&client, host, target, &Adopt::default()).await.unwrap();
        assert_eq!(ensured.change, if first { Change::Created } else { Change::Updated }, "{target}");
        let mark = format!(
            "_ffe-owner.{host} TXT \"managed by terraform-provider-ffe: ffe/api@1a2b3c4d\" \"{}\"",
            line.trim_end_matches('.')
        );
        let mut expected = vec![mark, format!("{host} {line}")];
        let mut lines = bind.lines("example.com", host);
        lines.sort();
        expected.sort();
        assert_eq!(lines, expected);
        let again = ensure(&client, host, target, &Adopt::default()).await.unwrap();
        assert_eq!((again.change, again.record), (Change::Nothing, ensured.record));
        first = false;
    }
    let zone = zone(&client, host).await;
    let longer = Wish::new(host, "192.0.2.1", false, Some(3600)).unwrap();
    let ensured = client.ensure(&zone, &longer, &owner(), &Adopt::default(), &never()).await.unwrap();
    assert_eq!((ensured.change, ensured.record.ttl), (Change::Updated, 3600));
    let released = client.release(&zone, host, &owner(), &never()).await.unwrap();
    assert_eq!((released.deleted.len(), released.let_go.len(), released.left.len()), (1, 0, 0));
    assert_eq!(bind.lines("example.com", host), Vec::<String>::new());
    let released = client.release(&zone, host, &owner(), &never()).await.unwrap();
    assert_eq!(released, ffe_dns::Released::default(), "what is gone already is fine");
}

async fn what_somebody_else_has_is_refused_taken_over_when_told_and_stays(bind: &Arc<Bind>) {
    let (client, host) = (bind.client(), "theirs.example.com");
    bind.update(&format!("update add {host} 300 A 198.51.100.1\nupdate add {host} 300 TXT \"v=spf1 -all\""));
    let before = bind.lines("example.com", host);
    let refused = ensure(&client, host, "192.0.2.1", &Adopt::default()).await.unwrap_err();
    assert!(refused.to_string().contains("has a record already that is not ours"), "{refused}");
    assert!(refused.remedy().unwrap().contains("dns.adopt = true"), "{refused:?}");
    assert_eq!(bind.lines("example.com", host), before);

    let adopt = Adopt { foreign: true, from: None };
    let ensured = ensure(&client, host, "192.0.2.1", &adopt).await.unwrap();
    assert_eq!(ensured.change, Change::Adopted);
    let zone = zone(&client, host).await;
    let released = client.release(&zone, host, &owner(), &never()).await.unwrap();
    assert_eq!((released.deleted.len(), released.let_go.len()), (0, 1));
    let mut left = bind.lines("example.com", host);
    left.sort();
    assert_eq!(left, [format!("{host} A 192.0.2.1"), format!("{host} TXT \"v=spf1 -all\"")]);

    // Several are never taken over.
    bind.update(&format!("update add {host} 300 A 198.51.100.2"));
    let refused = ensure(&client, host, "192.0.2.9", &adopt).await.unwrap_err();
    assert!(refused.remedy().unwrap().contains("never several"), "{refused:?}");
}

async fn what_another_endpoint_has_is_taken_by_its_name_alone(bind: &Arc<Bind>) {
    let (client, host) = (bind.client(), "another.example.com");
    let zone = zone(&client, host).await;
    let other = Owner::new("ffe", "api").in_cluster("ffffffff");
    client.ensure(&zone, &wish(host, "192.0.2.1"), &other, &Adopt::default(), &never()).await.unwrap();
    let refused = ensure(&client, host, "192.0.2.2", &Adopt { foreign: true, from: None }).await.unwrap_err();
    assert!(refused.remedy().unwrap().contains("dns.adopt_from = \"ffe/api@ffffffff\""), "{refused:?}");
    assert_eq!(client.release(&zone, host, &owner(), &never()).await.unwrap().left.len(), 1);
    let from = Adopt { foreign: false, from: Some("ffe/api@ffffffff".to_owned()) };
    assert_eq!(ensure(&client, host, "192.0.2.2", &from).await.unwrap().change, Change::Adopted);
    assert_eq!(ensure(&client, host, "192.0.2.2", &Adopt::default()).await.unwrap().change, Change::Nothing);
}

async fn what_was_edited_is_put_right_and_what_was_put_beside_it_is_refused(bind: &Arc<Bind>) {
    let (client, host) = (bind.client(), "edited.example.com");
    ensure(&client, host, "192.0.2.1", &Adopt::default()).await.unwrap();
    bind.update(&format!("update delete {host} A\nupdate add {host} 300 A 198.51.100.1"));
    assert_eq!(ensure(&client, host, "192.0.2.1", &Adopt::default()).await.unwrap().change, Change::Updated);
    bind.update(&format!("update add {host} 60 A 198.51.100.1"));
    let refused = ensure(&client, host, "192.0.2.1", &Adopt::default()).await.unwrap_err();
    assert!(refused.to_string().contains("198.51.100.1") && !refused.to_string().contains("192.0.2.1"), "{refused}");
    // Theirs is left where it is.
    let zone = zone(&client, host).await;
    let released = client.release(&zone, host, &owner(), &never()).await.unwrap();
    assert_eq!((released.deleted.len(), released.left.len()), (1, 1));
    assert_eq!(bind.lines("example.com", host), [format!("{host} A 198.51.100.1")]);

    // Deleted by somebody: made anew.
    let host = "deleted.example.com";
    ensure(&client, host, "192.0.2.1", &Adopt::default()).await.unwrap();
    bind.update(&format!("update delete {host} A"));
    assert_eq!(ensure(&client, host, "192.0.2.1", &Adopt::default()).await.unwrap().change, Change::Created);
}

async fn an_owner_that_is_called_otherwise_keeps_its_record(bind: &Arc<Bind>) {
    let (client, host) = (bind.client(), "renamed.example.com");
    ensure(&client, host, "192.0.2.1", &Adopt::default()).await.unwrap();
    let now = Owner::new("ffe", "web").in_cluster("1a2b3c4d");
    let zone = zone(&client, host).await;
    let both = now.clone().also_called(&owner());
    assert_eq!(client.rename(&zone, host, &both, &never()).await.unwrap().len(), 1);
    assert_eq!(client.rename(&zone, host, &both, &never()).await.unwrap().len(), 0);
    let ensured = client.ensure(&zone, &wish(host, "192.0.2.1"), &now, &Adopt::default(), &never()).await.unwrap();
    assert_eq!(ensured.change, Change::Nothing);
}

async fn a_wildcard_has_a_record_and_hides_none_below_it(bind: &Arc<Bind>) {
    let (client, host) = (bind.client(), "below.wild.example.com");
    bind.update("update add *.wild.example.com 300 A 198.51.100.1");
    // Asked for by name, the wildcard answers in its place: it is nobody's record of this host.
    assert_eq!(ensure(&client, host, "192.0.2.1", &Adopt::default()).await.unwrap().change, Change::Created);
    assert_eq!(ensure(&client, host, "192.0.2.1", &Adopt::default()).await.unwrap().change, Change::Nothing);
    let zone = zone(&client, host).await;
    client.release(&zone, host, &owner(), &never()).await.unwrap();
    assert_eq!(bind.lines("example.com", "wild"), ["*.wild.example.com A 198.51.100.1"]);

    let wildcard = "*.own.example.com";
    assert_eq!(ensure(&client, wildcard, "192.0.2.1", &Adopt::default()).await.unwrap().change, Change::Created);
    assert_eq!(ensure(&client, wildcard, "192.0.2.1", &Adopt::default()).await.unwrap().change, Change::Nothing);
    let (zone, beside) = (self::zone(&client, wildcard).await, "beside.own.example.com");
    assert_eq!(client.records(&zone, beside, &never()).await.unwrap(), []);
    client.release(&zone, wildcard, &owner(), &never()).await.unwrap();
    assert_eq!(bind.lines("example.com", "own.example.com"), Vec::<String>::new());
}

async fn the_longest_zone_is_taken_and_one_that_is_not_there_is_told(bind: &Arc<Bind>) {
    let client = bind.client();
    for (host, expected) in [
        ("a.b.example.com", "example.com"),
        ("a.sub.example.com", "sub.example.com"),
        ("sub.example.com", "sub.example.com"),
        ("*.sub.example.com", "sub.example.com"),
    ] {
        assert_eq!(zone(&client, host).await.name, expected, "{host}");
    }
    let given = client.zone_of("a.sub.example.com", Some("example.com"), &never()).await.unwrap();
    assert_eq!(given.name, "example.com");
    for (host, zone) in [("a.elsewhere.net", None), ("a.none.example.com", Some("none.example.com"))] {
        let error = client.zone_of(host, zone, &never()).await.unwrap_err();
        assert!(matches!(&error, Error::NoZone { .. }), "{error}");
        assert!(error.remedy().unwrap().contains("primary server"), "{error}");
    }
    // Below a delegation nobody sees what the parent says.
    let error = client
        .ensure(&given, &wish("x.sub.example.com", "192.0.2.1"), &owner(), &Adopt::default(), &never())
        .await
        .unwrap_err();
    assert!(matches!(&error, Error::NotServed { .. } | Error::Overtaken { .. }), "{error}");
}

async fn a_key_that_is_not_right_is_told_and_is_in_no_text(bind: &Arc<Bind>) {
    let good = settings(bind.port());
    let large = Settings { key_name: "large".to_owned(), algorithm: Algorithm::Sha512, ..good.clone() };
    let client = Rfc2136::new(&large).unwrap();
    assert_eq!(
        ensure(&client, "large.example.com", "192.0.2.1", &Adopt::default()).await.unwrap().change,
        Change::Created
    );
    let other = "b3RoZXI=".to_owned();
    for (settings, why) in [
        (Settings { key_name: "nobody".to_owned(), ..good.clone() }, "BADKEY"),
        (Settings { secret: other, ..good.clone() }, "BADSIG"),
        (Settings { algorithm: Algorithm::Sha512, ..good.clone() }, "BADKEY"),
    ] {
        let client = Rfc2136::new(&settings).unwrap();
        let error = client.zone_of("key.example.com", None, &never()).await.unwrap_err();
        assert!(matches!(&error, Error::Key { .. }) && error.to_string().contains(why), "{error}");
        assert!(error.remedy().unwrap().contains("rfc2136.key_name"), "{error}");
        assert!(!format!("{error:?} {client:?} {settings:?}").contains(SECRET));
    }
    for (settings, attribute) in [
        (Settings { secret: "not base64!".to_owned(), ..good.clone() }, "key_secret"),
        (Settings { key_name: " ".to_owned(), ..good.clone() }, "key_name"),
        (Settings { server: "https://ns.example.com".to_owned(), ..good }, "server"),
    ] {
        let error = Rfc2136::new(&settings).unwrap_err().to_string();
        assert!(error.starts_with(&format!("rfc2136.{attribute}: ")) && !error.contains("not base64!"), "{error}");
    }
}

async fn a_server_that_refuses_says_what_to_allow(bind: &Arc<Bind>) {
    let host = format!("a.{CLOSED}");
    let refused = ensure(&bind.client(), &host, "192.0.2.1", &Adopt::default()).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused { .. }), "{refused}");
    assert!(refused.remedy().unwrap().contains("update-policy"), "{refused:?}");
    assert_eq!(bind.lines(CLOSED, &host), Vec::<String>::new());
}

async fn a_server_that_is_away_is_told(bind: &Arc<Bind>) {
    let _ = bind;
    let client = Rfc2136::new(&settings(free_port())).unwrap();
    let error = client.zone_of("a.example.com", None, &never()).await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable { .. }), "{error}");
    let stopped = never();
    stopped.cancel();
    let error = client.zone_of("a.example.com", None, &stopped).await.unwrap_err();
    assert!(matches!(&error, Error::Cancelled { .. }), "{error}");
}

async fn an_answer_of_any_length_comes_whole(bind: &Arc<Bind>) {
    let (client, host) = (bind.client(), "many.example.com");
    let added: Vec<String> = (0..90).map(|n| format!("update add {host} 300 A 198.51.100.{n}")).collect();
    bind.update(&added.join("\n"));
    let zone = zone(&client, host).await;
    assert_eq!(client.records(&zone, host, &never()).await.unwrap().len(), 90);
    let refused = ensure(&client, host, "192.0.2.1", &Adopt::default()).await.unwrap_err();
    assert!(refused.to_string().contains("198.51.100.89"), "{refused}");
}

/// Somebody else's update, once the client has looked.
fn faster(bind: &Arc<Bind>, script: String) -> Event {
    let bind = Arc::clone(bind);
    Event::Before(Box::new(move || bind.update(&script)))
}

async fn of_two_that_write_at_once_the_later_one_looks_again(bind: &Arc<Bind>) {
    let host = "raced.example.com";
    let (port, updates) =
        between(bind.port(), vec![faster(bind, format!("update add {host} 300 A 198.51.100.1"))]).await;
    let client = Rfc2136::new(&settings(port)).unwrap();
    let refused = ensure(&client, host, "192.0.2.1", &Adopt::default()).await.unwrap_err();
    assert!(refused.to_string().contains("not ours"), "{refused}");
    assert_eq!(
        (bind.lines("example.com", host), *updates.lock().unwrap()),
        (vec![format!("{host} A 198.51.100.1")], 1)
    );

    // An update that meets another one does not lose it; a release neither.
    let host = "raced2.example.com";
    ensure(&bind.client(), host, "192.0.2.1", &Adopt::default()).await.unwrap();
    let edit = format!("update delete {host} A\nupdate add {host} 300 A 198.51.100.2");
    let beside = format!("update add {host} 300 A 198.51.100.3");
    let (port, updates) = between(bind.port(), vec![faster(bind, edit)]).await;
    let client = Rfc2136::new(&settings(port)).unwrap();
    assert_eq!(ensure(&client, host, "192.0.2.9", &Adopt::default()).await.unwrap().record.content, "192.0.2.9");
    assert_eq!(*updates.lock().unwrap(), 2);
    let (port, _) = between(bind.port(), vec![faster(bind, beside)]).await;
    let client = Rfc2136::new(&settings(port)).unwrap();
    let zone = zone(&client, host).await;
    let released = client.release(&zone, host, &owner(), &never()).await.unwrap();
    assert_eq!((released.deleted.len(), released.left.len()), (1, 1));
    assert_eq!(bind.lines("example.com", host), [format!("{host} A 198.51.100.3")]);
}

async fn an_answer_that_was_lost_does_nothing_twice(bind: &Arc<Bind>) {
    let host = "lost.example.com";
    let (port, updates) = between(bind.port(), vec![Event::Lost]).await;
    let client = Rfc2136::new(&settings(port)).unwrap();
    let ensured = ensure(&client, host, "192.0.2.1", &Adopt::default()).await.unwrap();
    assert_eq!((ensured.record.content.as_str(), *updates.lock().unwrap()), ("192.0.2.1", 1));
    let (port, updates) = between(bind.port(), vec![Event::Lost]).await;
    let client = Rfc2136::new(&settings(port)).unwrap();
    let zone = zone(&client, host).await;
    client.release(&zone, host, &owner(), &never()).await.unwrap();
    assert_eq!((bind.lines("example.com", host), *updates.lock().unwrap()), (Vec::new(), 1));
}

async fn what_cannot_stand_beside_other_records_is_told_and_leaves_nothing(bind: &Arc<Bind>) {
    let (client, host) = (bind.client(), "mail.example.com");
    bind.update(&format!("update add {host} 300 MX 10 mx.example.net."));
    let error = ensure(&client, host, "lb.example.net", &Adopt::default()).await.unwrap_err();
    assert!(matches!(&error, Error::NotServed { .. }), "{error}");
    assert!(error.remedy().unwrap().contains("cannot stand beside other records"), "{error:?}");
    let zone = zone(&client, host).await;
    client.release(&zone, host, &owner(), &never()).await.unwrap();
    assert_eq!(bind.lines("example.com", host), [format!("{host} MX 10 mx.example.net.")]);
}
