#![allow(clippy::unwrap_used)]

use reqwest::{Client, Method};
use serde_json::json;

use super::*;

async fn ask(standin: &StandIn, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request =
        Client::builder().http1_only().build().unwrap().request(method, format!("{}{path}", standin.base_url()));
    let response = request.bearer_auth(TOKEN).json(&body).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

fn code(answer: &(u16, Value)) -> (u16, Option<u64>, Option<u64>) {
    let error = &answer.1["errors"][0];
    (answer.0, error["code"].as_u64(), error["error_chain"][0]["code"].as_u64())
}

#[tokio::test]
async fn it_checks_what_the_api_checks() {
    let standin = StandIn::start().unwrap();
    let zone = standin.seed_zone("example.com");
    let records = format!("/zones/{zone}/dns_records");
    let post = async |body: Value| ask(&standin, Method::POST, &records, body).await;
    let a = |name: &str, content: &str| json!({ "type": "A", "name": name, "content": content });
    let made = post(a("www", "203.0.113.7")).await;
    assert_eq!(
        (made.0, &made.1["result"]["name"], &made.1["result"]["ttl"]),
        (200, &json!("www.example.com"), &json!(1))
    );
    assert_eq!(made.1["result"]["id"].as_str().unwrap().len(), 32);
    assert_eq!(code(&post(a("www.example.com", "203.0.113.7")).await), (400, Some(81_058), None));
    assert_eq!(post(a("www", "203.0.113.8")).await.0, 200, "several A records may share a name");
    let cname = json!({ "type": "CNAME", "name": "www", "content": "lb.example.net" });
    assert_eq!(code(&post(cname).await), (400, Some(81_053), None));
    assert_eq!(code(&post(a("x", "not an address")).await), (400, Some(1004), Some(9005)));
    let ttl = json!({ "type": "A", "name": "x", "content": "203.0.113.7", "ttl": 5 });
    assert_eq!(code(&post(ttl).await), (400, Some(1004), Some(9021)));
    let comment = json!({ "type": "A", "name": "x", "content": "203.0.113.7", "comment": "x".repeat(101) });
    assert_eq!(post(comment).await.0, 400);
    let proxied = json!({ "type": "A", "name": "p", "content": "203.0.113.7", "ttl": 300, "proxied": true });
    assert_eq!(post(proxied).await.1["result"]["ttl"], 1);
}

#[tokio::test]
async fn a_batch_is_all_or_nothing() {
    let standin = StandIn::start().unwrap();
    let zone = standin.seed_zone("example.com");
    let id = standin.seed_record(&zone, "www.example.com", "A", "203.0.113.7", None).unwrap();
    let path = format!("/zones/{zone}/dns_records/batch");
    let batch = |content: &str| json!({ "deletes": [{ "id": id }], "posts": [{ "type": "CNAME", "name": "www.example.com", "content": content }] });
    let failed = ask(&standin, Method::POST, &path, batch("not a name")).await;
    assert_eq!((failed.0, standin.records(&zone)[0].content.as_str()), (400, "203.0.113.7"));
    let done = ask(&standin, Method::POST, &path, batch("lb.example.net")).await;
    assert_eq!((done.0, done.1["result"]["posts"].as_array().unwrap().len()), (200, 1));
    assert_eq!(standin.records(&zone)[0].content, "lb.example.net");
}

#[tokio::test]
async fn put_overwrites_and_patch_keeps() {
    let standin = StandIn::start().unwrap();
    let zone = standin.seed_zone("example.com");
    let id = standin.seed_record(&zone, "www.example.com", "A", "203.0.113.7", Some("web")).unwrap();
    let path = format!("/zones/{zone}/dns_records/{id}");
    let patched = ask(&standin, Method::PATCH, &path, json!({ "content": "203.0.113.8" })).await.1;
    assert_eq!((&patched["result"]["content"], &patched["result"]["comment"]), (&json!("203.0.113.8"), &json!("web")));
    let put = json!({ "type": "A", "name": "www.example.com", "content": "203.0.113.9" });
    assert_eq!(ask(&standin, Method::PUT, &path, put).await.1["result"]["comment"], Value::Null);
    assert_eq!(ask(&standin, Method::GET, &path, Value::Null).await.1["result"]["content"], "203.0.113.9");
    let kind = json!({ "type": "CNAME", "content": "lb.example.net" });
    assert_eq!(ask(&standin, Method::PATCH, &path, kind).await.0, 400);
    assert_eq!(ask(&standin, Method::DELETE, &path, Value::Null).await.0, 200);
    assert_eq!(code(&ask(&standin, Method::DELETE, &path, Value::Null).await), (404, Some(81_044), None));
}

#[tokio::test]
async fn lists_have_pages_and_unknown_things_their_codes() {
    let standin = StandIn::start().unwrap();
    let zone = standin.seed_zone("example.com");
    for index in 0..3 {
        standin.seed_record(&zone, "www.example.com", "TXT", &index.to_string(), None);
    }
    let path = format!("/zones/{zone}/dns_records?name.exact=www.example.com&per_page=2&page=2");
    let answer = ask(&standin, Method::GET, &path, Value::Null).await.1;
    assert_eq!(answer["result"].as_array().unwrap().len(), 1);
    assert_eq!(
        answer["result_info"],
        json!({ "page": 2, "per_page": 2, "count": 1, "total_count": 3, "total_pages": 2 })
    );
    assert_eq!(code(&ask(&standin, Method::GET, "/zones/0/dns_records", Value::Null).await), (404, Some(7003), None));
    let response = Client::new().get(format!("{}/zones", standin.base_url())).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("6003"));
}

#[tokio::test]
async fn faults_come_in_their_order_and_for_their_method() {
    let standin = StandIn::start().unwrap();
    standin.fail_on("post", 1, Fault::Status(503));
    standin.fail(1, Fault::RateLimited(Duration::from_millis(1500)));
    let response = Client::new().get(format!("{}/zones", standin.base_url())).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "2"));
    assert_eq!(ask(&standin, Method::GET, "/zones", Value::Null).await.0, 200);
    let response = Client::new().post(format!("{}/zones", standin.base_url())).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(response.status(), 503);
    let statuses: Vec<_> = standin.received().iter().map(|received| received.status).collect();
    assert_eq!((statuses, standin.count("GET")), (vec![Some(429), Some(200), Some(503)], 2));
}
