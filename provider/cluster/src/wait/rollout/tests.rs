use std::time::Duration;

use super::*;
use crate::Cancel;
use crate::diagnose::Patience;

fn problem(cause: Cause, patience: Patience, pod: &str) -> Problem {
    Problem {
        cause,
        object: ObjectRef::new("v1", "Pod", Some("ffe"), pod),
        container: None,
        reason: "R".to_owned(),
        message: "m".to_owned(),
        patience,
    }
}

fn options() -> WaitOptions {
    WaitOptions::new(Duration::from_secs(600), Cancel::new())
}

#[test]
fn what_cannot_heal_is_hopeless_at_once() {
    let found = [problem(Cause::ImageNotFound, Patience::None, "a")];
    assert_eq!(Bearing::default().hopeless(&found, &options(), Instant::now()), Some(&found[0]));
}

#[test]
fn what_may_heal_is_borne_with_for_as_long_as_the_options_say() {
    let mut bearing = Bearing::default();
    let start = Instant::now();
    let found = [problem(Cause::Unschedulable, Patience::Scheduling, "a")];
    let grace = options().fail_fast.scheduling;
    assert_eq!(bearing.hopeless(&found, &options(), start), None);
    assert_eq!(bearing.hopeless(&found, &options(), start + grace / 2), None);
    assert_eq!(bearing.hopeless(&found, &options(), start + grace), Some(&found[0]));
}

#[test]
fn what_went_away_and_came_again_is_new() {
    let mut bearing = Bearing::default();
    let start = Instant::now();
    let found = [problem(Cause::Unschedulable, Patience::Scheduling, "a")];
    let grace = options().fail_fast.scheduling;
    assert_eq!(bearing.hopeless(&found, &options(), start), None);
    assert_eq!(bearing.hopeless(&[], &options(), start + grace / 2), None);
    assert_eq!(bearing.hopeless(&found, &options(), start + grace), None);
    // and the trouble of another pod is not the trouble of this one
    let other = [problem(Cause::Unschedulable, Patience::Scheduling, "b")];
    assert_eq!(bearing.hopeless(&other, &options(), start + grace * 2), None);
}

#[test]
fn nothing_is_hopeless_when_told_so() {
    let found =
        [problem(Cause::ImageNotFound, Patience::None, "a"), problem(Cause::CrashLoop, Patience::Restarts(99), "b")];
    let options = WaitOptions { fail_fast: crate::wait::FailFast::never(), ..options() };
    assert_eq!(Bearing::default().hopeless(&found, &options, Instant::now()), None);
}

#[test]
fn the_state_tells_of_the_worst_trouble() {
    let workload = ObjectRef::new("apps/v1", "Deployment", Some("ffe"), "a");
    let found = [problem(Cause::Unschedulable, Patience::Scheduling, "p")];
    assert_eq!(describe("0 of 1", &found, &workload), "0 of 1; Pod ffe/p: m");
    assert_eq!(describe("0 of 1", &[], &workload), "0 of 1");
}
