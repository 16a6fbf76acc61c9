#![allow(clippy::unwrap_used)]

use super::*;
use crate::standin::StandIn;

async fn zone(standin: &StandIn, host: &str, zone: Option<&str>) -> Result<Zone, Error> {
    let cloudflare = Cloudflare::new(standin.token(), Some(&standin.base_url())).unwrap();
    cloudflare.zone_of(host, zone, &CancellationToken::new()).await
}

#[tokio::test]
async fn a_zone_is_found_by_its_name_or_as_the_longest_that_holds_the_host() {
    let standin = StandIn::start().unwrap();
    let outer = standin.seed_zone("example.com");
    let inner = standin.seed_zone("eu.example.com");
    for (host, name, id) in [
        ("ffe.example.com", Some("example.com"), &outer),
        ("ffe.example.com", Some("Example.com."), &outer),
        ("a.b.example.com", None, &outer),
        ("a.eu.example.com", None, &inner),
        ("a.eu.example.com", Some("example.com"), &outer),
        ("eu.example.com", None, &inner),
        ("*.example.com", None, &outer),
        ("EXAMPLE.com", None, &outer),
    ] {
        let found = zone(&standin, host, name).await.unwrap();
        assert_eq!(&found.id, id, "{host} {name:?}");
        assert!(found.is_active());
    }
}

#[tokio::test]
async fn of_several_of_one_name_the_active_one_is_meant() {
    let standin = StandIn::start().unwrap();
    standin.seed_zone_with_status("example.com", "moved");
    let active = standin.seed_zone("example.com");
    standin.page_size(1);
    assert_eq!(zone(&standin, "example.com", None).await.unwrap().id, active);
    standin.remove_zone(&active);
    let found = zone(&standin, "example.com", None).await.unwrap();
    assert_eq!((found.is_active(), found.status.as_str()), (false, "moved"));
}

#[tokio::test]
async fn an_active_parent_comes_before_a_child_that_nobody_asks() {
    let standin = StandIn::start().unwrap();
    standin.seed_zone_with_status("eu.example.com", "pending");
    let parent = standin.seed_zone("example.com");
    assert_eq!(zone(&standin, "a.eu.example.com", None).await.unwrap().id, parent);
    let told = zone(&standin, "a.eu.example.com", Some("eu.example.com")).await.unwrap();
    assert!(!told.is_active());
    standin.remove_zone(&parent);
    assert_eq!(zone(&standin, "a.eu.example.com", None).await.unwrap().name, "eu.example.com");
}

#[tokio::test]
async fn zones_are_asked_for_once_in_a_run() {
    let standin = StandIn::start().unwrap();
    let (one, other) = (standin.seed_zone("example.com"), standin.seed_zone("example.net"));
    let cloudflare = Cloudflare::new(standin.token(), Some(&standin.base_url())).unwrap();
    let cancel = CancellationToken::new();
    let hosts: Vec<String> = (0..20).map(|index| format!("a.b{index}.example.com")).collect();
    let mut looks = tokio::task::JoinSet::new();
    for host in hosts {
        let (cloudflare, cancel) = (cloudflare.clone(), cancel.clone());
        looks.spawn(async move { cloudflare.zone_of(&host, None, &cancel).await });
    }
    for found in looks.join_all().await {
        assert_eq!(found.unwrap().id, one);
    }
    assert_eq!(cloudflare.zone_of("x.example.net", None, &cancel).await.unwrap().id, other);
    assert_eq!(standin.count("GET"), 1);

    // One that another resource of the same run has made since.
    let made = standin.seed_zone("example.org");
    assert_eq!(cloudflare.zone_of("x.example.org", None, &cancel).await.unwrap().id, made);
    assert_eq!(standin.count("GET"), 2);
    assert!(cloudflare.zone_of("x.example.edu", None, &cancel).await.is_err());
    assert_eq!(standin.count("GET"), 3);
}

#[tokio::test]
async fn who_has_very_many_zones_is_asked_by_name_and_each_once() {
    let standin = StandIn::start().unwrap();
    for index in 0..9 {
        standin.seed_zone(&format!("zone{index}.example"));
    }
    let wanted = standin.seed_zone("example.com");
    standin.page_size(2);
    let cloudflare = Cloudflare::new(standin.token(), Some(&standin.base_url())).unwrap();
    let cancel = CancellationToken::new();
    for host in ["a.example.com", "b.example.com", "example.com"] {
        assert_eq!(cloudflare.zone_of(host, None, &cancel).await.unwrap().id, wanted, "{host}");
    }
    // The first page, and each name that may be a zone; what is none may become one.
    assert_eq!(standin.count("GET"), 4);

    // Two pages are no trouble.
    let few = StandIn::start().unwrap();
    let ids: Vec<String> = (0..3).map(|index| few.seed_zone(&format!("zone{index}.example"))).collect();
    few.page_size(2);
    assert_eq!(zone(&few, "a.zone2.example", None).await.unwrap().id, ids[2]);
}

#[tokio::test]
async fn a_list_of_zones_that_fails_is_asked_for_again() {
    let standin = StandIn::start().unwrap();
    let id = standin.seed_zone("example.com");
    let cloudflare = Cloudflare::new(standin.token(), Some(&standin.base_url())).unwrap();
    let cancel = CancellationToken::new();
    let refuse = crate::standin::Fault::Refuse { status: 403, code: 9109, message: "Unauthorized".to_owned() };
    standin.fail(1, refuse);
    assert!(cloudflare.zone_of("a.example.com", None, &cancel).await.is_err());
    assert_eq!(cloudflare.zone_of("a.example.com", None, &cancel).await.unwrap().id, id);
}

#[tokio::test]
async fn a_zone_that_is_not_there_is_told_with_what_to_check() {
    let standin = StandIn::start().unwrap();
    standin.seed_zone("example.net");
    let error = zone(&standin, "ffe.example.com", None).await.unwrap_err();
    assert_eq!(error.to_string(), "no zone that the Cloudflare token sees holds the host \"ffe.example.com\"");
    assert!(error.remedy().unwrap().contains("Zone / Zone / Read"));
    let error = zone(&standin, "ffe.example.com", Some("example.com")).await.unwrap_err();
    assert_eq!(error.to_string(), "the Cloudflare token sees no zone \"example.com\"");
    let asked = standin.count("GET");
    let error = zone(&standin, "ffe.example.com", Some("example.net")).await.unwrap_err();
    assert_eq!(error.to_string(), "zone: the host ffe.example.com is not within the zone example.net");
    assert!(zone(&standin, "localhost", None).await.unwrap_err().to_string().starts_with("hosts: "));
    assert!(zone(&standin, "a.example.com", Some("")).await.unwrap_err().to_string().starts_with("zone: "));
    assert_eq!(standin.count("GET"), asked, "what cannot be is not asked");
}
