//! What is secret of a channel is in nothing that is said or logged.
//!
//! A program of its own, with one test: `tracing` remembers for the whole process whether anybody listens to a place in
//! the code, and a test beside this one, whose thread nobody listens to, can be the first that comes by.
#![allow(clippy::unwrap_used)]

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use ffe_notify::standin::{Fault, SECRET, Standin};
use ffe_notify::{Channel, Event, Notice, Notifier, RetryOptions};
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

#[tokio::test]
async fn the_secret_is_in_no_error_and_no_log() {
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(|| Log).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut shown = String::new();
    for standin in [Standin::slack().unwrap(), Standin::discord().unwrap(), Standin::webhook().unwrap()] {
        let url = format!("{}?token=t0ken", standin.url().replace("http://", "http://user:pa55@"));
        assert!(url.contains(SECRET));
        let channel = Channel { kind: standin.kind(), url: url.parse().unwrap(), on: vec![] };
        let once = RetryOptions { attempts: 1, ..RetryOptions::default() };
        let patient = Notifier::new(vec![channel.clone()], once);
        let impatient = Notifier::new(vec![channel], RetryOptions { request: Duration::from_millis(200), ..once });
        shown += &format!("{patient:?}");
        for (notifier, fault) in [
            (&patient, Fault::Status(404)),
            (&patient, Fault::Status(500)),
            (&patient, Fault::RateLimited(Duration::ZERO)),
            (&impatient, Fault::Hang),
            (&patient, Fault::Disconnect),
            (&patient, Fault::Redirect("http://127.0.0.1:1/".into())),
        ] {
            standin.fail(1, fault);
            shown += &failure(notifier).await;
        }
        let host = standin.host();
        assert!(shown.contains(&host), "{shown}");
        drop(standin.stop());
        shown += &failure(&patient).await;
    }
    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    assert!(log.contains("was not told"), "{log}");
    for secret in [SECRET, "t0ken", "pa55"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

/// What is said of the one failure to hand over a notice.
async fn failure(notifier: &Notifier) -> String {
    let notice = Notice::new(Event::Failed, "ffe", "ffe-backend", "0123456789ab");
    let failures = notifier.send(&notice, &CancellationToken::new()).await;
    let [failure] = failures.as_slice() else { unreachable!("one failure, found {failures:?}") };
    format!("{failure:?} {failure} {:?}\n", failure.advice())
}
