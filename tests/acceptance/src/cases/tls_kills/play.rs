//! Playing a point: apply until the request that marks it, somebody dies, apply again, look.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::scene::Scene;
use super::{POINTS, Point, Story, Way, Who};
use crate::gate::{Look, Moment, Then};
use crate::{Stage, processes};

const APPLY: &[&str] = &["apply", "-auto-approve", "-no-color", "-input=false"];
/// For the harness alone: nothing waits this long.
const LIMIT: Duration = Duration::from_secs(180);

/// Plays some of the points.
pub(super) fn all(stage: &mut Stage, wanted: impl Fn(&Point) -> bool) -> Result<()> {
    // FFE_POINTS=3,7 plays only some, by their place in the case.
    let only = std::env::var("FFE_POINTS").unwrap_or_default();
    let only: Vec<usize> = only.split(',').filter_map(|number| number.parse().ok()).collect();
    let mut scene = Scene::open(stage)?;
    for (number, point) in POINTS.iter().filter(|point| wanted(point)).enumerate() {
        if !only.is_empty() && !only.contains(&number) {
            continue;
        }
        let started = Instant::now();
        let told = format!(
            "{:?}: {:?} in {}, {:?} {:?}",
            point.story,
            point.who,
            point.step,
            point.moment,
            point.requests.last()
        );
        one(&mut scene, point, &format!("p{number}")).with_context(|| format!("point {number}, {told}"))?;
        eprintln!("point {number} in {} s: {told}", started.elapsed().as_secs());
    }
    Ok(())
}

fn one(scene: &mut Scene<'_>, point: &Point, name: &str) -> Result<()> {
    let address = format!("ffe_tls_endpoint.{name}");
    let hosts = match point.story {
        Story::First => 1,
        Story::More => {
            scene.configure(name, 1)?;
            scene.stage.apply()?.ok()?;
            2
        }
    };
    scene.configure(name, hosts)?;
    die(scene, point, name)?;
    let in_state = scene.stage.state(&address)?.is_some();
    // A create that ends by itself keeps what has DNS records; one that dies can keep nothing.
    let has_records = point.who == Who::User && point.step != "dns";
    let is_kept = point.story == Story::More || has_records;
    ensure!(in_state == is_kept, "in state after the death: {in_state}");

    // What is recorded as done and in no state is another state's: it is imported.
    if (point.story, point.step, point.moment) == (Story::First, "record", Moment::After) {
        let id = format!("{}/{name}", scene.stage.name);
        let import = format!("terraform import ffe_tls_endpoint.<name> {id}");
        scene.stage.apply()?.failed_with(&["exists already", &import])?;
        scene.stage.terraform(&["import", "-no-color", &address, &id])?.ok()?;
    } else {
        scene.stage.apply()?.ok()?;
    }
    scene.stage.expect_empty_plan()?;
    scene.expect_complete(name, hosts)?;
    scene.stage.destroy()?.ok()?;
    scene.expect_gone()
}

/// The requests of a point, one after the other; the last one is the point.
fn comes(point: &Point, name: &str) -> impl Fn(&Look<'_>) -> bool + Send + 'static {
    let wanted: Vec<(&str, String)> =
        point.requests.iter().map(|(method, path)| (*method, path.replace("{}", name))).collect();
    let met = AtomicUsize::new(0);
    move |look| {
        let at = met.load(Ordering::SeqCst);
        let is_next = wanted.get(at).is_some_and(|(method, path)| {
            // Where there is no query, the name ends all the same.
            look.request.method == *method && format!("{}?", look.request.path).contains(path.as_str())
        });
        is_next && met.fetch_add(1, Ordering::SeqCst) + 1 == wanted.len()
    }
}

/// Applies until the point, and ends who is to die there.
fn die(scene: &mut Scene<'_>, point: &Point, name: &str) -> Result<()> {
    let gate = match point.way {
        Way::Cluster => &scene.cluster,
        Way::Cloudflare => &scene.cloudflare,
    };
    gate.stop_at(point.moment, comes(point, name));
    let mut terraform = scene.stage.start(APPLY)?;
    let met = gate.wait(LIMIT, || terraform.try_wait().is_ok_and(|ended| ended.is_none()));
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
            gate.let_go(Then::Drop);
        }
        Who::Terraform => {
            processes::kill(terraform.id())?;
            gate.let_go(Then::Pass);
            scene.stage.kube.until("the provider ends by itself", LIMIT, |_| Ok(!processes::is_alive(provider.pid)))?;
        }
        Who::User => {
            processes::interrupt(terraform.id())?;
            let stage = &scene.stage;
            let heard = |_: &crate::Kube| Ok(stage.started_log().contains("Interrupt received"));
            stage.kube.until("terraform has heard it", LIMIT, heard)?;
            gate.let_go(Then::Pass);
        }
    }
    let ended = terraform.wait()?;
    let told = scene.stage.started_log();
    ensure!(!ended.success(), "terraform succeeded although it was cut short:\n{told}");
    if point.who == Who::User {
        let flat = told.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(flat.contains("was interrupted") && flat.contains("the next apply goes on from there"), "{told}");
    }
    Ok(())
}
