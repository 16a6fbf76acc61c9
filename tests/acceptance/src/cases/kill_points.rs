//! Somebody is killed at each point of a release, or the user stops it there; the next apply converges, and nothing has been
//! lost, done twice or left behind.
//!
//! The table says where, each point as the request that marks it: the gate before the API server stops that request before
//! it gets through ([`Before`]) or after it was done and before it is answered ([`After`]), and then somebody dies.

mod journal;
mod play;
mod scene;

pub(super) use journal::is_at;

use crate::gate::Moment::{self, After, Before};
use crate::{Case, When};
use At::{Ask, Begin, Close, Helm, Note};
use Next::{Good, Old};
use Story::{Back, BackFails, First, FirstFails, Upgrade, UpgradeFails};
use Who::{Helm as HelmDies, Provider, Terraform, User, WaitingHelm};

pub(super) const CASES: &[Case] = &[
    Case { name: "kill_points::a_handful", when: When::Always, run: |stage| play::all(stage, |point| point.always) },
    Case {
        name: "kill_points::before_the_deployment",
        when: When::Full,
        run: |stage| play::story(stage, Upgrade, 0, 2),
    },
    Case {
        name: "kill_points::from_the_deployment_on",
        when: When::Full,
        run: |stage| play::story(stage, Upgrade, 1, 2),
    },
    Case {
        name: "kill_points::while_the_release_goes_back",
        when: When::Full,
        run: |stage| play::story(stage, UpgradeFails, 0, 2),
    },
    Case {
        name: "kill_points::while_the_schema_goes_back",
        when: When::Full,
        run: |stage| play::story(stage, UpgradeFails, 1, 2),
    },
    Case {
        name: "kill_points::back_to_an_older_version",
        when: When::Full,
        run: |stage| play::story(stage, Back, 0, 1),
    },
    Case {
        name: "kill_points::back_to_an_older_version_fails",
        when: When::Full,
        run: |stage| play::story(stage, BackFails, 0, 1),
    },
    Case { name: "kill_points::first_install", when: When::Full, run: |stage| play::story(stage, First, 0, 1) },
    Case {
        name: "kill_points::first_install_fails",
        when: When::Full,
        run: |stage| play::story(stage, FirstFails, 0, 1),
    },
];

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    /// A new revision, with a backup and a migration.
    Upgrade,
    /// The same, and its check fails: release and schema go back.
    UpgradeFails,
    /// An older version, which takes the schema back.
    Back,
    /// The same, and its check fails: the newer version comes back with its schema.
    BackFails,
    /// Nothing was there before.
    First,
    /// Nothing was there before, and the check fails: it is uninstalled.
    FirstFails,
}

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// The provider, and what it has started with it.
    Provider,
    /// Helm alone: the provider sees it and goes its way back.
    Helm,
    /// Helm alone, while it waits to deploy: another goes on in its place.
    WaitingHelm,
    /// Terraform: the provider ends by itself.
    Terraform,
    /// Nobody: the user presses Ctrl-C.
    User,
}

/// A request that marks a point.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// The journal's write that begins a phase.
    Begin(&'static str),
    /// The journal's first write in which the run has this field.
    Note(&'static str),
    /// The journal's write that closes the run with an outcome.
    Close(&'static str),
    /// The provider's request in a phase: method, part of the path, part of the body.
    Ask(&'static str, &'static str, &'static str, &'static str),
    /// Helm's request: method, part of the path, part of the body.
    Helm(&'static str, &'static str, &'static str),
}

/// Which apply comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// What was asked for, without the fault.
    Good,
    /// What was there before: the change was taken back.
    Old,
}

/// A row of the table.
struct Point {
    story: Story,
    who: Who,
    moment: Moment,
    at: At,
    next: Next,
    /// The moves of the schema, from the run that dies to the end of the next apply.
    moves: &'static [&'static str],
    /// It is played in every run.
    always: bool,
}

const fn row(story: Story, who: Who, moment: Moment, at: At) -> Point {
    let (next, moves): (Next, &[&str]) = match story {
        Upgrade => (Good, &["0004_feedback"]),
        UpgradeFails => (Old, &["0004_feedback", "0003_positions"]),
        Back => (Good, &["0003_positions"]),
        BackFails => (Old, &["0003_positions", "0004_feedback"]),
        First | FirstFails => (Good, &[]),
    };
    Point { story, who, moment, at, next, moves, always: false }
}

const fn always(point: Point) -> Point {
    Point { always: true, ..point }
}

/// With another apply next than usual, and other moves of the schema.
const fn then(next: Next, moves: &'static [&'static str], point: Point) -> Point {
    Point { next, moves, ..point }
}

const BACK_AND_FORTH: &[&str] = &["0004_feedback", "0003_positions", "0004_feedback"];

#[rustfmt::skip]
const POINTS: &[Point] = &[
    // lock
    row(Upgrade, Provider, After, Ask("lock", "PUT", "/leases/ffe-release.", "")),
    row(Upgrade, Provider, Before, Begin("lock")),
    row(Upgrade, Provider, After, Begin("lock")),
    row(Upgrade, User, Before, Begin("lock")),
    // preflight
    row(Upgrade, Provider, After, Begin("preflight")),
    row(Upgrade, Provider, After, Ask("preflight", "POST", "/jobs", "ffe-inspect-")),
    row(Upgrade, Provider, Before, Ask("preflight", "DELETE", "/jobs/ffe-inspect-", "")),
    row(Upgrade, User, After, Ask("preflight", "POST", "/jobs", "ffe-inspect-")),
    // backup
    row(Upgrade, Provider, Before, Begin("backup")),
    row(Upgrade, Provider, After, Ask("backup", "POST", "/jobs", "ffe-backup-")),
    row(Upgrade, Provider, Before, Note("backup")),
    row(Upgrade, Provider, After, Note("backup")),
    row(Upgrade, User, After, Ask("backup", "POST", "/jobs", "ffe-backup-")),
    // migrate
    row(Upgrade, Provider, Before, Begin("migrate")),
    row(Upgrade, Provider, Before, Ask("migrate", "POST", "/jobs", "ffe-migrate-")),
    always(row(Upgrade, Provider, After, Ask("migrate", "POST", "/jobs", "ffe-migrate-"))),
    row(Upgrade, Terraform, After, Ask("migrate", "POST", "/jobs", "ffe-migrate-")),
    always(row(Upgrade, WaitingHelm, After, Ask("migrate", "POST", "/jobs", "ffe-migrate-"))),
    always(row(Upgrade, User, After, Ask("migrate", "POST", "/jobs", "ffe-migrate-"))),
    always(row(Upgrade, Provider, Before, Note("schema_after"))),
    row(Upgrade, Provider, After, Note("schema_after")),
    row(Upgrade, Provider, After, Ask("migrate", "DELETE", "/jobs/ffe-migrate-", "")),
    // deploy
    row(Upgrade, Provider, Before, Begin("deploy")),
    row(Upgrade, Provider, After, Helm("POST", "/secrets", "pending-upgrade")),
    always(row(Upgrade, Provider, After, Helm("PATCH", "/deployments/", ""))),
    row(Upgrade, Provider, Before, Helm("PUT", "/secrets/sh.helm.release", "deployed")),
    then(Good, BACK_AND_FORTH, row(Upgrade, HelmDies, After, Helm("PATCH", "/deployments/", ""))),
    row(Upgrade, Terraform, After, Helm("PATCH", "/deployments/", "")),
    row(Upgrade, User, After, Helm("POST", "/secrets", "pending-upgrade")),
    // rollout
    row(Upgrade, Provider, Before, Begin("rollout")),
    row(Upgrade, Provider, After, Begin("rollout")),
    row(Upgrade, Terraform, After, Begin("rollout")),
    row(Upgrade, User, After, Begin("rollout")),
    // verify
    row(Upgrade, Provider, Before, Begin("verify")),
    row(Upgrade, Provider, Before, Ask("verify", "GET", "/portforward", "")),
    row(Upgrade, User, Before, Ask("verify", "GET", "/portforward", "")),
    // record
    row(Upgrade, Provider, Before, Begin("record")),
    always(row(Upgrade, Provider, Before, Close("succeeded"))),
    row(Upgrade, Provider, After, Close("succeeded")),
    row(Upgrade, User, After, Close("succeeded")),
    row(Upgrade, Provider, Before, Ask("notify", "DELETE", "/secrets/sh.helm.release", "")),
    // notify
    row(Upgrade, Provider, Before, Ask("notify", "GET", "/namespaces/", "")),
    row(Upgrade, User, Before, Ask("notify", "GET", "/namespaces/", "")),

    // Somebody dies on the way there, or on the way back; and then the change is taken back or put right.
    row(UpgradeFails, Provider, After, Ask("migrate", "POST", "/jobs", "ffe-migrate-")),
    row(UpgradeFails, Provider, After, Note("schema_after")),
    row(UpgradeFails, Provider, After, Helm("PATCH", "/deployments/", "")),
    row(UpgradeFails, Provider, Before, Note("unwinding")),
    row(UpgradeFails, Provider, After, Note("unwinding")),
    row(UpgradeFails, Provider, After, Helm("POST", "/secrets", "pending-rollback")),
    row(UpgradeFails, Provider, After, Helm("PATCH", "/deployments/", "ffe-backend:1.0.0")),
    row(UpgradeFails, HelmDies, After, Helm("PATCH", "/deployments/", "ffe-backend:1.0.0")),
    row(UpgradeFails, User, After, Helm("POST", "/secrets", "pending-rollback")),
    row(UpgradeFails, Provider, After, Ask("way back", "PATCH", "/replicasets/", "")),
    row(UpgradeFails, Provider, After, Ask("way back", "DELETE", "/pods/", "")),
    always(row(UpgradeFails, Provider, Before, Ask("way back", "POST", "/jobs", "ffe-downgrade-"))),
    row(UpgradeFails, Provider, After, Ask("way back", "POST", "/jobs", "ffe-downgrade-")),
    row(UpgradeFails, User, After, Ask("way back", "POST", "/jobs", "ffe-downgrade-")),
    then(Good, BACK_AND_FORTH, row(UpgradeFails, Provider, After, Ask("way back", "POST", "/jobs", "ffe-downgrade-"))),
    row(UpgradeFails, Provider, Before, Ask("way back", "DELETE", "/jobs/ffe-downgrade-", "")),
    row(UpgradeFails, Provider, After, Ask("way back", "DELETE", "/jobs/ffe-downgrade-", "")),
    row(UpgradeFails, Provider, Before, Close("rolled_back")),
    row(UpgradeFails, Provider, After, Close("rolled_back")),
    then(Good, BACK_AND_FORTH, row(UpgradeFails, Provider, After, Close("rolled_back"))),

    // An older version: the deployment comes first, then the newer version's pods end, then the schema goes back.
    row(Back, Provider, After, Ask("preflight", "POST", "/jobs", "ffe-rows-")),
    row(Back, Provider, Before, Note("back")),
    row(Back, Provider, After, Note("back")),
    row(Back, WaitingHelm, After, Begin("backup")),
    row(Back, Provider, Before, Begin("deploy")),
    row(Back, Provider, After, Helm("POST", "/secrets", "pending-upgrade")),
    row(Back, Provider, After, Helm("PATCH", "/deployments/", "")),
    row(Back, Terraform, After, Helm("PATCH", "/deployments/", "")),
    then(Good, &["0003_positions"], row(Back, HelmDies, After, Helm("PATCH", "/deployments/", ""))),
    row(Back, Provider, Before, Begin("migrate")),
    row(Back, Provider, After, Ask("migrate", "PATCH", "/replicasets/", "")),
    row(Back, Provider, After, Ask("migrate", "DELETE", "/pods/", "")),
    always(row(Back, Provider, Before, Ask("migrate", "POST", "/jobs", "ffe-downgrade-"))),
    always(row(Back, Provider, After, Ask("migrate", "POST", "/jobs", "ffe-downgrade-"))),
    then(Old, &["0003_positions", "0004_feedback"], row(Back, Provider, After, Ask("migrate", "POST", "/jobs", "ffe-downgrade-"))),
    row(Back, Terraform, After, Ask("migrate", "POST", "/jobs", "ffe-downgrade-")),
    row(Back, User, After, Ask("migrate", "POST", "/jobs", "ffe-downgrade-")),
    row(Back, Provider, Before, Note("schema_after")),
    row(Back, Provider, After, Note("schema_after")),
    then(Old, &["0003_positions", "0004_feedback"], row(Back, Provider, After, Begin("rollout"))),
    row(Back, Provider, Before, Begin("verify")),
    row(Back, Provider, Before, Close("succeeded")),
    row(Back, User, After, Close("succeeded")),
    // It fails, and the newer version comes back.
    row(BackFails, Provider, After, Ask("migrate", "POST", "/jobs", "ffe-downgrade-")),
    row(BackFails, Provider, After, Note("unwinding")),
    row(BackFails, Provider, After, Helm("POST", "/secrets", "pending-rollback")),
    row(BackFails, HelmDies, After, Helm("PATCH", "/deployments/", "ffe-backend:1.1.0")),
    row(BackFails, Provider, After, Ask("way back", "POST", "/jobs", "ffe-migrate-")),
    row(BackFails, User, After, Ask("way back", "POST", "/jobs", "ffe-migrate-")),
    then(Good, &["0003_positions", "0004_feedback", "0003_positions"], row(BackFails, Provider, After, Ask("way back", "POST", "/jobs", "ffe-migrate-"))),
    row(BackFails, Provider, After, Close("rolled_back")),

    // The first install, and a first install that fails.
    row(First, Provider, After, Begin("lock")),
    row(First, Provider, After, Ask("migrate", "POST", "/jobs", "ffe-migrate-")),
    row(First, Provider, After, Helm("POST", "/secrets", "pending-install")),
    row(First, HelmDies, After, Helm("PATCH", "/deployments/", "")),
    row(First, Provider, Before, Close("succeeded")),
    row(First, User, After, Helm("PATCH", "/deployments/", "")),
    row(FirstFails, Provider, After, Note("unwinding")),
    row(FirstFails, Provider, After, Helm("DELETE", "/deployments/", "")),
    row(FirstFails, Provider, Before, Close("uninstalled")),
];
