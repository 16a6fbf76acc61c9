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
