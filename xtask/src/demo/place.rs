//! The folder that the demo runs in: a copy of the example, and the state, which stays from one run to the next.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::tell;
use crate::workspace::Workspace;

/// Files of the example that are the configuration.
const CONFIGURATION: [&str; 4] = ["versions.tf", "variables.tf", "main.tf", "outputs.tf"];

/// What was chosen for somebody's own cluster.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Chosen {
    pub(super) image: Option<String>,
    pub(super) database_image: Option<String>,
    pub(super) host: Option<String>,
}

/// One place for the testbed, and one for each other kubeconfig.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
}

impl Place {
    /// Makes the folder and brings the example's newest text into it.
    pub(super) fn prepare(workspace: &Workspace, kubeconfig: Option<&Path>) -> Result<Place> {
        let name = kubeconfig.map_or_else(|| "testbed".to_owned(), folder_name);
        let place = Place { folder: workspace.cache.join("demo").join(name) };
        let configuration = place.configuration();
        // Nobody else's business: the state and the key.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&configuration)
            .with_context(|| format!("folder {}", configuration.display()))?;
        for name in CONFIGURATION {
            let from = workspace.root.join("examples/terraform/single-node").join(name);
            std::fs::copy(&from, configuration.join(name)).with_context(|| format!("copying {}", from.display()))?;
        }
        Ok(place)
    }

    /// The place.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where terraform runs.
    pub(super) fn configuration(&self) -> PathBuf {
        self.folder.join("single-node")
    }

    /// The testbed begins empty whenever it is started anew; a state of its earlier life describes nothing.
    pub(super) fn forget_other_cluster(&self, identity: &str) -> Result<()> {
        let recorded = self.folder.join("cluster");
        let before = std::fs::read_to_string(&recorded).unwrap_or_default();
        if before.trim() == identity {
            return Ok(());
        }
        for name in ["terraform.tfstate", "terraform.tfstate.backup"] {
            let path = self.configuration().join(name);
            if path.exists() {
                tell::note(format!("the testbed was started anew: {name} of its earlier life is removed"));
                std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            }
        }
        std::fs::write(&recorded, identity).with_context(|| format!("writing {}", recorded.display()))
    }

    /// What this run says, or else what the last one here did: what is to be destroyed is still planned with it.
    pub(super) fn chosen(&self, now: Chosen) -> Result<Chosen> {
        let path = self.folder.join("chosen.json");
        let before: Chosen = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?,
            Err(_) => Chosen::default(),
        };
        let chosen = Chosen {
            image: now.image.or(before.image),
            database_image: now.database_image.or(before.database_image),
            host: now.host.or(before.host),
        };
        std::fs::write(&path, serde_json::to_string(&chosen)?)
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(chosen)
    }

    /// The application's key: made at random in the first run, the same in all others.
    pub(super) fn api_key(&self) -> Result<String> {
        let path = self.folder.join("api-key");
        match std::fs::read_to_string(&path) {
            Ok(key) if !key.is_empty() => return Ok(key),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("reading {}", path.display()));
            }
            _ => {}
        }
        let mut random = [0_u8; 24];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut random))
            .context("/dev/urandom")?;
        let key: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(key.as_bytes()))
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(key)
    }
}

/// A path as the name of one folder; different paths have different names.
fn folder_name(path: &Path) -> String {
    let mut name = String::new();
    for character in path.to_string_lossy().chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' => name.push(character),
            '/' => name.push('_'),
            other => name.push_str(&format!("%{:x}", u32::from(other))),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn place() -> (tempfile::TempDir, Place) {
        let kept = tempfile::tempdir().unwrap();
        let place = Place { folder: kept.path().to_path_buf() };
        std::fs::create_dir(place.configuration()).unwrap();
        (kept, place)
    }

    #[test]
    fn the_state_of_an_earlier_cluster_is_forgotten_and_that_of_this_one_is_not() {
        let (_kept, place) = place();
        let state = place.configuration().join("terraform.tfstate");
        place.forget_other_cluster("one").unwrap();
        std::fs::write(&state, "{}").unwrap();
        place.forget_other_cluster("one").unwrap();
        assert!(state.exists());
        place.forget_other_cluster("two").unwrap();
        assert!(!state.exists());
    }

    #[test]
    fn the_key_stays_the_same_and_is_not_for_others() {
        use std::os::unix::fs::PermissionsExt as _;

        let (kept, place) = place();
        let key = place.api_key().unwrap();
        assert_eq!(key.len(), 48);
        assert_eq!(place.api_key().unwrap(), key);
        let mode = std::fs::metadata(kept.path().join("api-key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_was_chosen_stays_until_something_else_is() {
        let (_kept, place) = place();
        assert_eq!(place.chosen(Chosen::default()).unwrap(), Chosen::default());
        let first = Chosen { image: Some("a:1".into()), database_image: Some("postgres:16".into()), host: None };
        place.chosen(first).unwrap();
        let second = Chosen { image: Some("a:2".into()), ..Chosen::default() };
        let chosen = place.chosen(second).unwrap();
        assert_eq!(chosen.image.as_deref(), Some("a:2"));
        assert_eq!(chosen.database_image.as_deref(), Some("postgres:16"));
    }

    #[test]
    fn different_kubeconfigs_have_different_folders() {
        assert_eq!(folder_name(Path::new("/home/me/.kube/config")), "_home_me_.kube_config");
        assert_ne!(folder_name(Path::new("/a_b")), folder_name(Path::new("/a/b")));
    }
}
