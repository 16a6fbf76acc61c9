//! Playing a point: apply until the request that marks it, somebody dies, apply again, look.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::journal::{expect_complete, is_at};
use super::scene::{Scene, Wanted};
use super::{At, Next, POINTS, Point, Story, Who};
use crate::cases::kills::journal;
use crate::gate::Then;
use crate::{Stage, processes};

const APPLY: &[&str] = &["apply", "-auto-approve", "-no-color", "-input=false"];
/// For the harness alone: nothing waits this long.
const LIMIT: Duration = Duration::from_secs(180);

/// Plays one of several equal parts of a story's points.
pub(super) fn story(stage: &mut Stage, story: Story, part: usize, of: usize) -> Result<()> {
    let size = POINTS.iter().filter(|point| point.story == story).count().div_ceil(of);
    let points: Vec<&Point> = POINTS.iter().filter(|point| point.story == story).skip(part * size).take(size).collect();
    play(stage, &points)
}

/// Plays some of the points.
pub(super) fn all(stage: &mut Stage, wanted: impl Fn(&Point) -> bool) -> Result<()> {
    let points: Vec<&Point> = POINTS.iter().filter(|point| wanted(point)).collect();
    play(stage, &points)
}

fn play(stage: &mut Stage, points: &[&Point]) -> Result<()> {
    // FFE_POINTS=3,7 plays only some, by their place in the case.
    let only = std::env::var("FFE_POINTS").unwrap_or_default();
    let only: Vec<usize> = only.split(',').filter_map(|number| number.parse().ok()).collect();
    let mut scene = Scene::open(stage)?;
    let mut before: Option<Wanted> = None;
    for (number, point) in points.iter().enumerate().filter(|(number, _)| only.is_empty() || only.contains(number)) {
        let started = Instant::now();
        let told =
            format!("{:?}: {:?} at {:?} {:?}, then {:?}", point.story, point.who, point.moment, point.at, point.next);
        let name = format!("p{number}");
        prepare(&mut scene, point, &name, &mut before).with_context(|| format!("before point {number}, {told}"))?;
        one(&mut scene, point, &name, &mut before).with_context(|| format!("point {number}, {told}"))?;
        eprintln!("point {number} in {} s: {told}", started.elapsed().as_secs());
    }
    scene.configure(None)?;
    scene.stage.destroy()?.ok().map(|_| ())
}

fn wanted(tag: &'static str, point: &str) -> Wanted {
    Wanted { tag, point: point.to_owned(), good: true, backup: false, goes_back: false, stable_for: "null" }
}

/// The release and the database as the point's story begins.
fn prepare(scene: &mut Scene<'_>, point: &Point, name: &str, before: &mut Option<Wanted>) -> Result<()> {
    match point.story {
        Story::Upgrade | Story::UpgradeFails => {
            let tag = if point.story == Story::Upgrade { "1.1.0" } else { "1.0.0" };
            let migrated = before.as_ref().is_some_and(|before| before.tag == "1.1.0");
            if before.is_some() && migrated {
                scene.unmigrate()?;
            }
            if before.as_ref().is_none_or(|before| before.tag != tag) {
                let old = wanted(tag, &format!("before-{name}"));
                scene.configure(Some(&old))?;
                scene.stage.apply()?.ok()?;
                if before.is_none() {
                    scene.seed()?;
                }
                if tag == "1.1.0" {
                    scene.unmigrate()?;
                }
                *before = Some(old);
            }
            scene.forget_moves()
        }
        Story::Back | Story::BackFails => {
            if before.as_ref().is_none_or(|before| before.tag != "1.1.0") {
                let first = before.is_none();
                let old = wanted("1.1.0", &format!("before-{name}"));
                scene.configure(Some(&old))?;
                scene.stage.apply()?.ok()?;
                if first {
                    scene.seed()?;
                }
                *before = Some(old);
            }
            scene.forget_moves()
        }
        Story::First | Story::FirstFails => {
            if before.take().is_some() {
                scene.configure(None)?;
                scene.stage.apply()?.ok()?;
                scene.empty()?;
            }
            Ok(())
        }
    }
}

/// What is asked for when somebody dies, and what next.
fn wishes(point: &Point, name: &str, before: Option<&Wanted>) -> Result<(Wanted, Wanted)> {
    let is_first = matches!(point.story, Story::First | Story::FirstFails);
    let goes_back = matches!(point.story, Story::Back | Story::BackFails);
    let tag = if is_first || goes_back { "1.0.0" } else { "1.1.0" };
    let good = Wanted {
        backup: matches!(point.at, At::Begin("backup") | At::Ask("backup", ..) | At::Note("backup")),
        // The user's wish reaches the provider a moment after terraform: the check must not be over by then.
        stable_for: if matches!((point.who, point.at), (Who::User, At::Ask("verify", ..))) { "\"5s\"" } else { "null" },
        goes_back,
        ..wanted(tag, name)
    };
    let first = Wanted { good: matches!(point.story, Story::Upgrade | Story::First | Story::Back), ..good.clone() };
    let next = match point.next {
        Next::Good => good,
        Next::Old => before.cloned().context("nothing was there before")?,
    };
    Ok((first, next))
}

fn one(scene: &mut Scene<'_>, point: &Point, name: &str, before: &mut Option<Wanted>) -> Result<()> {
    let (first, next) = wishes(point, name, before.as_ref())?;
    scene.configure(Some(&first))?;
    die(scene, point)?;
    let in_state = scene.stage.state("ffe_release.backend")?.is_some();
    let is_first = matches!(point.story, Story::First | Story::FirstFails);
    ensure!(in_state != is_first, "in state after the death: {in_state}");
    if let (Who::Helm, Some(before)) = (point.who, before.as_ref()) {
        // The provider lives, and has gone back: what runs is what the state says, however far Helm had come.
        let runs = scene.deployed()?;
        ensure!(runs == (before.tag.to_owned(), before.point.clone()), "after the way back it runs {runs:?}");
    }

    scene.configure(Some(&next))?;
    scene.stage.apply()?.ok()?;
    scene.stage.expect_empty_plan()?;
    scene.expect_clean()?;
    // A Helm that dies on the way back is started again: then the first apply has taken everything back itself.
    let outcome = if (point.who, point.next) == (Who::Helm, Next::Old) { "rolled_back" } else { "succeeded" };
    expect_complete(&journal(&scene.stage.kube, &scene.stage.name, "ffe-backend")?.context("no journal")?, outcome)?;
    ensure!(scene.deployed()? == (next.tag.to_owned(), next.point.clone()), "it runs {:?}", scene.deployed()?);
    let version = scene.psql("select version_num from alembic_version")?;
    let expected = if next.tag == "1.1.0" { "0004_feedback" } else { "0003_positions" };
    ensure!(version == expected, "the schema is at {version}, expected {expected}");
    if is_first {
        let made = scene.gate.passed(&["POST", "/jobs", "ffe-migrate-"]);
        ensure!(made == 1, "{made} migrations were made");
    } else {
        ensure!(scene.moves()? == point.moves, "the schema moved {:?}, expected {:?}", scene.moves()?, point.moves);
        scene.expect_rows(next.tag == "1.1.0")?;
    }
    *before = Some(next);
    Ok(())
}

/// Applies until the point, and ends who is to die there.
fn die(scene: &mut Scene<'_>, point: &Point) -> Result<()> {
    let at = point.at;
    scene.gate.stop_at(point.moment, move |look| is_at(at, look));
    let mut terraform = scene.stage.start(APPLY)?;
    let met = scene.gate.wait(LIMIT, || terraform.try_wait().is_ok_and(|ended| ended.is_none()));
    if let Err(error) = met {
        let _ended = terraform.kill();
        let _reaped = terraform.wait();
        return Err(error.context(scene.stage.started_log()));
    }
    let below = processes::descendants(terraform.id());
    let provider =
        below.iter().find(|process| process.arguments.contains("terraform-provider-ffe")).context("no provider")?;
    match point.who {
        Who::Provider => {
            processes::kill(provider.pid)?;
            scene.gate.let_go(Then::Drop);
        }
        Who::Helm | Who::WaitingHelm => {
            let is_helm = |process: &&processes::Process| {
                [" upgrade ", " install ", " rollback "].iter().any(|word| process.arguments.contains(word))
            };
            processes::kill(below.iter().find(is_helm).context("no helm")?.pid)?;
            // The request is Helm's own, or the provider's, which goes on.
            scene.gate.let_go(if point.who == Who::Helm { Then::Drop } else { Then::Pass });
        }
        Who::Terraform => {
            processes::kill(terraform.id())?;
            scene.gate.let_go(Then::Pass);
            scene.stage.kube.until("the provider ends by itself", LIMIT, |_| Ok(!processes::is_alive(provider.pid)))?;
        }
        Who::User => {
            processes::interrupt(terraform.id())?;
            let log = |stage: &Stage| stage.started_log();
            let stage = &scene.stage;
            stage.kube.until("terraform has heard it", LIMIT, |_| Ok(log(stage).contains("Interrupt received")))?;
            scene.gate.let_go(Then::Pass);
        }
    }
    let ended = terraform.wait()?;
    if point.who == Who::User {
        return stopped(scene, point);
    }
    let told = scene.stage.started_log();
    if point.who == Who::WaitingHelm {
        ensure!(ended.success(), "no other Helm went on:\n{told}");
        return Ok(());
    }
    // Once all is recorded, only the notice is lost.
    ensure!(!ended.success(), "terraform succeeded although somebody was killed:\n{told}");
    Ok(())
}

/// The user's wish to stop was heard, and the journal says how far it has come.
fn stopped(scene: &mut Scene<'_>, point: &Point) -> Result<()> {
    let told = scene.stage.started_log();
    let journal = journal(&scene.stage.kube, &scene.stage.name, "ffe-backend")?.context("no journal")?;
    let run = super::journal::last(&journal);
    // Terraform kills a provider that does not answer: then the run would still be open.
    if run["outcome"] == "running" || !run["finished"].is_string() {
        bail!("the run was not closed: {journal:#}\n{told}");
    }
    if matches!(point.at, At::Close("succeeded") | At::Ask("notify", ..)) {
        // What is recorded as done is done, whatever the user wishes now.
        ensure!(run["outcome"] == "succeeded", "{journal:#}\n{told}");
        return Ok(());
    }
    ensure!(run["outcome"] == "interrupted", "{journal:#}\n{told}");
    let flat = told.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = if run["unwinding"] == true { "interrupted" } else { "the next apply goes on from there" };
    ensure!(flat.contains(sentence), "does not say {sentence:?}:\n{told}");
    Ok(())
}
