//! The token is in nothing that is said or logged.
//!
//! A program of its own, with one test: `tracing` remembers for the whole process whether anybody listens to a place in
//! the code, and a test beside this one, whose thread nobody listens to, can be the first that comes by.
#![allow(clippy::unwrap_used)]

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use ffe_cloudflare::standin::{Fault, StandIn, TOKEN};
use ffe_cloudflare::{Cloudflare, Owner, RetryOptions, Wish, Zone};
use tokio_util::sync::CancellationToken;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stand-in of its own: no fault that nobody met is left for the next one.
fn place(request: Duration) -> (StandIn, Zone, Cloudflare) {
    let standin = StandIn::start().unwrap();
    let zone =
        Zone { id: standin.seed_zone("example.com"), name: "example.com".to_owned(), status: "active".to_owned() };
    let retries = RetryOptions { retries: 0, request, ..RetryOptions::default() };
    let client = Cloudflare::new(TOKEN, Some(&standin.base_url())).unwrap().with_retries(retries);
    (standin, zone, client)
}

#[tokio::test]
async fn the_token_is_in_no_error_and_no_log() {
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(|| Log).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let (_standin, zone, patient) = place(RetryOptions::default().request);
    let (wish, owner) = (Wish::new("a.example.com", "203.0.113.7", false, None).unwrap(), Owner::new("ffe", "api"));
    let cancel = CancellationToken::new();
    let mut shown = format!("{patient:?}");
    for fault in [
        Fault::Status(500),
        Fault::RateLimited(Duration::from_secs(900)),
        Fault::Hang,
        Fault::Disconnect,
        Fault::Redirect("http://127.0.0.1:1/".to_owned()),
        Fault::Refuse { status: 403, code: 10_000, message: format!("the token {TOKEN} is not valid") },
    ] {
        for method in ["GET", "POST"] {
            // Only the one that gets no answer waits that long; its POST comes after a GET that must be answered.
            let (standin, zone, client) = place(Duration::from_secs(3));
            standin.fail_on(method, 1, fault.clone());
            let error =
                client.ensure(&zone, &wish, &owner, &ffe_cloudflare::Adopt::default(), &cancel).await.unwrap_err();
            shown += &format!("{error:?} {error} {:?}\n", error.remedy());
        }
    }
    shown += &format!(
        "{:?}",
        patient.ensure(&zone, &wish, &owner, &ffe_cloudflare::Adopt::default(), &cancel).await.unwrap()
    );
    shown += &format!("{:?}", patient.release(&zone, "a.example.com", &owner, &cancel).await.unwrap());
    assert!(shown.contains("the token (redacted) is not valid"), "{shown}");
    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    assert!(log.contains("Cloudflare answered") && log.contains("DNS record deleted"), "{log}");
    for text in [shown, log] {
        assert!(!text.contains(TOKEN), "{text}");
    }
}
