#![allow(clippy::unwrap_used)]

use super::*;
use crate::standin::{Fault, Standin};

fn quick() -> RetryOptions {
    RetryOptions {
        attempts: 4,
        first_delay: Duration::from_millis(1),
        longest_delay: Duration::from_millis(4),
        ..RetryOptions::default()
    }
}

fn channel(standin: &Standin) -> Channel {
    Channel { kind: standin.kind(), url: standin.url().parse().unwrap(), on: vec![] }
}

async fn tell(standin: &Standin, options: RetryOptions) -> Vec<Failure> {
    let notifier = Notifier::new(vec![channel(standin)], options);
    notifier.send(&Notice::example(Event::Failed), &CancellationToken::new()).await
}

fn all() -> [Standin; 3] {
    [Standin::slack().unwrap(), Standin::discord().unwrap(), Standin::webhook().unwrap()]
}

#[tokio::test]
async fn everybody_takes_every_notice() {
    let standins = all();
    let notifier = Notifier::new(standins.iter().map(channel).collect(), quick());
    let mut endless = Notice::example(Event::Failed);
    endless.cause = Some("& <b> ``` 🚀 \u{1b}[31m*_~\n".repeat(9000));
    endless.release = "_<".repeat(400);
    endless.fields = (0..50).map(|n| (format!("{n}{}", "*".repeat(900)), "<&>".repeat(900))).collect();
    let bare = Notice::new(Event::Succeeded, "ffe", "api", "r1");
    let notices: Vec<_> = Event::ALL.map(Notice::example).into_iter().chain([endless, bare]).collect();
    for notice in &notices {
        assert_eq!(notifier.send(notice, &CancellationToken::new()).await, []);
    }
    for standin in &standins {
        assert_eq!(standin.accepted().len(), notices.len());
        assert!(standin.received().iter().all(|received| received.header("content-type") == Some("application/json")));
    }
    assert_eq!(standins[0].received()[0].status, Some(200));
    assert_eq!(standins[1].received()[0].status, Some(204));
    assert_eq!(standins[2].accepted()[2]["event"], "failed");
}

#[tokio::test]
async fn only_those_who_want_to_know_are_told() {
    let [slack, discord, _] = all();
    let failures_only = Channel { on: vec![Event::Failed], ..channel(&slack) };
    let notifier = Notifier::new(vec![failures_only.clone(), channel(&discord)], quick());
    assert_eq!(notifier.send(&Notice::example(Event::Started), &CancellationToken::new()).await, []);
    assert_eq!((slack.received().len(), discord.received().len()), (0, 1));
    let notifier = Notifier::new(vec![failures_only], quick());
    assert!(notifier.wants(Event::Failed) && !notifier.wants(Event::Started));
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    for standin in all() {
        for fault in [Fault::RateLimited(Duration::ZERO), Fault::Status(500), Fault::Status(503), Fault::Disconnect] {
            let before = standin.received().len();
            standin.fail(3, fault.clone());
            assert_eq!(tell(&standin, quick()).await, [], "{fault:?}");
            let statuses: Vec<_> = standin.received()[before..].iter().map(|received| received.status).collect();
            assert_eq!(statuses.len(), 4, "{fault:?}: {statuses:?}");
        }
    }
}

#[tokio::test]
async fn attempts_are_counted() {
    let slack = Standin::slack().unwrap();
    slack.fail(10, Fault::Status(502));
    let failures = tell(&slack, quick()).await;
    assert_eq!(
        failures,
        [Failure { kind: Kind::Slack, host: slack.host(), attempts: 4, problem: Problem::ServerError { status: 502 } }]
    );
    assert_eq!(slack.received().len(), 4);
    let once = tell(&slack, RetryOptions { attempts: 0, ..quick() }).await;
    assert_eq!((once[0].attempts, slack.received().len()), (1, 5));
}

#[tokio::test]
async fn a_refusal_is_final() {
    let [slack, discord, webhook] = all();
    let wrong = |standin: &Standin| Channel {
        url: standin.url().replace(standin.secret(), "wrong").parse().unwrap(),
        ..channel(standin)
    };
    webhook.fail(1, Fault::Status(422));
    let notifier = Notifier::new(vec![wrong(&slack), wrong(&discord), channel(&webhook)], quick());
    let failures = notifier.send(&Notice::example(Event::Failed), &CancellationToken::new()).await;
    let problems: Vec<_> = failures.into_iter().map(|failure| (failure.attempts, failure.problem)).collect();
    let rejected = |status, reason| (1, Problem::Rejected { status, reason });
    assert_eq!(
        problems,
        [
            rejected(403, Some("invalid_token")),
            rejected(401, Some("50027, invalid webhook token")),
            rejected(422, None)
        ]
    );
    assert_eq!([slack.received().len(), discord.received().len(), webhook.received().len()], [1, 1, 1]);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let [slack, _, elsewhere] = all();
    slack.fail(1, Fault::Redirect(elsewhere.url()));
    let failures = tell(&slack, quick()).await;
    assert_eq!(failures[0].problem, Problem::Rejected { status: 302, reason: None });
    assert!(failures[0].advice().unwrap().contains("Redirects are not followed"));
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_not_begun() {
    for standin in [Standin::slack().unwrap(), Standin::discord().unwrap()] {
        standin.fail(9, Fault::RateLimited(Duration::from_secs(3600)));
        let failures = tell(&standin, quick()).await;
        assert_eq!(failures[0].problem, Problem::RateLimited { after: Some(Duration::from_secs(3600)) });
        assert_eq!(standin.received().len(), 1);
    }
}

#[tokio::test]
async fn one_who_never_answers_is_given_up_and_holds_up_nobody() {
    let [slack, discord, _] = all();
    slack.fail(9, Fault::Hang);
    // Long enough for the one who answers, on a busy machine too.
    let options = RetryOptions { attempts: 2, request: Duration::from_secs(1), ..quick() };
    let notifier = Notifier::new(vec![channel(&slack), channel(&discord)], options);
    let failures = notifier.send(&Notice::example(Event::Failed), &CancellationToken::new()).await;
    assert_eq!(failures.len(), 1);
    assert_eq!((failures[0].attempts, &failures[0].problem), (2, &Problem::TimedOut));
    assert_eq!(discord.accepted().len(), 1);
}

#[tokio::test]
async fn the_total_limit_holds_within_a_request() {
    let webhook = Standin::webhook().unwrap();
    webhook.fail(9, Fault::Hang);
    let failures = tell(&webhook, RetryOptions { total: Duration::from_millis(100), ..quick() }).await;
    assert_eq!((failures[0].attempts, &failures[0].problem), (1, &Problem::TimedOut));
}

#[tokio::test]
async fn nobody_there_is_a_failure_with_its_cause() {
    let webhook = Standin::webhook().unwrap();
    let gone = channel(&webhook);
    drop(webhook);
    let notifier = Notifier::new(vec![gone], quick());
    let failures = notifier.send(&Notice::example(Event::Failed), &CancellationToken::new()).await;
    assert_eq!(failures[0].attempts, 4);
    let text = failures[0].to_string();
    assert!(text.to_lowercase().contains("connection refused"), "{text}");
}

#[tokio::test]
async fn cancelling_ends_requests_and_waits() {
    let slack = Standin::slack().unwrap();
    let notifier = Notifier::new(
        vec![channel(&slack)],
        RetryOptions { first_delay: Duration::from_secs(600), total: Duration::from_secs(6000), ..quick() },
    );
    let notice = Notice::example(Event::Failed);
    for fault in [Fault::Hang, Fault::Status(500)] {
        slack.fail(1, fault);
        let before = slack.received().len();
        let cancel = CancellationToken::new();
        let (failures, ()) = tokio::join!(notifier.send(&notice, &cancel), async {
            while slack.received().len() == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            cancel.cancel();
        });
        assert_eq!(failures[0].problem, Problem::Cancelled);
    }
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let failures = notifier.send(&notice, &cancelled).await;
    assert_eq!((failures[0].attempts, slack.received().len()), (0, 2));
}

#[test]
fn waits_grow_and_are_neither_endless_nor_too_short() {
    let seconds = Duration::from_secs;
    assert_eq!(next_wait(None, Some(seconds(2)), seconds(30)), Some(seconds(2)));
    assert_eq!(next_wait(Some(seconds(5)), Some(seconds(2)), seconds(30)), Some(seconds(5)));
    assert_eq!(next_wait(Some(seconds(1)), Some(seconds(2)), seconds(30)), Some(seconds(2)));
    assert_eq!(next_wait(Some(seconds(30)), Some(seconds(2)), seconds(30)), None);
    assert_eq!(next_wait(None, None, seconds(30)), None);
    let delays: Vec<_> = Notifier::new(vec![], RetryOptions::default()).delays().collect();
    assert_eq!(delays.len(), 4);
    for (delay, base) in delays.iter().zip([500, 1000, 2000, 4000].map(Duration::from_millis)) {
        assert!((base..=base * 2).contains(delay), "{delays:?}");
    }
}
