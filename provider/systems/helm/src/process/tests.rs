#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

fn shell(script: &str) -> Invocation {
    Invocation {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        environment: Vec::new(),
        without: vec!["HELM_"],
        stdin: None,
        files: Vec::new(),
        limit: None,
        begins: None,
        grace: GRACE,
    }
}

async fn go(invocation: Invocation, cancel: &CancellationToken) -> Outcome {
    run(invocation, &Launcher::Direct, cancel).await.unwrap()
}

#[tokio::test]
async fn output_status_and_standard_input() {
    let mut invocation = shell("cat; echo problem >&2; exit 3");
    let text = "x".repeat(1 << 20);
    invocation.stdin = Some(text.clone());
    let outcome = go(invocation, &CancellationToken::new()).await;
    assert_eq!(outcome.ended, Ended::Exited);
    assert!(!outcome.success);
    assert!(outcome.status.contains('3'), "{}", outcome.status);
    assert_eq!(outcome.stdout, text.as_bytes());
    assert_eq!(outcome.stderr, "problem\n");
}

#[tokio::test]
async fn a_child_that_ignores_its_input_is_no_error() {
    let mut invocation = shell("exit 0");
    invocation.stdin = Some("x".repeat(1 << 20));
    assert!(go(invocation, &CancellationToken::new()).await.success);
}

#[tokio::test]
async fn files_are_handed_over_more_than_readable_once_and_private() {
    let first = Handover::new(b"kubeconfig", 0).unwrap();
    let second = Handover::new(b"registries", 1).unwrap();
    let (a, b) = (first.path().display().to_string(), second.path().display().to_string());
    let mut invocation = shell(&format!("cat {a} {b} {a}; stat -L -c %a {b}"));
    invocation.files = vec![first, second];
    let outcome = go(invocation, &CancellationToken::new()).await;
    assert_eq!(String::from_utf8(outcome.stdout).unwrap(), "kubeconfigregistrieskubeconfig600\n");
}

#[tokio::test]
async fn cancel_ends_the_whole_group() {
    let dir = tempfile::tempdir().unwrap();
    let ready = dir.path().join("ready");
    // The grandchild would hold the pipes open for a minute.
    let invocation = shell(&format!("trap 'echo stopping; exit 7' TERM; sleep 60 & touch {}; wait", ready.display()));
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        while !ready.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    });
    let outcome = go(invocation, &cancel).await;
    assert_eq!(outcome.ended, Ended::Cancelled);
    assert_eq!(outcome.stdout, b"stopping\n");
}

#[tokio::test]
async fn a_child_that_ignores_the_signal_is_killed() {
    let mut invocation = shell("trap '' TERM; while true; do sleep 0.05; done");
    invocation.limit = Some(Duration::from_millis(100));
    invocation.grace = Duration::from_millis(100);
    let outcome = go(invocation, &CancellationToken::new()).await;
    assert_eq!(outcome.ended, Ended::TimedOut);
    assert!(!outcome.success);
    assert!(outcome.status.contains("signal"), "{}", outcome.status);
}

#[tokio::test]
async fn a_limit_counts_from_when_it_begins() {
    let begins = CancellationToken::new();
    let mut invocation = shell("read line; echo \"$line\"; while true; do sleep 0.05; done");
    invocation.limit = Some(Duration::ZERO);
    invocation.begins = Some(begins.clone());
    let cancel = CancellationToken::new();
    let run = go(invocation, &cancel);
    tokio::pin!(run);
    let waited = tokio::time::timeout(Duration::from_millis(200), &mut run).await;
    assert!(waited.is_err(), "the limit counted before it began");
    begins.cancel();
    assert_eq!(run.await.ended, Ended::TimedOut);
}

#[tokio::test]
async fn a_dropped_run_leaves_nothing_running() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let invocation = shell(&format!("sleep 60 & echo $! > {0}.new; mv {0}.new {0}; wait", file.display()));
    let cancel = CancellationToken::new();
    let run = tokio::spawn(async move { go(invocation, &cancel).await.success });
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    run.abort();
    assert!(run.await.is_err());
    let pid = std::fs::read_to_string(&file).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    // Gone, or a zombie that its new parent has not reaped yet.
    while !state().is_empty() && !state().contains(") Z ") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn unwanted_variables_are_not_passed_on() {
    let mut invocation = shell("env");
    invocation.without = vec!["CARGO_"];
    invocation.environment = vec![("CARGO_KEPT".into(), "1".into())];
    let outcome = go(invocation, &CancellationToken::new()).await;
    let text = String::from_utf8(outcome.stdout).unwrap();
    let cargo: Vec<_> = text.lines().filter(|line| line.starts_with("CARGO_")).collect();
    assert_eq!(cargo, ["CARGO_KEPT=1"]);
}

#[tokio::test]
async fn the_end_of_long_error_output_is_kept() {
    let outcome = go(shell("yes noise | head -c 400000 >&2; echo the end >&2"), &CancellationToken::new()).await;
    assert!(outcome.stderr.len() <= MAX_STDERR);
    assert!(outcome.stderr.ends_with("the end\n"));
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_an_error() {
    let mut invocation = shell("");
    invocation.program = "/nonexistent/helm".into();
    assert!(run(invocation, &Launcher::Direct, &CancellationToken::new()).await.is_err());
}
