//! The control group of a node, in which every pod and every container's shim lives.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::node::Node;

const ROOT: &str = "/sys/fs/cgroup";

/// What the kubelet needs, and what it uses where it is. Nothing else is asked of the machine.
const NEEDED: &[&str] = &["cpuset", "cpu", "memory", "pids"];
const USED: &[&str] = &["io", "hugetlb"];

/// A control group in the root of each hierarchy of version 1, or of the only one of version 2.
#[derive(Debug)]
pub(crate) struct Cgroup {
    root: PathBuf,
    name: String,
}

impl Cgroup {
    pub(crate) fn of(node: &Node) -> Self {
        Self::named(node.cgroup())
    }

    pub(crate) fn named(name: &str) -> Self {
        Self { root: PathBuf::from(ROOT), name: name.to_owned() }
    }

    fn is_version_2(&self) -> bool {
        self.root.join("cgroup.controllers").exists()
    }

    fn folders(&self) -> Vec<PathBuf> {
        if self.is_version_2() {
            return vec![self.root.join(&self.name)];
        }
        let Ok(entries) = std::fs::read_dir(&self.root) else { return Vec::new() };
        // Names like `cpu` may be links to `cpu,cpuacct`.
        let hierarchies = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        hierarchies.map(|entry| entry.path().join(&self.name)).collect()
    }

    /// Makes it, and in it a group for the shims of containers.
    pub(crate) fn create(&self) -> Result<()> {
        let folders = self.folders();
        if folders.is_empty() {
            bail!("there are no control groups in {}: containers need them", self.root.display());
        }
        let wanted = if self.is_version_2() { self.wanted()? } else { Vec::new() };
        for folder in folders {
            let shims = folder.join("shims");
            std::fs::create_dir_all(&shims).with_context(|| format!("control group {}", shims.display()))?;
            let Some(hierarchy) = folder.parent() else { continue };
            if self.is_version_2() {
                hand_down(hierarchy, &wanted)?;
                hand_down(&folder, &wanted)?;
            } else if hierarchy.ends_with("cpuset") {
                // A new group of this hierarchy has no processors and takes no process before it is given some.
                for name in ["cpuset.cpus", "cpuset.mems"] {
                    let of_root = std::fs::read_to_string(hierarchy.join(name)).unwrap_or_default();
                    for group in [&folder, &shims] {
                        std::fs::write(group.join(name), &of_root)
                            .with_context(|| format!("{}/{name}", group.display()))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The controllers of version 2 that pods are to have.
    fn wanted(&self) -> Result<Vec<&'static str>> {
        let file = self.root.join("cgroup.controllers");
        let there = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let has = |name: &&&str| there.split_whitespace().any(|one| one == **name);
        let missing: Vec<&str> = NEEDED.iter().filter(|name| !has(name)).copied().collect();
        if !missing.is_empty() {
            bail!(
                "the kubelet needs the controllers {}, and {} has only: {}",
                missing.join(", "),
                file.display(),
                there.trim()
            );
        }
        Ok(NEEDED.iter().chain(USED).filter(has).copied().collect())
    }

    /// Kills what is left in it and removes it.
    pub(crate) fn remove(&self) -> Result<()> {
        let folders = self.folders();
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let pids: Vec<Pid> = folders.iter().flat_map(|folder| pids(folder)).collect();
            for pid in &pids {
                let _ = kill_process(*pid, Signal::KILL);
            }
            if pids.is_empty() && folders.iter().all(|folder| is_removed(folder)) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("processes in the control group {} do not end: {pids:?}", self.name);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Lets groups below this one have the controllers, of which it may hand down some already.
fn hand_down(group: &Path, wanted: &[&str]) -> Result<()> {
    let file = group.join("cgroup.subtree_control");
    let enabled = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let enabled: Vec<&str> = enabled.split_whitespace().collect();
    for name in wanted.iter().filter(|name| !enabled.contains(*name)) {
        let written = OpenOptions::new().append(true).open(&file).and_then(|mut file| writeln!(file, "+{name}"));
        match written {
            // Only the true root may hold processes and hand down controllers. What a container sees as the root is none.
            Err(error) if error.kind() == ErrorKind::ResourceBusy => bail!(
                "the control group {group} holds processes, as it does in a container, so that those below it cannot have \
                 the controller {name}. Move the processes down first:\n  mkdir -p {group}/init && for p in $(cat \
                 {group}/cgroup.procs); do echo $p > {group}/init/cgroup.procs; done",
                group = group.display()
            ),
            done => done.with_context(|| format!("handing the controller {name} down in {}", group.display()))?,
        }
    }
    Ok(())
}

fn pids(folder: &Path) -> Vec<Pid> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_dir())
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("cgroup.procs")).ok())
        .flat_map(|text| text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect::<Vec<_>>())
        .collect()
}

/// Removes a group and those in it; true when none is left.
fn is_removed(folder: &Path) -> bool {
    for entry in walkdir::WalkDir::new(folder).contents_first(true).into_iter().flatten() {
        if entry.file_type().is_dir() {
            let _ = std::fs::remove_dir(entry.path());
        }
    }
    !folder.exists()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(root: &Path) -> Cgroup {
        Cgroup { root: root.to_path_buf(), name: "ffe-testbed-x".to_owned() }
    }

    /// As version 2 looks on a machine with systemd, which hands some controllers down itself.
    fn version_2(controllers: &str, handed_down: &str) -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("cgroup.controllers"), controllers).unwrap();
        std::fs::write(root.path().join("cgroup.subtree_control"), handed_down).unwrap();
        let group = root.path().join("ffe-testbed-x");
        std::fs::create_dir(&group).unwrap();
        std::fs::write(group.join("cgroup.subtree_control"), "").unwrap();
        (root, group)
    }

    fn text(group: &Path) -> String {
        std::fs::read_to_string(group.join("cgroup.subtree_control")).unwrap()
    }

    #[test]
    fn controllers_that_are_handed_down_already_are_not_asked_for_again() {
        let (root, group) = version_2("cpuset cpu io memory hugetlb pids rdma misc\n", "cpu memory pids\n");
        at(root.path()).create().unwrap();
        assert_eq!(text(root.path()), "cpu memory pids\n+cpuset\n+io\n+hugetlb\n");
        assert_eq!(text(&group), "+cpuset\n+cpu\n+memory\n+pids\n+io\n+hugetlb\n");
        assert!(group.join("shims").is_dir());
    }

    #[test]
    fn controllers_that_the_kubelet_needs_are_named_when_they_are_missing_and_nothing_is_made() {
        let (root, group) = version_2("cpu io pids\n", "");
        let error = at(root.path()).create().unwrap_err().to_string();
        assert!(error.contains("cpuset, memory") && error.contains("has only: cpu io pids"), "{error}");
        assert!(!group.join("shims").exists());
    }

    #[test]
    fn in_each_hierarchy_of_version_1_there_is_a_group_and_a_processor_in_that_of_cpuset() {
        let root = tempfile::tempdir().unwrap();
        for hierarchy in ["memory", "cpuset"] {
            std::fs::create_dir(root.path().join(hierarchy)).unwrap();
        }
        for (name, value) in [("cpuset.cpus", "0-1"), ("cpuset.mems", "0")] {
            std::fs::write(root.path().join("cpuset").join(name), value).unwrap();
        }
        at(root.path()).create().unwrap();
        assert!(root.path().join("memory/ffe-testbed-x/shims").is_dir());
        let cpus = root.path().join("cpuset/ffe-testbed-x/shims/cpuset.cpus");
        assert_eq!(std::fs::read_to_string(cpus).unwrap(), "0-1");
    }

    #[test]
    fn without_control_groups_the_error_says_where_they_are_looked_for() {
        let root = tempfile::tempdir().unwrap();
        let error = at(root.path()).create().unwrap_err().to_string();
        assert!(error.contains(&root.path().display().to_string()), "{error}");
    }

    #[test]
    fn a_group_that_is_not_there_is_removed() {
        let root = tempfile::tempdir().unwrap();
        at(root.path()).remove().unwrap();
    }
}
