//! Stands for the Job controller, the kubelet and a database: it carries out the Jobs of migrations on a schema in memory, and
//! answers as the script in the Job does. The image `app:N` has the first N revisions of a line; the N-th makes a table of ten
//! times as many rows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use ffe_cluster::ObjectRef;
use ffe_cluster_testing::FakeApi;
use serde_json::{Value as Json, json};

use crate::world::NAMESPACE;

/// What can be set, and what was seen.
#[derive(Default)]
pub(crate) struct Schema {
    /// How many revisions the database stands on.
    pub(crate) at: usize,
    /// How many of those of the line have an empty `downgrade()`, from the end.
    pub(crate) one_way: usize,
    /// Jobs, by the beginning of their names, whose logs cannot be read.
    pub(crate) lost_logs: Vec<String>,
    /// What images that have no number in their tag have.
    pub(crate) images: BTreeMap<String, usize>,
    /// The command of an image that is older than the schema cannot tell where it stands.
    pub(crate) blind: bool,
    /// Images that cannot be pulled.
    pub(crate) absent: Vec<String>,
    /// Where a downgrade fails on its way.
    pub(crate) stuck_at: Option<usize>,
    /// Where an upgrade fails on its way.
    pub(crate) stuck_ahead_at: Option<usize>,
    /// The kind of Job that stays unfinished, and whether it has done its work by then.
    pub(crate) held: Option<(String, bool)>,
    /// Such a Job was met.
    pub(crate) reached: bool,
    /// What an application prints before each answer.
    pub(crate) noise: String,
    /// Jobs in order, by the part of their names that says what they do.
    pub(crate) jobs: Vec<String>,
    /// Labels of the pods in the last Job.
    pub(crate) labels: Json,
    /// The pods in the last Job.
    pub(crate) pod: Json,
}

/// The controller; it ends when this is dropped.
pub(crate) struct Controller {
    schema: Arc<Mutex<Schema>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A revision of the line.
pub(crate) fn revision(at: usize) -> String {
    format!("{at:04}_a_name_as_long_as_people_give")
}

impl Controller {
    /// One that works on this API, for a database that stands on so many revisions.
    pub(crate) fn new(api: &FakeApi, at: usize) -> Controller {
        let schema = Arc::new(Mutex::new(Schema { at, ..Schema::default() }));
        let over = Arc::new(AtomicBool::new(false));
        let (api, shared, ends) = (api.clone(), Arc::clone(&schema), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut pods = 0;
            while !ends.load(Ordering::Relaxed) {
                for job in api.all() {
                    if job["kind"] == "Job" && job["status"].is_null() {
                        pods += 1;
                        carry_out(&api, &shared, &job, pods);
                    }
                }
                remove_orphans(&api);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Controller { schema, over, thread: Some(thread) }
    }

    pub(crate) fn schema(&self) -> MutexGuard<'_, Schema> {
        self.schema.lock().unwrap()
    }

    /// What was done since the last time.
    pub(crate) fn jobs(&self) -> Vec<String> {
        std::mem::take(&mut self.schema().jobs)
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Pods go with their Jobs.
fn remove_orphans(api: &FakeApi) {
    let all = api.all();
    let uids: Vec<&Json> = all.iter().filter(|one| one["kind"] == "Job").map(|job| &job["metadata"]["uid"]).collect();
    for pod in all.iter().filter(|one| one["kind"] == "Pod") {
        let of = &pod["metadata"]["labels"]["batch.kubernetes.io/controller-uid"];
        if !of.is_null() && !uids.contains(&of) {
            api.remove(&ObjectRef::new("v1", "Pod", Some(NAMESPACE), pod["metadata"]["name"].as_str().unwrap()));
        }
    }
}

fn carry_out(api: &FakeApi, schema: &Mutex<Schema>, job: &Json, number: usize) {
    let name = job["metadata"]["name"].as_str().unwrap();
    let template = &job["spec"]["template"];
    let mut schema = schema.lock().unwrap();
    let kind = name.split('-').nth(1).unwrap();
    if let Some((_, works)) = schema.held.clone().filter(|(held, _)| held == kind) {
        if works && !schema.reached {
            run(&mut schema, &containers_of(template)[0], &mut String::new());
        }
        schema.reached = true;
        return;
    }
    let under = api.all().iter().any(|one| one["kind"] == "Pod" && one["metadata"]["labels"]["version"] == "new");
    let under = if kind == "downgrade" && under { " under new pods" } else { "" };
    schema.jobs.push(format!("{kind}{under}"));
    schema.labels = template["metadata"].clone();
    schema.pod = template["spec"].clone();
    let pod = format!("{name}-{number}");
    let mut log = String::new();
    let mut statuses = Vec::new();
    let containers = |key: &str| template["spec"][key].as_array().cloned().unwrap_or_default();
    let mut code = 0;
    for container in containers_of(template) {
        if schema.absent.iter().any(|image| container["image"] == **image) {
            code = 1;
        }
        if code == 0 {
            log.push_str(&schema.noise);
            code = run(&mut schema, &container, &mut log);
            statuses.push(json!({
                "name": container["name"], "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "terminated": { "exitCode": code } },
            }));
        }
    }
    let path = format!("/pods/{pod}/log");
    if schema.lost_logs.iter().any(|lost| name.starts_with(lost)) {
        api.fail("GET", &path, None, 500, "InternalError", "the kubelet does not answer");
    } else {
        api.answer("GET", &path, None, 200, &log);
    }
    api.put(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": pod, "namespace": NAMESPACE,
            "labels": {
                "batch.kubernetes.io/controller-uid": job["metadata"]["uid"], "batch.kubernetes.io/job-name": name,
                "app.kubernetes.io/name": "ffe-migrate",
            },
        },
        "spec": { "containers": containers("containers") },
        "status": { "phase": if code == 0 { "Succeeded" } else { "Failed" }, "containerStatuses": statuses },
    }));
    let kind = if code == 0 { "Complete" } else { "Failed" };
    api.edit(&ObjectRef::new("batch/v1", "Job", Some(NAMESPACE), name), |job| {
        job["status"] =
            json!({ "conditions": [{ "type": kind, "status": "True", "reason": "Ended", "message": "it is" }] });
    });
}

/// In the order in which they run.
fn containers_of(template: &Json) -> Vec<Json> {
    let all = ["initContainers", "containers"].iter().filter_map(|key| template["spec"][key].as_array());
    all.flatten().cloned().collect()
}

/// What a command of another engine does.
fn command(schema: &mut Schema, part: &str, has: usize, words: &[&str], log: &mut String) -> i32 {
    match part {
        "upgrade" => schema.at = has,
        "downgrade" => schema.at = (0..=has).find(|at| revision(*at) == *words[words.len() - 1]).unwrap(),
        _ if schema.blind && schema.at > has => {
            log.push_str(&format!("FAILED: Can't locate revision identified by '{}'\n", revision(schema.at)));
            return 255;
        }
        _ => {
            let mark = words.iter().find(|word| word.starts_with("ffe:")).unwrap();
            log.push_str(&format!("\n{mark} line {}\n{mark} end 1\n", revision(schema.at)));
        }
    }
    0
}

/// What the script does.
fn run(schema: &mut Schema, container: &Json, log: &mut String) -> i32 {
    let words: Vec<&str> = container["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let image = container["image"].as_str().unwrap();
    let named = schema.images.get(image).copied();
    let has: usize = named.unwrap_or_else(|| image.rsplit_once(':').unwrap().1.parse().unwrap());
    if words[0] != "python3" {
        return command(schema, container["name"].as_str().unwrap(), has, &words, log);
    }
    let (mark, request): (&str, Json) = (words[3], serde_json::from_str(words[4]).unwrap());
    let place = |base: &Json| (0..=has).find(|at| *at > 0 && revision(*at) == *base).unwrap_or(0);
    match request["mode"].as_str().unwrap() {
        "upgrade" => {
            schema.at = schema.stuck_ahead_at.unwrap_or(has);
            if schema.stuck_ahead_at.is_some() {
                log.push_str("FAILED: relation \"t5\" already exists\n");
                return 1;
            }
        }
        "forward" => match place(&request["to"][0]) {
            0 => return 1,
            at => schema.at = at,
        },
        "back" => {
            schema.at = place(&request["base"][0]);
            if let Some(stuck) = schema.stuck_at {
                schema.at = stuck;
                log.push_str("FAILED: canceling statement due to lock timeout\n");
                return 1;
            }
        }
        _ => {
            let dropped = |at: usize| json!({ "kind": "table", "name": format!("t{at}"), "column": null });
            let told = |at: usize| {
                let undo = if at > has - schema.one_way { "pass" } else { "possible" };
                json!({
                    "revision": revision(at), "message": "x".repeat(50), "undo": undo, "autocommit": false,
                    "dropped": [dropped(at)],
                })
            };
            let current: Vec<String> = (schema.at > 0).then(|| revision(schema.at)).into_iter().collect();
            let mut facts = vec![("database", json!(current)), ("head", json!(revision(has)))];
            if schema.at > has {
                facts.push(("unknown", json!(revision(schema.at))));
                if request["aim"] == true {
                    facts.push(("aim", json!(revision(has))));
                }
            } else {
                if !request["target"].is_null() {
                    facts.extend((schema.at + 1..=has).map(|at| ("pending", told(at))));
                }
                if let Some(base) = request["base"].as_array() {
                    let stands = base.iter().all(|one| (1..=schema.at).contains(&place(one)));
                    facts.extend(base.iter().filter(|_| !stands).map(|one| ("astray", one.clone())));
                    let base = base.first().filter(|_| stands).map_or(if stands { 0 } else { schema.at }, place);
                    facts.extend((base + 1..=schema.at).map(|at| ("ran", told(at))));
                    if request["rows"] == true {
                        facts.extend((base + 1..=schema.at).map(|at| {
                            let mut counted = dropped(at);
                            counted["rows"] = (at * 10).into();
                            counted["estimate"] = false.into();
                            ("rows", counted)
                        }));
                    }
                }
            }
            for (fact, value) in &facts {
                log.push_str(&format!("\n{mark} {fact} {value}\n"));
            }
            log.push_str(&format!("\n{mark} end {}\n", facts.len()));
        }
    }
    0
}
